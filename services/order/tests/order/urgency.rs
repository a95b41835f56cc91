//! How urgent an order is: by its submission, by an operator, by its customer.

use std::collections::BTreeSet;
use std::time::Duration;

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;

use crate::desk::WHY;
use crate::fixture::Center;
use crate::outside::Behavior;
use crate::repairing::was_told;
use crate::requests::{error, from_channel, hall, mugs, operator, reason, wrong_fields};

on_each_database!(an_order_is_as_urgent_as_an_operator_says, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let id = center.submit(mugs(1)).await;
    center.called("CreateShipment", 1).await;
    assert_eq!(center.get(&id).await.priority, 5);
    let set = async |priority: i32| {
        let request = proto::SetPriorityRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            priority,
            reason: WHY.to_owned(),
        };
        let answer = center.operations().set_priority(operator(request)).await;
        answer.map(|answer| answer.into_inner().order.expect("an order"))
    };
    let order = set(9).await.expect("set");
    assert_eq!(order.priority, 9);
    assert_eq!(set(9).await.expect("the same again"), order, "nothing changes");
    for wrong in [-1, 10, i32::MAX] {
        assert_eq!(wrong_fields(set(wrong).await), ["priority"]);
    }
    assert_eq!(set(0).await.expect("set").priority, 0);
    center.outside.let_go();
    center.completes(&id).await;
    was_told(&center, "order.prioritized", "").await;
    assert_eq!(reason(set(1).await), "ORDER_TERMINAL");
    center
});

on_each_database!(a_customer_may_urge_once_in_ten_minutes, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let id = center.submit(mugs(1)).await;
    center.called("CreateShipment", 1).await;
    let request = |request_id: String| proto::UrgeOrderRequest {
        request_id,
        order_id: id.clone(),
        reason: "please".to_owned(),
    };
    let urge = async |center: &Center, request: proto::UrgeOrderRequest| {
        let answer = center.orders.clone().urge_order(hall(request)).await;
        answer.map(|answer| answer.into_inner().order.expect("an order"))
    };
    let first_id = new_request_id();
    let first = urge(&center, request(first_id.clone())).await.expect("urged");
    assert_eq!((first.urge_count, first.priority), (1, 6));
    center.advance(100);
    let refused = error(urge(&center, request(new_request_id())).await);
    assert_eq!(refused.reason, "URGED_TOO_OFTEN");
    assert_eq!(refused.retry_after, Some(Duration::from_secs(500)));
    assert_eq!(urge(&center, request(first_id)).await.expect("the first answer"), first);
    for times in 2..=6 {
        center.advance(600);
        let order = urge(&center, request(new_request_id())).await.expect("urged");
        assert_eq!((order.urge_count, order.priority), (times, (5 + times).min(9)));
    }
    let elsewhere = center.orders.urge_order(from_channel("web", request(new_request_id()))).await;
    assert_eq!(reason(elsewhere), "ORDER_NOT_FOUND");
    let told = center.told("order.urged").await;
    assert_eq!((told.actor.as_str(), told.note.as_str()), ("channel:hall", "please"));
    center
});

on_each_database!(
    calls_of_more_urgent_orders_go_out_first,
    expecting "register at the gateway",
    async |center: Center| {
        let config = throughline_order::Config { max_calls_in_flight: 1, ..Default::default() };
        let mut center = center.restart_with(config).await;
        center.outside.next("QuotePrice", &[Behavior::Hold]);
        let first = center.submit(mugs(1)).await;
        center.called("QuotePrice", 1).await;
        let mut made = vec![first];
        for priority in [1, 9, 4, 7] {
            let submission = proto::SubmitOrderRequest { priority: Some(priority), ..mugs(1) };
            made.push(center.submit(submission).await);
        }
        center.outside.let_go();
        for id in &made {
            center.completes(id).await;
        }
        let mut seen = BTreeSet::new();
        let quoted = center.outside.calls_of("QuotePrice").into_iter().map(|call| call.order_id);
        let order: Vec<_> = quoted.filter(|id| seen.insert(id.clone())).collect();
        let expected = [0, 2, 4, 3, 1].map(|index: usize| made[index].clone());
        assert_eq!(order, expected);
        center
    }
);
