//! An order that is sold under a campaign: claims its units when it is accepted, and gives back what it did not deliver.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::Tx;

use super::ledger::Ledger;
use super::store::{self, Claim};
use super::{CampaignError, Group, GroupId, Kind, Taken, Wanted};
use crate::flow::{Pinned, begin};
use crate::hold::Hold;
use crate::order::Order;
use crate::store::insert;
use crate::templates::Templates;

/// What an order asks of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaleWish {
    /// Campaign.
    pub(crate) campaign: String,
    /// Group to join; `None` to open one where the campaign has groups.
    pub(crate) group: Option<GroupId>,
}

/// The campaign that an order was sold under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    /// Campaign.
    pub(crate) campaign: String,
    /// Group that the buyer is in.
    pub(crate) group: Option<GroupId>,
}

/// Claims what an order takes of its campaign, in the commit in which the order is accepted.
#[derive(Clone, Debug)]
pub(crate) struct SaleClaim {
    wish: SaleWish,
    /// Id of the group that is opened, if one is.
    opens: GroupId,
    templates: Templates,
    /// What is paused for all orders.
    standing: Arc<Vec<Hold>>,
    clock: Clock,
}

/// What an order gets of its campaign.
struct Admission {
    sale: Sale,
    /// Template of the order's own steps.
    template: Pinned,
    units: i64,
    /// The group with the buyer in it.
    group: Option<Group>,
}

impl SaleClaim {
    /// Claims by a clock: the campaign's window is looked at when the order is written.
    pub(crate) fn new(
        wish: SaleWish,
        templates: Templates,
        standing: Arc<Vec<Hold>>,
        clock: Clock,
    ) -> Self {
        Self { wish, opens: GroupId::generate(), templates, standing, clock }
    }

    /// Stores the order with its claim. Gives the group that the buyer is in, or an empty text.
    pub(crate) async fn sell(&self, tx: &mut Tx, order: &Order) -> Result<String, Error> {
        let mut ledger = Ledger::open(tx);
        let sold = self.sell_in(&mut ledger, tx, order).await;
        // Kept however it ended: others of this commit have their changes in it.
        ledger.close(tx);
        sold
    }

    async fn sell_in(
        &self,
        ledger: &mut Ledger,
        tx: &mut Tx,
        order: &Order,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let (campaign, buyer) = (self.wish.campaign.as_str(), order.customer.id.as_str());
        ledger.load_campaign(tx, campaign).await?;
        ledger.load_buyer(tx, campaign, buyer).await?;
        if let Some(group) = &self.wish.group {
            ledger.load_group(tx, group).await?;
        }
        let Admission { sale, template, units, group } = self.admit(ledger, order, now)?;
        let text = sale.group.as_ref().map(GroupId::to_string).unwrap_or_default();
        let mut sold = Order { sale: Some(sale), ..order.clone() };
        begin(&mut sold, template, &self.standing);
        insert(tx, &sold).await?;
        // Nothing is refused from here on.
        store::claim(tx, &Claim { order_id: &order.id, campaign, buyer, units });
        ledger.take(campaign, buyer, units);
        if let Some(group) = group {
            ledger.put_group(group);
        }
        Ok(text)
    }

    fn admit(
        &self,
        ledger: &Ledger,
        order: &Order,
        now: Instant,
    ) -> Result<Admission, CampaignError> {
        let code = self.wish.campaign.as_str();
        let not_found = || CampaignError::NotFound(code.to_owned());
        let account = ledger.campaign(code).ok_or_else(not_found)?;
        let campaign = &account.campaign;
        let wanted = Wanted {
            channel: &order.channel,
            offerings: order
                .items
                .iter()
                .map(|item| item.offering.as_str())
                .collect::<BTreeSet<_>>(),
            units: order.items.iter().map(|item| item.quantity).sum(),
        };
        let by_buyer = ledger.taken_by(code, &order.customer.id);
        campaign.admit(&wanted, Taken { by_all: account.taken, by_buyer }, now)?;
        let name = campaign.order_template();
        let unknown = || CampaignError::TemplateUnknown(name.to_owned());
        let template = self.templates.of_order(name).ok_or_else(unknown)?;
        let group = self.group(ledger, campaign.kind, order, now)?;
        let sale =
            Sale { campaign: code.to_owned(), group: group.as_ref().map(|group| group.id.clone()) };
        Ok(Admission { sale, template, units: wanted.units, group })
    }

