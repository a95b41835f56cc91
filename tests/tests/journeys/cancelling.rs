//! Cancels: what the preview says is what happens, and a cancel that races the delivery is answered truthfully.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::error::Kind;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{
    BusinessOrderState as State, CancelPlan, CustomerOrder, FailurePolicy, OrderState,
    WatchOrderRequest,
};
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_tests::actions::{always, cny};
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{at_the_counter, converged, order};
use throughline_tests::traces::{moved, times_done, untouched};
use throughline_tests::world::World;
use tokio::task::JoinSet;

const WHY: &str = "the customer moved away";

/// What became of each business order, as a plan would say it.
fn carried_out(order: &CustomerOrder, refund: i64) -> (Vec<String>, Vec<String>, Vec<String>, i64) {
    let ended = |state: State| -> Vec<String> {
        let parts = order.business_orders.iter().filter(|bo| bo.state() == state);
        sorted(parts.map(|bo| bo.business_order_id.clone()).collect())
    };
    (ended(State::Cancelled), ended(State::Compensated), ended(State::Done), refund)
}

fn planned(plan: &CancelPlan) -> (Vec<String>, Vec<String>, Vec<String>, i64) {
    let refund = plan.refund.as_ref().map_or(0, |refund| refund.minor_units);
    (sorted(plan.cancel.clone()), sorted(plan.undo.clone()), sorted(plan.keep.clone()), refund)
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// Cancels as previewed and checks that just this happens.
async fn cancel_as_previewed(desk: &Desk, order_id: &str) -> (CancelPlan, CustomerOrder) {
    let preview = desk.preview_cancel(order_id).await.expect("a preview");
    let answer = desk.cancel(order_id, WHY).await.expect("cancelled");
    assert_eq!(answer.plan.as_ref(), Some(&preview), "the answer says what the preview said");
    let ended = desk.end_of(order_id).await;
    assert_eq!(ended.state(), OrderState::Cancelled);
    let refunded = moved(&desk.effects_of(order_id).await, "Refund");
    assert_eq!(carried_out(&ended, refunded), planned(&preview));
    assert_eq!(ended.paid, Some(cny(0)));
    let again = desk.cancel(order_id, WHY).await.expect("the same request");
    assert_eq!(again, answer, "a repeated cancel gets the first answer");
    (preview, ended)
}

#[tokio::test]
async fn before_delivery_nothing_is_undone_because_nothing_ran() {
    let world = World::start().await;
    let desk = &world.desk;
    let ttl = Duration::from_secs(600);
    let request = at_the_counter(converged("early", FailurePolicy::Branch), ttl);
    let order_id = desk.submit(request).await;
    desk.until(&order_id, "its payer", |order| order.state() == OrderState::Pending).await;
    let (preview, ended) = cancel_as_previewed(desk, &order_id).await;
    assert_eq!((preview.cancel.len(), preview.refund), (4, None));
    let failure = ended.failure.expect("a reason");
    assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("CANCELLED_ON_REQUEST", WHY));
    for (pool, total) in [("msisdn", 200), ("sim", 1_000), ("modem", 160), ("landline", 80)] {
        assert_eq!(desk.units(pool).await, untouched(total), "{pool}");
    }
    let paid_late = desk.take_cash(&ended.payment_order_id, cny(14_000), "R-1").await;
    assert_eq!(paid_late.expect_err("closed").reason, "PAYMENT_ORDER_CLOSED");
    world.end().await;
}

