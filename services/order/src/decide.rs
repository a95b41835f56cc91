//! `decide(order, command, around) → order, events`: the whole behaviour of an order, without I/O and without any clock but what it
//! is told.

use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::apply::apply;
use crate::duration::Measured;
use crate::event::{Command, Direction, Event, Gain, Outcome};
use crate::facts::OrderFacts;
use crate::failure::Failure;
use crate::follow_up::follow_up;
use crate::hold::Hold;
use crate::operate::{operate, operate_each};
use crate::order::{Order, OrderState, Place};
use crate::rollup::rollup;
use crate::signal::{MAX_KEPT_EVENTS, Signal};
use crate::step::{NEWS_OVERDUE, STUCK_RETRY_DELAY, Step, StepState};
use crate::template::{Activity, EvaluationFailed, Reading, StepWork};

/// What a decision depends on besides the order and the command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The time.
    pub(crate) now: Instant,
    /// Pauses of templates and capabilities.
    pub(crate) standing: &'a [Hold],
    /// How long steps took.
    pub(crate) measured: &'a Measured,
}

/// A command cannot be carried out; nothing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The order is terminal.
    Terminal(OrderState),
    /// The state of the step or business order forbids it.
    StateForbids {
        /// Whose state.
        what: String,
        /// The state.
        state: &'static str,
        /// States from which it may be done.
        allowed: &'static str,
    },
    /// Parts can be cancelled only while the order is being delivered.
    NotDelivering(OrderState),
    /// What is asked for cannot be taken back any more.
    PointOfNoReturnPassed(String),
    /// Lines can be changed only before the order is being delivered.
    ChangeTooLate,
    /// The step has no substitute.
    SubstituteMissing(String),
    /// No open task has this id.
    TaskNotFound(String),
    /// Somebody else has the task.
    TaskClaimed(String),
    /// Fields of a form are wrong, each with what must be done about it.
    FormInvalid(Vec<(String, String)>),
    /// The order was urged a moment ago; it may be again after this time.
    UrgedTooOften(Duration),
    /// A named limit of the order is reached.
    Limit(&'static str, usize),
}

/// What a command made happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The order as it is then.
    pub(crate) order: Order,
    /// What happened, in its order; never empty.
    pub(crate) events: Vec<Event>,
}

/// Decides what the command makes happen, follow-ups included; `None` when there was nothing to do.
pub(crate) fn decide(
    order: &Order,
    command: &Command,
    around: Surroundings<'_>,
) -> Result<Option<Decided>, Refusal> {
    if rollup(order).is_terminal() {
        return match command {
            Command::Operate { .. } | Command::OperateEach { .. } | Command::Signal(_) => {
                Err(Refusal::Terminal(rollup(order)))
            }
            Command::Advance | Command::Recover | Command::Settle { .. } => Ok(None),
        };
    }
    let now = around.now;
    let first = match command {
        Command::Advance => Vec::new(),
        Command::Recover => unheard(order, now),
        Command::Settle { place, direction, outcome } => {
            settle(order, *place, *direction, outcome, now)
        }
        Command::Signal(signal) => hear(order, signal, now)?,
        Command::Operate { operation, by } => operate(order, operation, by, now)?,
        Command::OperateEach { operations, by } => operate_each(order, operations, by, now)?,
    };
    let first = Some(first).filter(|events| !events.is_empty());
    let Some(mut next) = first.or_else(|| follow_up(order, around)) else { return Ok(None) };
    let mut order = order.clone();
    let mut events = Vec::with_capacity(next.len());
    // A follow-up of nothing would follow for ever.
    while !next.is_empty() {
        for event in next {
            apply(&mut order, &event, now);
            events.push(event);
        }
        next = follow_up(&order, around).unwrap_or_default();
    }
    Ok(Some(Decided { order, events }).filter(|decided| !decided.events.is_empty()))
}

/// Calls whose answers were lost may have had their effects. That a repetition of one does not arrive says nothing of the
/// first, so their outcomes are unknown. A preparation changes nothing, and is simply made again.
fn unheard(order: &Order, now: Instant) -> Vec<Event> {
    let running = order.places().filter(|(_, step)| {
        step.state == StepState::Running && step.activity() != Some(Activity::Prepare)
    });
    let unknown = |(place, _)| Event::StepUnknown { place, next_at: now, failure: lost_answer() };
    running.map(unknown).collect()
}

fn lost_answer() -> Failure {
    let message = "the order center stopped before it stored the answer; it is asked for";
    Failure::new("ANSWER_LOST", crate::error::DOMAIN, message)
}

/// An event from outside: the step that waits for it goes on; without one it is kept.
fn hear(order: &Order, signal: &Signal, now: Instant) -> Result<Vec<Event>, Refusal> {
    if let Some(place) = order.waiting_for(signal) {
        return Ok(vec![heard(order, place, signal, now)]);
    }
    if order.signals.len() >= MAX_KEPT_EVENTS {
        return Err(Refusal::Limit("max_kept_events", MAX_KEPT_EVENTS));
    }
    Ok(vec![Event::SignalKept(signal.clone())])
}

