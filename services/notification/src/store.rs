//! Every SQL statement, and what a row means.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Migration, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::DOMAIN;
use crate::notification::{
    Delivery, DeliveryId, DeliveryState, Notification, NotificationId, State,
};

/// Steps of the schema.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "notifications",
    sql: include_str!("../migrations/0001_notifications.sql"),
}];

static INSERT_NOTIFICATION: Insert = Insert {
    table: "notifications",
    columns: &[
        "notification_id",
        "state",
        "source",
        "template_code",
        "locale",
        "order_id",
        "delivery_id",
        "delivery_state",
        "provider",
        "recipient_phone",
        "body",
        "attempts",
        "failure_reason",
        "next_attempt_at_us",
        "created_at_us",
        "ended_at_us",
        "trace_parent",
        "version",
    ],
    otherwise: "",
};

/// The columns of every read, in the order of the row's mapping.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT notification_id, state, source, template_code, locale, order_id, delivery_id, \
             delivery_state, provider, recipient_phone, body, attempts, failure_reason, \
             next_attempt_at_us, created_at_us, ended_at_us, trace_parent, version \
             FROM notifications ",
            $rest
        )
    };
}

const SELECT_ONE: &str = select!("WHERE notification_id = $1");
const SELECT_DUE: &str = select!(
    "WHERE state = 'QUEUED' AND next_attempt_at_us <= $1 ORDER BY next_attempt_at_us LIMIT $2"
);
const SELECT_PAGE: &str = select!(
    "WHERE (created_at_us, notification_id) < ($1, $2) \
     ORDER BY created_at_us DESC, notification_id DESC LIMIT $3"
);
const SELECT_PAGE_BY_STATE: &str = select!(
    "WHERE state = $4 AND (created_at_us, notification_id) < ($1, $2) \
     ORDER BY created_at_us DESC, notification_id DESC LIMIT $3"
);
const SELECT_PAGE_BY_ORDER: &str = select!(
    "WHERE order_id = $4 AND (CAST($5 AS TEXT) IS NULL OR state = $5) \
     AND (created_at_us, notification_id) < ($1, $2) \
     ORDER BY created_at_us DESC, notification_id DESC LIMIT $3"
);
const COUNT_QUEUED: &str =
    "SELECT CAST(COUNT(*) AS BIGINT) FROM notifications WHERE state = 'QUEUED'";
const UPDATE_DELIVERY: &str = "UPDATE notifications SET state = $1, delivery_state = $2, \
     attempts = $3, failure_reason = $4, next_attempt_at_us = $5, ended_at_us = $6, version = $7 \
     WHERE notification_id = $8 AND version = $9";
const SELECT_EXISTS: &str = "SELECT version FROM notifications WHERE notification_id = $1";

/// What a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) order_id: Option<String>,
    pub(crate) state: Option<State>,
}

/// Adds a notification.
pub(crate) fn insert(tx: &mut Tx, notification: &Notification) {
    let delivery = &notification.delivery;
    tx.append(
        &INSERT_NOTIFICATION,
        [
            notification.id.as_str().into(),
            notification.state().as_str().into(),
            notification.source.as_str().into(),
            notification.template.as_str().into(),
            notification.locale.as_str().into(),
            notification.order_id.as_str().into(),
            delivery.id.as_str().into(),
            delivery.state.as_str().into(),
            delivery.provider.as_str().into(),
            delivery.phone.as_str().into(),
            delivery.body.as_str().into(),
            delivery.attempts.into(),
            delivery.failure_reason.as_str().into(),
            delivery.next_attempt_at.map(|at| at.0).into(),
            notification.created_at.into(),
            notification.ended_at.map(|at| at.0).into(),
            notification.trace_parent.as_str().into(),
            notification.version.into(),
        ],
    );
}

/// Says whether a notification is stored.
pub(crate) async fn exists(tx: &mut Tx, id: &NotificationId) -> Result<bool, Error> {
    Ok(tx.fetch_optional(SELECT_EXISTS, [id.as_str().into()]).await?.is_some())
}

