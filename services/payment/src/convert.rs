//! Protobuf ⇄ domain. Requests are parsed once, and every wrong field is named by its path.

use std::time::Duration;

use throughline_kit::clock::span_from_proto;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::money::{Money, MoneyError};
use throughline_proto::payment::v1 as proto;
use throughline_proto::r#type::v1::Money as MoneyMessage;

use crate::attempt::{AttemptId, CaptureMode, ChannelName};
use crate::error::{DOMAIN, Refusal};
use crate::payment_order::PaymentOrderId;
use crate::refund::RefundId;

mod answer;
mod request;

pub(crate) use answer::{payment_order, refund};
pub(crate) use request::{Creation, OnOrder, Receipt, Reference, RefundWish, Try};

/// Characters of ids and references that callers choose.
const MAX_NAME: usize = 64;
/// Characters of the reason of a refund.
const MAX_REASON: usize = 200;
/// Shortest and longest time to pay.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(24 * 3600);
/// Largest amount in minor units: sums of all attempts of a payment order stay far from overflow.
const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000_000;

pub(crate) fn creation(request: &proto::CreatePaymentOrderRequest) -> Result<Creation, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    wrong.length("order_id", &request.order_id, 1, MAX_NAME);
    wrong.length("reference", &request.reference, 1, MAX_NAME);
    wrong.length("payer_id", &request.payer_id, 1, MAX_NAME);
    let amount = amount(&mut wrong, request.amount.as_ref());
    let ttl = span_from_proto(request.ttl.as_ref())
        .filter(|ttl| (MIN_TTL..=MAX_TTL).contains(ttl))
        .ok_or("must be 1 s to 24 h");
    let ttl = wrong.take("ttl", ttl);
    let (request_id, amount, ttl) = all(wrong, || Some((request_id?, amount?, ttl?)))?;
    let proto::CreatePaymentOrderRequest { order_id, reference, payer_id, .. } = request.clone();
    Ok(Creation { request_id, order_id, reference, payer_id, amount, ttl })
}

pub(crate) fn start_attempt(request: &proto::StartAttemptRequest) -> Result<Try, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let ids = ids(&mut wrong, &request.request_id, &request.payment_order_id);
    wrong.length("payment_channel", &request.payment_channel, 1, MAX_NAME);
    let mode = match proto::CaptureMode::try_from(request.capture_mode) {
        Ok(proto::CaptureMode::Unspecified | proto::CaptureMode::Automatic) => {
            Ok(CaptureMode::Automatic)
        }
        Ok(proto::CaptureMode::Manual) if request.payment_channel == "counter" => {
            Err("must be AUTOMATIC at the counter")
        }
        Ok(proto::CaptureMode::Manual) => Ok(CaptureMode::Manual),
        Err(_) => Err("is not a capture mode"),
    };
    let mode = wrong.take("capture_mode", mode);
    let ((request_id, payment_order_id), mode) = all(wrong, || Some((ids?, mode?)))?;
    let channel = ChannelName::parse(&request.payment_channel)
        .ok_or_else(|| Refusal::ChannelUnknown { channel: request.payment_channel.clone() })?;
    Ok(Try { request_id, payment_order_id, channel, mode })
}

pub(crate) fn capture(request: &proto::CapturePaymentRequest) -> Result<OnOrder<Money>, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let ids = ids(&mut wrong, &request.request_id, &request.payment_order_id);
    let amount = amount(&mut wrong, request.amount.as_ref());
    let ((request_id, payment_order_id), what) = all(wrong, || Some((ids?, amount?)))?;
    Ok(OnOrder { request_id, payment_order_id, what })
}

pub(crate) fn close(request: &proto::ClosePaymentOrderRequest) -> Result<OnOrder<()>, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let ids = ids(&mut wrong, &request.request_id, &request.payment_order_id);
    let (request_id, payment_order_id) = all(wrong, || ids)?;
    Ok(OnOrder { request_id, payment_order_id, what: () })
}

pub(crate) fn receipt(request: &proto::RecordReceiptRequest) -> Result<OnOrder<Receipt>, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let ids = ids(&mut wrong, &request.request_id, &request.payment_order_id);
    let amount = amount(&mut wrong, request.amount.as_ref());
    wrong.length("receipt_number", &request.receipt_number, 1, MAX_NAME);
    let ((request_id, payment_order_id), amount) = all(wrong, || Some((ids?, amount?)))?;
    let what = Receipt { amount, number: request.receipt_number.clone() };
    Ok(OnOrder { request_id, payment_order_id, what })
}

