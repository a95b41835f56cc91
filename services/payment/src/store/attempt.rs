//! Attempts. They are read with their payment orders.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{order_id, read_as};
use crate::attempt::{Attempt, AttemptId, CaptureMode, ChannelName, Outcome};
use crate::error::DOMAIN;
use crate::payment_order::{PaymentOrder, PaymentOrderId};

const SELECT_PAYMENT_ORDER: &str = "SELECT payment_order_id FROM attempts WHERE attempt_id = $1";
const SELECT_DUE: &str = "SELECT payment_order_id, attempt_id, next_query_at_us \
     FROM attempts WHERE next_query_at_us <= $1 ORDER BY next_query_at_us LIMIT $2";
// Written at once, not with the commit: another change of the same commit may read it.
const INSERT: &str = "INSERT INTO attempts (attempt_id, payment_order_id, number, channel, \
     capture_mode, outcome, capture_minor, captured_minor, decline_reason, receipt_number, \
     queries, next_query_at_us, created_at_us, updated_at_us) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const UPDATE: &str = "UPDATE attempts SET outcome = $2, capture_minor = $3, \
     captured_minor = $4, decline_reason = $5, receipt_number = $6, queries = $7, \
     next_query_at_us = $8, updated_at_us = $9 WHERE attempt_id = $1";

/// An attempt about which the channel is to be asked.
#[derive(Clone, Debug)]
pub(crate) struct DueAttempt {
    pub(crate) payment_order_id: PaymentOrderId,
    pub(crate) attempt_id: AttemptId,
    pub(crate) due: Instant,
}

/// Finds the payment order of an attempt.
pub(crate) async fn payment_order_of(
    database: &Database,
    id: &AttemptId,
) -> Result<Option<PaymentOrderId>, Error> {
    let row = database.fetch_optional(SELECT_PAYMENT_ORDER, [id.as_str().into()]).await?;
    row.map(|row| order_id(&row)).transpose()
}

/// Finds attempts about which the channel is to be asked.
pub(crate) async fn due(
    database: &Database,
    now: Instant,
    limit: u32,
) -> Result<Vec<DueAttempt>, Error> {
    let arguments = [now.into(), i64::from(limit).into()];
    let rows = database.fetch_all(SELECT_DUE, arguments).await?;
    rows.iter()
        .map(|row| {
            Ok(DueAttempt {
                payment_order_id: order_id(row)?,
                attempt_id: read_as(row, "attempt_id", |id| AttemptId::parse(id).ok())?,
                due: Instant(row.get("next_query_at_us")),
            })
        })
        .collect()
}

/// Adds an attempt.
pub(super) async fn insert(
    tx: &mut Tx,
    order: &PaymentOrder,
    attempt: &Attempt,
    index: usize,
) -> Result<(), Error> {
    let number = i64::try_from(index + 1).expect("attempts are limited");
    let arguments = [
        attempt.id.as_str().into(),
        order.id.as_str().into(),
        number.into(),
        attempt.channel.as_str().into(),
        attempt.mode.as_str().into(),
        attempt.outcome.as_str().into(),
        attempt.capture_minor.into(),
        attempt.captured_minor.into(),
        attempt.decline_reason.as_str().into(),
        attempt.receipt_number.as_str().into(),
        attempt.queries.into(),
        attempt.next_query_at.map(|due| due.0).into(),
        attempt.created_at.into(),
        attempt.updated_at.into(),
    ];
    tx.execute(INSERT, arguments).await.map(|_| ())
}

/// Writes a changed attempt.
pub(super) async fn update(tx: &mut Tx, attempt: &Attempt) -> Result<(), Error> {
    let arguments = [
        attempt.id.as_str().into(),
        attempt.outcome.as_str().into(),
        attempt.capture_minor.into(),
        attempt.captured_minor.into(),
        attempt.decline_reason.as_str().into(),
        attempt.receipt_number.as_str().into(),
        attempt.queries.into(),
        attempt.next_query_at.map(|due| due.0).into(),
        attempt.updated_at.into(),
    ];
    tx.execute(UPDATE, arguments).await.map(|_| ())
}

/// Reads the attempt in a row of a payment order.
pub(super) fn from_row(row: &AnyRow, id: &str) -> Result<Attempt, Error> {
    Ok(Attempt {
        id: AttemptId::parse(id).map_err(|e| corrupt(DOMAIN, "attempts", e))?,
        channel: read_as(row, "channel", ChannelName::parse)?,
        mode: read_as(row, "capture_mode", CaptureMode::parse)?,
        outcome: read_as(row, "outcome", Outcome::parse)?,
        capture_minor: row.get("capture_minor"),
        captured_minor: row.get("attempt_captured_minor"),
        decline_reason: row.get("decline_reason"),
        receipt_number: row.get("receipt_number"),
        queries: row.get("queries"),
        next_query_at: row.get::<Option<i64>, _>("next_query_at_us").map(Instant),
        created_at: Instant(row.get("attempt_created_at_us")),
        updated_at: Instant(row.get("attempt_updated_at_us")),
    })
}
