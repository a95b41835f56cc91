//! Ended orders leave the table of live ones in the commit in which they end: what a live order costs does not depend on how
//! many have been, and an order stands in one table or the other at every instant.

use std::sync::Arc;

use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Rows, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::reading::parse;
use super::{document, overtaken};
use crate::error::DOMAIN;
use crate::order::Order;
use crate::rollup::rollup;

/// Takes over what never changes from the row of the live order; meets none where that has another version than the one
/// just before.
static MOVE: Rows = Rows {
    before: "INSERT INTO orders_archive (order_id, channel, channel_order_id, customer_id, phone, state, version, \
        created_at_us, document) SELECT o.order_id, o.channel, o.channel_order_id, o.customer_id, o.phone, \
        v.column2, v.column3, o.created_at_us, v.column4 FROM (",
    width: 4,
    after: ") AS v JOIN orders o ON o.order_id = v.column1 WHERE o.version = v.column3 - 1",
};
static DELETE: Rows =
    Rows { before: "DELETE FROM orders WHERE order_id IN (", width: 1, after: ")" };
static DELETE_MARKS: Rows =
    Rows { before: "DELETE FROM order_marks WHERE order_id IN (", width: 1, after: ")" };
static INSERT_MARK: Insert = Insert {
    table: "archive_marks",
    columns: &["mark", "created_at_us", "order_id"],
    otherwise: "",
};

static INSERT: Insert = Insert {
    table: "orders_archive",
    columns: &[
        "order_id",
        "channel",
        "channel_order_id",
        "customer_id",
        "phone",
        "state",
        "version",
        "created_at_us",
        "document",
    ],
    otherwise: "",
};
const SELECT_SAMPLES: &str =
    "SELECT document, state FROM orders_archive ORDER BY created_at_us DESC LIMIT $1";

/// An order that has ended, and its state.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The order, without what its steps do.
    pub(crate) order: Box<Order>,
    /// As it is stored.
    pub(crate) state: String,
}

/// Reads some of those that ended last.
pub(crate) async fn ended_samples(database: &Database, limit: i64) -> Result<Vec<Ended>, Error> {
    let rows = database.fetch_all(SELECT_SAMPLES, [limit.into()]).await?;
    let read = |row: &AnyRow| {
        let order = parse(&row.get::<String, _>(0)).map_err(|e| corrupt(DOMAIN, "orders", e))?;
        Ok(Ended { order: Box::new(order), state: row.get(1) })
    };
    rows.iter().map(read).collect()
}

/// Adds orders that have ended elsewhere.
pub(crate) fn add_ended(tx: &mut Tx, ended: &[Ended]) -> Result<(), Error> {
    for Ended { order, state } in ended {
        let row: [Value; 9] = [
            order.id.as_str().into(),
            order.channel.as_str().into(),
            order.channel_order_id.as_str().into(),
            order.customer.id.as_str().into(),
            order.customer.phone.as_str().into(),
            state.as_str().into(),
            order.version.into(),
            order.created_at.into(),
            document(order)?.into(),
        ];
        tx.append(&INSERT, row);
    }
    keep_marks(tx, ended.iter().map(|ended| &*ended.order));
    Ok(())
}

/// Moves orders that end in this commit.
pub(super) async fn put_away(tx: &mut Tx, ended: &[&Arc<Order>]) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let row = |order: &&Arc<Order>| {
        Ok::<_, Error>(vec![
            order.id.as_str().into(),
            rollup(order).as_str().into(),
            order.version.into(),
            document(order)?.into(),
        ])
    };
    // At once: the next change of the same commit looks here for numbers that are taken.
    let rows = ended.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    if usize::try_from(tx.change(&MOVE, rows).await?) != Ok(ended.len()) {
        return Err(overtaken());
    }
    forget_live(tx, ended.iter().map(|order| order.id.as_str())).await?;
    keep_marks(tx, ended.iter().map(|order| &***order));
    Ok(())
}

/// Deletes the rows of orders that are in the archive from now on.
pub(super) async fn forget_live(
    tx: &mut Tx,
    order_ids: impl Iterator<Item = &str> + Clone,
) -> Result<u64, Error> {
    let keys = || order_ids.clone().map(|id| vec![Value::from(id)]).collect();
    tx.change(&DELETE_MARKS, keys()).await?;
    tx.change(&DELETE, keys()).await
}

/// Stores what archived orders are found by besides their rows.
pub(super) fn keep_marks<'a>(tx: &mut Tx, ended: impl Iterator<Item = &'a Order>) {
    for order in ended {
        for mark in order.marks.iter() {
            let row: [Value; 3] =
                [mark.as_str().into(), order.created_at.into(), order.id.as_str().into()];
            tx.append(&INSERT_MARK, row);
        }
    }
}
