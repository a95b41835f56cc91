//! What a simulator refuses, one variant per thing that a caller can act on.

use throughline_kit::error::{Error, Kind};

use crate::method::{Method, System};
use crate::operation::State;

/// Domain of the control service; the systems speak in their own names.
pub(crate) const DOMAIN: &str = "simulator";

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It plays dead; nothing happened.
    #[error("the {} simulator is down by rule; nothing happened, try again", .0.name())]
    SystemDown(System),
    /// It never answers; something may have happened.
    #[error("the {} simulator did not answer", .0.name())]
    NoAnswer(System),
    /// The operation never arrived.
    #[error("no operation {reference:?} ever arrived at the {} simulator", system.name())]
    ReferenceNotFound { system: System, reference: String },
    /// One reference for two operations.
    #[error("was used for {} before; every operation needs a reference of its own", first.name())]
    ReferenceTaken { field: &'static str, first: Method },
    /// The charge never arrived.
    #[error("no charge {0:?} ever arrived; charge first")]
    ChargeNotFound(String),
    /// The charge is not authorised, captured before, or too small.
    #[error(
        "charge {charge_reference:?} cannot be captured so: it is {}, captured {captured_minor}; \
         capture an authorised charge once, in its currency, up to its amount",
        state.as_str()
    )]
    NotCapturable { charge_reference: String, state: State, captured_minor: i64 },
    /// Somebody else changed the operation between reading and writing.
    #[error("operation {0:?} changed meanwhile; try again")]
    Conflict(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let paychannel = System::Paychannel.name();
        match refusal {
            Refusal::SystemDown(system) => {
                Self::new(Kind::Unavailable, system.name(), "SYSTEM_DOWN", message)
            }
            Refusal::NoAnswer(system) => {
                Self::new(Kind::OutcomeUnknown, system.name(), "OUTCOME_UNKNOWN", message)
            }
            Refusal::ReferenceNotFound { system, reference } => {
                Self::new(Kind::NotFound, system.name(), "REFERENCE_NOT_FOUND", message)
                    .with("reference", reference)
            }
            Refusal::ReferenceTaken { field, first } => {
                let mut error = Self::new(
                    Kind::Invalid,
                    first.system().name(),
                    "FIELD_INVALID",
                    "1 field(s) are not as the contract says",
                );
                error.fields.push((field.to_owned(), message));
                error
            }
            Refusal::ChargeNotFound(reference) => {
                Self::new(Kind::NotFound, paychannel, "CHARGE_NOT_FOUND", message)
                    .with("charge_reference", reference)
            }
            Refusal::NotCapturable { charge_reference, state, captured_minor } => {
                Self::new(Kind::Precondition, paychannel, "NOT_CAPTURABLE", message)
                    .with("charge_reference", charge_reference)
                    .with("state", state.as_str())
                    .with("captured_minor", captured_minor)
            }
            Refusal::Conflict(reference) => {
                Self::new(Kind::Unavailable, DOMAIN, "CONFLICT", message)
                    .with("reference", reference)
            }
        }
    }
}
