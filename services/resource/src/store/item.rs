//! Rows of `items` and `resting_units`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{in_chunks, met, pool_code};
use crate::error::DOMAIN;
use crate::item::{Item, ItemId, ItemState, Run};
use crate::pool::PoolCode;
use crate::reservation::{Reservation, ReservationId};

const SELECT_EXISTING: &str = concat!(
    "SELECT item_id FROM items WHERE pool_code = $1 AND item_id IN (",
    keys_after_first!(),
    ") ORDER BY item_id LIMIT 1"
);
const SELECT_AVAILABLE: &str = "SELECT item_id FROM items \
     WHERE pool_code = $1 AND state = 'AVAILABLE' ORDER BY item_id LIMIT $2";
/// Items are handed out in the pool's order, so those of a line are all that is available between two of them.
const HOLD_RUN: &str = "UPDATE items SET state = 'HELD', reservation_id = $4, line_position = $5 \
     WHERE pool_code = $1 AND state = 'AVAILABLE' AND item_id BETWEEN $2 AND $3";
const ASSIGN_HELD: &str =
    "UPDATE items SET state = 'ASSIGNED' WHERE reservation_id = $1 AND state = 'HELD'";
const FREE_HELD: &str = "UPDATE items SET state = 'AVAILABLE', reservation_id = NULL, \
     line_position = NULL WHERE reservation_id = $1 AND state = 'HELD'";
const RETURN_ASSIGNED: &str = "UPDATE items SET state = $3, reservation_id = NULL, \
     line_position = NULL, quarantine_end_at_us = $4 \
     WHERE reservation_id = $1 AND line_position = $2 AND state = 'ASSIGNED'";
const SELECT_RESTED: &str = "SELECT pool_code, item_id FROM items \
     WHERE state = 'QUARANTINED' AND quarantine_end_at_us <= $1 \
     ORDER BY quarantine_end_at_us LIMIT $2";
const RESTORE: &str = "UPDATE items SET state = 'AVAILABLE', quarantine_end_at_us = NULL \
     WHERE pool_code = $1 AND item_id = $2 AND state = 'QUARANTINED'";
const LIST_ITEMS: &str = "SELECT pool_code, item_id, state, reservation_id, quarantine_end_at_us \
     FROM items WHERE pool_code = $1 AND item_id > $2 ORDER BY item_id LIMIT $3";
const NEXT_RESTED: &str = "SELECT quarantine_end_at_us FROM items WHERE state = 'QUARANTINED' \
     ORDER BY quarantine_end_at_us LIMIT 1";
static INSERT_ITEM: Insert = Insert {
    table: "items",
    columns: &[
        "pool_code",
        "item_id",
        "state",
        "reservation_id",
        "line_position",
        "quarantine_end_at_us",
    ],
    otherwise: "",
};

const SELECT_RESTED_UNITS: &str = "SELECT sequence, pool_code, quantity FROM resting_units \
     WHERE end_at_us <= $1 ORDER BY end_at_us LIMIT $2";
const DELETE_RESTED_UNITS: &str = "DELETE FROM resting_units WHERE sequence = $1";
const NEXT_RESTED_UNITS: &str = "SELECT end_at_us FROM resting_units ORDER BY end_at_us LIMIT 1";
static INSERT_RESTING_UNITS: Insert = Insert {
    table: "resting_units",
    columns: &["sequence", "pool_code", "quantity", "end_at_us"],
    otherwise: "",
};

/// Finds one of the items that is in the pool already.
pub(crate) async fn existing(
    tx: &mut Tx,
    pool: &PoolCode,
    items: &[ItemId],
) -> Result<Option<String>, Error> {
    let keys: Vec<&str> = items.iter().map(ItemId::as_str).collect();
    for arguments in in_chunks(&pool.as_str().into(), &keys) {
        if let Some(row) = tx.fetch_optional(SELECT_EXISTING, arguments).await? {
            return Ok(Some(row.get(0)));
        }
    }
    Ok(None)
}

/// Adds an available item. Nothing in the same commit can read it.
pub(crate) fn add(tx: &mut Tx, pool: &PoolCode, item: &ItemId) {
    let row: [Value; 6] = [
        pool.as_str().into(),
        item.as_str().into(),
        ItemState::Available.as_str().into(),
        None::<String>.into(),
        None::<i64>.into(),
        None::<i64>.into(),
    ];
    tx.append(&INSERT_ITEM, row);
}

