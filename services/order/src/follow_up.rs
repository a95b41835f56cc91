//! What happens next by itself: one rule at a time, until nothing is left to decide.

use throughline_kit::clock::Instant;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::Event;
use crate::failure::Failure;
use crate::order::{Dismissal, Order, Place};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::step::{Capability, Step, StepState};
use crate::withdraw::withdraw;

/// The next events that follow from the state; `None` when the order waits for the world.
pub(crate) fn follow_up(order: &Order, now: Instant) -> Option<Vec<Event>> {
    if order.ended_at.is_some() {
        return None;
    }
    let state = rollup(order);
    if state.is_terminal() {
        return Some(vec![Event::Ended(state)]);
    }
    let next = if order.is_unwinding() {
        unwind(order)
    } else if order.is_delivering() && must_withdraw(order) {
        Some(withdraw(order, &plan(order, Trigger::CancelOrder)))
    } else if order.is_delivering() {
        (0..order.business_orders.len()).find_map(|index| deliver(order, index, now))
    } else {
        prepare(order, now)
    };
    next.or_else(|| repeat_undo(order, now))
}

/// A cancel was asked for and some business orders do not know it yet.
fn must_withdraw(order: &Order) -> bool {
    let knows = |bo: &BusinessOrder| bo.is_withdrawn() || !bo.can_be_withdrawn();
    order.cancel_reason.is_some() && !order.business_orders.iter().all(knows)
}

/// Before delivery: the order's own steps, one after the other.
fn prepare(order: &Order, now: Instant) -> Option<Vec<Event>> {
    let index = order.steps.iter().position(|step| step.state != StepState::Succeeded)?;
    let (place, step) = (Place { business_order: None, step: index }, &order.steps[index]);
    match step.state {
        StepState::Scheduled | StepState::Retrying if order.cancel_reason.is_some() => {
            Some(vec![dismissed_by_cancel(order)])
        }
        StepState::Scheduled => Some(vec![Event::StepStarted(place)]),
        StepState::Retrying if step.next_at.is_some_and(|at| at <= now) => {
            Some(vec![Event::StepStarted(place)])
        }
        // A payment that was closed because of the cancel is no failure: the order says who asked for it.
        StepState::Failed if order.cancel_reason.is_some() && has_expired(step) => {
            Some(vec![dismissed_by_cancel(order)])
        }
        StepState::Failed => {
            let failure = step.failure.clone().unwrap_or_else(unexplained);
            let dismissal = dismissal(order, step.capability, &failure);
            Some(vec![Event::Dismissed { dismissal, failure }])
        }
        StepState::Running
        | StepState::Waiting
        | StepState::Retrying
        | StepState::Unknown
        | StepState::Succeeded
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => None,
    }
}

fn has_expired(step: &Step) -> bool {
    step.failure.as_ref().is_some_and(|failure| failure.reason == PAYMENT_EXPIRED)
}

fn dismissed_by_cancel(order: &Order) -> Event {
    let message = order.cancel_reason.clone().unwrap_or_default();
    let failure = Failure::new(CANCELLED_ON_REQUEST, crate::error::DOMAIN, message);
    Event::Dismissed { dismissal: Dismissal::Cancelled, failure }
}

fn dismissal(order: &Order, capability: Capability, failure: &Failure) -> Dismissal {
    if order.cancel_reason.is_some() || failure.reason == PAYMENT_EXPIRED {
        Dismissal::Cancelled
    } else if capability == Capability::Allocate {
        Dismissal::Failed
    } else {
        Dismissal::Rejected
    }
}

/// Reason of an order that somebody cancelled before it was delivered.
pub(crate) const CANCELLED_ON_REQUEST: &str = "CANCELLED_ON_REQUEST";

/// Reason of a payment that was not made in time.
pub(crate) const PAYMENT_EXPIRED: &str = "PAYMENT_EXPIRED";

fn unexplained() -> Failure {
    Failure::new("UNEXPLAINED", crate::error::DOMAIN, "the step failed without a reason")
}

/// After a dismissal: nothing of the business orders ran, and the order's own steps are undone, last first.
fn unwind(order: &Order) -> Option<Vec<Event>> {
    let cancelled: Vec<Event> = order
        .business_orders
        .iter()
        .enumerate()
        .filter(|(_, bo)| bo.state != BusinessOrderState::Cancelled)
        .map(|(index, _)| Event::BusinessOrderMoved {
            index,
            state: BusinessOrderState::Cancelled,
            failure: None,
        })
        .collect();
    if !cancelled.is_empty() {
        return Some(cancelled);
    }
    undo_last(order, None)
}

