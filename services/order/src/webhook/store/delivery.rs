//! Statements of deliveries. What is due is found by webhook, so that one with a long queue hides no other.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::DOMAIN;
use crate::failure::Failure;
use crate::webhook::WebhookId;
use crate::webhook::delivery::{Delivery, DeliveryId, DeliveryState};

static INSERT_DELIVERY: Insert = Insert {
    table: "webhook_deliveries",
    columns: &[
        "delivery_id",
        "webhook_id",
        "channel",
        "event_id",
        "event_type",
        "order_id",
        "payload",
        "state",
        "attempts",
        "next_attempt_at_us",
        "response_code",
        "failure_reason",
        "failure_message",
        "created_at_us",
        "delivered_at_us",
    ],
    // A delivery must never keep an order from being stored.
    otherwise: "ON CONFLICT (webhook_id, event_id) DO NOTHING",
};
const SELECT_BY_ID: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE delivery_id = $1 AND (CAST($2 AS TEXT) IS NULL OR channel = $2) \
     AND webhook_id IN (SELECT webhook_id FROM webhooks WHERE state <> 'DELETED')";
const SELECT_DUE: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE state = 'PENDING' AND webhook_id = $1 \
     ORDER BY next_attempt_at_us, delivery_id LIMIT $2";
/// Goes from webhook to webhook without looking at what lies between.
const SELECT_NEXT_WEBHOOK: &str = "SELECT webhook_id FROM webhook_deliveries \
     WHERE state = 'PENDING' AND webhook_id > $1 ORDER BY webhook_id LIMIT 1";

const CLAIM: &str = "UPDATE webhook_deliveries SET attempts = attempts + 1, \
     next_attempt_at_us = $1 WHERE delivery_id = $2 AND state = 'PENDING' AND attempts = $3 \
     AND next_attempt_at_us = $4";
const SETTLE: &str = "UPDATE webhook_deliveries SET state = $1, next_attempt_at_us = $2, \
     response_code = $3, failure_reason = $4, failure_message = $5, delivered_at_us = $6 \
     WHERE delivery_id = $7 AND state = 'PENDING' AND attempts = $8 AND next_attempt_at_us = $9";
const REDELIVER: &str = "UPDATE webhook_deliveries SET state = 'PENDING', attempts = 0, \
     next_attempt_at_us = $1, delivered_at_us = NULL WHERE delivery_id = $2";
const REDELIVER_FAILED: &str = "UPDATE webhook_deliveries SET state = 'PENDING', attempts = 0, \
     next_attempt_at_us = $1 WHERE delivery_id IN (SELECT delivery_id FROM webhook_deliveries \
     WHERE state = 'FAILED' AND webhook_id = $2 AND created_at_us >= $3 \
     ORDER BY created_at_us, delivery_id LIMIT $4)";
const DELETE_OLD: &str = "DELETE FROM webhook_deliveries WHERE delivery_id IN \
     (SELECT delivery_id FROM webhook_deliveries WHERE created_at_us < $1 LIMIT $2)";
const DELETE_OF: &str = "DELETE FROM webhook_deliveries WHERE delivery_id IN \
     (SELECT delivery_id FROM webhook_deliveries WHERE webhook_id = $1 LIMIT $2)";

/// A delivery whose attempt is under way, and until when nobody else sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// As it is stored, the attempt counted.
    pub(crate) delivery: Delivery,
    /// When the claim runs out.
    pub(crate) until: Instant,
}

/// Adds a delivery.
pub(crate) fn insert_delivery(tx: &mut Tx, delivery: &Delivery) {
    let (reason, message) = failure(delivery);
    let row: [Value; 15] = [
        delivery.id.as_str().into(),
        delivery.webhook_id.as_str().into(),
        delivery.channel.as_str().into(),
        delivery.event_id.as_str().into(),
        delivery.event_type.as_str().into(),
        delivery.order_id.as_str().into(),
        delivery.payload.as_str().into(),
        delivery.state.as_str().into(),
        delivery.attempts.into(),
        micros(delivery.next_attempt_at),
        delivery.response_code.into(),
        reason.into(),
        message.into(),
        delivery.created_at.into(),
        micros(delivery.delivered_at),
    ];
    tx.append(&INSERT_DELIVERY, row);
}

/// Reads one delivery that a channel, or everybody, may see.
pub(crate) async fn by_delivery_id(
    database: &Database,
    id: &str,
    channel: Option<&str>,
) -> Result<Option<Delivery>, Error> {
    let arguments = [id.into(), channel.map(str::to_owned).into()];
    let row = database.fetch_optional(SELECT_BY_ID, arguments).await?;
    row.as_ref().map(delivery).transpose()
}

/// Says inside a change whether a channel, or everybody, may see a delivery.
pub(crate) async fn has_delivery(
    tx: &mut Tx,
    id: &DeliveryId,
    channel: Option<&str>,
) -> Result<bool, Error> {
    let arguments = [id.as_str().into(), channel.map(str::to_owned).into()];
    Ok(tx.fetch_optional(SELECT_BY_ID, arguments).await?.is_some())
}

