//! Which of an order's events others hear, and in what words.

use throughline_kit::clock::Instant;
use throughline_kit::outbox::Announcement;
use throughline_proto::order::v1 as proto;

use crate::business_order::BusinessOrderState;
use crate::convert;
use crate::event::Event;
use crate::failure::Failure;
use crate::order::{Order, OrderState, Place};
use crate::rating::Rating;
use crate::rollup::rollup;
use crate::step::SlaState;
use crate::template::Activity;

/// Announces that an order was accepted.
pub(crate) fn accepted(order: &Order, now: Instant) -> Announcement {
    announcement("order.accepted", order, &changed(order), now)
}

/// Announces what a customer said of an order.
pub(crate) fn rated(order: &Order, rating: &Rating) -> Announcement {
    let told = proto::OrderChanged {
        score: i32::try_from(rating.score).unwrap_or_default(),
        note: rating.comment.clone(),
        ..changed(order)
    };
    announcement("order.rated", order, &told, rating.created_at)
}

/// Announces what came of a request to cancel or to change.
pub(crate) fn settled(order: &Order, index: usize, now: Instant) -> Announcement {
    let asked = &order.cancellations[index];
    let note = format!("{} {}: {}", asked.kind.as_str(), asked.outcome.as_str(), asked.reason);
    let told = proto::OrderChanged { actor: asked.actor.clone(), note, ..changed(order) };
    announcement("order.cancellation_settled", order, &told, now)
}

/// Announces what others should know of an event; `order` is as it is after all events of its command.
pub(crate) fn announce(order: &Order, event: &Event, now: Instant) -> Option<Announcement> {
    match event {
        Event::BusinessOrderMoved { index, state, failure } => {
            let kind = business_order_event(*state)?;
            let moved = proto::OrderChanged {
                business_order_id: order.business_orders[*index].id.to_string(),
                template: order.business_orders[*index].template.name.to_string(),
                failure: failure.as_ref().map(convert::failure),
                ..changed(order)
            };
            Some(announcement(kind, order, &moved, now))
        }
        Event::Operated { kind, place, by } => {
            let told = proto::OrderChanged {
                actor: by.actor.clone(),
                note: by.reason.clone(),
                ..place.map_or_else(|| changed(order), |place| of_step(order, place))
            };
            Some(announcement(kind, order, &told, now))
        }
        Event::SignalKept(signal) => {
            let told = proto::OrderChanged { note: signal.event.clone(), ..changed(order) };
            Some(announcement("order.signalled", order, &told, now))
        }
        Event::JeopardyFound { place: None, note } => {
            let told = proto::OrderChanged { note: note.clone(), ..changed(order) };
            Some(announcement("order.jeopardy", order, &told, now))
        }
        Event::ChangeApplied => Some(announcement("order.changed", order, &changed(order), now)),
        Event::Ended(state) => {
            Some(announcement(order_event(*state)?, order, &changed(order), now))
        }
        _ => step_event(order, event, now),
    }
}

