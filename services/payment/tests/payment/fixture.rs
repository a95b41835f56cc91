//! The center on a real socket, its client, and short words for its requests.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::client::GatewayConfig;
use throughline_kit::clock::{Clock, Instant, span_to_proto};
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_kit::server::Running;
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{environment, eventually};
use throughline_payment::Config;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::event::v1::{Event, SubscribeRequest};
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::payment::v1::{AttemptOutcome, PaymentOrderState};
use throughline_proto::r#type::v1::Money;
use tonic::transport::Channel;

use crate::stand_in::StandIn;

/// The stand-in serves no registry, so registration goes on trying.
pub(crate) const NO_REGISTRY: &str = "register at the gateway";
/// Order of every payment in these tests.
pub(crate) const ORDER: &str = "ord_test";

/// A running center.
pub(crate) struct Center {
    pub(crate) client: PaymentServiceClient<Channel>,
    pub(crate) clock: Clock,
    pub(crate) channel: StandIn,
    gateway: GatewayConfig,
    storage: StorageConfig,
    shutdown: CancellationToken,
    running: Running,
}

fn config() -> Config {
    Config {
        channel_timeout_ms: 250,
        retry_delays_ms: vec![5, 10],
        resolve_delays_ms: vec![1_000, 5_000, 30_000],
        poll_interval_ms: 10,
        ..Config::default()
    }
}

pub(crate) fn gbp(minor_units: i64) -> Option<Money> {
    Some(Money { currency_code: "GBP".to_owned(), minor_units })
}

pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> String {
    Error::from_status(&result.expect_err("refused")).reason
}

/// Paths of the fields that a refusal names.
pub(crate) fn wrong_fields<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> Vec<String> {
    let error = Error::from_status(&result.expect_err("refused"));
    assert_eq!(error.reason, "FIELD_INVALID");
    error.fields.into_iter().map(|(path, _)| path).collect()
}

async fn connect(running: &Running) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", running.address)).expect("a URI");
    endpoint.connect().await.expect("connect")
}

impl Center {
    pub(crate) async fn start(storage: &StorageConfig) -> Self {
        let channel = StandIn::default();
        let address = channel.serve().await;
        let gateway =
            GatewayConfig { uri: format!("http://{address}"), api_key: "payment-key".to_owned() };
        let clock = Clock::fixed(Instant(1_700_000_000_000_000));
        Self::start_with(storage.clone(), channel, gateway, clock).await
    }

    async fn start_with(
        storage: StorageConfig,
        channel: StandIn,
        gateway: GatewayConfig,
        clock: Clock,
    ) -> Self {
        let mut environment = environment(&storage, clock.clone());
        environment.gateway = Some(gateway.clone());
        let shutdown = environment.shutdown.clone();
        let running = throughline_payment::start(config(), environment).await.expect("start");
        let client = PaymentServiceClient::new(connect(&running).await);
        Self { client, clock, channel, gateway, storage, shutdown, running }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.stopped().await;
    }

    /// Stops, and starts another on the same store.
    pub(crate) async fn restart(self) -> Self {
        let (storage, channel) = (self.storage.clone(), self.channel.clone());
        let (gateway, clock) = (self.gateway.clone(), self.clock.clone());
        self.stop().await;
        Self::start_with(storage, channel, gateway, clock).await
    }

    /// Runs one request in a process of its own that dies when the channel was called, then goes on with another one on
    /// the same store.
    pub(crate) async fn crash_during(
        self,
        method: &'static str,
        request: proto::StartAttemptRequest,
    ) -> Self {
        let (storage, channel) = (self.storage.clone(), self.channel.clone());
        let (gateway, clock) = (self.gateway.clone(), self.clock.clone());
        self.stop().await;
        let calls = channel.calls(method);
        let dying = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let first =
            Self::start_with(storage.clone(), channel.clone(), gateway.clone(), clock.clone());
        dying.spawn(async move {
            let mut center = first.await;
            let _ = center.client.start_attempt(request).await;
        });
        eventually("the channel is called", async || (channel.calls(method) > calls).then_some(()))
            .await;
        dying.shutdown_background();
        Self::start_with(storage, channel, gateway, clock).await
    }

    pub(crate) async fn create(&mut self, minor: i64) -> proto::PaymentOrder {
        let request = creation(minor);
        let answer = self.client.create_payment_order(request).await.expect("create");
        answer.into_inner().payment_order.expect("a payment order")
    }

    pub(crate) async fn try_on(&mut self, id: &str, channel: &str) -> proto::PaymentOrder {
        let answer = self.client.start_attempt(attempt(id, channel)).await.expect("start");
        answer.into_inner().payment_order.expect("a payment order")
    }

    pub(crate) async fn paid(&mut self, minor: i64) -> proto::PaymentOrder {
        let created = self.create(minor).await;
        let order = self.try_on(&created.payment_order_id, "sandbox").await;
        assert_eq!(order.state(), PaymentOrderState::Paid);
        order
    }

