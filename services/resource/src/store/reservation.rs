//! Rows of `reservations` and `reservation_lines`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{met, pool_code};
use crate::error::DOMAIN;
use crate::pool::PoolCode;
use crate::reservation::{Line, Reservation, ReservationId, ReservationState};

/// Columns of a reservation and one of its lines: `r` joined with `l`.
macro_rules! columns {
    () => {
        "r.reservation_id, r.state, r.order_id, r.trace_parent, r.created_at_us, r.expire_at_us, r.resolved_at_us, \
         l.position, l.line_key, l.pool_code, l.quantity, l.returned_quantity, l.item_ids"
    };
}

/// Columns of `reservations`, for a subquery that becomes `r`.
macro_rules! reservation_columns {
    () => {
        "reservation_id, state, order_id, trace_parent, created_at_us, expire_at_us, resolved_at_us"
    };
}

macro_rules! join_lines_newest_first {
    () => {
        "r JOIN reservation_lines l ON l.reservation_id = r.reservation_id \
         ORDER BY r.created_at_us DESC, r.reservation_id DESC, l.position"
    };
}

/// A page of reservations in the state that they have at `$2`.
macro_rules! page {
    () => {
        "(created_at_us, reservation_id) < ($3, $4) \
         AND (CAST($1 AS TEXT) IS NULL OR $1 = \
              CASE WHEN state = 'HELD' AND expire_at_us <= $2 THEN 'EXPIRED' ELSE state END) \
         ORDER BY created_at_us DESC, reservation_id DESC LIMIT $5"
    };
}

const SELECT_ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.reservation_id \
     WHERE r.reservation_id = $1 ORDER BY l.position"
);
const SELECT_DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT ",
    reservation_columns!(),
    " FROM reservations WHERE state = 'HELD' AND expire_at_us <= $1 \
     ORDER BY expire_at_us LIMIT $2) ",
    join_lines_newest_first!()
);
const SELECT_DUE_OF_POOL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT ",
    reservation_columns!(),
    " FROM reservations WHERE reservation_id IN (SELECT reservation_id FROM reservation_lines \
     WHERE pool_code = $3 AND held_until_us <= $1 ORDER BY held_until_us LIMIT $2)) ",
    join_lines_newest_first!()
);
const LIST_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT ",
    reservation_columns!(),
    " FROM reservations WHERE ",
    page!(),
    ") ",
    join_lines_newest_first!()
);
const LIST_OF_ORDER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT ",
    reservation_columns!(),
    " FROM reservations WHERE order_id = $6 AND ",
    page!(),
    ") ",
    join_lines_newest_first!()
);
const NEXT_DUE: &str =
    "SELECT expire_at_us FROM reservations WHERE state = 'HELD' ORDER BY expire_at_us LIMIT 1";
const RESOLVE: &str = "UPDATE reservations SET state = $2, resolved_at_us = $3 \
     WHERE reservation_id = $1 AND state = 'HELD'";
const END_HOLD_OF_LINES: &str =
    "UPDATE reservation_lines SET held_until_us = NULL WHERE reservation_id = $1";
const RETURN_TO_LINE: &str = "UPDATE reservation_lines SET returned_quantity = $4 \
     WHERE reservation_id = $1 AND position = $2 AND returned_quantity = $3";
static INSERT_RESERVATION: Insert = Insert {
    table: "reservations",
    columns: &[
        "reservation_id",
        "state",
        "order_id",
        "trace_parent",
        "created_at_us",
        "expire_at_us",
        "resolved_at_us",
    ],
    otherwise: "",
};
static INSERT_LINE: Insert = Insert {
    table: "reservation_lines",
    columns: &[
        "reservation_id",
        "position",
        "line_key",
        "pool_code",
        "quantity",
        "returned_quantity",
        "item_ids",
        "held_until_us",
    ],
    otherwise: "",
};

/// Adds a reservation that holds.
pub(crate) fn add(tx: &mut Tx, reservation: &Reservation) {
    let row: [Value; 7] = [
        reservation.id.as_str().into(),
        reservation.state.as_str().into(),
        reservation.order_id.as_str().into(),
        reservation.trace_parent.as_str().into(),
        reservation.created_at.into(),
        reservation.expire_at.into(),
        reservation.resolved_at.map(|at| at.0).into(),
    ];
    tx.append(&INSERT_RESERVATION, row);
    for line in &reservation.lines {
        let row: [Value; 8] = [
            reservation.id.as_str().into(),
            line.position.into(),
            line.key.as_str().into(),
            line.pool.as_str().into(),
            line.quantity.into(),
            line.returned.into(),
            serde_json::json!(line.item_ids).to_string().into(),
            Some(reservation.expire_at.0).into(),
        ];
        tx.append(&INSERT_LINE, row);
    }
}

/// Stores how a held reservation ended.
pub(crate) async fn resolve(tx: &mut Tx, reservation: &Reservation) -> Result<(), Error> {
    let id = reservation.id.as_str();
    let resolved_at = reservation.resolved_at.map(|at| at.0);
    let arguments = [id.into(), reservation.state.as_str().into(), resolved_at.into()];
    met(tx.execute(RESOLVE, arguments).await?, 1, "the reservation")?;
    let lines = tx.execute(END_HOLD_OF_LINES, [id.into()]).await?;
    met(lines, reservation.lines.len() as u64, "the reservation")
}

