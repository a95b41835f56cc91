//! Rows that an earlier version left behind: ended orders among the live ones, and orders without what they are found by.

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Rows, Tx, Value, corrupt};

use super::archive::{forget_live, keep_marks};
use super::reading::parse;
use super::{OrderStore, mark, overtaken, position};
use crate::error::DOMAIN;
use crate::mark::{mark, mark_templates};
use crate::order::Order;

const SELECT_ENDED: &str = "SELECT order_id, document FROM orders \
     WHERE order_id > $1 AND wakeup_at_us IS NULL ORDER BY order_id LIMIT $2";
/// All live orders, until they were gone through once.
const SELECT_LIVE: &str = "SELECT order_id, document FROM orders \
     WHERE order_id > $1 AND wakeup_at_us IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM upkeep WHERE name = 'live orders') \
     ORDER BY order_id LIMIT $2";
const INSERT_DONE: &str = "INSERT INTO upkeep (name, done_at_us) VALUES ('live orders', $1) \
     ON CONFLICT (name) DO NOTHING";
static SET_PHONE: Rows = Rows {
    before: "UPDATE orders SET phone = v.column2 FROM (",
    width: 2,
    after: ") AS v WHERE orders.order_id = v.column1",
};
static MOVE: Rows = Rows {
    before: "INSERT INTO orders_archive (order_id, channel, channel_order_id, customer_id, phone, state, version, \
        created_at_us, document) SELECT o.order_id, o.channel, o.channel_order_id, o.customer_id, v.column2, \
        o.state, o.version, o.created_at_us, o.document FROM (",
    width: 2,
    after: ") AS v JOIN orders o ON o.order_id = v.column1 WHERE o.wakeup_at_us IS NULL",
};

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Ended orders among the live ones.
    Ended,
    /// Live orders that may lack what they are found by.
    Live,
}

/// Some of them, with the marks that they should have.
#[derive(Debug)]
pub(crate) struct Found {
    /// Those that are understood.
    pub(crate) orders: Vec<Order>,
    /// The last one that was looked at.
    pub(crate) last: Option<String>,
}

impl OrderStore {
    /// Reads some rows that were left behind, by id, after one of them.
    pub(crate) async fn left_behind(
        &self,
        left: Left,
        after: &str,
        limit: i64,
    ) -> Result<Found, Error> {
        let statement = match left {
            Left::Ended => SELECT_ENDED,
            Left::Live => SELECT_LIVE,
        };
        let rows = self.database.fetch_all(statement, [after.into(), limit.into()]).await?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            match parse(&row.get::<String, _>(1)).map_err(|e| corrupt(DOMAIN, "orders", e)) {
                Ok(mut order) => {
                    match self.templates.resolve(&mut order).await {
                        Ok(()) => {
                            mark(&mut order);
                            order.positions_changed = true;
                        }
                        // Nothing else is known of its steps.
                        Err(_) => mark_templates(&mut order),
                    }
                    orders.push(order);
                }
                // It stays where it is, and lists tell of it.
                Err(cause) => {
                    let order_id: String = row.get(0);
                    tracing::warn!(%cause, order_id, "read an order of an earlier version");
                }
            }
        }
        Ok(Found { orders, last: rows.last().map(|row| row.get(0)) })
    }
}

/// Moves ended orders to the archive, with their phones and marks.
#[derive(Debug)]
pub(crate) struct MoveEnded(pub(crate) Vec<Order>);

impl Change for MoveEnded {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let moved = tx.change(&MOVE, self.0.iter().map(phone).collect()).await?;
        forget_live(tx, self.0.iter().map(|order| order.id.as_str())).await?;
        if usize::try_from(moved) != Ok(self.0.len()) {
            return Err(overtaken());
        }
        keep_marks(tx, self.0.iter());
        Ok(())
    }
}

/// Gives live orders their phones and marks, and monitors their positions. Before they have an owner: nobody else writes them.
#[derive(Debug)]
pub(crate) struct MarkLive(pub(crate) Vec<Order>);

impl Change for MarkLive {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.change(&SET_PHONE, self.0.iter().map(phone).collect()).await?;
        for order in &self.0 {
            mark::replace(tx, order).await?;
            if order.positions_changed {
                position::replace(tx, order).await?;
            }
        }
        Ok(())
    }
}

/// All live orders were gone through.
#[derive(Debug)]
pub(crate) struct LiveDone(pub(crate) Instant);

impl Change for LiveDone {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(INSERT_DONE, [self.0.into()]).await?;
        Ok(())
    }
}

fn phone(order: &Order) -> Vec<Value> {
    vec![order.id.as_str().into(), order.customer.phone.as_str().into()]
}
