//! What the notification center refuses, one variant per thing that a caller can act on.

use throughline_kit::error::{Error, Kind};

use crate::phone::InvalidPhone;

/// Domain of this center's errors.
pub(crate) const DOMAIN: &str = "notification";

/// A refusal. None of them says to whom a message was to go, or what it was to say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no notification {id}")]
    NotificationNotFound { id: String },
    #[error("there is no template {code}; ListTemplates has those that there are")]
    TemplateNotFound { code: String },
    #[error("template {template} needs variables that are not given: {}", names.join(", "))]
    VariableMissing { template: String, names: Vec<String> },
    #[error("recipient_phone {0}")]
    RecipientInvalid(InvalidPhone),
    #[error("max_queued_notifications of {max} is reached")]
    TooManyQueued { max: usize },
}

impl Refusal {
    fn kind_and_reason(&self) -> (Kind, &'static str) {
        match self {
            Self::NotificationNotFound { .. } => (Kind::NotFound, "NOTIFICATION_NOT_FOUND"),
            Self::TemplateNotFound { .. } => (Kind::NotFound, "TEMPLATE_NOT_FOUND"),
            Self::VariableMissing { .. } => (Kind::Invalid, "TEMPLATE_VARIABLE_MISSING"),
            Self::RecipientInvalid(_) => (Kind::Invalid, "RECIPIENT_INVALID"),
            Self::TooManyQueued { .. } => (Kind::Exhausted, "LIMIT_REACHED"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (kind, reason) = refusal.kind_and_reason();
        let mut error = Self::new(kind, DOMAIN, reason, refusal.to_string());
        match refusal {
            Refusal::NotificationNotFound { id } => error.with("notification_id", id),
            Refusal::TemplateNotFound { code } => error.with("template_code", code),
            Refusal::VariableMissing { template, names } => {
                error.fields = names
                    .iter()
                    .map(|name| (format!("variables[{name}]"), "is required".to_owned()))
                    .collect();
                error.with("template_code", template).with("variables", names.join(","))
            }
            Refusal::RecipientInvalid(cause) => {
                error.fields = vec![("recipient_phone".to_owned(), cause.to_string())];
                error
            }
            Refusal::TooManyQueued { max } => Self::limit(DOMAIN, "max_queued_notifications", max),
        }
    }
}
