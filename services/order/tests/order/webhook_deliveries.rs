//! What happens to orders arrives: signed, once in the usual case, and for no one else to read.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_order::{Config, WebhookConfig};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::redeliver_webhook_request::What;
use throughline_proto::order::v1::{OrderState, WebhookDeliveryState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::receiver::{Receiver, Reply};
use crate::requests::{hall, mugs};
use crate::webhooks::{reaching, set};

on_each_database!(what_happens_to_an_order_is_delivered, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, secret) = center.set_webhook(&receiver.url, &[]).await;
    let request = mugs(1);
    let number = request.channel_order_id.clone();
    let order_id = center.submit(request).await;
    let order = center.becomes(&order_id, OrderState::Completed).await;
    let received = receiver.hears(2).await;
    let kinds: Vec<String> = received.iter().map(|one| one.kind()).collect();
    assert_eq!(kinds, ["order.accepted", "order.completed"]);

    let events = center.events_until("order.completed").await;
    for one in &received {
        assert!(one.is_signed_with(&secret), "{one:#?}");
        assert_eq!(one.content_type, "application/json");
        let now = center.clock.now().to_proto();
        assert_eq!(one.timestamp, now.seconds.to_string());
        let event = events.iter().find(|event| event.event_id == one.id).expect("in the feed");
        let json = one.json();
        assert_eq!(json["type"], event.r#type.as_str());
        let occurred = event.occurred_time.as_ref().expect("a time").to_string();
        assert_eq!(json["timestamp"], occurred.as_str());
        assert_eq!(json["data"]["order_id"], order_id.as_str());
        assert_eq!(json["data"]["channel_order_id"], number.as_str());
        for personal in ["Ada", "442079460000", "Square", "customer-1"] {
            assert!(!one.body.contains(personal), "{personal} in {}", one.body);
        }
    }
    assert_eq!(received[0].json()["data"]["state"], "ACKNOWLEDGED");
    let last = &received[1].json()["data"];
    assert_eq!(last["state"], "COMPLETED");
    assert_eq!(last["version"], order.version);
    assert_eq!(last["paid"]["minor_units"], 850);
    assert!(last.get("failure").is_none());

    let delivered = eventually("both are stored as delivered", async || {
        let all = center.deliveries(&webhook_id).await;
        let is_done = |it: &proto::WebhookDelivery| it.state() == WebhookDeliveryState::Delivered;
        (all.len() == 2 && all.iter().all(is_done)).then_some(all)
    })
    .await;
    for delivery in delivered {
        assert_eq!((delivery.attempts, delivery.response_code), (1, 204));
        assert_eq!((delivery.failure, delivery.next_attempt_time), (None, None));
        assert!(delivery.deliver_time.is_some());
        let get = proto::GetDeliveryRequest { delivery_id: delivery.delivery_id };
        let shown = center.webhooks.get_delivery(hall(get)).await.expect("found").into_inner();
        assert!(received.iter().any(|one| one.body == shown.payload));
    }
    center
});

on_each_database!(a_failure_is_told_by_its_reason_only, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    center.set_webhook(&receiver.url, &["order.rejected", "order.failed"]).await;
    center.outside.next("StartAttempt", &[Behavior::Refuse("CARD_REFUSED")]);
    let order_id = center.submit(mugs(1)).await;
    center.becomes(&order_id, OrderState::Rejected).await;
    let received = receiver.hears(1).await.remove(0);
    assert_eq!(received.kind(), "order.rejected", "only what was chosen is sent");
    let failure = received.json()["data"]["failure"].clone();
    assert_eq!(failure["reason"], "CARD_REFUSED");
    assert!(failure.get("message").is_none());
    center
});

on_each_database!(a_restart_loses_nothing_and_keeps_the_id, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, secret) = center.set_webhook(&receiver.url, &["order.accepted"]).await;

    // Enqueued, and not sent before the end.
    center.pause_webhook(&webhook_id).await;
    let order_id = center.submit(mugs(1)).await;
    center.becomes(&order_id, OrderState::Completed).await;
    let mut center = center.restart().await;
    assert_eq!(receiver.count(), 0);
    let event_id = center.deliveries(&webhook_id).await[0].event_id.clone();
    center.resume_webhook(&webhook_id).await;
    assert_eq!(receiver.hears(1).await[0].id, event_id);

    // The end comes while the receiver takes its time: nobody knows whether it has it.
    receiver.next(&[Reply::Silence]);
    let order_id = center.submit(mugs(1)).await;
    center.becomes(&order_id, OrderState::Completed).await;
    let cut = receiver.hears(2).await.remove(1);
    let center = center.restart().await;
    center.advance(60);
    let again = receiver.hears(3).await.remove(2);
    assert_eq!((again.id.as_str(), again.body.as_str()), (cut.id.as_str(), cut.body.as_str()));
    assert_ne!(again.timestamp, cut.timestamp, "the timestamp is of the attempt");
    assert!(again.is_signed_with(&secret));
    center
});

