//! What a rehearsal takes for granted, because it asks nobody: what lines cost and need, and what steps keep.

use std::collections::{BTreeMap, BTreeSet};

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::money::{Currency, Money};
use throughline_proto::order::v1 as proto;

use super::stage::Stage;
use crate::acceptance::{Origin, submitted};
use crate::convert::Submission;
use crate::error::DOMAIN;
use crate::flow::Pinned;
use crate::order::{Item, ItemPlan, MAX_ITEMS_PER_ORDER, Order};

/// Values that steps are assumed to keep, at most.
const MAX_ASSUMED_VALUES: usize = 64;
/// Demands, or serial items, of one assumed line at most.
const MAX_ASSUMED_UNITS: usize = 100;
/// Characters of a name.
const MAX_NAME_LENGTH: usize = 64;
/// Characters of a value that a step is assumed to keep.
const MAX_VALUE_LENGTH: usize = 1_000;
/// Channel of an order that is made up.
const CHANNEL: &str = "simulation";

/// What is taken for granted.
#[derive(Debug, Default)]
pub(super) struct Assumptions {
    lines: BTreeMap<String, proto::AssumedLine>,
    item_keys: BTreeSet<String>,
    saved: Vec<(String, String, serde_json::Value)>,
}

impl Assumptions {
    /// Reads what a request assumes, as far as it can be judged without the order.
    pub(super) fn read(request: &proto::SimulateTemplateRequest, wrong: &mut Violations) -> Self {
        wrong.length("order_id", &request.order_id, 0, MAX_NAME_LENGTH);
        wrong.length("channel", &request.channel, 0, MAX_NAME_LENGTH);
        wrong.length("failed_step_id", &request.failed_step_id, 0, MAX_NAME_LENGTH);
        wrong.length("failure_reason", &request.failure_reason, 0, MAX_NAME_LENGTH);
        if request.order.is_none() && !(request.lines.is_empty() && request.item_keys.is_empty()) {
            wrong.add("lines", "stands only beside an order that is made up, as does item_keys");
        }
        for (path, count, most) in [
            ("lines", request.lines.len(), MAX_ITEMS_PER_ORDER),
            ("item_keys", request.item_keys.len(), MAX_ITEMS_PER_ORDER),
            ("saved", request.saved.len(), MAX_ASSUMED_VALUES),
        ] {
            if count > most {
                wrong.add(path, format!("must have at most {most} entries, has {count}"));
            }
        }
        let mut lines = BTreeMap::new();
        for (index, line) in request.lines.iter().enumerate() {
            if line.demands.len().max(line.assigned_items.len()) > MAX_ASSUMED_UNITS {
                let message = format!("must need at most {MAX_ASSUMED_UNITS} of each kind");
                wrong.add(format!("lines[{index}]"), message);
            }
            if lines.insert(line.item_key.clone(), line.clone()).is_some() {
                wrong.add(format!("lines[{index}].item_key"), "stands there twice");
            }
        }
        let saved = request.saved.iter().filter_map(|(key, text)| saved(key, text, wrong));
        let saved = saved.collect();
        Self { lines, item_keys: request.item_keys.iter().cloned().collect(), saved }
    }

    /// The order as it would be submitted, with what its lines are assumed to cost and to need.
    pub(super) fn order(
        &self,
        submission: Submission,
        template: Pinned,
        channel: &str,
        now: Instant,
    ) -> Result<Order, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let known: BTreeSet<&str> = submission.items.iter().map(|item| item.key.as_str()).collect();
        let named = self.lines.keys().map(|key| ("lines", key));
        for (path, key) in named.chain(self.item_keys.iter().map(|key| ("item_keys", key))) {
            if !known.contains(key.as_str()) {
                wrong.add(path, format!("the order has no line {key:?}"));
            }
        }
        let plan = |item: &Item| self.plan(item, submission.currency, &mut wrong);
        let plans: Vec<ItemPlan> = submission.items.iter().map(plan).collect();
        wrong.finish()?;
        let total = plans.iter().zip(&submission.items);
        let owed = total.filter(|(_, item)| item.return_of.is_none());
        let total = owed.map(|(plan, _)| plan.charge.minor).fold(0, i64::saturating_add);
        let channel = if channel.is_empty() { CHANNEL } else { channel }.to_owned();
        let origin = Origin { channel, trace_parent: String::new(), accepted_at: now };
        let mut order = submitted(submission, template.clone(), origin);
        order.steps = crate::flow::own_steps(&template);
        order.total = Some(Money::new(order.currency, total));
        order.item_plans = Some(plans.into());
        for (key, line) in self.lines.iter().filter(|(_, line)| !line.assigned_items.is_empty()) {
            order.assigned.insert(key.clone(), line.assigned_items.clone());
        }
        Ok(order)
    }

    fn plan(&self, item: &Item, currency: Currency, wrong: &mut Violations) -> ItemPlan {
        let assumed = self.lines.get(&item.key).cloned().unwrap_or_default();
        let agreed = item.agreed_price.and_then(|price| price.times(item.quantity).ok());
        let mut money = |field: &str, money: Option<&throughline_proto::r#type::v1::Money>| {
            let read = Money::from_proto(Some(money?));
            let path = format!("lines[{}].{field}", item.key);
            let read = wrong.take(&path, read)?;
            if read.currency != currency || read.minor < 0 {
                wrong.add(&path, format!("must be in {currency}, and not negative"));
            }
            Some(read)
        };
        let none = Money::zero(currency);
        let charge = money("charge", assumed.charge.as_ref()).or(agreed).unwrap_or(none);
        let recurring = money("recurring_charge", assumed.recurring_charge.as_ref());
        let demands = assumed.demands.into_iter().map(|need| (need.pool_code, need.quantity));
        ItemPlan {
            charge,
            recurring: recurring.unwrap_or(none),
            demands: demands.collect(),
            original: None,
        }
    }

    /// The lines that the only business order of a made-up order delivers.
    pub(super) fn delivered(&self, order: &Order) -> Vec<String> {
        let counts = |key: &String| self.item_keys.is_empty() || self.item_keys.contains(key);
        order.items.iter().map(|item| item.key.clone()).filter(counts).collect()
    }

    /// Lets the steps keep what they are assumed to keep.
    pub(super) fn keep(&self, stage: &mut Stage) -> Result<(), Error> {
        let mut wrong = Violations::new(DOMAIN);
        let Stage { order, business_order } = stage;
        let steps = match business_order {
            None => &mut order.steps,
            Some(index) => &mut order.business_orders[*index].steps,
        };
        for (step, name, value) in &self.saved {
            match steps.iter_mut().find(|known| known.id == *step) {
                Some(known) => drop(known.saved.insert(name.clone(), value.clone())),
                None => {
                    let message = "the template has no such step";
                    wrong.add(format!("saved[{step}.{name}]"), message);
                }
            }
        }
        wrong.finish()
    }
}

/// Reads one value that a step is assumed to keep.
fn saved(
    key: &str,
    text: &str,
    wrong: &mut Violations,
) -> Option<(String, String, serde_json::Value)> {
    let path = format!("saved[{key}]");
    wrong.length(&path, text, 1, MAX_VALUE_LENGTH);
    let Some((step, name)) =
        key.split_once('.').filter(|(step, name)| !step.is_empty() && !name.is_empty())
    else {
        wrong.add(path, "must be named as \"step.name\"");
        return None;
    };
    match serde_json::from_str(text) {
        Ok(value) => Some((step.to_owned(), name.to_owned(), value)),
        Err(cause) => {
            wrong.add(path, format!("must be JSON: {cause}"));
            None
        }
    }
}
