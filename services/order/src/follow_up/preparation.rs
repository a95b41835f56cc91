//! Before delivery: the order's own steps, and how they end early.

use throughline_kit::clock::Instant;

use crate::event::Event;
use crate::failure::Failure;
use crate::order::{Dismissal, Order, Place};
use crate::step::{Step, StepState};
use crate::template::Activity;

use super::exception::{is_unhandled, remedy};
use super::start::ready;
use super::undo::undo_last;
use super::{CANCELLED_ON_REQUEST, PAYMENT_EXPIRED, unexplained};

/// Carries the order's own steps on.
pub(super) fn prepare(order: &Order, now: Instant) -> Option<Vec<Event>> {
    if order.cancel_reason.is_some() {
        return end_by_cancel(order);
    }
    if order.is_held_as_a_whole(None) {
        return None;
    }
    if let Some(step) = order.steps.iter().position(is_unhandled) {
        return Some(vec![after_failure(order, step, now)]);
    }
    Some(ready(order, None, now)).filter(|events| !events.is_empty())
}

/// What follows for the order of which an own step failed.
pub(super) fn after_failure(order: &Order, step: usize, now: Instant) -> Event {
    let place = Place { business_order: None, step };
    if let Some(remedy) = remedy(order, place, now) {
        return remedy;
    }
    let step = order.step(place);
    let failure = step.failure.clone().unwrap_or_else(unexplained);
    Event::Dismissed { dismissal: dismissal(order, step.activity(), &failure), failure }
}

/// How an order ends of which an own step failed: what was not paid for was refused; what was paid for has failed.
fn dismissal(order: &Order, activity: Option<Activity>, failure: &Failure) -> Dismissal {
    let was_paid = order.captured > order.refunded || activity == Some(Activity::Allocate);
    if failure.reason == PAYMENT_EXPIRED {
        Dismissal::Cancelled
    } else if was_paid {
        Dismissal::Failed
    } else {
        Dismissal::Rejected
    }
}

/// What is out comes back first; then nothing more begins.
fn end_by_cancel(order: &Order) -> Option<Vec<Event>> {
    if order.steps.iter().any(Step::is_out) {
        return None;
    }
    // A payment that was closed because of the cancel is no failure: the order says who asked for it.
    let failed =
        order.steps.iter().find(|step| step.state == StepState::Failed && !has_expired(step));
    let failure = match failed.and_then(|step| step.failure.clone()) {
        Some(failure) => failure,
        None => {
            let message = order.cancel_reason.clone().unwrap_or_default();
            Failure::new(CANCELLED_ON_REQUEST, crate::error::DOMAIN, message)
        }
    };
    Some(vec![Event::Dismissed { dismissal: Dismissal::Cancelled, failure }])
}

fn has_expired(step: &Step) -> bool {
    step.failure.as_ref().is_some_and(|failure| failure.reason == PAYMENT_EXPIRED)
}

/// Gives back what was done for the old lines, last first, then begins anew with the new ones.
pub(super) fn change_over(order: &Order) -> Option<Vec<Event>> {
    let is_done = |step: &Step| !step.is_open() && !step.needs_undo();
    if order.steps.iter().all(is_done) {
        return Some(vec![Event::ChangeApplied]);
    }
    undo_last(order, None)
}
