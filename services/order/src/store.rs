//! Every SQL statement of the order center, and how a row is an order.

use std::sync::Arc;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::FirstAnswer;
use throughline_kit::outbox::Announcement;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Change, Database, Insert, Migration, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::claim::{Claim, Share, Taken};
use crate::error::{DOMAIN, OrderError};
use crate::order::{Item, Order, OrderState, ReturnOf};
use crate::rollup::rollup;
use crate::work::next_due;

/// Schema of this center.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "orders",
    sql: include_str!("../migrations/0001_orders.sql"),
}];

const COLUMNS: &[&str] = &[
    "order_id",
    "channel",
    "channel_order_id",
    "customer_id",
    "state",
    "version",
    "created_at_us",
    "wakeup_at_us",
    "document",
];
static INSERT_ORDER: Insert = Insert { table: "orders", columns: COLUMNS, otherwise: "" };
/// Replaces the version just before; meets no row when another one is there.
static REPLACE_ORDER: Insert = Insert {
    table: "orders",
    columns: COLUMNS,
    otherwise: "ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, \
        version = excluded.version, wakeup_at_us = excluded.wakeup_at_us, \
        document = excluded.document WHERE orders.version = excluded.version - 1",
};
const SELECT_ORDER: &str = "SELECT document FROM orders WHERE order_id = $1";
const SELECT_BY_CHANNEL: &str =
    "SELECT document FROM orders WHERE channel = $1 AND channel_order_id = $2";
const SELECT_NUMBER: &str =
    "SELECT order_id FROM orders WHERE channel = $1 AND channel_order_id = $2";
const SELECT_LIVE: &str = "SELECT order_id, document FROM orders \
     WHERE wakeup_at_us IS NOT NULL AND order_id > $1 ORDER BY order_id LIMIT $2";
/// Pages begin below an instant and id; each filter has an index in that order.
const SELECT_PAGE: &str = "SELECT document FROM orders \
     WHERE (created_at_us, order_id) < ($1, $2) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_STATE_PAGE: &str = "SELECT document FROM orders \
     WHERE state = $4 AND (created_at_us, order_id) < ($1, $2) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_CHANNEL_PAGE: &str = "SELECT document FROM orders \
     WHERE channel = $4 AND (created_at_us, order_id) < ($1, $2) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_CHANNEL_STATE_PAGE: &str = "SELECT document FROM orders \
     WHERE channel = $4 AND state = $5 AND (created_at_us, order_id) < ($1, $2) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
/// One customer has few orders: other filters look through them.
const SELECT_CUSTOMER_PAGE: &str = "SELECT document FROM orders \
     WHERE customer_id = $4 AND (created_at_us, order_id) < ($1, $2) \
     AND (CAST($5 AS TEXT) IS NULL OR channel = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR state = $6) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";

const SELECT_TAKEN_OF: &str = "SELECT original_item_key, CAST(SUM(units) AS BIGINT), \
     CAST(SUM(amount_minor) AS BIGINT) FROM claims \
     WHERE original_order_id = $1 AND order_id <> $2 GROUP BY original_item_key";
const DELETE_CLAIMS: &str = "DELETE FROM claims WHERE order_id = $1";
const DELETE_CLAIM: &str = "DELETE FROM claims WHERE order_id = $1 AND item_key = $2";
const INSERT_CLAIM: &str = "INSERT INTO claims (order_id, item_key, original_order_id, \
     original_item_key, units, amount_minor) VALUES ($1, $2, $3, $4, $5, $6)";

/// Which orders to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this channel.
    pub(crate) channel: Option<String>,
    /// Only this customer.
    pub(crate) customer_id: Option<String>,
    /// Only this state.
    pub(crate) state: Option<OrderState>,
}

/// Reads orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderStore {
    database: Database,
}

impl OrderStore {
    /// Reads from the center's database.
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Reads one order.
    pub(crate) async fn by_id(&self, order_id: &str) -> Result<Option<Order>, Error> {
        let row = self.database.fetch_optional(SELECT_ORDER, [order_id.into()]).await?;
        row.map(|row| order(&row.get::<String, _>(0))).transpose()
    }

    /// Reads one order by the channel's own number.
    pub(crate) async fn by_channel(
        &self,
        channel: &str,
        number: &str,
    ) -> Result<Option<Order>, Error> {
        let key = [channel.into(), number.into()];
        let row = self.database.fetch_optional(SELECT_BY_CHANNEL, key).await?;
        row.map(|row| order(&row.get::<String, _>(0))).transpose()
    }

    /// Reads live orders by id, for recovery.
    pub(crate) async fn live_after(&self, order_id: &str, limit: i64) -> Result<Vec<Order>, Error> {
        let rows = self.database.fetch_all(SELECT_LIVE, [order_id.into(), limit.into()]).await?;
        rows.iter().map(|row| order(&row.get::<String, _>(1))).collect()
    }

