//! Rows of `bulks` and `bulk_items`.

use prost::Message;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};
use throughline_proto::order::v1 as proto;

use super::{Bulk, BulkId, BulkState, Outcome};
use crate::error::{DOMAIN, conflict};
use crate::failure::Failure;

static INSERT_BULK: Insert = Insert {
    table: "bulks",
    columns: &[
        "bulk_id",
        "state",
        "version",
        "created_at_us",
        "matched",
        "done",
        "refused",
        "operator",
        "changed_by",
        "change_reason",
        "request",
    ],
    otherwise: "",
};
static INSERT_ITEM: Insert = Insert {
    table: "bulk_items",
    columns: &["bulk_id", "order_id", "outcome", "reason", "domain", "message"],
    otherwise: "ON CONFLICT DO NOTHING",
};
const UPDATE_BULK: &str = "UPDATE bulks SET state = $3, version = $2 + 1, created_at_us = $4, \
     ended_at_us = $5, matched = $6, done = $7, refused = $8, changed_by = $9, change_reason = $10 \
     WHERE bulk_id = $1 AND version = $2";
const SELECT_BULK: &str = "SELECT bulk_id, state, version, created_at_us, \
     COALESCE(ended_at_us, 0), matched, done, refused, operator, changed_by, change_reason, request \
     FROM bulks WHERE bulk_id = $1 AND state <> 'COLLECTING'";
const SELECT_COLLECTING: &str = "SELECT bulk_id, state, version, created_at_us, \
     COALESCE(ended_at_us, 0), matched, done, refused, operator, changed_by, change_reason, request \
     FROM bulks WHERE bulk_id = $1 AND state = 'COLLECTING'";
const SELECT_RUNNING: &str = "SELECT bulk_id, state, version, created_at_us, \
     COALESCE(ended_at_us, 0), matched, done, refused, operator, changed_by, change_reason, request \
     FROM bulks WHERE state = 'RUNNING' ORDER BY created_at_us, bulk_id";
const SELECT_PAGE: &str = "SELECT bulk_id, state, version, created_at_us, \
     COALESCE(ended_at_us, 0), matched, done, refused, operator, changed_by, change_reason, request \
     FROM bulks WHERE state <> 'COLLECTING' AND (created_at_us, bulk_id) < ($1, $2) \
     AND (CAST($4 AS TEXT) IS NULL OR state = $4) \
     ORDER BY created_at_us DESC, bulk_id DESC LIMIT $3";
const COUNT_RUNNING: &str =
    "SELECT CAST(COUNT(*) AS BIGINT) FROM bulks WHERE state IN ('RUNNING', 'PAUSED')";
const SELECT_ABANDONED: &str = "SELECT bulk_id FROM bulks WHERE state = 'COLLECTING'";
const SELECT_OLD: &str = "SELECT bulk_id FROM bulks WHERE ended_at_us < $1 LIMIT 1";
const SELECT_LEFT: &str = "SELECT order_id FROM bulk_items \
     WHERE bulk_id = $1 AND outcome = 'LEFT' ORDER BY order_id LIMIT $2";
const SELECT_RESULTS: &str = "SELECT order_id, outcome, reason, domain, message, \
     COALESCE(settled_at_us, 0) FROM bulk_items \
     WHERE bulk_id = $1 AND order_id > $2 ORDER BY order_id LIMIT $3";
const SELECT_RESULTS_OF: &str = "SELECT order_id, outcome, reason, domain, message, \
     COALESCE(settled_at_us, 0) FROM bulk_items \
     WHERE bulk_id = $1 AND outcome = $4 AND order_id > $2 ORDER BY order_id LIMIT $3";
const SETTLE_ITEM: &str = "UPDATE bulk_items SET outcome = $3, reason = $4, domain = $5, \
     message = $6, settled_at_us = $7 WHERE bulk_id = $1 AND order_id = $2 AND outcome = 'LEFT'";
const DELETE_ITEMS: &str = "DELETE FROM bulk_items WHERE bulk_id = $1 AND order_id IN \
     (SELECT order_id FROM bulk_items WHERE bulk_id = $1 ORDER BY order_id LIMIT $2)";
const DELETE_BULK: &str = "DELETE FROM bulks WHERE bulk_id = $1";