    /// The group with the buyer in it, where the campaign has groups.
    fn group(
        &self,
        ledger: &Ledger,
        kind: Kind,
        order: &Order,
        now: Instant,
    ) -> Result<Option<Group>, CampaignError> {
        let code = self.wish.campaign.as_str();
        let mut group = match (kind, &self.wish.group) {
            (Kind::FlashSale | Kind::PreSale, None) => return Ok(None),
            (Kind::GroupBuy(terms), None) => match ledger.campaign(code) {
                Some(account) => Group::open(self.opens.clone(), &account.campaign, terms, now),
                None => return Err(CampaignError::NotFound(code.to_owned())),
            },
            (_, Some(id)) => {
                let found = ledger.group(id).filter(|group| group.campaign == code);
                found.ok_or_else(|| CampaignError::GroupNotFound(id.to_string()))?.clone()
            }
        };
        group.join(&order.customer.id, &order.id, now)?;
        Ok(Some(group))
    }
}

/// Notes what became of saved orders that were sold under campaigns: who has paid, and what is given back.
pub(crate) async fn note(tx: &mut Tx, orders: &[Arc<Order>]) -> Result<(), Error> {
    let sold: Vec<(&Order, &Sale)> =
        orders.iter().filter_map(|order| Some((&**order, order.sale.as_ref()?))).collect();
    if sold.is_empty() {
        return Ok(());
    }
    let mut ledger = Ledger::open(tx);
    let mut noted = Ok(());
    for (order, sale) in sold {
        noted = note_one(&mut ledger, tx, order, sale).await;
        if noted.is_err() {
            break;
        }
    }
    ledger.close(tx);
    noted
}

async fn note_one(
    ledger: &mut Ledger,
    tx: &mut Tx,
    order: &Order,
    sale: &Sale,
) -> Result<(), Error> {
    if let Some(ended_at) = order.ended_at {
        give_back(ledger, tx, order, ended_at).await?;
    }
    let Some(group) = &sale.group else { return Ok(()) };
    if is_leaving(order) {
        left(ledger, tx, group, order).await
    } else if has_paid(order) {
        paid(ledger, tx, group, order).await
    } else {
        Ok(())
    }
}

/// Gives back the units of an ended order that it did not deliver, once.
async fn give_back(
    ledger: &mut Ledger,
    tx: &mut Tx,
    order: &Order,
    ended_at: Instant,
) -> Result<(), Error> {
    let delivered = order.items.iter().filter(|item| order.has_delivered(item));
    let kept: i64 = delivered.map(|item| item.quantity).sum();
    let Some(claim) = store::settle(tx, &order.id, kept, ended_at).await? else { return Ok(()) };
    if claim.units == kept {
        return Ok(());
    }
    ledger.load_campaign(tx, &claim.campaign).await?;
    ledger.load_buyer(tx, &claim.campaign, &claim.buyer).await?;
    ledger.take(&claim.campaign, &claim.buyer, kept - claim.units);
    Ok(())
}

/// Tells a group that the order of one of its buyers is paid.
async fn paid(
    ledger: &mut Ledger,
    tx: &mut Tx,
    group: &GroupId,
    order: &Order,
) -> Result<(), Error> {
    let (order_id, now) = (&order.id, order.updated_at);
    ledger.change_group(tx, group, now, |group| group.pay(order_id, now)).await
}

/// Tells a group that the order of one of its buyers will deliver nothing.
async fn left(
    ledger: &mut Ledger,
    tx: &mut Tx,
    group: &GroupId,
    order: &Order,
) -> Result<(), Error> {
    let (order_id, now) = (&order.id, order.updated_at);
    ledger.change_group(tx, group, now, |group| group.leave(order_id, now)).await
}

fn has_paid(order: &Order) -> bool {
    order.total.is_some_and(|total| order.captured >= total.minor)
}

fn is_leaving(order: &Order) -> bool {
    let has_delivered = || order.items.iter().any(|item| order.has_delivered(item));
    order.dismissal.is_some() || (order.ended_at.is_some() && !has_delivered())
}
