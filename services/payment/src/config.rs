//! Every limit of the payment center, with its unit in its name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;

use crate::attempt::Schedule;
use crate::error::DOMAIN;

/// Added to the longest time that a charge can take before anybody else asks about it.
const PATIENCE_MARGIN: Duration = Duration::from_secs(1);

/// How the payment center behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long one call to a payment channel may take; after that its outcome is UNKNOWN. Milliseconds.
    pub channel_timeout_ms: u64,
    /// Waits before a charge or capture that certainly did not happen is sent again with the same reference, within one
    /// request. Milliseconds; as many retries as entries.
    pub retry_delays_ms: Vec<u64>,
    /// Waits between questions to the channel about what is not known; the last one repeats. Milliseconds.
    pub resolve_delays_ms: Vec<u64>,
    /// How often the store is looked through for what is due. Milliseconds.
    pub poll_interval_ms: u64,
    /// Rows that one look takes at most.
    pub max_due_per_look: u32,
    /// Questions to channels at one time, for each kind of background work.
    pub max_questions_at_once: usize,
    /// Attempts of one payment order; more are refused with LIMIT_REACHED.
    pub max_attempts_per_order: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            channel_timeout_ms: 5_000,
            retry_delays_ms: vec![50, 100, 200],
            resolve_delays_ms: vec![1_000, 5_000, 30_000, 300_000, 3_600_000, 86_400_000],
            poll_interval_ms: 200,
            max_due_per_look: 64,
            max_questions_at_once: 16,
            max_attempts_per_order: 20,
        }
    }
}

impl Config {
    /// Refuses values with which the center could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of(DOMAIN);
        check.above_zero("channel_timeout_ms", self.channel_timeout_ms);
        check.each_above_zero("resolve_delays_ms", &self.resolve_delays_ms);
        check.above_zero("poll_interval_ms", self.poll_interval_ms);
        check.above_zero("max_due_per_look", self.max_due_per_look);
        check.above_zero("max_questions_at_once", self.max_questions_at_once);
        check.above_zero("max_attempts_per_order", self.max_attempts_per_order);
        check.finish()
    }

    pub(crate) fn channel_timeout(&self) -> Duration {
        Duration::from_millis(self.channel_timeout_ms)
    }

    pub(crate) fn retry_delays(&self) -> impl Iterator<Item = Duration> {
        self.retry_delays_ms.iter().copied().map(Duration::from_millis)
    }

    pub(crate) fn schedule(&self) -> Schedule {
        Schedule::new(self.resolve_delays_ms.iter().copied().map(Duration::from_millis).collect())
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }

    /// How long the request that sent a charge may still be at it: before that nobody else asks, because to ask about
    /// a charge that has not arrived means to end it.
    pub(crate) fn patience(&self) -> Duration {
        let calls = u32::try_from(self.retry_delays_ms.len()).unwrap_or(u32::MAX).saturating_add(1);
        let waits: Duration = self.retry_delays().sum();
        self.channel_timeout().saturating_mul(calls).saturating_add(waits) + PATIENCE_MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_wrong_values_are_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let wrong = Config { resolve_delays_ms: Vec::new(), ..Config::default() };
        let error = wrong.check().expect_err("no delays");
        assert!(error.message.contains("`payment.resolve_delays_ms`"), "{error}");
    }

    #[test]
    fn nobody_asks_while_the_first_request_may_still_charge() {
        let config = Config {
            channel_timeout_ms: 1_000,
            retry_delays_ms: vec![100, 200],
            ..Config::default()
        };
        assert_eq!(config.patience(), Duration::from_millis(4_300));
    }
}
