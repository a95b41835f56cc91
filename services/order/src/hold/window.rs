//! When a pause begins and ends by itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

use crate::order::OrderId;

/// A planned time of a pause. After its end the orders that it stopped go on one after the other over the time of the ramp,
/// each at an instant of its own that its id decides: what comes back from maintenance is not met by all of them at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// It covers nothing before.
    pub(crate) starts_at: Instant,
    /// It lets go then; `None` when it is released by hand.
    pub(crate) ends_at: Option<Instant>,
    /// Time over which orders go on after its end.
    pub(crate) ramp: Duration,
}

impl Window {
    /// When the order goes on, if the pause ends by itself.
    pub(crate) fn ends_for(&self, order_id: &OrderId) -> Option<Instant> {
        let mut hasher = DefaultHasher::new();
        order_id.hash(&mut hasher);
        let micros = (self.ramp.as_micros() * u128::from(hasher.finish())) >> u64::BITS;
        let share = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Some(self.ends_at?.plus(share))
    }

    /// It stops the order now.
    pub(crate) fn is_open_for(&self, order_id: &OrderId, now: Instant) -> bool {
        self.starts_at <= now && !self.is_over_for(order_id, now)
    }

    /// It has let the order go.
    pub(crate) fn is_over_for(&self, order_id: &OrderId, now: Instant) -> bool {
        self.ends_for(order_id).is_some_and(|at| at <= now)
    }

    /// It has let all orders go.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at.plus(self.ramp) <= now)
    }

    /// Whether it begins after `before` and not after `now`.
    pub(crate) fn begins_within(&self, before: Instant, now: Instant) -> bool {
        before < self.starts_at && self.starts_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(hours: u32) -> Instant {
        Instant(0).plus(HOUR * hours)
    }

    #[test]
    fn orders_go_on_evenly_over_the_ramp() {
        let window = Window { starts_at: at(1), ends_at: Some(at(2)), ramp: HOUR };
        let ids: Vec<_> = (0..1_000).map(|n| OrderId::derive(&[&n.to_string()])).collect();
        let open = |now: Instant| ids.iter().filter(|id| window.is_open_for(id, now)).count();
        assert_eq!(
            (open(Instant(at(1).0 - 1)), open(at(1)), open(Instant(at(2).0 - 1))),
            (0, 1_000, 1_000)
        );
        let half = open(at(2).plus(HOUR / 2));
        assert!((400..600).contains(&half), "{half} of 1,000 wait in the middle of the ramp");
        assert!(!window.is_over(Instant(at(3).0 - 1)));
        assert_eq!((open(at(3)), window.is_over(at(3))), (0, true));
    }

    #[test]
    fn without_a_ramp_all_go_on_at_once_and_without_an_end_nobody_does() {
        let id = OrderId::derive(&["one"]);
        let window = Window { starts_at: at(1), ends_at: Some(at(2)), ramp: Duration::ZERO };
        assert_eq!(window.ends_for(&id), Some(at(2)));
        let standing = Window::default();
        assert!(standing.is_open_for(&id, at(0)) && !standing.is_over(at(1_000)));
    }
}
