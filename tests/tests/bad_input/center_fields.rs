//! Wrong values of fields at the other centers and the gateway: each is named by its path, and nothing happens.

use serde_json::{Value, json};
use throughline_kit::error::Kind;
use throughline_tests::traces::untouched;
use throughline_tests::world::World;

use crate::fields::{ID, check, paths, text, with};
use crate::wire::refusal;

const PAYMENT: &str = "pay_01jzzzzzzzzzzzzzzzzzzzzzzz";

#[tokio::test]
async fn a_wrong_field_is_named_by_the_payment_center() {
    let world = World::start().await;
    let good = json!({
        "requestId": ID, "paymentOrderId": PAYMENT, "receiptNumber": "R-1",
        "amount": { "currencyCode": "CNY", "minorUnits": "1" },
    });
    let table = [
        ("/requestId", json!("x"), "request_id"),
        ("/paymentOrderId", json!("ord_1"), "payment_order_id"),
        ("/receiptNumber", json!(""), "receipt_number"),
        ("/receiptNumber", text(65), "receipt_number"),
        ("/amount", Value::Null, "amount"),
        ("/amount/minorUnits", json!("0"), "amount.minor_units"),
        ("/amount/minorUnits", json!("-1"), "amount.minor_units"),
        ("/amount/currencyCode", json!("money"), "amount.currency_code"),
    ];
    let operator = &world.desk.operator;
    check(operator, "payment.PaymentService/RecordReceipt", &good, &table).await;
    let lists = [("/pageSize", json!(-1), "page_size")];
    for method in ["payment.PaymentService/ListPaymentOrders", "payment.PaymentService/ListRefunds"]
    {
        check(operator, method, &json!({}), &lists).await;
    }
    let state = [("/state", json!(99), "state")];
    check(operator, "payment.PaymentService/ListPaymentOrders", &json!({}), &state).await;
    world.end().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_by_the_resource_center() {
    let world = World::start().await;
    let operator = &world.desk.operator;
    let receipt = json!({ "poolCode": "cups", "kind": "POOL_KIND_COUNTED", "quantity": "1" });
    let good = json!({ "requestId": ID, "receipts": [receipt] });
    let table = [
        ("/requestId", json!("x"), "request_id"),
        ("/receipts", json!([]), "receipts"),
        ("/receipts", json!([receipt, receipt]), "receipts[1].pool_code"),
        ("/receipts/0/poolCode", json!(""), "receipts[0].pool_code"),
        ("/receipts/0/kind", json!(0), "receipts[0].kind"),
        ("/receipts/0/quantity", json!("-1"), "receipts[0].quantity"),
        ("/receipts/0/itemIds", json!(["i-1"]), "receipts[0].item_ids"),
        ("/receipts/0/name", text(201), "receipts[0].name"),
    ];
    check(operator, "resource.StockService/ReceiveStock", &good, &table).await;
    let good = json!({ "requestId": ID, "poolCode": "earphones", "delta": "1", "reason": "r" });
    let table = [
        ("/requestId", json!(""), "request_id"),
        ("/poolCode", json!(""), "pool_code"),
        ("/delta", json!("0"), "delta"),
        ("/delta", json!("1000000001"), "delta"),
        ("/reason", json!(""), "reason"),
    ];
    check(operator, "resource.StockService/AdjustPool", &good, &table).await;
    let page_size = [("/pageSize", json!(-1), "page_size")];
    for (method, good) in [
        ("resource.StockService/ListPools", json!({})),
        ("resource.StockService/ListItems", json!({ "poolCode": "msisdn" })),
        ("resource.StockService/ListMovements", json!({})),
        ("resource.ReservationService/ListReservations", json!({})),
    ] {
        check(operator, method, &good, &page_size).await;
    }
    assert_eq!(world.desk.units("earphones").await, untouched(200));
    world.end().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_by_the_product_center() {
    let world = World::start().await;
    let line = json!({ "lineKey": "a", "offeringCode": "earphones", "quantity": "1" });
    let good = json!({ "currencyCode": "CNY", "lines": [line] });
    let table = [
        ("/currencyCode", json!("cny"), "currency_code"),
        ("/lines", json!([]), "lines"),
        ("/lines", json!([line, line]), "lines[1].line_key"),
        ("/lines/0/lineKey", json!(""), "lines[0].line_key"),
        ("/lines/0/offeringCode", json!("no code"), "lines[0].offering_code"),
        ("/lines/0/quantity", json!("0"), "lines[0].quantity"),
        ("/lines/0/action", json!(99), "lines[0].action"),
    ];
    let (channel, operator) = (&world.desk.channel, &world.desk.operator);
    check(channel, "product.DecisionService/QuotePrice", &good, &table).await;
    let good = json!({ "lines": [line] });
    check(channel, "product.DecisionService/CheckConfiguration", &good, &table[1..]).await;
    let offering = json!({
        "code": "mug", "state": "OFFERING_STATE_ACTIVE", "names": { "en": "Mug" },
        "prices": [{
            "kind": "PRICE_KIND_ONE_OFF", "unitPrice": { "currencyCode": "CNY", "microUnits": "1" },
        }],
        "relations": [{ "kind": "RELATION_KIND_EXCLUDES", "offeringCode": "earphones" }],
        "resources": [{ "poolCode": "mugs", "quantity": "1" }],
        "addTemplate": "retail-goods",
    });
    let good = json!({ "requestId": ID, "offerings": [offering] });
    let table = [
        ("/requestId", json!(""), "request_id"),
        ("/offerings", json!([]), "offerings"),
        ("/offerings", json!([offering, offering]), "offerings[1].code"),
        ("/offerings/0/code", json!("a mug"), "offerings[0].code"),
        ("/offerings/0/state", json!(0), "offerings[0].state"),
        ("/offerings/0/names", json!({}), "offerings[0].names"),
        ("/offerings/0/addTemplate", json!(""), "offerings[0].add_template"),
        ("/offerings/0/prices/0/kind", json!(0), "offerings[0].prices[0].kind"),
        ("/offerings/0/prices/0/unitPrice", Value::Null, "offerings[0].prices[0].unit_price"),
        (
            "/offerings/0/relations/0/offeringCode",
            json!("mug"),
            "offerings[0].relations[0].offering_code",
        ),
        ("/offerings/0/resources/0/quantity", json!("0"), "offerings[0].resources[0].quantity"),
    ];
    check(operator, "product.CatalogService/ImportCatalog", &good, &table).await;
    let lists = [("/pageSize", json!(-1), "page_size")];
    check(channel, "product.CatalogService/ListOfferings", &json!({}), &lists).await;
    world.end().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_by_the_notification_center_and_the_gateway() {
    let world = World::start().await;
    let good = json!({
        "requestId": ID, "templateCode": "order.accepted", "recipientPhone": "+8613800000002",
        "variables": { "name": "n", "channel_order_id": "1" },
    });
    let table = [
        ("/requestId", json!(""), "request_id"),
        ("/templateCode", json!(""), "template_code"),
        ("/locale", text(36), "locale"),
        ("/orderId", text(65), "order_id"),
        ("/variables/name", text(501), "variables[name]"),
    ];
    let (channel, operator) = (&world.desk.channel, &world.desk.operator);
    let send = "notification.NotificationService/SendNotification";
    check(channel, send, &good, &table).await;
    for (pointer, value, reason, path) in [
        ("/recipientPhone", json!("13800000002"), "RECIPIENT_INVALID", "recipient_phone"),
        (
            "/variables",
            json!({ "name": "n" }),
            "TEMPLATE_VARIABLE_MISSING",
            "variables[channel_order_id]",
        ),
    ] {
        let error = refusal(channel, send, with(&good, pointer, &value)).await;
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, reason));
        assert_eq!(paths(&error), [path]);
        assert!(!error.message.contains("13800000002"), "phones are not repeated in errors");
    }
    let lists = [("/pageSize", json!(-1), "page_size"), ("/state", json!(99), "state")];
    check(operator, "notification.NotificationService/ListNotifications", &json!({}), &lists[..1])
        .await;
    check(operator, "notification.NotificationService/ListNotifications", &json!({}), &lists[1..])
        .await;
    let table = [
        ("/name", json!("Shop"), "name"),
        ("/name", text(65), "name"),
        ("/methodGrants", json!(["everything"]), "method_grants[0]"),
        ("/requestId", json!("x"), "request_id"),
    ];
    let good = json!({ "name": "shop", "requestId": ID });
    check(operator, "gateway.AccessService/CreateChannel", &good, &table[1..]).await;
    let error =
        refusal(operator, "gateway.AccessService/CreateChannel", with(&good, "/name", &table[0].1))
            .await;
    assert!(
        paths(&error).iter().all(|path| *path == "name") && !error.fields.is_empty(),
        "{error}"
    );
    let trajectory = [("/orderId", json!(""), "order_id")];
    check(operator, "gateway.TrajectoryService/GetTrajectory", &json!({}), &trajectory).await;
    world.end().await;
}
