//! What an order shall become, checked field by field.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_proto::order::v1 as proto;

use super::submission::{lines, time};
use crate::error::{DOMAIN, OrderError};
use crate::order::{Change, MAX_ITEMS_PER_ORDER, Order};

/// Reads a change of an order.
pub(crate) fn change(
    order: &Order,
    items: &[proto::OrderItem],
    start: Option<&prost_types::Timestamp>,
    reason: String,
) -> Result<Change, Error> {
    if items.len() > MAX_ITEMS_PER_ORDER {
        return Err(OrderError::TooLarge(items.len()).into());
    }
    let mut wrong = Violations::new(DOMAIN);
    let items = lines("items", items, Some(order.currency), &mut wrong);
    let requested_start_at: Option<Instant> = time("requested_start_time", start, &mut wrong);
    wrong.finish()?;
    Ok(Change { items: items.into(), requested_start_at, reason })
}
