//! Webhooks are registered, changed and removed by the channel whose orders they tell of.

use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_order::{Config, WebhookConfig};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::redeliver_webhook_request::What;
use throughline_proto::order::v1::{OrderState, WebhookState};

use crate::fixture::Center;
use crate::receiver::{Receiver, Reply};
use crate::requests::{error, from_channel, hall, mugs, operator, reason, wrong_fields};

/// A configuration that lets webhooks reach the receivers of the tests.
pub(crate) fn reaching() -> Config {
    let webhook = WebhookConfig { allow_private_addresses: true, ..WebhookConfig::default() };
    Config { webhook, ..Config::default() }
}

pub(crate) fn set(url: &str, event_types: &[&str]) -> proto::SetWebhookRequest {
    proto::SetWebhookRequest {
        request_id: new_request_id(),
        url: url.to_owned(),
        event_types: event_types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..proto::SetWebhookRequest::default()
    }
}

impl Center {
    /// Registers the webhook "default" of the channel "hall"; its id and secret.
    pub(crate) async fn set_webhook(&self, url: &str, event_types: &[&str]) -> (String, String) {
        let request = hall(set(url, event_types));
        let answer = self.webhooks.clone().set_webhook(request).await.expect("set").into_inner();
        (answer.webhook.expect("a webhook").webhook_id, answer.secret)
    }

    pub(crate) async fn webhook(&self, webhook_id: &str) -> proto::Webhook {
        let request = proto::GetWebhookRequest { webhook_id: webhook_id.to_owned() };
        let answer = self.webhooks.clone().get_webhook(hall(request)).await.expect("get");
        answer.into_inner().webhook.expect("a webhook")
    }

    pub(crate) async fn pause_webhook(&self, webhook_id: &str) {
        let (request_id, webhook_id) = (new_request_id(), webhook_id.to_owned());
        let request = proto::PauseWebhookRequest { request_id, webhook_id };
        self.webhooks.clone().pause_webhook(hall(request)).await.expect("paused");
    }

    pub(crate) async fn resume_webhook(&self, webhook_id: &str) {
        let (request_id, webhook_id) = (new_request_id(), webhook_id.to_owned());
        let request = proto::ResumeWebhookRequest { request_id, webhook_id };
        self.webhooks.clone().resume_webhook(hall(request)).await.expect("resumed");
    }

    pub(crate) async fn deliveries(&self, webhook_id: &str) -> Vec<proto::WebhookDelivery> {
        let webhook_id = webhook_id.to_owned();
        let request = proto::ListDeliveriesRequest { webhook_id, ..Default::default() };
        let answer = self.webhooks.clone().list_deliveries(hall(request)).await.expect("listed");
        answer.into_inner().deliveries
    }
}

on_each_database!(a_webhook_shows_its_secret_once, async |center: Center| {
    let request = set("https://shop.example.com/hook", &["order.completed"]);
    let mut webhooks = center.webhooks.clone();
    let first = webhooks.set_webhook(hall(request.clone())).await.expect("set").into_inner();
    assert!(first.secret.starts_with("whsec_"), "{}", first.secret);
    let again = webhooks.set_webhook(hall(request)).await.expect("set").into_inner();
    assert_eq!(again, first, "a repeated request is answered the same");
    let made = first.webhook.expect("a webhook");
    assert_eq!((made.channel.as_str(), made.name.as_str()), ("hall", "default"));
    assert_eq!(made.state(), WebhookState::Active);
    assert_eq!(center.webhook(&made.webhook_id).await, made);

    center.advance(60);
    let moved = hall(set("https://shop.example.com/other", &[]));
    let moved = webhooks.set_webhook(moved).await.expect("changed").into_inner();
    assert_eq!(moved.secret, "", "the secret stays");
    let changed = moved.webhook.expect("a webhook");
    assert_eq!(changed.webhook_id, made.webhook_id);
    assert_eq!(changed.url, "https://shop.example.com/other");
    assert!(changed.event_types.is_empty());
    assert_eq!(changed.create_time, made.create_time);
    assert_ne!(changed.update_time, made.update_time);
    assert_eq!(center.webhook(&made.webhook_id).await, changed);
    center
});

