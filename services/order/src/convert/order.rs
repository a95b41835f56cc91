//! An order as callers see it.

use throughline_kit::clock::{Instant, span_to_proto};
use throughline_kit::money::{Money, UnitPrice};
use throughline_proto::order::v1 as proto;

use super::{customer, failure, order_state, paid};
use crate::business_order::BusinessOrderState;
use crate::event::Direction;
use crate::fee;
use crate::hold::{Hold, HoldScope};
use crate::order::{Action, Item, ItemPlan, Order, Place, ReturnOf};
use crate::plan::Plan;
use crate::rollup::rollup;
use crate::step::{SlaState, Step, StepState};
use crate::store::{Head, Listed};
use crate::template::{FailurePolicy, StepWork};
use crate::work::reference;

/// Writes an order.
pub(crate) fn customer_order(order: &Order) -> proto::CustomerOrder {
    proto::CustomerOrder {
        business_orders: (0..order.business_orders.len())
            .map(|index| business_order(order, index))
            .collect(),
        steps: steps(order, None, &order.steps),
        holds: order.holds.iter().map(|hold| self::hold(order, hold)).collect(),
        ..order_for_expressions(order)
    }
}

/// Writes an order without its parts, as expressions of templates read it.
pub(crate) fn order_for_expressions(order: &Order) -> proto::CustomerOrder {
    proto::CustomerOrder {
        order_id: order.id.to_string(),
        state: order_state(rollup(order)).into(),
        channel: order.channel.clone(),
        channel_order_id: order.channel_order_id.clone(),
        customer: Some(customer(&order.customer)),
        items: items(order),
        failure_policy: policy(order.policy).into(),
        business_orders: Vec::new(),
        steps: Vec::new(),
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
        requested_start_time: order.requested_start_at.map(Instant::to_proto),
        template: order.template.name.to_string(),
        template_version: order.template.version,
        holds: Vec::new(),
        priority: order.priority.into(),
        rating: None,
        urge_count: i32::try_from(order.urges).unwrap_or(i32::MAX),
        requested_completion_time: order.promised_at.map(Instant::to_proto),
        jeopardy: order.in_jeopardy,
        read_failure: None,
    }
}

/// Writes an order as far as it is understood.
pub(crate) fn listed(listed: &Listed) -> proto::CustomerOrder {
    let Listed { head, order, failure } = listed;
    let read_failure = failure.as_ref().map(self::failure);
    match (order, failure) {
        (Some(order), None) => customer_order(order),
        // Without its templates only the row says how it stands, and nothing what its steps do.
        (Some(order), Some(_)) => {
            let mut shown = customer_order(order);
            let theirs = shown.business_orders.iter_mut().flat_map(|bo| &mut bo.steps);
            for step in shown.steps.iter_mut().chain(theirs) {
                step.kind = proto::StepKind::Unspecified.into();
                step.capability = String::new();
            }
            proto::CustomerOrder { state: order_state(head.state).into(), read_failure, ..shown }
        }
        (None, _) => proto::CustomerOrder { read_failure, ..of_head(head) },
    }
}

fn of_head(head: &Head) -> proto::CustomerOrder {
    proto::CustomerOrder {
        order_id: head.order_id.clone(),
        state: order_state(head.state).into(),
        channel: head.channel.clone(),
        channel_order_id: head.channel_order_id.clone(),
        customer: Some(proto::Customer {
            customer_id: head.customer_id.clone(),
            phone: head.phone.clone(),
            ..proto::Customer::default()
        }),
        create_time: Some(head.created_at.to_proto()),
        version: head.version,
        ..proto::CustomerOrder::default()
    }
}

/// Writes the lines of a business order, or all.
pub(crate) fn items_of(order: &Order, business_order: Option<usize>) -> Vec<proto::OrderItem> {
    let Some(index) = business_order else { return items(order) };
    let keys = &order.business_orders[index].item_keys;
    let plans = order.item_plans.as_deref().unwrap_or_default();
    let lines = order.items.iter().enumerate();
    lines
        .filter(|(_, line)| keys.binary_search(&line.key).is_ok())
        .map(|(i, line)| item(order, line, plans.get(i)))
        .collect()
}

/// Writes a policy.
pub(crate) fn policy(policy: FailurePolicy) -> proto::FailurePolicy {
    match policy {
        FailurePolicy::Branch => proto::FailurePolicy::Branch,
        FailurePolicy::Whole => proto::FailurePolicy::Whole,
        FailurePolicy::Forward => proto::FailurePolicy::Forward,
        FailurePolicy::Ask => proto::FailurePolicy::Ask,
    }
}

