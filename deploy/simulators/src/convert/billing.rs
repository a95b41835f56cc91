//! Requests of `BillingService`.

use throughline_kit::error::{Error, Violations};
use throughline_kit::money::Money;
use throughline_proto::billing::v1 as proto;

use super::{MAX_ID, OrderId, asked, question, target};
use crate::method::{Method, System};
use crate::operation::Operation;
use crate::perform::Question;

const SYSTEM: System = System::Billing;

pub(crate) fn open_account(message: proto::OpenAccountRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation = asked(&mut violations, Method::OpenAccount, message.reference, order_id);
    violations.length("customer_id", &message.customer_id, 1, MAX_ID);
    violations.length("offering_code", &message.offering_code, 1, MAX_ID);
    // A service may be free each month; opening its account moves no money yet.
    if let Some(charge) = &message.recurring_charge {
        violations.take("recurring_charge", Money::from_proto(Some(charge)));
    }
    violations.finish()?;
    operation.customer_id = message.customer_id;
    operation.offering_codes = vec![message.offering_code];
    Ok(operation)
}

pub(crate) fn close_account(message: proto::CloseAccountRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation = asked(&mut violations, Method::CloseAccount, message.reference, order_id);
    operation.target = target(&mut violations, "open_reference", message.open_reference);
    violations.finish()?;
    Ok(operation)
}

pub(crate) fn get_operation(message: proto::GetOperationRequest) -> Result<Question, Error> {
    question(SYSTEM, "GetOperation", message.reference)
}
