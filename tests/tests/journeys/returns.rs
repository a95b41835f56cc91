//! Goods come back: linked to the order that sold them, or alone with a reason.

use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_proto::payment::v1::{PaymentOrderState, RefundState};
use throughline_tests::actions::cny;
use throughline_tests::shopping::{back, of_nothing, of_order, order};
use throughline_tests::traces::{Units, moved, times_done, untouched};
use throughline_tests::world::World;

const PHONE: [(&str, &str, i64); 1] = [("phone", "handset-a1", 1)];
const PRICE: i64 = 129_900;

fn reason(order: &CustomerOrder) -> &str {
    order.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_linked_return_restocks_the_goods_and_refunds_the_payment_that_bought_them() {
    let world = World::start().await;
    let desk = &world.desk;
    let sold = desk.carry_out(order("sale", &PHONE)).await;
    let returned = desk.carry_out(back("return", &PHONE, &of_order("sale"))).await;
    assert_eq!(returned.state(), OrderState::Completed);
    assert_eq!(returned.paid, Some(cny(-PRICE)), "what was paid back");
    assert_eq!(desk.units("handset-a1").await, untouched(50));
    let refunds = desk.refunds(&returned.order_id).await;
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0].state(), RefundState::Succeeded);
    assert_eq!(refunds[0].payment_order_id, sold.payment_order_id);
    let paid = desk.payment_orders(&sold.order_id).await.remove(0);
    assert_eq!(paid.state(), PaymentOrderState::Refunded);
    assert_eq!((paid.captured, paid.refunded), (Some(cny(PRICE)), Some(cny(PRICE))));
    let effects = desk.effects_of(&returned.order_id).await;
    assert_eq!((times_done(&effects, "Refund"), moved(&effects, "Refund")), (1, PRICE));
    let before = desk.order(&sold.order_id).await;
    assert_eq!(before.state(), OrderState::Completed, "the sale stays as it was");
    world.end().await;
}

#[tokio::test]
async fn what_came_back_cannot_come_back_again() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.carry_out(order("sale", &[("ears", "earphones", 3)])).await;
    let some =
        |name: &str, units: i64| back(name, &[("ears", "earphones", units)], &of_order("sale"));
    for (name, units, state, why) in [
        ("two of three", 2, OrderState::Completed, ""),
        ("two more", 2, OrderState::Rejected, "ORIGINAL_LINE_NOT_FOUND"),
        ("the last", 1, OrderState::Completed, ""),
        ("one more", 1, OrderState::Rejected, "ORIGINAL_LINE_NOT_FOUND"),
    ] {
        let returned = desk.carry_out(some(name, units)).await;
        assert_eq!((returned.state(), reason(&returned)), (state, why), "{name}");
    }
    assert_eq!(desk.units("earphones").await, untouched(200));
    let refunded: i64 = desk
        .refunds("")
        .await
        .iter()
        .filter_map(|r| r.amount.as_ref())
        .map(|a| a.minor_units)
        .sum();
    assert_eq!(refunded, 3 * 9_950);
    world.end().await;
}

#[tokio::test]
async fn a_return_of_what_was_never_sold_is_refused_by_name() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.carry_out(order("sale", &[("ears", "earphones", 1)])).await;
    for (name, original, why) in [
        ("of no order", "no-such-order", "ORIGINAL_NOT_FOUND"),
        ("of other goods", "sale", "ORIGINAL_LINE_NOT_FOUND"),
    ] {
        let returned = desk.carry_out(back(name, &PHONE, &of_order(original))).await;
        let failure = returned.failure.clone().unwrap_or_default();
        assert_eq!((returned.state(), failure.reason.as_str()), (OrderState::Rejected, why));
        assert!(failure.message.contains(original), "{}", failure.message);
    }
    assert_eq!(desk.refunds("").await, []);
    assert_eq!(desk.units("handset-a1").await, untouched(50));
    world.end().await;
}

#[tokio::test]
async fn a_return_alone_needs_no_sale_but_says_why() {
    let world = World::start().await;
    let desk = &world.desk;
    let why = "sold before we kept records";
    let returned = desk.carry_out(back("alone", &PHONE, &of_nothing(why))).await;
    assert_eq!(returned.state(), OrderState::Completed);
    let refund = desk.refunds(&returned.order_id).await.remove(0);
    assert_eq!((refund.payment_order_id.as_str(), refund.reason.as_str()), ("", why));
    assert_eq!((refund.payer_id.as_str(), refund.amount), ("alone", Some(cny(PRICE))));
    assert_eq!(desk.units("handset-a1").await, untouched(51), "one more than was received");
    world.end().await;
}

#[tokio::test]
async fn a_return_and_a_sale_in_one_order_are_both_carried_out() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.carry_out(order("sale", &PHONE)).await;
    let mut exchange = back("exchange", &PHONE, &of_order("sale"));
    exchange.items.extend(order("exchange", &[("ears", "earphones", 1)]).items);
    let done = desk.carry_out(exchange).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert_eq!(done.paid, Some(cny(9_950 - PRICE)));
    assert_eq!(desk.units("handset-a1").await, untouched(50));
    assert_eq!(desk.units("earphones").await, Units { used: 1, ..untouched(199) });
    world.end().await;
}
