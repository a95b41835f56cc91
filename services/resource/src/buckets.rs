//! How many units of a pool are in which bucket, and the only way in which that changes.

use std::fmt;

use crate::movement::MovementKind;

/// How many units are where. Every unit is in exactly one bucket, so their sum is the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// May be reserved.
    pub(crate) available: i64,
    /// Held by reservations.
    pub(crate) held: i64,
    /// In use or sold.
    pub(crate) used: i64,
    /// At rest after use.
    pub(crate) quarantined: i64,
}

/// A movement takes more out of a bucket than is in it, or is no movement at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} of {quantity} cannot follow {before}", kind = kind.as_str())]
pub(crate) struct Impossible {
    kind: MovementKind,
    quantity: i64,
    before: Buckets,
}

impl Buckets {
    /// All units.
    pub(crate) fn total(&self) -> i64 {
        self.available + self.held + self.used + self.quarantined
    }

    /// The only way in which buckets change: what holds now and what the journal says cannot part.
    pub(crate) fn after(self, kind: MovementKind, quantity: i64) -> Result<Self, Impossible> {
        let impossible = Impossible { kind, quantity, before: self };
        if quantity < 0 && kind != MovementKind::Adjust {
            return Err(impossible);
        }
        let mut next = self;
        let (from, to) = match kind {
            MovementKind::Receive | MovementKind::Adjust | MovementKind::ReturnUnlinked => {
                (None, &mut next.available)
            }
            MovementKind::Hold => (Some(&mut next.available), &mut next.held),
            MovementKind::Confirm => (Some(&mut next.held), &mut next.used),
            MovementKind::Release | MovementKind::Expire => {
                (Some(&mut next.held), &mut next.available)
            }
            MovementKind::Return => (Some(&mut next.used), &mut next.available),
            MovementKind::Quarantine => (Some(&mut next.used), &mut next.quarantined),
            MovementKind::Restore => (Some(&mut next.quarantined), &mut next.available),
        };
        *to = to.checked_add(quantity).filter(|n| *n >= 0).ok_or(impossible)?;
        if let Some(from) = from {
            *from = from.checked_sub(quantity).filter(|n| *n >= 0).ok_or(impossible)?;
        }
        next.checked_total().ok_or(impossible)?;
        Ok(next)
    }

    fn checked_total(&self) -> Option<i64> {
        self.available.checked_add(self.held)?.checked_add(self.used)?.checked_add(self.quarantined)
    }
}

impl fmt::Display for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { available, held, used, quarantined } = self;
        write!(f, "available {available}, held {held}, used {used}, quarantined {quarantined}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use MovementKind as M;

    const START: Buckets = Buckets { available: 10, held: 5, used: 3, quarantined: 2 };

    fn buckets(available: i64, held: i64, used: i64, quarantined: i64) -> Buckets {
        Buckets { available, held, used, quarantined }
    }

    #[test]
    fn each_movement_moves_between_two_buckets() {
        let table = [
            (M::Receive, 4, buckets(14, 5, 3, 2)),
            (M::ReturnUnlinked, 4, buckets(14, 5, 3, 2)),
            (M::Adjust, 4, buckets(14, 5, 3, 2)),
            (M::Adjust, -10, buckets(0, 5, 3, 2)),
            (M::Hold, 10, buckets(0, 15, 3, 2)),
            (M::Confirm, 5, buckets(10, 0, 8, 2)),
            (M::Release, 5, buckets(15, 0, 3, 2)),
            (M::Expire, 1, buckets(11, 4, 3, 2)),
            (M::Return, 3, buckets(13, 5, 0, 2)),
            (M::Quarantine, 3, buckets(10, 5, 0, 5)),
            (M::Restore, 2, buckets(12, 5, 3, 0)),
            (M::Receive, 0, START),
        ];
        for (kind, quantity, after) in table {
            assert_eq!(START.after(kind, quantity), Ok(after), "{kind:?} of {quantity}");
        }
    }

    #[test]
    fn no_movement_takes_more_than_there_is() {
        let table = [
            (M::Hold, 11),
            (M::Confirm, 6),
            (M::Release, 6),
            (M::Expire, 6),
            (M::Return, 4),
            (M::Quarantine, 4),
            (M::Restore, 3),
            (M::Adjust, -11),
            (M::Receive, i64::MAX),
            (M::Receive, -1),
            (M::Hold, -1),
            (M::Receive, i64::MAX - 15),
        ];
        for (kind, quantity) in table {
            assert!(START.after(kind, quantity).is_err(), "{kind:?} of {quantity}");
        }
    }

    proptest! {
        #[test]
        fn only_what_comes_in_changes_the_total(
            steps in prop::collection::vec((0..M::ALL.len(), -20_i64..20), 0..200)
        ) {
            let (mut now, mut expected) = (START, START.total());
            for (kind, quantity) in steps {
                let kind = M::ALL[kind];
                if let Ok(next) = now.after(kind, quantity) {
                    if matches!(kind, M::Receive | M::Adjust | M::ReturnUnlinked) {
                        expected += quantity;
                    }
                    now = next;
                }
                prop_assert_eq!(now.total(), expected);
                prop_assert!([now.available, now.held, now.used, now.quarantined].iter().all(|n| *n >= 0));
            }
        }
    }
}
