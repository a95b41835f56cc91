//! How a customer pays: at once, later at the counter, too late, or not at all.

use std::time::Duration;

use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_proto::payment::v1::{CloseReason, PaymentOrderState};
use throughline_tests::actions::{cny, refused};
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::traces::{Units, times_done, untouched};
use throughline_tests::world::World;

const LINES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
const PRICE: i64 = 9_950;

/// Submits an order that waits for its payer.
async fn waiting(desk: &Desk, customer: &str, ttl: Duration) -> CustomerOrder {
    let order_id = desk.submit(at_the_counter(order(customer, &LINES), ttl)).await;
    let at_counter = |order: &CustomerOrder| !order.payment_order_id.is_empty();
    desk.until(&order_id, "its payment order", at_counter).await
}

fn reason(order: &CustomerOrder) -> &str {
    order.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn an_order_paid_at_the_counter_is_delivered_after_the_exact_amount_was_taken() {
    let world = World::start().await;
    let desk = &world.desk;
    let order = waiting(desk, "cash", Duration::from_secs(600)).await;
    assert_eq!(order.state(), OrderState::Pending);
    let owed = order.payment_order_id.as_str();
    assert_eq!(desk.units("earphones").await, Units { held: 1, ..untouched(199) });

    let short = desk.take_cash(owed, cny(PRICE - 1), "R-1").await.expect_err("too little");
    assert_eq!(short.reason, "AMOUNT_MISMATCH");
    assert_eq!(desk.order(&order.order_id).await.state(), OrderState::Pending);

    let paid = desk.take_cash(owed, cny(PRICE), "R-2").await.expect("taken");
    assert_eq!(paid.state(), PaymentOrderState::Paid);
    let again = desk.take_cash(owed, cny(PRICE), "R-2").await.expect("the same receipt");
    assert_eq!(again, paid);
    let twice = desk.take_cash(owed, cny(PRICE), "R-3").await.expect_err("paid already");
    assert_eq!(twice.reason, "ALREADY_CAPTURED");

    let done = desk.end_of(&order.order_id).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert_eq!(done.paid, Some(cny(PRICE)));
    let effects = desk.effects_of(&order.order_id).await;
    assert_eq!(times_done(&effects, "Charge"), 0, "no online channel was involved");
    assert_eq!(times_done(&effects, "CreateShipment"), 1);
    world.end().await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_void_and_gives_its_stock_back() {
    let world = World::start().await;
    let desk = &world.desk;
    let order = waiting(desk, "late", Duration::from_secs(1)).await;
    let owed = order.payment_order_id.as_str();
    let ended = desk.end_of(&order.order_id).await;
    assert_eq!((ended.state(), reason(&ended)), (OrderState::Cancelled, "PAYMENT_EXPIRED"));
    assert_eq!(desk.units("earphones").await, untouched(200));
    let closed = desk.payment_orders(&order.order_id).await.remove(0);
    assert_eq!(closed.state(), PaymentOrderState::Closed);
    assert_eq!(closed.close_reason(), CloseReason::Expired);
    let late = desk.take_cash(owed, cny(PRICE), "R-1").await.expect_err("the time is over");
    assert_eq!(late.reason, "PAYMENT_ORDER_CLOSED");
    let effects = desk.effects_of(&order.order_id).await;
    assert_eq!(times_done(&effects, "CreateShipment"), 0);
    world.end().await;
}

#[tokio::test]
async fn a_declined_payment_rejects_the_order_with_the_channels_reason() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.misbehave(refused("Charge", "", "INSUFFICIENT_FUNDS")).await;
    let ended = desk.carry_out(order("broke", &LINES)).await;
    assert_eq!((ended.state(), reason(&ended)), (OrderState::Rejected, "INSUFFICIENT_FUNDS"));
    assert_eq!(ended.paid, Some(cny(0)));
    assert_eq!(desk.units("earphones").await, untouched(200));
    let effects = desk.effects_of(&ended.order_id).await;
    assert_eq!(times_done(&effects, "Charge"), 0);
    assert_eq!(times_done(&effects, "CreateShipment"), 0);
    world.end().await;
}
