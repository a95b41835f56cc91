//! Protobuf ⇄ domain, checked once at the edge: every wrong field is named by its path.

pub(crate) mod billing;
pub(crate) mod control;
pub(crate) mod logistics;
pub(crate) mod paychannel;
pub(crate) mod provisioning;
pub(crate) mod sms;
pub(crate) mod step;

use throughline_kit::error::{Error, Violations};

use crate::method::{Method, System};
use crate::operation::Operation;
use crate::perform::Question;

/// Longest reference, in characters.
const MAX_REFERENCE: usize = 200;
/// Longest id of an order, a customer or an offering, in characters.
const MAX_ID: usize = 64;

/// Whether an operation must belong to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OrderId {
    Required,
    Optional,
}

/// Checks reference and order id, which all operations have, and begins the operation.
fn asked(
    violations: &mut Violations,
    method: Method,
    reference: String,
    order_id: (String, OrderId),
) -> Operation {
    let (order_id, needed) = order_id;
    violations.length("reference", &reference, 1, MAX_REFERENCE);
    check_order_id(violations, &order_id, needed);
    Operation::asked(method, reference, order_id)
}

fn check_order_id(violations: &mut Violations, order_id: &str, needed: OrderId) {
    let min = match needed {
        OrderId::Required => 1,
        OrderId::Optional => 0,
    };
    violations.length("order_id", order_id, min, MAX_ID);
}

/// Checks the reference of the operation that a call is about.
fn target(violations: &mut Violations, path: &str, reference: String) -> Option<String> {
    violations.length(path, &reference, 1, MAX_REFERENCE);
    Some(reference)
}

/// Checks a question for an operation.
fn question(system: System, method: &'static str, reference: String) -> Result<Question, Error> {
    let mut violations = Violations::new(system.name());
    violations.length("reference", &reference, 1, MAX_REFERENCE);
    violations.finish()?;
    Ok(Question { system, method, reference })
}
