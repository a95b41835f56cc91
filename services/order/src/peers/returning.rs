//! Finds what a linked return takes back, and claims it before anything is given back.

use std::collections::BTreeMap;

use super::{Peers, failure};
use crate::claim::{Claim, ClaimLines, Share, Taken};
use crate::error::DOMAIN;
use crate::event::{Gain, Outcome, Preparation};
use crate::failure::Failure;
use crate::order::{Action, Item, Order, Original, ReturnOf};

impl Peers {
    /// Completes a preparation with what its linked returns take back, and for how much.
    pub(super) async fn claim_originals(
        &self,
        order: &Order,
        mut preparation: Preparation,
    ) -> Outcome {
        let found = match self.originals(order, &preparation).await {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        // Lines that a change has replaced may have claimed something: that is given free.
        let was_changed = order.steps.iter().any(|step| step.generation > 0);
        if found.is_empty() && !was_changed {
            return Outcome::Succeeded(Gain::Prepared(preparation));
        }
        let claims = found.iter().map(|found| found.claim.clone()).collect();
        let change = ClaimLines { order_id: order.id.to_string(), claims };
        let amounts = match self.writer.write(change).await {
            Ok(Some(amounts)) => amounts,
            Ok(None) => return Outcome::NotAttempted(overtaken()),
            Err(error) => return Outcome::NotAttempted(failure(&error)),
        };
        for (found, amount) in found.into_iter().zip(amounts) {
            let plan = &mut preparation.items[found.index];
            plan.charge.minor = amount;
            plan.original = Some(found.original);
            plan.demands = found.demands;
        }
        Outcome::Succeeded(Gain::Prepared(preparation))
    }

    /// Finds the lines that linked returns take back: delivered, of the same channel, at the same price.
    async fn originals(
        &self,
        order: &Order,
        preparation: &Preparation,
    ) -> Result<Vec<Found>, Outcome> {
        let mut sources: BTreeMap<&str, Source> = BTreeMap::new();
        let mut originals = Vec::new();
        for (index, item) in order.items.iter().enumerate() {
            let Some(ReturnOf::Order(number)) = &item.return_of else { continue };
            if !sources.contains_key(number.as_str()) {
                sources.insert(number, self.source(order, number).await?);
            }
            let source = sources.get_mut(number.as_str()).expect("just inserted");
            let agreed = item.agreed_price.map(|_| preparation.items[index].charge.minor);
            let taken = source.take(item, agreed).ok_or_else(|| {
                let message = format!(
                    "order {number} delivered no line like {} × {} that could come back",
                    item.quantity, item.offering
                );
                refused("ORIGINAL_LINE_NOT_FOUND", message)
            })?;
            originals.push(Found { index, ..taken });
        }
        Ok(originals)
    }

    async fn source(&self, order: &Order, number: &str) -> Result<Source, Outcome> {
        let not_read = |error| Outcome::NotAttempted(failure(&error));
        let found = self.store.by_channel(&order.channel, number).await.map_err(not_read)?;
        let original = found.ok_or_else(|| {
            refused("ORIGINAL_NOT_FOUND", format!("no order {number} to return from"))
        })?;
        if original.ended_at.is_none() {
            // While it runs, its own compensation may still give the same money back.
            let message = format!("order {number} is under way; return from it after its end");
            return Err(refused("ORIGINAL_IN_PROGRESS", message));
        }
        let taken = self.store.taken_of(original.id.as_str(), order.id.as_str()).await;
        Ok(Source { order: original, taken: taken.map_err(not_read)? })
    }
}

/// A line of a return and what it takes back.
struct Found {
    index: usize,
    original: Original,
    /// Pools and units that were taken for what comes back.
    demands: Vec<(String, i64)>,
    claim: Claim,
}

/// An order that is returned from, with the units of each line that are taken.
struct Source {
    order: Order,
    taken: Taken,
}

impl Source {
    fn take(&mut self, wanted: &Item, agreed_minor: Option<i64>) -> Option<Found> {
        let order = &self.order;
        let taken_of = |item: &Item| self.taken.get(&item.key).map_or(0, |share| share.units);
        let plans = order.item_plans.as_deref().unwrap_or_default();
        let (item, plan) = order.items.iter().zip(plans).find(|(item, _)| {
            item.action == Action::Add
                && item.offering == wanted.offering
                && item.agreed_price == wanted.agreed_price
                && item.quantity - taken_of(item) >= wanted.quantity
                && order.has_delivered(item)
        })?;
        self.taken.entry(item.key.clone()).or_default().units += wanted.quantity;
        let original = Original {
            payment_order_id: order.payment_order_id.clone(),
            reservation_id: order.reservation_id.clone(),
            item_key: item.key.clone(),
        };
        let claim = Claim {
            item_key: wanted.key.clone(),
            original_order_id: order.id.to_string(),
            original_item_key: item.key.clone(),
            units: wanted.quantity,
            sold: Share { units: item.quantity, minor: plan.charge.minor },
            agreed_minor,
        };
        let units =
            |(pool, sold): &(String, i64)| (pool.clone(), sold / item.quantity * wanted.quantity);
        let demands = plan.demands.iter().map(units).collect();
        Some(Found { index: 0, original, demands, claim })
    }
}

fn refused(reason: &str, message: String) -> Outcome {
    Outcome::Declined(Failure::new(reason, DOMAIN, message))
}

/// Another return took the units between the look and the claim; the next look says whether some are left.
fn overtaken() -> Failure {
    Failure::new("RETURN_OVERTAKEN", DOMAIN, "another return of the same line came first")
}
