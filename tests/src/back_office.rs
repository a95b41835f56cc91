//! What persons do with orders while things break: each request is repeated until it has an answer.

use throughline::connection::bounded;
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;
use throughline_proto::order::v1::{CustomerOrder, SubmitOrderRequest};

use crate::desk::Desk;
use crate::flows::{by_hand, offering};
use crate::load::answered;
use crate::operations::step;
use crate::shopping::order;

/// What a person reviews.
const REVIEW: &str = "review";

/// Sells what a person reviews.
pub(crate) async fn sell_reviews(desk: &Desk) {
    desk.publish(&by_hand(REVIEW, "1h")).await;
    desk.seed(&offering(REVIEW, REVIEW)).await;
}

/// More numbers, lines and devices than the sample has: so many of each.
pub async fn receive_stock(desk: &Desk, units: usize) {
    use std::fmt::Write;

    let mut seed = format!(
        "stock:\n  receipts:\n    - {{ poolCode: earphones, kind: POOL_KIND_COUNTED, quantity: {units} }}\n    \
         - {{ poolCode: sim, kind: POOL_KIND_COUNTED, quantity: {units} }}\n"
    );
    for pool in ["msisdn", "landline", "modem"] {
        let items: Vec<String> = (0..units).map(|n| format!("{pool}-more-{n}")).collect();
        let items = items.join(", ");
        let written = writeln!(
            seed,
            "    - {{ poolCode: {pool}, kind: POOL_KIND_SERIAL, itemIds: [{items}] }}"
        );
        written.expect("a text takes everything");
    }
    desk.seed(&seed).await;
}

/// An order of what a person reviews.
pub(crate) fn reviewed(customer: &str) -> SubmitOrderRequest {
    order(customer, &[("line", REVIEW, 1)])
}

/// Pauses an order, wherever it is; one that has ended stays as it is.
pub(crate) async fn pause(desk: &Desk, order_id: &str) {
    let request = proto::PauseOrderRequest {
        request_id: derived_uuid(&["pause", order_id]).to_string(),
        order_id: order_id.to_owned(),
        reason: "a look at it".to_owned(),
        ..Default::default()
    };
    let call = || {
        let mut service = OperationServiceClient::new(desk.operator.channel());
        let request = bounded(request.clone());
        async move { service.pause_order(request).await }
    };
    if let Err(refusal) = answered("pause", call).await {
        assert_eq!(refusal.reason, "ORDER_TERMINAL", "{refusal}");
    }
}

/// Lets it go on.
pub(crate) async fn resume(desk: &Desk, order_id: &str) {
    let request = proto::ResumeOrderRequest {
        request_id: derived_uuid(&["resume", order_id]).to_string(),
        order_id: order_id.to_owned(),
        reason: "seen".to_owned(),
        ..Default::default()
    };
    let call = || {
        let mut service = OperationServiceClient::new(desk.operator.channel());
        let request = bounded(request.clone());
        async move { service.resume_order(request).await }
    };
    if let Err(refusal) = answered("resume", call).await {
        assert_eq!(refusal.reason, "ORDER_TERMINAL", "{refusal}");
    }
}

/// Takes the task of an order and completes it: "true" or "false" for whether it is fine.
pub(crate) async fn review(desk: &Desk, order_id: &str, fine: &str) {
    let task_of = |order: &CustomerOrder| {
        step(order, Some("line"), "look").map(|step| step.task_id.clone()).unwrap_or_default()
    };
    let asks = |order: &CustomerOrder| !task_of(order).is_empty();
    let task_id = task_of(&desk.until(order_id, "its task", asks).await);
    let claim = proto::ClaimTaskRequest {
        request_id: derived_uuid(&["claim", order_id]).to_string(),
        task_id: task_id.clone(),
    };
    let call = || {
        let mut service = TaskServiceClient::new(desk.operator.channel());
        let request = bounded(claim.clone());
        async move { service.claim_task(request).await }
    };
    answered("claim", call).await.expect("it is free");
    let complete = proto::CompleteTaskRequest {
        request_id: derived_uuid(&["complete", order_id]).to_string(),
        task_id,
        form: [("fine".to_owned(), fine.to_owned())].into(),
        reason: "looked at".to_owned(),
    };
    let call = || {
        let mut service = TaskServiceClient::new(desk.operator.channel());
        let request = bounded(complete.clone());
        async move { service.complete_task(request).await }
    };
    answered("complete", call).await.expect("it is theirs");
}
