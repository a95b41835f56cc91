//! What can go wrong with a webhook, as a caller can act on it.

use throughline_kit::error::{Error, Kind};

use crate::error::DOMAIN;

/// One variant for each thing that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebhookError {
    /// No such webhook, or it belongs to another channel.
    #[error("no webhook {0} that this caller may see")]
    NotFound(String),
    /// No such delivery, or it belongs to another channel.
    #[error("no delivery {0} that this caller may see; deliveries are kept for 30 days")]
    DeliveryNotFound(String),
    /// Nothing is sent to this URL.
    #[error("nothing is sent to {url}: {why}")]
    UrlRefused {
        /// As it was asked for.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Its receiver is gone.
    #[error(
        "webhook {0} is DISABLED: its receiver answered 410 Gone; resume it or set another url"
    )]
    Disabled(String),
}

impl From<WebhookError> for Error {
    fn from(error: WebhookError) -> Self {
        let message = error.to_string();
        let make = |kind, reason| Self::new(kind, DOMAIN, reason, message.clone());
        match error {
            WebhookError::NotFound(id) => {
                make(Kind::NotFound, "WEBHOOK_NOT_FOUND").with("webhook", id)
            }
            WebhookError::DeliveryNotFound(id) => {
                make(Kind::NotFound, "DELIVERY_NOT_FOUND").with("delivery", id)
            }
            WebhookError::UrlRefused { url, why } => {
                make(Kind::Invalid, "WEBHOOK_URL_REFUSED").with("url", url).with("why", why)
            }
            WebhookError::Disabled(id) => make(Kind::Precondition, "WEBHOOK_DISABLED")
                .with("webhook", id)
                .with("state", "DISABLED"),
        }
    }
}
