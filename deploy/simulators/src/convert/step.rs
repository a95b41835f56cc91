//! Answers of the systems that carry out steps of orders: provisioning, billing, logistics.

use throughline_proto::r#type::v1::OperationOutcome;

use crate::operation::{Operation, State};

/// Reason of an operation that was ended before it happened.
const ENDED_BEFORE: &str = "ENDED_BEFORE_IT_HAPPENED";

/// Writes outcome, reason and message, which all three contracts answer with.
pub(crate) fn answer(operation: &Operation) -> (i32, String, String) {
    let outcome = match operation.state {
        State::Succeeded => OperationOutcome::Succeeded,
        State::Declined | State::Cancelled => OperationOutcome::Declined,
        State::Pending => OperationOutcome::Pending,
    };
    (outcome.into(), reason(operation), sentence(operation))
}

/// Reason of a refusal; empty where there is none.
pub(crate) fn reason(operation: &Operation) -> String {
    match operation.state {
        State::Cancelled => ENDED_BEFORE.to_owned(),
        State::Pending | State::Succeeded | State::Declined => operation.reason.clone(),
    }
}

/// Sentence for a person; empty where there is nothing to say.
pub(crate) fn sentence(operation: &Operation) -> String {
    let (system, method) = (operation.method.system().name(), operation.method.name());
    match operation.state {
        State::Succeeded => String::new(),
        State::Declined => format!("{system} refuses {method}: {}", operation.reason),
        State::Cancelled => format!("{method} was ended before it happened"),
        State::Pending => format!("{method} is under way; a report follows"),
    }
}
