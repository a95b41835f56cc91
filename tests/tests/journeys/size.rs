//! Large orders, and the same need twice.

use throughline_kit::error::Kind;
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1::{BusinessOrderState as State, OrderState, SubmitOrderRequest};
use throughline_tests::desk::Desk;
use throughline_tests::flows::offering;
use throughline_tests::shopping::order;
use throughline_tests::traces::{Units, times_done};
use throughline_tests::world::World;

use crate::following::other_channel;

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
/// Most business orders of one order, as the product center has it.
const MAX_BUSINESS_ORDERS: usize = 200;
/// Most lines of one order.
const MAX_ITEMS: usize = 1_000;

/// An order of so many lines of one offering.
fn lines_of(customer: &str, offering: &str, lines: usize) -> SubmitOrderRequest {
    let keys: Vec<String> = (0..lines).map(|number| format!("line-{number}")).collect();
    let lines: Vec<_> = keys.iter().map(|key| (key.as_str(), offering, 1)).collect();
    order(customer, &lines)
}

/// A service without stock, one business order for each line.
async fn sell_service(desk: &Desk) {
    desk.seed(&offering("pack", "suspend-service")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_business_orders_are_delivered_and_one_more_is_refused_by_name() {
    let world = World::start().await;
    let desk = &world.desk;
    sell_service(desk).await;
    let rejected = desk.carry_out(lines_of("too many", "pack", MAX_BUSINESS_ORDERS + 1)).await;
    assert_eq!(rejected.state(), OrderState::Rejected);
    let failure = rejected.failure.expect("a reason");
    assert_eq!((failure.reason.as_str(), failure.domain.as_str()), ("LIMIT_REACHED", "product"));
    assert!(failure.message.contains("max_business_orders"), "{}", failure.message);
    assert_eq!(rejected.business_orders, [], "nothing began");

    let done = desk.carry_out(lines_of("just enough", "pack", MAX_BUSINESS_ORDERS)).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert_eq!(done.business_orders.len(), MAX_BUSINESS_ORDERS);
    assert!(done.business_orders.iter().all(|bo| bo.state() == State::Done));
    let effects = desk.effects_of(&done.order_id).await;
    assert_eq!(times_done(&effects, "ActivateService"), MAX_BUSINESS_ORDERS);
    world.end().await;
}

#[tokio::test]
async fn a_thousand_lines_are_one_parcel_that_can_be_cancelled_as_a_whole() {
    let world = World::start().await;
    let desk = &world.desk;
    let seed = "
stock:
  receipts:
    - { poolCode: earphones, kind: POOL_KIND_COUNTED, quantity: 1800 }
";
    desk.seed(seed).await;
    let ttl = std::time::Duration::from_secs(600);
    let at_the_counter = throughline_tests::shopping::at_the_counter;
    let leaves = at_the_counter(lines_of("leaves", "earphones", MAX_ITEMS), ttl);
    let leaves = desk.submit(leaves).await;
    desk.until(&leaves, "its payer", |order| order.state() == OrderState::Pending).await;
    desk.cancel(&leaves, "too much").await.expect("cancelled");
    assert_eq!(desk.end_of(&leaves).await.state(), OrderState::Cancelled);
    let stays = desk.carry_out(lines_of("stays", "earphones", MAX_ITEMS)).await;
    assert_eq!(stays.state(), OrderState::Completed);
    assert_eq!(stays.items.len(), MAX_ITEMS);
    assert_eq!(times_done(&desk.effects_of(&stays.order_id).await, "CreateShipment"), 1);
    let sold = Units { available: 1_000, held: 0, used: 1_000, quarantined: 0 };
    assert_eq!(desk.units("earphones").await, sold);
    world.end().await;
}

#[tokio::test]
async fn the_same_need_from_two_channels_is_two_orders_and_a_repeated_request_is_one() {
    let world = World::start().await;
    let desk = &world.desk;
    let other = other_channel(&world, "palm-hall").await;
    let request = order("same need", &EARPHONES);
    let first = desk.submit(request.clone()).await;
    // The same bytes, request id and number included, from somebody else.
    let theirs = other.submit(request.clone()).await;
    assert_ne!(first, theirs, "each channel has its own order");
    assert_eq!(desk.submit(request.clone()).await, first, "the same request is the same order");
    assert_eq!(other.submit(request.clone()).await, theirs);
    let anew = SubmitOrderRequest { request_id: new_request_id(), ..request };
    let refusal = throughline::orders::submit(&desk.channel, anew).await.expect_err("taken");
    assert_eq!(
        (refusal.kind, refusal.reason.as_str()),
        (Kind::AlreadyExists, "CHANNEL_ORDER_ID_TAKEN")
    );
    for (order_id, channel) in [(&first, "demo-channel"), (&theirs, "palm-hall")] {
        let done = desk.end_of(order_id).await;
        assert_eq!((done.state(), done.channel.as_str()), (OrderState::Completed, channel));
        assert_eq!(done.channel_order_id, "same need");
    }
    assert_eq!(desk.orders().await.len(), 2);
    assert_eq!(desk.units("earphones").await.used, 2);
    world.end().await;
}