/// What became of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) order_id: String,
    pub(super) outcome: Outcome,
    pub(super) refusal: Option<Failure>,
    pub(super) settled_at: Option<Instant>,
}

/// Adds a bulk.
pub(super) fn insert(tx: &mut Tx, bulk: &Bulk) {
    let row = [
        bulk.id.as_str().into(),
        bulk.state.as_str().into(),
        bulk.version.into(),
        bulk.created_at.into(),
        bulk.matched.into(),
        bulk.done.into(),
        bulk.refused.into(),
        bulk.operator.as_str().into(),
        bulk.changed_by.as_str().into(),
        bulk.change_reason.as_str().into(),
        bulk.request.encode_to_vec().into(),
    ];
    tx.append(&INSERT_BULK, row);
}

/// Adds orders to a bulk.
pub(super) async fn add(tx: &mut Tx, id: &BulkId, order_ids: &[String]) -> Result<(), Error> {
    let row = |order_id: &String| -> Vec<Value> {
        let left = Outcome::Left.as_str();
        vec![
            id.as_str().into(),
            order_id.as_str().into(),
            left.into(),
            "".into(),
            "".into(),
            "".into(),
        ]
    };
    tx.put(&INSERT_ITEM, order_ids.iter().map(row).collect()).await?;
    Ok(())
}

/// Stores a bulk in place of the version that was read.
pub(super) async fn update(tx: &mut Tx, bulk: &Bulk) -> Result<(), Error> {
    let row: [Value; 10] = [
        bulk.id.as_str().into(),
        bulk.version.into(),
        bulk.state.as_str().into(),
        bulk.created_at.into(),
        bulk.ended_at.map(|at| at.0).into(),
        bulk.matched.into(),
        bulk.done.into(),
        bulk.refused.into(),
        bulk.changed_by.as_str().into(),
        bulk.change_reason.as_str().into(),
    ];
    match tx.execute(UPDATE_BULK, row).await? {
        1 => Ok(()),
        _ => Err(conflict("the bulk")),
    }
}

/// Reads a bulk in order to change it.
pub(super) async fn load(tx: &mut Tx, id: &BulkId) -> Result<Option<Bulk>, Error> {
    tx.fetch_optional(SELECT_BULK, [id.as_str().into()]).await?.as_ref().map(bulk).transpose()
}

/// Reads a bulk whose orders are being collected.
pub(super) async fn load_collecting(tx: &mut Tx, id: &BulkId) -> Result<Option<Bulk>, Error> {
    tx.fetch_optional(SELECT_COLLECTING, [id.as_str().into()]).await?.as_ref().map(bulk).transpose()
}

/// Reads a bulk.
pub(super) async fn find(database: &Database, id: &BulkId) -> Result<Option<Bulk>, Error> {
    let row = database.fetch_optional(SELECT_BULK, [id.as_str().into()]).await?;
    row.as_ref().map(bulk).transpose()
}

/// Reads those that run, the oldest first; there are few.
pub(super) async fn running(database: &Database) -> Result<Vec<Bulk>, Error> {
    database.fetch_all(SELECT_RUNNING, []).await?.iter().map(bulk).collect()
}

/// Counts those that have not ended.
pub(super) async fn count_running(tx: &mut Tx) -> Result<i64, Error> {
    Ok(tx.fetch_optional(COUNT_RUNNING, []).await?.map_or(0, |row| row.get(0)))
}

/// Reads one page, newest first.
pub(super) async fn page(
    database: &Database,
    state: Option<BulkState>,
    page: &Page<(Instant, String)>,
) -> Result<Vec<Bulk>, Error> {
    let (at, id) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let state = state.map(|state| state.as_str().to_owned());
    let arguments: [Value; 4] = [at.into(), id.into(), page.fetch_limit().into(), state.into()];
    database.fetch_all(SELECT_PAGE, arguments).await?.iter().map(bulk).collect()
}

/// Those whose orders were being collected when the process ended.
pub(super) async fn abandoned(database: &Database) -> Result<Vec<BulkId>, Error> {
    database.fetch_all(SELECT_ABANDONED, []).await?.iter().map(bulk_id).collect()
}

