//! One try on one channel. Its id is our reference there, stored before the channel hears of it.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;

throughline_kit::define_id!(
    /// Our reference of an attempt at its channel.
    AttemptId,
    "att"
);
throughline_kit::define_id!(
    /// Our reference of a capture at its channel.
    CaptureId,
    "cap"
);

/// Reason of an attempt whose channel reports another amount than we asked for.
pub(crate) const INTEGRITY_MISMATCH: &str = "INTEGRITY_MISMATCH";
/// Reason of an attempt that reached the channel and was ended there.
pub(crate) const CANCELLED: &str = "CANCELLED";

/// A configured payment channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelName {
    /// The online channel, reached through the gateway.
    Sandbox,
    /// Cash or card at a counter, told by RecordReceipt.
    Counter,
}

throughline_kit::define_texts!(ChannelName { Sandbox: "sandbox", Counter: "counter" });

/// Whether a successful attempt captures by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaptureMode {
    /// One step.
    Automatic,
    /// Authorise, capture later.
    Manual,
}

throughline_kit::define_texts!(CaptureMode { Automatic: "AUTOMATIC", Manual: "MANUAL" });

/// What is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored; the channel was not heard yet.
    Created,
    /// The channel or the payer is still at it.
    Pending,
    /// The call may or may not have had its effect.
    Unknown,
    /// The channel holds the money for us.
    Authorized,
    /// The money is ours.
    Captured,
    /// Refused for good, or ended at the channel.
    Declined,
    /// The channel never took it and never will.
    NotAttempted,
}

throughline_kit::define_texts!(Outcome {
    Created: "CREATED",
    Pending: "PENDING",
    Unknown: "UNKNOWN",
    Authorized: "AUTHORIZED",
    Captured: "CAPTURED",
    Declined: "DECLINED",
    NotAttempted: "NOT_ATTEMPTED",
});

/// What a channel says of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Money moved or is held; the amount where the channel names it.
    Succeeded {
        /// How much, if the channel said so.
        amount: Option<Money>,
        /// Held, not yet ours.
        authorized_only: bool,
    },
    /// Refused for good.
    Declined {
        /// Reason of the channel.
        reason: String,
    },
    /// Ended without money; it can never succeed.
    Cancelled,
    /// Still at it.
    Pending,
    /// The capture of a held amount was refused; it may still be held.
    CaptureRefused {
        /// Reason of the channel.
        reason: String,
    },
    /// Our own charge call certainly did not arrive.
    NotAttempted,
    /// Our own charge call may have arrived.
    Unknown,
    /// The channel never heard of the reference. Alone it proves nothing: the charge may be on its way.
    NotFound,
}

/// When the channel is asked about what is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule(Vec<Duration>);

impl Schedule {
    /// Waits in turn; the last one repeats.
    pub(crate) fn new(delays: Vec<Duration>) -> Self {
        assert!(!delays.is_empty(), "a schedule has a delay");
        Self(delays)
    }

    /// When to ask after a number of questions.
    pub(crate) fn next(&self, now: Instant, queries: i64) -> Instant {
        let last = self.0.len() - 1;
        let index = usize::try_from(queries).unwrap_or(0).min(last);
        now.plus(self.0[index])
    }
}

/// One try on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Our reference.
    pub(crate) id: AttemptId,
    /// Where.
    pub(crate) channel: ChannelName,
    /// How.
    pub(crate) mode: CaptureMode,
    /// What is known.
    pub(crate) outcome: Outcome,
    /// Minor units that the channel was asked to capture of a held amount.
    pub(crate) capture_minor: Option<i64>,
    /// Minor units that are ours.
    pub(crate) captured_minor: i64,
    /// Why not; empty where it is not refused.
    pub(crate) decline_reason: String,
    /// Number of the paper receipt; empty but at the counter.
    pub(crate) receipt_number: String,
    /// Questions asked since the last change.
    pub(crate) queries: i64,
    /// When the channel is asked next; none when there is nothing to ask.
    pub(crate) next_query_at: Option<Instant>,
    /// When it was stored.
    pub(crate) created_at: Instant,
    /// When its outcome last changed.
    pub(crate) updated_at: Instant,
}

impl Attempt {
    /// It may still end in money without anything more from us.
    pub(crate) fn is_open(&self) -> bool {
        match self.outcome {
            Outcome::Created | Outcome::Pending | Outcome::Unknown => true,
            Outcome::Authorized | Outcome::Captured | Outcome::Declined | Outcome::NotAttempted => {
                false
            }
        }
    }

    /// It ended without money, as far as we know.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.outcome, Outcome::Declined | Outcome::NotAttempted)
    }

    /// The channel must end it before the payment order can be closed.
    pub(crate) fn needs_ending(&self) -> bool {
        self.is_open() || self.outcome == Outcome::Authorized
    }

    /// The channel reported another amount than ours.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.decline_reason == INTEGRITY_MISMATCH
    }

    /// Asking the channel can tell something, and disturbs nobody who is still at it.
    pub(crate) fn is_askable(&self, now: Instant) -> bool {
        match self.outcome {
            Outcome::Pending | Outcome::Unknown => true,
            Outcome::Created => self.next_query_at.is_some_and(|due| due <= now),
            Outcome::Authorized => self.capture_minor.is_some(),
            Outcome::Captured | Outcome::Declined | Outcome::NotAttempted => false,
        }
    }

    /// Our reference of the capture at the channel: the same for the same amount.
    pub(crate) fn capture_reference(&self, minor: i64) -> CaptureId {
        CaptureId::derive(&[self.id.as_str(), &minor.to_string()])
    }

    /// Goes to an outcome about which there is more to ask.
    pub(crate) fn wait(&mut self, outcome: Outcome, now: Instant, schedule: &Schedule) {
        self.outcome = outcome;
        self.queries = 0;
        // The counter has nobody to ask: RecordReceipt or the end of the payment order decides.
        self.next_query_at = (self.channel != ChannelName::Counter).then(|| schedule.next(now, 0));
        self.updated_at = now;
    }

    /// Goes to an outcome about which there is nothing more to ask.
    pub(crate) fn end(&mut self, outcome: Outcome, reason: &str, now: Instant) {
        self.outcome = outcome;
        reason.clone_into(&mut self.decline_reason);
        self.queries = 0;
        self.next_query_at = None;
        self.updated_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_goes_on_with_its_last_delay() {
        let schedule = Schedule::new(vec![Duration::from_secs(1), Duration::from_secs(5)]);
        let now = Instant(0);
        let waits: Vec<i64> = (0..4).map(|n| schedule.next(now, n).0 / 1_000_000).collect();
        assert_eq!(waits, [1, 5, 5, 5]);
    }

    #[test]
    fn stored_texts_read_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::parse("DONE"), None);
        assert_eq!(ChannelName::parse("counter"), Some(ChannelName::Counter));
        assert_eq!(CaptureMode::parse("MANUAL"), Some(CaptureMode::Manual));
    }
}
