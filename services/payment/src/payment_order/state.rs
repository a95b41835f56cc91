//! Where a payment order can be, and what can happen to it.

use crate::refund::Refund;

/// State of a payment order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing was tried.
    Created,
    /// Waits for the payer, a receipt, or another attempt.
    AwaitingPayer,
    /// An attempt's outcome is not known.
    Processing,
    /// The channel holds the money.
    Authorized,
    /// Captured.
    Paid,
    /// Captured and partly given back.
    PartiallyRefunded,
    /// Captured and wholly given back.
    Refunded,
    /// Being closed.
    Closing,
    /// Closed without money kept.
    Closed,
}

impl State {
    /// As it is stored and told in errors.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::AwaitingPayer => "AWAITING_PAYER",
            Self::Processing => "PROCESSING",
            Self::Authorized => "AUTHORIZED",
            Self::Paid => "PAID",
            Self::PartiallyRefunded => "PARTIALLY_REFUNDED",
            Self::Refunded => "REFUNDED",
            Self::Closing => "CLOSING",
            Self::Closed => "CLOSED",
        }
    }
}

/// Why a payment order is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// Its time was over.
    Expired,
    /// The caller asked for it.
    Caller,
}

throughline_kit::define_texts!(CloseReason { Expired: "EXPIRED", Caller: "CALLER" });

/// Whether money is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is, or it came.
    Open,
    /// Not any more; the channel is being asked whether it came.
    Closing(CloseReason),
    /// Not any more, and the channel confirmed that none came.
    Closed(CloseReason),
}

/// What happened to a payment order, as it is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was made.
    Created,
    /// An attempt was stored.
    Attempted,
    /// The channel holds the money.
    Authorized,
    /// The money is ours.
    Captured,
    /// An attempt ended without money.
    Declined,
    /// Nobody knows how an attempt ended.
    Unknown,
    /// It was closed.
    Closed,
    /// Money came that nobody waits for; the refund is to be stored.
    LateMoney(Refund),
    /// Money is to go back; the refund is to be stored.
    RefundRequested(Refund),
    /// Money went back.
    Refunded(Refund),
    /// Money could not go back.
    RefundFailed(Refund),
}