/// Reads what a webhook has to send, the longest due first; what is not due yet comes last.
pub(crate) async fn due(
    database: &Database,
    webhook_id: &WebhookId,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = database.fetch_all(SELECT_DUE, [webhook_id.as_str().into(), limit.into()]).await?;
    rows.iter().map(delivery).collect()
}

/// Finds the next webhook with something to send, by id.
pub(crate) async fn pending_webhook_after(
    database: &Database,
    after: &str,
) -> Result<Option<WebhookId>, Error> {
    let row = database.fetch_optional(SELECT_NEXT_WEBHOOK, [after.into()]).await?;
    row.map(|row| webhook_id(&row.get::<String, _>(0))).transpose()
}

/// Claims an attempt, if the delivery still is as it was read.
pub(crate) async fn claim(
    tx: &mut Tx,
    delivery: &Delivery,
    until: Instant,
) -> Result<Option<Claimed>, Error> {
    let arguments = [
        until.into(),
        delivery.id.as_str().into(),
        delivery.attempts.into(),
        micros(delivery.next_attempt_at),
    ];
    if tx.execute(CLAIM, arguments).await? != 1 {
        return Ok(None);
    }
    let attempts = delivery.attempts + 1;
    let delivery = Delivery { attempts, next_attempt_at: Some(until), ..delivery.clone() };
    Ok(Some(Claimed { delivery, until }))
}

/// Stores what became of a claimed delivery; says whether the claim still stood.
pub(crate) async fn settle(tx: &mut Tx, claimed: &Claimed, now: &Delivery) -> Result<bool, Error> {
    let (reason, message) = failure(now);
    let arguments: [Value; 9] = [
        now.state.as_str().into(),
        micros(now.next_attempt_at),
        now.response_code.into(),
        reason.into(),
        message.into(),
        micros(now.delivered_at),
        now.id.as_str().into(),
        claimed.delivery.attempts.into(),
        claimed.until.into(),
    ];
    Ok(tx.execute(SETTLE, arguments).await? == 1)
}

/// Sends one again from the first attempt.
pub(crate) async fn redeliver(tx: &mut Tx, id: &DeliveryId, now: Instant) -> Result<(), Error> {
    tx.execute(REDELIVER, [now.into(), id.as_str().into()]).await.map(|_| ())
}

/// Sends failed ones again from the first attempt, the oldest first; says how many.
pub(crate) async fn redeliver_failed(
    tx: &mut Tx,
    webhook_id: &WebhookId,
    since: Instant,
    now: Instant,
    limit: i64,
) -> Result<u64, Error> {
    let arguments = [now.into(), webhook_id.as_str().into(), since.into(), limit.into()];
    tx.execute(REDELIVER_FAILED, arguments).await
}

/// Deletes deliveries of events before an instant; says how many.
pub(crate) async fn delete_old(tx: &mut Tx, before: Instant, limit: i64) -> Result<u64, Error> {
    tx.execute(DELETE_OLD, [before.into(), limit.into()]).await
}

/// Deletes deliveries of a webhook; says how many.
pub(crate) async fn delete_some_of(
    tx: &mut Tx,
    webhook_id: &WebhookId,
    limit: i64,
) -> Result<u64, Error> {
    tx.execute(DELETE_OF, [webhook_id.as_str().into(), limit.into()]).await
}

fn micros(at: Option<Instant>) -> Value {
    at.map(|at| at.0).into()
}

fn failure(delivery: &Delivery) -> (&str, &str) {
    let failure = delivery.failure.as_ref();
    failure.map(|it| (it.reason.as_str(), it.message.as_str())).unwrap_or_default()
}

fn webhook_id(text: &str) -> Result<WebhookId, Error> {
    WebhookId::parse(text).map_err(|cause| corrupt(DOMAIN, "webhook_deliveries", cause))
}

/// Reads a row of all columns.
pub(super) fn delivery(row: &AnyRow) -> Result<Delivery, Error> {
    let wrong = |what: &str| corrupt(DOMAIN, "webhook_deliveries", what);
    let id: String = row.get(0);
    let state: String = row.get(7);
    let reason: String = row.get(11);
    let failure = (!reason.is_empty())
        .then(|| Failure::new(&reason, crate::webhook::DOMAIN, row.get::<String, _>(12)));
    Ok(Delivery {
        id: DeliveryId::parse(&id).map_err(|_| wrong("an id"))?,
        webhook_id: webhook_id(&row.get::<String, _>(1))?,
        channel: row.get(2),
        event_id: row.get(3),
        event_type: row.get(4),
        order_id: row.get(5),
        payload: row.get(6),
        state: DeliveryState::parse(&state).ok_or_else(|| wrong("a state"))?,
        attempts: row.get(8),
        next_attempt_at: row.get::<Option<i64>, _>(9).map(Instant),
        response_code: row.get(10),
        failure,
        created_at: Instant(row.get(13)),
        delivered_at: row.get::<Option<i64>, _>(14).map(Instant),
    })
}
