//! Where the steps of live orders stand for longer than a call takes, and which of them are late: what monitors count.

use throughline_kit::clock::Instant;

use crate::order::{Order, Place};
use crate::step::{NEWS_OVERDUE, SlaState, Step, StepState};

/// Reason of a wait whose event was not heard in time.
pub(crate) const WAIT_TIMED_OUT: &str = "WAIT_TIMED_OUT";
/// Reason of a person's work that was not done in time.
pub(crate) const TASK_TIMED_OUT: &str = "TASK_TIMED_OUT";

/// How late a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// Longer than its service level warns of.
    Warned,
    /// Longer than its service level allows.
    Breached,
    /// Its time is up: an event was not heard, a person did not act, a call did not say how it ended.
    TimedOut,
}

throughline_kit::define_texts!(Lateness {
    Warned: "WARNED",
    Breached: "BREACHED",
    TimedOut: "TIMED_OUT",
});

/// What a monitor counts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// How it stands.
    State(StepState),
    /// How late it is.
    Lateness(Lateness),
}

/// One thing that a monitor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The step.
    pub(crate) place: Place,
    /// What is counted.
    pub(crate) aspect: Aspect,
    /// When the step began, or since when it is late.
    pub(crate) since: Instant,
}

/// Notes whether the positions of an order differ from those before a change of it.
pub(crate) fn note(before: &Order, order: &mut Order) {
    order.positions_changed |= !positions(before).eq(positions(order));
}

/// All that monitors count of an order; nothing once it has ended.
pub(crate) fn positions(order: &Order) -> impl Iterator<Item = Position> {
    let live = order.places().filter(|_| order.ended_at.is_none());
    live.flat_map(|(place, step)| {
        let stands = is_lasting(step).then(|| {
            let since = step.started_at.unwrap_or(order.created_at);
            Position { place, aspect: Aspect::State(step.state), since }
        });
        let late = lateness(step).map(|(lateness, since)| {
            let aspect = Aspect::Lateness(lateness);
            Position { place, aspect, since }
        });
        stands.into_iter().chain(late)
    })
}

/// It may stand so for long: it waits for somebody, for a time, or for another try. A call that is out does not: it ends within
/// its timeout.
fn is_lasting(step: &Step) -> bool {
    crate::mark::is_stuck_at(step) || (step.state == StepState::Undoing && step.next_at.is_some())
}

/// How late a step is, and since when.
fn lateness(step: &Step) -> Option<(Lateness, Instant)> {
    if let Some(since) = timed_out_at(step) {
        return Some((Lateness::TimedOut, since));
    }
    // What has ended is late no more; what failed is, while a person decides about it.
    if !step.is_open() && !step.awaits_decision() {
        return None;
    }
    let (sla, started) = step.definition().sla.as_ref().zip(step.started_at)?;
    match step.sla {
        SlaState::Kept => None,
        SlaState::Warned => Some((Lateness::Warned, started.plus(sla.warn))),
        SlaState::Breached => Some((Lateness::Breached, started.plus(sla.breach))),
    }
}

fn timed_out_at(step: &Step) -> Option<Instant> {
    match step.state {
        StepState::Unknown if step.has_failed_with(NEWS_OVERDUE) => step.deadline,
        StepState::Waiting => step.task.as_ref().and_then(|task| task.escalated_at),
        StepState::Failed => {
            let reasons = [WAIT_TIMED_OUT, TASK_TIMED_OUT];
            step.ended_at.filter(|_| reasons.iter().any(|reason| step.has_failed_with(reason)))
        }
        StepState::Scheduled
        | StepState::Running
        | StepState::Retrying
        | StepState::Unknown
        | StepState::Succeeded
        | StepState::Skipped
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => None,
    }
}
