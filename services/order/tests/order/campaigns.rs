//! Campaigns: when and how much is taken, for all and for one buyer, and what comes back.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{
    Campaign, CampaignKind, CampaignState, OrderState, SubmitOrderRequest,
};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    error, from_channel, hall, item, mugs, of_order, operator, reason, returned, submission,
    wrong_fields,
};

/// A campaign for mugs that begins in ten seconds and ends a minute later.
pub(crate) fn for_mugs(center: &Center) -> Campaign {
    let now = center.clock.now();
    let after = |seconds| Some(now.plus(Duration::from_secs(seconds)).to_proto());
    Campaign {
        campaign: "spring".to_owned(),
        names: [("en".to_owned(), "Spring mugs".to_owned())].into(),
        kind: CampaignKind::FlashSale.into(),
        offering_codes: vec!["mug".to_owned()],
        start_time: after(10),
        end_time: after(70),
        ..Default::default()
    }
}

pub(crate) async fn set(center: &Center, campaign: Campaign) -> Campaign {
    let request =
        proto::SetCampaignRequest { request_id: new_request_id(), campaign: Some(campaign) };
    let answer = center.campaigns.clone().set_campaign(operator(request)).await.expect("set");
    answer.into_inner().campaign.expect("a campaign")
}

async fn taken(center: &Center) -> i64 {
    let request = proto::GetCampaignRequest { campaign: "spring".to_owned() };
    let answer = center.campaigns.clone().get_campaign(operator(request)).await.expect("there");
    answer.into_inner().campaign.expect("a campaign").taken_units
}

/// Mugs of the campaign for a buyer.
pub(crate) fn bought(buyer: &str, quantity: i64) -> SubmitOrderRequest {
    let mut request = SubmitOrderRequest { campaign: "spring".to_owned(), ..mugs(quantity) };
    request.customer.as_mut().expect("set").customer_id = buyer.to_owned();
    request
}

on_each_database!(a_campaign_takes_orders_in_its_window, async |mut center: Center| {
    let unknown = center.orders.submit_order(hall(bought("ada", 1))).await;
    assert_eq!(reason(unknown), "CAMPAIGN_NOT_FOUND");
    let campaign = set(&center, for_mugs(&center)).await;
    assert_eq!(campaign.state(), CampaignState::Scheduled);
    let request = bought("ada", 1);
    let early = error(center.orders.submit_order(hall(request.clone())).await);
    assert_eq!(early.reason, "CAMPAIGN_NOT_OPEN");
    assert_eq!(early.metadata["start_time"], campaign.start_time.expect("set").to_string());
    assert_eq!(early.retry_after, Some(Duration::from_secs(10)));
    // It was told when to come again, with the same request.
    center.advance(10);
    let accepted = center.orders.submit_order(hall(request)).await.expect("open");
    let id = accepted.into_inner().order_id;
    center.clock.advance(Duration::from_secs(60) - Duration::from_micros(1));
    let last = center.submit(bought("ada", 1)).await;
    center.clock.advance(Duration::from_micros(1));
    let late = error(center.orders.submit_order(hall(bought("ada", 1))).await);
    assert_eq!((late.reason.as_str(), late.retry_after), ("CAMPAIGN_NOT_OPEN", None));
    for id in [id, last] {
        center.ends(&id, OrderState::Completed).await;
    }
    assert_eq!(taken(&center).await, 2);
    center
});

/// An open campaign.
async fn open(center: &Center, conditions: Campaign) {
    set(center, conditions).await;
    center.advance(10);
}

