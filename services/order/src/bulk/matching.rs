//! Which live orders a filter means. All that are live are looked through, or those with the filter's mark.

use throughline_kit::Row;
use throughline_kit::error::{Error, Violations};
use throughline_kit::storage::{Database, Value};
use throughline_proto::order::v1 as proto;

use crate::convert;
use crate::store::Filter;

const COUNT_LIVE: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM orders o \
     WHERE o.wakeup_at_us IS NOT NULL AND o.created_at_us >= $1 AND o.created_at_us < $2 \
     AND (CAST($3 AS TEXT) IS NULL OR o.channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR o.customer_id = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR o.state = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR o.phone = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR o.channel_order_id = $7)";
const COUNT_MARKED: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM order_marks m \
     JOIN orders o ON o.order_id = m.order_id \
     WHERE m.mark = $8 AND m.created_at_us >= $1 AND m.created_at_us < $2 \
     AND o.wakeup_at_us IS NOT NULL \
     AND (CAST($3 AS TEXT) IS NULL OR o.channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR o.customer_id = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR o.state = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR o.phone = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR o.channel_order_id = $7)";
const SELECT_LIVE: &str = "SELECT o.order_id FROM orders o \
     WHERE o.wakeup_at_us IS NOT NULL AND o.created_at_us >= $1 AND o.created_at_us < $2 \
     AND (CAST($3 AS TEXT) IS NULL OR o.channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR o.customer_id = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR o.state = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR o.phone = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR o.channel_order_id = $7) \
     AND o.order_id > $8 ORDER BY o.order_id LIMIT $9";
const SELECT_MARKED: &str = "SELECT o.order_id FROM order_marks m \
     JOIN orders o ON o.order_id = m.order_id \
     WHERE m.mark = $10 AND m.created_at_us >= $1 AND m.created_at_us < $2 \
     AND o.wakeup_at_us IS NOT NULL \
     AND (CAST($3 AS TEXT) IS NULL OR o.channel = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR o.customer_id = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR o.state = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR o.phone = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR o.channel_order_id = $7) \
     AND o.order_id > $8 ORDER BY o.order_id LIMIT $9";

/// Reads a filter as that of a list is read, and notes what is wrong with it.
pub(super) fn read(filter: proto::BulkFilter, wrong: &mut Violations) -> Option<Filter> {
    if filter == proto::BulkFilter::default() {
        wrong.add("filter", "must say which orders are meant");
        return None;
    }
    let request = proto::ListOrdersRequest {
        customer_id: filter.customer_id,
        state: filter.state,
        channel: filter.channel,
        phone: filter.phone,
        channel_order_id: filter.channel_order_id,
        template: filter.template,
        step_id: filter.step_id,
        exception: filter.exception,
        attention: filter.attention,
        create_time_from: filter.create_time_from,
        create_time_before: filter.create_time_before,
        ..proto::ListOrdersRequest::default()
    };
    match convert::filter(None, &request) {
        Ok(filter) if filter.state.is_some_and(crate::order::OrderState::is_terminal) => {
            wrong.add("filter.state", "must be a state of orders that have not ended");
            None
        }
        Ok(filter) => Some(filter),
        Err(error) => {
            for (path, what) in error.fields {
                wrong.add(format!("filter.{path}"), what);
            }
            None
        }
    }
}

fn arguments(filter: &Filter) -> Vec<Value> {
    vec![
        filter.from.map_or(i64::MIN, |at| at.0).into(),
        filter.before.map_or(i64::MAX, |at| at.0).into(),
        filter.channel.clone().into(),
        filter.customer_id.clone().into(),
        filter.state.map(|state| state.as_str().to_owned()).into(),
        filter.phone.clone().into(),
        filter.channel_order_id.clone().into(),
    ]
}

/// Counts the orders.
pub(super) async fn count(database: &Database, filter: &Filter) -> Result<i64, Error> {
    let mut arguments = arguments(filter);
    let row = match &filter.mark {
        Some(mark) => {
            arguments.push(mark.as_str().into());
            database.fetch_optional(COUNT_MARKED, arguments).await?
        }
        None => database.fetch_optional(COUNT_LIVE, arguments).await?,
    };
    Ok(row.map_or(0, |row| row.get(0)))
}

/// Reads ids of orders, the oldest first, after one of them.
pub(super) async fn after(
    database: &Database,
    filter: &Filter,
    order_id: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let mut arguments = arguments(filter);
    arguments.extend([order_id.into(), limit.into()]);
    let rows = match &filter.mark {
        Some(mark) => {
            arguments.push(mark.as_str().into());
            database.fetch_all(SELECT_MARKED, arguments).await?
        }
        None => database.fetch_all(SELECT_LIVE, arguments).await?,
    };
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
