//! What a step does when it is late or fails.

use crate::template::finding::Problem;
use crate::template::place::Place;
use crate::template::{
    Activity, MAX_ATTEMPTS, MAX_REMINDERS, MAX_SPAN, MIN_REMINDER_SPAN, OnFailure, Remind, Retry,
    Sla, StepWork,
};

/// Reads when a step is tried again.
pub(super) fn retry(place: &Place<'_>) -> Retry {
    place.allow(&["attempts", "first", "longest", "reasons"]);
    let usual = Retry::default();
    let span = |key: &str| place.get(key).and_then(|place| place.span(MAX_SPAN));
    let first = span("first").unwrap_or(usual.first);
    let longest = span("longest").unwrap_or_else(|| usual.longest.max(first));
    if longest < first {
        let message = "the longest pause is shorter than the first";
        place.report(Problem::new("RETRY_INVALID", message, "make `longest` at least `first`"));
    }
    let attempts = place.get("attempts").and_then(|place| place.number(1..=MAX_ATTEMPTS));
    let reasons = place.get("reasons").map(|place| place.items()).unwrap_or_default();
    let reasons = reasons.iter().filter_map(|place| place.reason()).collect();
    Retry { attempts: attempts.unwrap_or(usual.attempts), first, longest, reasons }
}

#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Fail,
    Skip,
    Manual,
}

const CHOICES: &[(&str, Choice)] =
    &[("FAIL", Choice::Fail), ("SKIP", Choice::Skip), ("MANUAL", Choice::Manual)];

/// Reads what the failure of a step means.
pub(super) fn on_failure(place: &Place<'_>) -> OnFailure {
    let choice = place.get("on_failure").and_then(|place| place.choice(CHOICES));
    let group = place.get("on_failure_group");
    match (choice.unwrap_or(Choice::Fail), group) {
        (Choice::Manual, Some(group)) => {
            OnFailure::Manual { group: group.id(64).unwrap_or_default() }
        }
        (Choice::Manual, None) => {
            let message = "nobody is named who decides";
            let problem = Problem::new("KEY_MISSING", message, "add `on_failure_group:`");
            place.get("on_failure").as_ref().unwrap_or(place).report(problem);
            OnFailure::Fail
        }
        (_, Some(group)) => {
            let message = "a group decides only with `on_failure: MANUAL`";
            let remedy = "remove `on_failure_group` or change `on_failure`";
            group.report_key(Problem::new("KEY_MISPLACED", message, remedy));
            OnFailure::Fail
        }
        (Choice::Fail, None) => OnFailure::Fail,
        (Choice::Skip, None) => OnFailure::Skip,
    }
}

/// Reads when people hear that a step is late.
pub(super) fn sla(place: &Place<'_>) -> Option<Sla> {
    place.allow(&["warn", "breach"]);
    let warn = place.need("warn").and_then(|place| place.span(MAX_SPAN));
    let breach = place.need("breach").and_then(|place| place.span(MAX_SPAN));
    let (warn, breach) = (warn?, breach?);
    if breach < warn {
        let message = "the promise breaks before anybody is warned";
        place.report(Problem::new("SLA_INVALID", message, "make `breach` at least `warn`"));
    }
    Some(Sla { warn, breach })
}

/// Reads when somebody is reminded of what a step waits for.
pub(super) fn remind(step: &Place<'_>, work: Option<&StepWork>) -> Option<Remind> {
    let place = step.get("remind")?;
    if let Some(StepWork::Activity(activity)) = work
        && *activity != Activity::Pay
    {
        let message = "nobody can be reminded: the step waits for no person";
        let remedy = "remove `remind`, or put it on the step that pays";
        place.report_key(Problem::new("KEY_MISPLACED", message, remedy));
    }
    place.allow(&["every", "most"]);
    let every = place.need("every").and_then(|place| place.span(MAX_SPAN));
    let most = place.need("most").and_then(|place| place.number(1..=MAX_REMINDERS));
    let (every, most) = (every?, most?);
    if every < MIN_REMINDER_SPAN {
        let message = "reminders come too often to be read";
        place.report(Problem::new("REMIND_INVALID", message, "make `every` at least 1m"));
    }
    Some(Remind { every, most })
}
