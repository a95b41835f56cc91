//! Rows of `cancellations`.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{CancellationKind, CancellationOutcome};
use crate::error::DOMAIN;
use crate::order::Order;

/// How long a request can be found after its end.
const ENDED_KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

static PUT: Insert = Insert {
    table: "cancellations",
    columns: &[
        "cancellation_id",
        "order_id",
        "channel",
        "kind",
        "outcome",
        "actor",
        "reason",
        "asked_at_us",
        "ended_at_us",
    ],
    otherwise: "ON CONFLICT (cancellation_id) DO UPDATE SET outcome = excluded.outcome, \
        ended_at_us = excluded.ended_at_us",
};
const SELECT_PAGE: &str = "SELECT cancellation_id, order_id, channel, kind, outcome, actor, \
     reason, asked_at_us, ended_at_us FROM cancellations \
     WHERE (asked_at_us, cancellation_id) < ($1, $2) AND asked_at_us >= $4 \
     AND (CAST($5 AS TEXT) IS NULL OR kind = $5) AND (CAST($6 AS TEXT) IS NULL OR reason = $6) \
     ORDER BY asked_at_us DESC, cancellation_id DESC LIMIT $3";
const SELECT_OUTCOME: &str = "SELECT cancellation_id, order_id, channel, kind, outcome, actor, \
     reason, asked_at_us, ended_at_us FROM cancellations \
     WHERE outcome = $7 AND (asked_at_us, cancellation_id) < ($1, $2) AND asked_at_us >= $4 \
     AND (CAST($5 AS TEXT) IS NULL OR kind = $5) AND (CAST($6 AS TEXT) IS NULL OR reason = $6) \
     ORDER BY asked_at_us DESC, cancellation_id DESC LIMIT $3";
/// The largest groups first; counted from an index alone.
const SELECT_GROUPS: &str = "SELECT kind, outcome, reason, CAST(COUNT(*) AS BIGINT), \
     CAST(MIN(asked_at_us) AS BIGINT) FROM cancellations \
     WHERE asked_at_us >= $1 AND (CAST($3 AS TEXT) IS NULL OR kind = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR reason = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR outcome = $5) \
     GROUP BY kind, outcome, reason ORDER BY 4 DESC, 1, 2, 3 LIMIT $2";
const SELECT_IS_OVER: &str = "SELECT 1 FROM cancellations WHERE ended_at_us <= $1 LIMIT 1";
const DELETE_OVER: &str = "DELETE FROM cancellations WHERE cancellation_id IN ( \
     SELECT cancellation_id FROM cancellations WHERE ended_at_us <= $1 ORDER BY ended_at_us LIMIT $2)";

/// Which requests to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CancellationFilter {
    /// Only this kind.
    pub(super) kind: Option<CancellationKind>,
    /// Only with this outcome.
    pub(super) outcome: Option<CancellationOutcome>,
    /// Only with this reason.
    pub(super) reason: Option<String>,
    /// Only those asked then or later.
    pub(super) from: Option<Instant>,
}

impl CancellationFilter {
    fn from(&self) -> Value {
        self.from.unwrap_or(Instant(i64::MIN)).into()
    }

    fn kind_and_reason(&self) -> [Value; 2] {
        let kind = self.kind.map(|kind| kind.as_str().to_owned());
        [kind.into(), self.reason.clone().into()]
    }

    fn outcome(&self) -> Option<String> {
        self.outcome.map(|outcome| outcome.as_str().to_owned())
    }
}

/// A request as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CancellationRow {
    pub(super) id: String,
    pub(super) order_id: String,
    pub(super) channel: String,
    pub(super) kind: CancellationKind,
    pub(super) outcome: CancellationOutcome,
    pub(super) actor: String,
    pub(super) reason: String,
    pub(super) asked_at: Instant,
    pub(super) ended_at: Option<Instant>,
}

/// Requests of one kind with the same outcome and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CancellationGroup {
    pub(super) kind: CancellationKind,
    pub(super) outcome: CancellationOutcome,
    pub(super) reason: String,
    pub(super) count: i64,
    pub(super) oldest: Instant,
}

