//! Names of what is not there: ids, methods, services, page tokens.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_kit::error::{Error, Kind};
use throughline_tests::world::World;
use tonic::Request;

use crate::wire::{refusal, send};

const REQUEST: &str = "0191d7a0-0000-7000-8000-000000000001";
const ORDER: &str = "ord_01jzzzzzzzzzzzzzzzzzzzzzzz";
/// Calls that name an order are recorded for it, also those that are refused; nothing else here names this one.
const UNTOLD_ORDER: &str = "ord_00jzzzzzzzzzzzzzzzzzzzzzzz";
const PAYMENT_ORDER: &str = "pay_01jzzzzzzzzzzzzzzzzzzzzzzz";
const ATTEMPT: &str = "att_01jzzzzzzzzzzzzzzzzzzzzzzz";
const REFUND: &str = "ref_01jzzzzzzzzzzzzzzzzzzzzzzz";
const RESERVATION: &str = "res_01jzzzzzzzzzzzzzzzzzzzzzzz";
const NOTIFICATION: &str = "ntf_01jzzzzzzzzzzzzzzzzzzzzzzz";

/// Methods that take an id alone: the method, the field, what stands in it, the reason of the refusal.
const READS: [(&str, &str, &str, &str); 17] = [
    ("order.OrderService/GetOrder", "orderId", ORDER, "ORDER_NOT_FOUND"),
    ("order.OrderService/GetOrder", "orderId", "1", "ORDER_NOT_FOUND"),
    ("order.OrderService/GetOrder", "channelOrderId", "x", "ORDER_NOT_FOUND"),
    ("order.OrderService/WatchOrder", "orderId", ORDER, "ORDER_NOT_FOUND"),
    ("order.OrderService/PreviewCancel", "orderId", ORDER, "ORDER_NOT_FOUND"),
    (PAYMENT, "paymentOrderId", PAYMENT_ORDER, "PAYMENT_ORDER_NOT_FOUND"),
    (PAYMENT, "paymentOrderId", "x", "PAYMENT_ORDER_NOT_FOUND"),
    ("payment.PaymentService/ResolveAttempt", "attemptId", ATTEMPT, "ATTEMPT_NOT_FOUND"),
    ("payment.PaymentService/GetRefund", "refundId", REFUND, "REFUND_NOT_FOUND"),
    ("resource.StockService/GetPool", "poolCode", "no-pool", "POOL_NOT_FOUND"),
    ("resource.StockService/ListItems", "poolCode", "no-pool", "POOL_NOT_FOUND"),
    ("resource.StockService/VerifyPool", "poolCode", "no-pool", "POOL_NOT_FOUND"),
    (RESERVED, "reservationId", RESERVATION, "RESERVATION_NOT_FOUND"),
    ("product.CatalogService/GetOffering", "code", "no-offering", "OFFERING_NOT_FOUND"),
    (MESSAGE, "notificationId", NOTIFICATION, "NOTIFICATION_NOT_FOUND"),
    ("gateway.TrajectoryService/GetTrajectory", "orderId", UNTOLD_ORDER, "TRAJECTORY_NOT_FOUND"),
    ("gateway.TrajectoryService/GetTrajectory", "orderId", "x", "TRAJECTORY_NOT_FOUND"),
];
const PAYMENT: &str = "payment.PaymentService/GetPaymentOrder";
const RESERVED: &str = "resource.ReservationService/GetReservation";
const MESSAGE: &str = "notification.NotificationService/GetNotification";

/// Methods that change something that is named by an id.
fn changes() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let cancel = json!({ "requestId": REQUEST, "orderId": ORDER, "reason": "r" });
    let cash = json!({
        "requestId": REQUEST, "paymentOrderId": PAYMENT_ORDER, "receiptNumber": "R-1",
        "amount": { "currencyCode": "CNY", "minorUnits": "1" },
    });
    let adjust =
        json!({ "requestId": REQUEST, "poolCode": "no-pool", "delta": "1", "reason": "r" });
    let send = json!({
        "requestId": REQUEST, "templateCode": "no.template", "recipientPhone": "+8613800000002",
    });
    let send_method = "notification.NotificationService/SendNotification";
    vec![
        ("order.OrderService/CancelOrder", cancel, ORDER, "ORDER_NOT_FOUND"),
        ("payment.PaymentService/RecordReceipt", cash, PAYMENT_ORDER, "PAYMENT_ORDER_NOT_FOUND"),
        ("resource.StockService/AdjustPool", adjust, "no-pool", "POOL_NOT_FOUND"),
        (send_method, send, "no.template", "TEMPLATE_NOT_FOUND"),
    ]
}

#[tokio::test]
async fn an_unknown_id_is_named_in_the_refusal() {
    let world = World::start().await;
    let reads = READS.map(|(method, field, id, reason)| (method, json!({ field: id }), id, reason));
    for (method, message, id, reason) in reads.into_iter().chain(changes()) {
        let error = refusal(&world.desk.operator, method, message).await;
        let place = format!("{method} {id}: {error}");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::NotFound, reason), "{place}");
        assert!(error.metadata.values().any(|value| value == id), "{place}: in the metadata");
        assert!(error.message.contains(id), "{place}: in the message");
    }
    world.end().await;
}

#[tokio::test]
async fn an_unknown_method_or_service_is_unimplemented_and_named() {
    let world = World::start().await;
    for method in [
        "throughline.order.v1.OrderService/SubmitOrders",
        "throughline.order.v2.OrderService/SubmitOrder",
        "throughline.stock.v1.OrderService/GetOrder",
        "OrderService/SubmitOrder",
        "a/b",
    ] {
        for client in [&world.desk.channel, &world.desk.operator] {
            let sent = send(client, method, Request::new(Bytes::new())).await;
            let error = Error::from_status(&sent.expect_err("nobody offers it"));
            let found = (error.kind, error.reason.as_str());
            assert_eq!(found, (Kind::Unimplemented, "METHOD_UNKNOWN"), "{method}");
            assert_eq!(error.metadata["method"], method);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_page_token_that_nobody_gave_out_is_refused() {
    let world = World::start().await;
    for method in [
        "order.OrderService/ListOrders",
        "payment.PaymentService/ListPaymentOrders",
        "payment.PaymentService/ListRefunds",
        "resource.ReservationService/ListReservations",
        "resource.StockService/ListMovements",
        "notification.NotificationService/ListNotifications",
        "simulator.SimulatorControlService/ListEffects",
    ] {
        for token in ["next", "zz", "00", "6e6f", "31"] {
            let message = json!({ "pageToken": token });
            if token == "31" && !method.ends_with("ListOrders") {
                // "1" is a place in a journal that is numbered.
                continue;
            }
            let error = refusal(&world.desk.operator, method, message).await;
            let found = (error.kind, error.reason.as_str());
            assert_eq!(found, (Kind::Invalid, "PAGE_TOKEN_INVALID"), "{method} {token}");
        }
    }
    world.end().await;
}
