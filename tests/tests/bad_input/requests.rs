//! Bytes that are no request, and requests that are too large.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1::OrderState;
use throughline_tests::shopping::order;
use throughline_tests::world::World;
use tonic::Request;

use crate::wire::{encoded, refusal, send};

const ID: &str = "0191d7a0-0000-7000-8000-000000000001";
/// How long a peer that sent garbage is listened to.
const MAX_LISTEN_TIME: Duration = Duration::from_secs(20);

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_and_harm_nobody() {
    let world = World::start().await;
    let desk = &world.desk;
    let (channel, operator) = (&desk.channel, &desk.operator);
    for (client, method) in [
        (channel, "throughline.order.v1.OrderService/SubmitOrder"),
        (channel, "throughline.order.v1.OrderService/ListOrders"),
        (operator, "throughline.payment.v1.PaymentService/RecordReceipt"),
        (channel, "throughline.resource.v1.StockService/GetPool"),
        (channel, "throughline.product.v1.DecisionService/QuotePrice"),
        (channel, "throughline.notification.v1.NotificationService/SendNotification"),
    ] {
        for garbage in [
            // A length that goes beyond the end, a group that never ends, an invalid tag, text that is not UTF-8.
            &b"\x0a\xff\xff\xff\xff\x0f"[..],
            &b"\x0b"[..],
            &b"\x00\x00"[..],
            &b"\x0a\x02\xff\xfe"[..],
        ] {
            let sent = send(client, method, Request::new(Bytes::from_static(garbage))).await;
            let error = Error::from_status(&sent.expect_err("no message"));
            let found = (error.kind, error.reason.as_str());
            assert_eq!(
                found,
                (Kind::Invalid, "MESSAGE_MALFORMED"),
                "{method} {garbage:?}: {error}"
            );
        }
    }
    let done = desk.carry_out(order("after", &[("ears", "earphones", 1)])).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert_eq!(desk.orders().await.len(), 1);
    world.end().await;
}

fn submission(items: Vec<Value>, name: &str) -> Value {
    json!({
        "requestId": ID,
        "channelOrderId": "large",
        "customer": { "customerId": "c", "name": name },
        "currencyCode": "CNY",
        "items": items,
    })
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_with_the_name_of_the_limit() {
    let world = World::start().await;
    let desk = &world.desk;
    let item = json!({ "itemKey": "a", "offeringCode": "earphones", "quantity": "1" });
    for (megabytes, reason) in [(5, "the order center's"), (9, "the gateway's")] {
        let name = "x".repeat(megabytes << 20);
        let (path, bytes) =
            encoded("order.OrderService/SubmitOrder", submission(vec![item.clone()], &name));
        let sent = send(&desk.channel, &path, Request::new(bytes)).await;
        let error = Error::from_status(&sent.expect_err("too large"));
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Exhausted, "LIMIT_REACHED"), "{reason}: {error}");
        assert_eq!(error.metadata.get("limit").map(String::as_str), Some("max_message_bytes"));
    }
    assert_eq!(desk.orders().await, []);
    world.end().await;
}

#[tokio::test]
async fn too_many_items_are_refused_with_the_name_of_the_limit() {
    let world = World::start().await;
    let (channel, operator) = (&world.desk.channel, &world.desk.operator);
    let item = |n: usize| json!({ "itemKey": n.to_string(), "offeringCode": "earphones", "quantity": "1" });
    let submit = "order.OrderService/SubmitOrder";
    let error = refusal(channel, submit, submission((0..1_001).map(item).collect(), "n")).await;
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "ORDER_TOO_LARGE"));
    assert_eq!(error.metadata["limit"], "max_items_per_order");
    assert_eq!(error.metadata["items"], "1001");

    let line = |n: usize| json!({ "lineKey": n.to_string(), "offeringCode": "earphones", "quantity": "1" });
    let lines: Vec<Value> = (0..1_001).map(line).collect();
    let quote = json!({ "currencyCode": "CNY", "lines": lines });
    let error = refusal(channel, "product.DecisionService/QuotePrice", quote).await;
    assert_eq!(error.fields.first().map(|(path, _)| path.as_str()), Some("lines"), "{error}");

    let receipt = |n: usize| json!({ "poolCode": format!("p-{n}"), "kind": "POOL_KIND_COUNTED" });
    let receipts: Vec<Value> = (0..5_001).map(receipt).collect();
    let offering = |n: usize| json!({ "code": format!("o-{n}") });
    let offerings: Vec<Value> = (0..5_001).map(offering).collect();
    for (method, message, limit) in [
        (
            "resource.StockService/ReceiveStock",
            json!({ "requestId": ID, "receipts": receipts }),
            "max_receipts_per_request",
        ),
        (
            "product.CatalogService/ImportCatalog",
            json!({ "requestId": ID, "offerings": offerings }),
            "max_offerings_per_import",
        ),
    ] {
        let error = refusal(operator, method, message).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Exhausted, "LIMIT_REACHED"), "{method}");
        assert_eq!(error.metadata["limit"], limit);
    }
    world.end().await;
}

#[tokio::test]
async fn an_order_of_a_thousand_items_is_taken_and_carried_out() {
    let world = World::start().await;
    let desk = &world.desk;
    let names: Vec<String> = (0..1_000).map(|n| format!("line-{n}")).collect();
    let lines: Vec<(&str, &str, i64)> =
        names.iter().map(|name| (name.as_str(), "handset-a1", 1)).collect();
    let rejected = desk.carry_out(order("wholesale", &lines)).await;
    assert_eq!(rejected.failure.expect("a reason").reason, "INSUFFICIENT_STOCK");
    let seed = "
stock:
  receipts:
    - { poolCode: handset-a1, kind: POOL_KIND_COUNTED, quantity: 950 }
";
    desk.seed(seed).await;
    let done = desk.carry_out(order("wholesale again", &lines)).await;
    assert_eq!(done.state(), OrderState::Completed);
    assert_eq!(desk.units("handset-a1").await.used, 1_000);
    world.end().await;
}

/// Sends bytes on a connection of its own and listens until the gateway ends it, or says nothing more.
fn shout(address: &str, garbage: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(MAX_LISTEN_TIME)).expect("a timeout");
    // The gateway may hang up at any moment.
    if stream.write_all(garbage).is_ok() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[tokio::test]
async fn garbage_on_the_port_of_the_gateway_disturbs_nobody_else() {
    let world = World::start().await;
    let desk = &world.desk;
    let address = world.gateway_uri().trim_start_matches("http://").to_owned();
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let shouted = tokio::task::spawn_blocking(move || {
        shout(&address, &noise);
        shout(&address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        shout(&address, &[]);
        preface.extend_from_slice(&noise);
        shout(&address, &preface);
    });
    let done = desk.carry_out(order("undisturbed", &[("ears", "earphones", 1)])).await;
    assert_eq!(done.state(), OrderState::Completed);
    shouted.await.expect("all was said");
    let done = desk.carry_out(order("afterwards", &[("ears", "earphones", 1)])).await;
    assert_eq!(done.state(), OrderState::Completed);
    world.end().await;
}
