//! What can be refused, one variant per thing that a caller can act on.

use std::time::Duration;

use throughline_kit::error::{Error, Kind};
use throughline_kit::money::{Currency, Money};

use crate::attempt::AttemptId;
use crate::payment_order::{PaymentOrderId, State};

/// Center that says so.
pub(crate) const DOMAIN: &str = "payment";
/// When asking again may help.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no payment order {payment_order_id}")]
    PaymentOrderNotFound { payment_order_id: String },
    #[error("there is no attempt {attempt_id}")]
    AttemptNotFound { attempt_id: String },
    #[error("there is no refund {refund_id}")]
    RefundNotFound { refund_id: String },
    #[error("reference {reference} belongs to no attempt and no refund")]
    ReferenceNotFound { reference: String },
    #[error("reference {reference} is taken by payment order {payment_order_id}")]
    ReferenceTaken { reference: String, payment_order_id: PaymentOrderId },
    #[error("there is no payment channel {channel:?}; use \"sandbox\" or \"counter\"")]
    ChannelUnknown { channel: String },
    #[error("payment order {payment_order_id} can no longer be paid; it is {}", state.as_str())]
    PaymentOrderClosed { payment_order_id: PaymentOrderId, state: State },
    #[error("payment order {payment_order_id} is captured already; it is {}", state.as_str())]
    AlreadyCaptured { payment_order_id: PaymentOrderId, state: State },
    #[error("attempt {attempt_id} has not ended; wait, resolve it, or close the payment order")]
    AttemptUnresolved { attempt_id: AttemptId, state: State },
    #[error("a payment order has at most {limit} attempts; close this one and make another")]
    TooManyAttempts { limit: usize },
    #[error("no attempt waits at the counter; the payment order is {}", state.as_str())]
    NoCounterAttempt { state: State },
    #[error("the payment order is in {owed}, the amount in {asked}")]
    CurrencyMismatch { owed: Currency, asked: Currency },
    #[error("{owed} is owed, not {asked}")]
    AmountMismatch { owed: Money, asked: Money },
    #[error("{asked} is more than the {capturable} that can be captured")]
    AmountExceedsCapturable { capturable: Money, asked: Money, state: State },
    #[error("{asked} is more than the {refundable} that can still be given back")]
    AmountExceedsRefundable {
        payment_order_id: PaymentOrderId,
        refundable: Money,
        asked: Money,
        state: State,
    },
    #[error("nobody knows yet whether payment order {payment_order_id} was captured; repeat")]
    CaptureUnknown { payment_order_id: PaymentOrderId },
    #[error("the channel refused: {decline_reason}")]
    ChannelDeclined { decline_reason: String },
    #[error("the channel does not answer: {cause}; nothing changed, ask again")]
    ChannelUnavailable { cause: String },
    #[error("somebody else asks the channel already")]
    NotDue,
    #[error("another instance changed the same payment order; repeat")]
    ChangedMeanwhile,
}

impl Refusal {
    fn kind_and_reason(&self) -> (Kind, &'static str) {
        match self {
            Self::PaymentOrderNotFound { .. } => (Kind::NotFound, "PAYMENT_ORDER_NOT_FOUND"),
            Self::AttemptNotFound { .. } => (Kind::NotFound, "ATTEMPT_NOT_FOUND"),
            Self::RefundNotFound { .. } => (Kind::NotFound, "REFUND_NOT_FOUND"),
            Self::ReferenceNotFound { .. } => (Kind::NotFound, "REFERENCE_NOT_FOUND"),
            Self::ReferenceTaken { .. } => (Kind::AlreadyExists, "REFERENCE_TAKEN"),
            Self::ChannelUnknown { .. } => (Kind::Invalid, "CHANNEL_UNKNOWN"),
            Self::PaymentOrderClosed { .. } => (Kind::Precondition, "PAYMENT_ORDER_CLOSED"),
            Self::AlreadyCaptured { .. } => (Kind::Precondition, "ALREADY_CAPTURED"),
            Self::AttemptUnresolved { .. } => (Kind::Precondition, "ATTEMPT_UNRESOLVED"),
            Self::TooManyAttempts { .. } => (Kind::Exhausted, "LIMIT_REACHED"),
            Self::NoCounterAttempt { .. } => (Kind::Precondition, "NO_COUNTER_ATTEMPT"),
            Self::CurrencyMismatch { .. } => (Kind::Invalid, "CURRENCY_MISMATCH"),
            Self::AmountMismatch { .. } => (Kind::Invalid, "AMOUNT_MISMATCH"),
            Self::AmountExceedsCapturable { .. } => {
                (Kind::Precondition, "AMOUNT_EXCEEDS_CAPTURABLE")
            }
            Self::AmountExceedsRefundable { .. } => {
                (Kind::Precondition, "AMOUNT_EXCEEDS_REFUNDABLE")
            }
            Self::CaptureUnknown { .. } => (Kind::OutcomeUnknown, "OUTCOME_UNKNOWN"),
            Self::ChannelDeclined { .. } => (Kind::Precondition, "CHANNEL_DECLINED"),
            Self::ChannelUnavailable { .. } => (Kind::Unavailable, "CHANNEL_UNAVAILABLE"),
            Self::NotDue => (Kind::Aborted, "NOT_DUE"),
            Self::ChangedMeanwhile => (Kind::Unavailable, "CHANGED_MEANWHILE"),
        }
    }

