//! The times of what is paused stand still, and go on with what was left of them.

use throughline_kit::clock::Instant;

use super::passage;
use crate::event::Event;
use crate::order::{Order, Place};
use crate::step::Frozen;

/// Steps that a pause covers, with what is left of their times.
pub(super) type Held = Vec<(Place, Frozen)>;

/// What is paused before the event.
pub(super) fn held(order: &Order) -> Held {
    if order.holds.is_empty() {
        return Held::new();
    }
    let held = order.places().filter(|(place, _)| order.is_held(*place));
    held.map(|(place, step)| (place, step.frozen.unwrap_or_default())).collect()
}

/// Checks the times after the event.
pub(super) fn check(order: &Order, event: &Event, held: Held, now: Instant) -> Result<(), String> {
    let moved = passage::place(event);
    for (place, before) in held {
        let is_anew = matches!(event, Event::RerunReset(_) | Event::ChangeApplied);
        if is_anew || moved == Some(place) {
            continue;
        }
        let step = order.step(place);
        let told_task = matches!(event, Event::TaskEscalated { .. });
        if order.is_held(place) {
            if step.frozen.unwrap_or_default() != before && !told_task {
                return Err(format!("{place:?} is paused, and its times go on"));
            }
        } else {
            let due = |left: Option<std::time::Duration>| left.map(|left| now.plus(left));
            if (step.next_at, step.deadline) != (due(before.next), due(before.deadline)) {
                return Err(format!("{place:?} goes on with other times than it had left"));
            }
        }
    }
    if order.holds.is_empty() {
        let frozen = order.places().find(|(_, step)| step.frozen.is_some());
        return frozen.map_or(Ok(()), |(place, _)| Err(format!("{place:?} stands still")));
    }
    for (place, step) in order.places() {
        let runs = step.next_at.is_some() || step.deadline.is_some();
        if order.is_held(place) && runs {
            return Err(format!("{place:?} is paused, and has a time"));
        }
        if !order.is_held(place) && step.frozen.is_some() {
            return Err(format!("{place:?} is not paused, and stands still"));
        }
    }
    Ok(())
}
