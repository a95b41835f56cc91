//! Requests of `LogisticsService`.

use throughline_kit::error::{Error, Violations};
use throughline_proto::logistics::v1 as proto;

use super::{MAX_ID, OrderId, asked, question, target};
use crate::method::{Method, System};
use crate::operation::Operation;
use crate::perform::Question;

const SYSTEM: System = System::Logistics;
/// Longest address, in characters.
const MAX_ADDRESS: usize = 500;
/// Kinds of goods in one parcel.
const MAX_LINES: usize = 1_000;

pub(crate) fn create_shipment(message: proto::CreateShipmentRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation = asked(&mut violations, Method::CreateShipment, message.reference, order_id);
    violations.length("customer_id", &message.customer_id, 1, MAX_ID);
    violations.length("address", &message.address, 0, MAX_ADDRESS);
    let lines = message.lines.len();
    if lines == 0 || lines > MAX_LINES {
        violations.add("lines", format!("must have 1 to {MAX_LINES} entries, has {lines}"));
    }
    for (index, line) in message.lines.iter().enumerate() {
        let path = format!("lines[{index}].offering_code");
        violations.length(&path, &line.offering_code, 1, MAX_ID);
        violations.range(&format!("lines[{index}].quantity"), line.quantity, 1, i64::MAX);
    }
    violations.finish()?;
    operation.customer_id = message.customer_id;
    operation.offering_codes = message.lines.into_iter().map(|line| line.offering_code).collect();
    operation.offering_codes.sort_unstable();
    operation.offering_codes.dedup();
    Ok(operation)
}

pub(crate) fn cancel_shipment(message: proto::CancelShipmentRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation = asked(&mut violations, Method::CancelShipment, message.reference, order_id);
    operation.target = target(&mut violations, "shipment_reference", message.shipment_reference);
    violations.finish()?;
    Ok(operation)
}

pub(crate) fn get_operation(message: proto::GetOperationRequest) -> Result<Question, Error> {
    question(SYSTEM, "GetOperation", message.reference)
}