/// Writes a pause that stands for all orders.
pub(crate) fn standing_hold(hold: &Hold) -> proto::Hold {
    let (scope, target) = match &hold.scope {
        HoldScope::Template(name) => (proto::HoldScope::Template, name.clone()),
        HoldScope::Capability(method) => (proto::HoldScope::Capability, method.clone()),
        HoldScope::Order | HoldScope::BusinessOrder(_) | HoldScope::Step(_) => {
            (proto::HoldScope::Order, String::new())
        }
    };
    write_hold(hold, scope, target)
}

fn hold(order: &Order, hold: &Hold) -> proto::Hold {
    let (scope, target) = match &hold.scope {
        HoldScope::Order => (proto::HoldScope::Order, String::new()),
        HoldScope::BusinessOrder(index) => (proto::HoldScope::BusinessOrder, id(order, *index)),
        HoldScope::Step(place) => {
            let whose = place.business_order.map_or(order.id.to_string(), |i| id(order, i));
            (proto::HoldScope::Step, format!("{whose}/{}", order.step(*place).id))
        }
        HoldScope::Template(_) | HoldScope::Capability(_) => return standing_hold(hold),
    };
    write_hold(hold, scope, target)
}

fn write_hold(hold: &Hold, scope: proto::HoldScope, target: String) -> proto::Hold {
    proto::Hold {
        hold_id: hold.id.to_string(),
        scope: scope.into(),
        target,
        reason: hold.reason.clone(),
        operator: hold.operator.clone(),
        create_time: Some(hold.placed_at.to_proto()),
        start_time: (hold.window.starts_at > hold.placed_at)
            .then(|| hold.window.starts_at.to_proto()),
        end_time: hold.window.ends_at.map(Instant::to_proto),
        ramp: (!hold.window.ramp.is_zero()).then(|| span_to_proto(hold.window.ramp)),
    }
}

fn items(order: &Order) -> Vec<proto::OrderItem> {
    let plans = order.item_plans.as_deref().unwrap_or_default();
    order.items.iter().enumerate().map(|(i, line)| item(order, line, plans.get(i))).collect()
}

fn item(order: &Order, item: &Item, plan: Option<&ItemPlan>) -> proto::OrderItem {
    let business_order =
        order.business_orders.iter().find(|bo| bo.item_keys.binary_search(&item.key).is_ok());
    proto::OrderItem {
        charge: plan.map(|plan| plan.charge.to_proto()),
        recurring_charge: plan.map(|plan| plan.recurring.to_proto()),
        business_order_id: business_order.map(|bo| bo.id.to_string()).unwrap_or_default(),
        assigned_items: order.assigned.get(&item.key).cloned().unwrap_or_default(),
        ..submitted_item(item)
    }
}

/// Writes a line as it was submitted.
pub(crate) fn submitted_item(item: &Item) -> proto::OrderItem {
    let action = match item.action {
        Action::Add => proto::ItemAction::Add,
        Action::Delete => proto::ItemAction::Delete,
        Action::Modify => proto::ItemAction::Modify,
    };
    proto::OrderItem {
        item_key: item.key.clone(),
        offering_code: item.offering.clone(),
        quantity: item.quantity,
        action: action.into(),
        agreed_unit_price: item.agreed_price.map(UnitPrice::to_proto),
        characteristics: item.characteristics.clone(),
        return_of: item.return_of.as_ref().map(return_of),
        ..proto::OrderItem::default()
    }
}

fn return_of(return_of: &ReturnOf) -> proto::ReturnOf {
    let (channel_order_id, reason) = match return_of {
        ReturnOf::Order(number) => (number.clone(), String::new()),
        ReturnOf::StandAlone(reason) => (String::new(), reason.clone()),
    };
    proto::ReturnOf { channel_order_id, reason }
}

