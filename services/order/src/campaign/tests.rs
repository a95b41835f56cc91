//! What campaigns and groups decide, by tables; what a commit stores of it, on each database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::{Campaign, CampaignError, CampaignState, GroupTerms, Kind, Taken, Wanted};
use crate::order::OrderId;

mod groups;
mod storing;

const START: Instant = Instant(1_000_000_000);
const END: Instant = Instant(2_000_000_000);
const TERMS: GroupTerms = GroupTerms { size: 2, ttl: Duration::from_secs(60) };

fn campaign(kind: Kind) -> Campaign {
    Campaign {
        code: "spring".to_owned(),
        names: BTreeMap::new(),
        kind,
        offerings: ["mug".to_owned(), "cup".to_owned()].into(),
        channels: ["hall".to_owned()].into(),
        starts_at: START,
        ends_at: END,
        units_per_buyer: Some(3),
        total_units: Some(10),
        template: String::new(),
        created_at: START,
        updated_at: START,
    }
}

fn wanted(channel: &'static str, offerings: &[&'static str], units: i64) -> Wanted<'static> {
    Wanted { channel, offerings: offerings.iter().copied().collect::<BTreeSet<_>>(), units }
}

fn not_open(begins_in_us: Option<u64>) -> CampaignError {
    CampaignError::NotOpen {
        campaign: "spring".to_owned(),
        starts_at: START,
        ends_at: END,
        begins_in: begins_in_us.map(Duration::from_micros),
    }
}

fn sold_out(left: i64) -> CampaignError {
    CampaignError::SoldOut { campaign: "spring".to_owned(), left }
}

fn buyer_limit(left: i64) -> CampaignError {
    CampaignError::BuyerLimit { campaign: "spring".to_owned(), limit: 3, left }
}

fn wrong_offering(offering: &str) -> CampaignError {
    let (campaign, offering) = ("spring".to_owned(), offering.to_owned());
    CampaignError::WrongOffering { campaign, offering }
}

#[test]
fn a_campaign_takes_what_its_conditions_say() {
    let mug = |units| wanted("hall", &["mug"], units);
    let wrong_channel =
        CampaignError::WrongChannel { campaign: "spring".to_owned(), channel: "web".to_owned() };
    // (wanted, (taken by all, by the buyer), when) -> decision
    let cases = [
        (mug(1), (0, 0), START, Ok(())),
        (mug(1), (0, 0), Instant(START.0 - 1), Err(not_open(Some(1)))),
        (mug(1), (0, 0), Instant(END.0 - 1), Ok(())),
        (mug(1), (0, 0), END, Err(not_open(None))),
        (wanted("web", &["mug"], 1), (0, 0), START, Err(wrong_channel)),
        (wanted("hall", &["mug", "cup"], 3), (0, 0), START, Ok(())),
        (wanted("hall", &["mug", "pan"], 2), (0, 0), START, Err(wrong_offering("pan"))),
        (mug(3), (7, 0), START, Ok(())),
        (mug(3), (8, 0), START, Err(sold_out(2))),
        (mug(1), (10, 0), START, Err(sold_out(0))),
        (mug(1), (12, 0), START, Err(sold_out(0))),
        (mug(3), (0, 0), START, Ok(())),
        (mug(4), (0, 0), START, Err(buyer_limit(3))),
        (mug(2), (2, 2), START, Err(buyer_limit(1))),
        (mug(1), (5, 5), START, Err(buyer_limit(0))),
    ];
    for (row, (wanted, (by_all, by_buyer), now, decision)) in cases.into_iter().enumerate() {
        let taken = Taken { by_all, by_buyer };
        let decided = campaign(Kind::FlashSale).admit(&wanted, taken, now);
        assert_eq!(decided, decision, "row {row}");
    }
}

#[test]
fn a_campaign_without_limits_or_channels_takes_everything_that_it_sells() {
    let free = Campaign {
        channels: BTreeSet::new(),
        units_per_buyer: None,
        total_units: None,
        ..campaign(Kind::PreSale)
    };
    let taken = Taken { by_all: i64::MAX, by_buyer: i64::MAX };
    assert_eq!(free.admit(&wanted("web", &["mug"], 1_000_000), taken, START), Ok(()));
}

#[test]
fn a_campaign_that_is_ended_takes_nothing_from_that_instant_on() {
    let mut ended = campaign(Kind::FlashSale);
    let now = Instant(START.0 + 5);
    ended.end(now);
    assert_eq!((ended.state_at(now), ended.ends_at), (CampaignState::Ended, now));
    let before = ended.clone();
    ended.end(END);
    assert_eq!(ended, before);
    let mut early = campaign(Kind::FlashSale);
    early.end(Instant(START.0 - 5));
    assert_eq!(early.state_at(START), CampaignState::Ended);
}

fn order(name: &str) -> OrderId {
    OrderId::derive(&[name])
}
