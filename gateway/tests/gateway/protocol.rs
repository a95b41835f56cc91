//! The protocol to the letter: frames, resets, broken connections, and what is no gRPC at all.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderValue, Request};
use throughline_kit::client::CallOutcome;
use throughline_kit::error::Error;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::Code;

use crate::backends::start_sms;
use crate::calls::text;
use crate::platform::{ORDER, Platform, SMS};
use crate::raw::{self, Answer, RawBackend, Then, framed};

const SEND: &str = "throughline.sms.v1.SmsService/SendSms";

#[tokio::test]
async fn an_error_without_messages_stays_one_headers_frame() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut sender = raw::connect(platform.address).await;
    let key = platform.key("notification");
    let decline = {
        use prost::Message;
        framed(&text("decline").encode_to_vec())
    };
    // The backend's own error, then one of the gateway.
    for (method, expected) in [(SEND, "9"), ("a.B/C", "12")] {
        let request = raw::call(platform.address, method, &key);
        let answer = raw::exchange(&mut sender, request, &[&decline]).await.expect("answered");
        assert!(answer.headers_only, "{answer:?}");
        assert_eq!((answer.status, answer.grpc_status()), (200, expected));
        assert_eq!(answer.headers["content-type"], "application/grpc");
        assert!(answer.headers.contains_key("grpc-status-details-bin"));
    }
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn what_is_no_grpc_is_answered_in_the_words_of_http() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let mut sender = raw::connect(platform.address).await;
    let key = platform.key("notification");
    for content_type in ["application/json", "application/grpc-web", "text/plain", ""] {
        let mut request = raw::call(platform.address, SEND, &key);
        let content_type = HeaderValue::from_static(content_type);
        request.headers_mut().insert("content-type", content_type);
        let answer = raw::exchange(&mut sender, request, &[b"{}"]).await.expect("answered");
        assert_eq!(answer.status, 415);
    }
    let request = Request::get(format!("http://{}/", platform.address)).body(()).expect("valid");
    assert_eq!(raw::exchange(&mut sender, request, &[]).await.expect("answered").status, 405);
    for content_type in ["application/grpc+proto", "application/grpc;charset=utf-8"] {
        let mut request = raw::call(platform.address, SEND, &key);
        let content_type = HeaderValue::from_static(content_type);
        request.headers_mut().insert("content-type", content_type);
        let answer = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
        assert_eq!((answer.status, answer.grpc_status()), (200, "14"), "no instance");
    }
    platform.stop().await;
}

#[tokio::test]
async fn frames_that_are_not_grpc_end_their_call_and_no_other() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut sender = raw::connect(platform.address).await;
    let key = platform.key("notification");
    let bad: [&[&[u8]]; 4] =
        [&[b"\x07\0\0\0\0"], &[b"\0\0\0\0\x05abc"], &[b"\0\0\0"], &[b"\0\0\0", b"\0\x02a"]];
    for body in bad {
        let request = raw::call(platform.address, SEND, &key);
        let answer = raw::exchange(&mut sender, request, body).await.expect("answered");
        assert_eq!(answer.grpc_status(), "3", "{body:?}");
        let request = raw::call(platform.address, SEND, &key);
        let good = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
        assert_eq!(good.grpc_status(), "0");
    }
    let mut request = raw::call(platform.address, SEND, &key);
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("soon"));
    let answer = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
    assert_eq!(answer.grpc_status(), "3");
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_message_in_many_small_pieces_arrives_whole() {
    use prost::Message;
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut sender = raw::connect(platform.address).await;
    let message = framed(&text("answer 40").encode_to_vec());
    let pieces: Vec<&[u8]> = message.chunks(1).collect();
    let request = raw::call(platform.address, SEND, &platform.key("notification"));
    let answer = raw::exchange(&mut sender, request, &pieces).await.expect("answered");
    assert_eq!(answer.grpc_status(), "0");
    assert!(answer.body.len() > 40);
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn resets_of_a_backend_become_statuses_by_the_table() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let table = [
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::PROTOCOL_ERROR, Code::Internal),
    ];
    for (number, (reason, expected)) in table.into_iter().enumerate() {
        let backend = RawBackend::start(100, move |request, mut respond| async move {
            let mut body = request.into_body();
            raw::read_all(&mut body).await;
            respond.send_reset(reason);
            Then::GoOn
        })
        .await;
        let instance = format!("raw-{number}");
        platform.register("sms", &instance, backend.address, &[SMS]).await;
        let mut client = SmsServiceClient::new(platform.channel("notification"));
        let status = client.send_sms(text("hello")).await.expect_err("reset");
        assert_eq!(status.code(), expected, "{reason:?}: {status:?}");
        deregister(&platform, &instance).await;
    }
    platform.stop().await;
}

