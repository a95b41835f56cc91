//! Rows of `movements`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::pool_code;
use crate::error::DOMAIN;
use crate::movement::{Entry, Movement, MovementKind};
use crate::pool::PoolCode;
use crate::reservation::ReservationId;

macro_rules! movement_columns {
    () => {
        "sequence, pool_code, kind, quantity, reservation_id, order_id, reason, occurred_at_us"
    };
}

const LAST_SEQUENCE: &str = "SELECT sequence FROM movements ORDER BY sequence DESC LIMIT 1";
const LIST_ALL: &str = concat!(
    "SELECT ",
    movement_columns!(),
    " FROM movements WHERE sequence > $1 ORDER BY sequence LIMIT $2"
);
const LIST_OF_POOL: &str = concat!(
    "SELECT ",
    movement_columns!(),
    " FROM movements WHERE sequence > $1 AND pool_code = $3 ORDER BY sequence LIMIT $2"
);
const LIST_OF_ORDER: &str = concat!(
    "SELECT ",
    movement_columns!(),
    " FROM movements WHERE sequence > $1 AND order_id = $3 ORDER BY sequence LIMIT $2"
);
const LIST_OF_POOL_AND_ORDER: &str = concat!(
    "SELECT ",
    movement_columns!(),
    " FROM movements WHERE sequence > $1 AND pool_code = $3 AND order_id = $4 \
     ORDER BY sequence LIMIT $2"
);
static INSERT_MOVEMENT: Insert = Insert {
    table: "movements",
    columns: &[
        "sequence",
        "pool_code",
        "kind",
        "quantity",
        "reservation_id",
        "order_id",
        "reason",
        "occurred_at_us",
    ],
    otherwise: "",
};

/// Reads the position of the last movement; 0 before the first.
pub(crate) async fn last_sequence(tx: &mut Tx) -> Result<i64, Error> {
    Ok(tx.fetch_optional(LAST_SEQUENCE, []).await?.map_or(0, |row| row.get(0)))
}

/// Adds a movement.
pub(crate) fn add(tx: &mut Tx, sequence: i64, entry: &Entry) {
    let row: [Value; 8] = [
        sequence.into(),
        entry.pool.as_str().into(),
        entry.kind.as_str().into(),
        entry.quantity.into(),
        entry.reservation.as_ref().map_or("", ReservationId::as_str).into(),
        entry.order_id.as_str().into(),
        entry.reason.as_str().into(),
        entry.at.into(),
    ];
    tx.append(&INSERT_MOVEMENT, row);
}

/// Which movements to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this pool.
    pub(crate) pool: Option<PoolCode>,
    /// Only this order.
    pub(crate) order_id: Option<String>,
}

/// Reads movements after a position, in order.
pub(crate) async fn list(
    database: &Database,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Movement>, Error> {
    let mut arguments: Vec<Value> = vec![after.into(), limit.into()];
    arguments.extend(filter.pool.iter().map(|pool| pool.as_str().into()));
    arguments.extend(filter.order_id.iter().map(|order| order.as_str().into()));
    let statement = match (&filter.pool, &filter.order_id) {
        (None, None) => LIST_ALL,
        (Some(_), None) => LIST_OF_POOL,
        (None, Some(_)) => LIST_OF_ORDER,
        (Some(_), Some(_)) => LIST_OF_POOL_AND_ORDER,
    };
    database.fetch_all(statement, arguments).await?.iter().map(movement).collect()
}

fn movement(row: &AnyRow) -> Result<Movement, Error> {
    let (kind, reservation): (String, String) = (row.get(2), row.get(4));
    let reservation = (!reservation.is_empty()).then(|| ReservationId::parse(&reservation));
    let entry = Entry {
        pool: pool_code("movements", row.get(1))?,
        kind: MovementKind::parse(&kind).ok_or_else(|| corrupt(DOMAIN, "movements", kind))?,
        quantity: row.get(3),
        reservation: reservation.transpose().map_err(|e| corrupt(DOMAIN, "movements", e))?,
        order_id: row.get(5),
        reason: row.get(6),
        at: Instant(row.get(7)),
    };
    Ok(Movement { sequence: row.get(0), entry })
}
