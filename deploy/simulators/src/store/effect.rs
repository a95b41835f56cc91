//! The journal of what really happened.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::money::Money;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{amount, amount_columns, flag};
use crate::error::DOMAIN;
use crate::method::System;
use crate::settlement::Effect;

static INSERT_EFFECT: Insert = Insert {
    table: "effects",
    columns: &[
        "sequence",
        "system",
        "method",
        "reference",
        "order_id",
        "succeeded",
        "currency_code",
        "amount_minor",
        "occurred_at_us",
    ],
    otherwise: "",
};
const SELECT_LAST: &str = "SELECT CAST(COALESCE(MAX(sequence), 0) AS BIGINT) FROM effects";
const SELECT_AFTER: &str = "SELECT sequence, system, method, reference, order_id, succeeded, currency_code, amount_minor, \
     occurred_at_us FROM effects WHERE sequence > $1 ORDER BY sequence LIMIT $2";
const SELECT_AFTER_OF_SYSTEM: &str = "SELECT sequence, system, method, reference, order_id, succeeded, currency_code, \
     amount_minor, occurred_at_us FROM effects WHERE system = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

/// One line of the journal, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: i64,
    pub(crate) system: String,
    pub(crate) method: String,
    pub(crate) reference: String,
    pub(crate) order_id: String,
    pub(crate) succeeded: bool,
    pub(crate) amount: Option<Money>,
    pub(crate) occurred_at: Instant,
}

/// Adds an effect with the commit.
pub(crate) fn add(tx: &mut Tx, effect: &Effect, sequence: i64, now: Instant) {
    let [currency, minor] = amount_columns(effect.amount);
    tx.append(
        &INSERT_EFFECT,
        [
            sequence.into(),
            effect.method.system().name().into(),
            effect.method.name().into(),
            effect.reference.as_str().into(),
            effect.order_id.as_str().into(),
            i64::from(effect.succeeded).into(),
            currency,
            minor,
            now.into(),
        ],
    );
}

/// Position of the last effect; 0 when there is none.
pub(crate) async fn last(database: &Database) -> Result<i64, Error> {
    let row = database.fetch_optional(SELECT_LAST, []).await?;
    row.map(|row| row.get(0)).ok_or_else(|| corrupt(DOMAIN, "effects", "no last sequence"))
}

/// Reads a page of the journal, oldest first.
pub(crate) async fn page(
    database: &Database,
    system: Option<System>,
    page: &Page<i64>,
) -> Result<Vec<Entry>, Error> {
    let after = page.after.unwrap_or(0);
    let limit = page.fetch_limit();
    let rows = match system {
        None => database.fetch_all(SELECT_AFTER, [after.into(), limit.into()]).await?,
        Some(system) => {
            let values = [system.name().into(), after.into(), limit.into()];
            database.fetch_all(SELECT_AFTER_OF_SYSTEM, values).await?
        }
    };
    rows.iter().map(entry).collect()
}

fn entry(row: &AnyRow) -> Result<Entry, Error> {
    Ok(Entry {
        sequence: row.get(0),
        system: row.get(1),
        method: row.get(2),
        reference: row.get(3),
        order_id: row.get(4),
        succeeded: flag(row.get(5)),
        amount: amount("effects", row.get(6), row.get(7))?,
        occurred_at: Instant(row.get(8)),
    })
}
