//! Connections that were closed because there are too many: told once in a while with their number, not one by one, so that
//! a flood of connections is no flood of log lines.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two lines of one worker.
const INTERVAL: Duration = Duration::from_secs(10);

/// Connections that one worker turned away.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    untold: u64,
    told_at: Option<Instant>,
}

impl TurnedAway {
    /// Counts one; says how many there were since the last line when it is time for another.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told| now < told + INTERVAL) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_those_of_an_interval_together() {
        let (mut turned_away, start) = (TurnedAway::default(), Instant::now());
        assert_eq!(turned_away.count(start), Some(1));
        for _ in 0..1_000 {
            assert_eq!(turned_away.count(start + INTERVAL / 2), None);
        }
        assert_eq!(turned_away.count(start + INTERVAL), Some(1_001));
        assert_eq!(turned_away.count(start + INTERVAL), None);
        assert_eq!(turned_away.count(start + INTERVAL * 3), Some(2));
    }
}
