//! Every SQL statement of the order center, and how a row is an order.

use std::sync::Arc;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::FirstAnswer;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::{Change, Database, Insert, Migration, Rows, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::{DOMAIN, OrderError};
use crate::order::{Order, OrderId};
use crate::rating::{self, RatingsByOrder};
use crate::rollup::rollup;
use crate::step::Step;
use crate::templates::Templates;
use crate::webhook;
use crate::work::next_due;
use crate::{campaign, cancellation};

mod archive;
mod before;
mod claim;
pub(crate) mod duration;
pub(crate) mod hold;
mod mark;
mod page;
mod position;
mod reading;
mod task;
pub(crate) mod template;
pub(crate) mod upkeep;

pub(crate) use archive::{Ended, add_ended, ended_samples};
pub(crate) use claim::{replace_claims, taken_in};
pub(crate) use page::Filter;
pub(crate) use position::{LateRow, PositionFilter, PositionGroup};
pub(crate) use reading::{Head, Listed};
pub(crate) use task::TaskFilter;

/// Schema of this center.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        description: "orders",
        sql: include_str!("../migrations/0001_orders.sql"),
    },
    Migration {
        version: 2,
        description: "templates",
        sql: include_str!("../migrations/0002_templates.sql"),
    },
    Migration {
        version: 3,
        description: "webhooks",
        sql: include_str!("../migrations/0003_webhooks.sql"),
    },
    Migration {
        version: 4,
        description: "carts",
        sql: include_str!("../migrations/0004_carts.sql"),
    },
    Migration {
        version: 5,
        description: "campaigns",
        sql: include_str!("../migrations/0005_campaigns.sql"),
    },
    Migration { version: 6, description: "bulk", sql: include_str!("../migrations/0006_bulk.sql") },
    Migration {
        version: 7,
        description: "ratings",
        sql: include_str!("../migrations/0007_ratings.sql"),
    },
    Migration {
        version: 8,
        description: "durations",
        sql: include_str!("../migrations/0008_durations.sql"),
    },
    Migration {
        version: 9,
        description: "hold windows",
        sql: include_str!("../migrations/0009_hold_windows.sql"),
    },
    Migration {
        version: 10,
        description: "archive",
        sql: include_str!("../migrations/0010_archive.sql"),
    },
    Migration {
        version: 11,
        description: "monitors",
        sql: include_str!("../migrations/0011_monitors.sql"),
    },
    Migration {
        version: 12,
        description: "upkeep",
        sql: include_str!("../migrations/0012_upkeep.sql"),
    },
];

const COLUMNS: &[&str] = &[
    "order_id",
    "channel",
    "channel_order_id",
    "customer_id",
    "phone",
    "state",
    "version",
    "created_at_us",
    "wakeup_at_us",
    "document",
];
static INSERT_ORDER: Insert = Insert { table: "orders", columns: COLUMNS, otherwise: "" };
/// Replaces the version just before; meets no row where another one is there, or where the order has ended since.
static REPLACE_ORDER: Rows = Rows {
    before: "UPDATE orders SET state = v.column2, version = v.column3, wakeup_at_us = v.column4, \
        document = v.column5 FROM (",
    width: 5,
    after: ") AS v WHERE orders.order_id = v.column1 AND orders.version = v.column3 - 1",
};
const SELECT_NUMBER: &str = "SELECT order_id FROM orders WHERE channel_order_id = $2 AND channel = $1 \
     UNION ALL \
     SELECT order_id FROM orders_archive WHERE channel_order_id = $2 AND channel = $1";
const SELECT_LIVE: &str = "SELECT order_id, wakeup_at_us FROM orders \
     WHERE wakeup_at_us IS NOT NULL AND order_id > $1 ORDER BY order_id LIMIT $2";

/// Reads orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderStore {
    database: Database,
    templates: Templates,
}

impl OrderStore {
    /// Reads from the center's database.
    pub(crate) fn new(database: Database, templates: Templates) -> Self {
        Self { database, templates }
    }

    /// Reads what customers said of some orders.
    pub(crate) async fn ratings_of(
        &self,
        orders: impl Iterator<Item = &Order>,
    ) -> Result<RatingsByOrder, Error> {
        rating::of_orders(&self.database, orders).await
    }