    fn retry_advice(&self) -> &'static str {
        match self {
            Self::CaptureUnknown { .. } | Self::AttemptUnresolved { .. } => "QUERY_FIRST",
            Self::ChannelUnavailable { .. } | Self::NotDue | Self::ChangedMeanwhile => "SAME_LATER",
            Self::ChannelUnknown { .. } | Self::NoCounterAttempt { .. } => "OTHER_CHANNEL",
            Self::PaymentOrderNotFound { .. }
            | Self::AttemptNotFound { .. }
            | Self::RefundNotFound { .. }
            | Self::ReferenceNotFound { .. }
            | Self::ReferenceTaken { .. }
            | Self::PaymentOrderClosed { .. }
            | Self::AlreadyCaptured { .. }
            | Self::TooManyAttempts { .. }
            | Self::CurrencyMismatch { .. }
            | Self::AmountMismatch { .. }
            | Self::AmountExceedsCapturable { .. }
            | Self::AmountExceedsRefundable { .. }
            | Self::ChannelDeclined { .. } => "NEVER",
        }
    }

    fn describe(&self, error: Error) -> Error {
        match self {
            Self::PaymentOrderNotFound { payment_order_id } => {
                error.with("payment_order_id", payment_order_id)
            }
            Self::AttemptNotFound { attempt_id } => error.with("attempt_id", attempt_id),
            Self::RefundNotFound { refund_id } => error.with("refund_id", refund_id),
            Self::ReferenceNotFound { reference } => error.with("reference", reference),
            Self::ReferenceTaken { reference, payment_order_id } => {
                error.with("reference", reference).with("payment_order_id", payment_order_id)
            }
            Self::ChannelUnknown { channel } => error.with("payment_channel", channel),
            Self::PaymentOrderClosed { payment_order_id, state }
            | Self::AlreadyCaptured { payment_order_id, state } => {
                error.with("payment_order_id", payment_order_id).with("state", state.as_str())
            }
            Self::AttemptUnresolved { attempt_id, state } => {
                error.with("attempt_id", attempt_id).with("state", state.as_str())
            }
            Self::TooManyAttempts { limit } => {
                error.with("limit", "max_attempts_per_order").with("value", limit)
            }
            Self::NoCounterAttempt { state } => error.with("state", state.as_str()),
            Self::CurrencyMismatch { owed, asked } => error.with("owed", owed).with("asked", asked),
            Self::AmountMismatch { owed, asked } => error.with("owed", owed).with("asked", asked),
            Self::AmountExceedsCapturable { capturable, asked, state } => error
                .with("capturable", capturable)
                .with("asked", asked)
                .with("state", state.as_str()),
            Self::AmountExceedsRefundable { payment_order_id, refundable, asked, state } => error
                .with("payment_order_id", payment_order_id)
                .with("refundable", refundable)
                .with("asked", asked)
                .with("state", state.as_str()),
            Self::CaptureUnknown { payment_order_id } => {
                error.with("payment_order_id", payment_order_id).retry_after(RETRY_AFTER)
            }
            Self::ChannelDeclined { decline_reason } => {
                error.with("decline_reason", decline_reason)
            }
            Self::ChannelUnavailable { cause } => {
                error.with("cause", cause).retry_after(RETRY_AFTER)
            }
            Self::NotDue | Self::ChangedMeanwhile => error.retry_after(RETRY_AFTER),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (kind, reason) = refusal.kind_and_reason();
        let error = Self::new(kind, DOMAIN, reason, refusal.to_string());
        refusal.describe(error).with("retry_advice", refusal.retry_advice())
    }
}
