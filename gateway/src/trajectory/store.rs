//! Every SQL statement of trajectories and how rows read.

use std::time::Duration;

use throughline_kit::Row;
use throughline_kit::clock::{Instant, span_to_proto};
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Value, corrupt};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::trajectory_entry::Entry;

use super::TimedEntry;
use crate::error::DOMAIN;
use crate::proxy::HopRecord;

pub(super) static INSERT_HOP: Insert = Insert {
    table: "hops",
    columns: &[
        "order_id",
        "started_at_us",
        "span_id",
        "trace_id",
        "parent_span_id",
        "caller",
        "callee",
        "method",
        "endpoint",
        "first_byte_us",
        "duration_us",
        "status_code",
        "status_message",
        "request_bytes",
        "response_bytes",
    ],
    otherwise: "",
};
/// For a hop that may be stored already: its commit can have succeeded although its answer was lost.
pub(super) const INSERT_HOP_ONCE: &str = "INSERT INTO hops (order_id, started_at_us, span_id, \
     trace_id, parent_span_id, caller, callee, method, endpoint, first_byte_us, duration_us, \
     status_code, status_message, request_bytes, response_bytes) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
     ON CONFLICT (order_id, started_at_us, span_id) DO NOTHING";
/// A hop of no order: taken out in the change that puts it in, it tells whether hops can be stored at all.
pub(super) const INSERT_PROBE: &str = "INSERT INTO hops (order_id, started_at_us, span_id, \
     trace_id, parent_span_id, caller, callee, method, endpoint, first_byte_us, duration_us, \
     status_code, status_message, request_bytes, response_bytes) \
     VALUES ('', 0, '', '', '', '', '', '', '', 0, 0, 0, '', 0, 0) \
     ON CONFLICT (order_id, started_at_us, span_id) DO NOTHING";
pub(super) const DELETE_PROBE: &str = "DELETE FROM hops WHERE order_id = ''";
const SELECT_HOPS: &str = "SELECT started_at_us, span_id, trace_id, parent_span_id, caller, \
     callee, method, endpoint, first_byte_us, duration_us, status_code, status_message, \
     request_bytes, response_bytes FROM hops WHERE order_id = $1 \
     ORDER BY started_at_us, span_id LIMIT $2";
pub(super) const DELETE_OLD_HOPS: &str = "DELETE FROM hops WHERE (order_id, started_at_us, \
     span_id) IN (SELECT order_id, started_at_us, span_id FROM hops WHERE started_at_us < $1 \
     ORDER BY started_at_us LIMIT $2)";

pub(super) const INSERT_STEP: &str = "INSERT INTO steps (event_id, order_id, occurred_at_us, \
     center, type, subject, detail, trace_id, sequence) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event_id) DO NOTHING";
const SELECT_STEPS: &str = "SELECT event_id, occurred_at_us, center, type, subject, detail, \
     trace_id, sequence FROM steps WHERE order_id = $1 ORDER BY occurred_at_us, event_id LIMIT $2";
pub(super) const DELETE_OLD_STEPS: &str = "DELETE FROM steps WHERE event_id IN (SELECT event_id \
     FROM steps WHERE occurred_at_us < $1 ORDER BY occurred_at_us LIMIT $2)";

/// Writes a hop record as a row.
pub(super) fn hop_row(hop: &HopRecord) -> [Value; 15] {
    let span = |id: u64| {
        if id == 0 { String::new() } else { format!("{id:016x}") }
    };
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let caller = hop.caller.as_ref().map_or("", |caller| &*caller.caller.name);
    let endpoint = hop.endpoint.as_ref().map_or("", |endpoint| endpoint.address());
    [
        hop.order_id.as_str().into(),
        hop.started_at.into(),
        span(hop.trace.span_id).into(),
        format!("{:032x}", hop.trace.trace_id).into(),
        span(hop.trace.parent_span_id).into(),
        caller.into(),
        hop.callee.as_deref().unwrap_or_default().into(),
        (&*hop.method.name).into(),
        endpoint.into(),
        micros(hop.first_byte).into(),
        micros(hop.duration).into(),
        i64::from(i32::from(hop.code)).into(),
        (&*hop.message).into(),
        bytes(hop.request_bytes).into(),
        bytes(hop.response_bytes).into(),
    ]
}

/// Reads the calls of an order by time.
pub(super) async fn hops(
    database: &Database,
    order_id: &str,
    limit: i64,
) -> Result<Vec<TimedEntry>, Error> {
    let rows = database.fetch_all(SELECT_HOPS, [order_id.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| {
            let at = Instant(row.get(0));
            let span_id: String = row.get(1);
            let span = |micros: i64| {
                u64::try_from(micros)
                    .map(|micros| Some(span_to_proto(Duration::from_micros(micros))))
                    .map_err(|_| corrupt(DOMAIN, "hops", format!("a span of {micros} µs")))
            };
            let status_code = i32::try_from(row.get::<i64, _>(10))
                .ok()
                .filter(|code| (0..=16).contains(code))
                .ok_or_else(|| corrupt(DOMAIN, "hops", format!("status of {span_id}")))?;
            let hop = proto::Hop {
                trace_id: row.get(2),
                span_id: span_id.clone(),
                parent_span_id: row.get(3),
                caller: row.get(4),
                callee: row.get(5),
                method: row.get(6),
                endpoint: row.get(7),
                start_time: Some(at.to_proto()),
                first_byte_latency: span(row.get(8))?,
                duration: span(row.get(9))?,
                status_code,
                status_message: row.get(11),
                request_bytes: row.get(12),
                response_bytes: row.get(13),
            };
            Ok(TimedEntry { at, id: span_id, entry: Entry::Hop(hop) })
        })
        .collect()
}

/// Reads the business steps of an order by time.
pub(super) async fn steps(
    database: &Database,
    order_id: &str,
    limit: i64,
) -> Result<Vec<TimedEntry>, Error> {
    let rows = database.fetch_all(SELECT_STEPS, [order_id.into(), limit.into()]).await?;
    let read = rows.iter().map(|row| {
        let at = Instant(row.get(1));
        let event_id: String = row.get(0);
        let step = proto::BusinessStep {
            event_id: event_id.clone(),
            center: row.get(2),
            r#type: row.get(3),
            subject: row.get(4),
            occurred_time: Some(at.to_proto()),
            detail: row.get(5),
            trace_id: row.get(6),
            sequence: row.get(7),
        };
        TimedEntry { at, id: event_id, entry: Entry::Step(step) }
    });
    Ok(read.collect())
}
