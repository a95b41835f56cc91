//! Units that come back after use: which lines they come from.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Refusal;
use crate::pool::{PoolCode, PoolKind};
use crate::reservation::{Line, Reservation, ReservationId, ReservationState};

/// Where returned units go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// At once available again.
    Restock,
    /// At rest for a time.
    Quarantine,
}

/// Units of a reservation's line that should come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkedReturn {
    /// Path of the line in the request.
    pub(crate) path: String,
    /// Reservation.
    pub(crate) reservation: ReservationId,
    /// Line.
    pub(crate) line_key: String,
    /// Its demands on this pool; `None` is all its demands.
    pub(crate) pool: Option<PoolCode>,
    /// Units; `None` is all that is still used.
    pub(crate) quantity: Option<i64>,
    /// Where they go.
    pub(crate) disposition: Disposition,
}

/// Units that come back from one demand of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Reservation.
    pub(crate) reservation: ReservationId,
    /// Position of the demand.
    pub(crate) position: i64,
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Units, at least 1.
    pub(crate) quantity: i64,
    /// Units that had come back before.
    pub(crate) returned_before: i64,
    /// Whether they are serial items; then they are all items of the demand.
    pub(crate) serial: bool,
    /// Where they go.
    pub(crate) disposition: Disposition,
}

/// Takes units back from the lines of reservations, in the order of the request; what one line of the request takes the
/// next no longer finds. Nothing should be stored after a refusal.
pub(crate) fn take_back(
    reservations: &mut BTreeMap<ReservationId, Reservation>,
    wanted: &[LinkedReturn],
) -> Result<Vec<Taken>, Refusal> {
    let mut all = Vec::new();
    for want in wanted {
        let reservation = reservations
            .get_mut(&want.reservation)
            .ok_or_else(|| Refusal::ReservationNotFound(want.reservation.to_string()))?;
        all.extend(take_line(reservation, want)?);
    }
    Ok(all)
}

impl LinkedReturn {
    fn covers(&self, line: &Line) -> bool {
        line.key == self.line_key && self.pool.as_ref().is_none_or(|pool| line.pool == *pool)
    }
}

/// Refuses what the reservation has not, and a part of a line that leaves open from which of its pools: a unit would go
/// back to a pool that it never came from.
fn check_place(reservation: &Reservation, want: &LinkedReturn) -> Result<(), Refusal> {
    let id = || reservation.id.clone();
    let of_key = reservation.lines.iter().filter(|line| line.key == want.line_key);
    let pools: BTreeSet<_> = of_key.map(|line| line.pool.clone()).collect();
    let line_key = || want.line_key.clone();
    let path = format!("{}.pool_code", want.path);
    match &want.pool {
        _ if pools.is_empty() => {
            let path = format!("{}.line_key", want.path);
            Err(Refusal::LineUnknown { path, reservation: id() })
        }
        Some(pool) if !pools.contains(pool) => {
            Err(Refusal::LinePoolUnknown { path, reservation: id(), line_key: line_key() })
        }
        None if want.quantity.is_some() && pools.len() > 1 => {
            Err(Refusal::PoolCodeNeeded { path, reservation: id(), line_key: line_key(), pools })
        }
        Some(_) | None => Ok(()),
    }
}

