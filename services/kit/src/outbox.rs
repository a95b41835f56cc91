//! What a center announces, stored with the change that it tells of.

use std::time::Duration;

use prost::Message;

use throughline_proto::event::v1 as proto;

use crate::clock::Instant;
use crate::error::Error;
use crate::id;
use crate::storage::{AnyRow, Database, Insert, Row, Value};

pub(crate) const LAST_SEQUENCE: &str =
    "SELECT CAST(COALESCE(MAX(sequence), 0) AS BIGINT) FROM outbox";

pub(crate) static INSERT_EVENT: Insert = Insert {
    table: "outbox",
    columns: &[
        "sequence",
        "event_id",
        "type",
        "subject",
        "order_id",
        "occurred_at_us",
        "trace_parent",
        "payload_type",
        "payload",
    ],
    otherwise: "",
};

/// How long announced events can be read.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
pub(crate) const DELETE_OLD: &str = "DELETE FROM outbox WHERE sequence IN \
     (SELECT sequence FROM outbox WHERE occurred_at_us < $1 \
      AND sequence < (SELECT MAX(sequence) FROM outbox) ORDER BY sequence LIMIT 1000)";

const SELECT_AFTER: &str = "SELECT sequence, event_id, type, subject, order_id, occurred_at_us, \
     trace_parent, payload_type, payload FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2";

/// An event that a change announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Id, `evt_…`: the same in the feed and wherever else the event goes.
    pub event_id: String,
    /// Past participle: "order.accepted".
    pub kind: &'static str,
    /// Id of the resource that changed.
    pub subject: String,
    /// Order it belongs to; empty where there is none.
    pub order_id: String,
    /// When it happened.
    pub occurred_at: Instant,
    /// W3C traceparent; empty where there is none.
    pub trace_parent: String,
    payload_type: String,
    payload: Vec<u8>,
}

impl Announcement {
    /// Makes an event with the center's own message as payload.
    pub fn new<P: Message + prost::Name>(
        kind: &'static str,
        subject: &str,
        order_id: &str,
        occurred_at: Instant,
        payload: &P,
    ) -> Self {
        Self {
            event_id: format!("evt_{}", id::new_body()),
            kind,
            subject: subject.to_owned(),
            order_id: order_id.to_owned(),
            occurred_at,
            trace_parent: String::new(),
            payload_type: format!("type.googleapis.com/{}", P::full_name()),
            payload: payload.encode_to_vec(),
        }
    }

    /// Says in which trace it happened.
    #[must_use]
    pub fn in_trace(mut self, trace_parent: &str) -> Self {
        trace_parent.clone_into(&mut self.trace_parent);
        self
    }

    pub(crate) fn into_row(self, sequence: i64) -> [Value; 9] {
        [
            sequence.into(),
            self.event_id.into(),
            self.kind.into(),
            self.subject.into(),
            self.order_id.into(),
            self.occurred_at.into(),
            self.trace_parent.into(),
            self.payload_type.into(),
            self.payload.into(),
        ]
    }
}

/// Reads events after a cursor, in order.
pub(crate) async fn read_after(
    database: &Database,
    cursor: i64,
    limit: usize,
) -> Result<Vec<proto::Event>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = database.fetch_all(SELECT_AFTER, [cursor.into(), limit.into()]).await?;
    Ok(rows.iter().map(|row| event(database.center(), row)).collect())
}

fn event(center: &str, row: &AnyRow) -> proto::Event {
    proto::Event {
        sequence: row.get(0),
        event_id: row.get(1),
        center: center.to_owned(),
        r#type: row.get(2),
        subject: row.get(3),
        order_id: row.get(4),
        occurred_time: Some(Instant(row.get(5)).to_proto()),
        trace_parent: row.get(6),
        payload: Some(prost_types::Any { type_url: row.get(7), value: row.get(8) }),
    }
}
