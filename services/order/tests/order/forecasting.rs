//! Promises: who will miss one is told of before, by what was measured of such steps.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepOutcome, StepState};
use throughline_proto::r#type::v1::OperationOutcome;

use crate::fixture::Center;
use crate::flows::{WAIT, business, with};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{hall, one_plan, operator, stands, step};

/// How long provisioning takes in these tests, in seconds: within its service level.
const USUAL_S: u64 = 1_200;

/// An order whose activation takes its time; its id, and our reference of the activation.
async fn slow(center: &mut Center, promise: Option<Instant>) -> (String, String) {
    let before = center.outside.references_of("activate plan-4g");
    center.outside.next("ActivateService", &[Behavior::Pending]);
    let requested_completion_time = promise.map(Instant::to_proto);
    let request = proto::SubmitOrderRequest { requested_completion_time, ..one_plan() };
    let id = center.submit(request).await;
    let waits = |order: &_| stands(order, "plan", "activate", StepState::Waiting);
    center.until(&id, "the activation waits", waits).await;
    let all = center.outside.references_of("activate plan-4g");
    let ours = all.into_iter().find(|reference| !before.contains(reference));
    (id, ours.expect("it was called"))
}

async fn finish(center: &Center, order_id: &str, reference: &str) {
    center.outside.complete(reference, OperationOutcome::Succeeded);
    center.report(order_id, reference, StepOutcome::Succeeded).await.expect("taken");
    center.ends(order_id, OrderState::Completed).await;
}

async fn jeopardized(center: &Center) -> Vec<String> {
    let request = proto::ListOrdersRequest { jeopardy: true, ..Default::default() };
    let answer = center.orders.clone().list_orders(operator(request)).await.expect("listed");
    answer.into_inner().orders.into_iter().map(|order| order.order_id).collect()
}

on_each_database!(who_will_miss_a_promise_is_told_of_before, async |mut center: Center| {
    let (first, reference) = slow(&mut center, None).await;
    center.advance(USUAL_S);
    finish(&center, &first, &reference).await;

    let promise = center.clock.now().plus(Duration::from_secs(2 * USUAL_S));
    let (second, reference) = slow(&mut center, Some(promise)).await;
    assert!(!center.get(&second).await.jeopardy, "there is time enough");
    assert_eq!(jeopardized(&center).await, Vec::<String>::new());

    let urge = proto::UrgeOrderRequest {
        request_id: throughline_kit::id::new_request_id(),
        order_id: second.clone(),
        reason: "when does it come?".to_owned(),
    };
    let answer = center.orders.urge_order(hall(urge)).await.expect("urged").into_inner();
    let expected = answer.expected_completion_time.as_ref().map(Instant::from_proto);
    let expected = expected.expect("such steps were measured").since(center.clock.now());
    assert!((USUAL_S..USUAL_S * 5 / 4).contains(&expected.as_secs()), "{expected:?}");

    center.advance(2 * USUAL_S - 60);
    center.until(&second, "the order is in jeopardy", |order| order.jeopardy).await;
    assert_eq!(jeopardized(&center).await, [second.as_str()]);
    center.events_until("order.jeopardy").await;
    finish(&center, &second, &reference).await;
    assert_eq!(jeopardized(&center).await, Vec::<String>::new());
    center
});

/// A visit is waited for; how long it took is how long it usually takes.
async fn visited_after(center: &mut Center, minutes: u64) {
    let id = center.submit(one_visit()).await;
    center.stands(&id, "visit", "visited", StepState::Waiting).await;
    center.advance(60 * minutes);
    center.signal(&id, "visit.done").await.expect("taken");
    center.ends(&id, OrderState::Completed).await;
}

on_each_database!(
    a_step_that_will_miss_its_service_level_is_told_of_before,
    async |mut center: Center| {
        let visit = with(WAIT, "sla: { warn: 15m, breach: 60m }");
        center.publish(&business("home-visit", &[&visit])).await;
        visited_after(&mut center, 20).await;
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        // Late for half of what is left beyond the usual time: at the 40th minute, or a little later as classes are coarse.
        center.advance(38 * 60);
        let warned = |order: &_| step(order, "visit", "visited").sla_warned;
        let order = center.until(&id, "it is warned of", warned).await;
        assert!(!step(&order, "visit", "visited").jeopardy, "{order:#?}");
        center.advance(4 * 60);
        let endangered = |order: &_| step(order, "visit", "visited").jeopardy;
        let order = center.until(&id, "a step is in jeopardy", endangered).await;
        assert!(!step(&order, "visit", "visited").sla_breached);
        assert!(!order.jeopardy, "nothing was promised of the order");
        assert_eq!(jeopardized(&center).await, [id.as_str()]);
        let told = center.told("step.jeopardy").await;
        assert_eq!((told.order_id.as_str(), told.step_id.as_str()), (&*id, "visited"));
        let center = center.restart().await;
        assert!(endangered(&center.get(&id).await));
        center.signal(&id, "visit.done").await.expect("taken");
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(jeopardized(&center).await, Vec::<String>::new());
        center
    }
);

on_each_database!(
    a_step_that_usually_takes_longer_than_it_may_is_in_jeopardy_at_once,
    async |mut center: Center| {
        let visit = with(WAIT, "sla: { warn: 15m, breach: 60m }");
        center.publish(&business("home-visit", &[&visit])).await;
        visited_after(&mut center, 90).await;
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let endangered = |order: &_| step(order, "visit", "visited").jeopardy;
        center.until(&id, "a step is in jeopardy", endangered).await;
        assert_eq!(jeopardized(&center).await, [id.as_str()]);
        center.signal(&id, "visit.done").await.expect("taken");
        center.ends(&id, OrderState::Completed).await;
        center
    }
);
