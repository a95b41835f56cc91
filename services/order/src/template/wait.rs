//! Steps that wait: for an event of the order, or for time to pass.

use std::time::Duration;

use super::MAX_SPAN;
use super::answer::Reading;
use super::evaluate::{EvaluationFailed, Given, Scope};
use super::expression::{self, Program};
use super::facts::Facts;
use super::finding::Problem;
use super::place::Place;
use super::save::Saves;
use super::scope::Variables;
use super::types::Type;
use super::value::Value;

/// Events that refuse one step at most.
const MAX_REFUSING: usize = 16;

/// Waits for an event of the order.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// Type of the event that ends it well.
    pub(crate) event: String,
    /// Types of events that refuse it.
    pub(crate) refused_by: Vec<String>,
    save: Saves,
}

impl Wait {
    /// What the event keeps for later steps.
    pub(crate) fn read(
        &self,
        facts: &dyn Facts,
        event: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Reading, EvaluationFailed> {
        let event = Value::from_json(&serde_json::Value::Object(event.clone()));
        let scope = Scope::new(facts, Given { event: Some(event), ..Given::default() });
        Ok(Reading::Succeeded { saved: self.save.evaluate(&scope)? })
    }
}

/// Reads a wait.
pub(super) fn read_wait(place: &Place<'_>, variables: &Variables<'_>) -> Option<Wait> {
    place.allow(&["event", "refused_by", "save"]);
    let event = place.need("event").and_then(|place| place.word(64));
    let refusing = place.get("refused_by").map(|place| (place.items(), place));
    let mut refused_by = Vec::new();
    if let Some((items, place)) = refusing {
        if items.len() > MAX_REFUSING {
            let message = format!("{MAX_REFUSING} events refuse a step at most");
            place.report(Problem::new("LIST_TOO_LONG", message, "name fewer"));
        }
        refused_by.extend(items.iter().filter_map(|item| item.word(64)));
    }
    let save = Saves::read(place.get("save"), &Variables { event: true, ..*variables });
    Some(Wait { event: event?, refused_by, save })
}

/// Lets time pass.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    /// So long.
    For(Duration),
    /// Until then; null means that it is over at once.
    Until(Program),
}

/// Reads a timer.
pub(super) fn read_timer(place: &Place<'_>, variables: &Variables<'_>) -> Option<Timer> {
    place.allow(&["for", "until"]);
    match (place.get("for"), place.get("until")) {
        (Some(span), None) => span.span(MAX_SPAN).map(Timer::For),
        (None, Some(until)) => {
            expression::read(&until, variables, &Type::Timestamp).map(Timer::Until)
        }
        _ => {
            let message = "a timer says `for` or `until`, one of both";
            let problem =
                Problem::new("TIMER_INVALID", message, "write { for: 24h } or { until: … }");
            place.report(problem);
            None
        }
    }
}
