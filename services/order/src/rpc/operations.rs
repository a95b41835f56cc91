//! `OperationService`.

use throughline_kit::error::Error;
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::operation_service_server::OperationService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::event::Operation;
use crate::hold::HoldId;
use crate::operations::{Asked, Fields, Operations};
use crate::order::{MAX_PRIORITY, Order, Place};
use crate::rating::Ratings;
use crate::target;

const SET_PRIORITY: &str = "throughline.order.v1.OperationService/SetPriority";

/// Serves `OperationService`.
#[derive(Clone, Debug)]
pub(crate) struct OperationRpc {
    /// Carries operations out.
    pub(crate) operations: Operations,
    /// Lists what customers said.
    pub(crate) ratings: Ratings,
}

/// Reads a request for an operation on a part of an order. Each has a message of its own with the same fields.
macro_rules! asked {
    ($caller:expr, $request:expr, $method:literal, $needs_step:literal) => {{
        let request = &$request;
        let fields = Fields {
            request_id: &request.request_id,
            order_id: &request.order_id,
            reason: &request.reason,
            needs_reason: true,
        };
        let method = concat!("throughline.order.v1.OperationService/", $method);
        let check = |wrong: &mut _| target::check(request.target.as_ref(), $needs_step, wrong);
        Asked::read(&$caller, method, request, fields, check)?
    }};
}

/// Answers with the order as it is after the operation.
macro_rules! after {
    ($response:ident) => {
        |_: &Order, after: &Order| proto::$response { order: Some(convert::customer_order(after)) }
    };
}

/// An operation on one step.
fn on_step(
    target: Option<proto::Target>,
    operation: fn(Place) -> Operation,
) -> impl Fn(&Order) -> Result<Operation, Error> + Send + 'static {
    let target = target.unwrap_or_default();
    move |order| target::place(order, &target).map(operation)
}

#[tonic::async_trait]
impl OperationService for OperationRpc {
    async fn pause_order(
        &self,
        request: Request<proto::PauseOrderRequest>,
    ) -> Result<Response<proto::PauseOrderResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "PauseOrder", false);
        let target = request.target.unwrap_or_default();
        let id = HoldId::generate();
        let make = move |order: &Order| {
            target::scope(order, &target).map(|scope| Operation::Pause(id.clone(), scope))
        };
        let answer = after!(PauseOrderResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn resume_order(
        &self,
        request: Request<proto::ResumeOrderRequest>,
    ) -> Result<Response<proto::ResumeOrderResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "ResumeOrder", false);
        let target = request.target.unwrap_or_default();
        let make = move |order: &Order| target::scope(order, &target).map(Operation::Resume);
        let answer = after!(ResumeOrderResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn retry_step(
        &self,
        request: Request<proto::RetryStepRequest>,
    ) -> Result<Response<proto::RetryStepResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "RetryStep", true);
        let make = on_step(request.target, Operation::Retry);
        let answer = after!(RetryStepResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn skip_step(
        &self,
        request: Request<proto::SkipStepRequest>,
    ) -> Result<Response<proto::SkipStepResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "SkipStep", true);
        let make = on_step(request.target, Operation::Skip);
        let answer = after!(SkipStepResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn substitute_step(
        &self,
        request: Request<proto::SubstituteStepRequest>,
    ) -> Result<Response<proto::SubstituteStepResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "SubstituteStep", true);
        let make = on_step(request.target, Operation::Substitute);
        let answer = after!(SubstituteStepResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn rerun_step(
        &self,
        request: Request<proto::RerunStepRequest>,
    ) -> Result<Response<proto::RerunStepResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "RerunStep", true);
        let make = on_step(request.target, Operation::Rerun);
        let answer = after!(RerunStepResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn prove_undone(
        &self,
        request: Request<proto::ProveUndoneRequest>,
    ) -> Result<Response<proto::ProveUndoneResponse>, Status> {
        let (caller, request) = open(request);
        let asked = asked!(caller, request, "ProveUndone", true);
        let make = on_step(request.target, Operation::ProveUndone);
        let answer = after!(ProveUndoneResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn list_ratings(
        &self,
        request: Request<proto::ListRatingsRequest>,
    ) -> Result<Response<proto::ListRatingsResponse>, Status> {
        Ok(Response::new(self.ratings.list(request.into_inner()).await?))
    }

    async fn set_priority(
        &self,
        request: Request<proto::SetPriorityRequest>,
    ) -> Result<Response<proto::SetPriorityResponse>, Status> {
        let (caller, request) = open(request);
        let (asked, priority) = priority(&caller, &request)?;
        let make = move |_: &Order| Ok(Operation::Prioritize(priority));
        let answer = after!(SetPriorityResponse);
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }
}

fn priority(caller: &Caller, request: &proto::SetPriorityRequest) -> Result<(Asked, u8), Error> {
    let fields = Fields {
        request_id: &request.request_id,
        order_id: &request.order_id,
        reason: &request.reason,
        needs_reason: true,
    };
    let priority = u8::try_from(request.priority).unwrap_or(u8::MAX);
    let asked = Asked::read(caller, SET_PRIORITY, request, fields, |wrong| {
        wrong.range("priority", i64::from(request.priority), 0, i64::from(MAX_PRIORITY));
    })?;
    Ok((asked, priority))
}
