//! One operation on many orders: previewed, fixed, carried out once each, with a result for each.

use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::bulk_service_client::BulkServiceClient;
use throughline_proto::order::v1::{
    BulkAction, BulkDecision, BulkOutcome, BulkState, FailurePolicy, OrderState,
};
use tonic::transport::Channel;

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{changed, error, kinds, one_plan, operator, reason, wrong_fields};

/// What troubles the orders of these tests.
pub(crate) const NO_LINE: &str = "telecom-plan/activate/NO_LINE";

pub(crate) async fn client(center: &Center) -> BulkServiceClient<Channel> {
    BulkServiceClient::new(center.channel().await)
}

/// Submits orders that wait for a decision, because their number could not be switched on.
pub(crate) async fn troubled(center: &mut Center, number: usize) -> Vec<String> {
    center.outside.next("ActivateService", &vec![Behavior::Refuse("NO_LINE"); number]);
    let mut ids = Vec::with_capacity(number);
    for _ in 0..number {
        let policy = FailurePolicy::Ask.into();
        let request = proto::SubmitOrderRequest { failure_policy: policy, ..one_plan() };
        ids.push(center.submit(request).await);
    }
    for id in &ids {
        center.until(id, "a decision is asked", |order| order.attention).await;
    }
    ids.sort();
    ids
}

pub(crate) fn with_exception() -> proto::BulkFilter {
    proto::BulkFilter { exception: NO_LINE.to_owned(), ..Default::default() }
}

pub(crate) fn of_hall() -> proto::BulkFilter {
    proto::BulkFilter { channel: "hall".to_owned(), ..Default::default() }
}

pub(crate) fn action(action: BulkAction) -> proto::BulkOperation {
    proto::BulkOperation { action: action.into(), ..Default::default() }
}

pub(crate) fn priority(priority: i32) -> proto::BulkOperation {
    proto::BulkOperation { priority: Some(priority), ..action(BulkAction::SetPriority) }
}

pub(crate) fn start(
    filter: proto::BulkFilter,
    operation: proto::BulkOperation,
    expected_count: i64,
) -> proto::StartBulkOperationRequest {
    proto::StartBulkOperationRequest {
        request_id: new_request_id(),
        filter: Some(filter),
        operation: Some(operation),
        reason: "the switch is repaired".to_owned(),
        expected_count,
        ..Default::default()
    }
}

pub(crate) async fn begun(
    center: &Center,
    request: proto::StartBulkOperationRequest,
) -> proto::Bulk {
    let started = client(center).await.start_bulk_operation(operator(request)).await;
    started.expect("started").into_inner().bulk.expect("a bulk")
}

pub(crate) async fn read(center: &Center, bulk_id: &str) -> proto::Bulk {
    let request = proto::GetBulkOperationRequest { bulk_id: bulk_id.to_owned() };
    let answer = client(center).await.get_bulk_operation(operator(request)).await.expect("get");
    answer.into_inner().bulk.expect("a bulk")
}

/// Lets time pass until a bulk has completed.
pub(crate) async fn completed(center: &Center, bulk_id: &str) -> proto::Bulk {
    eventually("the bulk completes", async || {
        let bulk = read(center, bulk_id).await;
        if bulk.state() == BulkState::Completed {
            return Some(bulk);
        }
        center.clock.advance(std::time::Duration::from_millis(50));
        None
    })
    .await
}