    /// Reads what returns other than this one took of the lines of an order.
    pub(crate) async fn taken_of(&self, original: &str, returning: &str) -> Result<Taken, Error> {
        let key = [original.into(), returning.into()];
        let rows = self.database.fetch_all(SELECT_TAKEN_OF, key).await?;
        Ok(rows.iter().map(share).collect())
    }

    /// Reads one page, newest first.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        page: &Page<(Instant, String)>,
    ) -> Result<Vec<Order>, Error> {
        // Without a place to begin, all are below the end of time.
        let (at, id) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
        let mut arguments: Vec<Value> = vec![at.into(), id.into(), page.fetch_limit().into()];
        let state = filter.state.map(|state| state.as_str().to_owned());
        let statement = match (&filter.customer_id, &filter.channel, state) {
            (Some(customer), channel, state) => {
                arguments.extend([customer.as_str().into(), channel.clone().into(), state.into()]);
                SELECT_CUSTOMER_PAGE
            }
            (None, Some(channel), Some(state)) => {
                arguments.extend([channel.as_str().into(), state.into()]);
                SELECT_CHANNEL_STATE_PAGE
            }
            (None, Some(channel), None) => {
                arguments.push(channel.as_str().into());
                SELECT_CHANNEL_PAGE
            }
            (None, None, Some(state)) => {
                arguments.push(state.into());
                SELECT_STATE_PAGE
            }
            (None, None, None) => SELECT_PAGE,
        };
        let rows = self.database.fetch_all(statement, arguments).await?;
        rows.iter().map(|row| order(&row.get::<String, _>(0))).collect()
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

fn order(document: &str) -> Result<Order, Error> {
    serde_json::from_str(document).map_err(|e| corrupt(DOMAIN, "orders", e))
}

fn document(order: &Order) -> Result<String, Error> {
    serde_json::to_string(order).map_err(|e| Error::internal(DOMAIN, e))
}

fn wakeup(order: &Order) -> Option<i64> {
    order
        .ended_at
        .is_none()
        .then(|| next_due(order, order.updated_at).unwrap_or(order.updated_at).0)
}

/// Adds a new order.
pub(crate) async fn insert(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    let key = [order.channel.as_str().into(), order.channel_order_id.as_str().into()];
    if tx.fetch_optional(SELECT_NUMBER, key).await?.is_some() {
        return Err(OrderError::ChannelOrderIdTaken(order.channel_order_id.clone()).into());
    }
    tx.append(&INSERT_ORDER, row(order)?);
    Ok(())
}

fn row(order: &Order) -> Result<Vec<Value>, Error> {
    Ok(vec![
        order.id.as_str().into(),
        order.channel.as_str().into(),
        order.channel_order_id.as_str().into(),
        order.customer.id.as_str().into(),
        rollup(order).as_str().into(),
        order.version.into(),
        order.created_at.into(),
        wakeup(order).into(),
        document(order)?.into(),
    ])
}

/// What one shard stores at once: changed orders, what they announce, and first answers.
#[derive(Debug, Default)]
pub(crate) struct SaveOrders {
    /// Each with the version that it replaces one below its own.
    pub(crate) orders: Vec<Arc<Order>>,
    /// Events.
    pub(crate) announcements: Vec<Announcement>,
    /// Answers to requests that the changes carry out.
    pub(crate) answers: Vec<FirstAnswer>,
}

impl Change for SaveOrders {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let rows = self.orders.iter().map(|order| row(order)).collect::<Result<Vec<_>, _>>()?;
        if usize::try_from(tx.put(&REPLACE_ORDER, rows).await?) != Ok(self.orders.len()) {
            return Err(overtaken());
        }
        for order in self.orders.iter().filter(|order| order.ended_at.is_some()) {
            for item in order.items.iter().filter(|item| gave_nothing_back(order, item)) {
                let key = [order.id.as_str().into(), item.key.as_str().into()];
                tx.execute(DELETE_CLAIM, key).await?;
            }
        }
        for announcement in &self.announcements {
            tx.announce(announcement.clone());
        }
        for answer in &self.answers {
            answer.keep(tx);
        }
        Ok(())
    }
}

/// The line is a linked return that did not come to its end: what it claimed may be returned by another order.
fn gave_nothing_back(order: &Order, item: &Item) -> bool {
    matches!(item.return_of, Some(ReturnOf::Order(_))) && !order.has_delivered(item)
}

/// Reason of a save that found another version than it replaces.
pub(crate) const ORDER_OVERTAKEN: &str = "ORDER_OVERTAKEN";

fn overtaken() -> Error {
    let message = "another instance changed one of the orders; try again";
    Error::new(Kind::Unavailable, DOMAIN, ORDER_OVERTAKEN, message)
}
