//! One event on its way to one webhook: when it is sent, and when it is given up.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::derived_uuid;

use super::WebhookId;
use crate::failure::Failure;

throughline_kit::define_id!(
    /// Id of a delivery.
    DeliveryId,
    "whd"
);

/// Waits before each attempt: the schedule of the Standard Webhooks specification, 75 hours over all.
pub(crate) const ATTEMPT_WAITS: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];
/// A wait is longer by up to this part of itself, so that what failed together does not come back together.
const JITTER_PART: u32 = 10;
/// Steps between no jitter and all of it.
const JITTER_STEPS: u32 = 1_000;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    /// Will be sent.
    Pending,
    /// The receiver has it.
    Delivered,
    /// Given up.
    Failed,
}

throughline_kit::define_texts!(DeliveryState {
    Pending: "PENDING",
    Delivered: "DELIVERED",
    Failed: "FAILED",
});

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Id.
    pub(crate) id: DeliveryId,
    /// Webhook.
    pub(crate) webhook_id: WebhookId,
    /// Channel of the webhook and of the order.
    pub(crate) channel: String,
    /// Event: what `webhook-id` says.
    pub(crate) event_id: String,
    /// Type of the event.
    pub(crate) event_type: String,
    /// Order.
    pub(crate) order_id: String,
    /// JSON.
    pub(crate) payload: String,
    /// State.
    pub(crate) state: DeliveryState,
    /// Attempts, one under way included.
    pub(crate) attempts: i64,
    /// When it is sent next, or when an attempt under way counts as lost; none once it is not pending.
    pub(crate) next_attempt_at: Option<Instant>,
    /// HTTP status of the last answer.
    pub(crate) response_code: Option<i64>,
    /// Why the last attempt failed.
    pub(crate) failure: Option<Failure>,
    /// When the event happened.
    pub(crate) created_at: Instant,
    /// When the receiver took it.
    pub(crate) delivered_at: Option<Instant>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The receiver has it.
    Taken {
        /// HTTP status, 2xx.
        code: u16,
    },
    /// The receiver does not have it, or nobody knows.
    Failed {
        /// HTTP status, where there was an answer.
        code: Option<u16>,
        /// Why.
        failure: Failure,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// What it said.
        failure: Failure,
    },
}

impl Delivery {
    /// Goes on after an attempt: it is done, will be sent again, or is given up.
    pub(crate) fn settle(&mut self, attempt: &Attempt, now: Instant) {
        let (state, code, failure) = match attempt {
            Attempt::Taken { code } => (DeliveryState::Delivered, Some(*code), None),
            Attempt::Gone { failure } => (DeliveryState::Failed, Some(GONE), Some(failure)),
            Attempt::Failed { code, failure } => {
                let state = match self.next_wait() {
                    Some(_) => DeliveryState::Pending,
                    None => DeliveryState::Failed,
                };
                (state, *code, Some(failure))
            }
        };
        let is_pending = state == DeliveryState::Pending;
        self.next_attempt_at = self.next_wait().filter(|_| is_pending).map(|wait| now.plus(wait));
        self.delivered_at = (state == DeliveryState::Delivered).then_some(now);
        self.state = state;
        self.response_code = code.map(i64::from);
        self.failure = failure.cloned();
    }

    /// How long to wait after the attempts so far; nothing when they were the last.
    fn next_wait(&self) -> Option<Duration> {
        let wait = usize::try_from(self.attempts).ok().and_then(|n| ATTEMPT_WAITS.get(n))?;
        // The same after a crash as before it.
        let drawn = derived_uuid(&[self.id.as_str(), &self.attempts.to_string()]).as_u128();
        let steps = u32::try_from(drawn % u128::from(JITTER_STEPS)).unwrap_or_default();
        Some(*wait + *wait / JITTER_PART * steps / JITTER_STEPS)
    }
}

/// HTTP status of a receiver that wants nothing any more.
pub(crate) const GONE: u16 = 410;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId::generate(),
            webhook_id: WebhookId::generate(),
            channel: "hall".to_owned(),
            event_id: "evt_1".to_owned(),
            event_type: "order.completed".to_owned(),
            order_id: "ord_1".to_owned(),
            payload: "{}".to_owned(),
            state: DeliveryState::Pending,
            attempts: 1,
            next_attempt_at: Some(Instant(0)),
            response_code: None,
            failure: None,
            created_at: Instant(0),
            delivered_at: None,
        }
    }

    fn failed() -> Attempt {
        let failure = Failure::new("ANSWER_NOT_SUCCESS", "webhook", "500");
        Attempt::Failed { code: Some(500), failure }
    }

    #[test]
    fn what_fails_is_sent_again_by_the_table_and_then_given_up() {
        let mut delivery = delivery();
        let now = Instant(1_000);
        for wait in &ATTEMPT_WAITS[1..] {
            delivery.settle(&failed(), now);
            assert_eq!(delivery.state, DeliveryState::Pending);
            let waits = delivery.next_attempt_at.expect("it is sent again").since(now);
            let longest = *wait + *wait / JITTER_PART;
            assert!((*wait..longest).contains(&waits), "{waits:?} is not about {wait:?}");
            delivery.attempts += 1;
        }
        delivery.settle(&failed(), now);
        assert_eq!(delivery.state, DeliveryState::Failed);
        assert_eq!(delivery.next_attempt_at, None);
        assert_eq!(delivery.response_code, Some(500));
    }

    #[test]
    fn deliveries_that_failed_together_do_not_come_back_together() {
        let at = |_| {
            let mut delivery = delivery();
            delivery.settle(&failed(), Instant(0));
            delivery.next_attempt_at
        };
        let all: std::collections::BTreeSet<_> = (0..100).map(at).collect();
        assert!(all.len() > 50, "{} instants", all.len());
    }

    #[test]
    fn what_arrives_is_delivered_and_forgets_what_failed_before() {
        let mut delivery = delivery();
        delivery.settle(&failed(), Instant(0));
        delivery.settle(&Attempt::Taken { code: 204 }, Instant(7));
        assert_eq!(delivery.state, DeliveryState::Delivered);
        assert_eq!(delivery.delivered_at, Some(Instant(7)));
        assert_eq!((delivery.next_attempt_at, delivery.failure), (None, None));
        assert_eq!(delivery.response_code, Some(204));
    }

    #[test]
    fn a_receiver_that_is_gone_is_not_tried_again() {
        let mut delivery = delivery();
        let failure = Failure::new("GONE", "webhook", "410");
        delivery.settle(&Attempt::Gone { failure }, Instant(0));
        assert_eq!((delivery.state, delivery.next_attempt_at), (DeliveryState::Failed, None));
        assert_eq!(delivery.response_code, Some(410));
    }
}
