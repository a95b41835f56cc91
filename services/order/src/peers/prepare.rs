//! Prepares an order: may it be sold so, what does it cost, and how is it delivered.

use std::collections::BTreeMap;

use throughline_kit::money::Money;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::decision_service_client::DecisionServiceClient;

use super::{Peers, money, outcome, unreadable};
use crate::event::{Gain, Outcome, Preparation, PreparedBusinessOrder};
use crate::failure::Failure;
use crate::flow::Pinned;
use crate::order::{Action, Item, ItemPlan, Order};
use crate::template::Kind;

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
                outcome(decomposed, |decomposed| self.assemble(order, quoted, decomposed))
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
        Action::Modify => proto::LineAction::Modify,
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

/// Prices of lines, once and each month, by key.
type Prices = BTreeMap<String, (Money, Money)>;

fn prices(lines: Vec<proto::LinePrice>) -> Result<Prices, Outcome> {
    let mut prices = Prices::new();
    for price in lines {
        let one_off = money(price.one_off.as_ref(), PRODUCT, "line price")?;
        let recurring = money(price.recurring.as_ref(), PRODUCT, "line price")?;
        prices.insert(price.line_key, (one_off, recurring));
    }
    Ok(prices)
}

impl Peers {
    fn assemble(
        &self,
        order: &Order,
        quoted: proto::QuotePriceResponse,
        decomposed: proto::DecomposeOfferingResponse,
    ) -> Outcome {
        let read = money(quoted.one_off_total.as_ref(), PRODUCT, "total")
            .and_then(|total| Ok((total, prices(quoted.lines)?)));
        let (total, mut prices) = match read {
            Ok(read) => read,
            Err(unreadable) => return unreadable,
        };
        let mut demands: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
        for demand in decomposed.demands {
            demands.entry(demand.line_key).or_default().push((demand.pool_code, demand.quantity));
        }
        let mut items = Vec::with_capacity(order.items.len());
        for item in order.items.iter() {
            let Some((charge, recurring)) = prices.remove(&item.key) else {
                return unreadable(PRODUCT, "price of every line");
            };
            let demands = demands.remove(&item.key).unwrap_or_default();
            items.push(ItemPlan { charge, recurring, demands, original: None });
        }
        let planned = decomposed.business_orders.into_iter().map(|planned| self.prepared(planned));
        match planned.collect() {
            Ok(business_orders) => {
                Outcome::Succeeded(Gain::Prepared(Preparation { items, total, business_orders }))
            }
            Err(refusal) => Outcome::Declined(refusal),
        }
    }

    /// Gives a planned business order the version of its template that is in force now.
    fn prepared(
        &self,
        planned: proto::PlannedBusinessOrder,
    ) -> Result<PreparedBusinessOrder, Failure> {
        let name = &planned.template;
        let template = self.templates.in_force(name, Kind::Business).ok_or_else(|| {
            let message =
                format!("no template for delivery is named {name:?}; correct the offering");
            Failure::new("TEMPLATE_UNKNOWN", crate::error::DOMAIN, message)
        })?;
        let reversal = template
            .reversal
            .as_ref()
            .and_then(|name| self.templates.in_force(name, Kind::Business));
        Ok(PreparedBusinessOrder {
            key: planned.plan_key,
            template: Pinned::new(template),
            reversal: reversal.map(Pinned::new),
            item_keys: planned.line_keys,
            requires: planned.requires,
            after: planned.after,
        })
    }
}
