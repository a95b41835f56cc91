//! The steps of each template, and the business orders that a preparation makes of an order.

use std::collections::{BTreeMap, BTreeSet};

use throughline_kit::money::Money;

use crate::business_order::{BusinessOrder, BusinessOrderId, BusinessOrderState};
use crate::event::{Preparation, PreparedBusinessOrder};
use crate::failure::Failure;
use crate::order::{Order, Original, ReturnOf};
use crate::step::{Capability, Step};

/// A template: its name and the steps that it runs, in order.
struct Template {
    name: &'static str,
    steps: &'static [(&'static str, Capability)],
}

const TEMPLATES: &[Template] = &[
    Template {
        name: "telecom-plan",
        steps: &[("activate", Capability::Activate), ("open-account", Capability::OpenAccount)],
    },
    Template {
        name: "telecom-broadband",
        steps: &[("install", Capability::Activate), ("open-account", Capability::OpenAccount)],
    },
    Template {
        name: "telecom-ip-phone",
        steps: &[("activate", Capability::Activate), ("open-account", Capability::OpenAccount)],
    },
    Template { name: "retail-goods", steps: &[("ship", Capability::Ship)] },
    // Its steps follow from what it takes back.
    Template { name: RETURN_TEMPLATE, steps: &[] },
];

/// Template that takes goods back.
const RETURN_TEMPLATE: &str = "retail-return";

/// The steps of an order that was just accepted.
pub(crate) fn first_steps() -> Vec<Step> {
    vec![Step::new("prepare", Capability::Prepare)]
}

/// The steps that a prepared order needs besides: none to reserve where nothing is demanded, none to pay where nothing is owed.
pub(crate) fn later_steps(demands_stock: bool, total: Money) -> Vec<Step> {
    let mut steps = Vec::new();
    if demands_stock {
        steps.push(Step::new("reserve", Capability::Reserve));
    }
    if !total.is_zero() {
        steps.push(Step::new("pay", Capability::Pay));
    }
    if demands_stock {
        steps.push(Step::new("allocate", Capability::Allocate));
    }
    steps
}

/// Checks that every template of a preparation is known.
pub(crate) fn check_templates(planned: &[PreparedBusinessOrder]) -> Result<(), Failure> {
    let unknown = planned.iter().find(|bo| template(&bo.template).is_none());
    unknown.map_or(Ok(()), |bo| {
        let message = format!("no template is named {:?}; correct the offering", bo.template);
        Err(Failure::new("TEMPLATE_UNKNOWN", crate::error::DOMAIN, message))
    })
}

fn template(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// Makes the business orders of a prepared order.
pub(crate) fn business_orders(order: &Order, preparation: &Preparation) -> Vec<BusinessOrder> {
    let index_of: BTreeMap<&str, usize> = preparation
        .business_orders
        .iter()
        .enumerate()
        .map(|(index, planned)| (planned.key.as_str(), index))
        .collect();
    let indexes = |keys: &[String]| -> Vec<usize> {
        keys.iter().filter_map(|key| index_of.get(key.as_str()).copied()).collect()
    };
    preparation
        .business_orders
        .iter()
        .map(|planned| {
            let mut item_keys = planned.item_keys.clone();
            item_keys.sort();
            BusinessOrder {
                id: BusinessOrderId::derive(&[order.id.as_str(), &planned.key]),
                template: planned.template.clone(),
                state: BusinessOrderState::Planned,
                requires: indexes(&planned.requires),
                after: indexes(&planned.after),
                charge: charge_of(order, preparation, &item_keys),
                steps: steps_of(order, preparation, planned),
                item_keys,
                failure: None,
            }
        })
        .collect()
}

fn charge_of(order: &Order, preparation: &Preparation, item_keys: &[String]) -> Money {
    let minor = order
        .items
        .iter()
        .zip(preparation.items.iter())
        .filter(|(item, _)| item_keys.binary_search(&item.key).is_ok())
        .map(|(_, plan)| plan.charge.minor)
        .sum();
    Money::new(order.currency, minor)
}

fn steps_of(
    order: &Order,
    preparation: &Preparation,
    planned: &PreparedBusinessOrder,
) -> Vec<Step> {
    if planned.template == RETURN_TEMPLATE {
        return return_steps(order, preparation, planned);
    }
    let keys: BTreeSet<&String> = planned.item_keys.iter().collect();
    let lines = || {
        order
            .items
            .iter()
            .zip(preparation.items.iter())
            .filter(|(item, _)| keys.contains(&item.key))
    };
    let mut steps = Vec::new();
    if lines().any(|(_, plan)| !plan.demands.is_empty()) {
        steps.push(Step::new("allocation", Capability::Allocation));
    }
    if lines().any(|(_, plan)| !plan.charge.is_zero()) {
        steps.push(Step::new("charge", Capability::Charge));
    }
    let own = template(&planned.template).map(|template| template.steps).unwrap_or_default();
    steps.extend(own.iter().map(|(id, capability)| Step::new(*id, *capability)));
    steps
}

/// A return takes goods and gives money back once for each payment that the goods were bought with.
fn return_steps(
    order: &Order,
    preparation: &Preparation,
    planned: &PreparedBusinessOrder,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, group) in return_groups(order, preparation, &planned.item_keys).iter().enumerate()
    {
        if group.restocks {
            steps.push(Step::new(format!("restock-{}", number + 1), Capability::Restock));
        }
        if group.refunds {
            steps.push(Step::new(format!("refund-{}", number + 1), Capability::Refund));
        }
    }
    steps
}

struct ReturnGroup {
    restocks: bool,
    refunds: bool,
}

fn return_groups(
    order: &Order,
    preparation: &Preparation,
    item_keys: &[String],
) -> Vec<ReturnGroup> {
    let mut groups: BTreeMap<String, ReturnGroup> = BTreeMap::new();
    for (item, plan) in order.items.iter().zip(preparation.items.iter()) {
        if !item_keys.contains(&item.key) {
            continue;
        }
        let key = plan.original.as_ref().map(payment_of).unwrap_or_default();
        let group = groups.entry(key).or_insert(ReturnGroup { restocks: false, refunds: false });
        group.restocks |= !plan.demands.is_empty();
        group.refunds |= !plan.charge.is_zero();
    }
    groups.into_values().collect()
}

fn payment_of(original: &Original) -> String {
    original.payment_order_id.clone()
}

/// The payments that a return business order gives back to, in the order of its numbered steps. The stand-alone group,
/// where there is one, is the empty text and comes first.
pub(crate) fn return_payments(order: &Order, business_order: &BusinessOrder) -> Vec<String> {
    let payments: BTreeSet<String> = order
        .lines_of(business_order)
        .map(|(_, plan)| plan.original.as_ref().map(payment_of).unwrap_or_default())
        .collect();
    payments.into_iter().collect()
}

/// Why the lines of a return come back.
pub(crate) fn return_reason(order: &Order) -> String {
    let stand_alone = order.items.iter().find_map(|item| match &item.return_of {
        Some(ReturnOf::StandAlone(reason)) => Some(reason.clone()),
        Some(ReturnOf::Order(_)) | None => None,
    });
    stand_alone.unwrap_or_else(|| format!("return {}", order.channel_order_id))
}
