//! Lists of deliveries, newest first.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Value};

use super::delivery::delivery;
use crate::webhook::delivery::{Delivery, DeliveryState};

const SELECT_WEBHOOK_PAGE: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE webhook_id = $5 AND (created_at_us, delivery_id) < ($1, $2) AND created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR state = $6) \
     ORDER BY created_at_us DESC, delivery_id DESC LIMIT $3";
/// Few are pending or failed among very many: each has an index of its own.
const SELECT_PENDING_PAGE: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE state = 'PENDING' AND webhook_id = $5 \
     AND (created_at_us, delivery_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, delivery_id DESC LIMIT $3";
const SELECT_FAILED_PAGE: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE state = 'FAILED' AND webhook_id = $5 \
     AND (created_at_us, delivery_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, delivery_id DESC LIMIT $3";
/// One order has few deliveries: other filters look through them.
const SELECT_ORDER_PAGE: &str = "SELECT delivery_id, webhook_id, channel, event_id, event_type, \
     order_id, payload, state, attempts, next_attempt_at_us, response_code, failure_reason, \
     failure_message, created_at_us, delivered_at_us FROM webhook_deliveries \
     WHERE order_id = $5 AND (created_at_us, delivery_id) < ($1, $2) AND created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR state = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR webhook_id = $7) \
     AND (CAST($8 AS TEXT) IS NULL OR channel = $8) \
     AND webhook_id IN (SELECT webhook_id FROM webhooks WHERE state <> 'DELETED') \
     ORDER BY created_at_us DESC, delivery_id DESC LIMIT $3";

/// Which deliveries to list. One of webhook and order is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryFilter {
    /// Only this channel.
    pub(crate) channel: Option<String>,
    /// Only this webhook.
    pub(crate) webhook_id: Option<String>,
    /// Only this order.
    pub(crate) order_id: Option<String>,
    /// Only this state.
    pub(crate) state: Option<DeliveryState>,
    /// Only at or after this instant.
    pub(crate) from: Option<Instant>,
    /// Only before this instant.
    pub(crate) until: Option<Instant>,
}

/// Reads one page, newest first.
pub(crate) async fn deliveries(
    database: &Database,
    filter: DeliveryFilter,
    page: &Page<(Instant, String)>,
) -> Result<Vec<Delivery>, Error> {
    let DeliveryFilter { channel, webhook_id, order_id, state, from, until } = filter;
    // Where the first page begins, all that is older lies below.
    let begin = (until.unwrap_or(Instant(i64::MAX)), String::new());
    let (at, id) = page.after.clone().unwrap_or(begin);
    let from = from.unwrap_or(Instant(i64::MIN));
    let mut arguments: Vec<Value> =
        vec![at.into(), id.into(), page.fetch_limit().into(), from.into()];
    let text = state.map(|state| state.as_str().to_owned());
    let statement = match (order_id, state) {
        (Some(order_id), _) => {
            arguments.extend([order_id.into(), text.into(), webhook_id.into(), channel.into()]);
            SELECT_ORDER_PAGE
        }
        (None, Some(DeliveryState::Pending)) => {
            arguments.push(webhook_id.into());
            SELECT_PENDING_PAGE
        }
        (None, Some(DeliveryState::Failed)) => {
            arguments.push(webhook_id.into());
            SELECT_FAILED_PAGE
        }
        (None, Some(DeliveryState::Delivered) | None) => {
            arguments.extend([webhook_id.into(), text.into()]);
            SELECT_WEBHOOK_PAGE
        }
    };
    database.fetch_all(statement, arguments).await?.iter().map(delivery).collect()
}
