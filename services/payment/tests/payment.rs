//! What the contract of the payment center promises, on a real socket, on each database.

/// Runs a test on each database, and fails it on a warning that it does not expect.
macro_rules! on_each_database {
    ($name:ident, expecting $expected:literal, $test:expr) => {
        #[tokio::test]
        async fn $name() {
            let expected = [crate::fixture::NO_REGISTRY, $expected];
            let _log = throughline_kit::testing::no_unexpected_warnings(&expected);
            for database in throughline_kit::testing::each_database().await {
                let started = crate::fixture::Center::start(&database.config).await;
                let center: crate::fixture::Center = $test(started).await;
                center.stop().await;
            }
        }
    };
    ($name:ident, $test:expr) => {
        on_each_database!($name, expecting "register at the gateway", $test);
    };
}

#[path = "payment/attempts.rs"]
mod attempts;
#[path = "payment/closing.rs"]
mod closing;
#[path = "payment/crashes.rs"]
mod crashes;
#[path = "payment/fixture.rs"]
mod fixture;
#[path = "payment/refunds.rs"]
mod refunds;
#[path = "payment/stand_in.rs"]
mod stand_in;

use fixture::{
    Center, ORDER, attempt, creation, gbp, giving_back, kinds, last_outcome, reason, wrong_fields,
};
use throughline_kit::id::new_request_id;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::{AttemptOutcome, PaymentOrderState};

on_each_database!(a_purchase_is_charged_once_and_announced, async |mut center: Center| {
    let order = center.paid(1_250).await;
    assert_eq!((order.captured.clone(), order.refunded.clone()), (gbp(1_250), gbp(0)));
    assert_eq!(last_outcome(&order), AttemptOutcome::Succeeded);
    assert_eq!(center.channel.totals(), (1, 1, 1_250));
    let events = center.events_until("payment.captured").await;
    assert_eq!(kinds(&events), ["payment.created", "payment.attempted", "payment.captured"]);
    assert!(events.iter().all(|event| event.subject == order.payment_order_id));
    center
});

on_each_database!(every_wrong_field_is_named_by_its_path, async |center: Center| {
    let mut client = center.client.clone();
    let fields = wrong_fields(
        client.create_payment_order(proto::CreatePaymentOrderRequest::default()).await,
    );
    assert_eq!(fields, ["request_id", "order_id", "reference", "payer_id", "amount", "ttl"]);
    let mut wrong = creation(0);
    wrong.payer_id = "x".repeat(65);
    let fields = wrong_fields(client.create_payment_order(wrong).await);
    assert_eq!(fields, ["payer_id", "amount.minor_units"]);
    let mut wrong = creation(5);
    wrong.amount.as_mut().expect("set").currency_code = "pounds".to_owned();
    assert_eq!(wrong_fields(client.create_payment_order(wrong).await), ["amount.currency_code"]);

    let wrong = proto::StartAttemptRequest { capture_mode: 9, ..Default::default() };
    let fields = wrong_fields(client.start_attempt(wrong).await);
    assert_eq!(fields, ["request_id", "payment_order_id", "payment_channel", "capture_mode"]);
    let fields =
        wrong_fields(client.capture_payment(proto::CapturePaymentRequest::default()).await);
    assert_eq!(fields, ["request_id", "payment_order_id", "amount"]);
    let fields =
        wrong_fields(client.close_payment_order(proto::ClosePaymentOrderRequest::default()).await);
    assert_eq!(fields, ["request_id", "payment_order_id"]);
    let fields = wrong_fields(client.record_receipt(proto::RecordReceiptRequest::default()).await);
    assert_eq!(fields, ["request_id", "payment_order_id", "amount", "receipt_number"]);
    let fields = wrong_fields(client.create_refund(proto::CreateRefundRequest::default()).await);
    assert_eq!(fields, ["request_id", "payer_id", "order_id", "reason", "amount"]);
    let hint = proto::HandleChannelEventRequest { reference: "x".to_owned(), ..Default::default() };
    assert_eq!(wrong_fields(client.handle_channel_event(hint).await), ["reference"]);
    let list = proto::ListPaymentOrdersRequest { page_size: -1, ..Default::default() };
    assert_eq!(wrong_fields(client.list_payment_orders(list).await), ["page_size"]);
    center
});

