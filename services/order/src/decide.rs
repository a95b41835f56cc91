//! `decide(order, command, now) → events`: the whole behaviour of an order, without I/O and without any clock but `now`.

use throughline_kit::clock::Instant;

use crate::apply::apply;
use crate::event::{Command, Direction, Event, Outcome};
use crate::failure::Failure;
use crate::follow_up::follow_up;
use crate::order::{Order, OrderState, Place};
use crate::rollup::rollup;
use crate::step::{Capability, MAX_ATTEMPTS, STUCK_RETRY_DELAY, StepState, ask_delay, retry_delay};

/// A command cannot be carried out; nothing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The order is terminal.
    Terminal(OrderState),
}

/// Decides what the command makes happen, follow-ups included. No events means that there was nothing to do.
pub(crate) fn decide(
    order: &Order,
    command: &Command,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    let mut scratch = order.clone();
    let mut events = Vec::new();
    if rollup(order).is_terminal() {
        return match command {
            Command::Cancel { .. } => Err(Refusal::Terminal(rollup(order))),
            Command::Advance | Command::Recover | Command::Settle { .. } => Ok(events),
        };
    }
    let first = match command {
        Command::Advance => Vec::new(),
        Command::Recover => unheard(&scratch, now),
        Command::Settle { place, direction, outcome } => {
            settle(&scratch, *place, *direction, outcome, now)
        }
        Command::Cancel { reason } => cancel(&scratch, reason),
    };
    for event in first {
        apply(&mut scratch, &event, now);
        events.push(event);
    }
    // A follow-up of nothing would follow for ever.
    while let Some(more) = follow_up(&scratch, now).filter(|more| !more.is_empty()) {
        for event in more {
            apply(&mut scratch, &event, now);
            events.push(event);
        }
    }
    Ok(events)
}

/// Calls whose answers were lost may have had their effects. That a repetition of one does not arrive says nothing of the
/// first, so their outcomes are unknown. A preparation changes nothing, and is simply made again.
fn unheard(order: &Order, now: Instant) -> Vec<Event> {
    let running = order.places().filter(|(_, step)| {
        step.state == StepState::Running && step.capability != Capability::Prepare
    });
    let unknown = |(place, _)| Event::StepUnknown { place, next_at: now, failure: lost_answer() };
    running.map(unknown).collect()
}

fn lost_answer() -> Failure {
    let message = "the order center stopped before it stored the answer; it is asked for";
    Failure::new("ANSWER_LOST", crate::error::DOMAIN, message)
}

fn cancel(order: &Order, reason: &str) -> Vec<Event> {
    if order.cancel_reason.is_some() {
        return Vec::new();
    }
    vec![Event::CancelRequested { reason: reason.to_owned() }]
}

fn settle(
    order: &Order,
    place: Place,
    direction: Direction,
    outcome: &Outcome,
    now: Instant,
) -> Vec<Event> {
    let step = order.step(place);
    match step.state {
        StepState::Running | StepState::Waiting | StepState::Retrying | StepState::Unknown
            if direction == Direction::Do =>
        {
            vec![settle_call(order, place, outcome, now)]
        }
        StepState::Undoing | StepState::UndoFailed if direction == Direction::Undo => {
            vec![settle_undo(order, place, outcome, now)]
        }
        // The news is old: the step has gone on, and stays as it is.
        StepState::Scheduled
        | StepState::Running
        | StepState::Waiting
        | StepState::Retrying
        | StepState::Unknown
        | StepState::Succeeded
        | StepState::Failed
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => Vec::new(),
    }
}

fn settle_call(order: &Order, place: Place, outcome: &Outcome, now: Instant) -> Event {
    let step = order.step(place);
    match outcome {
        Outcome::Succeeded(gain) => Event::StepSucceeded(place, gain.clone()),
        Outcome::Declined(failure) if cannot_go_back(order, place) => Event::StepRefused {
            place,
            next_at: now.plus(STUCK_RETRY_DELAY),
            failure: failure.clone(),
        },
        Outcome::Declined(failure) => Event::StepFailed(place, failure.clone()),
        Outcome::Pending { token, ask_at } => Event::StepWaiting {
            place,
            token: token.clone(),
            next_at: ask_at
                .filter(|at| *at > now)
                .unwrap_or_else(|| now.plus(ask_delay(step.asks))),
        },
        // The question was not answered: what is waited for is waited for still.
        Outcome::Unknown(_) | Outcome::NotAttempted(_) if step.state == StepState::Waiting => {
            Event::StepWaiting {
                place,
                token: step.token.clone().unwrap_or_default(),
                next_at: now.plus(ask_delay(step.asks)),
            }
        }
        Outcome::NotAttempted(failure) if step.state == StepState::Unknown => {
            unknown(order, place, failure, now)
        }
        Outcome::Unknown(failure) => unknown(order, place, failure, now),
        Outcome::NotAttempted(failure) | Outcome::NeverArrived(failure)
            if step.attempts < MAX_ATTEMPTS || cannot_go_back(order, place) =>
        {
            let next_at = now.plus(retry_delay(step.attempts));
            Event::StepRetrying { place, next_at, failure: failure.clone() }
        }
        Outcome::NotAttempted(failure) | Outcome::NeverArrived(failure) => {
            Event::StepFailed(place, failure.clone())
        }
    }
}

/// A refusal after the point of no return ends nothing: it is tried again, and a person should look.
fn cannot_go_back(order: &Order, place: Place) -> bool {
    place
        .business_order
        .is_some_and(|index| order.business_orders[index].is_past_point_of_no_return())
}

fn unknown(order: &Order, place: Place, failure: &Failure, now: Instant) -> Event {
    let next_at = now.plus(ask_delay(order.step(place).asks));
    Event::StepUnknown { place, next_at, failure: failure.clone() }
}

fn settle_undo(order: &Order, place: Place, outcome: &Outcome, now: Instant) -> Event {
    let step = order.step(place);
    let again = |token: Option<String>, failure: Option<&Failure>| Event::UndoWaiting {
        place,
        token,
        next_at: now.plus(retry_delay(step.undo_attempts)),
        failure: failure.cloned(),
    };
    match outcome {
        Outcome::Succeeded(gain) => Event::StepUndone(place, gain.clone()),
        Outcome::Pending { token, .. } => again(Some(token.clone()), None),
        Outcome::NotAttempted(failure)
        | Outcome::NeverArrived(failure)
        | Outcome::Unknown(failure) => again(step.token.clone(), Some(failure)),
        Outcome::Declined(failure) => Event::UndoFailed {
            place,
            next_at: now.plus(STUCK_RETRY_DELAY),
            failure: failure.clone(),
        },
    }
}
