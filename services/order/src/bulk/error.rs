//! What a bulk can refuse, as a caller can act on it.

use throughline_kit::error::{Error, Kind};

use super::BulkState;
use crate::error::DOMAIN;

/// One variant for each thing that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BulkError {
    /// No such bulk.
    #[error("no bulk {0}; those that ended more than 90 days ago are forgotten")]
    NotFound(String),
    /// Other orders match than the preview counted.
    #[error(
        "{matched} order(s) match now, {expected} were expected with a tolerance of {tolerance}; preview again"
    )]
    FilterChanged {
        /// Orders that the preview counted.
        expected: i64,
        /// Orders that match now.
        matched: i64,
        /// By how many the two may differ.
        tolerance: i64,
    },
    /// It has ended.
    #[error("bulk {0} is {state}; nothing of it can be changed any more", state = .1.as_str())]
    Ended(String, BulkState),
    /// The step has gone on.
    #[error("no step {0} of the order waits, is tried again, or has failed and is decided about")]
    StepNotWaiting(String),
    /// The exception is over.
    #[error("the order has no exception {0} any more")]
    ExceptionGone(String),
    /// Nothing is to be decided.
    #[error("no decision about a failure is open in the order")]
    NoOpenDecision,
}

impl From<BulkError> for Error {
    fn from(error: BulkError) -> Self {
        let message = error.to_string();
        let make = |kind, reason| Self::new(kind, DOMAIN, reason, message.clone());
        match error {
            BulkError::NotFound(id) => make(Kind::NotFound, "BULK_NOT_FOUND").with("bulk", id),
            BulkError::FilterChanged { expected, matched, tolerance } => {
                make(Kind::Precondition, "BULK_FILTER_CHANGED")
                    .with("expected", expected)
                    .with("matched", matched)
                    .with("tolerance", tolerance)
            }
            BulkError::Ended(id, state) => make(Kind::Precondition, "BULK_ENDED")
                .with("bulk", id)
                .with("state", state.as_str()),
            BulkError::StepNotWaiting(step) => {
                make(Kind::Precondition, "STEP_NOT_WAITING").with("step", step)
            }
            BulkError::ExceptionGone(signature) => {
                make(Kind::Precondition, "EXCEPTION_GONE").with("exception", signature)
            }
            BulkError::NoOpenDecision => make(Kind::Precondition, "DECISION_NOT_OPEN"),
        }
    }
}