on_each_database!(a_hostile_url_is_refused, async |center: Center| {
    for url in [
        "http://127.0.0.1:8080/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:192.168.0.1]/",
        "http://localhost:8080/",
        "ftp://shop.example.com/",
        "https://user:password@shop.example.com/",
        "https://shop.example.com:22/",
        "not a url",
    ] {
        let refused = error(center.webhooks.clone().set_webhook(hall(set(url, &[]))).await);
        assert_eq!(refused.reason, "WEBHOOK_URL_REFUSED", "{url}");
        assert_eq!(refused.metadata["url"], url);
    }
    center
});

on_each_database!(a_wrong_request_names_its_fields, async |center: Center| {
    let mut webhooks = center.webhooks.clone();
    let good = set("https://shop.example.com/", &[]);
    let wrong = proto::SetWebhookRequest {
        request_id: "one".to_owned(),
        channel: "kiosk".to_owned(),
        name: "Über".to_owned(),
        event_types: ["order.completed", "order.complete", "order.completed"]
            .map(str::to_owned)
            .to_vec(),
        ..good.clone()
    };
    let fields = wrong_fields(webhooks.set_webhook(hall(wrong)).await);
    assert_eq!(fields, ["request_id", "channel", "name", "event_types[1]", "event_types[2]"]);
    let fields = wrong_fields(webhooks.set_webhook(operator(good)).await);
    assert_eq!(fields, ["channel"], "an operator has no channel of their own");
    let nothing = proto::RedeliverWebhookRequest { request_id: new_request_id(), what: None };
    assert_eq!(wrong_fields(webhooks.redeliver_webhook(hall(nothing)).await), ["what"]);
    let all = proto::ListDeliveriesRequest::default();
    assert_eq!(wrong_fields(webhooks.list_deliveries(hall(all)).await), ["webhook_id"]);
    let strange = proto::ListDeliveriesRequest {
        order_id: "o\0".to_owned(),
        state: 99,
        ..Default::default()
    };
    let fields = wrong_fields(webhooks.list_deliveries(hall(strange)).await);
    assert_eq!(fields, ["order_id", "state"]);
    let strange = proto::ListWebhooksRequest { channel: "\0".to_owned(), ..Default::default() };
    assert_eq!(wrong_fields(webhooks.list_webhooks(operator(strange)).await), ["channel"]);
    center
});