on_each_database!(what_is_not_there_is_not_found, async |center: Center| {
    let mut client = center.client.clone();
    let nowhere = "pay_00000000000000000000000000";
    for id in [nowhere, "nonsense"] {
        let get = proto::GetPaymentOrderRequest { payment_order_id: id.to_owned() };
        assert_eq!(reason(client.get_payment_order(get).await), "PAYMENT_ORDER_NOT_FOUND");
    }
    let start = client.start_attempt(attempt(nowhere, "sandbox")).await;
    assert_eq!(reason(start), "PAYMENT_ORDER_NOT_FOUND");
    let refund = client.create_refund(giving_back(nowhere, 1)).await;
    assert_eq!(reason(refund), "PAYMENT_ORDER_NOT_FOUND");
    let resolve = proto::ResolveAttemptRequest { attempt_id: "att_x".to_owned() };
    assert_eq!(reason(client.resolve_attempt(resolve).await), "ATTEMPT_NOT_FOUND");
    let get = proto::GetRefundRequest { refund_id: "ref_x".to_owned() };
    assert_eq!(reason(client.get_refund(get).await), "REFUND_NOT_FOUND");
    let reference = "ref_00000000000000000000000000".to_owned();
    let hint = proto::HandleChannelEventRequest { reference, order_id: ORDER.to_owned() };
    assert_eq!(reason(client.handle_channel_event(hint).await), "REFERENCE_NOT_FOUND");
    center
});

on_each_database!(a_repeated_request_has_one_effect, async |mut center: Center| {
    let create = creation(700);
    let first = center.client.create_payment_order(create.clone()).await.expect("create");
    let again = center.client.create_payment_order(create.clone()).await.expect("repeat");
    assert_eq!(first.get_ref(), again.get_ref());
    let id = first.into_inner().payment_order.expect("one").payment_order_id;
    let other =
        proto::CreatePaymentOrderRequest { payer_id: "payer-2".to_owned(), ..create.clone() };
    assert_eq!(reason(center.client.create_payment_order(other).await), "REQUEST_ID_REUSED");
    let taken = proto::CreatePaymentOrderRequest { request_id: new_request_id(), ..create };
    assert_eq!(reason(center.client.create_payment_order(taken).await), "REFERENCE_TAKEN");

    let start = attempt(&id, "sandbox");
    for _ in 0..3 {
        let tried = center.client.start_attempt(start.clone()).await.expect("start").into_inner();
        assert_eq!(tried.payment_order.expect("one").state(), PaymentOrderState::Paid);
    }
    assert_eq!(center.channel.calls("Charge"), 1);
    let other = proto::StartAttemptRequest { payment_channel: "counter".to_owned(), ..start };
    assert_eq!(reason(center.client.start_attempt(other).await), "REQUEST_ID_REUSED");
    let unknown = center.client.start_attempt(attempt(&id, "seashells")).await;
    assert_eq!(reason(unknown), "CHANNEL_UNKNOWN");

    let refund = giving_back(&id, 300);
    let first = center.refund(refund.clone()).await.expect("refund");
    assert_eq!(center.refund(refund).await.expect("repeat"), first);
    assert_eq!((center.channel.calls("Refund"), center.channel.totals().2), (1, 400));
    center
});

on_each_database!(lists_are_paged_newest_first, async |mut center: Center| {
    let mut made = Vec::new();
    for _ in 0..5 {
        center.advance(1);
        made.push(center.create(100).await.payment_order_id);
    }
    made.reverse();
    center.try_on(&made[1], "sandbox").await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListPaymentOrdersRequest {
            order_id: ORDER.to_owned(),
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = center.client.list_payment_orders(request).await.expect("list").into_inner();
        seen.extend(page.payment_orders.into_iter().map(|order| order.payment_order_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, made);
    let state = PaymentOrderState::Paid.into();
    let request = proto::ListPaymentOrdersRequest { state, ..Default::default() };
    let paid = center.client.list_payment_orders(request).await.expect("list").into_inner();
    assert_eq!(paid.payment_orders.len(), 1);
    assert_eq!(paid.payment_orders[0].attempts.len(), 1);

    let refund = center.refund(giving_back(&made[1], 10)).await.expect("refund");
    for order_id in [ORDER.to_owned(), String::new()] {
        let request = proto::ListRefundsRequest { order_id, ..Default::default() };
        let refunds = center.client.list_refunds(request).await.expect("list").into_inner();
        assert_eq!(refunds.refunds, std::slice::from_ref(&refund));
    }
    center
});
