//! Every SQL statement of webhooks, and how a row is a webhook.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::registry::Stamp;
use super::secret::Secret;
use super::{Webhook, WebhookId, WebhookState};
use crate::error::DOMAIN;

mod delivery;
mod delivery_page;

pub(crate) use delivery::{
    Claimed, by_delivery_id, claim, delete_old, delete_some_of, due, has_delivery, insert_delivery,
    pending_webhook_after, redeliver, redeliver_failed, settle,
};
pub(crate) use delivery_page::{DeliveryFilter, deliveries};

static INSERT_WEBHOOK: Insert = Insert {
    table: "webhooks",
    columns: &[
        "webhook_id",
        "channel",
        "name",
        "url",
        "event_types",
        "state",
        "secret",
        "previous_secret",
        "previous_until_us",
        "version",
        "created_at_us",
        "updated_at_us",
    ],
    otherwise: "",
};
const SELECT_ALL: &str = "SELECT webhook_id, channel, name, url, event_types, state, secret, \
     previous_secret, previous_until_us, version, created_at_us, updated_at_us FROM webhooks \
     WHERE state <> 'DELETED'";
const SELECT_STAMP: &str = "SELECT CAST(COALESCE(MAX(updated_at_us), 0) AS BIGINT), \
     CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM webhooks";
const SELECT_BY_ID: &str = "SELECT webhook_id, channel, name, url, event_types, state, secret, \
     previous_secret, previous_until_us, version, created_at_us, updated_at_us FROM webhooks \
     WHERE state <> 'DELETED' AND webhook_id = $1 \
     AND (CAST($2 AS TEXT) IS NULL OR channel = $2)";
const SELECT_BY_NAME: &str = "SELECT webhook_id, channel, name, url, event_types, state, secret, \
     previous_secret, previous_until_us, version, created_at_us, updated_at_us FROM webhooks \
     WHERE state <> 'DELETED' AND channel = $1 AND name = $2";
const SELECT_PAGE: &str = "SELECT webhook_id, channel, name, url, event_types, state, secret, \
     previous_secret, previous_until_us, version, created_at_us, updated_at_us FROM webhooks \
     WHERE state <> 'DELETED' AND webhook_id > $1 \
     AND (CAST($2 AS TEXT) IS NULL OR channel = $2) ORDER BY webhook_id LIMIT $3";
const COUNT: &str = "SELECT COUNT(*) FROM webhooks WHERE state <> 'DELETED' \
     AND (CAST($1 AS TEXT) IS NULL OR channel = $1)";
const UPDATE_WEBHOOK: &str = "UPDATE webhooks SET url = $1, event_types = $2, state = $3, \
     secret = $4, previous_secret = $5, previous_until_us = $6, version = $7, updated_at_us = $8 \
     WHERE webhook_id = $9 AND version = $7 - 1 AND state <> 'DELETED'";
const DISABLE: &str = "UPDATE webhooks SET state = 'DISABLED', version = version + 1, \
     updated_at_us = $1 WHERE webhook_id = $2 AND url = $3 AND state IN ('ACTIVE', 'PAUSED')";
const MARK_DELETED: &str = "UPDATE webhooks SET state = 'DELETED', version = version + 1, \
     updated_at_us = $1 WHERE webhook_id = $2 AND state <> 'DELETED'";
const SELECT_DELETED: &str =
    "SELECT webhook_id FROM webhooks WHERE state = 'DELETED' ORDER BY webhook_id LIMIT 1";
const DELETE_WEBHOOK: &str = "DELETE FROM webhooks WHERE webhook_id = $1 AND state = 'DELETED'";

/// Reads all webhooks.
pub(crate) async fn webhooks(database: &Database) -> Result<Vec<Webhook>, Error> {
    database.fetch_all(SELECT_ALL, []).await?.iter().map(webhook).collect()
}

/// Reads what changes with every change of a webhook.
pub(crate) async fn stamp(database: &Database) -> Result<Stamp, Error> {
    let row = database.fetch_optional(SELECT_STAMP, []).await?;
    let row = row.ok_or_else(|| corrupt(DOMAIN, "webhooks", "no stamp"))?;
    Ok(Stamp { updated_at: row.get(0), versions: row.get(1) })
}

/// Reads one webhook that a channel, or everybody, may see.
pub(crate) async fn by_id(
    database: &Database,
    id: &str,
    channel: Option<&str>,
) -> Result<Option<Webhook>, Error> {
    let row = database.fetch_optional(SELECT_BY_ID, visible(id, channel)).await?;
    row.as_ref().map(webhook).transpose()
}

/// Reads it inside a change.
pub(crate) async fn by_id_in(
    tx: &mut Tx,
    id: &str,
    channel: Option<&str>,
) -> Result<Option<Webhook>, Error> {
    let row = tx.fetch_optional(SELECT_BY_ID, visible(id, channel)).await?;
    row.as_ref().map(webhook).transpose()
}

fn visible(id: &str, channel: Option<&str>) -> [Value; 2] {
    [id.into(), channel.map(str::to_owned).into()]
}

/// Reads one by its name inside a change.
pub(crate) async fn by_name_in(
    tx: &mut Tx,
    channel: &str,
    name: &str,
) -> Result<Option<Webhook>, Error> {
    let row = tx.fetch_optional(SELECT_BY_NAME, [channel.into(), name.into()]).await?;
    row.as_ref().map(webhook).transpose()
}

