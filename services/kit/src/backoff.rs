//! Waits that double, so that what fails is left alone for longer and longer.

use std::time::Duration;

/// Doublings after which every wait of ours has long reached its longest.
const MAX_DOUBLINGS: u32 = 30;

/// How long to wait before something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after a number of waits before it; fewer than none counts as none.
    #[must_use]
    pub fn after(self, waits: i64) -> Duration {
        let doublings = u32::try_from(waits.max(0)).unwrap_or(u32::MAX).min(MAX_DOUBLINGS);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_the_longest() {
        let backoff =
            Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        for (waits, millis) in [
            (i64::MIN, 100),
            (-1, 100),
            (0, 100),
            (1, 200),
            (2, 400),
            (3, 800),
            (4, 1_000),
            (i64::MAX, 1_000),
        ] {
            assert_eq!(backoff.after(waits), Duration::from_millis(millis), "{waits}");
        }
    }

    #[test]
    fn a_first_wait_above_the_longest_is_cut() {
        let backoff = Backoff { first: Duration::MAX, longest: Duration::from_secs(1) };
        assert_eq!(backoff.after(3), Duration::from_secs(1));
    }
}