/// Stores what became of the version before. Says whether that was still there.
pub(crate) async fn update(tx: &mut Tx, notification: &Notification) -> Result<bool, Error> {
    let delivery = &notification.delivery;
    let row = [
        notification.state().as_str().into(),
        delivery.state.as_str().into(),
        delivery.attempts.into(),
        delivery.failure_reason.as_str().into(),
        delivery.next_attempt_at.map(|at| at.0).into(),
        notification.ended_at.map(|at| at.0).into(),
        notification.version.into(),
        notification.id.as_str().into(),
        (notification.version - 1).into(),
    ];
    Ok(tx.execute(UPDATE_DELIVERY, row).await? == 1)
}

/// Reads one notification.
pub(crate) async fn find(database: &Database, id: &str) -> Result<Option<Notification>, Error> {
    let row = database.fetch_optional(SELECT_ONE, [id.into()]).await?;
    row.as_ref().map(notification).transpose()
}

/// Reads what is due, the longest first.
pub(crate) async fn due(
    database: &Database,
    now: Instant,
    limit: usize,
) -> Result<Vec<Notification>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = database.fetch_all(SELECT_DUE, [now.into(), limit.into()]).await?;
    rows.iter().map(notification).collect()
}

/// Counts what has not ended.
pub(crate) async fn count_queued(database: &Database) -> Result<usize, Error> {
    let row = database.fetch_optional(COUNT_QUEUED, []).await?;
    let count: i64 = row.map_or(0, |row| row.get(0));
    usize::try_from(count).map_err(|e| corrupt(DOMAIN, "notifications", e))
}

/// Reads a page, newest first, by the index that serves the filter.
pub(crate) async fn list(
    database: &Database,
    filter: &Filter,
    page: &Page<(Instant, String)>,
) -> Result<Vec<Notification>, Error> {
    let (time, id) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let keys: [Value; 3] = [time.into(), id.into(), page.fetch_limit().into()];
    let state = filter.state.map(|state| state.as_str().to_owned());
    let rows = match (&filter.order_id, state) {
        (Some(order_id), state) => {
            let filters = [order_id.as_str().into(), state.into()];
            database.fetch_all(SELECT_PAGE_BY_ORDER, keys.into_iter().chain(filters)).await?
        }
        (None, Some(state)) => {
            let filters = [state.into()];
            database.fetch_all(SELECT_PAGE_BY_STATE, keys.into_iter().chain(filters)).await?
        }
        (None, None) => database.fetch_all(SELECT_PAGE, keys).await?,
    };
    rows.iter().map(notification).collect()
}

fn notification(row: &AnyRow) -> Result<Notification, Error> {
    let id: String = row.get(0);
    // The cause names no value: a phone number or a text might be among them.
    let wrong = |what: &str| corrupt(DOMAIN, "notifications", format!("{id}: {what}"));
    let (state, delivery_id, delivery_state): (String, String, String) =
        (row.get(1), row.get(6), row.get(7));
    let phone: String = row.get(9);
    let (due, ended): (Option<i64>, Option<i64>) = (row.get(13), row.get(15));
    let notification = Notification {
        id: NotificationId::parse(&id).map_err(|_| wrong("notification_id"))?,
        source: row.get(2),
        template: row.get(3),
        locale: row.get(4),
        order_id: row.get(5),
        delivery: Delivery {
            id: DeliveryId::parse(&delivery_id).map_err(|_| wrong("delivery_id"))?,
            state: DeliveryState::parse(&delivery_state).ok_or_else(|| wrong("delivery_state"))?,
            provider: row.get(8),
            phone: phone.parse().map_err(|_| wrong("recipient_phone"))?,
            body: row.get(10),
            attempts: row.get(11),
            failure_reason: row.get(12),
            next_attempt_at: due.map(Instant),
        },
        created_at: Instant(row.get(14)),
        ended_at: ended.map(Instant),
        trace_parent: row.get(16),
        version: row.get(17),
    };
    if notification.state().as_str() != state || !notification.is_consistent() {
        return Err(wrong("state, delivery_state and times do not fit together"));
    }
    Ok(notification)
}
