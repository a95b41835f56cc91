//! A group of buyers who get an offer together, or not at all. Pure: no clock but `now`.
//!
//! ```text
//!  OPEN ─► COMPLETED   as many have paid as it needs: their orders hear group.completed
//!    └───► MISSED      the deadline came first: all who hold a place hear group.missed
//! ```

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

use super::{Campaign, CampaignError, GroupTerms};
use crate::campaign::news::{News, NewsKind};
use crate::order::OrderId;

throughline_kit::define_id!(
    /// Id of a group of buyers.
    GroupId,
    "grp"
);

/// State of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GroupState {
    /// Waits for its buyers.
    Open,
    /// All have paid.
    Completed,
    /// The deadline came first.
    Missed,
}

impl GroupState {
    /// The text that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Completed => "COMPLETED",
            Self::Missed => "MISSED",
        }
    }
}

/// A buyer who holds a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Buyer.
    pub(crate) buyer: String,
    /// The buyer's order.
    pub(crate) order_id: OrderId,
    /// The order is paid.
    pub(crate) paid: bool,
}

/// A group of buyers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Id.
    pub(crate) id: GroupId,
    /// Code of the campaign.
    pub(crate) campaign: String,
    /// Buyers that it needs.
    pub(crate) size: usize,
    /// When it was opened.
    pub(crate) opened_at: Instant,
    /// Until when all must have paid.
    pub(crate) expires_at: Instant,
    /// State as stored; [`Group::state_at`] tells what it is.
    pub(crate) state: GroupState,
    /// Those who hold a place, at most as many as it needs.
    pub(crate) members: Vec<Member>,
}

impl Group {
    /// An empty group of a campaign.
    pub(crate) fn open(id: GroupId, campaign: &Campaign, terms: GroupTerms, now: Instant) -> Self {
        Self {
            id,
            campaign: campaign.code.clone(),
            size: terms.size,
            opened_at: now,
            expires_at: now.plus(terms.ttl).min(campaign.ends_at),
            state: GroupState::Open,
            members: Vec::new(),
        }
    }

    /// What the group is now: nobody waits for the sweeper to learn that it is over.
    pub(crate) fn state_at(&self, now: Instant) -> GroupState {
        match self.state {
            GroupState::Open if now >= self.expires_at => GroupState::Missed,
            state => state,
        }
    }

    /// Gives a buyer a place. A refused buyer changes nothing.
    pub(crate) fn join(
        &mut self,
        buyer: &str,
        order_id: &OrderId,
        now: Instant,
    ) -> Result<(), CampaignError> {
        if self.members.iter().any(|member| member.buyer == buyer) {
            return Err(CampaignError::BuyerAlreadyInGroup(self.id.clone()));
        }
        match self.state_at(now) {
            GroupState::Missed => return Err(CampaignError::GroupEnded(self.id.clone())),
            GroupState::Completed => return Err(CampaignError::GroupFull(self.id.clone())),
            GroupState::Open if self.members.len() >= self.size => {
                return Err(CampaignError::GroupFull(self.id.clone()));
            }
            GroupState::Open => {}
        }
        let (buyer, order_id) = (buyer.to_owned(), order_id.clone());
        self.members.push(Member { buyer, order_id, paid: false });
        Ok(())
    }

    /// Hears that an order is paid; says what orders have to hear. Hearing it again changes nothing.
    pub(crate) fn pay(&mut self, order_id: &OrderId, now: Instant) -> Vec<News> {
        let mut signals = self.ring(now);
        let Some(member) = self.members.iter_mut().find(|member| member.order_id == *order_id)
        else {
            return signals;
        };
        if std::mem::replace(&mut member.paid, true) {
            return signals;
        }
        match self.state {
            GroupState::Open if self.paid() == self.size => {
                self.state = GroupState::Completed;
                signals.extend(self.tell_all(NewsKind::GroupCompleted));
            }
            // It heard so already, perhaps before it waited for it.
            GroupState::Missed if signals.is_empty() => {
                signals.push(self.tell(order_id, NewsKind::GroupMissed));
            }
            GroupState::Open | GroupState::Completed | GroupState::Missed => {}
        }
        signals
    }

    /// Hears that an order will deliver nothing: its place is free again while the group is open.
    pub(crate) fn leave(&mut self, order_id: &OrderId, now: Instant) -> Vec<News> {
        if self.state == GroupState::Open {
            self.members.retain(|member| member.order_id != *order_id);
        }
        self.ring(now)
    }

    /// Looks at the clock; says what orders have to hear.
    pub(crate) fn ring(&mut self, now: Instant) -> Vec<News> {
        if self.state == self.state_at(now) {
            return Vec::new();
        }
        self.state = GroupState::Missed;
        self.tell_all(NewsKind::GroupMissed)
    }

    /// Buyers that have paid.
    pub(crate) fn paid(&self) -> usize {
        self.members.iter().filter(|member| member.paid).count()
    }

    fn tell_all(&self, kind: NewsKind) -> Vec<News> {
        self.members.iter().map(|member| self.tell(&member.order_id, kind)).collect()
    }

    fn tell(&self, order_id: &OrderId, kind: NewsKind) -> News {
        let data = serde_json::json!({ "group": self.id, "campaign": self.campaign });
        News { order_id: order_id.clone(), kind, data: data.to_string() }
    }
}
