//! Campaigns and groups of buyers as callers see them.

use std::collections::BTreeSet;
use std::time::Duration;

use throughline_kit::clock::{Instant, span_from_proto, span_to_proto};
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_proto::order::v1 as proto;

use super::MAX_QUANTITY;
use crate::campaign::ledger::Account;
use crate::campaign::{Campaign, CampaignState, Group, GroupState, GroupTerms, Kind};
use crate::error::DOMAIN;

/// Languages that a campaign has a name in at most.
const MAX_NAMES: usize = 32;
/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Offerings of one campaign at most.
const MAX_OFFERINGS: usize = 1_000;
/// Channels that one campaign names at most.
const MAX_CHANNELS: usize = 100;
/// Units of one campaign at most.
const MAX_TOTAL_UNITS: i64 = 1_000_000_000;
const MIN_GROUP_SIZE: i32 = 2;
const MAX_GROUP_SIZE: i32 = 100;
const MIN_GROUP_TTL: Duration = Duration::from_secs(60);
const MAX_GROUP_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads a campaign as it should be.
pub(crate) fn setting(request: &proto::SetCampaignRequest) -> Result<(RequestId, Campaign), Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    let campaign = match &request.campaign {
        Some(campaign) => conditions(campaign, &mut wrong),
        None => {
            wrong.add("campaign", "is required");
            None
        }
    };
    wrong.finish()?;
    let (Some(request_id), Some(campaign)) = (request_id, campaign) else {
        return Err(Error::internal(DOMAIN, "a field without violation was not read"));
    };
    Ok((request_id, campaign))
}

/// Reads which campaign to end.
pub(crate) fn ending(request: &proto::EndCampaignRequest) -> Result<(RequestId, String), Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    wrong.length("campaign", &request.campaign, 1, 64);
    wrong.finish()?;
    let unread = || Error::internal(DOMAIN, "a field without violation was not read");
    Ok((request_id.ok_or_else(unread)?, request.campaign.clone()))
}

fn conditions(campaign: &proto::Campaign, wrong: &mut Violations) -> Option<Campaign> {
    wrong.length("campaign.campaign", &campaign.campaign, 1, 64);
    wrong.range("campaign.names", campaign.names.len(), 1, MAX_NAMES);
    for (language, name) in &campaign.names {
        let path = format!("campaign.names[{language}]");
        wrong.length(&path, language, 1, 35);
        wrong.length(&path, name, 1, MAX_NAME);
    }
    let offerings =
        texts("campaign.offering_codes", &campaign.offering_codes, 1..=MAX_OFFERINGS, wrong);
    let channels = texts("campaign.channels", &campaign.channels, 0..=MAX_CHANNELS, wrong);
    let window = window(campaign, wrong);
    wrong.range("campaign.units_per_buyer", campaign.units_per_buyer, 0, MAX_QUANTITY);
    wrong.range("campaign.total_units", campaign.total_units, 0, MAX_TOTAL_UNITS);
    wrong.length("campaign.template", &campaign.template, 0, 64);
    let kind = kind(campaign, wrong);
    let ((starts_at, ends_at), kind) = (window?, kind?);
    let limit = |units: i64| Some(units).filter(|units| *units > 0);
    Some(Campaign {
        code: campaign.campaign.clone(),
        names: campaign.names.clone(),
        kind,
        offerings,
        channels,
        starts_at,
        ends_at,
        units_per_buyer: limit(campaign.units_per_buyer),
        total_units: limit(campaign.total_units),
        template: campaign.template.clone(),
        created_at: starts_at,
        updated_at: starts_at,
    })
}

fn texts(
    path: &str,
    texts: &[String],
    count: std::ops::RangeInclusive<usize>,
    wrong: &mut Violations,
) -> BTreeSet<String> {
    wrong.range(path, texts.len(), *count.start(), *count.end());
    // Of too many, none is looked at.
    for (index, text) in texts.iter().enumerate().take(*count.end()) {
        wrong.length(&format!("{path}[{index}]"), text, 1, 64);
    }
    texts.iter().cloned().collect()
}

fn window(campaign: &proto::Campaign, wrong: &mut Violations) -> Option<(Instant, Instant)> {
    let mut read = |path: &str, time: Option<&prost_types::Timestamp>| match time {
        Some(time) => Some(Instant::from_proto(time)),
        None => {
            wrong.add(path, "is required");
            None
        }
    };
    let starts_at = read("campaign.start_time", campaign.start_time.as_ref());
    let ends_at = read("campaign.end_time", campaign.end_time.as_ref());
    let (starts_at, ends_at) = (starts_at?, ends_at?);
    if ends_at <= starts_at {
        wrong.add("campaign.end_time", "must be later than start_time");
    }
    Some((starts_at, ends_at))
}

