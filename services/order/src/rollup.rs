//! The state that callers see: one total function of the order's parts, first match wins.

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::order::{Dismissal, Order, OrderState, Policy};
use crate::step::{Capability, Step, StepState};

/// Computes the state.
pub(crate) fn rollup(order: &Order) -> OrderState {
    if let Some(dismissal) = order.dismissal {
        if is_unwound(order) {
            return match dismissal {
                Dismissal::Rejected => OrderState::Rejected,
                Dismissal::Cancelled => OrderState::Cancelled,
                Dismissal::Failed => OrderState::Failed,
            };
        }
    } else if !order.business_orders.is_empty()
        && order.business_orders.iter().all(BusinessOrder::has_ended)
    {
        return outcome(order);
    }
    if order.cancel_reason.is_some() {
        return OrderState::PendingCancellation;
    }
    if order.business_orders.is_empty() {
        return OrderState::Acknowledged;
    }
    let waits_for_payer =
        |step: &Step| step.capability == Capability::Pay && step.state == StepState::Waiting;
    if order.steps.iter().any(waits_for_payer) {
        return OrderState::Pending;
    }
    OrderState::InProgress
}

/// Everything that the order itself did is undone.
fn is_unwound(order: &Order) -> bool {
    let settled = |step: &Step| !step.is_open() && !step.needs_undo();
    order.steps.iter().all(settled)
        && order.business_orders.iter().all(|bo| bo.state == BusinessOrderState::Cancelled)
}

fn outcome(order: &Order) -> OrderState {
    let done = |bo: &BusinessOrder| bo.state == BusinessOrderState::Done;
    let number_done = order.business_orders.iter().filter(|bo| done(bo)).count();
    if number_done == order.business_orders.len() {
        OrderState::Completed
    } else if number_done > 0 {
        OrderState::Partial
    } else if order.cancel_reason.is_some() || order.policy == Policy::Whole {
        OrderState::Cancelled
    } else {
        OrderState::Failed
    }
}
