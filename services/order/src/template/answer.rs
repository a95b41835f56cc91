//! What the answer of a call means.

use throughline_proto::prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value as ProtoValue,
};

use super::evaluate::{EvaluationFailed, Scope};
use super::expression::{self, Program};
use super::place::Place;
use super::save::Saved;
use super::scope::Variables;
use super::types::Type;

/// What a call, an event or a person brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Done.
    Succeeded {
        /// What the step keeps for later ones.
        saved: Saved,
    },
    /// Under way; a report follows.
    Pending,
    /// Refused.
    Declined {
        /// Why, UPPER_SNAKE.
        reason: String,
        /// Sentence for a person.
        message: String,
    },
}

/// Reason of a refusal that names none.
pub(super) const REASON_UNSAID: &str = "DECLINED";

/// How an answer is read.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Any answer means success.
    Any,
    /// The field `outcome` of the contract of outside systems decides.
    Outcome {
        /// The field.
        field: FieldDescriptor,
        /// Where it stands.
        path: String,
    },
    /// Expressions decide.
    Expressions {
        /// Done.
        succeeded: Box<Program>,
        /// Under way.
        pending: Option<Program>,
        /// Why not.
        reason: Option<Program>,
        /// Why not, as a sentence.
        message: Option<Program>,
    },
}

/// What an answer says before anything is kept.
pub(super) enum Said {
    /// Done.
    Succeeded,
    /// Under way.
    Pending,
    /// Refused, why, and why as a sentence.
    Declined(String, String),
}

const OUTCOME: &str = "throughline.type.v1.OperationOutcome";

impl Answer {
    /// Reads how the answer of a call is read.
    pub(super) fn read(
        call: &Place<'_>,
        descriptor: &MessageDescriptor,
        variables: &Variables<'_>,
    ) -> Option<Self> {
        let Some(place) = call.get("answer") else {
            let field = descriptor.get_field_by_name("outcome");
            let field = field.filter(
                |field| matches!(field.kind(), Kind::Enum(kind) if kind.full_name() == OUTCOME),
            );
            let path = format!("{}.answer", call.path());
            return Some(field.map_or(Self::Any, |field| Self::Outcome { field, path }));
        };
        place.allow(&["succeeded", "pending", "reason", "message"]);
        let read = |key: &str, wanted: &Type| {
            place.get(key).and_then(|place| expression::read(&place, variables, wanted))
        };
        let succeeded =
            place.need("succeeded").and_then(|p| expression::read(&p, variables, &Type::Bool));
        let pending = read("pending", &Type::Bool);
        let (reason, message) = (read("reason", &Type::String), read("message", &Type::String));
        Some(Self::Expressions { succeeded: Box::new(succeeded?), pending, reason, message })
    }

    /// What an answer says.
    pub(super) fn said(
        &self,
        scope: &Scope<'_>,
        answer: &DynamicMessage,
    ) -> Result<Said, EvaluationFailed> {
        match self {
            Self::Any => Ok(Said::Succeeded),
            Self::Outcome { field, path } => outcome(answer, field, path),
            Self::Expressions { succeeded, pending, reason, message } => {
                if scope.flag(succeeded)? {
                    return Ok(Said::Succeeded);
                }
                if let Some(pending) = pending
                    && scope.flag(pending)?
                {
                    return Ok(Said::Pending);
                }
                let text = |program: &Option<Program>| {
                    program.as_ref().map_or(Ok(String::new()), |program| scope.text(program))
                };
                Ok(Said::Declined(text(reason)?, text(message)?))
            }
        }
    }
}

fn outcome(
    answer: &DynamicMessage,
    field: &FieldDescriptor,
    path: &str,
) -> Result<Said, EvaluationFailed> {
    let number = answer.get_field(field).as_enum_number().unwrap_or_default();
    let name = match field.kind() {
        Kind::Enum(kind) => kind.get_value(number).map(|value| value.name().to_owned()),
        _ => None,
    };
    let text = |name: &str| match answer.get_field_by_name(name).as_deref() {
        Some(ProtoValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    match name.as_deref() {
        Some("OPERATION_OUTCOME_SUCCEEDED") => Ok(Said::Succeeded),
        Some("OPERATION_OUTCOME_PENDING") => Ok(Said::Pending),
        Some("OPERATION_OUTCOME_DECLINED") => Ok(Said::Declined(text("reason"), text("message"))),
        _ => Err(EvaluationFailed {
            path: path.to_owned(),
            message: format!("the answer says no outcome that is known ({number})"),
        }),
    }
}