/// Writes a business order.
pub(crate) fn business_order(order: &Order, index: usize) -> proto::BusinessOrder {
    let business_order = &order.business_orders[index];
    let ids = |indexes: &[usize]| indexes.iter().map(|i| id(order, *i)).collect();
    let recurring = order.lines_of(business_order).map(|(_, plan)| plan.recurring.minor).sum();
    proto::BusinessOrder {
        business_order_id: business_order.id.to_string(),
        template: business_order.template.name.to_string(),
        state: business_order_state(business_order.state).into(),
        item_keys: business_order.item_keys.clone(),
        requires: ids(&business_order.requires),
        after: ids(&business_order.after),
        steps: steps(order, Some(index), &business_order.steps),
        charge: Some(business_order.charge.to_proto()),
        failure: business_order.failure.as_ref().map(failure),
        recurring_charge: Some(Money::new(order.currency, recurring).to_proto()),
        template_version: business_order.template.version,
        withdrawn: business_order.withdrawn,
        reverses: business_order.reverses.map(|index| id(order, index)).unwrap_or_default(),
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
        BusinessOrderState::Ready => proto::BusinessOrderState::Ready,
        BusinessOrderState::Exception => proto::BusinessOrderState::Exception,
    }
}

fn steps(order: &Order, business_order: Option<usize>, steps: &[Step]) -> Vec<proto::Step> {
    let write = |(index, one): (usize, &Step)| {
        let place = Place { business_order, step: index };
        let is_held = order.is_held(place);
        let was_called = one.attempts > 0 && matches!(one.definition().work, StepWork::Call(_));
        let reference = was_called.then(|| reference(order, place, Direction::Do));
        let reference = reference.unwrap_or_default();
        let after = one.after.iter().map(|before| steps[*before].id.to_string()).collect();
        proto::Step { held: is_held, after, reference, ..step(one) }
    };
    steps.iter().enumerate().map(write).collect()
}

fn step(step: &Step) -> proto::Step {
    let definition = step.definition();
    proto::Step {
        step_id: step.id.to_string(),
        state: step_state(step.state).into(),
        capability: step.method().to_owned(),
        attempts: i32::try_from(step.attempts).unwrap_or(i32::MAX),
        start_time: step.started_at.map(Instant::to_proto),
        end_time: step.ended_at.map(Instant::to_proto),
        next_attempt_time: step.next_at.map(Instant::to_proto),
        failure: step.failure.as_ref().map(failure),
        kind: step_kind(&definition.work).into(),
        after: Vec::new(),
        title: definition.title.clone(),
        milestone: definition.milestone.clone().unwrap_or_default(),
        generation: i32::try_from(step.generation).unwrap_or(i32::MAX).saturating_add(1),
        deadline: step.deadline.map(Instant::to_proto),
        task_id: step.task.as_ref().map(|task| task.id.to_string()).unwrap_or_default(),
        saved: step.saved.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        held: false,
        reference: String::new(),
        sla_warned: step.sla >= SlaState::Warned,
        sla_breached: step.sla == SlaState::Breached,
        jeopardy: step.in_jeopardy,
        reminder_count: i32::try_from(step.reminders).unwrap_or(i32::MAX),
    }
}

fn step_kind(work: &StepWork) -> proto::StepKind {
    match work {
        StepWork::Call(_) => proto::StepKind::Call,
        StepWork::Wait(_) => proto::StepKind::Wait,
        StepWork::Timer(_) => proto::StepKind::Timer,
        StepWork::Manual(_) => proto::StepKind::Manual,
        StepWork::Activity(_) => proto::StepKind::Activity,
    }
}

/// Writes the state of a step.
pub(super) fn step_state(state: StepState) -> proto::StepState {
    match state {
        StepState::Scheduled => proto::StepState::Scheduled,
        StepState::Running => proto::StepState::Running,
        StepState::Waiting => proto::StepState::Waiting,
        StepState::Retrying => proto::StepState::Retrying,
        StepState::Unknown => proto::StepState::Unknown,
        StepState::Succeeded => proto::StepState::Succeeded,
        StepState::Skipped => proto::StepState::Skipped,
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
        reverse: ids(&plan.reverse),
        needs_person: ids(&plan.needs_person),
    }
}

/// Writes an order whose money is not what it should be; one that is not understood, as far as it is.
pub(crate) fn fee_difference(listed: &Listed) -> proto::FeeDifference {
    let Listed { head, order, failure } = listed;
    // What is due is read of its steps.
    let known = order.as_ref().filter(|_| failure.is_none());
    proto::FeeDifference {
        order_id: head.order_id.clone(),
        state: order_state(head.state).into(),
        channel: head.channel.clone(),
        channel_order_id: head.channel_order_id.clone(),
        due: known.and_then(fee::due).map(Money::to_proto),
        paid: order.as_ref().map(|order| paid(order).to_proto()),
        create_time: Some(head.created_at.to_proto()),
        end_time: order.as_ref().and_then(|order| order.ended_at).map(Instant::to_proto),
    }
}
