//! One message to one recipient, and how it comes to its end.
//!
//! The functions here decide what follows from what; what they return is stored with a compare-and-set on the version.

use std::fmt;
use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::phone::Phone;
use crate::retry::Retry;

throughline_kit::define_id!(
    /// Names a notification.
    NotificationId, "ntf"
);
throughline_kit::define_id!(
    /// Names a delivery, here and at the provider.
    DeliveryId, "dlv"
);

/// Why an end was reached without the provider's word.
pub(crate) const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// State of a notification: follows from its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Completed,
    Failed,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// State of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    /// To be sent.
    Pending,
    /// The call that sends is on the way.
    Dispatching,
    /// The provider took it.
    Accepted,
    /// The provider refused it for good, or could not be reached for too long.
    Undeliverable,
    /// The provider may or may not have it.
    Unknown,
}

throughline_kit::define_texts!(DeliveryState {
    Pending: "PENDING",
    Dispatching: "DISPATCHING",
    Accepted: "ACCEPTED",
    Undeliverable: "UNDELIVERABLE",
    Unknown: "UNKNOWN",
});

/// The try to reach the recipient.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    pub(crate) state: DeliveryState,
    pub(crate) provider: String,
    pub(crate) phone: Phone,
    pub(crate) body: String,
    /// Calls made, sending and asking.
    pub(crate) attempts: i64,
    /// Empty where nothing failed.
    pub(crate) failure_reason: String,
    /// When it is due, or while a call is on the way when that counts as lost; none at the end.
    pub(crate) next_attempt_at: Option<Instant>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither phone nor body: they must not get into a log.
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("failure_reason", &self.failure_reason)
            .field("next_attempt_at", &self.next_attempt_at)
            .finish_non_exhaustive()
    }
}

/// One message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) id: NotificationId,
    pub(crate) source: String,
    pub(crate) template: String,
    pub(crate) locale: String,
    /// Empty where it is about no order.
    pub(crate) order_id: String,
    pub(crate) delivery: Delivery,
    pub(crate) created_at: Instant,
    pub(crate) ended_at: Option<Instant>,
    pub(crate) trace_parent: String,
    /// Grows with every change.
    pub(crate) version: i64,
}

/// The call that a due delivery needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Send,
    Ask,
}

/// What the provider, or the way to it, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has it.
    Accepted,
    /// It will never take it.
    Refused { reason: String },
    /// The call did not reach it: what was to be known or done is as it was before.
    NotReached { reason: String },
    /// Nobody knows whether the call reached it.
    Unknown { reason: String },
    /// Asked, it says that it never heard of it.
    NeverArrived,
}

impl Notification {
    pub(crate) fn state(&self) -> State {
        match (self.ended_at, self.delivery.state) {
            (None, _) => State::Queued,
            (Some(_), DeliveryState::Accepted) => State::Completed,
            (Some(_), _) => State::Failed,
        }
    }

    /// Whether its parts fit together. A row that does not is corrupt.
    pub(crate) fn is_consistent(&self) -> bool {
        let live = self.ended_at.is_none();
        live == self.delivery.next_attempt_at.is_some()
            && match self.delivery.state {
                DeliveryState::Pending | DeliveryState::Dispatching => live,
                DeliveryState::Accepted | DeliveryState::Undeliverable => !live,
                DeliveryState::Unknown => true,
            }
    }

    /// Takes a due delivery for one call; after `lease` without a word the call counts as lost. A call that sends may
    /// have been lost on the way, so what is found on the way is asked about and never sent again unasked.
    pub(crate) fn claim(mut self, now: Instant, lease: Duration) -> Option<(Self, Call)> {
        if self.delivery.next_attempt_at.is_none_or(|due| due > now) {
            return None;
        }
        let (state, call) = match self.delivery.state {
            DeliveryState::Pending => (DeliveryState::Dispatching, Call::Send),
            DeliveryState::Dispatching | DeliveryState::Unknown => {
                (DeliveryState::Unknown, Call::Ask)
            }
            DeliveryState::Accepted | DeliveryState::Undeliverable => return None,
        };
        self.delivery.state = state;
        self.delivery.attempts += 1;
        self.delivery.next_attempt_at = Some(now.plus(lease));
        self.version += 1;
        assert!(self.is_consistent(), "a claimed delivery is live");
        Some((self, call))
    }

    /// Takes the answer to the call that a claim was made for.
    pub(crate) fn settle(
        mut self,
        call: Call,
        answer: Answer,
        now: Instant,
        retry: &Retry,
    ) -> Self {
        let exhausted = self.delivery.attempts >= retry.max_attempts;
        let delay = retry.delay(self.delivery.id.as_str(), self.delivery.attempts);
        let later = Some(now.plus(delay)).filter(|_| !exhausted);
        let (state, reason, due) = match (answer, call) {
            (Answer::Accepted, _) => (DeliveryState::Accepted, String::new(), None),
            (Answer::Refused { reason }, _) => (DeliveryState::Undeliverable, reason, None),
            (Answer::NotReached { reason }, Call::Send) if exhausted => {
                (DeliveryState::Undeliverable, reason, None)
            }
            (Answer::NotReached { reason }, Call::Send) => (DeliveryState::Pending, reason, later),
            (Answer::NeverArrived, _) if exhausted => {
                (DeliveryState::Undeliverable, "REFERENCE_NOT_FOUND".to_owned(), None)
            }
            (Answer::NeverArrived, _) => (DeliveryState::Pending, String::new(), Some(now)),
            (Answer::Unknown { .. }, _) | (Answer::NotReached { .. }, Call::Ask) if exhausted => {
                (DeliveryState::Unknown, OUTCOME_UNKNOWN.to_owned(), None)
            }
            (Answer::Unknown { reason }, _) | (Answer::NotReached { reason }, Call::Ask) => {
                (DeliveryState::Unknown, reason, later)
            }
        };
        self.delivery.state = state;
        self.delivery.failure_reason = reason;
        self.delivery.next_attempt_at = due;
        self.ended_at = due.is_none().then_some(now);
        self.version += 1;
        assert!(self.is_consistent(), "a settled delivery is due again or at its end");
        self
    }
}

#[cfg(test)]
mod tests;
