//! Short words for what is submitted, and for what an answer says.

use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_proto::event::v1::Event;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{FailurePolicy, ItemAction, StepState};
use throughline_proto::r#type::v1::Money;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;

/// How long the payer of these orders has, in seconds.
pub(crate) const PAYMENT_TTL_S: u64 = 900;

/// Says that a request comes from a channel, as the gateway would.
pub(crate) fn from_channel<M>(channel: &str, message: M) -> Request<M> {
    identified(message, channel, "CHANNEL", "")
}

/// Says that a request comes from a channel with rights.
pub(crate) fn with_rights<M>(channel: &str, rights: &str, message: M) -> Request<M> {
    identified(message, channel, "CHANNEL", rights)
}

/// Says that a request comes from the channel of most tests.
pub(crate) fn hall<M>(message: M) -> Request<M> {
    from_channel("hall", message)
}

/// Says that a request comes from an operator.
pub(crate) fn operator<M>(message: M) -> Request<M> {
    from_operator("olga", message)
}

/// Says that a request comes from the operator of that name.
pub(crate) fn from_operator<M>(name: &str, message: M) -> Request<M> {
    identified(message, name, "OPERATOR", "")
}

fn identified<M>(message: M, name: &str, kind: &str, rights: &str) -> Request<M> {
    let mut request = Request::new(message);
    for (key, value) in [("x-caller", name), ("x-caller-kind", kind), ("x-rights", rights)] {
        let value = AsciiMetadataValue::try_from(value).expect("ASCII");
        request.metadata_mut().insert(key, value);
    }
    request
}

pub(crate) fn item(key: &str, offering: &str, quantity: i64) -> proto::OrderItem {
    proto::OrderItem {
        item_key: key.to_owned(),
        offering_code: offering.to_owned(),
        quantity,
        action: ItemAction::Add.into(),
        ..Default::default()
    }
}

/// A line that comes back: of an order by the channel's number, or of none that we know, with a
/// reason.
pub(crate) fn returned(
    key: &str,
    offering: &str,
    quantity: i64,
    return_of: proto::ReturnOf,
) -> proto::OrderItem {
    proto::OrderItem {
        action: ItemAction::Delete.into(),
        return_of: Some(return_of),
        ..item(key, offering, quantity)
    }
}

pub(crate) fn of_order(number: &str) -> proto::ReturnOf {
    proto::ReturnOf { channel_order_id: number.to_owned(), reason: String::new() }
}

pub(crate) fn submission(items: Vec<proto::OrderItem>) -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest {
        request_id: new_request_id(),
        channel_order_id: new_request_id(),
        customer: Some(proto::Customer {
            customer_id: "customer-1".to_owned(),
            name: "Ada".to_owned(),
            phone: "+442079460000".to_owned(),
            locale: "en".to_owned(),
            address: "12 St James's Square".to_owned(),
        }),
        items,
        currency_code: "GBP".to_owned(),
        payment: Some(proto::PaymentInstruction {
            payment_channel: "sandbox".to_owned(),
            ttl: Some(span_to_proto(Duration::from_secs(PAYMENT_TTL_S))),
        }),
        failure_policy: FailurePolicy::Branch.into(),
        ..Default::default()
    }
}

/// Some mugs, at 8.50 each.
pub(crate) fn mugs(quantity: i64) -> proto::SubmitOrderRequest {
    submission(vec![item("mug", "mug", quantity)])
}

/// One plan, at 10.00.
pub(crate) fn one_plan() -> proto::SubmitOrderRequest {
    submission(vec![item("plan", "plan-4g", 1)])
}

/// Two plans, one broadband, one IP phone that requires the broadband: 140.00.
pub(crate) fn converged(policy: FailurePolicy) -> proto::SubmitOrderRequest {
    let items = vec![
        item("plan1", "plan-4g", 1),
        item("plan2", "plan-4g", 1),
        item("broadband", "broadband-100m", 1),
        item("phone", "ip-phone", 1),
    ];
    proto::SubmitOrderRequest { failure_policy: policy.into(), ..submission(items) }
}

pub(crate) fn gbp(minor_units: i64) -> Option<Money> {
    Some(Money { currency_code: "GBP".to_owned(), minor_units })
}

pub(crate) fn error<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> Error {
    Error::from_status(&result.expect_err("refused"))
}

pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> String {
    error(result).reason
}

/// Paths of the fields that a refusal names.
pub(crate) fn wrong_fields<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> Vec<String> {
    let error = error(result);
    assert_eq!(error.reason, "FIELD_INVALID");
    error.fields.into_iter().map(|(path, _)| path).collect()
}

pub(crate) fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.r#type.as_str()).collect()
}

/// Every step of an order with the lines of its business order; "" stands for the order's own.
pub(crate) fn steps(order: &proto::CustomerOrder) -> Vec<(String, &proto::Step)> {
    let own = order.steps.iter().map(|step| (String::new(), step));
    let theirs = order.business_orders.iter().flat_map(|business_order| {
        let keys = business_order.item_keys.join(",");
        business_order.steps.iter().map(move |step| (keys.clone(), step))
    });
    own.chain(theirs).collect()
}

/// A step by the lines of its business order ("" for the order's own) and its id.
pub(crate) fn step<'a>(order: &'a proto::CustomerOrder, of: &str, id: &str) -> &'a proto::Step {
    let found = steps(order).into_iter().find(|(keys, step)| keys == of && step.step_id == id);
    found.map(|(_, step)| step).unwrap_or_else(|| panic!("no step {id} of {of:?}: {order:#?}"))
}

/// Whether a step is there and stands so.
pub(crate) fn stands(order: &proto::CustomerOrder, of: &str, id: &str, state: StepState) -> bool {
    let mut all = steps(order).into_iter();
    all.any(|(keys, step)| keys == of && step.step_id == id && step.state() == state)
}

pub(crate) fn business_order<'a>(
    order: &'a proto::CustomerOrder,
    item_key: &str,
) -> &'a proto::BusinessOrder {
    let has = |one: &&proto::BusinessOrder| one.item_keys.iter().any(|key| key == item_key);
    order.business_orders.iter().find(has).expect("a business order delivers the line")
}

/// The state of each business order, by its first line.
pub(crate) fn business_states(order: &proto::CustomerOrder) -> Vec<(&str, &str)> {
    let short = |state: &'static str| state.trim_start_matches("BUSINESS_ORDER_STATE_");
    let all = order.business_orders.iter();
    all.map(|one| (one.item_keys[0].as_str(), short(one.state().as_str_name()))).collect()
}

/// Reads what an event of the order center says.
pub(crate) fn changed(event: &Event) -> proto::OrderChanged {
    let payload = event.payload.as_ref().expect("a payload");
    prost::Message::decode(payload.value.as_slice()).expect("OrderChanged")
}