#[tokio::test]
async fn during_delivery_what_ran_is_undone_and_all_money_goes_back() {
    let world = World::start().await;
    let desk = &world.desk;
    // The broadband waits for its next try while the plans are delivered.
    let down = always("ActivateService", Misbehavior::Down);
    desk.misbehave(Rule { offering_code: "broadband-100m".to_owned(), ..down }).await;
    let order_id = desk.submit(converged("regret", FailurePolicy::Branch)).await;
    let plans_done = |order: &CustomerOrder| {
        order.business_orders.iter().filter(|bo| bo.state() == State::Done).count() == 2
    };
    desk.until(&order_id, "both plans", plans_done).await;
    let (preview, ended) = cancel_as_previewed(desk, &order_id).await;
    assert_eq!((preview.cancel.len(), preview.undo.len()), (1, 3), "the fixed line never ran");
    assert_eq!(preview.refund, Some(cny(14_000)));
    let effects = desk.effects_of(&ended.order_id).await;
    for (begin, end) in [("ActivateService", "DeactivateService"), ("OpenAccount", "CloseAccount")]
    {
        assert_eq!((times_done(&effects, begin), times_done(&effects, end)), (2, 2), "{begin}");
    }
    world.end().await;
}

#[tokio::test]
async fn after_its_end_an_order_can_neither_be_previewed_nor_cancelled() {
    let world = World::start().await;
    let desk = &world.desk;
    let done = desk.carry_out(order("done", &[("ears", "earphones", 1)])).await;
    let refusals = [
        desk.preview_cancel(&done.order_id).await.expect_err("too late"),
        desk.cancel(&done.order_id, WHY).await.expect_err("too late"),
    ];
    for refusal in refusals {
        assert_eq!((refusal.kind, refusal.reason.as_str()), (Kind::Precondition, "ORDER_TERMINAL"));
        assert_eq!(refusal.metadata.get("state").map(String::as_str), Some("COMPLETED"));
    }
    assert_eq!(desk.order(&done.order_id).await, done, "nothing changed");
    world.end().await;
}

/// Cancels when the order has reached a version; says whether the cancel was taken.
async fn cancel_at_version(desk: Desk, customer: String, version: i64) -> (String, bool) {
    let order_id = desk.submit(order(&customer, &[("ears", "earphones", 1)])).await;
    let request = WatchOrderRequest { order_id: order_id.clone(), version: 0 };
    let mut service = OrderServiceClient::new(desk.channel.channel());
    let mut versions = service.watch_order(request).await.expect("watched").into_inner();
    while let Some(seen) = versions.message().await.expect("a version") {
        if seen.order.is_some_and(|order| order.version >= version) {
            break;
        }
    }
    match desk.cancel(&order_id, WHY).await {
        Ok(_) => (order_id, true),
        Err(refusal) => {
            assert_eq!(refusal.reason, "ORDER_TERMINAL");
            assert_eq!(refusal.metadata.get("state").map(String::as_str), Some("COMPLETED"));
            (order_id, false)
        }
    }
}

#[tokio::test]
async fn a_cancel_that_races_the_delivery_is_answered_truthfully_at_every_moment() {
    const ORDERS: i64 = 60;
    const MOMENTS: i64 = 15;
    let world = World::start().await;
    let desk = &world.desk;
    let mut racing = JoinSet::new();
    for number in 0..ORDERS {
        racing.spawn(cancel_at_version(desk.clone(), format!("racer-{number}"), number % MOMENTS));
    }
    let answers: BTreeMap<String, bool> = racing.join_all().await.into_iter().collect();
    let (mut cancelled, mut completed) = (0, 0);
    for (order_id, taken) in &answers {
        let ended = desk.end_of(order_id).await;
        let effects = desk.effects_of(order_id).await;
        let parcels = times_done(&effects, "CreateShipment")
            .checked_sub(times_done(&effects, "CancelShipment"));
        if *taken {
            assert_eq!((ended.state(), parcels), (OrderState::Cancelled, Some(0)), "{order_id}");
            assert_eq!(ended.paid, Some(cny(0)));
            cancelled += 1;
        } else {
            assert_eq!((ended.state(), parcels), (OrderState::Completed, Some(1)), "{order_id}");
            completed += 1;
        }
    }
    assert_eq!(cancelled + completed, ORDERS);
    assert!(cancelled > 0 && completed > 0, "{cancelled} were cancelled, {completed} completed");
    let units = desk.units("earphones").await;
    assert_eq!((units.held, units.used), (0, completed));
    world.end().await;
}
