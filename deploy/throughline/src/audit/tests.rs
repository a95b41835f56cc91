//! What an audit finds in books that were made up.

use throughline_proto::r#type::v1::Money;

use super::*;

const NOW: Instant = Instant(1_000_000_000_000_000);

fn before(minutes: i64) -> Option<prost_types::Timestamp> {
    Some(Instant(NOW.0 - minutes * 60_000_000).to_proto())
}

/// A live order with one step, last changed so many minutes ago.
fn live(state: order::StepState, minutes: i64) -> order::CustomerOrder {
    order::CustomerOrder {
        order_id: "ord_1".to_owned(),
        steps: vec![order::Step { state: state.into(), ..Default::default() }],
        update_time: before(minutes),
        ..Default::default()
    }
}

/// The same with a time at which the step goes on.
fn due(state: order::StepState, minutes_ago: i64) -> order::CustomerOrder {
    let mut order = live(state, 24 * 60);
    order.steps[0].next_attempt_time = before(minutes_ago);
    order
}

#[test]
fn a_live_order_is_awake_while_a_step_is_due_or_a_call_is_under_way() {
    use order::StepState::{Retrying, Running, Scheduled, Succeeded, UndoFailed, Undoing, Waiting};
    for (order, awake) in [
        (live(Running, 1), true),
        (live(Undoing, 1), true),
        (live(Scheduled, 1), true),
        (live(Running, 31), false),
        (live(Undoing, 31), false),
        (live(Scheduled, 31), false),
        (live(Waiting, 31), false),
        // A payer has up to 24 hours; what was refused is tried again after one.
        (due(Waiting, -24 * 60), true),
        (due(UndoFailed, -60), true),
        (due(Retrying, 1), true),
        (due(Retrying, 31), false),
        (due(Succeeded, -1), false),
    ] {
        assert_eq!(is_awake(&order, NOW), awake, "{order:?}");
    }
}

fn ended() -> BTreeMap<String, order::CustomerOrder> {
    let mut ended = live(order::StepState::Failed, 1);
    ended.end_time = before(1);
    BTreeMap::from([(ended.order_id.clone(), ended)])
}

fn money_differences(books: &Books) -> Vec<String> {
    let mut differences = Vec::new();
    money::compare(books, &mut differences);
    differences
}

#[test]
fn a_payment_that_is_under_way_after_its_order_has_ended_is_a_difference() {
    use payment::PaymentOrderState::{AwaitingPayer, Closed, Closing, Created, Processing};
    for (state, open) in [
        (Created, Some("CREATED")),
        (AwaitingPayer, Some("AWAITING_PAYER")),
        (Processing, Some("PROCESSING")),
        (Closing, Some("CLOSING")),
        (Closed, None),
    ] {
        let owed = payment::PaymentOrder {
            payment_order_id: "pay_1".to_owned(),
            order_id: "ord_1".to_owned(),
            state: state.into(),
            ..Default::default()
        };
        let books = Books { orders: ended(), payment_orders: vec![owed], ..Default::default() };
        let expected: Vec<String> = open
            .map(|state| format!("payment order pay_1 of ended order ord_1 is still {state}"))
            .into_iter()
            .collect();
        assert_eq!(money_differences(&books), expected);
    }
}

#[test]
fn a_refund_of_an_order_that_nobody_knows_is_a_difference() {
    let refund = payment::Refund {
        refund_id: "ref_1".to_owned(),
        order_id: "ord_9".to_owned(),
        amount: Some(Money { currency_code: "CNY".to_owned(), minor_units: 5 }),
        ..Default::default()
    };
    let books = Books { refunds: vec![refund], ..Default::default() };
    assert_eq!(money_differences(&books), ["refund ref_1 is for order ord_9, which is unknown"]);
}

#[test]
fn a_reservation_of_a_pool_that_nobody_knows_is_a_difference() {
    let line = resource::ReservationLine {
        pool_code: "sim".to_owned(),
        quantity: 2,
        ..Default::default()
    };
    let reservation = resource::Reservation {
        reservation_id: "res_1".to_owned(),
        order_id: "ord_1".to_owned(),
        state: resource::ReservationState::Held.into(),
        lines: vec![line],
        ..Default::default()
    };
    let order = live(order::StepState::Running, 1);
    let orders = BTreeMap::from([(order.order_id.clone(), order)]);
    let books = Books { orders, reservations: vec![reservation], ..Default::default() };
    let mut differences = Vec::new();
    stock::compare(&books, &mut differences);
    let expected = "pool sim is unknown and has 2 held and 0 used units in reservations";
    assert_eq!(differences, [expected]);
}

#[test]
fn a_business_order_that_another_took_back_is_not_delivered() {
    use order::BusinessOrderState::{Done, Running};
    let part = |id: &str, reverses: &str, state: order::BusinessOrderState| order::BusinessOrder {
        business_order_id: id.to_owned(),
        reverses: reverses.to_owned(),
        item_keys: vec![format!("line of {}", if reverses.is_empty() { id } else { reverses })],
        state: state.into(),
        ..Default::default()
    };
    for (reversal, delivered) in [(Done, 1), (Running, 2)] {
        let order = order::CustomerOrder {
            business_orders: vec![
                part("bo_1", "", Done),
                part("bo_2", "", Done),
                part("bo_3", "bo_2", reversal),
            ],
            ..Default::default()
        };
        assert_eq!(delivered_lines(&order).len(), delivered, "{reversal:?}");
    }
}