/// Reads one page, by id.
pub(crate) async fn page(
    database: &Database,
    channel: Option<String>,
    after: &str,
    limit: i64,
) -> Result<Vec<Webhook>, Error> {
    let arguments = [after.into(), channel.into(), limit.into()];
    database.fetch_all(SELECT_PAGE, arguments).await?.iter().map(webhook).collect()
}

/// Counts those of a channel, or all.
pub(crate) async fn count_in(tx: &mut Tx, channel: Option<&str>) -> Result<usize, Error> {
    let row = tx.fetch_optional(COUNT, [channel.map(str::to_owned).into()]).await?;
    let count: i64 = row.map(|row| row.get(0)).unwrap_or_default();
    usize::try_from(count).map_err(|cause| corrupt(DOMAIN, "webhooks", cause))
}

/// Adds a webhook.
pub(crate) fn insert(tx: &mut Tx, webhook: &Webhook) {
    let (previous, until) = previous(webhook);
    let row: [Value; 12] = [
        webhook.id.as_str().into(),
        webhook.channel.as_str().into(),
        webhook.name.as_str().into(),
        webhook.url.as_str().into(),
        webhook.event_types.join(" ").into(),
        webhook.state.as_str().into(),
        webhook.secret.reveal().into(),
        previous.into(),
        until.into(),
        webhook.version.into(),
        webhook.created_at.into(),
        webhook.updated_at.into(),
    ];
    tx.append(&INSERT_WEBHOOK, row);
}

/// Replaces the version just before.
pub(crate) async fn update(tx: &mut Tx, webhook: &Webhook) -> Result<(), Error> {
    let (previous, until) = previous(webhook);
    let arguments: [Value; 9] = [
        webhook.url.as_str().into(),
        webhook.event_types.join(" ").into(),
        webhook.state.as_str().into(),
        webhook.secret.reveal().into(),
        previous.into(),
        until.into(),
        webhook.version.into(),
        webhook.updated_at.into(),
        webhook.id.as_str().into(),
    ];
    if tx.execute(UPDATE_WEBHOOK, arguments).await? == 1 {
        return Ok(());
    }
    let message = format!("webhook {} was changed by another instance; try again", webhook.id);
    Err(Error::new(Kind::Unavailable, DOMAIN, "WEBHOOK_OVERTAKEN", message))
}

fn previous(webhook: &Webhook) -> (Option<String>, Option<i64>) {
    let previous = webhook.previous_secret.as_ref();
    previous.map(|(secret, until)| (secret.reveal(), until.0)).unzip()
}

/// Disables a webhook that still leads to the URL whose receiver is gone; says whether it did.
pub(crate) async fn disable(
    tx: &mut Tx,
    id: &WebhookId,
    url: &str,
    now: Instant,
) -> Result<bool, Error> {
    Ok(tx.execute(DISABLE, [now.into(), id.as_str().into(), url.into()]).await? == 1)
}

/// Makes a webhook invisible; its row goes when its deliveries are gone.
pub(crate) async fn mark_deleted(tx: &mut Tx, id: &WebhookId, now: Instant) -> Result<(), Error> {
    tx.execute(MARK_DELETED, [now.into(), id.as_str().into()]).await.map(|_| ())
}

/// Finds a deleted webhook whose row is still there.
pub(crate) async fn deleted(database: &Database) -> Result<Option<WebhookId>, Error> {
    let row = database.fetch_optional(SELECT_DELETED, []).await?;
    row.map(|row| webhook_id(&row.get::<String, _>(0))).transpose()
}

/// Removes the row of a deleted webhook.
pub(crate) async fn forget(tx: &mut Tx, id: &WebhookId) -> Result<(), Error> {
    tx.execute(DELETE_WEBHOOK, [id.as_str().into()]).await.map(|_| ())
}

fn webhook_id(text: &str) -> Result<WebhookId, Error> {
    WebhookId::parse(text).map_err(|cause| corrupt(DOMAIN, "webhooks", cause))
}

fn webhook(row: &AnyRow) -> Result<Webhook, Error> {
    let wrong = |what: &str| corrupt(DOMAIN, "webhooks", what);
    let secret = |text: &str| Secret::parse(text).ok_or_else(|| wrong("a secret"));
    let previous: Option<String> = row.get(7);
    let until: Option<i64> = row.get(8);
    let previous_secret = match (previous, until) {
        (Some(text), Some(until)) => Some((secret(&text)?, Instant(until))),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(wrong("half a previous secret")),
    };
    let state: String = row.get(5);
    Ok(Webhook {
        id: webhook_id(&row.get::<String, _>(0))?,
        channel: row.get(1),
        name: row.get(2),
        url: row.get(3),
        event_types: row.get::<String, _>(4).split_whitespace().map(str::to_owned).collect(),
        state: WebhookState::parse(&state).ok_or_else(|| wrong("a state"))?,
        secret: secret(&row.get::<String, _>(6))?,
        previous_secret,
        version: row.get(9),
        created_at: Instant(row.get(10)),
        updated_at: Instant(row.get(11)),
    })
}
