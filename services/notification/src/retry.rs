//! When a delivery is tried or asked about again.

use std::time::Duration;

use throughline_kit::backoff::Backoff;
use throughline_kit::id;

/// Part of a delay by which it is shortened or lengthened, in percent.
const JITTER_PERCENT: u32 = 20;

/// How deliveries are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Calls for one delivery, sending and asking together.
    pub(crate) max_attempts: i64,
    /// Waits after the first call and each further one.
    pub(crate) backoff: Backoff,
}

impl Retry {
    /// The wait after a number of calls. The jitter is taken from what is repeated, so that it needs no randomness and
    /// deliveries that failed together do not come back together.
    pub(crate) fn delay(&self, what: &str, attempts: i64) -> Duration {
        let plain = self.backoff.after(attempts - 1);
        let spread = u128::from(2 * JITTER_PERCENT + 1);
        let drawn = id::derived_uuid(&[what, &attempts.to_string()]).as_u128() % spread;
        let percent = 100 - JITTER_PERCENT + u32::try_from(drawn).unwrap_or(0);
        plain * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        max_attempts: 5,
        backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) },
    };

    #[test]
    fn delays_double_up_to_the_longest_and_differ_by_a_fifth_at_most() {
        for (attempts, plain) in
            [(0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (99, 1_000)]
        {
            for what in ["a", "b", "c", "d"] {
                let delay = RETRY.delay(what, attempts).as_millis();
                assert!(
                    (plain * 80 / 100..=plain * 120 / 100).contains(&delay),
                    "{attempts}: {delay}"
                );
            }
        }
    }

    #[test]
    fn deliveries_that_failed_together_come_back_apart() {
        let delays: std::collections::BTreeSet<_> =
            (0..50).map(|n| RETRY.delay(&n.to_string(), 1)).collect();
        assert!(delays.len() > 10, "{}", delays.len());
    }
}
