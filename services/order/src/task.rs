//! Work of a person that an order waits for.

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

throughline_kit::define_id!(
    /// Id of a manual task.
    TaskId,
    "tsk"
);

/// Group that decides about failures where the template names none.
pub(crate) const DEFAULT_GROUP: &str = "back-office";

/// Why a task is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskKind {
    /// The step is a person's work.
    Step,
    /// The step failed, and a person decides how to go on.
    Decision,
}

/// One task, kept with its step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Id.
    pub(crate) id: TaskId,
    /// Why it is there.
    pub(crate) kind: TaskKind,
    /// Group that does it.
    pub(crate) group: String,
    /// Who has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claimed_by: Option<String>,
    /// Since when.
    pub(crate) opened_at: Instant,
    /// It was not done in time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) escalated: bool,
}

/// What a person decides about a step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Try it again, as a new request.
    Retry,
    /// Go on without it.
    Skip,
    /// Undo the business order and those that depend on it.
    Branch,
    /// Undo the whole order.
    Whole,
}

impl Decision {
    /// All, as they stand in the form.
    pub(crate) const TEXTS: [(Self, &'static str); 4] = [
        (Self::Retry, "RETRY"),
        (Self::Skip, "SKIP"),
        (Self::Branch, "BRANCH"),
        (Self::Whole, "WHOLE"),
    ];

    /// As it stands in the form.
    pub(crate) fn as_str(self) -> &'static str {
        let found = Self::TEXTS.iter().find(|(decision, _)| *decision == self);
        found.map(|(_, text)| *text).expect("every decision is in the table")
    }

    /// Reads a decision from the form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::TEXTS.iter().find(|(_, known)| *known == text).map(|(decision, _)| *decision)
    }
}
