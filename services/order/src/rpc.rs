//! The gRPC face of the order center: decode, call, encode.

use throughline_kit::error::{Error, Violations};
use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_server::OrderService;
use throughline_proto::order::v1::step_callback_service_server::StepCallbackService;
use tonic::{Request, Response, Status};

use crate::acceptance::Acceptance;
use crate::cancellation::Cancellation;
use crate::convert;
use crate::engine::Engine;
use crate::error::{DOMAIN, OrderError};
use crate::event::{Gain, Outcome};
use crate::failure::Failure;
use crate::order::OrderId;
use crate::query::{OrderStream, Query};

const SUBMIT: &str = "throughline.order.v1.OrderService/SubmitOrder";

/// Serves `OrderService`.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// Accepts.
    pub(crate) acceptance: Acceptance,
    /// Cancels.
    pub(crate) cancellation: Cancellation,
    /// Reads.
    pub(crate) query: Query,
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn submit_order(
        &self,
        request: Request<proto::SubmitOrderRequest>,
    ) -> Result<Response<proto::SubmitOrderResponse>, Status> {
        let (caller, request) = open(request);
        let submission = convert::submission(&request)?;
        let key = RequestKey::new(&caller.name, submission.request_id.clone(), SUBMIT, &request);
        Ok(Response::new(self.acceptance.submit(&caller, key, submission).await?))
    }

    async fn get_order(
        &self,
        request: Request<proto::GetOrderRequest>,
    ) -> Result<Response<proto::GetOrderResponse>, Status> {
        let (caller, request) = open(request);
        let order = if request.order_id.is_empty() {
            let (channel, number) = (&request.channel, &request.channel_order_id);
            self.query.get_by_number(&caller, channel, number).await?
        } else {
            self.query.get(&caller, &request.order_id).await?
        };
        let order = Some(convert::customer_order(&order));
        Ok(Response::new(proto::GetOrderResponse { order }))
    }

    async fn list_orders(
        &self,
        request: Request<proto::ListOrdersRequest>,
    ) -> Result<Response<proto::ListOrdersResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.list(&caller, request).await?))
    }

    type WatchOrderStream = OrderStream;

    async fn watch_order(
        &self,
        request: Request<proto::WatchOrderRequest>,
    ) -> Result<Response<OrderStream>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.watch(&caller, request).await?))
    }

    async fn cancel_order(
        &self,
        request: Request<proto::CancelOrderRequest>,
    ) -> Result<Response<proto::CancelOrderResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.cancellation.cancel(&caller, request).await?))
    }

    async fn preview_cancel(
        &self,
        request: Request<proto::PreviewCancelRequest>,
    ) -> Result<Response<proto::PreviewCancelResponse>, Status> {
        let (caller, request) = open(request);
        let plan = Some(self.query.preview_cancel(&caller, &request.order_id).await?);
        Ok(Response::new(proto::PreviewCancelResponse { plan }))
    }
}

/// Serves `StepCallbackService`.
#[derive(Clone, Debug)]
pub(crate) struct StepCallbacks {
    /// Owns the orders.
    pub(crate) engine: Engine,
}

#[tonic::async_trait]
impl StepCallbackService for StepCallbacks {
    async fn report_step_result(
        &self,
        request: Request<proto::ReportStepResultRequest>,
    ) -> Result<Response<proto::ReportStepResultResponse>, Status> {
        let (caller, request) = open(request);
        let order_id = OrderId::parse(&request.order_id)
            .map_err(|_| Error::from(OrderError::NotFound(request.order_id.clone())))?;
        let (reference, outcome) = report(&caller, request)?;
        self.engine.report(order_id, reference, outcome).await?;
        Ok(Response::new(proto::ReportStepResultResponse {}))
    }
}

fn open<M>(request: Request<M>) -> (Caller, M) {
    (Caller::from_metadata(request.metadata()), request.into_inner())
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
