//! The journal: what moved, and whether a pool agrees with it.

use throughline_kit::clock::Instant;

use crate::buckets::Buckets;
use crate::pool::{Pool, PoolCode, PoolKind};
use crate::reservation::ReservationId;

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MovementKind {
    /// New stock.
    Receive,
    /// available → held.
    Hold,
    /// held → used.
    Confirm,
    /// held → available, asked for.
    Release,
    /// held → available, its time was over.
    Expire,
    /// used → available.
    Return,
    /// used → quarantined.
    Quarantine,
    /// Correction of available.
    Adjust,
    /// Goods that no reservation knows → available.
    ReturnUnlinked,
    /// quarantined → available.
    Restore,
}

throughline_kit::define_texts!(MovementKind {
    Receive: "RECEIVE",
    Hold: "HOLD",
    Confirm: "CONFIRM",
    Release: "RELEASE",
    Expire: "EXPIRE",
    Return: "RETURN",
    Quarantine: "QUARANTINE",
    Adjust: "ADJUST",
    ReturnUnlinked: "RETURN_UNLINKED",
    Restore: "RESTORE",
});

/// What should be written to the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Pool.
    pub(crate) pool: PoolCode,
    /// What moves.
    pub(crate) kind: MovementKind,
    /// Units; negative only for a correction downwards.
    pub(crate) quantity: i64,
    /// Reservation, where there is one.
    pub(crate) reservation: Option<ReservationId>,
    /// Order; empty where there is none.
    pub(crate) order_id: String,
    /// Why, where a person said so.
    pub(crate) reason: String,
    /// When.
    pub(crate) at: Instant,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    /// Position in the journal, growing.
    pub(crate) sequence: i64,
    /// What it says.
    pub(crate) entry: Entry,
}

/// Recomputes a pool from its journal, movement by movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    buckets: Buckets,
    last_sequence: i64,
}

impl Replay {
    /// Goes on with the next movement; the error is the first divergence, a sentence.
    pub(crate) fn next(&mut self, movement: &Movement) -> Result<(), String> {
        let Movement { sequence, entry } = movement;
        self.buckets = self
            .buckets
            .after(entry.kind, entry.quantity)
            .map_err(|impossible| format!("movement {sequence}: {impossible}"))?;
        self.last_sequence = *sequence;
        Ok(())
    }

    /// Compares what the journal comes to with what is stored.
    pub(crate) fn compare(&self, pool: &Pool) -> Result<(), String> {
        if self.buckets != pool.buckets {
            return Err(format!("the journal gives {}; stored is {}", self.buckets, pool.buckets));
        }
        if self.last_sequence != pool.last_sequence {
            return Err(format!(
                "the journal ends with movement {}; the pool was last changed by {}",
                self.last_sequence, pool.last_sequence
            ));
        }
        Ok(())
    }
}

/// What other tables say of a pool, read in the same instant as the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    /// Units of lines that are held.
    pub(crate) held_by_lines: i64,
    /// Counted units at rest.
    pub(crate) resting: i64,
    /// Items by state, as buckets.
    pub(crate) items: Buckets,
}

impl Census {
    /// Compares it with the pool; the error is the first divergence, a sentence.
    pub(crate) fn compare(&self, pool: &Pool) -> Result<(), String> {
        let differ = |what: &str, found: String| {
            Err(format!("{what} come to {found}; stored is {}", pool.buckets))
        };
        if self.held_by_lines != pool.buckets.held {
            return differ("held lines of reservations", self.held_by_lines.to_string());
        }
        match pool.kind {
            PoolKind::Counted if self.resting != pool.buckets.quarantined => {
                differ("units at rest", self.resting.to_string())
            }
            PoolKind::Serial if self.items != pool.buckets => {
                differ("items", self.items.to_string())
            }
            PoolKind::Counted | PoolKind::Serial => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movement(sequence: i64, kind: MovementKind, quantity: i64) -> Movement {
        let entry = Entry {
            pool: PoolCode::parse("a").expect("valid"),
            kind,
            quantity,
            reservation: None,
            order_id: String::new(),
            reason: String::new(),
            at: Instant(0),
        };
        Movement { sequence, entry }
    }

    fn pool(available: i64, held: i64, last_sequence: i64) -> Pool {
        let code = PoolCode::parse("a").expect("valid");
        let mut pool = Pool::empty(code, PoolKind::Counted, "");
        pool.buckets = Buckets { available, held, ..Buckets::default() };
        pool.last_sequence = last_sequence;
        pool
    }

    #[test]
    fn kinds_are_read_back_as_they_are_stored() {
        for kind in MovementKind::ALL {
            assert_eq!(MovementKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_replayed_journal_names_the_first_divergence() {
        let mut replay = Replay::default();
        assert_eq!(replay.next(&movement(4, MovementKind::Receive, 5)), Ok(()));
        assert_eq!(replay.next(&movement(9, MovementKind::Hold, 2)), Ok(()));
        assert_eq!(replay.compare(&pool(3, 2, 9)), Ok(()));
        let wrong = replay.compare(&pool(4, 2, 9)).expect_err("one unit too many");
        assert!(wrong.contains("available 3") && wrong.contains("available 4"), "{wrong}");
        assert!(replay.compare(&pool(3, 2, 10)).expect_err("a movement is lost").contains("10"));
        let wrong = replay.next(&movement(12, MovementKind::Confirm, 3)).expect_err("held are 2");
        assert!(wrong.starts_with("movement 12: CONFIRM of 3"), "{wrong}");
    }

    #[test]
    fn a_census_is_compared_with_what_the_kind_of_pool_has() {
        let census = Census { held_by_lines: 2, resting: 0, items: Buckets::default() };
        assert_eq!(census.compare(&pool(3, 2, 1)), Ok(()));
        assert!(census.compare(&pool(3, 1, 1)).is_err());
        assert!(Census { resting: 1, ..census }.compare(&pool(3, 2, 1)).is_err());
        let serial = Pool { kind: PoolKind::Serial, ..pool(3, 2, 1) };
        assert!(census.compare(&serial).is_err());
        let items = serial.buckets;
        assert_eq!(Census { items, ..census }.compare(&serial), Ok(()));
    }
}
