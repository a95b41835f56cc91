//! Reads one step.

use std::collections::BTreeSet;
use std::time::Duration;

use super::call::{self, Call, Role};
use super::expression;
use super::finding::Problem;
use super::place::Place;
use super::scope::{SavedNames, Variables};
use super::types::Type;
use super::{
    Activity, Kind, MAX_CALL_TIMEOUT, MAX_SPAN, MethodLookup, StepDefinition, StepWork, manual,
    wait,
};

mod shape;
mod trouble;

use shape::{Shape, WORKS};
use trouble::{on_failure, remind, retry, sla};

/// What reading a step needs to know about its template.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Capabilities.
    pub(super) lookup: &'a dyn MethodLookup,
    /// Kind of the template.
    pub(super) kind: Kind,
    /// What all steps keep.
    pub(super) saved: &'a SavedNames,
    /// Ids of the steps that have ended before this one begins.
    pub(super) before: &'a BTreeSet<String>,
}

impl<'a> Surroundings<'a> {
    fn variables(&self, before: &'a BTreeSet<String>) -> Variables<'a> {
        Variables {
            kind: self.kind,
            saved: self.saved,
            before,
            answer: None,
            form: None,
            event: false,
        }
    }
}

const KEYS: &[&str] = &[
    "id",
    "title",
    "milestone",
    "after",
    "when",
    "call",
    "wait",
    "timer",
    "manual",
    "activity",
    "timeout",
    "pending_timeout",
    "retry",
    "on_unknown",
    "undo",
    "substitute",
    "point_of_no_return",
    "puts_in_use",
    "on_failure",
    "on_failure_group",
    "sla",
    "remind",
];

/// Reads a step; its `after` is for the caller to fill in.
pub(super) fn read(
    place: &Place<'_>,
    id: &str,
    around: Surroundings<'_>,
) -> Option<StepDefinition> {
    place.allow(KEYS);
    let variables = around.variables(around.before);
    let title = place.get("title").map_or_else(|| Some(id.to_owned()), |place| place.text(200));
    let milestone = place.get("milestone").and_then(|place| place.text(200));
    let when = place.get("when").and_then(|p| expression::read(&p, &variables, &Type::Bool));
    if let (Some(when), Some(at)) = (&when, place.get("when"))
        && when.constant() == Some(super::Value::Bool(false))
    {
        let message = format!("step `{id}` never runs");
        at.report(Problem::new("STEP_UNREACHABLE", message, "remove the step or correct `when`"));
    }
    let work = work(place, around.lookup, &variables);
    let shape = Shape::of(place);
    shape.report_misplaced(place);
    let timeout = timeout(place, shape);
    // What undoes a step may read what the step itself kept.
    let done: BTreeSet<String> = around.before.iter().cloned().chain([id.to_owned()]).collect();
    let undo = undo(place, shape, around.lookup, &around.variables(&done));
    let other = |key: &str, role| {
        let place = place.get(key).filter(|_| shape == Shape::Call)?;
        call::read(&place, role, around.lookup, &variables)
    };
    Some(StepDefinition {
        id: id.to_owned(),
        title: title?,
        milestone,
        after: Vec::new(),
        when,
        on_unknown: other("on_unknown", Role::Ask),
        substitute: other("substitute", Role::Substitute),
        undo,
        timeout,
        pending_timeout: place.get("pending_timeout").and_then(|place| place.span(MAX_SPAN)),
        retry: place.get("retry").map(|place| retry(&place)).unwrap_or_default(),
        point_of_no_return: is_point_of_no_return(place),
        puts_in_use: place.get("puts_in_use").and_then(|place| place.flag()).unwrap_or(false),
        on_failure: on_failure(place),
        sla: place.get("sla").and_then(|place| sla(&place)),
        remind: remind(place, work.as_ref()),
        work: work?,
    })
}

const ACTIVITIES: &[(&str, Activity)] = &[
    ("prepare", Activity::Prepare),
    ("reserve", Activity::Reserve),
    ("pay", Activity::Pay),
    ("allocate", Activity::Allocate),
    ("restock", Activity::Restock),
    ("refund", Activity::Refund),
];

fn work(
    place: &Place<'_>,
    lookup: &dyn MethodLookup,
    variables: &Variables<'_>,
) -> Option<StepWork> {
    let found: Vec<&str> = WORKS.iter().copied().filter(|key| place.get(key).is_some()).collect();
    let [key] = found.as_slice() else {
        let message = match found.len() {
            0 => "the step does nothing".to_owned(),
            _ => format!("the step does more than one thing: {}", found.join(", ")),
        };
        let remedy = "give it exactly one of call, wait, timer, manual, activity";
        place.report(Problem::new("WORK_INVALID", message, remedy));
        return None;
    };
    let at = place.get(key)?;
    match *key {
        "call" => {
            let call = call::read(&at, Role::Work, lookup, variables)?;
            Some(StepWork::Call(Box::new(call)))
        }
        "wait" => wait::read_wait(&at, variables).map(StepWork::Wait),
        "timer" => wait::read_timer(&at, variables).map(StepWork::Timer),
        "manual" => manual::read(&at, variables).map(StepWork::Manual),
        _ => activity(&at, variables.kind).map(StepWork::Activity),
    }
}

fn activity(place: &Place<'_>, kind: Kind) -> Option<Activity> {
    let activity = place.choice(ACTIVITIES)?;
    if activity.kind() != kind {
        let of_kind = ACTIVITIES.iter().filter(|(_, activity)| activity.kind() == kind);
        let names: Vec<&str> = of_kind.map(|(name, _)| *name).collect();
        let message = "the activity belongs to the other kind of template";
        let remedy = format!("use one of: {}", names.join(", "));
        place.report(Problem::new("ACTIVITY_MISPLACED", message, remedy));
    }
    Some(activity)
}

fn timeout(place: &Place<'_>, shape: Shape) -> Option<Duration> {
    let longest = if shape == Shape::Call { MAX_CALL_TIMEOUT } else { MAX_SPAN };
    let found = place.get("timeout");
    if found.is_none() && matches!(shape, Shape::Call | Shape::Wait | Shape::Manual) {
        let message = "the step may take for ever";
        let remedy = "add `timeout:`, for a call of one attempt, otherwise of the whole";
        place.report(Problem::new("TIMEOUT_MISSING", message, remedy));
    }
    found?.span(longest)
}

fn is_point_of_no_return(place: &Place<'_>) -> bool {
    place.get("point_of_no_return").and_then(|place| place.flag()).unwrap_or(false)
}

fn undo(
    place: &Place<'_>,
    shape: Shape,
    lookup: &dyn MethodLookup,
    variables: &Variables<'_>,
) -> Option<Call> {
    let found = place.get("undo");
    let for_good = is_point_of_no_return(place);
    let Some(undo) = found else {
        if shape == Shape::Call && !for_good {
            let message = "nothing says how the step is undone";
            let remedy = "add `undo:` with a call, `undo: none`, or `point_of_no_return: true`";
            place.report(Problem::new("UNDO_MISSING", message, remedy));
        }
        return None;
    };
    if undo.raw() == Some("none") || shape.misplaced().contains(&"undo") {
        return None;
    }
    if for_good {
        let message = "what is a point of no return is not undone";
        let remedy = "remove `undo` or `point_of_no_return`";
        undo.report_key(Problem::new("UNDO_BESIDE_NO_RETURN", message, remedy));
    }
    call::read(&undo, Role::Undo, lookup, variables)
}
