//! Times that pass: deadlines of what waits, and service levels.

use throughline_kit::clock::Instant;

use crate::decide;
use crate::event::{Event, Gain};
use crate::failure::Failure;
use crate::order::{Order, Place};
use crate::position::{TASK_TIMED_OUT, WAIT_TIMED_OUT};
use crate::step::{SlaState, Step, StepState};
use crate::template::StepWork;

/// What a time that has passed makes happen.
pub(super) fn passed(order: &Order, now: Instant) -> Option<Vec<Event>> {
    let open = || order.places().filter(|(_, step)| step.is_open());
    let late = |(place, step): &(Place, &Step)| {
        step.waits_inside() && step.deadline.is_some_and(|at| at <= now) && !order.is_held(*place)
    };
    if let Some((place, step)) = open().find(late) {
        return Some(vec![deadline(place, step)]);
    }
    let overdue = |(place, step): &(Place, &Step)| {
        step.state == StepState::Waiting && step.is_overdue(now) && !order.is_held(*place)
    };
    if let Some((place, _)) = open().find(overdue) {
        return Some(vec![decide::overdue(order, place, now)]);
    }
    let late = open().find_map(|(place, step)| {
        let sla = sla(step, now);
        (sla > step.sla).then(|| vec![Event::SlaPassed { place, sla }])
    });
    late.or_else(|| {
        let due = |(place, step): &(Place, &Step)| {
            step.next_reminder().is_some_and(|at| at <= now) && !order.is_held(*place)
        };
        let is_wanted = order.is_wanted() && order.dismissal.is_none();
        let (place, _) = open().find(due).filter(|_| is_wanted)?;
        Some(vec![Event::StepReminded(place)])
    })
}

fn deadline(place: Place, step: &Step) -> Event {
    let failed = |reason: &str, message: &str| {
        Event::StepFailed(place, Failure::new(reason, crate::error::DOMAIN, message))
    };
    match (&step.definition().work, &step.task) {
        (StepWork::Timer(_), _) => Event::StepSucceeded(place, Gain::Nothing),
        (StepWork::Manual(manual), Some(task)) if !task.escalated => match &manual.escalate_to {
            Some(group) => Event::TaskEscalated { place, group: group.clone() },
            None => failed(TASK_TIMED_OUT, "nobody did the task in time"),
        },
        (StepWork::Manual(_), _) => failed(TASK_TIMED_OUT, "nobody did the task in time"),
        (StepWork::Wait(wait), _) => {
            failed(WAIT_TIMED_OUT, &format!("{} was not heard in time", wait.event))
        }
        (StepWork::Call(_) | StepWork::Activity(_), _) => failed("UNEXPLAINED", "no such wait"),
    }
}

/// How an open step stands against its service level.
fn sla(step: &Step, now: Instant) -> SlaState {
    // What was promised is that it is done: undoing it is nothing that is late.
    let is_undone = matches!(step.state, StepState::Undoing | StepState::UndoFailed);
    let sla = step.definition().sla.as_ref().filter(|_| !is_undone);
    let (Some(sla), Some(started)) = (sla, step.started_at) else {
        return SlaState::Kept;
    };
    let passed = |span| started.plus(span) <= now;
    if passed(sla.breach) {
        SlaState::Breached
    } else if passed(sla.warn) {
        SlaState::Warned
    } else {
        SlaState::Kept
    }
}

/// The next time that makes something happen to an open step by itself.
pub(crate) fn next_time(step: &Step, now: Instant) -> Option<Instant> {
    let is_undone = matches!(step.state, StepState::Undoing | StepState::UndoFailed);
    let sla = step.definition().sla.as_ref().filter(|_| !is_undone);
    let sla = sla.zip(step.started_at).map(|(sla, started)| {
        let at = |span| Some(started.plus(span));
        match step.sla {
            SlaState::Kept => [at(sla.warn), at(sla.breach)],
            SlaState::Warned => [None, at(sla.breach)],
            SlaState::Breached => [None, None],
        }
    });
    let sla = sla.into_iter().flatten().flatten();
    let own = [step.next_at, step.deadline, step.next_reminder()];
    own.into_iter().flatten().chain(sla).filter(|at| *at > now).min()
}
