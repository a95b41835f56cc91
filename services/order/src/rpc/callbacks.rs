//! `StepCallbackService`.

use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::step_callback_service_server::StepCallbackService;
use tonic::{Request, Response, Status};

use super::open;
use crate::engine::{Engine, Wish};
use crate::error::{DOMAIN, OrderError};
use crate::event::{Command, Gain, Outcome};
use crate::failure::Failure;
use crate::operations::{Asked, Fields, Operations};
use crate::order::{Order, OrderId};
use crate::signal::Signal;
use crate::target;

const SIGNAL: &str = "throughline.order.v1.StepCallbackService/SignalOrder";
/// Entries of what an event says, and characters of each.
const MAX_SIGNAL_ENTRIES: usize = 32;
const MAX_SIGNAL_TEXT: usize = 200;

/// Serves `StepCallbackService`.
#[derive(Clone, Debug)]
pub(crate) struct StepCallbacks {
    /// Owns the orders.
    pub(crate) engine: Engine,
    /// Carries events to orders, once for each request.
    pub(crate) operations: Operations,
}

#[tonic::async_trait]
impl StepCallbackService for StepCallbacks {
    async fn signal_order(
        &self,
        request: Request<proto::SignalOrderRequest>,
    ) -> Result<Response<proto::SignalOrderResponse>, Status> {
        let (caller, request) = open(request);
        let asked = signalled(&caller, &request)?;
        let make = move |order: &Order| {
            let business_order = match request.business_order_id.as_str() {
                "" => None,
                id => Some(target::business_order(order, id)?),
            };
            let (event, data) = (request.event.clone(), request.data.clone());
            Ok(Command::Signal(Signal { event, data, business_order }))
        };
        let answer = |_: &Order, _: &Order| proto::SignalOrderResponse {};
        Ok(Response::new(self.operations.command(asked, make, answer).await?))
    }

    async fn report_step_result(
        &self,
        request: Request<proto::ReportStepResultRequest>,
    ) -> Result<Response<proto::ReportStepResultResponse>, Status> {
        let (caller, request) = open(request);
        let order_id = OrderId::parse(&request.order_id)
            .map_err(|_| Error::from(OrderError::NotFound(request.order_id.clone())))?;
        let (reference, outcome) = report(&caller, request)?;
        self.engine.ask(order_id, Wish::Report { reference, outcome }).await?;
        Ok(Response::new(proto::ReportStepResultResponse {}))
    }
}

fn signalled(caller: &Caller, request: &proto::SignalOrderRequest) -> Result<Asked, Error> {
    let fields = Fields {
        request_id: &request.request_id,
        order_id: &request.order_id,
        reason: "",
        needs_reason: false,
    };
    Asked::read(caller, SIGNAL, request, fields, |wrong| {
        wrong.length("event", &request.event, 1, 64);
        if request.data.len() > MAX_SIGNAL_ENTRIES {
            wrong.add("data", format!("must have at most {MAX_SIGNAL_ENTRIES} entries"));
        }
        for (name, value) in &request.data {
            wrong.length(&format!("data[{name}]"), name, 1, MAX_SIGNAL_TEXT);
            wrong.length(&format!("data[{name}]"), value, 0, MAX_SIGNAL_TEXT);
        }
    })
}

fn report(
    caller: &Caller,
    request: proto::ReportStepResultRequest,
) -> Result<(String, Outcome), Error> {
    let mut wrong = Violations::new(DOMAIN);
    wrong.length("reference", &request.reference, 1, 64);
    wrong.length("reason", &request.reason, 0, 64);
    wrong.length("message", &request.message, 0, 500);
    let outcome = match request.outcome() {
        proto::StepOutcome::Succeeded => Outcome::Succeeded(Gain::Nothing),
        proto::StepOutcome::Declined => {
            Outcome::Declined(Failure::heard(&request.reason, &caller.name, &request.message))
        }
        proto::StepOutcome::Unspecified => {
            wrong.add("outcome", "must be SUCCEEDED or DECLINED");
            Outcome::Succeeded(Gain::Nothing)
        }
    };
    wrong.finish()?;
    Ok((request.reference, outcome))
}
