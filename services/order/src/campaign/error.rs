//! What a campaign can refuse, as a caller can act on it.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};

use super::{GroupId, MAX_CAMPAIGNS};
use crate::error::DOMAIN;

/// One variant for each thing that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CampaignError {
    /// No such campaign, or the caller does not see it.
    #[error("no campaign {0} that this caller may see")]
    NotFound(String),
    /// It takes no orders now.
    #[error("campaign {campaign} takes orders from {} to {} only", .starts_at.to_proto(), .ends_at.to_proto())]
    NotOpen {
        /// Campaign.
        campaign: String,
        /// Its start.
        starts_at: Instant,
        /// Its end.
        ends_at: Instant,
        /// How long it is to its start; `None` after its end.
        begins_in: Option<Duration>,
    },
    /// Another channel sells it.
    #[error("campaign {campaign} is not sold by channel {channel}")]
    WrongChannel {
        /// Campaign.
        campaign: String,
        /// Channel.
        channel: String,
    },
    /// The order holds something else as well.
    #[error("campaign {campaign} does not sell {offering}; order it by itself")]
    WrongOffering {
        /// Campaign.
        campaign: String,
        /// Offering.
        offering: String,
    },
    /// Others were faster.
    #[error(
        "campaign {campaign} has {left} unit(s) left; ask for less, or again when somebody gave back"
    )]
    SoldOut {
        /// Campaign.
        campaign: String,
        /// Units that are left.
        left: i64,
    },
    /// The buyer has enough.
    #[error(
        "campaign {campaign} sells at most {limit} unit(s) to one buyer, who may have {left} more"
    )]
    BuyerLimit {
        /// Campaign.
        campaign: String,
        /// Units that one buyer may have.
        limit: i64,
        /// Units that are left for the buyer.
        left: i64,
    },
    /// Its orders have no template to run by.
    #[error("no template for orders is named {0:?}; set the campaign with one that is")]
    TemplateUnknown(String),
    /// There are too many.
    #[error("there are at most {MAX_CAMPAIGNS} campaigns")]
    TooMany,
    /// No such group in the campaign.
    #[error("no group {0} in this campaign; leave the group empty to open one")]
    GroupNotFound(String),
    /// All places are taken.
    #[error("all places of group {0} are taken; open another one")]
    GroupFull(GroupId),
    /// Its deadline has passed.
    #[error("the time of group {0} is over; open another one")]
    GroupEnded(GroupId),
    /// The buyer holds a place already.
    #[error("the buyer holds a place in group {0}; one place for each buyer")]
    BuyerAlreadyInGroup(GroupId),
}

impl From<CampaignError> for Error {
    fn from(error: CampaignError) -> Self {
        let message = error.to_string();
        let make = |kind, reason| Self::new(kind, DOMAIN, reason, message.clone());
        match error {
            CampaignError::NotFound(campaign) => {
                make(Kind::NotFound, "CAMPAIGN_NOT_FOUND").with("campaign", campaign)
            }
            CampaignError::NotOpen { campaign, starts_at, ends_at, begins_in } => {
                let refusal = make(Kind::Precondition, "CAMPAIGN_NOT_OPEN")
                    .with("campaign", campaign)
                    .with("start_time", starts_at.to_proto())
                    .with("end_time", ends_at.to_proto());
                match begins_in {
                    Some(wait) => refusal.retry_after(wait),
                    None => refusal,
                }
            }
            CampaignError::WrongChannel { campaign, channel } => {
                make(Kind::PermissionDenied, "CHANNEL_NOT_IN_CAMPAIGN")
                    .with("campaign", campaign)
                    .with("channel", channel)
            }
            CampaignError::WrongOffering { campaign, offering } => {
                make(Kind::Precondition, "OFFERING_NOT_IN_CAMPAIGN")
                    .with("campaign", campaign)
                    .with("offering", offering)
            }
            CampaignError::SoldOut { campaign, left } => make(Kind::Exhausted, "CAMPAIGN_SOLD_OUT")
                .with("campaign", campaign)
                .with("left", left),
            CampaignError::BuyerLimit { campaign, limit, left } => {
                make(Kind::Exhausted, "BUYER_LIMIT_REACHED")
                    .with("campaign", campaign)
                    .with("limit", limit)
                    .with("left", left)
            }
            CampaignError::TemplateUnknown(name) => {
                make(Kind::Precondition, "TEMPLATE_UNKNOWN").with("template", name)
            }
            CampaignError::TooMany => Self::limit(DOMAIN, "max_campaigns", MAX_CAMPAIGNS),
            CampaignError::GroupNotFound(group) => {
                make(Kind::NotFound, "GROUP_NOT_FOUND").with("group", group)
            }
            CampaignError::GroupFull(group) => {
                make(Kind::Precondition, "GROUP_FULL").with("group", group)
            }
            CampaignError::GroupEnded(group) => {
                make(Kind::Precondition, "GROUP_ENDED").with("group", group)
            }
            CampaignError::BuyerAlreadyInGroup(group) => {
                make(Kind::Precondition, "BUYER_ALREADY_IN_GROUP").with("group", group)
            }
        }
    }
}
