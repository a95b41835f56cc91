//! What of an order a request means.

use throughline_kit::error::{Error, Violations};
use throughline_proto::order::v1 as proto;

use crate::error::OrderError;
use crate::hold::HoldScope;
use crate::order::{MAX_ITEMS_PER_ORDER, Order, Place};

/// Checks the form of a target; `needs_step` where only a step can be meant.
pub(crate) fn check(target: Option<&proto::Target>, needs_step: bool, wrong: &mut Violations) {
    let target = target.cloned().unwrap_or_default();
    wrong.length("target.business_order_id", &target.business_order_id, 0, 64);
    wrong.length("target.step_id", &target.step_id, usize::from(needs_step), 64);
}

/// The step that is meant.
pub(crate) fn place(order: &Order, target: &proto::Target) -> Result<Place, Error> {
    let business_order = match target.business_order_id.as_str() {
        "" => None,
        id => Some(business_order(order, id)?),
    };
    let steps = business_order.map_or(&order.steps, |index| &order.business_orders[index].steps);
    let found = steps.iter().position(|step| step.id == target.step_id);
    let missing = || OrderError::NoSuchStep(order.id.to_string(), target.step_id.clone());
    let step = found.ok_or_else(missing)?;
    Ok(Place { business_order, step })
}

/// The whole, the business order or the step that is meant.
pub(crate) fn scope(order: &Order, target: &proto::Target) -> Result<HoldScope, Error> {
    match (target.business_order_id.as_str(), target.step_id.as_str()) {
        ("", "") => Ok(HoldScope::Order),
        (id, "") => business_order(order, id).map(HoldScope::BusinessOrder),
        (_, _) => place(order, target).map(HoldScope::Step),
    }
}

/// Index of the business order with an id.
pub(crate) fn business_order(order: &Order, id: &str) -> Result<usize, Error> {
    let found = order.business_orders.iter().position(|bo| bo.id.as_str() == id);
    let missing = || OrderError::BusinessOrderNotFound(order.id.to_string(), id.to_owned());
    found.ok_or_else(|| missing().into())
}

/// Checks the form of what names parts of an order.
pub(crate) fn check_parts(
    business_order_ids: &[String],
    item_keys: &[String],
    wrong: &mut Violations,
) {
    if !business_order_ids.is_empty() && !item_keys.is_empty() {
        wrong.add("item_keys", "name either business orders or lines");
    }
    let lists = [("business_order_ids", business_order_ids), ("item_keys", item_keys)];
    for (field, texts) in lists {
        if texts.len() > MAX_ITEMS_PER_ORDER {
            wrong.add(field, format!("must have at most {MAX_ITEMS_PER_ORDER} entries"));
        }
        for (index, text) in texts.iter().enumerate().take(MAX_ITEMS_PER_ORDER) {
            wrong.length(&format!("{field}[{index}]"), text, 1, 64);
        }
    }
}

/// Business orders that are meant by their ids or by lines that they deliver alone; none where the whole order is meant.
pub(crate) fn parts(
    order: &Order,
    business_order_ids: &[String],
    item_keys: &[String],
) -> Result<Vec<usize>, Error> {
    let mut parts = Vec::new();
    for id in business_order_ids {
        parts.push(business_order(order, id)?);
    }
    for key in item_keys {
        let missing = || OrderError::ItemNotFound(order.id.to_string(), key.clone());
        let delivers = |bo: &crate::business_order::BusinessOrder| {
            bo.reverses.is_none() && bo.item_keys.binary_search(key).is_ok()
        };
        let index = order.parts().position(delivers).ok_or_else(missing)?;
        let business_order = &order.business_orders[index];
        let others = business_order.item_keys.iter().filter(|other| !item_keys.contains(other));
        if others.count() > 0 {
            let id = business_order.id.to_string();
            return Err(OrderError::ItemNotSeparable(key.clone(), id).into());
        }
        parts.push(index);
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}