fn kind(campaign: &proto::Campaign, wrong: &mut Violations) -> Option<Kind> {
    let terms = campaign.group_terms.as_ref();
    let kind = match proto::CampaignKind::try_from(campaign.kind) {
        Ok(proto::CampaignKind::FlashSale) => Kind::FlashSale,
        Ok(proto::CampaignKind::PreSale) => Kind::PreSale,
        Ok(proto::CampaignKind::GroupBuy) => return group_terms(terms, wrong).map(Kind::GroupBuy),
        Ok(proto::CampaignKind::Unspecified) | Err(_) => {
            wrong.add("campaign.kind", "must be FLASH_SALE, GROUP_BUY or PRE_SALE");
            return None;
        }
    };
    if terms.is_some() {
        wrong.add("campaign.group_terms", "stand only on a campaign of kind GROUP_BUY");
    }
    Some(kind)
}

fn group_terms(terms: Option<&proto::GroupTerms>, wrong: &mut Violations) -> Option<GroupTerms> {
    let Some(terms) = terms else {
        wrong.add("campaign.group_terms", "are required for kind GROUP_BUY");
        return None;
    };
    let size = terms.group_size;
    wrong.range("campaign.group_terms.group_size", size, MIN_GROUP_SIZE, MAX_GROUP_SIZE);
    let ttl = span_from_proto(terms.group_ttl.as_ref());
    let ttl = ttl.filter(|ttl| (MIN_GROUP_TTL..=MAX_GROUP_TTL).contains(ttl));
    if ttl.is_none() {
        wrong.add("campaign.group_terms.group_ttl", "must be 1 min to 30 days");
    }
    Some(GroupTerms { size: usize::try_from(size).ok()?, ttl: ttl? })
}

/// Reads a state to filter by; `None` means all.
pub(crate) fn state_filter(state: i32) -> Result<Option<CampaignState>, String> {
    let state = proto::CampaignState::try_from(state)
        .map_err(|_| format!("must be a state of a campaign, is {state}"))?;
    Ok(match state {
        proto::CampaignState::Unspecified => None,
        proto::CampaignState::Scheduled => Some(CampaignState::Scheduled),
        proto::CampaignState::Open => Some(CampaignState::Open),
        proto::CampaignState::Ended => Some(CampaignState::Ended),
    })
}

/// Writes a campaign as it is now.
pub(crate) fn account(account: &Account, now: Instant) -> proto::Campaign {
    let campaign = &account.campaign;
    let (kind, group_terms) = match campaign.kind {
        Kind::FlashSale => (proto::CampaignKind::FlashSale, None),
        Kind::PreSale => (proto::CampaignKind::PreSale, None),
        Kind::GroupBuy(terms) => (proto::CampaignKind::GroupBuy, Some(terms)),
    };
    let state = match campaign.state_at(now) {
        CampaignState::Scheduled => proto::CampaignState::Scheduled,
        CampaignState::Open => proto::CampaignState::Open,
        CampaignState::Ended => proto::CampaignState::Ended,
    };
    proto::Campaign {
        campaign: campaign.code.clone(),
        names: campaign.names.clone(),
        kind: kind.into(),
        offering_codes: campaign.offerings.iter().cloned().collect(),
        channels: campaign.channels.iter().cloned().collect(),
        start_time: Some(campaign.starts_at.to_proto()),
        end_time: Some(campaign.ends_at.to_proto()),
        units_per_buyer: campaign.units_per_buyer.unwrap_or_default(),
        total_units: campaign.total_units.unwrap_or_default(),
        template: campaign.template.clone(),
        group_terms: group_terms.map(|terms| proto::GroupTerms {
            group_size: count(terms.size),
            group_ttl: Some(span_to_proto(terms.ttl)),
        }),
        state: state.into(),
        taken_units: account.taken,
        create_time: Some(campaign.created_at.to_proto()),
        update_time: Some(campaign.updated_at.to_proto()),
    }
}

/// Writes the state of a group.
pub(crate) fn group_state(state: GroupState) -> proto::BuyerGroupState {
    match state {
        GroupState::Open => proto::BuyerGroupState::Open,
        GroupState::Completed => proto::BuyerGroupState::Completed,
        GroupState::Missed => proto::BuyerGroupState::Missed,
    }
}

/// Writes a group as it is now.
pub(crate) fn group(group: &Group, now: Instant) -> proto::BuyerGroup {
    proto::BuyerGroup {
        group: group.id.to_string(),
        campaign: group.campaign.clone(),
        state: group_state(group.state_at(now)).into(),
        group_size: count(group.size),
        joined: count(group.members.len()),
        paid: count(group.paid()),
        create_time: Some(group.opened_at.to_proto()),
        expire_time: Some(group.expires_at.to_proto()),
    }
}

fn count(of: usize) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}
