//! Turns a plan into the events that begin it.

use crate::business_order::BusinessOrderState;
use crate::event::Event;
use crate::order::Order;
use crate::plan::Plan;

/// The events that begin the plan.
pub(crate) fn withdraw(order: &Order, plan: &Plan) -> Vec<Event> {
    let moved = |index: usize, state| Event::BusinessOrderMoved { index, state, failure: None };
    let cancelled = plan.cancel.iter().flat_map(|&index| {
        // One that never began still has its part of what was allocated and paid: it begins and ends at once.
        let begins = (order.business_orders[index].state == BusinessOrderState::Planned)
            .then(|| moved(index, BusinessOrderState::Blocked));
        begins.into_iter().chain([moved(index, BusinessOrderState::Cancelled)])
    });
    let undone = plan.undo.iter().map(|&index| moved(index, BusinessOrderState::Compensating));
    let reversed = plan.reverse.iter().map(|&index| Event::ReversalAsked(index));
    cancelled.chain(undone).chain(reversed).collect()
}