pub(crate) async fn results(
    center: &Center,
    bulk_id: &str,
    outcome: BulkOutcome,
) -> Vec<proto::BulkResult> {
    let mut client = client(center).await;
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListBulkResultsRequest {
            bulk_id: bulk_id.to_owned(),
            page_size: 3,
            page_token,
            outcome: outcome.into(),
        };
        let answer = client.list_bulk_results(operator(request)).await.expect("results");
        let answer = answer.into_inner();
        all.extend(answer.results);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn ids_of(results: &[proto::BulkResult]) -> Vec<String> {
    results.iter().map(|result| result.order_id.clone()).collect()
}

async fn preview(
    center: &Center,
    filter: proto::BulkFilter,
    operation: proto::BulkOperation,
) -> proto::PreviewBulkOperationResponse {
    let request =
        proto::PreviewBulkOperationRequest { filter: Some(filter), operation: Some(operation) };
    let answer = client(center).await.preview_bulk_operation(operator(request)).await;
    answer.expect("a preview").into_inner()
}

on_each_database!(one_fix_for_all_orders_with_the_same_exception, async |mut center: Center| {
    let ids = troubled(&mut center, 10).await;
    let shown = preview(&center, with_exception(), action(BulkAction::Retry)).await;
    assert_eq!(shown.matched, 10);
    for (sample, id) in shown.samples.iter().zip(&ids) {
        assert_eq!((&sample.order_id, sample.outcome()), (id, BulkOutcome::Done));
        assert_eq!(sample.state_after(), OrderState::InProgress);
        assert_eq!(sample.events, ["step.retry_requested"]);
    }
    let request = start(with_exception(), action(BulkAction::Retry), shown.matched);
    let bulk = begun(&center, request.clone()).await;
    assert_eq!((bulk.matched, bulk.rate, bulk.operator.as_str()), (10, 50, "operator:olga"));
    let bulk = completed(&center, &bulk.bulk_id).await;
    assert_eq!((bulk.done, bulk.refused, bulk.left), (10, 0, 0));
    assert!(bulk.end_time.is_some());
    for id in &ids {
        center.ends(id, OrderState::Completed).await;
    }
    assert_eq!(ids_of(&results(&center, &bulk.bulk_id, BulkOutcome::Done).await), ids);
    assert_eq!(preview(&center, with_exception(), action(BulkAction::Retry)).await.matched, 0);
    // Each order's trajectory says who, why and which bulk.
    let told = center.events_until("order.completed").await;
    let told = told.iter().find(|event| event.r#type == "step.retry_requested");
    let told = changed(told.expect("the retry is told"));
    assert_eq!(told.actor, "operator:olga");
    assert_eq!(told.note, format!("the switch is repaired ({})", bulk.bulk_id));
    // The same request again starts nothing.
    assert_eq!(begun(&center, request).await.bulk_id, bulk.bulk_id);
    center
});

on_each_database!(decisions_are_made_for_all_at_once, async |mut center: Center| {
    let ids = troubled(&mut center, 3).await;
    let whole =
        proto::BulkOperation { decision: BulkDecision::Whole.into(), ..action(BulkAction::Decide) };
    let attention = proto::BulkFilter { attention: true, ..Default::default() };
    let bulk = begun(&center, start(attention, whole, 3)).await;
    assert_eq!(completed(&center, &bulk.bulk_id).await.done, 3);
    for id in &ids {
        center.ends(id, OrderState::Cancelled).await;
    }
    center
});

on_each_database!(a_match_that_changed_starts_nothing, async |mut center: Center| {
    troubled(&mut center, 3).await;
    let mut client = client(&center).await;
    let request = start(with_exception(), action(BulkAction::Retry), 1);
    for _ in 0..2 {
        let refused = error(client.start_bulk_operation(operator(request.clone())).await);
        assert_eq!(refused.reason, "BULK_FILTER_CHANGED");
        let said = ["expected", "matched", "tolerance"].map(|key| refused.metadata[key].as_str());
        assert_eq!(said, ["1", "3", "0"]);
    }
    let tolerant = proto::StartBulkOperationRequest {
        tolerance: 2,
        request_id: new_request_id(),
        ..request.clone()
    };
    let bulk = begun(&center, tolerant).await;
    assert_eq!(bulk.matched, 3);
    let listed = client.list_bulk_operations(operator(proto::ListBulkOperationsRequest::default()));
    let listed = listed.await.expect("listed").into_inner().bulks;
    assert_eq!(listed.iter().map(|bulk| &bulk.bulk_id).collect::<Vec<_>>(), [&bulk.bulk_id]);
    let other = proto::StartBulkOperationRequest { rate: 7, ..request };
    assert_eq!(reason(client.start_bulk_operation(operator(other)).await), "REQUEST_ID_REUSED");
    completed(&center, &bulk.bulk_id).await;
    center
});

on_each_database!(
    what_does_not_apply_any_more_is_refused_for_its_order_alone,
    async |mut center: Center| {
        let ids = troubled(&mut center, 3).await;
        let slow = start(with_exception(), action(BulkAction::Skip), 3);
        let bulk = begun(&center, proto::StartBulkOperationRequest { rate: 1, ..slow }).await;
        eventually("the first is done", async || {
            (read(&center, &bulk.bulk_id).await.done == 1).then_some(())
        })
        .await;
        // The second ends, the third is fixed by hand: neither is the same when its turn comes.
        center.cancel(&ids[1]).await.expect("cancelled");
        center.becomes(&ids[1], OrderState::Cancelled).await;
        let retry = start(
            proto::BulkFilter {
                exception: NO_LINE.to_owned(),
                create_time_from: None,
                ..Default::default()
            },
            action(BulkAction::Retry),
            1,
        );
        let fixed = begun(&center, retry).await;
        eventually("the third is fixed", async || {
            (read(&center, &fixed.bulk_id).await.state() == BulkState::Completed).then_some(())
        })
        .await;
        center.until(&ids[2], "the exception is over", |order| !order.attention).await;
        let bulk = completed(&center, &bulk.bulk_id).await;
        assert_eq!((bulk.done, bulk.refused, bulk.left), (1, 2, 0));
        let refused = results(&center, &bulk.bulk_id, BulkOutcome::Refused).await;
        assert_eq!(ids_of(&refused), ids[1..]);
        let reasons = refused.iter().map(|result| {
            let refusal = result.refusal.as_ref().expect("a reason");
            assert!(!refusal.message.is_empty() && result.settle_time.is_some());
            refusal.reason.as_str()
        });
        let reasons: Vec<&str> = reasons.collect();
        assert_eq!(reasons[0], "ORDER_TERMINAL");
        assert!(["ORDER_TERMINAL", "EXCEPTION_GONE"].contains(&reasons[1]), "{reasons:?}");
        center
    }
);

on_each_database!(two_bulks_on_the_same_orders_are_both_carried_out, async |mut center: Center| {
    let ids = troubled(&mut center, 4).await;
    let urgent = begun(&center, start(of_hall(), priority(9), 4)).await;
    let gone = begun(&center, start(of_hall(), action(BulkAction::Cancel), 4)).await;
    let (urgent, gone) =
        (completed(&center, &urgent.bulk_id).await, completed(&center, &gone.bulk_id).await);
    assert_eq!(urgent.done + urgent.refused, 4);
    assert_eq!((gone.done, gone.refused), (4, 0));
    for id in &ids {
        center.ends(id, OrderState::Cancelled).await;
    }
    // Those that had ended say so.
    for result in results(&center, &urgent.bulk_id, BulkOutcome::Refused).await {
        assert_eq!(result.refusal.expect("a reason").reason, "ORDER_TERMINAL");
    }
    center
});

on_each_database!(
    a_restart_midway_repeats_nothing_and_loses_nothing,
    async |mut center: Center| {
        let ids = troubled(&mut center, 12).await;
        let slow =
            proto::StartBulkOperationRequest { rate: 4, ..start(of_hall(), priority(8), 12) };
        let bulk = begun(&center, slow).await;
        for _ in 0..3 {
            let done = read(&center, &bulk.bulk_id).await.done;
            center.advance(4);
            eventually("some more are done", async || {
                (read(&center, &bulk.bulk_id).await.done > done).then_some(())
            })
            .await;
            center = center.restart().await;
        }
        let done = completed(&center, &bulk.bulk_id).await;
        assert_eq!((done.done, done.refused, done.left), (12, 0, 0));
        for id in &ids {
            assert_eq!(center.get(id).await.priority, 8);
        }
        center.cancel(&ids[0]).await.expect("cancelled");
        let told = center.events_until("order.cancelled").await;
        let times = kinds(&told).iter().filter(|kind| **kind == "order.prioritized").count();
        assert_eq!(times, 12);
        center
    }
);

on_each_database!(hostile_requests_are_refused_with_their_fields, async |center: Center| {
    let mut client = client(&center).await;
    let good = start(of_hall(), priority(3), 1);
    let cases: [(&str, proto::StartBulkOperationRequest); 9] = [
        ("filter", proto::StartBulkOperationRequest { filter: None, ..good.clone() }),
        ("operation.action", start(of_hall(), proto::BulkOperation::default(), 1)),
        ("operation.action", start(of_hall(), action(BulkAction::Retry), 1)),
        ("operation.decision", start(of_hall(), action(BulkAction::Decide), 1)),
        ("operation.priority", start(of_hall(), priority(10), 1)),
        ("expected_count", start(of_hall(), priority(1), 0)),
        ("rate", proto::StartBulkOperationRequest { rate: 501, ..good.clone() }),
        ("tolerance", proto::StartBulkOperationRequest { tolerance: -1, ..good.clone() }),
        ("reason", proto::StartBulkOperationRequest { reason: String::new(), ..good.clone() }),
    ];
    for (field, request) in cases {
        let refused = client.start_bulk_operation(operator(request)).await;
        assert_eq!(wrong_fields(refused), [field]);
    }
    let state = OrderState::Completed.into();
    let filters = [
        ("filter.state", proto::BulkFilter { state, ..Default::default() }),
        ("filter.phone", proto::BulkFilter { phone: "1".to_owned(), ..Default::default() }),
        ("filter.channel", proto::BulkFilter { channel: "a\0".to_owned(), ..Default::default() }),
    ];
    for (field, filter) in filters {
        let refused = client.start_bulk_operation(operator(start(filter, priority(1), 1))).await;
        assert_eq!(wrong_fields(refused), [field]);
    }
    for bulk_id in ["", "nonsense", "blk_00000000000000000000000000"] {
        let bulk_id = bulk_id.to_owned();
        let get = proto::GetBulkOperationRequest { bulk_id: bulk_id.clone() };
        assert_eq!(reason(client.get_bulk_operation(operator(get)).await), "BULK_NOT_FOUND");
        let list = proto::ListBulkResultsRequest { bulk_id, ..Default::default() };
        assert_eq!(reason(client.list_bulk_results(operator(list)).await), "BULK_NOT_FOUND");
    }
    center
});