on_each_database!(a_campaign_sells_what_and_where_it_says, async |mut center: Center| {
    let channels = vec!["hall".to_owned()];
    let conditions = Campaign { channels, ..for_mugs(&center) };
    open(&center, conditions).await;
    let elsewhere = center.orders.submit_order(from_channel("web", bought("ada", 1))).await;
    assert_eq!(reason(elsewhere), "CHANNEL_NOT_IN_CAMPAIGN");
    let mixed = submission(vec![item("a", "mug", 1), item("b", "plan-4g", 1)]);
    let mixed = SubmitOrderRequest { campaign: "spring".to_owned(), ..mixed };
    let refused = error(center.orders.submit_order(hall(mixed)).await);
    assert_eq!(
        (refused.reason.as_str(), &*refused.metadata["offering"]),
        ("OFFERING_NOT_IN_CAMPAIGN", "plan-4g")
    );
    let back = submission(vec![item("a", "mug", 1), returned("b", "mug", 1, of_order("1"))]);
    let back = SubmitOrderRequest { campaign: "spring".to_owned(), ..back };
    let named = wrong_fields(center.orders.submit_order(hall(back)).await);
    assert_eq!(named, ["items[1].action"]);
    let grouped = SubmitOrderRequest { group: "grp_1".to_owned(), ..bought("ada", 1) };
    assert_eq!(wrong_fields(center.orders.submit_order(hall(grouped)).await), ["group"]);
    let get = proto::GetCampaignRequest { campaign: "spring".to_owned() };
    let hidden = center.campaigns.get_campaign(from_channel("web", get.clone())).await;
    assert_eq!(reason(hidden), "CAMPAIGN_NOT_FOUND");
    center.campaigns.get_campaign(hall(get)).await.expect("its own");
    assert_eq!(taken(&center).await, 0);
    center
});

/// Submits many at once; the ids of the accepted and the reasons of the refused.
pub(crate) async fn rush(
    center: &Center,
    requests: impl Iterator<Item = SubmitOrderRequest>,
) -> (Vec<String>, Vec<String>) {
    let sent = requests.map(|request| {
        let mut orders = center.orders.clone();
        async move { orders.submit_order(hall(request)).await }
    });
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for answer in futures::future::join_all(sent).await {
        match answer {
            Ok(answer) => accepted.push(answer.into_inner().order_id),
            Err(status) => refused.push(reason(Err::<(), _>(status))),
        }
    }
    (accepted, refused)
}

on_each_database!(a_buyer_gets_no_more_in_a_rush_than_the_limit, async |mut center: Center| {
    let conditions = Campaign { units_per_buyer: 7, ..for_mugs(&center) };
    open(&center, conditions).await;
    let (accepted, refused) = rush(&center, (0..50).map(|_| bought("ada", 1))).await;
    assert_eq!((accepted.len(), refused.len()), (7, 43));
    assert!(refused.iter().all(|reason| reason == "BUYER_LIMIT_REACHED"), "{refused:?}");
    let refused = error(center.orders.submit_order(hall(bought("ada", 1))).await);
    assert_eq!((&*refused.metadata["limit"], &*refused.metadata["left"]), ("7", "0"));
    let other = center.submit(bought("bob", 7)).await;
    center.ends(&other, OrderState::Completed).await;
    for id in accepted {
        center.ends(&id, OrderState::Completed).await;
    }
    assert_eq!(taken(&center).await, 14);
    center
});

on_each_database!(a_campaign_sells_no_more_in_a_rush_than_it_has, async |mut center: Center| {
    let conditions = Campaign { total_units: 20, ..for_mugs(&center) };
    open(&center, conditions).await;
    let buyers = (0..60).map(|n| bought(&format!("buyer {n}"), 1));
    let (accepted, refused) = rush(&center, buyers).await;
    assert_eq!((accepted.len(), refused.len()), (20, 40));
    assert!(refused.iter().all(|reason| reason == "CAMPAIGN_SOLD_OUT"), "{refused:?}");
    assert_eq!(taken(&center).await, 20);
    // What is refused because others were faster may succeed later: it is no first answer.
    let more = set(&center, Campaign { total_units: 21, ..for_mugs(&center) }).await;
    assert_eq!((more.taken_units, more.state()), (20, CampaignState::Scheduled));
    center.advance(10);
    let id = center.submit(bought("late", 1)).await;
    center.ends(&id, OrderState::Completed).await;
    for id in accepted {
        center.ends(&id, OrderState::Completed).await;
    }
    center
});

