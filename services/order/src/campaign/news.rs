//! Newss: what orders have to hear of things outside of them. Stored with the change that they tell of, and kept until their
//! order has taken them, so that none is lost and none is heard twice.

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, corrupt};

use crate::error::DOMAIN;
use crate::order::OrderId;

static INSERT_NEWS: Insert = Insert {
    table: "signals",
    columns: &["order_id", "type", "data", "created_at_us"],
    // The order has not yet taken the one before, which says the same.
    otherwise: "ON CONFLICT (order_id, type) DO NOTHING",
};

const SELECT_WAITING: &str =
    "SELECT order_id, type, data FROM signals ORDER BY created_at_us, order_id, type LIMIT $1";
const DELETE_NEWS: &str = "DELETE FROM signals WHERE order_id = $1 AND type = $2";

/// What a signal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewsKind {
    /// All buyers of the group have paid.
    GroupCompleted,
    /// The group's deadline came before that.
    GroupMissed,
}

throughline_kit::define_texts!(NewsKind {
    GroupCompleted: "group.completed",
    GroupMissed: "group.missed",
});

/// Something that an order has to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Order.
    pub(crate) order_id: OrderId,
    /// What it tells.
    pub(crate) kind: NewsKind,
    /// More of it, a JSON object.
    pub(crate) data: String,
}

/// Stores a signal for its order.
pub(crate) fn send(tx: &mut Tx, signal: &News, now: Instant) {
    let row = [
        signal.order_id.as_str().into(),
        signal.kind.as_str().into(),
        signal.data.as_str().into(),
        now.into(),
    ];
    tx.append(&INSERT_NEWS, row);
}

/// The oldest signals that no order has taken, so many at most. Whoever carries them to their orders looks here again and again:
/// what was read and not taken is read again.
pub(crate) async fn waiting(database: &Database, limit: i64) -> Result<Vec<News>, Error> {
    let rows = database.fetch_all(SELECT_WAITING, [limit.into()]).await?;
    rows.iter()
        .map(|row| {
            let (order_id, kind): (String, String) = (row.get(0), row.get(1));
            let broken = |cause: String| corrupt(DOMAIN, "signals", cause);
            Ok(News {
                order_id: OrderId::parse(&order_id).map_err(|e| broken(e.to_string()))?,
                kind: NewsKind::parse(&kind).ok_or_else(|| broken(kind))?,
                data: row.get(2),
            })
        })
        .collect()
}

/// Forgets a signal in the commit in which its order took it, or that finds no order that could.
pub(crate) async fn taken(tx: &mut Tx, signal: &News) -> Result<(), Error> {
    let key = [signal.order_id.as_str().into(), signal.kind.as_str().into()];
    tx.execute(DELETE_NEWS, key).await.map(|_| ())
}
