//! Every SQL statement of the order center, and how a row is an order.

use std::sync::Arc;

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::FirstAnswer;
use throughline_kit::outbox::Announcement;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Change, Database, Insert, Migration, Tx, Value, corrupt};

use crate::error::{DOMAIN, OrderError};
use crate::order::{Order, OrderState};
use crate::rollup::rollup;
use crate::work::next_due;

/// Schema of this center.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "orders",
    sql: include_str!("../migrations/0001_orders.sql"),
}];

static INSERT_ORDER: Insert = Insert {
    table: "orders",
    columns: &[
        "order_id",
        "channel",
        "channel_order_id",
        "customer_id",
        "state",
        "version",
        "created_at_us",
        "wakeup_at_us",
        "document",
    ],
};
const UPDATE_ORDER: &str = "UPDATE orders SET state = $1, version = $2, wakeup_at_us = $3, \
     document = $4 WHERE order_id = $5 AND version = $6";
const SELECT_ORDER: &str = "SELECT document FROM orders WHERE order_id = $1";
const SELECT_BY_CHANNEL: &str =
    "SELECT document FROM orders WHERE channel = $1 AND channel_order_id = $2";
const SELECT_TAKEN: &str =
    "SELECT order_id FROM orders WHERE channel = $1 AND channel_order_id = $2";
const SELECT_LIVE: &str = "SELECT order_id, document FROM orders \
     WHERE wakeup_at_us IS NOT NULL AND order_id > $1 ORDER BY order_id LIMIT $2";
const SELECT_PAGE: &str = "SELECT document FROM orders \
     WHERE (CAST($1 AS BIGINT) IS NULL OR (created_at_us, order_id) < ($1, $2)) \
     AND (CAST($3 AS TEXT) IS NULL OR channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR state = $4) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $5";
const SELECT_CUSTOMER_PAGE: &str = "SELECT document FROM orders WHERE customer_id = $6 \
     AND (CAST($1 AS BIGINT) IS NULL OR (created_at_us, order_id) < ($1, $2)) \
     AND (CAST($3 AS TEXT) IS NULL OR channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR state = $4) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $5";

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

    /// Reads one page, newest first.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        page: &Page<(Instant, String)>,
    ) -> Result<Vec<Order>, Error> {
        let after = page.after.clone();
        let mut arguments: Vec<Value> = vec![
            after.as_ref().map(|(at, _)| at.0).into(),
            after.map(|(_, id)| id).into(),
            filter.channel.clone().into(),
            filter.state.map(|state| state.as_str().to_owned()).into(),
            page.fetch_limit().into(),
        ];
        let statement = match &filter.customer_id {
            Some(customer) => {
                arguments.push(customer.as_str().into());
                SELECT_CUSTOMER_PAGE
            }
            None => SELECT_PAGE,
        };
        let rows = self.database.fetch_all(statement, arguments).await?;
        rows.iter().map(|row| order(&row.get::<String, _>(0))).collect()
    }
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
    if tx.fetch_optional(SELECT_TAKEN, key).await?.is_some() {
        return Err(OrderError::ChannelOrderIdTaken(order.channel_order_id.clone()).into());
    }
    tx.append(
        &INSERT_ORDER,
        [
            order.id.as_str().into(),
            order.channel.as_str().into(),
            order.channel_order_id.as_str().into(),
            order.customer.id.as_str().into(),
            rollup(order).as_str().into(),
            order.version.into(),
            order.created_at.into(),
            wakeup(order).into(),
            document(order)?.into(),
        ],
    );
    Ok(())
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
        for order in &self.orders {
            let row = [
                rollup(order).as_str().into(),
                order.version.into(),
                wakeup(order).into(),
                document(order)?.into(),
                order.id.as_str().into(),
                (order.version - 1).into(),
            ];
            if tx.execute(UPDATE_ORDER, row).await? != 1 {
                return Err(overtaken(order));
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

/// Reason of a save that found another version than it replaces.
pub(crate) const ORDER_OVERTAKEN: &str = "ORDER_OVERTAKEN";

fn overtaken(order: &Order) -> Error {
    let message = "another instance changed the order; try again";
    Error::new(Kind::Unavailable, DOMAIN, ORDER_OVERTAKEN, message).with("order", &order.id)
}
