//! What must hold after any fault: nothing lost, nothing done twice.

use std::collections::{BTreeMap, BTreeSet};

use throughline_proto::order::v1::{BusinessOrder, BusinessOrderState, CustomerOrder, OrderState};

use crate::desk::Desk;
use crate::load::Accepted;

/// The books add up, every accepted order is there and ended as it must, and there are no others.
pub async fn nothing_lost(desk: &Desk, accepted: &[Accepted]) {
    desk.books_add_up().await;
    for order in accepted {
        let again = desk.submit(order.request.clone()).await;
        assert_eq!(again, order.order_id, "a repeated request is answered with its order");
    }
    let orders = desk.orders().await;
    let known: BTreeSet<&str> = orders.iter().map(|order| order.order_id.as_str()).collect();
    let ours: BTreeSet<&str> = accepted.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!(known, ours, "the orders are those that were accepted");
    let ends: BTreeMap<&str, OrderState> =
        orders.iter().map(|order| (order.order_id.as_str(), order.state())).collect();
    for order in accepted {
        let name = &order.request.channel_order_id;
        let known = orders.iter().find(|known| known.order_id == order.order_id);
        assert_eq!(ends[order.order_id.as_str()], order.end, "{name}: {known:#?}");
    }
}

/// What is delivered stands at one customer only.
fn numbers_are_given_once(orders: &[CustomerOrder]) {
    let mut given = BTreeSet::new();
    for order in orders {
        let done = |bo: &&BusinessOrder| bo.state() == BusinessOrderState::Done;
        let keys: BTreeSet<&String> =
            order.business_orders.iter().filter(done).flat_map(|bo| &bo.item_keys).collect();
        for item in order.items.iter().filter(|item| keys.contains(&item.item_key)) {
            for number in &item.assigned_items {
                assert!(given.insert(number.clone()), "{number} was given twice");
            }
        }
    }
    assert!(!given.is_empty(), "no plan was sold");
}

/// Each effect at an outside system happened once for its reference, each order was charged as often as it should be, and no
/// number was given to two.
pub async fn nothing_twice(desk: &Desk, accepted: &[Accepted]) {
    numbers_are_given_once(&desk.orders().await);
    let mut seen = BTreeSet::new();
    let mut charges: BTreeMap<String, usize> = BTreeMap::new();
    for effect in desk.effects("").await.into_iter().filter(|effect| effect.succeeded) {
        if effect.method == "Charge" {
            *charges.entry(effect.order_id).or_default() += 1;
        }
        let what = (effect.system, effect.method, effect.reference);
        assert!(!seen.contains(&what), "done twice: {what:?}");
        seen.insert(what);
    }
    for order in accepted {
        let times = charges.get(&order.order_id).copied().unwrap_or_default();
        let name = &order.request.channel_order_id;
        match order.charges {
            Some(wanted) => assert_eq!(times, wanted, "charges of {name}"),
            None => assert!(times <= 1, "{name} was charged {times} times"),
        }
    }
}
