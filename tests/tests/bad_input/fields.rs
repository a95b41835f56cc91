//! Wrong values in the fields of orders: each is named by its path, and no order is taken.

use serde_json::{Value, json};
use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_tests::desk::Desk;
use throughline_tests::world::World;

use crate::wire::refusal;

/// A good request id.
pub(crate) const ID: &str = "0191d7a0-0000-7000-8000-000000000001";

/// One value of a good request that is not as the contract says: where, what, and the path in the answer.
pub(crate) type Wrong = (&'static str, Value, &'static str);

/// Puts a value into a message, by its JSON pointer.
pub(crate) fn with(message: &Value, pointer: &str, value: &Value) -> Value {
    let mut changed = message.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = changed.pointer_mut(parent).expect("a place in the message");
    match key.parse::<usize>() {
        Ok(index) if parent.is_array() => parent[index] = value.clone(),
        Ok(_) | Err(_) => parent[key] = value.clone(),
    }
    changed
}

/// The fields that an error names.
pub(crate) fn paths(error: &Error) -> Vec<&str> {
    error.fields.iter().map(|(path, _)| path.as_str()).collect()
}

/// Checks that each wrong value is refused, and named by its path and nothing else.
pub(crate) async fn check(client: &GatewayClient, method: &str, good: &Value, table: &[Wrong]) {
    let center = method.split('.').next().expect("center.Service/Method");
    for (pointer, value, path) in table {
        let error = refusal(client, method, with(good, pointer, value)).await;
        let place = format!("{method} {pointer} = {value}: {error}");
        assert_eq!(
            (error.kind, error.reason.as_str()),
            (Kind::Invalid, "FIELD_INVALID"),
            "{place}"
        );
        assert_eq!(error.domain, center, "{place}");
        assert_eq!(paths(&error), [*path], "{place}");
        assert!(error.fields.iter().all(|(_, wrong)| !wrong.is_empty()), "{place}");
    }
}

/// A text of so many characters.
pub(crate) fn text(length: usize) -> Value {
    "x".repeat(length).into()
}

fn submission() -> Value {
    json!({
        "requestId": ID,
        "channelOrderId": "n-1",
        "customer": { "customerId": "c", "name": "n", "phone": "+8613800000002", "locale": "en" },
        "currencyCode": "CNY",
        "payment": { "paymentChannel": "sandbox", "ttl": "60s" },
        "items": [{ "itemKey": "a", "offeringCode": "earphones", "quantity": "1" }],
    })
}

async fn orders(desk: &Desk) {
    let item = json!({ "itemKey": "a", "offeringCode": "earphones", "quantity": "1" });
    let price =
        |currency: &str, micro: &str| json!({ "currencyCode": currency, "microUnits": micro });
    let submit = [
        ("/requestId", json!(""), "request_id"),
        ("/requestId", json!("1234"), "request_id"),
        ("/channelOrderId", json!(""), "channel_order_id"),
        ("/channelOrderId", text(65), "channel_order_id"),
        ("/channelOrderId", json!("a\u{0}b"), "channel_order_id"),
        ("/customer", Value::Null, "customer"),
        ("/customer/customerId", json!(""), "customer.customer_id"),
        ("/customer/name", text(201), "customer.name"),
        ("/customer/phone", json!("13800000002"), "customer.phone"),
        ("/customer/phone", json!("+86 138"), "customer.phone"),
        ("/customer/locale", text(36), "customer.locale"),
        ("/customer/address", text(501), "customer.address"),
        ("/currencyCode", json!(""), "currency_code"),
        ("/currencyCode", json!("cny"), "currency_code"),
        ("/currencyCode", json!("CNYX"), "currency_code"),
        ("/payment/ttl", json!("0.999s"), "payment.ttl"),
        ("/payment/ttl", json!("86401s"), "payment.ttl"),
        ("/payment/ttl", json!("-5s"), "payment.ttl"),
        ("/payment/paymentChannel", text(33), "payment.payment_channel"),
        ("/failurePolicy", json!(99), "failure_policy"),
        ("/items", json!([]), "items"),
        ("/items", json!([item, item]), "items[1].item_key"),
        ("/items/0/itemKey", json!("a b"), "items[0].item_key"),
        ("/items/0/itemKey", text(33), "items[0].item_key"),
        ("/items/0/offeringCode", json!(""), "items[0].offering_code"),
        ("/items/0/quantity", json!("0"), "items[0].quantity"),
        ("/items/0/quantity", json!("-1"), "items[0].quantity"),
        ("/items/0/quantity", json!("1000001"), "items[0].quantity"),
        ("/items/0/action", json!(99), "items[0].action"),
        ("/items/0/action", json!("ITEM_ACTION_DELETE"), "items[0].return_of"),
        ("/items/0/returnOf", json!({ "reason": "x" }), "items[0].return_of"),
        ("/items/0/agreedUnitPrice", price("GBP", "1"), "items[0].agreed_unit_price"),
        ("/items/0/agreedUnitPrice", price("CNY", "-1"), "items[0].agreed_unit_price"),
        ("/items/0/characteristics", json!({ "": "x" }), "items[0].characteristics[]"),
        ("/items/0/characteristics", json!({ "k": text(201) }), "items[0].characteristics[k]"),
    ];
    check(&desk.channel, "order.OrderService/SubmitOrder", &submission(), &submit).await;
    let mut comes_back = submission();
    comes_back["items"][0]["action"] = json!("ITEM_ACTION_DELETE");
    let returned = [
        ("/items/0/returnOf", json!({}), "items[0].return_of.reason"),
        ("/items/0/returnOf", json!({ "reason": text(201) }), "items[0].return_of.reason"),
        (
            "/items/0/returnOf",
            json!({ "channelOrderId": text(65) }),
            "items[0].return_of.channel_order_id",
        ),
    ];
    check(&desk.channel, "order.OrderService/SubmitOrder", &comes_back, &returned).await;
    let cancel = json!({ "requestId": ID, "orderId": "ord_1", "reason": "r" });
    let cancels = [
        ("/requestId", json!("x"), "request_id"),
        ("/reason", json!(""), "reason"),
        ("/reason", text(201), "reason"),
    ];
    check(&desk.channel, "order.OrderService/CancelOrder", &cancel, &cancels).await;
    let lists = [
        ("/pageSize", json!(-1), "page_size"),
        ("/customerId", text(65), "customer_id"),
        ("/state", json!(99), "state"),
        ("/channel", text(65), "channel"),
    ];
    check(&desk.channel, "order.OrderService/ListOrders", &json!({}), &lists).await;
}

#[tokio::test]
async fn a_wrong_field_of_an_order_is_named_by_its_path_and_the_order_is_not_taken() {
    let world = World::start().await;
    orders(&world.desk).await;
    assert_eq!(world.desk.orders().await, []);
    world.end().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let world = World::start().await;
    let wrong = json!({
        "requestId": "x",
        "items": [
            { "itemKey": "a", "offeringCode": "earphones", "quantity": "1" },
            { "itemKey": "a", "offeringCode": "", "quantity": "0" },
        ],
    });
    let error = refusal(&world.desk.channel, "order.OrderService/SubmitOrder", wrong).await;
    let mut named = paths(&error);
    named.sort_unstable();
    let expected = [
        "channel_order_id",
        "currency_code",
        "customer",
        "items[1].item_key",
        "items[1].offering_code",
        "items[1].quantity",
        "request_id",
    ];
    assert_eq!(named, expected);
    world.end().await;
}