    pub(crate) async fn get(&self, id: &str) -> proto::PaymentOrder {
        let request = proto::GetPaymentOrderRequest { payment_order_id: id.to_owned() };
        let answer = self.client.clone().get_payment_order(request).await.expect("get");
        answer.into_inner().payment_order.expect("a payment order")
    }

    pub(crate) async fn close(&mut self, id: &str) -> proto::PaymentOrder {
        let request = proto::ClosePaymentOrderRequest {
            request_id: new_request_id(),
            payment_order_id: id.to_owned(),
        };
        let answer = self.client.close_payment_order(request).await.expect("close");
        answer.into_inner().payment_order.expect("a payment order")
    }

    pub(crate) async fn refund(
        &mut self,
        request: proto::CreateRefundRequest,
    ) -> Result<proto::Refund, tonic::Status> {
        let answer = self.client.create_refund(request).await?;
        Ok(answer.into_inner().refund.expect("a refund"))
    }

    pub(crate) async fn get_refund(&self, id: &str) -> proto::Refund {
        let request = proto::GetRefundRequest { refund_id: id.to_owned() };
        let answer = self.client.clone().get_refund(request).await.expect("get");
        answer.into_inner().refund.expect("a refund")
    }

    /// Waits until the background work has brought a payment order to a state.
    pub(crate) async fn becomes(&self, id: &str, state: PaymentOrderState) -> proto::PaymentOrder {
        eventually(state.as_str_name(), async || {
            Some(self.get(id).await).filter(|order| order.state() == state)
        })
        .await
    }

    pub(crate) async fn refund_becomes(
        &self,
        id: &str,
        state: proto::RefundState,
    ) -> proto::Refund {
        eventually(state.as_str_name(), async || {
            Some(self.get_refund(id).await).filter(|refund| refund.state() == state)
        })
        .await
    }

    /// Waits until the channel was called a number of times.
    pub(crate) async fn asked(&self, method: &'static str, calls: u32) {
        eventually("the channel is asked", async || {
            (self.channel.calls(method) >= calls).then_some(())
        })
        .await;
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Reads the feed from its beginning up to the first event of a type.
    pub(crate) async fn events_until(&self, kind: &str) -> Vec<Event> {
        let mut feed = EventFeedServiceClient::new(connect(&self.running).await);
        let stream = feed.subscribe(SubscribeRequest { cursor: 0 }).await.expect("subscribe");
        let mut stream = stream.into_inner();
        let mut events: Vec<Event> = Vec::new();
        let read = async {
            while !events.iter().any(|event| event.r#type == kind) {
                let message = stream.message().await.expect("the feed goes on");
                events.extend(message.expect("the feed has no end").events);
            }
        };
        let patience = Duration::from_secs(20);
        tokio::time::timeout(patience, read).await.expect("the event was announced");
        for event in &events {
            assert_eq!(event.order_id, ORDER, "{}", event.r#type);
        }
        events
    }
}

pub(crate) fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.r#type.as_str()).collect()
}

pub(crate) fn creation(minor: i64) -> proto::CreatePaymentOrderRequest {
    proto::CreatePaymentOrderRequest {
        request_id: new_request_id(),
        order_id: ORDER.to_owned(),
        reference: new_request_id(),
        payer_id: "payer-1".to_owned(),
        amount: gbp(minor),
        ttl: Some(span_to_proto(Duration::from_secs(900))),
    }
}

pub(crate) fn attempt(id: &str, channel: &str) -> proto::StartAttemptRequest {
    proto::StartAttemptRequest {
        request_id: new_request_id(),
        payment_order_id: id.to_owned(),
        payment_channel: channel.to_owned(),
        capture_mode: proto::CaptureMode::Automatic.into(),
    }
}

pub(crate) fn capture(id: &str, minor: i64) -> proto::CapturePaymentRequest {
    proto::CapturePaymentRequest {
        request_id: new_request_id(),
        payment_order_id: id.to_owned(),
        amount: gbp(minor),
    }
}

pub(crate) fn receipt(id: &str, minor: i64) -> proto::RecordReceiptRequest {
    proto::RecordReceiptRequest {
        request_id: new_request_id(),
        payment_order_id: id.to_owned(),
        amount: gbp(minor),
        receipt_number: "r-1".to_owned(),
    }
}

pub(crate) fn giving_back(id: &str, minor: i64) -> proto::CreateRefundRequest {
    proto::CreateRefundRequest {
        request_id: new_request_id(),
        payment_order_id: id.to_owned(),
        amount: gbp(minor),
        order_id: ORDER.to_owned(),
        payer_id: "payer-1".to_owned(),
        reason: "RETURNED".to_owned(),
    }
}

pub(crate) fn last_outcome(order: &proto::PaymentOrder) -> AttemptOutcome {
    order.attempts.last().expect("an attempt").outcome()
}

pub(crate) fn last_attempt(order: &proto::PaymentOrder) -> String {
    order.attempts.last().expect("an attempt").attempt_id.clone()
}
