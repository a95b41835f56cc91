//! Groups of buyers: who gets a place, when a group is complete, and when it is too late.

use std::time::Duration;

use prost::Message;
use throughline_kit::clock::span_to_proto;
use throughline_proto::event::v1::Event;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{
    BuyerGroupState, Campaign, CampaignKind, OrderState, StepState, SubmitOrderRequest,
};

use crate::campaigns::{bought, for_mugs, rush, set};
use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{error, gbp, hall, reason};

/// How long a group of these tests has, in seconds.
const GROUP_TTL_S: u64 = 60;

/// Opens a campaign that sells mugs to groups of a size for an hour.
async fn open(center: &Center, group_size: i32) {
    let ttl = span_to_proto(Duration::from_secs(GROUP_TTL_S));
    let end = center.clock.now().plus(Duration::from_secs(3_600));
    let campaign = Campaign {
        kind: CampaignKind::GroupBuy.into(),
        group_terms: Some(proto::GroupTerms { group_size, group_ttl: Some(ttl) }),
        end_time: Some(end.to_proto()),
        ..for_mugs(center)
    };
    set(center, campaign).await;
    center.advance(10);
}

fn joining(group: &str, buyer: &str) -> SubmitOrderRequest {
    SubmitOrderRequest { group: group.to_owned(), ..bought(buyer, 1) }
}

/// Joins a group, or opens one; the order and the group. The payer takes time.
async fn join(center: &mut Center, group: &str, buyer: &str) -> (String, String) {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let answer = center.orders.submit_order(hall(joining(group, buyer))).await.expect("accepted");
    let answer = answer.into_inner();
    center.becomes(&answer.order_id, OrderState::Pending).await;
    (answer.order_id, answer.group)
}

async fn pay(center: &mut Center, order_id: &str) {
    let payment = center.get(order_id).await.payment_order_id;
    center.outside.payer_pays(&payment);
    has_paid(center, order_id).await;
}

/// Waits until an order is paid: then it waits for the others.
async fn has_paid(center: &Center, order_id: &str) {
    let paid = |order: &proto::CustomerOrder| {
        order.steps.iter().any(|s| s.step_id == "pay" && s.state() == StepState::Succeeded)
    };
    center.until(order_id, "the order is paid", paid).await;
}

async fn state(center: &Center, group: &str) -> (BuyerGroupState, i32, i32) {
    let request = proto::GetBuyerGroupRequest { group: group.to_owned() };
    let answer = center.campaigns.clone().get_buyer_group(hall(request)).await.expect("there");
    let group = answer.into_inner().group.expect("a group");
    (group.state(), group.joined, group.paid)
}

fn ended(events: &[Event], kind: &str) -> proto::BuyerGroupEnded {
    let event = events.iter().find(|event| event.r#type == kind).expect("read");
    let payload = event.payload.as_ref().expect("a payload");
    proto::BuyerGroupEnded::decode(payload.value.as_slice()).expect("BuyerGroupEnded")
}

on_each_database!(a_group_is_complete_when_all_have_paid, async |mut center: Center| {
    open(&center, 2).await;
    let (ada, group) = join(&mut center, "", "ada").await;
    assert!(group.starts_with("grp_"), "{group}");
    let (bob, same) = join(&mut center, &group, "bob").await;
    assert_eq!(same, group);
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 2, 0));
    let twice = center.orders.submit_order(hall(joining(&group, "ada"))).await;
    assert_eq!(reason(twice), "BUYER_ALREADY_IN_GROUP");
    let third = error(center.orders.submit_order(hall(joining(&group, "eve"))).await);
    assert_eq!((third.reason.as_str(), &third.metadata["group"]), ("GROUP_FULL", &group));
    pay(&mut center, &ada).await;
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 2, 1));
    pay(&mut center, &bob).await;
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Completed, 2, 2));
    let events = center.events_until("group.completed").await;
    let event = ended(&events, "group.completed");
    assert_eq!((&event.group, event.state()), (&group, BuyerGroupState::Completed));
    assert_eq!(event.order_ids, [ada.as_str(), bob.as_str()]);
    for order in [ada, bob] {
        center.ends(&order, OrderState::Completed).await;
    }
    let late = center.orders.submit_order(hall(joining(&group, "eve"))).await;
    assert_eq!(reason(late), "GROUP_FULL");
    center
});

