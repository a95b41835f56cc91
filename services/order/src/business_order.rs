//! One business of a customer order, delivered by one template.

use serde::{Deserialize, Serialize};
use throughline_kit::money::Money;

use crate::failure::Failure;
use crate::flow::Pinned;
use crate::shared::Shared;
use crate::step::{Step, StepState};
use crate::template::FailurePolicy;

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
    /// May run, but for a pause.
    Ready,
    /// Being delivered.
    Running,
    /// Delivered.
    Done,
    /// A step failed; a person decides how to go on.
    Exception,
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

impl BusinessOrderState {
    /// As it is told to callers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Blocked => "BLOCKED",
            Self::Ready => "READY",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Exception => "EXCEPTION",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Compensating => "COMPENSATING",
            Self::Compensated => "COMPENSATED",
            Self::Stuck => "STUCK",
        }
    }
}

/// One business order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BusinessOrder {
    /// Id.
    pub(crate) id: BusinessOrderId,
    /// Template.
    pub(crate) template: Pinned,
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
    /// What its failure does to the rest, once it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<FailurePolicy>,
    /// Somebody asked to cancel it alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) withdrawn: bool,
    /// It must be taken back by a business order of its own, once it is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) to_reverse: bool,
    /// Template that takes it back when it is done beyond its point of no return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reversal: Option<Pinned>,
    /// Index of the business order that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reverses: Option<usize>,
    /// Index of the step from which it is run anew, while what ran after it is being undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rerun_from: Option<usize>,
}

impl BusinessOrder {
    /// It will not change by itself any more, but for a cancel of the order.
    pub(crate) fn has_ended(&self) -> bool {
        match self.state {
            BusinessOrderState::Done => !self.to_reverse,
            BusinessOrderState::Compensated => true,
            BusinessOrderState::Cancelled => !self.has_work_to_undo(),
            BusinessOrderState::Planned
            | BusinessOrderState::Blocked
            | BusinessOrderState::Ready
            | BusinessOrderState::Running
            | BusinessOrderState::Exception
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
            | BusinessOrderState::Ready
            | BusinessOrderState::Running
            | BusinessOrderState::Exception
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
        self.steps.iter().any(|step| step.state == StepState::Succeeded && step.is_final())
    }

    /// Something that cannot be undone is on its way: whether it happens decides whether it goes back at all.
    pub(crate) fn has_final_step_out(&self) -> bool {
        self.steps.iter().any(|step| step.is_final() && step.is_out())
    }

    /// It may still be withdrawn: nothing that cannot be undone has happened or is on its way.
    pub(crate) fn can_be_withdrawn(&self) -> bool {
        !self.is_past_point_of_no_return() && !self.has_final_step_out()
    }

    /// The business order that takes another back, once there is one.
    fn taken_back_by(all: &[Shared<Self>], index: usize) -> Option<&Self> {
        all.iter().find(|bo| bo.reverses == Some(index)).map(|bo| &**bo)
    }

    /// It cannot be withdrawn, but a business order of its own can take it back, and none does so yet.
    pub(crate) fn can_be_reversed(all: &[Shared<Self>], index: usize) -> bool {
        let this = &all[index];
        this.reversal.is_some()
            && !this.can_be_withdrawn()
            && !this.is_withdrawn()
            && !Self::is_reversed(all, index)
    }

    /// A business order of its own takes it back, or will.
    pub(crate) fn is_reversed(all: &[Shared<Self>], index: usize) -> bool {
        all[index].to_reverse || Self::taken_back_by(all, index).is_some()
    }

    /// It is being taken back, in either way, and not yet gone.
    pub(crate) fn is_being_taken_back(all: &[Shared<Self>], index: usize) -> bool {
        let this = &all[index];
        let by_another = || Self::taken_back_by(all, index).is_some_and(|bo| !bo.has_ended());
        this.to_reverse || (this.is_withdrawn() && !this.has_ended()) || by_another()
    }

    /// Its steps began, or could have begun: what ends before ends without anything to undo but its part of the whole.
    pub(crate) fn has_run(&self) -> bool {
        match self.state {
            BusinessOrderState::Planned
            | BusinessOrderState::Blocked
            | BusinessOrderState::Ready
            | BusinessOrderState::Cancelled => false,
            BusinessOrderState::Running
            | BusinessOrderState::Done
            | BusinessOrderState::Exception
            | BusinessOrderState::Failed
            | BusinessOrderState::Compensating
            | BusinessOrderState::Compensated
            | BusinessOrderState::Stuck => true,
        }
    }

    /// Those that need it done first, and that it comes after, in one.
    pub(crate) fn comes_after(&self, index: usize) -> bool {
        self.requires.contains(&index) || self.after.contains(&index)
    }

    /// The step and all that comes after it, by index: what a run from there runs anew.
    pub(crate) fn run_after(&self, from: usize) -> Vec<usize> {
        let mut anew = vec![from];
        // Steps stand after those that they come after, so one pass finds all.
        for (index, step) in self.steps.iter().enumerate() {
            if step.after.iter().any(|before| anew.contains(before)) && !anew.contains(&index) {
                anew.push(index);
            }
        }
        anew
    }

    /// Steps that need undo, the last that ended first: the reverse of how they ran.
    pub(crate) fn undo_order(steps: &[Step]) -> Vec<usize> {
        let mut done: Vec<usize> =
            (0..steps.len()).filter(|index| steps[*index].needs_undo()).collect();
        done.sort_by_key(|index| std::cmp::Reverse((steps[*index].ended_at, *index)));
        done
    }
}
