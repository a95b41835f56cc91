//! The campaign: when, what, through which channels and how much is sold under conditions of its own. Pure: no clock but `now`.
//!
//! ```text
//!  order of a campaign ─► admits? ─► claim: units of the campaign and of the buyer, a place in a group
//!                                       │
//!                     the order ends ◄──┘ what it did not deliver is given back, once
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

use crate::templates::PRE_ORDER;

pub(crate) mod carrier;
pub(crate) mod change;
mod error;
mod group;
pub(crate) mod ledger;
pub(crate) mod news;
pub(crate) mod query;
pub(crate) mod sale;
pub(crate) mod store;

#[cfg(test)]
mod tests;

pub(crate) use error::CampaignError;
pub(crate) use group::{Group, GroupId, GroupState};
pub(crate) use sale::{Sale, SaleWish};

/// Campaigns at most.
pub(crate) const MAX_CAMPAIGNS: i64 = 10_000;

/// How a campaign sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Who comes first is served first.
    FlashSale,
    /// Buyers get it together.
    GroupBuy(GroupTerms),
    /// Sold before it can be delivered.
    PreSale,
}

/// How groups of buyers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupTerms {
    /// Buyers in a group.
    pub(crate) size: usize,
    /// How long a group has from its first order.
    pub(crate) ttl: Duration,
}

/// State of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CampaignState {
    /// Before its start.
    Scheduled,
    /// Takes orders.
    Open,
    /// After its end.
    Ended,
}

impl CampaignState {
    /// As statements write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Open => "OPEN",
            Self::Ended => "ENDED",
        }
    }
}

/// The conditions of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Campaign {
    /// Code.
    pub(crate) code: String,
    /// Name by language.
    pub(crate) names: BTreeMap<String, String>,
    /// How it sells.
    pub(crate) kind: Kind,
    /// Offerings that it sells.
    pub(crate) offerings: BTreeSet<String>,
    /// Channels that sell it; none means all.
    pub(crate) channels: BTreeSet<String>,
    /// When it takes its first order.
    pub(crate) starts_at: Instant,
    /// From when on it takes none.
    pub(crate) ends_at: Instant,
    /// Units that one buyer may have; `None` for no limit.
    pub(crate) units_per_buyer: Option<i64>,
    /// Units that it sells; `None` for no limit.
    pub(crate) total_units: Option<i64>,
    /// Template of its orders' own steps; empty for the usual one of its kind.
    pub(crate) template: String,
    /// When it was set first.
    pub(crate) created_at: Instant,
    /// When it was last set or ended.
    pub(crate) updated_at: Instant,
}

impl Campaign {
    /// Template of its orders' own steps.
    pub(crate) fn order_template(&self) -> &str {
        match (self.template.as_str(), self.kind) {
            ("", Kind::FlashSale) => "flash-sale",
            ("", Kind::GroupBuy(_)) => "group-buy",
            ("", Kind::PreSale) => PRE_ORDER,
            (named, _) => named,
        }
    }
}

/// What an order wants of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// Channel that sells.
    pub(crate) channel: &'a str,
    /// What is bought.
    pub(crate) offerings: BTreeSet<&'a str>,
    /// Units over all lines.
    pub(crate) units: i64,
}

/// Units that are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// By all buyers.
    pub(crate) by_all: i64,
    /// By the buyer of the order.
    pub(crate) by_buyer: i64,
}

impl Campaign {
    /// What it is now.
    pub(crate) fn state_at(&self, now: Instant) -> CampaignState {
        if now >= self.ends_at {
            CampaignState::Ended
        } else if now < self.starts_at {
            CampaignState::Scheduled
        } else {
            CampaignState::Open
        }
    }

    /// Whether the channel sells it.
    pub(crate) fn is_sold_by(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.contains(channel)
    }

    /// Decides whether it takes an order now.
    pub(crate) fn admit(
        &self,
        wanted: &Wanted<'_>,
        taken: Taken,
        now: Instant,
    ) -> Result<(), CampaignError> {
        let campaign = || self.code.clone();
        if !self.is_sold_by(wanted.channel) {
            let channel = wanted.channel.to_owned();
            return Err(CampaignError::WrongChannel { campaign: campaign(), channel });
        }
        if self.state_at(now) != CampaignState::Open {
            return Err(CampaignError::NotOpen {
                campaign: campaign(),
                starts_at: self.starts_at,
                ends_at: self.ends_at,
                begins_in: (self.state_at(now) == CampaignState::Scheduled)
                    .then(|| self.starts_at.since(now)),
            });
        }
        if let Some(other) = wanted.offerings.iter().find(|one| !self.offerings.contains(**one)) {
            let offering = (*other).to_owned();
            return Err(CampaignError::WrongOffering { campaign: campaign(), offering });
        }
        if let Some(left) = short_of(self.total_units, taken.by_all, wanted.units) {
            return Err(CampaignError::SoldOut { campaign: campaign(), left });
        }
        if let Some(left) = short_of(self.units_per_buyer, taken.by_buyer, wanted.units) {
            let limit = self.units_per_buyer.unwrap_or_default();
            return Err(CampaignError::BuyerLimit { campaign: campaign(), limit, left });
        }
        Ok(())
    }

    /// Ends it now, if it has not ended.
    pub(crate) fn end(&mut self, now: Instant) {
        if now < self.ends_at {
            self.ends_at = now;
            self.updated_at = now;
        }
    }
}

/// What is left of a limit, where that is less than wanted.
fn short_of(limit: Option<i64>, taken: i64, wanted: i64) -> Option<i64> {
    let left = limit?.saturating_sub(taken).max(0);
    (left < wanted).then_some(left)
}
