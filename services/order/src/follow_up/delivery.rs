//! Delivery: every business order on its way.

use throughline_kit::clock::Instant;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::Event;
use crate::order::Order;
use crate::plan::{Trigger, plan};
use crate::withdraw::withdraw;

use super::exception::{after_failure, is_unhandled, only_forward};
use super::start::ready;
use super::undo::{compensate, rerun, undo_in_turn, waits_for_others};

/// Carries the first business order on that can go on.
pub(super) fn deliver(order: &Order, now: Instant) -> Option<Vec<Event>> {
    let all = 0..order.business_orders.len();
    cancelled(order).or_else(|| all.into_iter().find_map(|index| deliver_one(order, index, now)))
}

/// What a cancel that was asked for does to business orders that do not know it yet.
fn cancelled(order: &Order) -> Option<Vec<Event>> {
    order.cancel_reason.as_ref()?;
    let plan = plan(order, &Trigger::CancelOrder);
    (!plan.is_empty()).then(|| withdraw(order, &plan))
}

fn deliver_one(order: &Order, index: usize, now: Instant) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    let moved = |state| Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    let is_held = || order.is_held_as_a_whole(Some(index));
    // What was on its way for good when it was taken back did not happen: it goes back as others do.
    if business_order.to_reverse && business_order.can_be_withdrawn() {
        return moved(BusinessOrderState::Compensating);
    }
    match business_order.state {
        BusinessOrderState::Planned => moved(BusinessOrderState::Blocked),
        BusinessOrderState::Blocked if may_run(order, business_order) => {
            moved(if is_held() { BusinessOrderState::Ready } else { BusinessOrderState::Running })
        }
        BusinessOrderState::Ready if !is_held() => moved(BusinessOrderState::Running),
        BusinessOrderState::Running | BusinessOrderState::Exception
            if business_order.rerun_from.is_some() =>
        {
            rerun(order, index)
        }
        BusinessOrderState::Running if !is_held() => run(order, index, now),
        BusinessOrderState::Failed if !is_held() => failed(order, index, now),
        BusinessOrderState::Done
            if business_order.to_reverse && !waits_for_others(order, index) =>
        {
            Some(vec![Event::ReversalPlanned(index)])
        }
        BusinessOrderState::Cancelled => undo_in_turn(order, index),
        BusinessOrderState::Compensating | BusinessOrderState::Stuck => compensate(order, index),
        BusinessOrderState::Blocked
        | BusinessOrderState::Ready
        | BusinessOrderState::Running
        | BusinessOrderState::Exception
        | BusinessOrderState::Failed
        | BusinessOrderState::Done
        | BusinessOrderState::Compensated => None,
    }
}

/// What failed goes back with what its policy takes along, unless something of it happened since that cannot be undone.
fn failed(order: &Order, index: usize, now: Instant) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    if business_order.has_final_step_out() {
        return None;
    }
    if business_order.is_past_point_of_no_return() {
        return Some(only_forward(order, index, now));
    }
    Some(withdraw(order, &plan(order, &Trigger::Failed(index))))
}

fn may_run(order: &Order, business_order: &BusinessOrder) -> bool {
    let done = |i: &usize| order.business_orders[*i].state == BusinessOrderState::Done;
    let ended = |i: &usize| order.business_orders[*i].has_ended();
    business_order.requires.iter().all(done) && business_order.after.iter().all(ended)
}

fn run(order: &Order, index: usize, now: Instant) -> Option<Vec<Event>> {
    let steps = &order.business_orders[index].steps;
    if let Some(step) = steps.iter().position(is_unhandled) {
        return Some(after_failure(order, index, step, now));
    }
    if steps.iter().all(crate::step::Step::has_passed) {
        let state = BusinessOrderState::Done;
        return Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    }
    Some(ready(order, Some(index), now)).filter(|events| !events.is_empty())
}
