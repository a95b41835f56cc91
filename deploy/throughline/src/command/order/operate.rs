//! `order pause | resume | retry | skip | substitute | rerun | prove-undone | priority | urge`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use super::part::target;
use super::{head, read};
use crate::args::{Once, OrderPart, OrderStep, UrgentOrder};
use crate::connection::{Session, bounded, refused};
use crate::console::date_time;

/// Finds the part that is meant.
async fn find(
    session: &Session,
    order_id: &str,
    business_order: Option<&str>,
    step: Option<&str>,
) -> Result<Option<proto::Target>, Error> {
    if business_order.is_none() && step.is_none() {
        return Ok(None);
    }
    target(&read(session, order_id).await?, business_order, step).map(Some)
}

/// Calls an operation on a part of an order. Each has messages of its own with the same fields.
macro_rules! operate {
    ($session:expr, $part:expr, $step:expr, $request:ident, $call:ident) => {{
        let (session, part) = ($session, $part);
        let business_order = part.business_order.as_deref();
        let target = find(session, &part.id, business_order, $step).await?;
        let request = proto::$request {
            request_id: part.why.once.id(),
            order_id: part.id.clone(),
            target,
            reason: part.why.reason.clone(),
        };
        let answer = OperationServiceClient::new(session.operator()?)
            .$call(bounded(request))
            .await
            .map_err(refused)?
            .into_inner();
        session.console.answer(&answer, |answer| say(session, answer.order.as_ref()))
    }};
}

pub(super) async fn pause(session: &Session, part: OrderPart) -> Result<ExitCode, Error> {
    operate!(session, &part, part.step.as_deref(), PauseOrderRequest, pause_order)
}

pub(super) async fn resume(session: &Session, part: OrderPart) -> Result<ExitCode, Error> {
    operate!(session, &part, part.step.as_deref(), ResumeOrderRequest, resume_order)
}

pub(super) async fn retry(session: &Session, step: OrderStep) -> Result<ExitCode, Error> {
    operate!(session, &step, Some(step.step.as_str()), RetryStepRequest, retry_step)
}

pub(super) async fn skip(session: &Session, step: OrderStep) -> Result<ExitCode, Error> {
    operate!(session, &step, Some(step.step.as_str()), SkipStepRequest, skip_step)
}

pub(super) async fn substitute(session: &Session, step: OrderStep) -> Result<ExitCode, Error> {
    operate!(session, &step, Some(step.step.as_str()), SubstituteStepRequest, substitute_step)
}

pub(super) async fn rerun(session: &Session, step: OrderStep) -> Result<ExitCode, Error> {
    operate!(session, &step, Some(step.step.as_str()), RerunStepRequest, rerun_step)
}

pub(super) async fn prove_undone(session: &Session, step: OrderStep) -> Result<ExitCode, Error> {
    operate!(session, &step, Some(step.step.as_str()), ProveUndoneRequest, prove_undone)
}

pub(super) async fn prioritize(session: &Session, wanted: UrgentOrder) -> Result<ExitCode, Error> {
    let request = proto::SetPriorityRequest {
        request_id: wanted.why.once.id(),
        order_id: wanted.id,
        priority: wanted.priority.into(),
        reason: wanted.why.reason,
    };
    let answer = OperationServiceClient::new(session.operator()?)
        .set_priority(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| say_priority(session, answer.order.as_ref()))
}

pub(super) async fn urge(
    session: &Session,
    order_id: String,
    reason: String,
    once: &Once,
) -> Result<ExitCode, Error> {
    let request = proto::UrgeOrderRequest { request_id: once.id(), order_id, reason };
    let answer = OrderServiceClient::new(session.operator()?)
        .urge_order(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        say_priority(session, answer.order.as_ref());
        if let Some(expected) = &answer.expected_completion_time {
            let latest = date_time(answer.latest_completion_time.as_ref());
            let expected = date_time(Some(expected));
            session.console.line(format!("expected  {expected}, 9 of 10 by {latest}"));
        }
    })
}

fn say(session: &Session, order: Option<&proto::CustomerOrder>) {
    let order = order.cloned().unwrap_or_default();
    session.console.line(head(&order));
    super::show::pauses(&order).iter().for_each(|line| session.console.line(line));
}

fn say_priority(session: &Session, order: Option<&proto::CustomerOrder>) {
    let order = order.cloned().unwrap_or_default();
    session.console.line(head(&order));
    let (priority, urges) = (order.priority, order.urge_count);
    session.console.line(format!("priority  {priority} of 9, urged {urges} times"));
}
