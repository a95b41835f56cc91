//! Prepares an order: may it be sold so, what does it cost, and how is it delivered.

use std::collections::BTreeMap;

use throughline_kit::money::Money;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::decision_service_client::DecisionServiceClient;

use super::{Peers, money, outcome, unreadable};
use crate::event::{Gain, Outcome, Preparation, PreparedBusinessOrder};
use crate::failure::Failure;
use crate::flow;
use crate::order::{Action, Item, ItemPlan, Order};

const PRODUCT: &str = "product";

impl Peers {
    /// Asks the product center three questions at once and puts the answers together.
    pub(super) async fn prepare(&self, order: &Order) -> Outcome {
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
        let prepared = outcome(checked, |checked| {
            if let Some(refusal) = blocked(&checked) {
                return Outcome::Declined(refusal);
            }
            outcome(quoted, |quoted| {
                outcome(decomposed, |decomposed| assemble(order, quoted, decomposed))
            })
        });
        match prepared {
            Outcome::Succeeded(Gain::Prepared(preparation)) => {
                self.claim_originals(order, preparation).await
            }
            other => other,
        }
    }
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
    Some(Failure::heard(&verdict.reason, PRODUCT, &message))
}

fn assemble(
    order: &Order,
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
    for item in order.items.iter() {
        let Some((charge, recurring)) = prices.remove(&item.key) else {
            return unreadable(PRODUCT, "price of every line");
        };
        let demands = demands.remove(&item.key).unwrap_or_default();
        items.push(ItemPlan { charge, recurring, demands, original: None });
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
