//! Prepares an order: may it be sold so, what does it cost, how is it delivered, and what does it take back.

use std::collections::BTreeMap;

use throughline_kit::money::Money;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::decision_service_client::DecisionServiceClient;

use super::{Peers, failure, money, outcome, unreadable};
use crate::business_order::BusinessOrderState;
use crate::error::DOMAIN;
use crate::event::{Gain, Outcome, Preparation, PreparedBusinessOrder};
use crate::flow;
use crate::order::{Action, Failure, Item, ItemPlan, Order, Original, ReturnOf};

const PRODUCT: &str = "product";

impl Peers {
    /// Asks the product center three questions at once and puts the answers together.
    pub(super) async fn prepare(&self, order: &Order) -> Outcome {
        let originals = match self.originals(order).await {
            Ok(originals) => originals,
            Err(outcome) => return outcome,
        };
        let lines: Vec<proto::Line> = order.items.iter().map(line).collect();
        let context = self.context(order);
        let client = || DecisionServiceClient::new(self.client.channel());
        let check = context.request(proto::CheckConfigurationRequest { lines: lines.clone() });
        let quote = context.request(proto::QuotePriceRequest {
            lines: lines.clone(),
            currency_code: order.currency.to_string(),
        });
        let decompose = context.request(proto::DecomposeOfferingRequest { lines });
        let (mut checker, mut pricer, mut decomposer) = (client(), client(), client());
        let (checked, quoted, decomposed) = tokio::join!(
            checker.check_configuration(check),
            pricer.quote_price(quote),
            decomposer.decompose_offering(decompose),
        );
        outcome(checked, |checked| {
            if let Some(refusal) = blocked(&checked) {
                return Outcome::Declined(refusal);
            }
            outcome(quoted, |quoted| {
                outcome(decomposed, |decomposed| assemble(order, originals, quoted, decomposed))
            })
        })
    }

    /// Finds the lines that linked returns take back: delivered, of the same channel, at the same price.
    async fn originals(&self, order: &Order) -> Result<Vec<Option<Original>>, Outcome> {
        let mut sources: BTreeMap<&str, Source> = BTreeMap::new();
        let mut originals = Vec::with_capacity(order.items.len());
        for item in order.items.iter() {
            let Some(ReturnOf::Order(number)) = &item.return_of else {
                originals.push(None);
                continue;
            };
            if !sources.contains_key(number.as_str()) {
                let found = self
                    .store
                    .by_channel(&order.channel, number)
                    .await
                    .map_err(|error| Outcome::NotAttempted(failure(&error)))?;
                let original = found.ok_or_else(|| {
                    refused("ORIGINAL_NOT_FOUND", format!("no order {number} to return from"))
                })?;
                let returned = self.returned_units(order, &original).await?;
                sources.insert(number, Source::new(original, &returned));
            }
            let source = sources.get_mut(number.as_str()).expect("just inserted");
            let original = source.take(item).ok_or_else(|| {
                let message = format!(
                    "order {number} delivered no line like {} × {} that could come back",
                    item.quantity, item.offering
                );
                refused("ORIGINAL_LINE_NOT_FOUND", message)
            })?;
            originals.push(Some(original));
        }
        Ok(originals)
    }
}

/// An order that is returned from, with the units of each line that this return has not taken yet.
struct Source {
    order: Order,
    left: Vec<i64>,
}

impl Source {
    fn new(order: Order, returned: &BTreeMap<String, i64>) -> Self {
        let left = order.items.iter().zip(order.item_plans.as_deref().unwrap_or_default());
        let left = left
            .map(|(item, plan)| {
                let demanded: i64 = plan.demands.iter().map(|(_, units)| units).sum();
                let units_each = (demanded / item.quantity).max(1);
                let returned = returned.get(&item.key).copied().unwrap_or(0);
                item.quantity - returned / units_each
            })
            .collect();
        Self { order, left }
    }

