//! How many orders a bulk may operate on by now: slowly at first, then at its rate, never many at once after a pause.

use std::time::Duration;

use throughline_kit::clock::Instant;

/// How long it takes to reach the full rate.
const RAMP: Duration = Duration::from_secs(5);
/// One order, in the unit of credit.
const ORDER: u128 = 1_000_000;

/// What a bulk has been granted and has not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Orders in a second.
    rate: u32,
    began: Instant,
    looked: Instant,
    /// In millionths of an order; at most what one second at full rate grants, and a part of one order that was left.
    credit: u128,
}

impl Pace {
    /// Begins, with one order at once.
    pub(super) fn begin(rate: u32, now: Instant) -> Self {
        Self { rate, began: now, looked: now, credit: ORDER }
    }

    /// Takes the orders that may be operated on now.
    pub(super) fn take(&mut self, now: Instant) -> u32 {
        let gained = self.granted(now).saturating_sub(self.granted(self.looked));
        self.looked = self.looked.max(now);
        self.credit = (self.credit + gained).min(u128::from(self.rate + 1) * ORDER - 1);
        let orders = self.credit / ORDER;
        self.credit %= ORDER;
        u32::try_from(orders).unwrap_or(self.rate)
    }

    /// All that is granted up to a time: the rate grows evenly until it is reached.
    fn granted(&self, at: Instant) -> u128 {
        let passed = at.since(self.began).as_micros();
        let ramp = RAMP.as_micros();
        let growing = passed.min(ramp);
        let full = passed - growing;
        u128::from(self.rate) * (growing * growing / (2 * ramp) + full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(1_700_000_000_000_000);

    /// Orders taken in each tick.
    fn taken(rate: u32, ticks: usize, tick: Duration) -> Vec<u32> {
        let mut pace = Pace::begin(rate, START);
        let mut now = START;
        let mut all = vec![pace.take(now)];
        for _ in 0..ticks {
            now = now.plus(tick);
            all.push(pace.take(now));
        }
        all
    }

    #[test]
    fn a_bulk_begins_slowly_and_then_keeps_its_rate() {
        let second = Duration::from_secs(1);
        // rate -> orders at once, then in each second
        let cases: [(u32, [u32; 8]); 3] = [
            (50, [1, 5, 15, 25, 35, 45, 50, 50]),
            (500, [1, 50, 150, 250, 350, 450, 500, 500]),
            (1, [1, 0, 0, 0, 1, 1, 1, 1]),
        ];
        for (rate, expected) in cases {
            assert_eq!(taken(rate, 7, second), expected, "rate {rate}");
        }
    }

    #[test]
    fn however_often_it_is_looked_at_the_same_is_granted() {
        let tick = Duration::from_millis(7);
        let often: u32 = taken(50, 2_000, tick).iter().sum();
        let rarely: u32 = taken(50, 14, Duration::from_secs(1)).iter().sum();
        assert_eq!(often, rarely);
    }

    #[test]
    fn what_was_not_used_for_long_does_not_come_at_once() {
        let mut pace = Pace::begin(50, START);
        assert_eq!(pace.take(START.plus(Duration::from_secs(3_600))), 50);
        assert_eq!(pace.take(START), 0, "time that goes back grants nothing");
        assert_eq!(pace.take(START.plus(Duration::from_secs(3_600))), 0);
    }
}
