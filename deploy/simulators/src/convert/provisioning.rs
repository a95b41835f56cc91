//! Requests of `ProvisioningService`.

use throughline_kit::error::{Error, Violations};
use throughline_proto::provisioning::v1 as proto;

use super::{MAX_ID, OrderId, asked, question, target};
use crate::method::{Method, System};
use crate::operation::Operation;
use crate::perform::Question;

const SYSTEM: System = System::Provisioning;
/// Numbers and devices of one service.
const MAX_RESOURCES: usize = 1_000;

pub(crate) fn activate_service(message: proto::ActivateServiceRequest) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation =
        asked(&mut violations, Method::ActivateService, message.reference, order_id);
    violations.length("customer_id", &message.customer_id, 1, MAX_ID);
    violations.length("offering_code", &message.offering_code, 1, MAX_ID);
    if message.resources.len() > MAX_RESOURCES {
        let description =
            format!("must have at most {MAX_RESOURCES} entries, has {}", message.resources.len());
        violations.add("resources", description);
    }
    for (index, resource) in message.resources.iter().enumerate() {
        violations.length(&format!("resources[{index}]"), resource, 1, MAX_ID);
    }
    violations.finish()?;
    operation.customer_id = message.customer_id;
    operation.offering_codes = vec![message.offering_code];
    Ok(operation)
}

pub(crate) fn deactivate_service(
    message: proto::DeactivateServiceRequest,
) -> Result<Operation, Error> {
    let mut violations = Violations::new(SYSTEM.name());
    let order_id = (message.order_id, OrderId::Required);
    let mut operation =
        asked(&mut violations, Method::DeactivateService, message.reference, order_id);
    operation.target =
        target(&mut violations, "activation_reference", message.activation_reference);
    violations.finish()?;
    Ok(operation)
}

pub(crate) fn get_operation(message: proto::GetOperationRequest) -> Result<Question, Error> {
    question(SYSTEM, "GetOperation", message.reference)
}