/// What others should know of an event of one step.
fn step_event(order: &Order, event: &Event, now: Instant) -> Option<Announcement> {
    let plain = |kind, place: &Place| Some(step(kind, order, *place, None, now));
    let failed = |kind, place: &Place, failure| Some(step(kind, order, *place, Some(failure), now));
    let with = |kind, place: &Place, note| Some(noted(kind, order, *place, note, now));
    match event {
        Event::StepSucceeded(place, _) => plain("step.succeeded", place),
        Event::StepWaiting { place, .. } | Event::WaitBegan { place, task: None, .. } => {
            plain("step.waiting", place)
        }
        Event::WaitBegan { place, task: Some(_), .. } => plain("task.opened", place),
        Event::StepRetrying { place, failure, .. } | Event::StepRefused { place, failure, .. } => {
            failed("step.retried", place, failure)
        }
        Event::StepUnknown { place, failure, .. } => failed("step.unknown", place, failure),
        Event::StepFailed(place, failure) => failed("step.failed", place, failure),
        Event::StepSkipped { place, note } => with("step.skipped", place, note.clone()),
        Event::StepSubstituted(place) => plain("step.substituted", place),
        Event::DecisionAsked { place, task } => {
            with("task.opened", place, format!("{} decides how to go on", task.group))
        }
        Event::TaskEscalated { place, group } => {
            with("task.escalated", place, format!("to {group}"))
        }
        Event::JeopardyFound { place: Some(place), note } => {
            with("step.jeopardy", place, note.clone())
        }
        Event::StepReminded(place) => Some(reminder(order, *place, now)),
        Event::SlaPassed { place, sla: SlaState::Breached } => plain("step.sla_breached", place),
        Event::SlaPassed { place, .. } => plain("step.sla_warned", place),
        Event::StepUndone(place, _) => plain("step.undone", place),
        Event::UndoFailed { place, failure, .. } => failed("step.undo_failed", place, failure),
        _ => None,
    }
}

fn business_order_event(state: BusinessOrderState) -> Option<&'static str> {
    match state {
        BusinessOrderState::Done => Some("business_order.done"),
        BusinessOrderState::Failed => Some("business_order.failed"),
        BusinessOrderState::Cancelled => Some("business_order.cancelled"),
        BusinessOrderState::Compensated => Some("business_order.compensated"),
        BusinessOrderState::Stuck => Some("business_order.stuck"),
        BusinessOrderState::Exception => Some("business_order.exception"),
        BusinessOrderState::Planned
        | BusinessOrderState::Blocked
        | BusinessOrderState::Ready
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
        | OrderState::PendingCancellation
        | OrderState::AssessingChange
        | OrderState::Held => None,
    }
}

fn step(
    kind: &'static str,
    order: &Order,
    place: Place,
    failure: Option<&Failure>,
    now: Instant,
) -> Announcement {
    let failure = failure.map(convert::failure);
    announcement(kind, order, &proto::OrderChanged { failure, ..of_step(order, place) }, now)
}

/// Who is reminded of a payment is the customer; of other steps it is a person at work.
fn reminder(order: &Order, place: Place, now: Instant) -> Announcement {
    let step = order.step(place);
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let most = step.definition().remind.map_or(step.reminders, |remind| remind.most);
    let pays = step.activity() == Some(Activity::Pay);
    let about = of_step(order, place);
    let told = proto::OrderChanged {
        reminder: number(step.reminders),
        reminders: number(most),
        customer: pays.then(|| convert::customer(&order.customer)),
        total: order.total.filter(|_| pays).map(throughline_kit::money::Money::to_proto),
        ..about
    };
    announcement("step.reminder_due", order, &told, now)
}

fn noted(
    kind: &'static str,
    order: &Order,
    place: Place,
    note: String,
    now: Instant,
) -> Announcement {
    announcement(kind, order, &proto::OrderChanged { note, ..of_step(order, place) }, now)
}

/// Steps tell no personal data: only the order's own events go to those who tell the customer.
fn of_step(order: &Order, place: Place) -> proto::OrderChanged {
    let step = order.step(place);
    let business_order = place.business_order.map(|index| &order.business_orders[index]);
    proto::OrderChanged {
        order_id: order.id.to_string(),
        state: convert::order_state(rollup(order)).into(),
        version: order.version,
        business_order_id: business_order.map(|bo| bo.id.to_string()).unwrap_or_default(),
        template: business_order.map(|bo| bo.template.name.to_string()).unwrap_or_default(),
        step_id: step.id.to_string(),
        attempt: i32::try_from(step.attempts.max(step.undo_attempts)).unwrap_or(i32::MAX),
        channel: order.channel.clone(),
        channel_order_id: order.channel_order_id.clone(),
        ..proto::OrderChanged::default()
    }
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
