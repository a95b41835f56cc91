//! What persons do with orders: one decides how a converged order goes on whose broadband cannot be installed; one pauses an
//! order that was placed ahead, and resumes it after its time.

use std::time::Duration;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;
use tonic::Code;

use super::converged::{order_of, refuse_broadband};
use super::{SIMPLE_ORDER, Stage};
use crate::connection::{bounded, refused};
use crate::console::{amount, short};
use crate::orders;

const ASKED: &str = "demo-converged-d";
const PAUSED: &str = "demo-paused";
/// How long the task may take to appear.
const TASK_PATIENCE: Duration = Duration::from_secs(10);
const TASK_POLL: Duration = Duration::from_millis(20);
/// How long ahead the order is placed that is paused before it begins.
const AHEAD: Duration = Duration::from_millis(600);
/// How long after its time the paused order is looked at.
const AFTER: Duration = Duration::from_millis(200);

pub(super) async fn play(stage: &mut Stage) -> Result<(), Error> {
    decide(stage).await?;
    pause(stage).await
}

/// The broadband cannot be installed, and under ASK a person decides: only its branch is given up.
async fn decide(stage: &mut Stage) -> Result<(), Error> {
    refuse_broadband(stage, ASKED).await?;
    let request = order_of(ASKED, proto::FailurePolicy::Ask)?;
    let accepted = orders::submit(&stage.channel, request).await?;
    let what = "converged order, policy ASK: a person is asked how to go on";
    let Some(task) = task(stage, &accepted.order_id).await? else {
        let ended = orders::get(&stage.operator, &accepted.order_id).await?.end_time.is_some();
        // In an earlier run, which was ended before its own end, somebody decided already.
        stage.expect(what, ended, "no task appeared");
        return Ok(());
    };
    let asked = task.kind() == proto::TaskKind::Decision;
    let why = task.failure.as_ref().map(|why| why.reason.clone()).unwrap_or_default();
    stage.expect(what, asked && why == "NO_LINE_AT_ADDRESS", format!("{task:?}"));
    let request = proto::CompleteTaskRequest {
        request_id: new_request_id(),
        task_id: task.task_id,
        form: [("decision".to_owned(), "BRANCH".to_owned())].into(),
        reason: "the customer keeps the plans".to_owned(),
    };
    TaskServiceClient::new(stage.operator.channel())
        .complete_task(bounded(request))
        .await
        .map_err(refused)?;
    let order = orders::follow(&stage.channel, &accepted.order_id, |_| {}).await?;
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
    let paid = amount(order.paid.as_ref());
    stage.say(format!(
        "converged order, broadband cannot be installed, policy ASK, a person decides BRANCH: {state}, paid in the end {paid}"
    ));
    let as_decided = state == "PARTIAL" && paid == "20.00 CNY";
    let what = "converged order, policy ASK: it ends as the person decided";
    stage.expect(what, as_decided, format!("{state}, {paid}"));
    Ok(())
}

/// The first open task of an order; none where it has ended.
async fn task(stage: &Stage, order_id: &str) -> Result<Option<proto::Task>, Error> {
    let patience = tokio::time::Instant::now() + TASK_PATIENCE;
    let mut client = TaskServiceClient::new(stage.operator.channel());
    while tokio::time::Instant::now() < patience {
        let request =
            proto::ListTasksRequest { order_id: order_id.to_owned(), ..Default::default() };
        let listed = client.list_tasks(bounded(request)).await.map_err(refused)?.into_inner();
        if let Some(task) = listed.tasks.into_iter().next() {
            return Ok(Some(task));
        }
        if orders::get(&stage.operator, order_id).await?.end_time.is_some() {
            return Ok(None);
        }
        tokio::time::sleep(TASK_POLL).await;
    }
    Ok(None)
}

/// An order placed ahead is paused: its time passes and nothing begins, until it is resumed. One that an earlier run left on
/// its way goes on from there.
async fn pause(stage: &mut Stage) -> Result<(), Error> {
    let order = match placed_before(stage).await? {
        Some(order) => order,
        None => place_and_pause(stage).await?,
    };
    let order_id = order.order_id.clone();
    if order.state() == proto::OrderState::Held {
        let request = proto::ResumeOrderRequest {
            request_id: new_request_id(),
            order_id: order_id.clone(),
            target: None,
            reason: "the customer is ready".to_owned(),
        };
        let mut operations = OperationServiceClient::new(stage.operator.channel());
        operations.resume_order(bounded(request)).await.map_err(refused)?;
    }
    let order = orders::follow(&stage.channel, &order_id, |_| {}).await?;
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
    stage.say(format!("an order placed ahead, paused, and resumed after its time: {state}"));
    stage.expect("a resumed order goes on to its end", state == "COMPLETED", state);
    Ok(())
}

async fn placed_before(stage: &Stage) -> Result<Option<proto::CustomerOrder>, Error> {
    let channel_order_id = PAUSED.to_owned();
    let request = proto::GetOrderRequest { channel_order_id, ..Default::default() };
    let mut client = OrderServiceClient::new(stage.channel.channel());
    match client.get_order(bounded(request)).await {
        Ok(answer) => Ok(answer.into_inner().order),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(refused(status)),
    }
}

async fn place_and_pause(stage: &mut Stage) -> Result<proto::CustomerOrder, Error> {
    let mut request = orders::parse(SIMPLE_ORDER)?;
    request.request_id = new_request_id();
    request.channel_order_id = PAUSED.to_owned();
    request.requested_start_time = Some(Clock::system().now().plus(AHEAD).to_proto());
    let order_id = orders::submit(&stage.channel, request).await?.order_id;
    let mut operations = OperationServiceClient::new(stage.operator.channel());
    let request = proto::PauseOrderRequest {
        request_id: new_request_id(),
        order_id: order_id.clone(),
        target: None,
        reason: "the customer asked to wait".to_owned(),
    };
    operations.pause_order(bounded(request)).await.map_err(refused)?;
    tokio::time::sleep(AHEAD + AFTER).await;
    let order = orders::get(&stage.operator, &order_id).await?;
    let stands_still = order.state() == proto::OrderState::Held && order.total.is_none();
    let seen = order.state().as_str_name();
    stage.expect("a paused order does not begin when its time comes", stands_still, seen);
    Ok(order)
}