on_each_database!(a_channel_has_few_webhooks, async |center: Center| {
    let mut webhooks = center.webhooks.clone();
    let named = |number: usize| proto::SetWebhookRequest {
        name: format!("number-{number}"),
        ..set("https://shop.example.com/", &[])
    };
    for number in 0..10 {
        webhooks.set_webhook(hall(named(number))).await.expect("room");
    }
    let refused = error(webhooks.set_webhook(hall(named(10))).await);
    assert_eq!(refused.reason, "LIMIT_REACHED");
    assert_eq!(refused.metadata["limit"], "max_webhooks_per_channel");
    webhooks.set_webhook(hall(named(9))).await.expect("one that is there is changed");
    webhooks.set_webhook(from_channel("kiosk", named(0))).await.expect("its own");

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListWebhooksRequest { page_size: 4, page_token, ..Default::default() };
        let page = webhooks.list_webhooks(hall(request)).await.expect("listed").into_inner();
        assert!(page.webhooks.len() <= 4);
        seen.extend(page.webhooks.into_iter().map(|webhook| webhook.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    seen.sort();
    let expected: Vec<String> = (0..10).map(|number| format!("number-{number}")).collect();
    assert_eq!(seen, expected);
    center
});

on_each_database!(the_webhook_of_another_channel_is_invisible, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    let order_id = center.submit(mugs(1)).await;
    receiver.hears(1).await;
    let delivery_id = center.deliveries(&webhook_id).await[0].delivery_id.clone();
    let mut webhooks = center.webhooks.clone();
    let kiosk = |webhook_id: &str| (new_request_id(), webhook_id.to_owned());

    let get = proto::GetWebhookRequest { webhook_id: webhook_id.clone() };
    let found = webhooks.get_webhook(from_channel("kiosk", get.clone())).await;
    assert_eq!(reason(found), "WEBHOOK_NOT_FOUND");
    let (request_id, id) = kiosk(&webhook_id);
    let delete = proto::DeleteWebhookRequest { request_id, webhook_id: id };
    let deleted = webhooks.delete_webhook(from_channel("kiosk", delete)).await;
    assert_eq!(reason(deleted), "WEBHOOK_NOT_FOUND");
    let (request_id, id) = kiosk(&webhook_id);
    let rotate = proto::RotateWebhookSecretRequest { request_id, webhook_id: id };
    let rotated = webhooks.rotate_webhook_secret(from_channel("kiosk", rotate)).await;
    assert_eq!(reason(rotated), "WEBHOOK_NOT_FOUND");
    let (request_id, id) = kiosk(&webhook_id);
    let pause = proto::PauseWebhookRequest { request_id, webhook_id: id };
    let paused = webhooks.pause_webhook(from_channel("kiosk", pause)).await;
    assert_eq!(reason(paused), "WEBHOOK_NOT_FOUND");
    let what = Some(What::DeliveryId(delivery_id.clone()));
    let again = proto::RedeliverWebhookRequest { request_id: new_request_id(), what };
    let sent = webhooks.redeliver_webhook(from_channel("kiosk", again)).await;
    assert_eq!(reason(sent), "DELIVERY_NOT_FOUND");
    let one = proto::GetDeliveryRequest { delivery_id: delivery_id.clone() };
    let found = webhooks.get_delivery(from_channel("kiosk", one.clone())).await;
    assert_eq!(reason(found), "DELIVERY_NOT_FOUND");
    let of_webhook = proto::ListDeliveriesRequest { webhook_id, ..Default::default() };
    let listed = webhooks.list_deliveries(from_channel("kiosk", of_webhook)).await;
    assert_eq!(reason(listed), "WEBHOOK_NOT_FOUND");
    let of_order = proto::ListDeliveriesRequest { order_id, ..Default::default() };
    let listed = webhooks.list_deliveries(from_channel("kiosk", of_order.clone())).await;
    assert!(listed.expect("listed").into_inner().deliveries.is_empty());
    let listed =
        webhooks.list_webhooks(from_channel("kiosk", proto::ListWebhooksRequest::default()));
    assert!(listed.await.expect("listed").into_inner().webhooks.is_empty());

    // An operator sees all.
    webhooks.get_webhook(operator(get)).await.expect("found");
    webhooks.get_delivery(operator(one)).await.expect("found");
    let listed = webhooks.list_deliveries(operator(of_order)).await.expect("listed").into_inner();
    assert_eq!(listed.deliveries.len(), 1);

    // The order of another channel is not told.
    let theirs = from_channel("kiosk", mugs(1));
    center.orders.submit_order(theirs).await.expect("accepted");
    let ours = center.submit(mugs(1)).await;
    center.becomes(&ours, OrderState::Completed).await;
    receiver.hears(2).await;
    center
});

on_each_database!(an_operator_sets_a_webhook_for_a_channel, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let request = proto::SetWebhookRequest {
        channel: "hall".to_owned(),
        ..set(&receiver.url, &["order.accepted"])
    };
    let answer = center.webhooks.set_webhook(operator(request)).await.expect("set").into_inner();
    center.submit(mugs(1)).await;
    assert!(receiver.hears(1).await[0].is_signed_with(&answer.secret));
    center
});

on_each_database!(a_deleted_webhook_gets_nothing_more, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    receiver.always(Reply::Status(500, String::new()));
    let (webhook_id, secret) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    let order_id = center.submit(mugs(1)).await;
    receiver.hears(1).await;
    let request_id = new_request_id();
    let delete = proto::DeleteWebhookRequest { request_id, webhook_id: webhook_id.clone() };
    center.webhooks.delete_webhook(hall(delete.clone())).await.expect("deleted");
    center.webhooks.delete_webhook(hall(delete)).await.expect("the same answer");
    let get = proto::GetWebhookRequest { webhook_id };
    assert_eq!(reason(center.webhooks.get_webhook(hall(get)).await), "WEBHOOK_NOT_FOUND");
    let of_order = proto::ListDeliveriesRequest { order_id, ..Default::default() };
    let listed = center.webhooks.list_deliveries(hall(of_order)).await.expect("listed");
    assert!(listed.into_inner().deliveries.is_empty());

    // Another of the same name is another webhook, and hears only of what happens from now on.
    let other = Receiver::serve().await;
    let (_, other_secret) = center.set_webhook(&other.url, &["order.accepted"]).await;
    assert_ne!(other_secret, secret);
    center.advance(3600);
    center.submit(mugs(1)).await;
    assert!(other.hears(1).await[0].is_signed_with(&other_secret));
    assert_eq!(receiver.count(), 1);
    center
});