/// Stores what has come of the requests of an order.
pub(crate) async fn put(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    let row = |asked: &super::Cancellation| {
        vec![
            format!("{}.{}", order.id, asked.number).into(),
            order.id.as_str().into(),
            order.channel.as_str().into(),
            asked.kind.as_str().into(),
            asked.outcome.as_str().into(),
            asked.actor.as_str().into(),
            asked.reason.as_str().into(),
            asked.asked_at.into(),
            asked.ended_at.map(|at| at.0).into(),
        ]
    };
    tx.put(&PUT, order.cancellations.iter().map(row).collect()).await?;
    Ok(())
}

/// Reads one page, newest first.
pub(super) async fn page(
    database: &Database,
    filter: &CancellationFilter,
    page: &Page<(Instant, String)>,
) -> Result<Vec<CancellationRow>, Error> {
    let (at, id) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let mut arguments: Vec<Value> =
        vec![at.into(), id.into(), page.fetch_limit().into(), filter.from()];
    arguments.extend(filter.kind_and_reason());
    let statement = match filter.outcome() {
        None => SELECT_PAGE,
        Some(outcome) => {
            arguments.push(outcome.into());
            SELECT_OUTCOME
        }
    };
    let rows = database.fetch_all(statement, arguments).await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<CancellationRow, Error> {
    Ok(CancellationRow {
        id: row.get(0),
        order_id: row.get(1),
        channel: row.get(2),
        kind: kind(row, 3)?,
        outcome: outcome(row, 4)?,
        actor: row.get(5),
        reason: row.get(6),
        asked_at: Instant(row.get(7)),
        ended_at: row.get::<Option<i64>, _>(8).map(Instant),
    })
}

fn kind(row: &AnyRow, column: usize) -> Result<CancellationKind, Error> {
    let text: String = row.get(column);
    let unknown = || corrupt(DOMAIN, "cancellations", format!("the kind {text}"));
    CancellationKind::parse(&text).ok_or_else(unknown)
}

fn outcome(row: &AnyRow, column: usize) -> Result<CancellationOutcome, Error> {
    let text: String = row.get(column);
    let unknown = || corrupt(DOMAIN, "cancellations", format!("the outcome {text}"));
    CancellationOutcome::parse(&text).ok_or_else(unknown)
}

/// How many requests there are of each kind, outcome and reason, the largest groups first.
pub(super) async fn groups(
    database: &Database,
    filter: &CancellationFilter,
    limit: i64,
) -> Result<Vec<CancellationGroup>, Error> {
    let mut arguments: Vec<Value> = vec![filter.from(), limit.into()];
    arguments.extend(filter.kind_and_reason());
    arguments.push(filter.outcome().into());
    let rows = database.fetch_all(SELECT_GROUPS, arguments).await?;
    let read = |row: &AnyRow| {
        Ok(CancellationGroup {
            kind: kind(row, 0)?,
            outcome: outcome(row, 1)?,
            reason: row.get(2),
            count: row.get(3),
            oldest: Instant(row.get(4)),
        })
    };
    rows.iter().map(read).collect()
}

/// Whether there are requests that were kept long enough.
pub(crate) async fn is_over(database: &Database, now: Instant) -> Result<bool, Error> {
    Ok(database.fetch_optional(SELECT_IS_OVER, [last_kept(now).into()]).await?.is_some())
}

/// Deletes some requests that were kept long enough.
pub(crate) async fn delete_over(tx: &mut Tx, now: Instant, limit: i64) -> Result<(), Error> {
    tx.execute(DELETE_OVER, [last_kept(now).into(), limit.into()]).await?;
    Ok(())
}

/// What ended then, or before, is over now.
fn last_kept(now: Instant) -> Instant {
    let kept = i64::try_from(ENDED_KEPT_FOR.as_micros()).unwrap_or(i64::MAX);
    Instant(now.0.saturating_sub(kept))
}
