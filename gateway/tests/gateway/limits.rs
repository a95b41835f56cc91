//! What is too large, too much or too slow.

use throughline_kit::error::Error;
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::Code;

use crate::backends::{start_orders, start_sms};
use crate::calls::text;
use crate::platform::{MAX_MESSAGE_BYTES, ORDER, Platform, SMS};
use crate::raw::{self, RawBackend, Then};

/// Bytes of a request beside its text: key and length.
const TEXT_OVERHEAD: usize = 4;
/// Bytes of an answer beside its reason: outcome, key and length.
const REASON_OVERHEAD: usize = 6;

#[tokio::test]
async fn messages_up_to_the_limit_pass_in_both_directions_and_larger_ones_do_not() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let limit = MAX_MESSAGE_BYTES as usize;

    client.send_sms(text(&"x".repeat(limit - TEXT_OVERHEAD))).await.expect("at the limit");
    let status = client.send_sms(text(&"x".repeat(limit - TEXT_OVERHEAD + 1))).await;
    assert_limit(&status.expect_err("over the limit"), Code::ResourceExhausted, "LIMIT_REACHED");

    let answer = format!("answer {}", limit - REASON_OVERHEAD);
    client.send_sms(text(&answer)).await.expect("at the limit");
    let answer = format!("answer {}", limit - REASON_OVERHEAD + 1);
    let status = client.send_sms(text(&answer)).await.expect_err("over the limit");
    // It may have happened: that must not read as a refusal.
    assert_limit(&status, Code::Internal, "RESPONSE_TOO_LARGE");
    backend.stop().await;
    platform.stop().await;
}

fn assert_limit(status: &tonic::Status, code: Code, reason: &str) {
    let error = Error::from_status(status);
    assert_eq!((status.code(), error.reason.as_str()), (code, reason));
    assert_eq!(error.metadata["limit"], "max_message_bytes");
    assert_eq!(error.metadata["value"], MAX_MESSAGE_BYTES.to_string());
}

#[tokio::test]
async fn a_slow_reader_slows_the_backend_and_nothing_gathers_in_between() {
    const MESSAGE: usize = 256 << 10;
    const MESSAGES: usize = 256;
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let (backend, sender) = start_orders(&platform).await;
    let mut client = OrderServiceClient::new(platform.channel("operator"));
    let mut stream =
        client.watch_order(order::WatchOrderRequest::default()).await.expect("open").into_inner();
    let sending = tokio::spawn(async move {
        for version in 0..MESSAGES {
            let channel = "x".repeat(MESSAGE);
            let version = i64::try_from(version).expect("small");
            let order = order::CustomerOrder { version, channel, ..Default::default() };
            let message = order::WatchOrderResponse { order: Some(order) };
            sender.send(message).await.expect("watched");
        }
    });
    // Wait until nothing moves any more.
    let last = std::cell::Cell::new(0);
    let stuck = eventually("the backend waits", || async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = backend.seen.streamed();
        let same = now == last.replace(now) && now > 0;
        same.then_some(now)
    })
    .await;
    assert!(stuck * MESSAGE < 12 << 20, "{stuck} messages of {MESSAGE} bytes are under way");
    for version in 0..MESSAGES {
        let message = stream.message().await.expect("fine").expect("a message");
        let order = message.order.expect("an order");
        assert_eq!(order.version, i64::try_from(version).expect("small"));
        assert_eq!(order.channel.len(), MESSAGE);
    }
    sending.await.expect("all sent");
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn another_connection_is_opened_before_one_is_full_and_the_rest_waits() {
    const CALLS: usize = 200;
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform =
        Platform::start_with(&database.config, |c| c.max_connections_per_endpoint = 3).await;
    let backend = RawBackend::start(5, |request, mut respond| async move {
        let mut body = request.into_body();
        raw::read_all(&mut body).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let mut stream = respond.send_response(raw::grpc_headers(), false).expect("open");
        raw::finish(&mut stream);
        Then::GoOn
    })
    .await;
    platform.register("sms", "raw", backend.address, &[SMS]).await;
    let client = SmsServiceClient::new(platform.channel("notification"));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.send_sms(text("hello")).await })
        })
        .collect();
    for call in calls {
        call.await.expect("ended").expect("carried");
    }
    platform.stop().await;
}

#[tokio::test]
async fn calls_beyond_those_that_may_wait_are_refused_with_the_limits_name() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start_with(&database.config, |config| {
        config.workers = 1;
        config.max_connections_per_endpoint = 1;
        config.max_waiting_calls_per_endpoint = 1;
    })
    .await;
    let backend = RawBackend::start(1, |_request, respond| async move {
        std::future::pending::<()>().await;
        drop(respond);
        Then::GoOn
    })
    .await;
    platform.register("order", "raw", backend.address, &[ORDER]).await;
    // The first call shows how many streams the backend takes, the second takes the place, the third waits.
    let client = OrderServiceClient::new(platform.channel("operator"));
    let mut refused = None;
    let mut calls = Vec::new();
    for _ in 0..150 {
        let mut client = client.clone();
        let call = async move { client.list_orders(order::ListOrdersRequest::default()).await };
        calls.push(tokio::spawn(call));
    }
    for call in &mut calls {
        if let Ok(ended) = tokio::time::timeout(std::time::Duration::from_millis(200), call).await {
            refused = Some(ended.expect("ended").expect_err("refused"));
            break;
        }
    }
    let error = Error::from_status(&refused.expect("one is refused"));
    assert_eq!(error.metadata["limit"], "max_waiting_calls_per_endpoint");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    platform.stop().await;
}