    /// Reads which orders are live and when each is due, by id, for recovery.
    pub(crate) async fn live_after(
        &self,
        order_id: &str,
        limit: i64,
    ) -> Result<Vec<(OrderId, Instant)>, Error> {
        let rows = self.database.fetch_all(SELECT_LIVE, [order_id.into(), limit.into()]).await?;
        let read = |row: &AnyRow| {
            let id = OrderId::parse(&row.get::<String, _>(0));
            Ok((id.map_err(|e| corrupt(DOMAIN, "orders", e))?, Instant(row.get(1))))
        };
        rows.iter().map(read).collect()
    }
}

fn document(order: &Order) -> Result<String, Error> {
    serde_json::to_string(order).map_err(|e| Error::internal(DOMAIN, e))
}

/// When a new owner has work with the order: at once where a call of it is out, whose answer nobody else waits for.
fn wakeup(order: &Order) -> Option<i64> {
    if order.ended_at.is_some() {
        return None;
    }
    let now = order.updated_at;
    // What was due by then may be on its way, or was just found out to be due.
    let is_due = |step: &Step| step.is_open() && step.next_at.is_some_and(|at| at <= now);
    let is_called = order.places().any(|(_, step)| step.is_called() || is_due(step));
    let due = next_due(order, now).filter(|_| !is_called);
    Some(due.unwrap_or(now).0)
}

/// Adds a new order.
pub(crate) async fn insert(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    let key = [order.channel.as_str().into(), order.channel_order_id.as_str().into()];
    if tx.fetch_optional(SELECT_NUMBER, key).await?.is_some() {
        return Err(OrderError::ChannelOrderIdTaken(order.channel_order_id.clone()).into());
    }
    tx.append(&INSERT_ORDER, row(order)?);
    keep_aside(tx, order).await
}

/// Stores what an order is found by besides its own row, where it changed. The marks of one that has ended stand in the archive.
async fn keep_aside(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    if order.marks_changed && order.ended_at.is_none() {
        mark::replace(tx, order).await?;
    }
    if order.tasks_changed {
        task::replace(tx, order).await?;
    }
    if order.positions_changed {
        position::replace(tx, order).await?;
    }
    if order.cancellations_changed {
        cancellation::store::put(tx, order).await?;
    }
    Ok(())
}

fn row(order: &Order) -> Result<Vec<Value>, Error> {
    Ok(vec![
        order.id.as_str().into(),
        order.channel.as_str().into(),
        order.channel_order_id.as_str().into(),
        order.customer.id.as_str().into(),
        order.customer.phone.as_str().into(),
        rollup(order).as_str().into(),
        order.version.into(),
        order.created_at.into(),
        wakeup(order).into(),
        document(order)?.into(),
    ])
}

/// What replaces the row of a live order.
fn replacement(order: &Order) -> Result<Vec<Value>, Error> {
    Ok(vec![
        order.id.as_str().into(),
        rollup(order).as_str().into(),
        order.version.into(),
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
    /// Who is told of the events.
    pub(crate) webhooks: webhook::Registry,
}

impl Change for SaveOrders {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let (ended, live): (Vec<_>, Vec<_>) =
            self.orders.iter().partition(|order| order.ended_at.is_some());
        let rows = live.iter().map(|order| replacement(order)).collect::<Result<Vec<_>, _>>()?;
        if usize::try_from(tx.change(&REPLACE_ORDER, rows).await?) != Ok(live.len()) {
            return Err(overtaken());
        }
        archive::put_away(tx, &ended).await?;
        for order in &ended {
            claim::give_free(tx, order).await?;
        }
        for order in &self.orders {
            keep_aside(tx, order).await?;
        }
        campaign::sale::note(tx, &self.orders).await?;
        let orders = self.orders.iter().map(Arc::as_ref);
        webhook::enqueue(tx, &self.webhooks, orders, &self.announcements);
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

fn overtaken() -> Error {
    let message = "another instance changed one of the orders; try again";
    Error::new(Kind::Unavailable, DOMAIN, ORDER_OVERTAKEN, message)
}
