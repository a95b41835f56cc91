//! Protobuf ⇄ domain. What comes in is parsed once into types that cannot be wrong.

use throughline_kit::money::Money;
use throughline_proto::order::v1 as proto;

use crate::failure::Failure;
use crate::order::{Customer, Order, OrderState};

pub(crate) mod campaign;
pub(crate) mod cart;
mod change;
mod filter;
mod monitor;
mod order;
mod submission;
mod task;
mod template;

pub(crate) use change::change;
pub(crate) use filter::filter;
pub(crate) use monitor::{lateness_filter, load_group, timeout, timeout_group, urged_order};
pub(crate) use order::{
    business_order, customer_order, fee_difference, items_of, listed, order_for_expressions, plan,
    policy, standing_hold, submitted_item,
};
pub(crate) use submission::{MAX_QUANTITY, Submission, made_up, submission, time};
pub(crate) use task::task;
pub(crate) use template::{difference, finding, record};

/// Writes a state.
pub(crate) fn order_state(state: OrderState) -> proto::OrderState {
    match state {
        OrderState::Acknowledged => proto::OrderState::Acknowledged,
        OrderState::Rejected => proto::OrderState::Rejected,
        OrderState::Pending => proto::OrderState::Pending,
        OrderState::InProgress => proto::OrderState::InProgress,
        OrderState::PendingCancellation => proto::OrderState::PendingCancellation,
        OrderState::AssessingChange => proto::OrderState::AssessingChange,
        OrderState::Held => proto::OrderState::Held,
        OrderState::Completed => proto::OrderState::Completed,
        OrderState::Partial => proto::OrderState::Partial,
        OrderState::Failed => proto::OrderState::Failed,
        OrderState::Cancelled => proto::OrderState::Cancelled,
    }
}

/// Reads a state to filter by; `None` means all.
pub(crate) fn state_filter(state: i32) -> Result<Option<OrderState>, String> {
    let state = proto::OrderState::try_from(state)
        .map_err(|_| format!("must be a state of an order, is {state}"))?;
    Ok(match state {
        proto::OrderState::Unspecified => None,
        proto::OrderState::Acknowledged => Some(OrderState::Acknowledged),
        proto::OrderState::Rejected => Some(OrderState::Rejected),
        proto::OrderState::Pending => Some(OrderState::Pending),
        proto::OrderState::InProgress => Some(OrderState::InProgress),
        proto::OrderState::PendingCancellation => Some(OrderState::PendingCancellation),
        proto::OrderState::AssessingChange => Some(OrderState::AssessingChange),
        proto::OrderState::Held => Some(OrderState::Held),
        proto::OrderState::Completed => Some(OrderState::Completed),
        proto::OrderState::Partial => Some(OrderState::Partial),
        proto::OrderState::Failed => Some(OrderState::Failed),
        proto::OrderState::Cancelled => Some(OrderState::Cancelled),
    })
}

/// Writes a failure.
pub(crate) fn failure(failure: &Failure) -> proto::Failure {
    proto::Failure {
        reason: failure.reason.clone(),
        domain: failure.domain.clone(),
        message: failure.message.clone(),
    }
}

/// Writes a customer.
pub(crate) fn customer(customer: &Customer) -> proto::Customer {
    proto::Customer {
        customer_id: customer.id.clone(),
        name: customer.name.clone(),
        phone: customer.phone.clone(),
        locale: customer.locale.clone(),
        address: customer.address.clone(),
    }
}

/// What the payer has given and not got back; negative for a return.
pub(crate) fn paid(order: &Order) -> Money {
    Money::new(order.currency, order.captured - order.refunded)
}