on_each_database!(a_place_that_was_given_up_is_free_again, async |mut center: Center| {
    open(&center, 2).await;
    let (ada, group) = join(&mut center, "", "ada").await;
    let (bob, _) = join(&mut center, &group, "bob").await;
    center.cancel(&bob).await.expect("cancelled");
    center.becomes(&bob, OrderState::Cancelled).await;
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 1, 0));
    let mut center = center.restart().await;
    let (eve, _) = join(&mut center, &group, "eve").await;
    pay(&mut center, &eve).await;
    pay(&mut center, &ada).await;
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Completed, 2, 2));
    center
});

on_each_database!(a_group_that_misses_its_deadline_tells_all, async |mut center: Center| {
    open(&center, 3).await;
    let (ada, group) = join(&mut center, "", "ada").await;
    let (bob, _) = join(&mut center, &group, "bob").await;
    pay(&mut center, &ada).await;
    center.advance(GROUP_TTL_S - 1);
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 2, 1));
    center.advance(1);
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Missed, 2, 1));
    let late = center.orders.submit_order(hall(joining(&group, "eve"))).await;
    assert_eq!(reason(late), "GROUP_ENDED");
    let events = center.events_until("group.missed").await;
    let event = ended(&events, "group.missed");
    assert_eq!((event.group, event.order_ids), (group, vec![ada.clone(), bob.clone()]));
    let order = center.ends(&ada, OrderState::Failed).await;
    assert_eq!(order.failure.expect("a failure").reason, "REFUSED_BY_EVENT");
    assert_eq!(order.paid, gbp(0), "who has paid gets the money back");
    let payment = center.get(&bob).await.payment_order_id;
    center.outside.payer_pays(&payment);
    let order = center.ends(&bob, OrderState::Failed).await;
    assert_eq!(order.paid, gbp(0), "who pays too late as well");
    assert_eq!(center.outside.taken("mug"), 0);
    center
});

on_each_database!(no_more_get_a_place_in_a_rush_than_there_are, async |mut center: Center| {
    open(&center, 5).await;
    let (_, group) = join(&mut center, "", "ada").await;
    let buyers = (0..20).map(|n| joining(&group, &format!("buyer {n}")));
    let (accepted, refused) = rush(&center, buyers).await;
    assert_eq!((accepted.len(), refused.len()), (4, 16));
    assert!(refused.iter().all(|reason| reason == "GROUP_FULL"), "{refused:?}");
    for id in accepted {
        has_paid(&center, &id).await;
    }
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 5, 4));
    center
});

on_each_database!(a_group_belongs_to_its_campaign, async |mut center: Center| {
    open(&center, 2).await;
    let (_, group) = join(&mut center, "", "ada").await;
    let flash = Campaign { campaign: "summer".to_owned(), ..for_mugs(&center) };
    set(&center, flash).await;
    center.advance(10);
    let other = SubmitOrderRequest { campaign: "summer".to_owned(), ..joining(&group, "bob") };
    assert_eq!(reason(center.orders.submit_order(hall(other)).await), "GROUP_NOT_FOUND");
    let unknown = joining("grp_00000000000000000000000000", "bob");
    assert_eq!(reason(center.orders.submit_order(hall(unknown)).await), "GROUP_NOT_FOUND");
    for group in ["", "grp_1", "grp_00000000000000000000000000"] {
        let request = proto::GetBuyerGroupRequest { group: group.to_owned() };
        let answer = center.campaigns.get_buyer_group(hall(request)).await;
        assert_eq!(reason(answer), "GROUP_NOT_FOUND");
    }
    assert_eq!(state(&center, &group).await, (BuyerGroupState::Open, 1, 0));
    center
});
