//! Orders in code, over the offerings of the telecom sample.

use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1::{
    Customer, FailurePolicy, ItemAction, OrderItem, PaymentInstruction, ReturnOf,
    SubmitOrderRequest,
};

/// The telecom catalog and its stock.
pub const TELECOM: &str = include_str!("../../deploy/throughline/samples/telecom.yaml");

/// An order of a customer: (line, offering, units). Its number is the customer's name, so that a test reads well.
pub fn order(customer: &str, lines: &[(&str, &str, i64)]) -> SubmitOrderRequest {
    let items = lines.iter().map(|(key, offering, units)| item(key, offering, *units)).collect();
    SubmitOrderRequest {
        request_id: derived_uuid(&["order of a test", customer]).to_string(),
        channel_order_id: customer.to_owned(),
        customer: Some(Customer {
            customer_id: customer.to_owned(),
            name: "Alex Example".to_owned(),
            phone: "+8613800000002".to_owned(),
            locale: "en".to_owned(),
            address: "2 Example Road, Shanghai".to_owned(),
        }),
        items,
        currency_code: "CNY".to_owned(),
        payment: None,
        failure_policy: FailurePolicy::Branch.into(),
        ..Default::default()
    }
}

fn item(key: &str, offering: &str, units: i64) -> OrderItem {
    OrderItem {
        item_key: key.to_owned(),
        offering_code: offering.to_owned(),
        quantity: units,
        action: ItemAction::Add.into(),
        ..OrderItem::default()
    }
}

/// Two mobile plans, a broadband line and a fixed line that needs the broadband: 140 CNY once.
pub fn converged(customer: &str, policy: FailurePolicy) -> SubmitOrderRequest {
    let lines = [
        ("plan-1", "plan-4g-59", 1),
        ("plan-2", "plan-4g-59", 1),
        ("broadband", "broadband-100m", 1),
        ("phone", "ip-phone", 1),
    ];
    SubmitOrderRequest { failure_policy: policy.into(), ..order(customer, &lines) }
}

/// Takes the lines back: those of an earlier order, or with a reason those of none.
pub fn back(
    customer: &str,
    lines: &[(&str, &str, i64)],
    return_of: &ReturnOf,
) -> SubmitOrderRequest {
    let mut request = order(customer, lines);
    for item in &mut request.items {
        item.action = ItemAction::Delete.into();
        item.return_of = Some(return_of.clone());
    }
    request
}

/// What an earlier order sold.
pub fn of_order(number: &str) -> ReturnOf {
    ReturnOf { channel_order_id: number.to_owned(), reason: String::new() }
}

/// What nobody knows of.
pub fn of_nothing(reason: &str) -> ReturnOf {
    ReturnOf { channel_order_id: String::new(), reason: reason.to_owned() }
}

/// The same order, paid at the counter within a time.
pub fn at_the_counter(request: SubmitOrderRequest, ttl: Duration) -> SubmitOrderRequest {
    let payment =
        PaymentInstruction { payment_channel: "counter".to_owned(), ttl: Some(span_to_proto(ttl)) };
    SubmitOrderRequest { payment: Some(payment), ..request }
}