fn take_line(reservation: &mut Reservation, want: &LinkedReturn) -> Result<Vec<Taken>, Refusal> {
    check_place(reservation, want)?;
    let confirmed = reservation.state == ReservationState::Confirmed;
    let still_used = |line: &Line| {
        if confirmed { line.quantity - line.returned } else { 0 }
    };
    let used = reservation.lines.iter().filter(|line| want.covers(line)).map(still_used).sum();
    let requested = want.quantity.unwrap_or(used);
    if requested > used {
        return Err(Refusal::QuantityExceedsUsed {
            reservation: reservation.id.clone(),
            line_key: want.line_key.clone(),
            requested,
            used,
        });
    }
    let mut left = requested;
    let mut taken = Vec::new();
    for line in reservation.lines.iter_mut().filter(|line| want.covers(line)) {
        let quantity = left.min(still_used(line));
        if quantity == 0 {
            continue;
        }
        let serial = !line.item_ids.is_empty();
        if serial && quantity < still_used(line) {
            return Err(Refusal::PoolKindMismatch {
                pool: line.pool.clone(),
                pool_kind: PoolKind::Serial,
                needed: PoolKind::Counted,
            });
        }
        taken.push(Taken {
            reservation: reservation.id.clone(),
            position: line.position,
            pool: line.pool.clone(),
            quantity,
            returned_before: line.returned,
            serial,
            disposition: want.disposition,
        });
        line.returned += quantity;
        left -= quantity;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use throughline_kit::clock::Instant;

    use super::*;
    use crate::reservation::{Demand, Wish};

    fn confirmed(demands: &[(&str, &str, i64)]) -> Reservation {
        let demand = |(key, pool, quantity): &(&str, &str, i64)| Demand {
            line_key: (*key).to_owned(),
            pool: PoolCode::parse(pool).expect("valid"),
            quantity: *quantity,
        };
        let wish = Wish {
            order_id: String::new(),
            trace_parent: String::new(),
            demands: demands.iter().map(demand).collect(),
            ttl: Duration::from_secs(1),
        };
        Reservation {
            state: ReservationState::Confirmed,
            resolved_at: Some(Instant(0)),
            ..wish.hold(Instant(0))
        }
    }

    /// Key of a line, pool, and units.
    type Wanted = (&'static str, Option<&'static str>, Option<i64>);
    /// Position of a demand, and units.
    type Units = (i64, i64);

    fn take(reservation: &Reservation, wanted: &[Wanted]) -> Result<Vec<Units>, Refusal> {
        let mut all = BTreeMap::from([(reservation.id.clone(), reservation.clone())]);
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(key, pool, quantity)| LinkedReturn {
                path: "lines[0]".to_owned(),
                reservation: reservation.id.clone(),
                line_key: (*key).to_owned(),
                pool: pool.map(|code| PoolCode::parse(code).expect("valid")),
                quantity: *quantity,
                disposition: Disposition::Restock,
            })
            .collect();
        let taken = take_back(&mut all, &wanted)?;
        Ok(taken.iter().map(|t| (t.position, t.quantity)).collect())
    }

    #[test]
    fn units_are_taken_from_the_demands_of_a_line_in_order() {
        let reservation = confirmed(&[("1", "a", 3), ("2", "a", 1), ("1", "a", 2)]);
        let table: [(&[Wanted], &[Units]); 5] = [
            (&[("1", None, None)], &[(0, 3), (2, 2)]),
            (&[("1", None, Some(4))], &[(0, 3), (2, 1)]),
            (&[("1", None, Some(2)), ("1", Some("a"), Some(2))], &[(0, 2), (0, 1), (2, 1)]),
            (&[("1", None, None), ("1", None, None)], &[(0, 3), (2, 2)]),
            (&[("2", None, Some(1))], &[(1, 1)]),
        ];
        for (wanted, taken) in table {
            assert_eq!(take(&reservation, wanted).expect("allowed"), taken, "{wanted:?}");
        }
    }

    #[test]
    fn units_of_a_line_go_back_to_the_pool_that_is_named() {
        let reservation = confirmed(&[("1", "a", 3), ("2", "b", 1), ("1", "b", 2)]);
        let table: [(&[Wanted], &[Units]); 4] = [
            (&[("1", Some("b"), Some(1))], &[(2, 1)]),
            (&[("1", Some("a"), Some(1)), ("1", Some("b"), None)], &[(0, 1), (2, 2)]),
            (&[("1", Some("b"), Some(2)), ("1", None, None)], &[(2, 2), (0, 3)]),
            (&[("2", None, Some(1))], &[(1, 1)]),
        ];
        for (wanted, taken) in table {
            assert_eq!(take(&reservation, wanted).expect("allowed"), taken, "{wanted:?}");
        }
        let refusal = take(&reservation, &[("1", Some("b"), Some(3))]).expect_err("2 of b");
        assert!(matches!(refusal, Refusal::QuantityExceedsUsed { used: 2, .. }), "{refusal}");
        let refusal = take(&reservation, &[("2", Some("a"), None)]).expect_err("none of a");
        assert!(matches!(refusal, Refusal::LinePoolUnknown { .. }), "{refusal}");
    }

    #[test]
    fn a_part_of_a_line_with_several_pools_names_its_pool() {
        let reservation = confirmed(&[("1", "a", 3), ("1", "b", 2)]);
        for quantity in [1, 3, 5] {
            let refusal = take(&reservation, &[("1", None, Some(quantity))]).expect_err("of which");
            let Refusal::PoolCodeNeeded { path, pools, .. } = refusal else {
                panic!("{refusal}");
            };
            assert_eq!((path.as_str(), pools.len()), ("lines[0].pool_code", 2));
        }
    }

    #[test]
    fn no_more_comes_back_than_is_used() {
        let reservation = confirmed(&[("1", "a", 3)]);
        for wanted in [&[("1", None, Some(4))][..], &[("1", None, Some(2)), ("1", None, Some(2))]] {
            let refusal = take(&reservation, wanted).expect_err("too many");
            assert!(matches!(refusal, Refusal::QuantityExceedsUsed { .. }), "{refusal}");
        }
        let held = Reservation { state: ReservationState::Held, ..reservation };
        assert!(take(&held, &[("1", None, Some(1))]).is_err());
        assert_eq!(take(&held, &[("1", None, None)]), Ok(vec![]));
    }

    #[test]
    fn serial_items_come_back_all_at_once() {
        let mut reservation = confirmed(&[("1", "a", 2)]);
        reservation.lines[0].item_ids = vec!["x".to_owned(), "y".to_owned()];
        let refusal = take(&reservation, &[("1", None, Some(1))]).expect_err("one of two");
        assert!(matches!(refusal, Refusal::PoolKindMismatch { .. }), "{refusal}");
        assert_eq!(take(&reservation, &[("1", None, Some(2))]), Ok(vec![(0, 2)]));
    }

    #[test]
    fn an_unknown_line_is_named_by_its_path() {
        let reservation = confirmed(&[("1", "a", 2)]);
        let refusal = take(&reservation, &[("9", None, None)]).expect_err("no such line");
        assert!(
            matches!(refusal, Refusal::LineUnknown { path, .. } if path == "lines[0].line_key")
        );
    }
}
