//! Reservations: units held for somebody for some time.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::error::Refusal;
use crate::movement::MovementKind;
use crate::pool::PoolCode;

throughline_kit::define_id!(
    /// Id of a reservation.
    ReservationId,
    "res"
);

/// State of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReservationState {
    /// Units are held until the expire time.
    Held,
    /// Units are used.
    Confirmed,
    /// Units were given back.
    Released,
    /// Its time was over.
    Expired,
}

throughline_kit::define_texts!(ReservationState {
    Held: "HELD",
    Confirmed: "CONFIRMED",
    Released: "RELEASED",
    Expired: "EXPIRED",
});

/// What one line needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Caller's key.
    pub(crate) line_key: String,
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Units, at least 1.
    pub(crate) quantity: i64,
}

/// One demand and what it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Place in the reservation, from 0.
    pub(crate) position: i64,
    /// Caller's key.
    pub(crate) key: String,
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Units held or used.
    pub(crate) quantity: i64,
    /// Units that came back after use.
    pub(crate) returned: i64,
    /// Serial items that it got.
    pub(crate) item_ids: Vec<String>,
}

/// Units held for somebody for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    /// Id.
    pub(crate) id: ReservationId,
    /// State as written; see [`Reservation::seen_at`].
    pub(crate) state: ReservationState,
    /// Order; empty where there is none.
    pub(crate) order_id: String,
    /// Trace of the call that made it; what happens to it later by itself belongs there.
    pub(crate) trace_parent: String,
    /// Lines, by position.
    pub(crate) lines: Vec<Line>,
    /// When it was made.
    pub(crate) created_at: Instant,
    /// Until when it holds: at this instant it no longer does.
    pub(crate) expire_at: Instant,
    /// When it was confirmed, released or expired.
    pub(crate) resolved_at: Option<Instant>,
}

/// Who asks for a reservation, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Order; empty where there is none.
    pub(crate) order_id: String,
    /// W3C traceparent of the call.
    pub(crate) trace_parent: String,
    /// The demands, at least one.
    pub(crate) demands: Vec<Demand>,
    /// How long to hold.
    pub(crate) ttl: Duration,
}

/// How a held reservation ends: what it becomes, and what its units do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// The reservation after it.
    pub(crate) reservation: Reservation,
    /// What its units do.
    pub(crate) movement: MovementKind,
}

impl Wish {
    /// Sums the demands on each pool: two lines on one pool must not both take the last unit.
    pub(crate) fn needs(&self) -> BTreeMap<PoolCode, i64> {
        let mut needs = BTreeMap::new();
        for demand in &self.demands {
            *needs.entry(demand.pool.clone()).or_insert(0) += demand.quantity;
        }
        needs
    }

    /// Makes the reservation that holds the demands from now on.
    pub(crate) fn hold(&self, now: Instant) -> Reservation {
        let line = |(position, demand): (i64, &Demand)| Line {
            position,
            key: demand.line_key.clone(),
            pool: demand.pool.clone(),
            quantity: demand.quantity,
            returned: 0,
            item_ids: Vec::new(),
        };
        Reservation {
            id: ReservationId::generate(),
            state: ReservationState::Held,
            order_id: self.order_id.clone(),
            trace_parent: self.trace_parent.clone(),
            lines: (0..).zip(&self.demands).map(line).collect(),
            created_at: now,
            expire_at: now.plus(self.ttl),
            resolved_at: None,
        }
    }
}

impl Reservation {
    /// The reservation as everybody should see it: a hold whose time is over has expired at that instant, whether or
    /// not that was written yet.
    #[must_use]
    pub(crate) fn seen_at(self, now: Instant) -> Self {
        self.expire(now).map_or(self, |expired| expired.reservation)
    }

    /// Turns what is held into used. `None`: it was confirmed before.
    pub(crate) fn confirm(&self, now: Instant) -> Result<Option<Resolution>, Refusal> {
        let seen = self.clone().seen_at(now);
        match seen.state {
            ReservationState::Held => {
                Ok(Some(self.resolve(ReservationState::Confirmed, MovementKind::Confirm, now)))
            }
            ReservationState::Confirmed => Ok(None),
            ReservationState::Released => Err(seen.resolved(now)),
            ReservationState::Expired => {
                let at = seen.resolved_at.unwrap_or(now);
                Err(Refusal::ReservationExpired { reservation: seen.id, at })
            }
        }
    }

