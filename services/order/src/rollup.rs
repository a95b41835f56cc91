//! The state that callers see: one total function of the order's parts, first match wins.

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::order::{Dismissal, Order, OrderState};
use crate::step::{Step, StepState};
use crate::template::{Activity, FailurePolicy};

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
    } else if order.change.is_none()
        && is_decomposed(order)
        && order.parts().all(BusinessOrder::has_ended)
    {
        return outcome(order);
    }
    if order.cancel_reason.is_some() {
        return OrderState::PendingCancellation;
    }
    if order.change.is_some() {
        return OrderState::AssessingChange;
    }
    if order.is_paused() {
        return OrderState::Held;
    }
    let waits = |step: &Step| match step.activity() {
        Some(activity) => activity == Activity::Pay && step.state == StepState::Waiting,
        None => step.waits_inside(),
    };
    if order.steps.iter().any(waits) {
        return OrderState::Pending;
    }
    if order.business_orders.is_empty() {
        return OrderState::Acknowledged;
    }
    OrderState::InProgress
}

/// Its businesses are known. One that needs none has nothing but its own steps to wait for.
fn is_decomposed(order: &Order) -> bool {
    let needs_none = || order.item_plans.is_some() && order.steps.iter().all(Step::has_passed);
    !order.business_orders.is_empty() || needs_none()
}

/// Everything that the order itself did is undone.
fn is_unwound(order: &Order) -> bool {
    let settled = |step: &Step| !step.is_open() && !step.needs_undo();
    order.steps.iter().all(settled)
        && order.business_orders.iter().all(|bo| bo.state == BusinessOrderState::Cancelled)
}

/// How it ended: by what was delivered of what the customer still wanted.
fn outcome(order: &Order) -> OrderState {
    let all = &order.business_orders;
    let is_reversed = |index: usize| all.iter().any(|bo| bo.reverses == Some(index));
    let is_delivered =
        |index: usize| all[index].state == BusinessOrderState::Done && !is_reversed(index);
    let wanted: Vec<usize> = (0..all.len())
        .filter(|index| all[*index].reverses.is_none() && !all[*index].withdrawn)
        .collect();
    let delivered = wanted.iter().filter(|index| is_delivered(**index)).count();
    let took_all = |bo: &BusinessOrder| bo.policy == Some(FailurePolicy::Whole);
    if wanted.is_empty() && !all.is_empty() {
        OrderState::Cancelled
    } else if delivered == wanted.len() {
        OrderState::Completed
    } else if delivered > 0 {
        OrderState::Partial
    } else if order.cancel_reason.is_some() || order.parts().any(took_all) {
        OrderState::Cancelled
    } else {
        OrderState::Failed
    }
}
