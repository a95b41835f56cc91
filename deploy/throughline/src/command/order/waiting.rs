//! What a step waits for, or why it went wrong, in a few words.

use throughline_proto::order::v1::{Failure, Step, StepKind, StepState, Task};

use crate::console::date_time;

/// Says of a step what a person wants to know next; empty where all is as it should be.
pub(super) fn of(step: &Step, task: Option<&Task>) -> String {
    let mut said: Vec<String> = Vec::new();
    if step.held {
        said.push("paused".to_owned());
    }
    said.extend(awaited(step, task));
    if step.generation > 1 {
        said.push(format!("run {}", step.generation));
    }
    if step.sla_breached {
        said.push("slower than promised".to_owned());
    } else if step.sla_warned {
        said.push("slow".to_owned());
    }
    said.join(", ")
}

fn awaited(step: &Step, task: Option<&Task>) -> Option<String> {
    let why = step.failure.as_ref().map(reason).unwrap_or_default();
    let next = || date_time(step.next_attempt_time.as_ref());
    match step.state() {
        StepState::Waiting => Some(whom(step, task)),
        StepState::Retrying => Some(format!("again at {}: {why}", next())),
        StepState::Unknown => Some(format!("asked about at {}: {why}", next())),
        StepState::UndoFailed => Some(format!("a person to undo it: {why}")),
        StepState::Failed if !step.task_id.is_empty() => {
            Some(format!("a decision, {}: {why}", step.task_id))
        }
        StepState::Running => Some("an answer".to_owned()),
        StepState::Undoing => Some("its undo".to_owned()),
        StepState::Failed | StepState::Undone | StepState::Skipped => {
            Some(why).filter(|why| !why.is_empty())
        }
        StepState::Unspecified | StepState::Scheduled | StepState::Succeeded => None,
    }
}

fn whom(step: &Step, task: Option<&Task>) -> String {
    let whom = match step.kind() {
        StepKind::Manual => match task {
            Some(task) if task.claimed_by.is_empty() => {
                format!("a person of {}, {}", task.group, step.task_id)
            }
            Some(task) => format!("{}, {}", task.claimed_by, step.task_id),
            None => format!("a person, {}", step.task_id),
        },
        StepKind::Activity => "the payer".to_owned(),
        StepKind::Wait => "an event".to_owned(),
        StepKind::Timer => "its time".to_owned(),
        StepKind::Call | StepKind::Unspecified => "a late answer".to_owned(),
    };
    match &step.deadline {
        Some(deadline) => format!("{whom}, until {}", date_time(Some(deadline))),
        None => whom,
    }
}

/// A failure's reason and who said so.
pub(super) fn reason(failure: &Failure) -> String {
    match failure.domain.as_str() {
        "" => failure.reason.clone(),
        domain => format!("{} ({domain})", failure.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn step(state: StepState, kind: StepKind) -> Step {
        Step { state: state.into(), kind: kind.into(), generation: 1, ..Step::default() }
    }

    fn failed(step: Step) -> Step {
        let failure = Failure {
            reason: "NO_LINE".to_owned(),
            domain: "provisioning".to_owned(),
            message: String::new(),
        };
        Step { failure: Some(failure), ..step }
    }

    #[test]
    fn a_step_says_whom_or_what_it_waits_for() {
        let group = Task { group: "survey".to_owned(), ..Task::default() };
        let claimed = Task { claimed_by: "operator:anna".to_owned(), ..group.clone() };
        let manual = || Step {
            task_id: "tsk_1".to_owned(),
            deadline: at(86_400),
            ..step(StepState::Waiting, StepKind::Manual)
        };
        let until = "until 1970-01-02 00:00:00";
        for (step, task, expected) in [
            (manual(), Some(&group), format!("a person of survey, tsk_1, {until}")),
            (manual(), Some(&claimed), format!("operator:anna, tsk_1, {until}")),
            (step(StepState::Waiting, StepKind::Activity), None, "the payer".to_owned()),
            (step(StepState::Waiting, StepKind::Wait), None, "an event".to_owned()),
            (step(StepState::Waiting, StepKind::Call), None, "a late answer".to_owned()),
            (step(StepState::Succeeded, StepKind::Call), None, String::new()),
            (step(StepState::Scheduled, StepKind::Call), None, String::new()),
        ] {
            assert_eq!(of(&step, task), expected);
        }
    }

    #[test]
    fn a_step_that_went_wrong_says_why_and_what_happens_next() {
        let retrying =
            Step { next_attempt_time: at(1), ..step(StepState::Retrying, StepKind::Call) };
        let decided =
            Step { task_id: "tsk_1".to_owned(), ..step(StepState::Failed, StepKind::Call) };
        let slow = Step { held: true, generation: 2, sla_breached: true, ..retrying.clone() };
        let why = "NO_LINE (provisioning)";
        for (step, expected) in [
            (retrying, format!("again at 1970-01-01 00:00:01: {why}")),
            (decided, format!("a decision, tsk_1: {why}")),
            (step(StepState::UndoFailed, StepKind::Call), format!("a person to undo it: {why}")),
            (step(StepState::Failed, StepKind::Call), why.to_owned()),
            (
                slow,
                format!("paused, again at 1970-01-01 00:00:01: {why}, run 2, slower than promised"),
            ),
        ] {
            assert_eq!(of(&failed(step), None), expected);
        }
    }
}