on_each_database!(a_slow_receiver_does_not_delay_another, async |center: Center| {
    let webhook = WebhookConfig {
        allow_private_addresses: true,
        max_attempts_in_flight: 8,
        max_attempts_per_webhook: 2,
        ..WebhookConfig::default()
    };
    let center = center.restart_with(Config { webhook, ..Config::default() }).await;
    let (slow, quick) = (Receiver::serve().await, Receiver::serve().await);
    slow.always(Reply::Silence);
    let kinds = ["order.accepted"];
    center.set_webhook(&slow.url, &kinds).await;
    let other = proto::SetWebhookRequest { name: "quick".to_owned(), ..set(&quick.url, &kinds) };
    center.webhooks.clone().set_webhook(hall(other)).await.expect("set");
    let began = tokio::time::Instant::now();
    for _ in 0..20 {
        center.orders.clone().submit_order(hall(mugs(1))).await.expect("accepted");
    }
    quick.hears(20).await;
    // The slow one would keep it waiting for as long as an attempt may take.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(slow.count(), 2, "no more at a time than allowed");
    center
});

on_each_database!(events_of_one_order_are_never_sent_at_the_same_time, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    receiver.next(&[Reply::Silence]);
    let (webhook_id, _) = center.set_webhook(&receiver.url, &[]).await;
    let first = center.submit(mugs(1)).await;
    center.becomes(&first, OrderState::Completed).await;
    receiver.hears(1).await;
    // Another order is not kept waiting by it.
    let second = center.submit(mugs(1)).await;
    center.becomes(&second, OrderState::Completed).await;
    let received = receiver.hears(3).await;
    let of = |order_id: &str| {
        let told = received.iter().filter(|one| one.json()["data"]["order_id"] == order_id);
        told.map(|one| one.kind()).collect::<Vec<_>>()
    };
    assert_eq!(of(&first), ["order.accepted"]);
    assert_eq!(of(&second), ["order.accepted", "order.completed"]);
    assert_eq!(center.deliveries(&webhook_id).await.len(), 4);
    center
});

on_each_database!(deliveries_are_found_by_what_they_are, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    receiver.next(&[Reply::Status(500, String::new())]);
    let mut orders = Vec::new();
    for count in 1..=5 {
        orders.push(center.submit(mugs(1)).await);
        receiver.hears(count).await;
        center.advance(1);
    }
    let list = async |request: proto::ListDeliveriesRequest| {
        let mut webhooks = center.webhooks.clone();
        webhooks.list_deliveries(hall(request)).await.expect("listed").into_inner()
    };
    let all = proto::ListDeliveriesRequest { webhook_id: webhook_id.clone(), ..Default::default() };
    let in_state = |state: WebhookDeliveryState| proto::ListDeliveriesRequest {
        state: state.into(),
        ..all.clone()
    };
    let ids = |page: &proto::ListDeliveriesResponse| {
        page.deliveries.iter().map(|it| it.order_id.clone()).collect::<Vec<_>>()
    };
    eventually("four are delivered", async || {
        let page = list(in_state(WebhookDeliveryState::Delivered)).await;
        (page.deliveries.len() == 4).then_some(())
    })
    .await;
    let pending = list(in_state(WebhookDeliveryState::Pending)).await;
    assert_eq!(ids(&pending), [orders[0].clone()]);
    assert!(list(in_state(WebhookDeliveryState::Failed)).await.deliveries.is_empty());
    let of_order = proto::ListDeliveriesRequest {
        order_id: orders[2].clone(),
        state: WebhookDeliveryState::Delivered.into(),
        ..all.clone()
    };
    assert_eq!(ids(&list(of_order).await), [orders[2].clone()]);

    let first = Instant(1_700_000_000_000_000);
    let later = |seconds: u64| Some(first.plus(Duration::from_secs(seconds)).to_proto());
    let between =
        proto::ListDeliveriesRequest { from_time: later(1), until_time: later(3), ..all.clone() };
    assert_eq!(ids(&list(between).await), [orders[2].clone(), orders[1].clone()]);
    let never = proto::ListDeliveriesRequest {
        from_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 999_999_999 }),
        ..all.clone()
    };
    assert!(list(never).await.deliveries.is_empty());

    let mut seen = Vec::new();
    let mut page = list(proto::ListDeliveriesRequest { page_size: 2, ..all.clone() }).await;
    seen.extend(ids(&page));
    while !page.next_page_token.is_empty() {
        let page_token = page.next_page_token.clone();
        page = list(proto::ListDeliveriesRequest { page_size: 2, page_token, ..all.clone() }).await;
        seen.extend(ids(&page));
    }
    orders.reverse();
    assert_eq!(seen, orders);
    center
});

on_each_database!(what_was_delivered_is_sent_again_on_request, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    center.submit(mugs(1)).await;
    let first = receiver.hears(1).await.remove(0);
    let delivered = async || {
        let delivery = center.deliveries(&webhook_id).await.remove(0);
        (delivery.state() == WebhookDeliveryState::Delivered).then_some(delivery)
    };
    let delivery = eventually("it is delivered", delivered).await;
    let what = Some(What::DeliveryId(delivery.delivery_id));
    let again = proto::RedeliverWebhookRequest { request_id: new_request_id(), what };
    let mut webhooks = center.webhooks.clone();
    let answer = webhooks.redeliver_webhook(hall(again.clone())).await.expect("sent");
    assert_eq!(answer.into_inner().deliveries, 1);
    webhooks.redeliver_webhook(hall(again)).await.expect("the same answer");
    let second = receiver.hears(2).await.remove(1);
    assert_eq!((second.id, second.body), (first.id, first.body));
    center
});