async fn deregister(platform: &Platform, instance: &str) {
    use throughline_proto::gateway::v1 as proto;
    use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
    let instance_id = instance.to_owned();
    RegistryServiceClient::new(platform.channel("sms"))
        .deregister_instance(proto::DeregisterInstanceRequest { instance_id })
        .await
        .expect("deregistered");
}

#[tokio::test]
async fn after_a_connection_broke_nobody_claims_to_know_what_happened() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = RawBackend::start(100, |request, respond| async move {
        let mut body = request.into_body();
        raw::read_all(&mut body).await;
        Then::Break(Box::new(respond))
    })
    .await;
    platform.register("sms", "raw", backend.address, &[SMS]).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let status = client.send_sms(text("hello")).await.expect_err("broken");
    assert_eq!(Error::from_status(&status).reason, "OUTCOME_UNKNOWN");
    let outcome = CallOutcome::from_result(client.send_sms(text("hello")).await);
    assert!(matches!(outcome, CallOutcome::Unknown(_)), "{outcome:?}");
    platform.stop().await;
}

#[tokio::test]
async fn a_stream_that_broke_can_be_opened_again() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = RawBackend::start(100, |_request, mut respond| async move {
        let mut stream = respond.send_response(raw::grpc_headers(), false).expect("open");
        stream.send_data(framed(&[]), false).expect("send");
        tokio::time::sleep(Duration::from_millis(50)).await;
        Then::Break(Box::new(stream))
    })
    .await;
    platform.register("order", "raw", backend.address, &[ORDER]).await;
    let mut client = OrderServiceClient::new(platform.channel("operator"));
    for _ in 0..2 {
        let request = order::WatchOrderRequest::default();
        let mut stream = client.watch_order(request).await.expect("open").into_inner();
        assert!(stream.message().await.expect("fine").is_some());
        let status = stream.message().await.expect_err("broken");
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(Error::from_status(&status).reason, "STREAM_BROKEN");
    }
    platform.stop().await;
}

#[tokio::test]
async fn an_instance_that_cannot_be_reached_is_passed_over_and_nothing_was_sent() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let nobody = gone.local_addr().expect("an address");
    drop(gone);
    platform.register("sms", "gone", nobody, &[SMS]).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let status = client.send_sms(text("hello")).await.expect_err("unreachable");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(Error::from_status(&status).reason, "BACKEND_UNREACHABLE");
    let backend = start_sms(&platform).await;
    for _ in 0..20 {
        client.send_sms(text("hello")).await.expect("carried by the other");
    }
    backend.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_backend_may_answer_before_the_request_has_ended() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = RawBackend::start(100, |_request, mut respond| async move {
        let mut stream = respond.send_response(raw::grpc_headers(), false).expect("open");
        raw::finish(&mut stream);
        Then::GoOn
    })
    .await;
    platform.register("sms", "raw", backend.address, &[SMS]).await;
    let mut sender = raw::connect(platform.address).await;
    let request = raw::call(platform.address, SEND, &platform.key("notification"));
    let (response, mut stream) = sender.send_request(request, false).expect("sent");
    stream.send_data(framed(b""), false).expect("sent");
    let answer = Answer::read(response.await.expect("answered")).await.expect("whole");
    assert_eq!(answer.grpc_status(), "0");
    assert_eq!(answer.body, framed(b""));
    // The connection is still good.
    let request = raw::call(platform.address, SEND, &platform.key("notification"));
    let answer = raw::exchange(&mut sender, request, &[&framed(b"")]).await.expect("answered");
    assert_eq!(answer.grpc_status(), "0");
    platform.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_grpc_is_the_backends_fault() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = RawBackend::start(100, |_request, mut respond| async move {
        let mut stream = respond.send_response(raw::grpc_headers(), false).expect("open");
        stream.send_data(Bytes::from_static(b"\x09\0\0\0\0"), false).expect("send");
        std::future::pending::<()>().await;
        Then::GoOn
    })
    .await;
    platform.register("sms", "raw", backend.address, &[SMS]).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let status = client.send_sms(text("hello")).await.expect_err("malformed");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(Error::from_status(&status).reason, "RESPONSE_MALFORMED");
    platform.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_http_and_sudden_ends_do_no_harm() {
    use tokio::io::AsyncWriteExt;
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff"]
    {
        let mut stream = tokio::net::TcpStream::connect(platform.address).await.expect("connect");
        stream.write_all(bytes).await.expect("write");
        drop(stream);
    }
    for _ in 0..20 {
        let mut sender = raw::connect(platform.address).await;
        let request = raw::call(platform.address, SEND, &platform.key("notification"));
        let (_response, mut stream) = sender.send_request(request, false).expect("sent");
        stream.send_data(Bytes::from_static(b"\0\0"), false).expect("sent");
        stream.send_reset(Reason::CANCEL);
    }
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    client.send_sms(text("hello")).await.expect("carried");
    backend.stop().await;
    platform.stop().await;
}
