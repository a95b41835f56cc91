//! Taking an order: what is answered at once, what is kept, and what is refused.

use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::id::new_request_id;
use throughline_order::Config;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, SubmitOrderRequest};
use throughline_proto::r#type::v1::UnitPrice;

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    error, from_channel, gbp, hall, item, mugs, of_order, operator, reason, returned, submission,
    with_rights, wrong_fields,
};

on_each_database!(an_order_is_acknowledged_before_anybody_is_asked, async |mut center: Center| {
    center.outside.next("CheckConfiguration", &[Behavior::Hold]);
    let id = center.submit(mugs(1)).await;
    let order = center.get(&id).await;
    assert_eq!(order.state(), OrderState::Acknowledged);
    assert!(order.business_orders.is_empty() && order.total.is_none() && order.end_time.is_none());
    assert_eq!((order.channel.as_str(), order.items.len()), ("hall", 1));
    center.outside.let_go();
    center.ends(&id, OrderState::Completed).await;
    center
});

on_each_database!(an_acknowledged_order_survives_a_restart, async |mut center: Center| {
    center.outside.next("CheckConfiguration", &[Behavior::Silent]);
    let request = mugs(1);
    let first = center.orders.submit_order(hall(request.clone())).await.expect("accepted");
    let mut center = center.restart().await;
    let again = center.orders.submit_order(hall(request)).await.expect("the same");
    assert_eq!(first.get_ref(), again.get_ref());
    center.ends(&again.get_ref().order_id, OrderState::Completed).await;
    assert_eq!(center.outside.effects(), ["reserve", "capture 850", "confirm", "ship"]);
    center
});

on_each_database!(
    a_repeated_submission_is_answered_the_same_for_ever,
    async |mut center: Center| {
        let request = mugs(1);
        let first = center.orders.submit_order(hall(request.clone())).await.expect("accepted");
        let first = first.into_inner();
        center.ends(&first.order_id, OrderState::Completed).await;
        let again = center.orders.submit_order(hall(request.clone())).await.expect("the same");
        assert_eq!(again.into_inner(), first);
        let mut center = center.restart().await;
        let again = center.orders.submit_order(hall(request)).await.expect("the same");
        assert_eq!(again.into_inner(), first);
        assert_eq!(center.outside.calls_of("StartAttempt").len(), 1);
        center
    }
);

