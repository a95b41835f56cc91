//! One business of a customer order, delivered by one template.

use serde::{Deserialize, Serialize};
use throughline_kit::money::Money;

use crate::failure::Failure;
use crate::step::{Step, StepState};

throughline_kit::define_id!(
    /// Id of a business order.
    BusinessOrderId,
    "bo"
);

/// How a business order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BusinessOrderState {
    /// The order is not yet ready to deliver.
    Planned,
    /// Waits for others.
    Blocked,
    /// Being delivered.
    Running,
    /// Delivered.
    Done,
    /// A step failed; what is open ends, then the rest is undone.
    Failed,
    /// Ended without having run.
    Cancelled,
    /// Being undone.
    Compensating,
    /// Undone.
    Compensated,
    /// An undo was refused.
    Stuck,
}

/// One business order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BusinessOrder {
    /// Id.
    pub(crate) id: BusinessOrderId,
    /// Template.
    pub(crate) template: String,
    /// How it stands.
    pub(crate) state: BusinessOrderState,
    /// Lines, sorted.
    pub(crate) item_keys: Vec<String>,
    /// Indexes of business orders that must be done first, and without which it makes no sense.
    pub(crate) requires: Vec<usize>,
    /// Indexes of business orders that must have ended first.
    pub(crate) after: Vec<usize>,
    /// Its steps in the order in which they run.
    pub(crate) steps: Vec<Step>,
    /// Its share of what is paid once.
    pub(crate) charge: Money,
    /// Why it failed.
    pub(crate) failure: Option<Failure>,
}

impl BusinessOrder {
    /// It will not change by itself any more, but for a cancel of the order.
    pub(crate) fn has_ended(&self) -> bool {
        match self.state {
            BusinessOrderState::Done | BusinessOrderState::Compensated => true,
            BusinessOrderState::Cancelled => !self.has_work_to_undo(),
            BusinessOrderState::Planned
            | BusinessOrderState::Blocked
            | BusinessOrderState::Running
            | BusinessOrderState::Failed
            | BusinessOrderState::Compensating
            | BusinessOrderState::Stuck => false,
        }
    }

    /// It is on its way out: cancelled, failed or being undone.
    pub(crate) fn is_withdrawn(&self) -> bool {
        match self.state {
            BusinessOrderState::Failed
            | BusinessOrderState::Cancelled
            | BusinessOrderState::Compensating
            | BusinessOrderState::Compensated
            | BusinessOrderState::Stuck => true,
            BusinessOrderState::Planned
            | BusinessOrderState::Blocked
            | BusinessOrderState::Running
            | BusinessOrderState::Done => false,
        }
    }

    /// Something that was done for it still stands, or is being undone.
    pub(crate) fn has_work_to_undo(&self) -> bool {
        self.steps.iter().any(|step| {
            step.needs_undo() || matches!(step.state, StepState::Undoing | StepState::UndoFailed)
        })
    }

    /// It did something that cannot be undone: it is carried to its end, whatever is asked.
    pub(crate) fn is_past_point_of_no_return(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.state == StepState::Succeeded && step.capability.is_final())
    }

    /// It may still be withdrawn: nothing that cannot be undone has happened or is on its way.
    pub(crate) fn can_be_withdrawn(&self) -> bool {
        !self.steps.iter().any(|step| {
            step.capability.is_final() && (step.state == StepState::Succeeded || step.is_open())
        })
    }

    /// Has one of its own steps ever started?
    pub(crate) fn has_run(&self) -> bool {
        self.steps.iter().any(|step| step.attempts > 0)
    }
}
