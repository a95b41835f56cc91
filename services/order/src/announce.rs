//! Which of an order's events others hear, and in what words.

use throughline_kit::clock::Instant;
use throughline_kit::outbox::Announcement;
use throughline_proto::order::v1 as proto;

use crate::business_order::BusinessOrderState;
use crate::convert;
use crate::event::Event;
use crate::failure::Failure;
use crate::order::{Order, OrderState, Place};
use crate::rollup::rollup;

/// Announces that an order was accepted.
pub(crate) fn accepted(order: &Order, now: Instant) -> Announcement {
    announcement("order.accepted", order, &changed(order), now)
}

/// Announces what others should know of an event; `order` is as it is after all events of its command.
pub(crate) fn announce(order: &Order, event: &Event, now: Instant) -> Option<Announcement> {
    match event {
        Event::StepSucceeded(place, _) => Some(step("step.succeeded", order, *place, None, now)),
        Event::StepWaiting { place, .. } => Some(step("step.waiting", order, *place, None, now)),
        Event::StepRetrying { place, failure, .. } | Event::StepRefused { place, failure, .. } => {
            Some(step("step.retried", order, *place, Some(failure), now))
        }
        Event::StepUnknown { place, failure, .. } => {
            Some(step("step.unknown", order, *place, Some(failure), now))
        }
        Event::StepFailed(place, failure) => {
            Some(step("step.failed", order, *place, Some(failure), now))
        }
        Event::StepUndone(place, _) => Some(step("step.undone", order, *place, None, now)),
        Event::UndoFailed { place, failure, .. } => {
            Some(step("step.undo_failed", order, *place, Some(failure), now))
        }
        Event::BusinessOrderMoved { index, state, failure } => {
            let kind = business_order_event(*state)?;
            let moved = proto::OrderChanged {
                business_order_id: order.business_orders[*index].id.to_string(),
                template: order.business_orders[*index].template.clone(),
                failure: failure.as_ref().map(convert::failure),
                ..changed(order)
            };
            Some(announcement(kind, order, &moved, now))
        }
        Event::CancelRequested { .. } => {
            Some(announcement("order.cancel_requested", order, &changed(order), now))
        }
        Event::Ended(state) => {
            Some(announcement(order_event(*state)?, order, &changed(order), now))
        }
        Event::StepStarted(_)
        | Event::UndoStarted(_)
        | Event::UndoWaiting { .. }
        | Event::Dismissed { .. } => None,
    }
}

fn business_order_event(state: BusinessOrderState) -> Option<&'static str> {
    match state {
        BusinessOrderState::Done => Some("business_order.done"),
        BusinessOrderState::Failed => Some("business_order.failed"),
        BusinessOrderState::Cancelled => Some("business_order.cancelled"),
        BusinessOrderState::Compensated => Some("business_order.compensated"),
        BusinessOrderState::Stuck => Some("business_order.stuck"),
        BusinessOrderState::Planned
        | BusinessOrderState::Blocked
        | BusinessOrderState::Running
        | BusinessOrderState::Compensating => None,
    }
}

fn order_event(state: OrderState) -> Option<&'static str> {
    match state {
        OrderState::Completed => Some("order.completed"),
        OrderState::Partial => Some("order.partial"),
        OrderState::Failed => Some("order.failed"),
        OrderState::Cancelled => Some("order.cancelled"),
        OrderState::Rejected => Some("order.rejected"),
        OrderState::Acknowledged
        | OrderState::Pending
        | OrderState::InProgress
        | OrderState::PendingCancellation => None,
    }
}

fn step(
    kind: &'static str,
    order: &Order,
    place: Place,
    failure: Option<&Failure>,
    now: Instant,
) -> Announcement {
    let step = order.step(place);
    let business_order = place.business_order.map(|index| &order.business_orders[index]);
    // Steps tell no personal data: only the order's own events go to those who tell the customer.
    let moved = proto::OrderChanged {
        order_id: order.id.to_string(),
        state: convert::order_state(rollup(order)).into(),
        version: order.version,
        business_order_id: business_order.map(|bo| bo.id.to_string()).unwrap_or_default(),
        template: business_order.map(|bo| bo.template.clone()).unwrap_or_default(),
        step_id: step.id.clone(),
        attempt: i32::try_from(step.attempts.max(step.undo_attempts)).unwrap_or(i32::MAX),
        failure: failure.map(convert::failure),
        channel: order.channel.clone(),
        channel_order_id: order.channel_order_id.clone(),
        ..proto::OrderChanged::default()
    };
    announcement(kind, order, &moved, now)
}

fn changed(order: &Order) -> proto::OrderChanged {
    proto::OrderChanged {
        order_id: order.id.to_string(),
        state: convert::order_state(rollup(order)).into(),
        version: order.version,
        failure: order.failure.as_ref().map(convert::failure),
        customer: Some(convert::customer(&order.customer)),
        channel: order.channel.clone(),
        channel_order_id: order.channel_order_id.clone(),
        total: order.total.map(throughline_kit::money::Money::to_proto),
        paid: Some(convert::paid(order).to_proto()),
        ..proto::OrderChanged::default()
    }
}

fn announcement(
    kind: &'static str,
    order: &Order,
    payload: &proto::OrderChanged,
    now: Instant,
) -> Announcement {
    Announcement::new(kind, order.id.as_str(), order.id.as_str(), now, payload)
        .in_trace(&order.trace_parent)
}
