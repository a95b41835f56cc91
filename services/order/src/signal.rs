//! Events from outside that steps wait for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::order::{Order, Place};
use crate::step::{Step, StepState};
use crate::template::StepWork;

/// Events that an order keeps for steps that do not wait yet.
pub(crate) const MAX_KEPT_EVENTS: usize = 64;

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signal {
    /// "construction.finished".
    pub(crate) event: String,
    /// What it says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) data: BTreeMap<String, String>,
    /// Only a step of this business order, by index, waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) business_order: Option<usize>,
}

impl Signal {
    /// The step waits, or will wait, for this event.
    pub(crate) fn suits(&self, place: Place, step: &Step) -> bool {
        let StepWork::Wait(wait) = &step.definition().work else { return false };
        let is_theirs = self.business_order.is_none_or(|index| place.business_order == Some(index));
        is_theirs && (wait.event == self.event || wait.refused_by.contains(&self.event))
    }

    /// The event refuses what the step waits for.
    pub(crate) fn refuses(&self, step: &Step) -> bool {
        match &step.definition().work {
            StepWork::Wait(wait) => wait.refused_by.contains(&self.event),
            StepWork::Call(_)
            | StepWork::Timer(_)
            | StepWork::Manual(_)
            | StepWork::Activity(_) => false,
        }
    }
}

impl Order {
    /// The step that waits for the event now.
    pub(crate) fn waiting_for(&self, signal: &Signal) -> Option<Place> {
        let waits = |(place, step): &(Place, &Step)| {
            step.state == StepState::Waiting && signal.suits(*place, step)
        };
        self.places().find(waits).map(|(place, _)| place)
    }
}