    /// Gives back what is held. `None`: it was given back before.
    pub(crate) fn release(&self, now: Instant) -> Result<Option<Resolution>, Refusal> {
        if let Some(expired) = self.expire(now) {
            return Ok(Some(expired));
        }
        match self.state {
            ReservationState::Held => {
                Ok(Some(self.resolve(ReservationState::Released, MovementKind::Release, now)))
            }
            ReservationState::Released | ReservationState::Expired => Ok(None),
            ReservationState::Confirmed => Err(self.resolved(now)),
        }
    }

    /// Ends a hold whose time is over, at the instant when it was. `None`: it holds, or it ended before.
    pub(crate) fn expire(&self, now: Instant) -> Option<Resolution> {
        let due = self.state == ReservationState::Held && self.expire_at <= now;
        due.then(|| self.resolve(ReservationState::Expired, MovementKind::Expire, self.expire_at))
    }

    /// Sums the lines of each pool.
    pub(crate) fn units(&self) -> BTreeMap<PoolCode, i64> {
        let mut units = BTreeMap::new();
        for line in &self.lines {
            *units.entry(line.pool.clone()).or_insert(0) += line.quantity;
        }
        units
    }

    /// Serial items over all lines.
    pub(crate) fn item_count(&self) -> usize {
        self.lines.iter().map(|line| line.item_ids.len()).sum()
    }

    fn resolve(&self, state: ReservationState, movement: MovementKind, at: Instant) -> Resolution {
        let reservation = Self { state, resolved_at: Some(at), ..self.clone() };
        Resolution { reservation, movement }
    }

    fn resolved(&self, now: Instant) -> Refusal {
        let at = self.resolved_at.unwrap_or(now);
        Refusal::ReservationResolved { reservation: self.id.clone(), state: self.state, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReservationState as S;

    const START: Instant = Instant(1_000_000);

    fn wish() -> Wish {
        let demand = |key: &str, pool: &str, quantity| Demand {
            line_key: key.to_owned(),
            pool: PoolCode::parse(pool).expect("valid"),
            quantity,
        };
        Wish {
            order_id: "ord_1".to_owned(),
            trace_parent: String::new(),
            demands: vec![demand("1", "a", 2), demand("1", "b", 1), demand("2", "a", 3)],
            ttl: Duration::from_secs(10),
        }
    }

    fn in_state(state: S) -> Reservation {
        let resolved_at = (state != S::Held).then_some(START.plus(Duration::from_secs(1)));
        Reservation { state, resolved_at, ..wish().hold(START) }
    }

    #[test]
    fn demands_on_one_pool_are_summed() {
        let units: Vec<_> = wish().needs().into_iter().map(|(p, n)| (p.to_string(), n)).collect();
        assert_eq!(units, [("a".to_owned(), 5), ("b".to_owned(), 1)]);
        assert_eq!(wish().hold(START).units(), wish().needs());
    }

    #[test]
    fn every_state_answers_confirm_and_release() {
        let moved = |outcome: Result<Option<Resolution>, Refusal>| match outcome {
            Ok(Some(r)) => format!("{} {}", r.reservation.state.as_str(), r.movement.as_str()),
            Ok(None) => "as before".to_owned(),
            Err(Refusal::ReservationExpired { .. }) => "expired".to_owned(),
            Err(Refusal::ReservationResolved { state, .. }) => format!("is {}", state.as_str()),
            Err(other) => other.to_string(),
        };
        let (during, at_the_end) = (Duration::from_secs(9), Duration::from_secs(10));
        let table = [
            (S::Held, during, "CONFIRMED CONFIRM", "RELEASED RELEASE"),
            (S::Held, at_the_end, "expired", "EXPIRED EXPIRE"),
            (S::Confirmed, during, "as before", "is CONFIRMED"),
            (S::Confirmed, at_the_end, "as before", "is CONFIRMED"),
            (S::Released, at_the_end, "is RELEASED", "as before"),
            (S::Expired, at_the_end, "expired", "as before"),
        ];
        for (state, after, confirmed, released) in table {
            let (reservation, now) = (in_state(state), START.plus(after));
            assert_eq!(moved(reservation.confirm(now)), confirmed, "confirm {state:?} {after:?}");
            assert_eq!(moved(reservation.release(now)), released, "release {state:?} {after:?}");
        }
    }

    #[test]
    fn a_hold_is_over_at_its_instant_and_not_before() {
        let held = in_state(S::Held);
        assert_eq!(held.expire(Instant(held.expire_at.0 - 1)), None);
        let late = held.expire_at.plus(Duration::from_secs(99));
        let expired = held.clone().seen_at(late);
        assert_eq!((expired.state, expired.resolved_at), (S::Expired, Some(held.expire_at)));
    }
}