on_each_database!(a_submission_sent_many_times_at_once_makes_one_order, async |center: Center| {
    let request = mugs(1);
    let sent = (0..8).map(|_| {
        let (mut orders, request) = (center.orders.clone(), hall(request.clone()));
        async move { orders.submit_order(request).await }
    });
    let mut ids = Vec::new();
    for answer in futures::future::join_all(sent).await {
        match answer {
            Ok(answer) => ids.push(answer.into_inner().order_id),
            Err(status) => {
                assert_eq!(reason(Err::<(), _>(status)), "REQUEST_IN_PROGRESS");
            }
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    center.ends(&ids[0], OrderState::Completed).await;
    assert_eq!(center.outside.effects(), ["reserve", "capture 850", "confirm", "ship"]);
    center
});

on_each_database!(a_request_id_belongs_to_one_content, async |mut center: Center| {
    let request = mugs(1);
    center.submit(request.clone()).await;
    let other = SubmitOrderRequest { items: mugs(2).items, ..request.clone() };
    let refused = center.orders.submit_order(hall(other)).await;
    assert_eq!(reason(refused), "REQUEST_ID_REUSED");
    // Request ids are each caller's own.
    let other = SubmitOrderRequest { channel_order_id: "1".to_owned(), ..request };
    center.orders.submit_order(from_channel("web", other)).await.expect("another caller's");
    center
});

on_each_database!(a_number_belongs_to_one_order_of_its_channel, async |mut center: Center| {
    let first = mugs(1);
    let number = first.channel_order_id.clone();
    center.submit(first).await;
    let second = SubmitOrderRequest { channel_order_id: number.clone(), ..mugs(1) };
    for _ in 0..2 {
        let refused = error(center.orders.submit_order(hall(second.clone())).await);
        assert_eq!(refused.reason, "CHANNEL_ORDER_ID_TAKEN");
        assert_eq!(refused.metadata["channel_order_id"], number);
    }
    let elsewhere = SubmitOrderRequest { request_id: new_request_id(), ..second };
    center.orders.submit_order(from_channel("web", elsewhere)).await.expect("another channel's");
    center
});

type Spoil = fn(&mut SubmitOrderRequest);

/// What is wrong, and the paths that the refusal names.
const WRONG: &[(Spoil, &[&str])] = &[
    (|r| r.request_id = "1".to_owned(), &["request_id"]),
    (|r| r.channel_order_id.clear(), &["channel_order_id"]),
    (|r| r.channel_order_id = "x".repeat(65), &["channel_order_id"]),
    (|r| r.channel_order_id = "a\0b".to_owned(), &["channel_order_id"]),
    (|r| r.customer = None, &["customer"]),
    (|r| customer(r).customer_id.clear(), &["customer.customer_id"]),
    (|r| customer(r).name = "x".repeat(201), &["customer.name"]),
    (|r| customer(r).phone = "020 7946 0000".to_owned(), &["customer.phone"]),
    (|r| customer(r).phone = "+123456".to_owned(), &["customer.phone"]),
    (|r| customer(r).locale = "x".repeat(36), &["customer.locale"]),
    (|r| customer(r).address = "x".repeat(501), &["customer.address"]),
    (|r| r.currency_code = "pounds".to_owned(), &["currency_code"]),
    (|r| r.items.clear(), &["items"]),
    (|r| r.items[1].item_key = "a".to_owned(), &["items[1].item_key"]),
    (|r| r.items[1].item_key = "a b".to_owned(), &["items[1].item_key"]),
    (|r| r.items[0].offering_code.clear(), &["items[0].offering_code"]),
    (|r| r.items[0].quantity = 0, &["items[0].quantity"]),
    (|r| r.items[0].quantity = -1, &["items[0].quantity"]),
    (|r| r.items[0].quantity = 1_000_001, &["items[0].quantity"]),
    (|r| r.items[0].action = 9, &["items[0].action"]),
    (|r| r.items[0].return_of = Some(of_order("1")), &["items[0].return_of"]),
    (|r| r.items[0].action = 2, &["items[0].return_of"]),
    (|r| r.items[0] = returned("a", "mug", 1, of_order("")), &["items[0].return_of.reason"]),
    (
        |r| r.items[0] = returned("a", "mug", 1, of_order(&"x".repeat(65))),
        &["items[0].return_of.channel_order_id"],
    ),
    (|r| r.items[0].agreed_unit_price = agreed("EUR", 1), &["items[0].agreed_unit_price"]),
    (|r| r.items[0].agreed_unit_price = agreed("GBP", -1), &["items[0].agreed_unit_price"]),
    (
        |r| r.items[0].characteristics = (0..33).map(|n| (n.to_string(), String::new())).collect(),
        &["items[0].characteristics"],
    ),
    (
        |r| r.items[0].characteristics = [("grade".to_owned(), "x".repeat(201))].into(),
        &["items[0].characteristics[grade]"],
    ),
    (|r| payment(r).payment_channel = "x".repeat(33), &["payment.payment_channel"]),
    (|r| payment(r).ttl = Some(span_to_proto(Duration::ZERO)), &["payment.ttl"]),
    (|r| payment(r).ttl = Some(span_to_proto(Duration::from_secs(86_401))), &["payment.ttl"]),
    (|r| r.failure_policy = 9, &["failure_policy"]),
    (
        |r| *r = SubmitOrderRequest::default(),
        &["request_id", "channel_order_id", "customer", "currency_code", "items"],
    ),
];

fn customer(request: &mut SubmitOrderRequest) -> &mut proto::Customer {
    request.customer.as_mut().expect("set")
}

fn payment(request: &mut SubmitOrderRequest) -> &mut proto::PaymentInstruction {
    request.payment.as_mut().expect("set")
}

fn agreed(currency: &str, micro_units: i64) -> Option<UnitPrice> {
    Some(UnitPrice { currency_code: currency.to_owned(), micro_units })
}

on_each_database!(every_wrong_field_is_named_by_its_path, async |mut center: Center| {
    for (row, (spoil, paths)) in WRONG.iter().enumerate() {
        let mut request = submission(vec![item("a", "mug", 1), item("b", "mug", 1)]);
        spoil(&mut request);
        let named = wrong_fields(center.orders.submit_order(hall(request)).await);
        assert_eq!(named, *paths, "row {row}");
    }
    assert!(center.outside.calls().is_empty());
    center
});

on_each_database!(
    the_largest_order_is_taken_and_a_larger_one_names_the_limit,
    async |mut center: Center| {
        let lines = |count: usize| (0..count).map(|n| item(&n.to_string(), "mug", 1)).collect();
        let refused = error(center.orders.submit_order(hall(submission(lines(1_001)))).await);
        assert_eq!(refused.reason, "ORDER_TOO_LARGE");
        assert_eq!(refused.metadata["limit"], "max_items_per_order");
        assert_eq!(refused.metadata["items"], "1001");
        let id = center.submit(submission(lines(1_000))).await;
        let order = center.ends(&id, OrderState::Completed).await;
        assert_eq!((order.items.len(), order.paid), (1_000, gbp(850_000)));
        center
    }
);

on_each_database!(no_more_orders_are_taken_than_may_live_at_a_time, async |center: Center| {
    let config = Config { max_live_orders: 1, ..Config::default() };
    let mut center = center.restart_with(config).await;
    center.outside.next("CheckConfiguration", &[Behavior::Hold]);
    let id = center.submit(mugs(1)).await;
    let refused = error(center.orders.submit_order(hall(mugs(1))).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["limit"].as_str()),
        ("LIMIT_REACHED", "max_live_orders",)
    );
    assert!(refused.retry_after.is_some());
    center.outside.let_go();
    center.ends(&id, OrderState::Completed).await;
    let id = throughline_kit::testing::eventually("there is room again", async || {
        let answer = center.orders.clone().submit_order(hall(mugs(1))).await.ok()?;
        Some(answer.into_inner().order_id)
    })
    .await;
    center.ends(&id, OrderState::Completed).await;
    center
});

on_each_database!(a_channel_sets_prices_only_with_the_right_to_it, async |mut center: Center| {
    let mut request = mugs(3);
    // 8.5 pence each: 25.5 pence are 26.
    request.items[0].agreed_unit_price = agreed("GBP", 85_000);
    let refused = error(center.orders.submit_order(hall(request.clone())).await);
    assert_eq!(refused.reason, "AGREED_PRICE_NOT_GRANTED");
    let refused = center.orders.submit_order(with_rights("hall", "other", request.clone())).await;
    assert_eq!(reason(refused), "AGREED_PRICE_NOT_GRANTED");
    let granted = with_rights("hall", "other,agreed-price", request);
    let accepted = center.orders.submit_order(granted).await.expect("granted").into_inner();
    let order = center.ends(&accepted.order_id, OrderState::Completed).await;
    assert_eq!((order.total, center.outside.money()), (gbp(26), (26, 0)));
    center
});

on_each_database!(
    an_order_without_an_identity_belongs_to_no_channel,
    async |mut center: Center| {
        let request = mugs(1);
        let number = request.channel_order_id.clone();
        let id = center.orders.submit_order(request).await.expect("accepted").into_inner().order_id;
        assert_eq!(center.get(&id).await.channel, "direct");
        let get = proto::GetOrderRequest { order_id: id, ..Default::default() };
        assert_eq!(reason(center.orders.get_order(hall(get)).await), "ORDER_NOT_FOUND");
        let by_number = proto::GetOrderRequest {
            channel_order_id: number,
            channel: "direct".to_owned(),
            ..Default::default()
        };
        assert_eq!(
            reason(center.orders.get_order(hall(by_number.clone())).await),
            "ORDER_NOT_FOUND"
        );
        center.orders.get_order(operator(by_number)).await.expect("an operator sees all");
        center
    }
);
