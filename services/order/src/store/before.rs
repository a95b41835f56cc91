//! Reads orders that were stored before their steps were data: what they kept for themselves is then in the first version of
//! the templates that come with the software.

use serde_json::{Map, Value, json};

use crate::order::DEFAULT_PRIORITY;
use crate::templates::STANDARD;

/// The version of a shipped template that does what was done before.
const FIRST_VERSION: i64 = 1;
/// Own steps that an order got only when it was prepared.
const LATER_STEPS: [&str; 3] = ["reserve", "pay", "allocate"];
/// Steps of a business order that are only undone: nothing comes after them.
const SHARES: [&str; 2] = ["allocation", "charge"];

/// Brings the document of an order to the present form; one that has it stays as it is.
pub(super) fn upgraded(mut document: Value) -> Value {
    let Some(order) = document.as_object_mut().filter(|order| !order.contains_key("template"))
    else {
        return document;
    };
    let is_prepared = order.get("item_plans").is_some_and(|plans| !plans.is_null());
    let was_dismissed = order.get("dismissal").is_some_and(|dismissal| !dismissal.is_null());
    order.insert("template".to_owned(), pinned(STANDARD));
    order.insert("priority".to_owned(), json!(DEFAULT_PRIORITY));
    if let Some(steps) = order.get_mut("steps").and_then(Value::as_array_mut) {
        if !is_prepared && !was_dismissed {
            steps.extend(LATER_STEPS.map(scheduled));
        }
        upgrade_steps(steps);
    }
    let business_orders = order.get_mut("business_orders").and_then(Value::as_array_mut);
    for business_order in business_orders.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(name) = business_order.get("template").and_then(Value::as_str) {
            let template = pinned(name);
            business_order.insert("template".to_owned(), template);
        }
        if let Some(steps) = business_order.get_mut("steps").and_then(Value::as_array_mut) {
            upgrade_steps(steps);
        }
    }
    document
}

fn pinned(name: &str) -> Value {
    json!({ "name": name, "version": FIRST_VERSION })
}

fn scheduled(id: &str) -> Value {
    json!({ "id": id, "state": "Scheduled", "attempts": 0 })
}

/// Steps ran one after the other.
fn upgrade_steps(steps: &mut [Value]) {
    let mut before: Option<usize> = None;
    for (index, step) in steps.iter_mut().enumerate() {
        let Some(step) = step.as_object_mut() else { continue };
        let is_share =
            step.get("id").and_then(Value::as_str).is_some_and(|id| SHARES.contains(&id));
        if is_share {
            continue;
        }
        step.insert("after".to_owned(), json!(before.into_iter().collect::<Vec<usize>>()));
        before = Some(index);
        upgrade_refusals(step);
    }
}

/// Refusals of doing and of undoing were counted as one.
fn upgrade_refusals(step: &mut Map<String, Value>) {
    let is_undone = step
        .get("state")
        .and_then(Value::as_str)
        .is_some_and(|state| ["Undoing", "UndoFailed"].contains(&state));
    if is_undone && let Some(refusals) = step.remove("refusals") {
        step.insert("undo_refusals".to_owned(), refusals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Order;

    fn old(steps: &Value, business_orders: &Value, item_plans: &Value) -> Value {
        json!({
            "id": "ord_01jd0000000000000000000000", "channel": "hall", "channel_order_id": "1",
            "customer": { "id": "c", "name": "", "phone": "", "locale": "en", "address": "" },
            "items": [], "item_plans": item_plans, "currency": "GBP",
            "payment": { "channel": "sandbox", "ttl": { "secs": 900, "nanos": 0 } },
            "policy": "Branch", "steps": steps, "business_orders": business_orders,
            "total": null, "captured": 0, "refunded": 0, "payment_order_id": "",
            "reservation_id": "", "assigned": {}, "dismissal": null, "cancel_reason": null,
            "failure": null, "trace_parent": "", "created_at": 1, "updated_at": 1,
            "ended_at": null, "version": 3
        })
    }

    fn step(id: &str, state: &str) -> Value {
        json!({
            "id": id, "capability": "Reserve", "state": state, "attempts": 1, "undo_attempts": 0,
            "refusals": 2, "asks": 0, "started_at": 1, "ended_at": null, "next_at": null,
            "token": null, "undo_reason": null, "failure": null
        })
    }

    fn read(document: Value) -> Order {
        serde_json::from_value(upgraded(document)).expect("reads")
    }

    #[test]
    fn an_order_that_waits_to_be_prepared_gets_the_steps_that_follow() {
        let order = read(old(&json!([step("prepare", "Running")]), &json!([]), &Value::Null));
        let ids: Vec<&str> = order.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["prepare", "reserve", "pay", "allocate"]);
        let after: Vec<&[usize]> = order.steps.iter().map(|step| &*step.after).collect();
        assert_eq!(after, [&[] as &[usize], &[0], &[1], &[2]]);
        assert_eq!((order.template.name.as_str(), order.template.version), ("standard", 1));
    }

    #[test]
    fn an_order_under_way_keeps_its_steps_in_their_order() {
        let business_order = json!({
            "id": "bo_01jd0000000000000000000000", "template": "telecom-plan", "state": "Running",
            "item_keys": ["plan"], "requires": [], "after": [], "failure": null,
            "charge": { "currency": "GBP", "minor": 100 },
            "steps": [
                step("allocation", "Succeeded"), step("charge", "Undoing"),
                step("activate", "Succeeded"), step("open-account", "UndoFailed")
            ]
        });
        let steps = json!([step("prepare", "Succeeded"), step("pay", "Succeeded")]);
        let order = read(old(&steps, &json!([business_order]), &json!([])));
        assert_eq!(order.steps.len(), 2, "one that needs no stock got no steps for it");
        let steps = &order.business_orders[0].steps;
        let after: Vec<&[usize]> = steps.iter().map(|step| &*step.after).collect();
        assert_eq!(after, [&[] as &[usize], &[], &[], &[2]]);
        assert_eq!((steps[2].refusals, steps[2].undo_refusals), (2, 0));
        assert_eq!((steps[3].refusals, steps[3].undo_refusals), (0, 2));
    }

    #[test]
    fn an_order_of_the_present_form_stays_as_it_is() {
        let present = json!({ "template": { "name": "flash-sale", "version": 4 }, "steps": [] });
        assert_eq!(upgraded(present.clone()), present);
    }
}