pub(crate) fn refund_wish(request: &proto::CreateRefundRequest) -> Result<RefundWish, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    let stand_alone = request.payment_order_id.is_empty();
    let payment_order_id = if stand_alone {
        wrong.length("payer_id", &request.payer_id, 1, MAX_NAME);
        Some(None)
    } else {
        wrong.length("payer_id", &request.payer_id, 0, MAX_NAME);
        let parsed = PaymentOrderId::parse(&request.payment_order_id);
        wrong.take("payment_order_id", parsed).map(Some)
    };
    wrong.length("order_id", &request.order_id, usize::from(stand_alone), MAX_NAME);
    wrong.length("reason", &request.reason, 1, MAX_REASON);
    let amount = amount(&mut wrong, request.amount.as_ref());
    let (request_id, payment_order_id, amount) =
        all(wrong, || Some((request_id?, payment_order_id?, amount?)))?;
    let proto::CreateRefundRequest { order_id, payer_id, reason, .. } = request.clone();
    Ok(RefundWish { request_id, payment_order_id, amount, order_id, payer_id, reason })
}

pub(crate) fn reference(request: &proto::HandleChannelEventRequest) -> Result<Reference, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let attempt = AttemptId::parse(&request.reference).map(Reference::Attempt);
    let refund = RefundId::parse(&request.reference).map(Reference::Refund);
    let reference = attempt.or(refund).map_err(|_| "must be the id of an attempt or a refund");
    let reference = wrong.take("reference", reference);
    wrong.length("order_id", &request.order_id, 0, MAX_NAME);
    all(wrong, || reference)
}

/// Reads the id of something to read: what is no id names nothing.
pub(crate) fn payment_order_id(id: &str) -> Result<PaymentOrderId, Error> {
    PaymentOrderId::parse(id)
        .map_err(|_| Refusal::PaymentOrderNotFound { payment_order_id: id.to_owned() }.into())
}

/// Reads the id of an attempt.
pub(crate) fn attempt_id(id: &str) -> Result<AttemptId, Error> {
    AttemptId::parse(id).map_err(|_| Refusal::AttemptNotFound { attempt_id: id.to_owned() }.into())
}

/// Reads the id of a refund.
pub(crate) fn refund_id(id: &str) -> Result<RefundId, Error> {
    RefundId::parse(id).map_err(|_| Refusal::RefundNotFound { refund_id: id.to_owned() }.into())
}

/// Reads the filter by state; none means all.
pub(crate) fn state_filter(state: i32) -> Result<Option<String>, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let parsed = proto::PaymentOrderState::try_from(state).map_err(|_| "is not a state");
    let parsed = wrong.take("state", parsed);
    let state = all(wrong, || parsed)?;
    let name = state.as_str_name().trim_start_matches("PAYMENT_ORDER_STATE_");
    Ok((state != proto::PaymentOrderState::Unspecified).then(|| name.to_owned()))
}

fn ids(
    wrong: &mut Violations,
    request_id: &str,
    payment_order_id: &str,
) -> Option<(RequestId, PaymentOrderId)> {
    let request_id = wrong.take("request_id", RequestId::parse(request_id));
    let payment_order_id = wrong.take("payment_order_id", PaymentOrderId::parse(payment_order_id));
    Some((request_id?, payment_order_id?))
}

fn amount(wrong: &mut Violations, amount: Option<&MoneyMessage>) -> Option<Money> {
    match Money::from_proto(amount) {
        Ok(amount) => {
            wrong.range("amount.minor_units", amount.minor, 1, MAX_AMOUNT_MINOR);
            Some(amount)
        }
        Err(error) => {
            let path = match &error {
                MoneyError::CurrencyInvalid(_) | MoneyError::CurrencyMismatch(..) => {
                    "amount.currency_code"
                }
                MoneyError::Negative(_) | MoneyError::Overflow => "amount.minor_units",
                MoneyError::Missing => "amount",
            };
            wrong.add(path, error);
            None
        }
    }
}

/// Gives the parsed parts when nothing was wrong.
fn all<T>(wrong: Violations, parts: impl FnOnce() -> Option<T>) -> Result<T, Error> {
    wrong.finish()?;
    Ok(parts().expect("a part that is missing was noted as wrong"))
}