on_each_database!(what_an_order_does_not_deliver_comes_back_once, async |mut center: Center| {
    let conditions = Campaign { units_per_buyer: 2, total_units: 2, ..for_mugs(&center) };
    open(&center, conditions).await;
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(bought("ada", 2)).await;
    center.becomes(&id, OrderState::Pending).await;
    assert_eq!(taken(&center).await, 2);
    let again = bought("ada", 1);
    let refused = center.orders.submit_order(hall(again.clone())).await;
    assert_eq!(reason(refused), "CAMPAIGN_SOLD_OUT");
    center.cancel(&id).await.expect("cancelled");
    center.becomes(&id, OrderState::Cancelled).await;
    assert_eq!(taken(&center).await, 0);
    let mut center = center.restart().await;
    assert_eq!(taken(&center).await, 0);
    let accepted = center.orders.submit_order(hall(again)).await.expect("room again").into_inner();
    center.ends(&accepted.order_id, OrderState::Completed).await;
    assert_eq!(taken(&center).await, 1);
    let refused = error(center.orders.submit_order(hall(bought("ada", 2))).await);
    assert_eq!((refused.reason.as_str(), &*refused.metadata["left"]), ("CAMPAIGN_SOLD_OUT", "1"));
    center
});

on_each_database!(an_order_keeps_what_it_delivered_of_a_campaign, async |mut center: Center| {
    let offering_codes = vec!["mug".to_owned(), "plan-4g".to_owned()];
    let conditions = Campaign { offering_codes, units_per_buyer: 3, ..for_mugs(&center) };
    open(&center, conditions).await;
    center.outside.next("ActivateService", &[Behavior::Refuse("NO_LINE")]);
    let both = submission(vec![item("mug", "mug", 2), item("plan", "plan-4g", 1)]);
    let both = SubmitOrderRequest { campaign: "spring".to_owned(), ..both };
    let id = center.submit(both).await;
    center.ends(&id, OrderState::Partial).await;
    assert_eq!(taken(&center).await, 2);
    let refused = error(center.orders.submit_order(hall(bought("customer-1", 2))).await);
    assert_eq!((refused.reason.as_str(), &*refused.metadata["left"]), ("BUYER_LIMIT_REACHED", "1"));
    center
});

on_each_database!(a_repeated_submission_claims_once, async |mut center: Center| {
    open(&center, for_mugs(&center)).await;
    let request = bought("ada", 1);
    let first = center.orders.submit_order(hall(request.clone())).await.expect("accepted");
    let again = center.orders.submit_order(hall(request.clone())).await.expect("the same");
    let first = first.into_inner();
    assert_eq!(first, again.into_inner());
    let number =
        SubmitOrderRequest { channel_order_id: request.channel_order_id, ..bought("ada", 1) };
    let refused = center.orders.submit_order(hall(number)).await;
    assert_eq!(reason(refused), "CHANNEL_ORDER_ID_TAKEN");
    assert_eq!(taken(&center).await, 1);
    center.ends(&first.order_id, OrderState::Completed).await;
    center
});

