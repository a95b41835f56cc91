//! A tour through what the platform can do, whose ends can be compared from run to run.

use throughline_proto::order::v1::{CustomerOrder, FailurePolicy, OrderState};
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_proto::r#type::v1::Money;

use crate::desk::Desk;
use crate::shopping::{back, converged, of_order, order};

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];

/// What an order came to, without what differs from run to run: state, money kept, and each part with its state, its
/// charge and how many numbers it was given.
pub type End = (OrderState, i64, Vec<(String, String, i64, usize)>);

fn end(order: &CustomerOrder) -> End {
    let minor = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor_units);
    let parts = order.business_orders.iter().map(|part| {
        let numbers = order.items.iter().filter(|item| part.item_keys.contains(&item.item_key));
        let numbers = numbers.map(|item| item.assigned_items.len()).sum();
        let state = part.state().as_str_name().to_owned();
        (part.template.clone(), state, minor(&part.charge), numbers)
    });
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    (order.state(), minor(&order.paid), parts)
}

/// Buys, brings back, and plays the converged order in its three ways.
pub async fn take(desk: &Desk) -> Vec<End> {
    desk.seed_telecom().await;
    for customer in ["branch", "whole"] {
        desk.misbehave(Rule {
            method: "ActivateService".to_owned(),
            offering_code: "broadband-100m".to_owned(),
            customer_id: customer.to_owned(),
            misbehavior: Misbehavior::Refuse.into(),
            reason: "NO_LINE_AT_ADDRESS".to_owned(),
            ..Rule::default()
        })
        .await;
    }
    let bought = order("buyer", &EARPHONES);
    let mut brought_back = back("back", &EARPHONES, &of_order("buyer"));
    brought_back.customer.clone_from(&bought.customer);
    let requests = [
        bought,
        brought_back,
        converged("all", FailurePolicy::Branch),
        converged("branch", FailurePolicy::Branch),
        converged("whole", FailurePolicy::Whole),
    ];
    let mut ends = Vec::new();
    for request in requests {
        ends.push(end(&desk.carry_out(request).await));
    }
    desk.books_add_up().await;
    ends
}

/// Checks the states that a person expects of the tour.
pub fn is_as_it_should_be(ends: &[End]) {
    use OrderState::{Cancelled, Completed, Partial};
    let seen: Vec<_> = ends.iter().map(|(state, kept, _)| (*state, *kept)).collect();
    let wanted = [
        (Completed, 9_950),
        (Completed, -9_950),
        (Completed, 14_000),
        (Partial, 2_000),
        (Cancelled, 0),
    ];
    assert_eq!(seen, wanted);
}
