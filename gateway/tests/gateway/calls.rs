//! Calls that go well, and errors that arrive as they were sent.

use std::time::Duration;

use prost::Message;
use throughline_kit::client::CallContext;
use throughline_kit::error::{Error, Kind};
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::sms::v1 as sms;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::Code;

use crate::backends::{start_named_sms, start_orders, start_sms};
use crate::platform::Platform;
use crate::raw;

pub(crate) fn text(text: &str) -> sms::SendSmsRequest {
    sms::SendSmsRequest { text: text.to_owned(), ..sms::SendSmsRequest::default() }
}

#[tokio::test]
async fn a_unary_call_arrives_and_its_answer_comes_back() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let backend = start_named_sms(&platform, "here").await;
        let mut client = SmsServiceClient::new(platform.channel("notification"));
        let answer = client.send_sms(text("hello")).await.expect("carried").into_inner();
        assert_eq!(answer.outcome(), sms::SmsOutcome::Accepted);
        assert_eq!(answer.reason, "here");
        assert_eq!(backend.seen.last().get("te").expect("forwarded"), "trailers");
        backend.stop().await;
        platform.stop().await;
    }
}

#[tokio::test]
async fn a_stream_comes_message_by_message_and_not_at_its_end() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let (backend, sender) = start_orders(&platform).await;
    let mut client = OrderServiceClient::new(platform.channel("operator"));
    let mut stream =
        client.watch_order(order::WatchOrderRequest::default()).await.expect("open").into_inner();
    for version in 1..=3 {
        let order = order::CustomerOrder { version, ..Default::default() };
        let message = order::WatchOrderResponse { order: Some(order) };
        sender.send(message).await.expect("watched");
        let received = stream.message().await.expect("fine").expect("a message");
        assert_eq!(received.order.expect("an order").version, version);
    }
    drop(sender);
    assert!(stream.message().await.expect("ended well").is_none());
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_backends_error_arrives_with_all_its_details() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let status = client.send_sms(text("decline")).await.expect_err("declined");
    assert_eq!(status.code(), Code::FailedPrecondition);
    let error = Error::from_status(&status);
    assert_eq!((error.reason.as_str(), error.domain.as_str()), ("NUMBER_BARRED", "sms"));
    assert_eq!(error.message, "no “sms” ✗");
    assert_eq!(error.metadata["number"], "+4420");
    assert_eq!(error.fields, [("phone".to_owned(), "is barred".to_owned())]);
    assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn when_the_time_is_over_the_caller_hears_it_and_the_backend_stops() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    // By hand: a gRPC client would watch the time itself.
    let mut sender = raw::connect(platform.address).await;
    let method = "throughline.sms.v1.SmsService/SendSms";
    let mut request = raw::call(platform.address, method, &platform.key("notification"));
    request.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("300m"));
    let message = raw::framed(&text("wait").encode_to_vec());
    let answer = raw::exchange(&mut sender, request, &[&message]).await.expect("answered");
    assert_eq!(answer.grpc_status(), "4");
    assert!(answer.headers_only);
    eventually("the backend stops", || async { (backend.seen.dropped() == 1).then_some(()) }).await;
    let forwarded = backend.seen.last().get("grpc-timeout").expect("forwarded").clone();
    let micros: u32 = forwarded.to_str().expect("text").trim_end_matches('u').parse().expect("µs");
    assert!((1..300_000).contains(&micros), "shortened: {micros}");
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_the_longest_one_allowed() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform =
        Platform::start_with(&database.config, |config| config.max_unary_time_ms = 2_000).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let status = client.send_sms(text("wait")).await.expect_err("too late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(Error::from_status(&status).reason, "DEADLINE_EXCEEDED");
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_stops_the_backend() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let call = tokio::spawn(async move { client.send_sms(text("wait")).await });
    eventually("the call arrives", || async { (backend.seen.started() == 1).then_some(()) }).await;
    assert_eq!(backend.seen.dropped(), 0);
    call.abort();
    eventually("the backend stops", || async { (backend.seen.dropped() == 1).then_some(()) }).await;
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn many_calls_at_once_all_get_their_own_answer() {
    const CALLS: usize = 2_000;
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let client = SmsServiceClient::new(platform.channel("notification"));
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let answer = client.send_sms(text(&format!("answer {number}"))).await;
                answer.expect("carried").into_inner().reason.len()
            })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("ended"), number);
    }
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn calls_are_shared_out_among_instances_and_follow_them_when_they_leave() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let one = start_named_sms(&platform, "one").await;
    let other = start_named_sms(&platform, "other").await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let mut answers = std::collections::BTreeMap::new();
    for _ in 0..60 {
        let reason = client.send_sms(text("hello")).await.expect("carried").into_inner().reason;
        *answers.entry(reason).or_insert(0) += 1;
    }
    assert_eq!(answers.len(), 2, "{answers:?}");
    one.stop().await;
    for _ in 0..20 {
        let answer = client.send_sms(text("hello")).await.expect("carried").into_inner();
        assert_eq!(answer.reason, "other");
    }
    other.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_call_that_runs_is_finished_when_the_gateway_ends() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let call = tokio::spawn(async move { client.send_sms(text("wait 300")).await });
    eventually("the call arrives", || async { (backend.seen.started() == 1).then_some(()) }).await;
    platform.stop().await;
    call.await.expect("ended").expect("carried");
    let mut late = SmsServiceClient::new(platform.channel("notification"));
    let status = late.send_sms(text("hello")).await.expect_err("nobody listens");
    assert_eq!(Error::from_status(&status).kind, Kind::Unavailable);
    backend.stop().await;
}

#[tokio::test]
async fn a_trace_goes_on_or_begins() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context = CallContext::for_order("", trace_parent, Duration::from_secs(5));
    client.send_sms(context.request(text("hello"))).await.expect("carried");
    let forwarded = backend.seen.last().get("traceparent").expect("a trace").clone();
    let forwarded = forwarded.to_str().expect("text");
    assert_eq!(forwarded[..36], trace_parent[..36]);
    assert_ne!(forwarded[36..52], trace_parent[36..52]);
    client.send_sms(text("hello")).await.expect("carried");
    assert_eq!(backend.seen.last().get("traceparent").expect("a trace").len(), 55);
    backend.stop().await;
    platform.stop().await;
}