/// Units that come back to one line.
#[derive(Debug)]
pub(crate) struct ReturnedUnits<'a> {
    /// Reservation.
    pub(crate) reservation: &'a ReservationId,
    /// Position of the line.
    pub(crate) position: i64,
    /// Units that had come back before.
    pub(crate) before: i64,
    /// Units that have come back now.
    pub(crate) after: i64,
}

/// Stores that units came back.
pub(crate) async fn give_back(tx: &mut Tx, units: ReturnedUnits<'_>) -> Result<(), Error> {
    let arguments = [
        units.reservation.as_str().into(),
        units.position.into(),
        units.before.into(),
        units.after.into(),
    ];
    met(tx.execute(RETURN_TO_LINE, arguments).await?, 1, "the reservation")
}

/// Reads a reservation to change it.
pub(crate) async fn load(tx: &mut Tx, id: &ReservationId) -> Result<Option<Reservation>, Error> {
    Ok(reservations(&tx.fetch_all(SELECT_ONE, [id.as_str().into()]).await?)?.pop())
}

/// Reads held reservations whose time is over, at most `limit`.
pub(crate) async fn load_due(
    tx: &mut Tx,
    now: Instant,
    limit: i64,
) -> Result<Vec<Reservation>, Error> {
    reservations(&tx.fetch_all(SELECT_DUE, [now.into(), limit.into()]).await?)
}

/// Reads held reservations of a pool whose time is over, at most `limit`.
pub(crate) async fn load_due_of_pool(
    tx: &mut Tx,
    pool: &PoolCode,
    now: Instant,
    limit: i64,
) -> Result<Vec<Reservation>, Error> {
    let arguments = [now.into(), limit.into(), pool.as_str().into()];
    reservations(&tx.fetch_all(SELECT_DUE_OF_POOL, arguments).await?)
}

/// Says when the next hold is over.
pub(crate) async fn next_due(database: &Database) -> Result<Option<Instant>, Error> {
    Ok(database.fetch_optional(NEXT_DUE, []).await?.map(|row| Instant(row.get(0))))
}

/// Reads a reservation.
pub(crate) async fn find(
    database: &Database,
    id: &ReservationId,
) -> Result<Option<Reservation>, Error> {
    Ok(reservations(&database.fetch_all(SELECT_ONE, [id.as_str().into()]).await?)?.pop())
}

/// Which reservations to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this order.
    pub(crate) order_id: Option<String>,
    /// Only those that are in this state now.
    pub(crate) state: Option<ReservationState>,
    /// Only those that come after this one, newest first.
    pub(crate) after: Option<(Instant, String)>,
}

/// Reads reservations, newest first.
pub(crate) async fn list(
    database: &Database,
    filter: &Filter,
    limit: i64,
    now: Instant,
) -> Result<Vec<Reservation>, Error> {
    let (created_at, id) = filter.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let state = filter.state.map(|state| state.as_str().to_owned());
    let mut arguments: Vec<Value> =
        vec![state.into(), now.into(), created_at.into(), id.into(), limit.into()];
    let statement = match &filter.order_id {
        None => LIST_ALL,
        Some(order_id) => {
            arguments.push(order_id.as_str().into());
            LIST_OF_ORDER
        }
    };
    reservations(&database.fetch_all(statement, arguments).await?)
}

/// Puts rows together that belong to one reservation; they stand next to each other.
fn reservations(rows: &[AnyRow]) -> Result<Vec<Reservation>, Error> {
    let mut all: Vec<Reservation> = Vec::new();
    for row in rows {
        let line = line(row)?;
        match all.last_mut() {
            Some(last) if last.id.as_str() == row.get::<&str, _>(0) => last.lines.push(line),
            _ => all.push(Reservation { lines: vec![line], ..reservation(row)? }),
        }
    }
    Ok(all)
}

fn reservation(row: &AnyRow) -> Result<Reservation, Error> {
    let (id, state): (String, String) = (row.get(0), row.get(1));
    Ok(Reservation {
        id: ReservationId::parse(&id).map_err(|e| corrupt(DOMAIN, "reservations", e))?,
        state: ReservationState::parse(&state)
            .ok_or_else(|| corrupt(DOMAIN, "reservations", state))?,
        order_id: row.get(2),
        trace_parent: row.get(3),
        lines: Vec::new(),
        created_at: Instant(row.get(4)),
        expire_at: Instant(row.get(5)),
        resolved_at: row.get::<Option<i64>, _>(6).map(Instant),
    })
}

fn line(row: &AnyRow) -> Result<Line, Error> {
    let item_ids: &str = row.get(12);
    let line = Line {
        position: row.get(7),
        key: row.get(8),
        pool: pool_code("reservation_lines", row.get(9))?,
        quantity: row.get(10),
        returned: row.get(11),
        item_ids: serde_json::from_str(item_ids)
            .map_err(|e| corrupt(DOMAIN, "reservation_lines", e))?,
    };
    let items = i64::try_from(line.item_ids.len()).unwrap_or(i64::MAX);
    if items == 0 || items == line.quantity {
        return Ok(line);
    }
    let cause = format!("{} units and {items} items", line.quantity);
    Err(corrupt(DOMAIN, "reservation_lines", cause))
}
