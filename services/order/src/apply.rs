//! `apply(order, event)`: what an event does to an order. It decides nothing.

use throughline_kit::clock::Instant;

use crate::business_order::BusinessOrderState;
use crate::event::{Event, Gain, Preparation};
use crate::failure::Failure;
use crate::flow;
use crate::follow_up::CANCELLED_ON_REQUEST;
use crate::order::{Order, Place};
use crate::step::{Capability, StepState};

/// Characters of the reason that other centers take with what is undone.
const MAX_REASON_LENGTH: usize = 200;
/// Reason of an undo that nobody gave one for.
const COMPENSATION: &str = "compensation";

/// Brings the order to the state after the event.
pub(crate) fn apply(order: &mut Order, event: &Event, now: Instant) {
    order.updated_at = now;
    match event {
        Event::StepStarted(place) => {
            let step = order.step_mut(*place);
            step.state = StepState::Running;
            step.attempts += 1;
            step.next_at = None;
            step.started_at.get_or_insert(now);
        }
        Event::StepSucceeded(place, gain) => {
            let step = order.step_mut(*place);
            step.state = StepState::Succeeded;
            step.next_at = None;
            step.ended_at = Some(now);
            step.failure = None;
            collect(order, gain);
        }
        Event::StepWaiting { place, token, next_at } => {
            let step = order.step_mut(*place);
            // To wait begins a new count of questions.
            step.asks = if step.state == StepState::Waiting { step.asks + 1 } else { 0 };
            step.state = StepState::Waiting;
            step.token = Some(token.clone()).filter(|token| !token.is_empty());
            step.next_at = Some(*next_at);
            if step.capability == Capability::Pay {
                order.payment_order_id.clone_from(token);
            }
        }
        Event::StepRetrying { place, next_at, failure }
        | Event::StepRefused { place, next_at, failure } => {
            let step = order.step_mut(*place);
            step.refusals += u32::from(matches!(event, Event::StepRefused { .. }));
            // Nothing of the refused call is waited for any more.
            step.token = None;
            step.state = StepState::Retrying;
            step.next_at = Some(*next_at);
            step.failure = Some(failure.clone());
        }
        Event::StepUnknown { place, next_at, failure } => {
            let step = order.step_mut(*place);
            step.state = StepState::Unknown;
            step.asks += 1;
            step.next_at = Some(*next_at);
            step.failure = Some(failure.clone());
        }
        Event::StepFailed(place, failure) => {
            let step = order.step_mut(*place);
            step.state = StepState::Failed;
            step.next_at = None;
            step.ended_at = Some(now);
            step.failure = Some(failure.clone());
        }
        Event::UndoStarted(_)
        | Event::UndoWaiting { .. }
        | Event::StepUndone(..)
        | Event::UndoFailed { .. } => apply_undo(order, event, now),
        Event::BusinessOrderMoved { index, state, failure } => {
            move_business_order(order, *index, *state, now);
            note_failure(order, *index, failure.as_ref());
        }
        Event::CancelRequested { reason } => order.cancel_reason = Some(reason.clone()),
        Event::Dismissed { dismissal, failure } => {
            order.dismissal = Some(*dismissal);
            order.failure.get_or_insert_with(|| failure.clone());
        }
        Event::Ended(_) => order.ended_at = Some(now),
    }
}

fn apply_undo(order: &mut Order, event: &Event, now: Instant) {
    match event {
        Event::UndoStarted(place) => {
            let reason = undo_reason(order, *place);
            let step = order.step_mut(*place);
            step.undo_reason.get_or_insert(reason);
            step.state = StepState::Undoing;
            step.undo_attempts += 1;
            // What was asked about while doing it says nothing of undoing it.
            step.token = None;
            step.next_at = None;
        }
        Event::UndoWaiting { place, token, next_at, failure } => {
            let step = order.step_mut(*place);
            step.state = StepState::Undoing;
            step.undo_attempts += 1;
            step.token.clone_from(token);
            step.next_at = Some(*next_at);
            step.failure.clone_from(failure);
        }
        Event::StepUndone(place, gain) => {
            let step = order.step_mut(*place);
            step.state = StepState::Undone;
            step.next_at = None;
            step.ended_at = Some(now);
            step.failure = None;
            collect(order, gain);
        }
        Event::UndoFailed { place, next_at, failure } => {
            let step = order.step_mut(*place);
            step.state = StepState::UndoFailed;
            step.refusals += 1;
            step.next_at = Some(*next_at);
            step.failure = Some(failure.clone());
        }
        _ => {}
    }
}

/// Why a step is undone: what failed in its business order or in the order, or what the person said who cancelled.
fn undo_reason(order: &Order, place: Place) -> String {
    let failure = place
        .business_order
        .and_then(|index| order.business_orders[index].failure.as_ref())
        .or(order.failure.as_ref());
    let text = match (failure, &order.cancel_reason) {
        (Some(failure), Some(reason)) if failure.reason == CANCELLED_ON_REQUEST => reason,
        (Some(failure), _) => &failure.reason,
        (None, Some(reason)) => reason,
        (None, None) => COMPENSATION,
    };
    text.chars().take(MAX_REASON_LENGTH).collect()
}

fn collect(order: &mut Order, gain: &Gain) {
    match gain {
        Gain::Nothing => {}
        Gain::Prepared(preparation) => plan(order, preparation),
        Gain::Reserved { reservation_id, assigned } => {
            order.reservation_id.clone_from(reservation_id);
            order.assigned.clone_from(assigned);
        }
        Gain::Captured { payment_order_id, minor } => {
            order.payment_order_id.clone_from(payment_order_id);
            order.captured += minor;
        }
        Gain::Refunded(minor) => order.refunded += minor,
    }
}

fn plan(order: &mut Order, preparation: &Preparation) {
    let takes_stock =
        order.items.iter().zip(&preparation.items).any(|(item, plan)| {
            item.action == crate::order::Action::Add && !plan.demands.is_empty()
        });
    order.steps.extend(flow::later_steps(takes_stock, preparation.total));
    order.total = Some(preparation.total);
    order.business_orders = flow::business_orders(order, preparation);
    order.item_plans = Some(preparation.items.clone().into());
}

fn note_failure(order: &mut Order, index: usize, failure: Option<&Failure>) {
    if let Some(failure) = failure {
        order.business_orders[index].failure = Some(failure.clone());
        order.failure.get_or_insert_with(|| failure.clone());
    }
}

fn move_business_order(order: &mut Order, index: usize, state: BusinessOrderState, now: Instant) {
    let business_order = &mut order.business_orders[index];
    let begins =
        business_order.state == BusinessOrderState::Planned && state == BusinessOrderState::Blocked;
    business_order.state = state;
    if begins {
        // The order allocated and paid for all of its business orders at once; each undoes its own part.
        let parts = business_order
            .steps
            .iter_mut()
            .filter(|step| matches!(step.capability, Capability::Allocation | Capability::Charge));
        for step in parts {
            step.state = StepState::Succeeded;
            step.started_at = Some(now);
            step.ended_at = Some(now);
        }
    }
}
