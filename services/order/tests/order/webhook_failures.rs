//! What does not arrive is sent again by the table of waits, given up, and sent again by hand.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_order::{Config, WebhookConfig};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::redeliver_webhook_request::What;
use throughline_proto::order::v1::{OrderState, WebhookDeliveryState};

use crate::fixture::Center;
use crate::receiver::{Receiver, Reply};
use crate::requests::{hall, mugs};
use crate::webhooks::reaching;

/// Longer than an attempt counts as under way.
const LONGEST_CLAIM: Duration = Duration::from_secs(60);

impl Center {
    /// Waits until the only delivery of a webhook is as wanted.
    async fn delivery_until(
        &self,
        webhook_id: &str,
        what: &str,
        wanted: impl Fn(&proto::WebhookDelivery) -> bool,
    ) -> proto::WebhookDelivery {
        eventually(what, async || {
            let mut all = self.deliveries(webhook_id).await;
            assert!(all.len() <= 1, "{all:#?}");
            all.pop().filter(&wanted)
        })
        .await
    }

    /// Waits until an attempt has failed and the next one is planned, and moves the clock there.
    async fn pass_wait(&self, webhook_id: &str, attempts: i32) -> Duration {
        let now = self.clock.now();
        let planned = |it: &proto::WebhookDelivery| {
            let next = it.next_attempt_time.as_ref().map(Instant::from_proto);
            // An attempt under way shows when it counts as lost, which is sooner than any wait but
            // the first.
            let is_under_way = attempts > 1 && next.is_none_or(|at| at.since(now) < LONGEST_CLAIM);
            it.attempts == attempts && it.failure.is_some() && !is_under_way
        };
        let delivery = self.delivery_until(webhook_id, "it is planned again", planned).await;
        let at = Instant::from_proto(&delivery.next_attempt_time.expect("it is planned"));
        let wait = at.since(now);
        self.clock.advance(wait);
        wait
    }
}

on_each_database!(what_fails_is_sent_again_with_the_same_id, async |center: Center| {
    let webhook = WebhookConfig {
        allow_private_addresses: true,
        attempt_timeout_ms: 300,
        ..WebhookConfig::default()
    };
    let mut center = center.restart_with(Config { webhook, ..Config::default() }).await;
    let receiver = Receiver::serve().await;
    let target = Receiver::serve().await;
    let (webhook_id, secret) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    receiver.next(&[
        Reply::Status(500, "boom\u{7}".repeat(1_000)),
        Reply::Silence,
        Reply::Redirect(target.url.clone()),
    ]);
    center.submit(mugs(1)).await;
    for (attempts, reason, code, least) in [
        (1, "ANSWER_NOT_SUCCESS", 500, 5),
        (2, "TIMED_OUT", 0, 300),
        (3, "ANSWER_NOT_SUCCESS", 307, 1800),
    ] {
        receiver.hears(usize::try_from(attempts).expect("small")).await;
        let failed = |it: &proto::WebhookDelivery| {
            let failure = it.failure.as_ref().map(|failure| failure.reason.as_str());
            it.attempts == attempts && failure == Some(reason) && it.response_code == code
        };
        let delivery = center.delivery_until(&webhook_id, reason, failed).await;
        let message = delivery.failure.expect("a failure").message;
        assert!(message.len() < 500 && !message.contains('\u{7}'), "{message}");
        let wait = center.pass_wait(&webhook_id, attempts).await;
        let least = Duration::from_secs(least);
        assert!(wait >= least && wait <= least + least / 10, "{wait:?} is not about {least:?}");
    }
    let received = receiver.hears(4).await;
    for one in &received {
        assert_eq!((&one.id, &one.body), (&received[0].id, &received[0].body));
        assert!(one.is_signed_with(&secret));
    }
    let is_done = |it: &proto::WebhookDelivery| it.state() == WebhookDeliveryState::Delivered;
    let delivery = center.delivery_until(&webhook_id, "delivered", is_done).await;
    assert_eq!((delivery.attempts, delivery.failure), (4, None));
    assert_eq!(target.count(), 0, "redirects are not followed");
    center
});

