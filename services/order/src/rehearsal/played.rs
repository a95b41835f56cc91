//! What each step would do, and how long the whole would take.

use std::time::Duration;

use throughline_kit::clock::{Instant, span_to_proto};
use throughline_proto::order::v1 as proto;

use crate::facts::OrderFacts;
use crate::order::{Order, Place};
use crate::step::Step;
use crate::template::{Activity, StepWork};

/// Steps that were played, with when each would end.
#[derive(Debug, Default)]
pub(super) struct Played {
    steps: Vec<One>,
    unmeasured: bool,
}

/// One step that was played.
#[derive(Debug)]
struct One {
    played: proto::SimulatedStep,
    /// What the platform only undoes is no step of the template.
    is_own: bool,
    after: Vec<usize>,
    ends: (Duration, Duration),
}

impl Played {
    /// Adds a step after those that it comes after. One that was never measured is counted as taking no time.
    pub(super) fn add(
        &mut self,
        step: &Step,
        mut played: proto::SimulatedStep,
        median: Option<Duration>,
        p90: Option<Duration>,
    ) {
        let before = step.after.iter().map(|before| self.steps[*before].ends);
        let begins = before.fold((Duration::ZERO, Duration::ZERO), |latest, end| {
            (latest.0.max(end.0), latest.1.max(end.1))
        });
        played.start_offset = Some(span_to_proto(begins.0));
        let mut ends = begins;
        let is_own = !step.activity().is_some_and(Activity::is_only_undone);
        if played.runs && is_own {
            self.unmeasured |= median.is_none();
            played.median_duration = median.map(span_to_proto);
            played.p90_duration = p90.map(span_to_proto);
            ends.0 += median.unwrap_or_default();
            ends.1 += p90.unwrap_or_default();
        }
        self.steps.push(One { played, is_own, after: step.after.to_vec(), ends });
    }

    /// Whether a step would run.
    pub(super) fn runs(&self, index: usize) -> bool {
        self.steps[index].played.runs
    }

    /// All, in the order in which they would begin.
    pub(super) fn answer(mut self) -> proto::SimulateTemplateResponse {
        self.mark_critical();
        let unmeasured = self.unmeasured;
        let last = |of: fn(&One) -> Duration| {
            let longest = self.steps.iter().map(of).max().filter(|_| !unmeasured);
            longest.map(span_to_proto)
        };
        let (median_duration, p90_duration) = (last(|one| one.ends.0), last(|one| one.ends.1));
        let own = self.steps.into_iter().filter(|one| one.is_own);
        let mut steps: Vec<proto::SimulatedStep> = own.map(|one| one.played).collect();
        // Those that begin together stay as they stand in the template.
        steps.sort_by_key(|step| {
            step.start_offset.as_ref().map(|span| (span.seconds, span.nanos)).unwrap_or_default()
        });
        let failure = None;
        proto::SimulateTemplateResponse { steps, median_duration, p90_duration, failure }
    }

    /// Marks the way that takes the longest by the medians: from the step that ends last, back over the one before that it waits
    /// for the longest.
    fn mark_critical(&mut self) {
        let mut at = (0..self.steps.len()).max_by_key(|index| self.steps[*index].ends.0);
        while let Some(index) = at {
            let One { played, after, .. } = &mut self.steps[index];
            played.critical = played.runs && played.median_duration.is_some();
            let before = std::mem::take(after);
            at = before.into_iter().max_by_key(|index| self.steps[*index].ends.0);
        }
    }
}

/// What one step would do.
pub(super) fn simulated(order: &Order, place: Place, now: Instant) -> proto::SimulatedStep {
    let step: &Step = order.step(place);
    let definition = step.definition();
    let facts = OrderFacts::new(order, place, now);
    let mut played = proto::SimulatedStep {
        step_id: step.id.to_string(),
        runs: true,
        ..proto::SimulatedStep::default()
    };
    match definition.when.as_ref().map(|when| when.bool(&facts)) {
        Some(Ok(false)) => {
            played.runs = false;
            played.note = "its condition does not hold".to_owned();
            return played;
        }
        Some(Err(cause)) => played.note = cause.to_string(),
        Some(Ok(true)) | None => {}
    }
    match &definition.work {
        StepWork::Call(call) => match call.request(&facts) {
            Ok(request) => {
                played.request = serde_json::to_string(&request).unwrap_or_default();
                played.note = format!("calls {}", call.method());
            }
            Err(cause) => played.note = cause.to_string(),
        },
        StepWork::Wait(wait) => played.note = format!("waits for {}", wait.event),
        StepWork::Timer(_) => played.note = "lets time pass".to_owned(),
        StepWork::Manual(manual) => played.note = format!("a task of {}", manual.group),
        StepWork::Activity(activity) => played.note = format!("calls {}", activity.method()),
    }
    played
}
