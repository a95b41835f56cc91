//! Rows of claims: what returns take of the lines of earlier orders.

use throughline_kit::error::Error;
use throughline_kit::storage::Tx;
use throughline_kit::{AnyRow, Row};

use super::OrderStore;
use crate::claim::{Claim, Share, Taken};
use crate::order::{Item, Order, ReturnOf};

const SELECT_TAKEN_OF: &str = "SELECT original_item_key, CAST(SUM(units) AS BIGINT), \
     CAST(SUM(amount_minor) AS BIGINT) FROM claims \
     WHERE original_order_id = $1 AND order_id <> $2 GROUP BY original_item_key";
const DELETE_CLAIMS: &str = "DELETE FROM claims WHERE order_id = $1";
const DELETE_CLAIM: &str = "DELETE FROM claims WHERE order_id = $1 AND item_key = $2";
const INSERT_CLAIM: &str = "INSERT INTO claims (order_id, item_key, original_order_id, \
     original_item_key, units, amount_minor) VALUES ($1, $2, $3, $4, $5, $6)";

impl OrderStore {
    /// Reads what returns other than this one took of the lines of an order.
    pub(crate) async fn taken_of(&self, original: &str, returning: &str) -> Result<Taken, Error> {
        let key = [original.into(), returning.into()];
        let rows = self.database.fetch_all(SELECT_TAKEN_OF, key).await?;
        Ok(rows.iter().map(share).collect())
    }
}

/// What returns other than this one took of the lines of an order.
pub(crate) async fn taken_in(tx: &mut Tx, original: &str, returning: &str) -> Result<Taken, Error> {
    let rows = tx.fetch_all(SELECT_TAKEN_OF, [original.into(), returning.into()]).await?;
    Ok(rows.iter().map(share).collect())
}

fn share(row: &AnyRow) -> (String, Share) {
    (row.get(0), Share { units: row.get(1), minor: row.get(2) })
}

/// Stores the claims of a return, each with the money that it pays back, in place of all that it had.
pub(crate) async fn replace_claims<'a>(
    tx: &mut Tx,
    order_id: &str,
    claims: impl Iterator<Item = (&'a Claim, &'a i64)>,
) -> Result<(), Error> {
    tx.execute(DELETE_CLAIMS, [order_id.into()]).await?;
    for (claim, amount) in claims {
        let row = [
            order_id.into(),
            claim.item_key.as_str().into(),
            claim.original_order_id.as_str().into(),
            claim.original_item_key.as_str().into(),
            claim.units.into(),
            (*amount).into(),
        ];
        tx.execute(INSERT_CLAIM, row).await?;
    }
    Ok(())
}

/// Gives free what the lines of a return that has ended did not take back: another order may return it.
pub(super) async fn give_free(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    for item in order.items.iter().filter(|item| gave_nothing_back(order, item)) {
        let key = [order.id.as_str().into(), item.key.as_str().into()];
        tx.execute(DELETE_CLAIM, key).await?;
    }
    Ok(())
}

/// The line is a linked return that did not come to its end.
fn gave_nothing_back(order: &Order, item: &Item) -> bool {
    matches!(item.return_of, Some(ReturnOf::Order(_))) && !order.has_delivered(item)
}