on_each_database!(what_never_arrives_is_given_up_and_sent_again_by_hand, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    receiver.always(Reply::Status(503, "down".to_owned()));
    let (webhook_id, _) = center.set_webhook(&receiver.url, &["order.accepted"]).await;
    let order_id = center.submit(mugs(1)).await;
    let began = center.clock.now();
    for attempts in 1..10 {
        receiver.hears(usize::try_from(attempts).expect("small")).await;
        center.pass_wait(&webhook_id, attempts).await;
    }
    receiver.hears(10).await;
    let is_failed = |it: &proto::WebhookDelivery| it.state() == WebhookDeliveryState::Failed;
    let failed = center.delivery_until(&webhook_id, "given up", is_failed).await;
    assert_eq!((failed.attempts, failed.next_attempt_time), (10, None));
    let took = center.clock.now().since(began);
    assert!(took > Duration::from_secs(75 * 3600), "{took:?}");
    let events = center.events_until("webhook.failed").await;
    let event = events.last().expect("announced");
    assert_eq!(
        (event.subject.as_str(), event.order_id.as_str()),
        (webhook_id.as_str(), order_id.as_str())
    );
    let payload = event.payload.as_ref().expect("a payload");
    let told: proto::WebhookDeliveryFailed =
        prost::Message::decode(payload.value.as_slice()).expect("decodes");
    assert_eq!((told.channel.as_str(), told.webhook_name.as_str()), ("hall", "default"));
    assert_eq!(told.delivery.expect("a delivery").delivery_id, failed.delivery_id);
    center.advance(30 * 3600);

    receiver.always(Reply::Status(200, String::new()));
    let redeliver = async |since: Instant| {
        let (webhook_id, since_time) = (webhook_id.clone(), Some(since.to_proto()));
        let what = Some(What::Failed(proto::FailedDeliveries { webhook_id, since_time }));
        let request = proto::RedeliverWebhookRequest { request_id: new_request_id(), what };
        let mut webhooks = center.webhooks.clone();
        webhooks.redeliver_webhook(hall(request)).await.expect("sent").into_inner()
    };
    assert_eq!(redeliver(began.plus(Duration::from_secs(1))).await.deliveries, 0);
    let answer = redeliver(began).await;
    assert_eq!((answer.deliveries, answer.more), (1, false));
    let received = receiver.hears(11).await;
    assert_eq!(received[10].id, received[0].id);
    let is_done = |it: &proto::WebhookDelivery| it.state() == WebhookDeliveryState::Delivered;
    let delivered = center.delivery_until(&webhook_id, "delivered", is_done).await;
    assert_eq!((delivered.attempts, delivered.response_code), (1, 200));
    center
});

on_each_database!(what_is_no_receiver_fails_with_the_reason, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let plain = Receiver::serve().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let closed = format!("http://{}/", gone.local_addr().expect("an address"));
    drop(gone);
    let noise = noise().await;
    for (url, reason) in [
        (closed.as_str(), "CONNECTION_FAILED"),
        (noise.as_str(), "ANSWER_INVALID"),
        (&plain.url.replace("http://", "https://"), "TLS_FAILED"),
        ("http://nobody.invalid/", "NAME_NOT_RESOLVED"),
    ] {
        let (webhook_id, _) = center.set_webhook(url, &["order.accepted"]).await;
        let order_id = center.submit(mugs(1)).await;
        eventually(reason, async || {
            let all = center.deliveries(&webhook_id).await;
            let mine = all.into_iter().find(|delivery| delivery.order_id == order_id)?;
            mine.failure.filter(|failure| failure.reason == reason)
        })
        .await;
    }
    center
});

/// A server that speaks no HTTP.
async fn noise() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await;
        }
    });
    url
}

on_each_database!(a_destination_is_checked_at_every_attempt, async |center: Center| {
    let mut center = center.restart_with(reaching()).await;
    let receiver = Receiver::serve().await;
    let by_name = receiver.url.replace("127.0.0.1", "localhost");
    let kinds = ["order.accepted"];
    for url in [receiver.url.as_str(), &by_name] {
        let (webhook_id, _) = center.set_webhook(url, &kinds).await;
        let count = receiver.count();
        let order_id = center.submit(mugs(1)).await;
        center.becomes(&order_id, OrderState::Completed).await;
        eventually("it arrives", async || (receiver.count() > count).then_some(())).await;
        // Private addresses are no longer allowed.
        center = center.restart_with(Config::default()).await;
        let order_id = center.submit(mugs(1)).await;
        eventually("it is refused", async || {
            let all = center.deliveries(&webhook_id).await;
            let mine = all.into_iter().find(|delivery| delivery.order_id == order_id)?;
            mine.failure.filter(|failure| failure.reason == "DESTINATION_REFUSED")
        })
        .await;
        center.becomes(&order_id, OrderState::Completed).await;
        center = center.restart_with(reaching()).await;
    }
    center
});
