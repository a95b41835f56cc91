//! Requests and answers of `PaymentChannelService`.

use throughline_kit::error::{Error, Violations};
use throughline_kit::money::Money;
use throughline_proto::paychannel::v1 as proto;
use throughline_proto::r#type::v1 as types;

use super::{MAX_ID, OrderId, asked, check_order_id, question, target};
use crate::method::{Method, System};
use crate::operation::{Operation, State};
use crate::perform::Question;

const SYSTEM: System = System::Paychannel;

pub(crate) fn charge(message: proto::ChargeRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Optional);
    let mut operation = asked(&mut violations, Method::Charge, message.reference, order_id);
    violations.length("payer_id", &message.payer_id, 1, MAX_ID);
    operation.amount = amount(&mut violations, message.amount.as_ref());
    violations.finish()?;
    operation.customer_id = message.payer_id;
    operation.authorize_only = message.authorize_only;
    Ok(operation)
}

pub(crate) fn capture(message: proto::CaptureRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Optional);
    let mut operation = asked(&mut violations, Method::Capture, message.reference, order_id);
    operation.target = target(&mut violations, "charge_reference", message.charge_reference);
    operation.amount = amount(&mut violations, message.amount.as_ref());
    violations.finish()?;
    Ok(operation)
}

pub(crate) fn cancel_charge(message: proto::CancelChargeRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let charge = target(&mut violations, "charge_reference", message.charge_reference);
    check_order_id(&mut violations, &message.order_id, OrderId::Optional);
    violations.finish()?;
    let operation = Operation::asked(Method::CancelCharge, String::new(), message.order_id);
    Ok(Operation { target: charge, ..operation })
}

pub(crate) fn refund(message: proto::RefundRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Optional);
    let mut operation = asked(&mut violations, Method::Refund, message.reference, order_id);
    // Without a charge somebody must be named who gets the money.
    let payer_min = usize::from(message.charge_reference.is_empty());
    violations.length("payer_id", &message.payer_id, payer_min, MAX_ID);
    if !message.charge_reference.is_empty() {
        operation.target = target(&mut violations, "charge_reference", message.charge_reference);
    }
    operation.amount = amount(&mut violations, message.amount.as_ref());
    violations.finish()?;
    operation.customer_id = message.payer_id;
    Ok(operation)
}

fn amount(violations: &mut Violations, money: Option<&types::Money>) -> Option<Money> {
    let money = violations.take("amount", Money::from_proto(money))?;
    if money.is_zero() {
        violations.add("amount.minor_units", "must be more than 0");
    }
    Some(money)
}

pub(crate) fn get_transaction(message: proto::GetTransactionRequest) -> Result<Question, Error> {
    question(SYSTEM, "GetTransaction", message.reference)
}

pub(crate) fn outcome(operation: &Operation) -> proto::TransactionOutcome {
    match operation.state {
        State::Succeeded => proto::TransactionOutcome::Succeeded,
        State::Declined => proto::TransactionOutcome::Declined,
        State::Pending => proto::TransactionOutcome::Pending,
        State::Cancelled => proto::TransactionOutcome::Cancelled,
    }
}

pub(crate) fn transaction(operation: Operation) -> proto::GetTransactionResponse {
    let authorized_only = operation.authorize_only && operation.captured_minor == 0;
    proto::GetTransactionResponse {
        outcome: outcome(&operation).into(),
        authorized_only: authorized_only && operation.state == State::Succeeded,
        amount: moved(&operation).map(Money::to_proto),
        reason: operation.reason,
    }
}

/// How much moved or is authorised; nothing for what did not succeed.
fn moved(operation: &Operation) -> Option<Money> {
    let amount = operation.amount.filter(|_| operation.state == State::Succeeded)?;
    if operation.method == Method::Charge && operation.captured_minor > 0 {
        return Some(Money::new(amount.currency, operation.captured_minor));
    }
    Some(amount)
}