on_each_database!(a_paused_webhook_sends_when_it_is_resumed, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let (receiver, other) = (Receiver::serve().await, Receiver::serve().await);
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    let request = proto::SetWebhookRequest { name: "other".to_owned(), ..set(&other.url, &[]) };
    center.webhooks.set_webhook(hall(request)).await.expect("set");
    center.pause_webhook(&webhook_id).await;
    assert_eq!(center.webhook(&webhook_id).await.state(), WebhookState::Paused);
    let id = center.submit(mugs(1)).await;
    center.becomes(&id, OrderState::Completed).await;
    other.hears(2).await;
    assert_eq!(receiver.count(), 0);
    assert_eq!(center.deliveries(&webhook_id).await.len(), 1);
    center.resume_webhook(&webhook_id).await;
    assert_eq!(receiver.hears(1).await[0].kind(), "order.accepted");
    center
});

on_each_database!(a_rotated_secret_signs_for_a_day_beside_the_new_one, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let (webhook_id, old) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    let request_id = new_request_id();
    let rotate = proto::RotateWebhookSecretRequest { request_id, webhook_id: webhook_id.clone() };
    let rotated = center.webhooks.rotate_webhook_secret(hall(rotate)).await.expect("rotated");
    let rotated = rotated.into_inner();
    let new = rotated.secret;
    assert_ne!(new, old);
    let until = rotated.webhook.expect("a webhook").previous_secret_expire_time;
    let now = center.clock.now().to_proto();
    assert_eq!(until.expect("the old one signs").seconds, now.seconds + 24 * 3600);

    center.advance(24 * 3600 - 1);
    center.submit(mugs(1)).await;
    let first = receiver.hears(1).await.remove(0);
    assert_eq!(first.signatures.len(), 2);
    assert!(first.is_signed_with(&new) && first.is_signed_with(&old));
    center.advance(1);
    center.submit(mugs(1)).await;
    let second = receiver.hears(2).await.remove(1);
    assert_eq!(second.signatures.len(), 1);
    assert!(second.is_signed_with(&new) && !second.is_signed_with(&old));
    center
});

on_each_database!(a_receiver_that_is_gone_disables_its_webhook, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    receiver.next(&[Reply::Status(410, "closed for good".to_owned())]);
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    center.submit(mugs(1)).await;
    let disabled = async || {
        let webhook = center.webhook(&webhook_id).await;
        (webhook.state() == WebhookState::Disabled).then_some(())
    };
    eventually("the webhook is disabled", disabled).await;
    let events = center.events_until("webhook.disabled").await;
    assert!(events.iter().any(|event| event.r#type == "webhook.failed"));
    let delivery = center.deliveries(&webhook_id).await.remove(0);
    assert_eq!((delivery.attempts, delivery.response_code), (1, 410));
    let failure = delivery.failure.expect("a failure");
    assert_eq!(failure.reason, "GONE");
    assert!(failure.message.contains("closed for good"), "{}", failure.message);
    let request_id = new_request_id();
    let pause = proto::PauseWebhookRequest { request_id, webhook_id: webhook_id.clone() };
    assert_eq!(reason(center.webhooks.pause_webhook(hall(pause)).await), "WEBHOOK_DISABLED");

    // The registry hears of it with the next look; what is accepted after that is not told.
    eventually("nothing is enqueued", async || {
        let before = center.deliveries(&webhook_id).await.len();
        center.orders.clone().submit_order(hall(mugs(1))).await.expect("accepted");
        (center.deliveries(&webhook_id).await.len() == before).then_some(())
    })
    .await;
    assert_eq!(receiver.count(), 1);
    center.resume_webhook(&webhook_id).await;
    assert_eq!(center.webhook(&webhook_id).await.state(), WebhookState::Active);
    let before = center.deliveries(&webhook_id).await.len();
    center.submit(mugs(1)).await;
    receiver.hears(1 + before).await;
    center
});
