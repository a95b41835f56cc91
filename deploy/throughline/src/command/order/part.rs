//! Which part of an order a person means: nobody has to copy the id of a business order.

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;

/// Finds a business order by its id, or by its template or one of its lines where only one has it.
pub(in crate::command) fn business_order<'a>(
    order: &'a proto::CustomerOrder,
    name: &str,
) -> Result<&'a proto::BusinessOrder, Error> {
    let all = &order.business_orders;
    if let Some(found) = all.iter().find(|one| one.business_order_id == name) {
        return Ok(found);
    }
    let named: Vec<_> = all
        .iter()
        .filter(|one| one.template == name || one.item_keys.iter().any(|key| key == name))
        .collect();
    match named.as_slice() {
        [only] => Ok(only),
        [] => Err(unclear("BUSINESS_ORDER_NOT_FOUND", Kind::NotFound, order, name, all.iter())),
        several => Err(unclear(
            "BUSINESS_ORDER_AMBIGUOUS",
            Kind::Invalid,
            order,
            name,
            several.iter().copied(),
        )),
    }
}

/// Finds what is meant by a business order and a step, of which each may be left out.
pub(super) fn target(
    order: &proto::CustomerOrder,
    business_order: Option<&str>,
    step: Option<&str>,
) -> Result<proto::Target, Error> {
    let step_id = step.unwrap_or_default().to_owned();
    if let Some(name) = business_order {
        let business_order_id = self::business_order(order, name)?.business_order_id.clone();
        return Ok(proto::Target { business_order_id, step_id });
    }
    let has_step = |steps: &[proto::Step]| steps.iter().any(|one| one.step_id == step_id);
    if step.is_none() || has_step(&order.steps) {
        return Ok(proto::Target { step_id, ..proto::Target::default() });
    }
    let having: Vec<_> = order.business_orders.iter().filter(|one| has_step(&one.steps)).collect();
    match having.as_slice() {
        [only] => Ok(proto::Target { business_order_id: only.business_order_id.clone(), step_id }),
        [] => {
            let steps = order.business_orders.iter().flat_map(|one| &one.steps).chain(&order.steps);
            let mut ids: Vec<&str> = steps.map(|one| one.step_id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            let id = &order.order_id;
            let message =
                format!("order {id} has no step {step_id}; its steps are {}", ids.join(", "));
            Err(Error::new(Kind::NotFound, "client", "STEP_NOT_FOUND", message))
        }
        several => {
            Err(unclear("STEP_AMBIGUOUS", Kind::Invalid, order, &step_id, several.iter().copied()))
        }
    }
}

/// Says which business orders there are to choose from.
fn unclear<'a>(
    reason: &str,
    kind: Kind,
    order: &proto::CustomerOrder,
    name: &str,
    choice: impl Iterator<Item = &'a proto::BusinessOrder>,
) -> Error {
    const NAMED: usize = 20;
    let named: Vec<String> = choice
        .take(NAMED)
        .map(|one| format!("{} ({})", one.business_order_id, label(one)))
        .collect();
    let id = &order.order_id;
    let message = match (kind, named.is_empty()) {
        (_, true) => format!("order {id} has no business orders yet, so none is {name}"),
        (Kind::NotFound, false) => {
            format!("order {id} has no business order {name}; there are {}", named.join(", "))
        }
        (_, false) => format!(
            "{name} is not only in one business order of {id}; say --business-order, one of {}",
            named.join(", ")
        ),
    };
    Error::new(kind, "client", reason, message).with("order_id", id).with("name", name)
}

/// What a person calls a business order: its template and its first lines.
pub(super) fn label(business_order: &proto::BusinessOrder) -> String {
    const NAMED: usize = 3;
    let keys = &business_order.item_keys;
    let named = keys.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
    let more = match keys.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} [{named}{more}]", business_order.template)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(ids: &[&str]) -> Vec<proto::Step> {
        let step = |id: &&str| proto::Step { step_id: (*id).to_owned(), ..Default::default() };
        ids.iter().map(step).collect()
    }

    fn part(id: &str, template: &str, keys: &[&str], of: &[&str]) -> proto::BusinessOrder {
        proto::BusinessOrder {
            business_order_id: id.to_owned(),
            template: template.to_owned(),
            item_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            steps: steps(of),
            ..Default::default()
        }
    }

    fn order() -> proto::CustomerOrder {
        proto::CustomerOrder {
            order_id: "ord_1".to_owned(),
            steps: steps(&["reserve", "pay"]),
            business_orders: vec![
                part("bo_1", "plan", &["plan-1"], &["activate", "open-account"]),
                part("bo_2", "plan", &["plan-2"], &["activate", "open-account"]),
                part("bo_3", "broadband", &["line", "modem"], &["install", "open-account"]),
            ],
            ..Default::default()
        }
    }

    #[test]
    fn a_part_is_found_by_whatever_only_it_has() {
        for (business_order, step, expected) in [
            (None, None, Ok(("", ""))),
            (None, Some("pay"), Ok(("", "pay"))),
            (None, Some("install"), Ok(("bo_3", "install"))),
            (Some("bo_2"), None, Ok(("bo_2", ""))),
            (Some("broadband"), None, Ok(("bo_3", ""))),
            (Some("plan-2"), Some("activate"), Ok(("bo_2", "activate"))),
            (Some("modem"), Some("no-such"), Ok(("bo_3", "no-such"))),
            (Some("plan"), None, Err("BUSINESS_ORDER_AMBIGUOUS")),
            (Some("tv"), None, Err("BUSINESS_ORDER_NOT_FOUND")),
            (None, Some("activate"), Err("STEP_AMBIGUOUS")),
            (None, Some("ship"), Err("STEP_NOT_FOUND")),
        ] {
            let found = target(&order(), business_order, step);
            let found = found.as_ref().map(|t| (t.business_order_id.as_str(), t.step_id.as_str()));
            assert_eq!(
                found.map_err(|e| e.reason.as_str()),
                expected,
                "{business_order:?} {step:?}"
            );
        }
    }

    #[test]
    fn who_is_unclear_is_told_what_there_is_to_choose() {
        let error = target(&order(), None, Some("activate")).expect_err("two have it");
        assert!(error.message.contains("bo_1 (plan [plan-1]), bo_2 (plan [plan-2])"), "{error}");
        let error = target(&order(), Some("tv"), None).expect_err("none has it");
        assert!(error.message.contains("bo_3 (broadband [line modem])"), "{error}");
        let error = target(&order(), None, Some("ship")).expect_err("none has it");
        assert!(error.message.contains("activate, install, open-account, pay, reserve"), "{error}");
        let bare = proto::CustomerOrder::default();
        let error = business_order(&bare, "tv").expect_err("none yet");
        assert!(error.message.contains("no business orders yet"), "{error}");
    }
}