/// One that ended before a time.
pub(super) async fn ended_before(
    database: &Database,
    before: Instant,
) -> Result<Option<BulkId>, Error> {
    let row = database.fetch_optional(SELECT_OLD, [before.into()]).await?;
    row.as_ref().map(bulk_id).transpose()
}

/// Orders whose turn comes next.
pub(super) async fn left(
    database: &Database,
    id: &BulkId,
    limit: u32,
) -> Result<Vec<String>, Error> {
    let arguments = [id.as_str().into(), i64::from(limit).into()];
    let rows = database.fetch_all(SELECT_LEFT, arguments).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Reads one page of what became of the orders, the oldest first.
pub(super) async fn results(
    database: &Database,
    id: &BulkId,
    outcome: Option<Outcome>,
    page: &Page<String>,
) -> Result<Vec<Item>, Error> {
    let after = page.after.clone().unwrap_or_default();
    let mut arguments: Vec<Value> =
        vec![id.as_str().into(), after.into(), page.fetch_limit().into()];
    let rows = match outcome {
        None => database.fetch_all(SELECT_RESULTS, arguments).await?,
        Some(outcome) => {
            arguments.push(outcome.as_str().into());
            database.fetch_all(SELECT_RESULTS_OF, arguments).await?
        }
    };
    rows.iter().map(item).collect()
}

/// Stores what became of an order; says whether it was left until now.
pub(super) async fn settle(tx: &mut Tx, id: &BulkId, item: &Item) -> Result<bool, Error> {
    let said = |text: fn(&Failure) -> &str| item.refusal.as_ref().map_or("", text);
    let row: [Value; 7] = [
        id.as_str().into(),
        item.order_id.as_str().into(),
        item.outcome.as_str().into(),
        said(|refusal| &refusal.reason).into(),
        said(|refusal| &refusal.domain).into(),
        said(|refusal| &refusal.message).into(),
        item.settled_at.map(|at| at.0).into(),
    ];
    Ok(tx.execute(SETTLE_ITEM, row).await? == 1)
}

/// Deletes some orders of a bulk, or the bulk when none is left; says whether it is gone.
pub(super) async fn forget(tx: &mut Tx, id: &BulkId, limit: i64) -> Result<bool, Error> {
    if tx.execute(DELETE_ITEMS, [id.as_str().into(), limit.into()]).await? > 0 {
        return Ok(false);
    }
    tx.execute(DELETE_BULK, [id.as_str().into()]).await?;
    Ok(true)
}

fn bulk(row: &AnyRow) -> Result<Bulk, Error> {
    let state: String = row.get(1);
    let (id, ended, request): (BulkId, i64, Vec<u8>) = (bulk_id(row)?, row.get(4), row.get(11));
    let state = BulkState::parse(&state)
        .ok_or_else(|| corrupt(DOMAIN, "bulks", format!("state {state}")))?;
    let has_ended = matches!(state, BulkState::Completed | BulkState::Cancelled);
    Ok(Bulk {
        id,
        state,
        version: row.get(2),
        created_at: Instant(row.get(3)),
        ended_at: has_ended.then_some(Instant(ended)),
        matched: row.get(5),
        done: row.get(6),
        refused: row.get(7),
        operator: row.get(8),
        changed_by: row.get(9),
        change_reason: row.get(10),
        request: proto::StartBulkOperationRequest::decode(request.as_slice())
            .map_err(|cause| corrupt(DOMAIN, "bulks", cause))?,
    })
}

fn bulk_id(row: &AnyRow) -> Result<BulkId, Error> {
    let id: String = row.get(0);
    BulkId::parse(&id).map_err(|cause| corrupt(DOMAIN, "bulks", cause))
}

fn item(row: &AnyRow) -> Result<Item, Error> {
    let (outcome, settled): (String, i64) = (row.get(1), row.get(5));
    let outcome = Outcome::parse(&outcome)
        .ok_or_else(|| corrupt(DOMAIN, "bulk_items", format!("outcome {outcome}")))?;
    let refusal = || {
        let (reason, domain, message): (String, String, String) =
            (row.get(2), row.get(3), row.get(4));
        Failure::new(&reason, &domain, message)
    };
    Ok(Item {
        order_id: row.get(0),
        outcome,
        refusal: (outcome == Outcome::Refused).then(refusal),
        settled_at: (outcome != Outcome::Left).then_some(Instant(settled)),
    })
}
