//! A request id that comes again: with the same content it gets the first answer, with other content it is refused.

use serde_json::{Value, json};
use throughline_kit::client::GatewayClient;
use throughline_kit::error::Kind;
use throughline_proto::order::v1::OrderState;
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::traces::Units;
use throughline_tests::world::World;

use crate::wire::{call, refusal};

const ID: &str = "0191d7a0-0000-7000-8000-000000000001";
const OTHER_ID: &str = "0191d7a0-0000-7000-8000-000000000002";

/// Sends a request twice, then with other content under the same id.
async fn check(client: &GatewayClient, method: &str, first: Value, other: Value) {
    let answer = call(client, method, first.clone()).await.expect(method);
    let again = call(client, method, first).await.expect(method);
    assert_eq!(again, answer, "{method}: the first answer");
    for _ in 0..2 {
        let error = refusal(client, method, other.clone()).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Invalid, "REQUEST_ID_REUSED"), "{method}");
    }
}

fn submission(number: &str, units: i64) -> Value {
    json!({
        "requestId": ID,
        "channelOrderId": number,
        "customer": { "customerId": "c" },
        "currencyCode": "CNY",
        "items": [{ "itemKey": "a", "offeringCode": "earphones", "quantity": units.to_string() }],
    })
}

#[tokio::test]
async fn an_order_that_reuses_a_request_id_or_a_number_is_refused_and_only_the_first_is_sold() {
    let world = World::start().await;
    let desk = &world.desk;
    let submit = "order.OrderService/SubmitOrder";
    check(&desk.channel, submit, submission("first", 1), submission("other", 2)).await;
    let mut same_number = submission("first", 2);
    same_number["requestId"] = json!(OTHER_ID);
    let error = refusal(&desk.channel, submit, same_number).await;
    let found = (error.kind, error.reason.as_str());
    assert_eq!(found, (Kind::AlreadyExists, "CHANNEL_ORDER_ID_TAKEN"));
    assert_eq!(error.metadata["channel_order_id"], "first");
    desk.books_add_up().await;
    assert_eq!(desk.orders().await.len(), 1);
    let sold = Units { available: 199, held: 0, used: 1, quarantined: 0 };
    assert_eq!(desk.units("earphones").await, sold);
    world.end().await;
}

/// An order that waits at the counter.
async fn waiting(desk: &Desk, customer: &str) -> (String, String) {
    let ttl = std::time::Duration::from_secs(600);
    let request = at_the_counter(order(customer, &[("ears", "earphones", 1)]), ttl);
    let order_id = desk.submit(request).await;
    let order = desk.until(&order_id, "its payer", |o| o.state() == OrderState::Pending).await;
    (order_id, order.payment_order_id)
}

#[tokio::test]
async fn a_receipt_and_a_cancel_that_reuse_a_request_id_are_refused() {
    let world = World::start().await;
    let desk = &world.desk;
    let (paid, owed) = waiting(desk, "pays").await;
    let cash = |number: &str| {
        json!({
            "requestId": ID, "paymentOrderId": owed, "receiptNumber": number,
            "amount": { "currencyCode": "CNY", "minorUnits": "9950" },
        })
    };
    check(&desk.operator, "payment.PaymentService/RecordReceipt", cash("R-1"), cash("R-2")).await;
    assert_eq!(desk.end_of(&paid).await.state(), OrderState::Completed);
    let (cancelled, _) = waiting(desk, "leaves").await;
    let (kept, _) = waiting(desk, "stays").await;
    let cancel = |order_id: &str| json!({ "requestId": ID, "orderId": order_id, "reason": "r" });
    check(&desk.channel, "order.OrderService/CancelOrder", cancel(&cancelled), cancel(&kept)).await;
    assert_eq!(desk.end_of(&cancelled).await.state(), OrderState::Cancelled);
    assert_eq!(desk.order(&kept).await.state(), OrderState::Pending, "it was not touched");
    desk.cancel(&kept, "the test is over").await.expect("cancelled");
    world.end().await;
}

#[tokio::test]
async fn stock_offerings_and_messages_that_reuse_a_request_id_are_refused() {
    let world = World::start().await;
    let desk = &world.desk;
    let receive = |units: &str| {
        let receipt = json!({ "poolCode": "cups", "kind": "POOL_KIND_COUNTED", "quantity": units });
        json!({ "requestId": ID, "receipts": [receipt] })
    };
    let operator = &desk.operator;
    check(operator, "resource.StockService/ReceiveStock", receive("5"), receive("6")).await;
    let adjust = |delta: &str| json!({ "requestId": OTHER_ID, "poolCode": "cups", "delta": delta, "reason": "counted" });
    check(operator, "resource.StockService/AdjustPool", adjust("-1"), adjust("-2")).await;
    let cups = Units { available: 4, held: 0, used: 0, quarantined: 0 };
    assert_eq!(desk.units("cups").await, cups, "received once, corrected once");
    let import = |name: &str| {
        let offering = json!({
            "code": "cup", "state": "OFFERING_STATE_ACTIVE", "names": { "en": name },
            "addTemplate": "retail-goods",
        });
        json!({ "requestId": ID, "offerings": [offering] })
    };
    check(operator, "product.CatalogService/ImportCatalog", import("Cup"), import("Mug")).await;
    let send = |name: &str| {
        json!({
            "requestId": ID, "templateCode": "order.accepted", "recipientPhone": "+8613800000002",
            "variables": { "name": name, "channel_order_id": "1" },
        })
    };
    let method = "notification.NotificationService/SendNotification";
    check(&desk.channel, method, send("Ann"), send("Ben")).await;
    let sent = throughline_kit::testing::eventually("the message", || async {
        let sent = desk.effects("sms").await;
        (!sent.is_empty()).then_some(sent)
    });
    assert_eq!(sent.await.len(), 1, "one message left");
    world.end().await;
}

#[tokio::test]
async fn a_request_id_belongs_to_one_caller_at_one_center() {
    let world = World::start().await;
    let (channel, operator) = (&world.desk.channel, &world.desk.operator);
    let message = |name: &str| {
        json!({
            "requestId": ID, "templateCode": "order.accepted", "recipientPhone": "+8613800000002",
            "variables": { "name": name, "channel_order_id": "1" },
        })
    };
    let send = "notification.NotificationService/SendNotification";
    call(channel, "order.OrderService/SubmitOrder", submission("n", 1)).await.expect("an order");
    call(channel, send, message("Ann")).await.expect("at another center");
    call(operator, send, message("Ben")).await.expect("of another caller");
    let adjust = json!({ "requestId": ID, "poolCode": "sim", "delta": "1", "reason": "counted" });
    call(operator, "resource.StockService/AdjustPool", adjust).await.expect("a correction");
    let receive = json!({ "requestId": ID, "receipts": [{ "poolCode": "x", "kind": 1 }] });
    let error = refusal(operator, "resource.StockService/ReceiveStock", receive).await;
    assert_eq!(error.reason, "REQUEST_ID_REUSED", "another method is other content");
    world.end().await;
}