/// Undoes the last step that needs it, unless one is still open.
fn undo_last(order: &Order, business_order: Option<usize>) -> Option<Vec<Event>> {
    let steps = business_order.map_or(&order.steps, |index| &order.business_orders[index].steps);
    for (step, state) in steps.iter().enumerate().rev() {
        let place = Place { business_order, step };
        if state.state == StepState::Retrying {
            // Its call did not happen and is no longer wanted.
            let failure = state.failure.clone().unwrap_or_else(unexplained);
            return Some(vec![Event::StepFailed(place, failure)]);
        }
        if state.is_open() {
            return None;
        }
        if state.needs_undo() {
            return Some(vec![Event::UndoStarted(place)]);
        }
    }
    None
}

/// Delivery of one business order.
fn deliver(order: &Order, index: usize, now: Instant) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    let moved = |state| Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    match business_order.state {
        BusinessOrderState::Planned => moved(BusinessOrderState::Blocked),
        BusinessOrderState::Blocked if may_run(order, business_order) => {
            moved(BusinessOrderState::Running)
        }
        BusinessOrderState::Blocked | BusinessOrderState::Done => None,
        BusinessOrderState::Running => run(order, index, now),
        BusinessOrderState::Failed => Some(withdraw(order, &plan(order, Trigger::Failed(index)))),
        BusinessOrderState::Cancelled => undo_in_turn(order, index),
        BusinessOrderState::Compensating | BusinessOrderState::Stuck => compensate(order, index),
        BusinessOrderState::Compensated => None,
    }
}

fn may_run(order: &Order, business_order: &BusinessOrder) -> bool {
    let done = |i: &usize| order.business_orders[*i].state == BusinessOrderState::Done;
    let ended = |i: &usize| order.business_orders[*i].has_ended();
    business_order.requires.iter().all(done) && business_order.after.iter().all(ended)
}

fn run(order: &Order, index: usize, now: Instant) -> Option<Vec<Event>> {
    let steps = &order.business_orders[index].steps;
    let Some(step) = steps.iter().position(|step| step.state != StepState::Succeeded) else {
        let state = BusinessOrderState::Done;
        return Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    };
    let place = Place { business_order: Some(index), step };
    match steps[step].state {
        StepState::Scheduled => Some(vec![Event::StepStarted(place)]),
        StepState::Retrying if steps[step].next_at.is_some_and(|at| at <= now) => {
            Some(vec![Event::StepStarted(place)])
        }
        StepState::Failed => Some(vec![Event::BusinessOrderMoved {
            index,
            state: BusinessOrderState::Failed,
            failure: steps[step].failure.clone(),
        }]),
        StepState::Running
        | StepState::Waiting
        | StepState::Retrying
        | StepState::Unknown
        | StepState::Succeeded
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => None,
    }
}

fn compensate(order: &Order, index: usize) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    let moved = |state| Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    let refused = business_order.steps.iter().any(|step| step.state == StepState::UndoFailed);
    match (business_order.state, refused) {
        (BusinessOrderState::Compensating, true) => moved(BusinessOrderState::Stuck),
        (BusinessOrderState::Stuck, true) => None,
        (BusinessOrderState::Stuck, false) => moved(BusinessOrderState::Compensating),
        (_, _) if business_order.steps.iter().any(|s| s.is_open() || s.needs_undo()) => {
            undo_in_turn(order, index)
        }
        (_, _) => moved(BusinessOrderState::Compensated),
    }
}

/// Undoes a business order after those that depend on it and are being undone as well.
fn undo_in_turn(order: &Order, index: usize) -> Option<Vec<Event>> {
    let depends = |bo: &&BusinessOrder| bo.requires.contains(&index) || bo.after.contains(&index);
    let waits =
        order.business_orders.iter().filter(depends).any(|bo| bo.is_withdrawn() && !bo.has_ended());
    if waits { None } else { undo_last(order, Some(index)) }
}

/// An undo that is due again.
fn repeat_undo(order: &Order, now: Instant) -> Option<Vec<Event>> {
    order
        .places()
        .find(|(_, step)| {
            step.state == StepState::UndoFailed && step.next_at.is_some_and(|at| at <= now)
        })
        .map(|(place, _)| vec![Event::UndoStarted(place)])
}
