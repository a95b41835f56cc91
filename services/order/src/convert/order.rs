//! An order as callers see it.

use throughline_kit::clock::Instant;
use throughline_kit::money::{Money, UnitPrice};
use throughline_proto::order::v1 as proto;

use super::{customer, failure, order_state, paid};
use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::order::{Action, Item, ItemPlan, Order, Policy, ReturnOf};
use crate::plan::Plan;
use crate::rollup::rollup;
use crate::step::{Step, StepState};

/// Writes an order.
pub(crate) fn customer_order(order: &Order) -> proto::CustomerOrder {
    let policy = match order.policy {
        Policy::Branch => proto::FailurePolicy::Branch,
        Policy::Whole => proto::FailurePolicy::Whole,
    };
    proto::CustomerOrder {
        order_id: order.id.to_string(),
        state: order_state(rollup(order)).into(),
        channel: order.channel.clone(),
        channel_order_id: order.channel_order_id.clone(),
        customer: Some(customer(&order.customer)),
        items: items(order),
        failure_policy: policy.into(),
        business_orders: order.business_orders.iter().map(|bo| business_order(order, bo)).collect(),
        steps: order.steps.iter().map(step).collect(),
        total: order.total.map(Money::to_proto),
        paid: Some(paid(order).to_proto()),
        payment_order_id: order.payment_order_id.clone(),
        reservation_id: order.reservation_id.clone(),
        attention: order.needs_attention(),
        failure: order.failure.as_ref().map(failure),
        create_time: Some(order.created_at.to_proto()),
        update_time: Some(order.updated_at.to_proto()),
        end_time: order.ended_at.map(Instant::to_proto),
        version: order.version,
    }
}

fn items(order: &Order) -> Vec<proto::OrderItem> {
    let plans = order.item_plans.as_deref().unwrap_or_default();
    order.items.iter().enumerate().map(|(i, line)| item(order, line, plans.get(i))).collect()
}

fn item(order: &Order, item: &Item, plan: Option<&ItemPlan>) -> proto::OrderItem {
    let action = match item.action {
        Action::Add => proto::ItemAction::Add,
        Action::Delete => proto::ItemAction::Delete,
    };
    let business_order =
        order.business_orders.iter().find(|bo| bo.item_keys.binary_search(&item.key).is_ok());
    proto::OrderItem {
        item_key: item.key.clone(),
        offering_code: item.offering.clone(),
        quantity: item.quantity,
        action: action.into(),
        agreed_unit_price: item.agreed_price.map(UnitPrice::to_proto),
        characteristics: item.characteristics.clone(),
        return_of: item.return_of.as_ref().map(return_of),
        charge: plan.map(|plan| plan.charge.to_proto()),
        recurring_charge: plan.map(|plan| plan.recurring.to_proto()),
        business_order_id: business_order.map(|bo| bo.id.to_string()).unwrap_or_default(),
        assigned_items: order.assigned.get(&item.key).cloned().unwrap_or_default(),
    }
}

fn return_of(return_of: &ReturnOf) -> proto::ReturnOf {
    let (channel_order_id, reason) = match return_of {
        ReturnOf::Order(number) => (number.clone(), String::new()),
        ReturnOf::StandAlone(reason) => (String::new(), reason.clone()),
    };
    proto::ReturnOf { channel_order_id, reason }
}

fn business_order(order: &Order, business_order: &BusinessOrder) -> proto::BusinessOrder {
    let ids = |indexes: &[usize]| indexes.iter().map(|i| id(order, *i)).collect();
    proto::BusinessOrder {
        business_order_id: business_order.id.to_string(),
        template: business_order.template.clone(),
        state: business_order_state(business_order.state).into(),
        item_keys: business_order.item_keys.clone(),
        requires: ids(&business_order.requires),
        after: ids(&business_order.after),
        steps: business_order.steps.iter().map(step).collect(),
        charge: Some(business_order.charge.to_proto()),
        failure: business_order.failure.as_ref().map(failure),
    }
}

fn id(order: &Order, index: usize) -> String {
    order.business_orders[index].id.to_string()
}

fn business_order_state(state: BusinessOrderState) -> proto::BusinessOrderState {
    match state {
        BusinessOrderState::Planned => proto::BusinessOrderState::Planned,
        BusinessOrderState::Blocked => proto::BusinessOrderState::Blocked,
        BusinessOrderState::Running => proto::BusinessOrderState::Running,
        BusinessOrderState::Done => proto::BusinessOrderState::Done,
        BusinessOrderState::Failed => proto::BusinessOrderState::Failed,
        BusinessOrderState::Cancelled => proto::BusinessOrderState::Cancelled,
        BusinessOrderState::Compensating => proto::BusinessOrderState::Compensating,
        BusinessOrderState::Compensated => proto::BusinessOrderState::Compensated,
        BusinessOrderState::Stuck => proto::BusinessOrderState::Stuck,
    }
}

fn step(step: &Step) -> proto::Step {
    proto::Step {
        step_id: step.id.clone(),
        state: step_state(step.state).into(),
        capability: step.capability.method().to_owned(),
        attempts: i32::try_from(step.attempts).unwrap_or(i32::MAX),
        start_time: step.started_at.map(Instant::to_proto),
        end_time: step.ended_at.map(Instant::to_proto),
        next_attempt_time: step.next_at.map(Instant::to_proto),
        failure: step.failure.as_ref().map(failure),
    }
}

fn step_state(state: StepState) -> proto::StepState {
    match state {
        StepState::Scheduled => proto::StepState::Scheduled,
        StepState::Running => proto::StepState::Running,
        StepState::Waiting => proto::StepState::Waiting,
        StepState::Retrying => proto::StepState::Retrying,
        StepState::Unknown => proto::StepState::Unknown,
        StepState::Succeeded => proto::StepState::Succeeded,
        StepState::Failed => proto::StepState::Failed,
        StepState::Undoing => proto::StepState::Undoing,
        StepState::Undone => proto::StepState::Undone,
        StepState::UndoFailed => proto::StepState::UndoFailed,
    }
}

/// Writes a plan.
pub(crate) fn plan(order: &Order, plan: &Plan) -> proto::CancelPlan {
    let ids = |indexes: &[usize]| indexes.iter().map(|i| id(order, *i)).collect();
    proto::CancelPlan {
        cancel: ids(&plan.cancel),
        undo: ids(&plan.undo),
        keep: ids(&plan.keep),
        refund: plan.refund.map(Money::to_proto),
    }
}
