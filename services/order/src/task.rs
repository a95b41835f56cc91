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
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) escalated_at: Option<Instant>,
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

throughline_kit::define_texts!(Decision {
    Retry: "RETRY",
    Skip: "SKIP",
    Branch: "BRANCH",
    Whole: "WHOLE",
});
