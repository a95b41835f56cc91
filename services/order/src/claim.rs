//! Claims: what returns take back of the lines of earlier orders. No unit comes back twice, and no line gives back more
//! money than it cost, whichever returns run at the same time.

use std::collections::BTreeMap;

use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};

use crate::store;

/// What one line of a return takes of a line of an earlier order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Line of the return.
    pub(crate) item_key: String,
    /// The earlier order.
    pub(crate) original_order_id: String,
    /// Its line.
    pub(crate) original_item_key: String,
    /// Units that come back.
    pub(crate) units: i64,
    /// All that was sold with that line.
    pub(crate) sold: Share,
    /// What the channel pays back by its own price, in minor units; otherwise a share of what the line cost.
    pub(crate) agreed_minor: Option<i64>,
}

/// Units of a line and the money for them, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Units.
    pub(crate) units: i64,
    /// Money.
    pub(crate) minor: i64,
}

/// What was taken of each line of an order, by the line's key.
pub(crate) type Taken = BTreeMap<String, Share>;

impl Claim {
    /// The money that comes back after others took their share; `None` when so many units are not left. Parts of a line
    /// are rounded so that all of them together give back just what the line cost.
    fn pays(&self, taken: Share) -> Option<i64> {
        let units =
            taken.units.checked_add(self.units).filter(|units| *units <= self.sold.units)?;
        let left = self.sold.minor - taken.minor;
        let asked = self
            .agreed_minor
            .unwrap_or_else(|| part(self.sold.minor, units, self.sold.units) - taken.minor);
        Some(asked.clamp(0, left.max(0)))
    }
}

/// So many units' part of the price of all, half up.
fn part(minor: i64, units: i64, of: i64) -> i64 {
    let (minor, units, of) = (i128::from(minor), i128::from(units), i128::from(of));
    i64::try_from((2 * minor * units + of).div_euclid(2 * of)).unwrap_or(i64::MAX)
}

/// Stores all claims of a return in place of those that it stored before.
#[derive(Debug)]
pub(crate) struct ClaimLines {
    /// The return.
    pub(crate) order_id: String,
    /// One for each linked line.
    pub(crate) claims: Vec<Claim>,
}

impl Change for ClaimLines {
    /// What each claim pays back, in minor units; `None` when another return took the units first.
    type Output = Option<Vec<i64>>;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut taken: BTreeMap<&str, Taken> = BTreeMap::new();
        let mut amounts = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            let original = claim.original_order_id.as_str();
            if !taken.contains_key(original) {
                taken.insert(original, store::taken_in(tx, original, &self.order_id).await?);
            }
            let lines = taken.get_mut(original).expect("just inserted");
            let share = lines.entry(claim.original_item_key.clone()).or_default();
            let Some(minor) = claim.pays(*share) else { return Ok(None) };
            *share = Share { units: share.units + claim.units, minor: share.minor + minor };
            amounts.push(minor);
        }
        store::replace_claims(tx, &self.order_id, self.claims.iter().zip(&amounts)).await?;
        Ok(Some(amounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(units: i64, sold: (i64, i64), agreed_minor: Option<i64>) -> Claim {
        Claim {
            item_key: "back".to_owned(),
            original_order_id: "ord_1".to_owned(),
            original_item_key: "1".to_owned(),
            units,
            sold: Share { units: sold.0, minor: sold.1 },
            agreed_minor,
        }
    }

    #[test]
    fn a_claim_pays_its_share_and_never_more_than_is_left() {
        // (units, (sold units, sold for), agreed, (taken units, taken money)) -> pays
        let cases = [
            ((3, (3, 1_000), None, (0, 0)), Some(1_000)),
            ((1, (3, 1_000), None, (0, 0)), Some(333)),
            ((1, (3, 1_000), None, (1, 333)), Some(334)),
            ((1, (3, 1_000), None, (2, 667)), Some(333)),
            ((1, (3, 1_000), None, (3, 1_000)), None),
            ((4, (3, 1_000), None, (0, 0)), None),
            ((i64::MAX, (3, 1_000), None, (1, 333)), None),
            ((1, (10, 85), Some(9), (0, 0)), Some(9)),
            ((1, (10, 85), Some(9), (9, 81)), Some(4)),
            ((2, (2, 0), None, (0, 0)), Some(0)),
            ((1, (2, 100), None, (1, 100)), Some(0)),
        ];
        for ((units, sold, agreed, (taken, minor)), pays) in cases {
            let taken = Share { units: taken, minor };
            assert_eq!(claim(units, sold, agreed).pays(taken), pays, "{units} of {sold:?}");
        }
    }

    #[test]
    fn the_parts_of_a_line_give_back_just_what_it_cost() {
        for (sold, minor) in [(7, 1_000), (3, 1), (12, 102), (1_000, 999_999_999)] {
            let mut taken = Share::default();
            for _ in 0..sold {
                let pays = claim(1, (sold, minor), None).pays(taken).expect("left");
                taken = Share { units: taken.units + 1, minor: taken.minor + pays };
            }
            assert_eq!(taken.minor, minor);
        }
    }
}