    fn take(&mut self, wanted: &Item) -> Option<Original> {
        let order = &self.order;
        // While it runs, its own compensation may still give the same money back.
        order.ended_at?;
        let delivered = |item: &Item| {
            order.business_orders.iter().any(|bo| {
                bo.state == BusinessOrderState::Done
                    && bo.item_keys.binary_search(&item.key).is_ok()
            })
        };
        let index = order.items.iter().enumerate().position(|(index, item)| {
            item.action == Action::Add
                && item.offering == wanted.offering
                && item.agreed_price == wanted.agreed_price
                && self.left[index] >= wanted.quantity
                && delivered(item)
        })?;
        self.left[index] -= wanted.quantity;
        Some(Original {
            payment_order_id: order.payment_order_id.clone(),
            reservation_id: order.reservation_id.clone(),
            item_key: order.items[index].key.clone(),
        })
    }
}

fn refused(reason: &str, message: String) -> Outcome {
    Outcome::Declined(Failure { reason: reason.to_owned(), domain: DOMAIN.to_owned(), message })
}

fn line(item: &Item) -> proto::Line {
    let action = match item.action {
        Action::Add => proto::LineAction::Add,
        Action::Delete => proto::LineAction::Delete,
    };
    proto::Line {
        line_key: item.key.clone(),
        offering_code: item.offering.clone(),
        quantity: item.quantity,
        action: action.into(),
        agreed_unit_price: item.agreed_price.map(throughline_kit::money::UnitPrice::to_proto),
    }
}

fn blocked(checked: &proto::CheckConfigurationResponse) -> Option<Failure> {
    if checked.outcome() == proto::VerdictOutcome::Pass {
        return None;
    }
    let verdict = checked.verdicts.first().cloned().unwrap_or_default();
    let message = if verdict.remedy.is_empty() {
        verdict.message
    } else {
        format!("{}; {}", verdict.message, verdict.remedy)
    };
    Some(Failure { reason: verdict.reason, domain: PRODUCT.to_owned(), message })
}

fn assemble(
    order: &Order,
    originals: Vec<Option<Original>>,
    quoted: proto::QuotePriceResponse,
    decomposed: proto::DecomposeOfferingResponse,
) -> Outcome {
    let total = match money(quoted.one_off_total.as_ref(), PRODUCT, "total") {
        Ok(total) => total,
        Err(unreadable) => return unreadable,
    };
    let mut demands: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for demand in decomposed.demands {
        demands.entry(demand.line_key).or_default().push((demand.pool_code, demand.quantity));
    }
    let mut prices: BTreeMap<String, (Money, Money)> = BTreeMap::new();
    for price in quoted.lines {
        let one_off = money(price.one_off.as_ref(), PRODUCT, "line price");
        let recurring = money(price.recurring.as_ref(), PRODUCT, "line price");
        match (one_off, recurring) {
            (Ok(one_off), Ok(recurring)) => prices.insert(price.line_key, (one_off, recurring)),
            (Err(unreadable), _) | (_, Err(unreadable)) => return unreadable,
        };
    }
    let mut items = Vec::with_capacity(order.items.len());
    for (item, original) in order.items.iter().zip(originals) {
        let Some((charge, recurring)) = prices.remove(&item.key) else {
            return unreadable(PRODUCT, "price of every line");
        };
        let demands = demands.remove(&item.key).unwrap_or_default();
        items.push(ItemPlan { charge, recurring, demands, original });
    }
    let business_orders: Vec<PreparedBusinessOrder> =
        decomposed.business_orders.into_iter().map(prepared).collect();
    match flow::check_templates(&business_orders) {
        Ok(()) => Outcome::Succeeded(Gain::Prepared(Preparation { items, total, business_orders })),
        Err(refusal) => Outcome::Declined(refusal),
    }
}

fn prepared(planned: proto::PlannedBusinessOrder) -> PreparedBusinessOrder {
    PreparedBusinessOrder {
        key: planned.plan_key,
        template: planned.template,
        item_keys: planned.line_keys,
        requires: planned.requires,
        after: planned.after,
    }
}