/// Reads the first available items in the pool's order.
pub(crate) async fn available(
    tx: &mut Tx,
    pool: &PoolCode,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let rows = tx.fetch_all(SELECT_AVAILABLE, [pool.as_str().into(), limit.into()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Holds the items of a line.
pub(crate) async fn hold(
    tx: &mut Tx,
    pool: &PoolCode,
    reservation: &ReservationId,
    run: &Run,
) -> Result<(), Error> {
    let arguments = [
        pool.as_str().into(),
        run.first.as_str().into(),
        run.last.as_str().into(),
        reservation.as_str().into(),
        run.position.into(),
    ];
    met(tx.execute(HOLD_RUN, arguments).await?, run.count, "an item")
}

/// Turns the held items of a reservation into assigned ones.
pub(crate) async fn assign(tx: &mut Tx, reservation: &Reservation) -> Result<(), Error> {
    resolve(tx, ASSIGN_HELD, reservation).await
}

/// Makes the held items of a reservation available.
pub(crate) async fn free(tx: &mut Tx, reservation: &Reservation) -> Result<(), Error> {
    resolve(tx, FREE_HELD, reservation).await
}

async fn resolve(
    tx: &mut Tx,
    statement: &'static str,
    reservation: &Reservation,
) -> Result<(), Error> {
    let count = reservation.item_count() as u64;
    if count == 0 {
        return Ok(());
    }
    met(tx.execute(statement, [reservation.id.as_str().into()]).await?, count, "an item")
}

/// Items of one line that come back.
#[derive(Debug)]
pub(crate) struct ReturnedRun<'a> {
    /// Reservation.
    pub(crate) reservation: &'a ReservationId,
    /// Position of the line.
    pub(crate) position: i64,
    /// How many.
    pub(crate) count: u64,
    /// Until when they rest; `None` makes them available at once.
    pub(crate) rest_until: Option<Instant>,
}

/// Takes back the assigned items of a line.
pub(crate) async fn take_back(tx: &mut Tx, run: ReturnedRun<'_>) -> Result<(), Error> {
    let state = match run.rest_until {
        Some(_) => ItemState::Quarantined,
        None => ItemState::Available,
    };
    let arguments = [
        run.reservation.as_str().into(),
        run.position.into(),
        state.as_str().into(),
        run.rest_until.map(|end| end.0).into(),
    ];
    met(tx.execute(RETURN_ASSIGNED, arguments).await?, run.count, "an item")
}

/// Makes items available whose rest is over, at most `limit`; gives the pool of each.
pub(crate) async fn restore_items(
    tx: &mut Tx,
    now: Instant,
    limit: i64,
) -> Result<Vec<PoolCode>, Error> {
    let rows = tx.fetch_all(SELECT_RESTED, [now.into(), limit.into()]).await?;
    let mut pools = Vec::with_capacity(rows.len());
    for row in &rows {
        let (pool, item): (&str, &str) = (row.get(0), row.get(1));
        met(tx.execute(RESTORE, [pool.into(), item.into()]).await?, 1, "an item")?;
        pools.push(pool_code("items", pool)?);
    }
    Ok(pools)
}

/// Notes that counted units rest, under the movement that brought them there.
pub(crate) fn rest_units(tx: &mut Tx, sequence: i64, pool: &PoolCode, quantity: i64, end: Instant) {
    let row: [Value; 4] = [sequence.into(), pool.as_str().into(), quantity.into(), end.into()];
    tx.append(&INSERT_RESTING_UNITS, row);
}

/// Forgets counted units whose rest is over, at most `limit` notes; gives pool and quantity of each.
pub(crate) async fn restore_units(
    tx: &mut Tx,
    now: Instant,
    limit: i64,
) -> Result<Vec<(PoolCode, i64)>, Error> {
    let rows = tx.fetch_all(SELECT_RESTED_UNITS, [now.into(), limit.into()]).await?;
    let mut units = Vec::with_capacity(rows.len());
    for row in &rows {
        let sequence: i64 = row.get(0);
        met(tx.execute(DELETE_RESTED_UNITS, [sequence.into()]).await?, 1, "units at rest")?;
        units.push((pool_code("resting_units", row.get(1))?, row.get(2)));
    }
    Ok(units)
}

/// Says when the next rest is over.
pub(crate) async fn next_rested(database: &Database) -> Result<Option<Instant>, Error> {
    let items = database.fetch_optional(NEXT_RESTED, []).await?;
    let units = database.fetch_optional(NEXT_RESTED_UNITS, []).await?;
    Ok(items.iter().chain(&units).map(|row| Instant(row.get(0))).min())
}

/// Reads items of a pool after a name, in the pool's order.
pub(crate) async fn list(
    database: &Database,
    pool: &PoolCode,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let arguments = [pool.as_str().into(), after.unwrap_or_default().into(), limit.into()];
    database.fetch_all(LIST_ITEMS, arguments).await?.iter().map(item).collect()
}

fn item(row: &AnyRow) -> Result<Item, Error> {
    let (state, reservation): (String, Option<String>) = (row.get(2), row.get(3));
    let reservation = reservation.as_deref().map(ReservationId::parse).transpose();
    Ok(Item {
        pool: pool_code("items", row.get(0))?,
        id: ItemId::parse(row.get(1)).map_err(|e| corrupt(DOMAIN, "items", e))?,
        state: ItemState::parse(&state).ok_or_else(|| corrupt(DOMAIN, "items", state))?,
        reservation: reservation.map_err(|e| corrupt(DOMAIN, "items", e))?,
        quarantine_end: row.get::<Option<i64>, _>(4).map(Instant),
    })
}
