//! What happens next by itself: one rule at a time, until nothing is left to decide.

use throughline_kit::clock::Instant;

use crate::decide::Surroundings;
use crate::event::Event;
use crate::failure::Failure;
use crate::forecast::watch;
use crate::hold::Hold;
use crate::order::{Order, Place};
use crate::rollup::rollup;
use crate::step::StepState;

mod delivery;
mod exception;
mod preparation;
mod start;
mod times;
mod undo;

pub(crate) use exception::policy_of;
pub(crate) use times::next_time;

/// Reason of an order that somebody cancelled before it was delivered.
pub(crate) const CANCELLED_ON_REQUEST: &str = "CANCELLED_ON_REQUEST";
/// Reason of a payment that was not made in time.
pub(crate) const PAYMENT_EXPIRED: &str = "PAYMENT_EXPIRED";

/// The next events that follow from the state; `None` when the order waits for the world.
pub(crate) fn follow_up(order: &Order, around: Surroundings<'_>) -> Option<Vec<Event>> {
    if order.ended_at.is_some() {
        return None;
    }
    let state = rollup(order);
    if state.is_terminal() {
        return Some(vec![Event::Ended(state)]);
    }
    let now = around.now;
    standing(order, around)
        .or_else(|| times::passed(order, now))
        .or_else(|| go_on(order, now))
        .or_else(|| repeat_undo(order, now))
        .or_else(|| watch(order, around.measured, now).map(|event| vec![event]))
}

/// What follows for a step that failed: what it has against that itself, or what its business order, or the order, has to
/// bear.
pub(crate) fn after_failure(order: &Order, place: Place, now: Instant) -> Vec<Event> {
    match place.business_order {
        Some(index) => exception::after_failure(order, index, place.step, now),
        None => vec![preparation::after_failure(order, place.step, now)],
    }
}

fn go_on(order: &Order, now: Instant) -> Option<Vec<Event>> {
    if order.dismissal.is_some() {
        undo::unwind(order)
    } else if order.change.is_some() {
        preparation::change_over(order)
    } else if order.is_delivering() {
        delivery::deliver(order, now)
    } else {
        preparation::prepare(order, now)
    }
}

/// Pauses of templates and capabilities come to an order when it has something that they cover, and leave with their end.
fn standing(order: &Order, around: Surroundings<'_>) -> Option<Vec<Event>> {
    let ended = order.holds.iter().find(|hold| {
        let is_over = hold.window.is_over_for(&order.id, around.now);
        let is_known = || around.standing.iter().any(|standing| standing.id == hold.id);
        hold.is_standing() && (is_over || !is_known())
    });
    if let Some(hold) = ended {
        return Some(vec![Event::HoldReleased(hold.id.clone())]);
    }
    if order.cancel_reason.is_some() {
        return None;
    }
    let is_new = |standing: &&Hold| {
        standing.window.is_open_for(&order.id, around.now)
            && !order.holds.iter().any(|hold| hold.id == standing.id)
            && standing.concerns(order)
    };
    around.standing.iter().find(is_new).map(|hold| vec![Event::HoldPlaced(hold.clone())])
}

/// An undo that was refused is due again.
fn repeat_undo(order: &Order, now: Instant) -> Option<Vec<Event>> {
    order
        .places()
        .find(|(place, step)| {
            step.state == StepState::UndoFailed
                && step.next_at.is_some_and(|at| at <= now)
                && !order.is_held(*place)
        })
        .map(|(place, _)| vec![Event::UndoStarted(place)])
}

fn unexplained() -> Failure {
    Failure::new("UNEXPLAINED", crate::error::DOMAIN, "the step failed without a reason")
}