/// What an event does to the step that waits for it.
pub(crate) fn heard(order: &Order, place: Place, signal: &Signal, now: Instant) -> Event {
    let step = order.step(place);
    if signal.refuses(step) {
        let said = |key: &str| signal.data.get(key).map(String::as_str).unwrap_or_default();
        let reason = if said("reason").is_empty() { "REFUSED_BY_EVENT" } else { said("reason") };
        let message = match said("message") {
            "" => format!("{} was heard", signal.event),
            message => message.to_owned(),
        };
        return Event::StepFailed(place, Failure::heard(reason, "event", &message));
    }
    let StepWork::Wait(wait) = &step.definition().work else {
        return Event::StepSucceeded(place, Gain::Nothing);
    };
    let said = signal.data.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    read(place, wait.read(&OrderFacts::new(order, place, now), &said.collect()))
}

/// What an event or a person brought to a step.
pub(crate) fn read(place: Place, reading: Result<Reading, EvaluationFailed>) -> Event {
    match reading {
        Ok(Reading::Succeeded { saved }) => Event::StepSucceeded(place, Gain::Saved(saved)),
        Ok(Reading::Declined { reason, message }) => {
            Event::StepFailed(place, Failure::heard(&reason, crate::error::DOMAIN, &message))
        }
        Ok(Reading::Pending) => Event::StepSucceeded(place, Gain::Nothing),
        Err(cause) => Event::StepFailed(place, expression_failed(&cause.to_string())),
    }
}

/// An expression of a template that met what it cannot work with.
pub(crate) fn expression_failed(cause: &str) -> Failure {
    Failure::heard(EvaluationFailed::REASON, crate::error::DOMAIN, cause)
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
        // Nobody calls for a step that waits for an event, a time or a person.
        StepState::Waiting if step.waits_inside() => Vec::new(),
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
        | StepState::Skipped
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
        Outcome::Declined(failure) if may_pass(step, failure) => Event::StepRefused {
            place,
            next_at: now.plus(step.retry_delay()),
            failure: failure.clone(),
        },
        Outcome::Declined(failure) => Event::StepFailed(place, failure.clone()),
        Outcome::Pending { .. } if step.is_overdue(now) => overdue(order, place, now),
        Outcome::Pending { token, ask_at } => Event::StepWaiting {
            place,
            token: token.clone(),
            next_at: ask_at.filter(|at| *at > now).unwrap_or_else(|| now.plus(step.ask_delay())),
            overdue_at: step.overdue_at(now),
        },
        // The question was not answered: what is waited for is waited for still, until the time is up.
        Outcome::Unknown(_) | Outcome::NotAttempted(_) if step.state == StepState::Waiting => {
            Event::StepWaiting {
                place,
                token: step.token.clone().unwrap_or_default(),
                next_at: now.plus(step.ask_delay()),
                overdue_at: step.overdue_at(now),
            }
        }
        Outcome::NotAttempted(failure) if step.state == StepState::Unknown => {
            unknown(order, place, failure, now)
        }
        Outcome::Unknown(failure) => unknown(order, place, failure, now),
        Outcome::NotAttempted(failure) | Outcome::NeverArrived(failure)
            if step.attempts < step.definition().retry.attempts || cannot_go_back(order, place) =>
        {
            let next_at = now.plus(step.retry_delay());
            Event::StepRetrying { place, next_at, failure: failure.clone() }
        }
        Outcome::NotAttempted(failure) | Outcome::NeverArrived(failure) => {
            Event::StepFailed(place, failure.clone())
        }
    }
}

/// The template says that such a refusal passes, and there are tries left.
fn may_pass(step: &Step, failure: &Failure) -> bool {
    let retry = &step.definition().retry;
    retry.reasons.contains(&failure.reason) && step.attempts < retry.attempts
}

/// A refusal after the point of no return ends nothing: it is tried again, and a person should look.
fn cannot_go_back(order: &Order, place: Place) -> bool {
    place
        .business_order
        .is_some_and(|index| order.business_orders[index].is_past_point_of_no_return())
}

/// A call that said that it was under way does not say in time how it ended: a person should look, and it is asked for, by the
/// call that asks or else by the same call again.
pub(crate) fn overdue(order: &Order, place: Place, now: Instant) -> Event {
    let step = order.step(place);
    // The first question follows at once, the others as usual.
    let is_first = step.state == StepState::Waiting;
    let next_at = if is_first { now } else { now.plus(step.ask_delay()) };
    let message = "it said that it was under way, and did not say in time how it ended";
    let failure = Failure::new(NEWS_OVERDUE, crate::error::DOMAIN, message);
    Event::StepUnknown { place, next_at, failure }
}

fn unknown(order: &Order, place: Place, failure: &Failure, now: Instant) -> Event {
    if order.step(place).is_overdue(now) {
        return overdue(order, place, now);
    }
    let next_at = now.plus(order.step(place).ask_delay());
    Event::StepUnknown { place, next_at, failure: failure.clone() }
}

fn settle_undo(order: &Order, place: Place, outcome: &Outcome, now: Instant) -> Event {
    let step = order.step(place);
    let again = |token: Option<String>, failure: Option<&Failure>| Event::UndoWaiting {
        place,
        token,
        next_at: now.plus(step.undo_retry_delay()),
        failure: failure.cloned(),
    };
    match outcome {
        Outcome::Succeeded(gain) => Event::StepUndone(place, gain.clone()),
        Outcome::Pending { token, .. } => again(Some(token.clone()), None),
        Outcome::NeverArrived(failure) => again(None, Some(failure)),
        Outcome::NotAttempted(failure) | Outcome::Unknown(failure) => {
            again(step.token.clone(), Some(failure))
        }
        Outcome::Declined(failure) => Event::UndoFailed {
            place,
            next_at: now.plus(STUCK_RETRY_DELAY),
            failure: failure.clone(),
        },
    }
}