on_each_database!(a_campaign_can_be_ended_and_listed, async |mut center: Center| {
    open(&center, for_mugs(&center)).await;
    let channels = vec!["web".to_owned()];
    let other = Campaign { campaign: "summer".to_owned(), channels, ..for_mugs(&center) };
    set(&center, other).await;
    let codes = async |center: &mut Center, state: CampaignState, as_hall: bool| {
        let request = proto::ListCampaignsRequest { state: state.into(), ..Default::default() };
        let request = if as_hall { hall(request) } else { operator(request) };
        let answer = center.campaigns.list_campaigns(request).await.expect("listed").into_inner();
        answer.campaigns.into_iter().map(|one| one.campaign).collect::<Vec<_>>()
    };
    assert_eq!(codes(&mut center, CampaignState::Unspecified, false).await, ["summer", "spring"]);
    assert_eq!(codes(&mut center, CampaignState::Unspecified, true).await, ["spring"]);
    assert_eq!(codes(&mut center, CampaignState::Open, false).await, ["spring"]);
    assert_eq!(codes(&mut center, CampaignState::Scheduled, false).await, ["summer"]);
    let end = |code: &str| proto::EndCampaignRequest {
        request_id: new_request_id(),
        campaign: code.to_owned(),
    };
    let ended = center.campaigns.end_campaign(operator(end("spring"))).await.expect("ended");
    let ended = ended.into_inner().campaign.expect("a campaign");
    let at = ended.end_time.as_ref().map(Instant::from_proto);
    assert_eq!((ended.state(), at), (CampaignState::Ended, Some(center.clock.now())));
    let refused = center.orders.submit_order(hall(bought("ada", 1))).await;
    assert_eq!(reason(refused), "CAMPAIGN_NOT_OPEN");
    center.advance(1);
    let again = center.campaigns.end_campaign(operator(end("spring"))).await.expect("ended");
    assert_eq!(again.into_inner().campaign, Some(ended));
    let unknown = center.campaigns.end_campaign(operator(end("winter"))).await;
    assert_eq!(reason(unknown), "CAMPAIGN_NOT_FOUND");
    assert_eq!(codes(&mut center, CampaignState::Ended, false).await, ["spring"]);
    center
});

type Spoil = fn(&mut Campaign);

/// What is wrong, and the paths that the refusal names.
const WRONG: &[(Spoil, &[&str])] = &[
    (|c| c.campaign.clear(), &["campaign.campaign"]),
    (|c| c.campaign = "a\0b".to_owned(), &["campaign.campaign"]),
    (|c| c.names.clear(), &["campaign.names"]),
    (|c| c.names = [("en".to_owned(), String::new())].into(), &["campaign.names[en]"]),
    (|c| c.kind = 0, &["campaign.kind"]),
    (|c| c.offering_codes.clear(), &["campaign.offering_codes"]),
    (|c| c.offering_codes.push("x".repeat(65)), &["campaign.offering_codes[1]"]),
    (|c| c.offering_codes = vec!["x".to_owned(); 1_001], &["campaign.offering_codes"]),
    (|c| c.channels = vec!["x".to_owned(); 101], &["campaign.channels"]),
    (|c| c.start_time = None, &["campaign.start_time"]),
    (|c| c.end_time = c.start_time, &["campaign.end_time"]),
    (|c| c.units_per_buyer = -1, &["campaign.units_per_buyer"]),
    (|c| c.total_units = 1_000_000_001, &["campaign.total_units"]),
    (|c| c.template = "x".repeat(65), &["campaign.template"]),
    (|c| c.group_terms = Some(proto::GroupTerms::default()), &["campaign.group_terms"]),
    (|c| c.kind = CampaignKind::GroupBuy.into(), &["campaign.group_terms"]),
    (
        |c| {
            c.kind = CampaignKind::GroupBuy.into();
            c.group_terms = Some(proto::GroupTerms { group_size: 1, group_ttl: None });
        },
        &["campaign.group_terms.group_size", "campaign.group_terms.group_ttl"],
    ),
];

on_each_database!(every_wrong_condition_is_named, async |mut center: Center| {
    for (row, (spoil, paths)) in WRONG.iter().enumerate() {
        let mut campaign = for_mugs(&center);
        spoil(&mut campaign);
        let request =
            proto::SetCampaignRequest { request_id: new_request_id(), campaign: Some(campaign) };
        let named = wrong_fields(center.campaigns.set_campaign(operator(request)).await);
        assert_eq!(named, *paths, "row {row}");
    }
    let request = proto::SetCampaignRequest::default();
    let named = wrong_fields(center.campaigns.set_campaign(operator(request)).await);
    assert_eq!(named, ["request_id", "campaign"]);
    center
});
