//! Serial items: things with names of their own.

use throughline_kit::clock::Instant;

use crate::error::Refusal;
use crate::pool::PoolCode;
use crate::reservation::{Line, ReservationId};

/// Longest name, in characters.
const MAX_ID_LENGTH: usize = 64;

/// Name of an item, unique in its pool: 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ItemId(String);

impl ItemId {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidItemId> {
        let valid = (1..=MAX_ID_LENGTH).contains(&text.chars().count())
            && !text.chars().any(char::is_control);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidItemId) }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text is not an item's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_ID_LENGTH} characters, none of them a control character")]
pub(crate) struct InvalidItemId;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemState {
    /// May be reserved.
    Available,
    /// Held by a reservation.
    Held,
    /// In use.
    Assigned,
    /// Came back after use and rests until its time.
    Quarantined,
}

throughline_kit::define_texts!(ItemState {
    Available: "AVAILABLE",
    Held: "HELD",
    Assigned: "ASSIGNED",
    Quarantined: "QUARANTINED",
});

/// A serial item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Name.
    pub(crate) id: ItemId,
    /// State.
    pub(crate) state: ItemState,
    /// Reservation that holds or assigned it.
    pub(crate) reservation: Option<ReservationId>,
    /// End of its rest.
    pub(crate) quarantine_end: Option<Instant>,
}

/// Items of one line, as one run of the pool's order: nothing available lies between the first and the last but them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Position of the line in the reservation.
    pub(crate) position: i64,
    /// First item.
    pub(crate) first: String,
    /// Last item.
    pub(crate) last: String,
    /// How many.
    pub(crate) count: u64,
}

/// Gives available items, in the pool's order, to the lines of a reservation that demand them.
pub(crate) fn hand_out(
    lines: &mut [Line],
    pool: &PoolCode,
    items: Vec<String>,
) -> Result<Vec<Run>, Refusal> {
    let requested: i64 = lines.iter().filter(|l| l.pool == *pool).map(|l| l.quantity).sum();
    let available = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if available < requested {
        return Err(Refusal::InsufficientStock { pool: pool.clone(), requested, available });
    }
    let mut items = items.into_iter();
    let mut runs = Vec::new();
    for line in lines.iter_mut().filter(|l| l.pool == *pool) {
        let wanted = usize::try_from(line.quantity).unwrap_or(0);
        line.item_ids = items.by_ref().take(wanted).collect();
        if let (Some(first), Some(last)) = (line.item_ids.first(), line.item_ids.last()) {
            runs.push(Run {
                position: line.position,
                first: first.clone(),
                last: last.clone(),
                count: line.quantity.unsigned_abs(),
            });
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(position: i64, pool: &str, quantity: i64) -> Line {
        let pool = PoolCode::parse(pool).expect("valid");
        Line { position, key: "k".to_owned(), pool, quantity, returned: 0, item_ids: Vec::new() }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn items_go_to_the_lines_of_their_pool_in_order() {
        let mut lines = [line(0, "a", 2), line(1, "b", 1), line(2, "a", 1)];
        let pool = lines[0].pool.clone();
        let runs = hand_out(&mut lines, &pool, names(&["1", "2", "3", "4"])).expect("enough");
        assert_eq!(lines[0].item_ids, names(&["1", "2"]));
        assert!(lines[1].item_ids.is_empty());
        assert_eq!(lines[2].item_ids, names(&["3"]));
        let text: Vec<_> =
            runs.iter().map(|r| (r.position, &*r.first, &*r.last, r.count)).collect();
        assert_eq!(text, [(0, "1", "2", 2), (2, "3", "3", 1)]);
    }

    #[test]
    fn too_few_items_give_nothing() {
        let mut lines = [line(0, "a", 2), line(1, "a", 1)];
        let pool = lines[0].pool.clone();
        let refusal = hand_out(&mut lines, &pool, names(&["1", "2"])).expect_err("one is missing");
        assert_eq!(refusal, Refusal::InsufficientStock { pool, requested: 3, available: 2 });
        assert!(lines.iter().all(|l| l.item_ids.is_empty()));
    }

    #[test]
    fn states_are_read_back_as_they_are_stored() {
        for state in ["AVAILABLE", "HELD", "ASSIGNED", "QUARANTINED"] {
            assert_eq!(ItemState::parse(state).map(ItemState::as_str), Some(state));
        }
        assert_eq!(ItemState::parse("held"), None);
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(ItemId::parse("+86 138 0000 0001").is_ok());
        for bad in ["", "a\n", &"x".repeat(65)] {
            assert!(ItemId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
