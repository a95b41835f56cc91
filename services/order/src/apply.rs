//! `apply(order, event)`: what an event does to an order. It decides nothing.

use throughline_kit::clock::Instant;

use crate::business_order::BusinessOrderState;
use crate::cancellation;
use crate::event::{Event, Gain, Preparation};
use crate::failure::Failure;
use crate::flow;
use crate::follow_up::CANCELLED_ON_REQUEST;
use crate::order::{MAX_PRIORITY, Order, Place};
use crate::shared::Shared;
use crate::step::{Step, StepState};
use crate::template::Activity;

/// Characters of the reason that other centers take with what is undone.
const MAX_REASON_LENGTH: usize = 200;
/// Reason of an undo that nobody gave one for.
const COMPENSATION: &str = "compensation";

/// Brings the order to the state after the event.
pub(crate) fn apply(order: &mut Order, event: &Event, now: Instant) {
    order.updated_at = now;
    match event {
        Event::StepStarted(_)
        | Event::StepSucceeded(..)
        | Event::WaitBegan { .. }
        | Event::StepWaiting { .. }
        | Event::StepRetrying { .. }
        | Event::StepRefused { .. }
        | Event::StepUnknown { .. }
        | Event::StepFailed(..)
        | Event::StepSkipped { .. }
        | Event::StepSubstituted(_)
        | Event::StepReset(_) => apply_step(order, event, now),
        Event::DecisionAsked { .. } | Event::TaskClaimed { .. } | Event::TaskEscalated { .. } => {
            apply_task(order, event, now);
        }
        Event::SlaPassed { place, sla } => order.step_mut(*place).sla = *sla,
        Event::StepReminded(place) => order.step_mut(*place).reminded(now),
        Event::UndoStarted(_)
        | Event::UndoWaiting { .. }
        | Event::StepUndone(..)
        | Event::UndoFailed { .. } => apply_undo(order, event, now),
        Event::BusinessOrderMoved { .. }
        | Event::PolicyDecided { .. }
        | Event::Withdrawn(_)
        | Event::ReversalAsked(_)
        | Event::ReversalPlanned(_)
        | Event::RerunBegan { .. }
        | Event::RerunReset(_) => apply_business_order(order, event, now),
        Event::CancellationAsked(asked) => cancellation::begin(order, asked, now),
        Event::CancelRequested { .. }
        | Event::ChangeRequested(_)
        | Event::ChangeApplied
        | Event::HoldPlaced(_)
        | Event::HoldReleased(_)
        | Event::SignalKept(_)
        | Event::SignalTaken(_)
        | Event::Prioritized(_)
        | Event::Urged
        | Event::Forecast(_)
        | Event::JeopardyFound { .. }
        | Event::Dismissed { .. } => apply_order(order, event, now),
        Event::Operated { .. } => {}
        Event::Ended(_) => order.ended_at = Some(now),
    }
    if !order.holds.is_empty() || matches!(event, Event::HoldReleased(_)) {
        order.keep_times(now);
    }
}

fn retry(order: &mut Order, place: Place, was_refused: bool, next_at: Instant, failure: &Failure) {
    if was_refused {
        forget_payment(order, place);
    }
    let step = order.step_mut(place);
    step.refusals += u32::from(was_refused);
    // Nothing of the refused call is waited for any more.
    step.token = None;
    step.deadline = None;
    step.state = StepState::Retrying;
    step.next_at = Some(next_at);
    step.failure = Some(failure.clone());
}

fn apply_step(order: &mut Order, event: &Event, now: Instant) {
    match event {
        Event::StepStarted(place) => {
            let step = order.step_mut(*place);
            step.state = StepState::Running;
            step.attempts += 1;
            step.next_at = None;
            step.started_at.get_or_insert(now);
        }
        Event::StepSucceeded(place, gain) => {
            end(order, *place, StepState::Succeeded, now).failure = None;
            collect(order, *place, gain);
        }
        Event::WaitBegan { place, deadline, task } => {
            order.tasks_changed |= task.is_some();
            let step = order.step_mut(*place);
            step.state = StepState::Waiting;
            step.attempts += 1;
            step.started_at.get_or_insert(now);
            step.deadline = *deadline;
            step.task.clone_from(task);
            step.begin_reminding(now);
        }
        Event::StepWaiting { place, token, next_at, overdue_at } => {
            let step = order.step_mut(*place);
            step.deadline = *overdue_at;
            // To wait begins a new count of questions, and of reminders.
            if step.state == StepState::Waiting {
                step.asks += 1;
            } else {
                step.asks = 0;
                step.begin_reminding(now);
            }
            step.state = StepState::Waiting;
            step.token = Some(token.clone()).filter(|token| !token.is_empty());
            step.next_at = Some(*next_at);
            if step.activity() == Some(Activity::Pay) {
                order.payment_order_id.clone_from(token);
            }
        }
        Event::StepRetrying { place, next_at, failure }
        | Event::StepRefused { place, next_at, failure } => {
            let was_refused = matches!(event, Event::StepRefused { .. });
            retry(order, *place, was_refused, *next_at, failure);
        }
        Event::StepUnknown { place, next_at, failure } => {
            let step = order.step_mut(*place);
            step.state = StepState::Unknown;
            step.asks += 1;
            step.next_at = Some(*next_at);
            step.failure = Some(failure.clone());
        }
        Event::StepFailed(place, failure) => {
            end(order, *place, StepState::Failed, now).failure = Some(failure.clone());
        }
        Event::StepSkipped { place, .. } => {
            end(order, *place, StepState::Skipped, now);
        }
        Event::StepSubstituted(place) => {
            let step = begin_again(order, *place);
            step.substituted = true;
        }
        Event::StepReset(place) => {
            begin_again(order, *place);
        }
        _ => {}
    }
}

/// Ends a step, with whatever it waited for.
fn end(order: &mut Order, place: Place, state: StepState, now: Instant) -> &mut Step {
    let had_task = order.step_mut(place).task.take().is_some();
    order.tasks_changed |= had_task;
    let step = order.step_mut(place);
    step.state = state;
    step.next_at = None;
    step.deadline = None;
    step.remind_at = None;
    step.frozen = None;
    step.ended_at = Some(now);
    step
}

/// What was refused for good is tried as another request.
fn begin_again(order: &mut Order, place: Place) -> &mut Step {
    let had_task = order.step_mut(place).task.take().is_some();
    order.tasks_changed |= had_task;
    forget_payment(order, place);
    let step = order.step_mut(place);
    step.state = StepState::Scheduled;
    step.attempts = 0;
    step.asks = 0;
    step.refusals += 1;
    step.next_at = None;
    step.deadline = None;
    step.frozen = None;
    step.ended_at = None;
    step.token = None;
    step
}

/// A payment that was refused is closed: the next try is another one.
fn forget_payment(order: &mut Order, place: Place) {
    if order.step(place).activity() == Some(Activity::Pay) {
        order.payment_order_id.clear();
    }
}

fn apply_task(order: &mut Order, event: &Event, now: Instant) {
    order.tasks_changed = true;
    match event {
        Event::DecisionAsked { place, task } => order.step_mut(*place).task = Some(task.clone()),
        Event::TaskClaimed { place, by } => {
            if let Some(task) = &mut order.step_mut(*place).task {
                task.claimed_by.clone_from(by);
            }
        }
        Event::TaskEscalated { place, group } => {
            let step = order.step_mut(*place);
            step.deadline = None;
            if let Some(task) = &mut step.task {
                task.escalated = true;
                task.escalated_at = Some(now);
                task.claimed_by = None;
                task.group.clone_from(group);
            }
        }
        _ => {}
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
            step.frozen = None;
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
            end(order, *place, StepState::Undone, now).failure = None;
            collect(order, *place, gain);
        }
        Event::UndoFailed { place, next_at, failure } => {
            let step = order.step_mut(*place);
            step.state = StepState::UndoFailed;
            step.undo_refusals += 1;
            // Nothing of the refused call is waited for any more.
            step.token = None;
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
    let asked = order.cancel_reason.as_ref().or(order.change.as_ref().map(|change| &change.reason));
    let text = match (failure, asked) {
        (Some(failure), Some(reason)) if failure.reason == CANCELLED_ON_REQUEST => reason,
        (Some(failure), _) => &failure.reason,
        (None, Some(reason)) => reason,
        (None, None) => COMPENSATION,
    };
    text.chars().take(MAX_REASON_LENGTH).collect()
}

fn collect(order: &mut Order, place: Place, gain: &Gain) {
    match gain {
        Gain::Nothing => {}
        Gain::Prepared(preparation) => plan(order, preparation),
        Gain::Reserved { reservation_id, assigned } => {
            order.reservation_id.clone_from(reservation_id);
            order.assigned = assigned.clone().into();
        }
        Gain::Captured { payment_order_id, minor } => {
            order.payment_order_id.clone_from(payment_order_id);
            order.captured += minor;
        }
        Gain::Refunded(minor) => order.refunded += minor,
        Gain::Saved(values) => order.step_mut(place).saved.clone_from(values),
    }
}

fn plan(order: &mut Order, preparation: &Preparation) {
    order.total = Some(preparation.total);
    order.business_orders = flow::business_orders(order, preparation);
    order.item_plans = Some(preparation.items.clone().into());
}

fn apply_business_order(order: &mut Order, event: &Event, now: Instant) {
    match event {
        Event::BusinessOrderMoved { index, state, failure } => {
            move_business_order(order, *index, *state, now);
            note_failure(order, *index, failure.as_ref());
        }
        Event::PolicyDecided { index, policy } => {
            order.business_orders[*index].policy = Some(*policy);
        }
        Event::Withdrawn(index) => order.business_orders[*index].withdrawn = true,
        Event::ReversalAsked(index) => order.business_orders[*index].to_reverse = true,
        Event::ReversalPlanned(index) => {
            order.business_orders[*index].to_reverse = false;
            if let Some(reversal) = flow::reversal_of(order, *index) {
                order.business_orders.push(reversal.into());
            }
        }
        Event::RerunBegan { index, step } => {
            order.business_orders[*index].rerun_from = Some(*step);
        }
        Event::RerunReset(index) => rerun(order, *index),
        _ => {}
    }
}

/// What ran after the step from which it is run anew is undone: it begins again.
fn rerun(order: &mut Order, index: usize) {
    let business_order = &mut order.business_orders[index];
    let Some(from) = business_order.rerun_from.take() else { return };
    for step in business_order.run_after(from) {
        let anew = business_order.steps[step].anew();
        order.tasks_changed |= business_order.steps[step].task.is_some();
        business_order.steps[step] = anew;
    }
}

fn note_failure(order: &mut Order, index: usize, failure: Option<&Failure>) {
    if let Some(failure) = failure {
        order.business_orders[index].failure = Some(failure.clone());
        order.failure.get_or_insert_with(|| failure.clone());
    }
}

fn move_business_order(order: &mut Order, index: usize, state: BusinessOrderState, now: Instant) {
    let (is_allocated, is_paid) = (order.is_allocated(), order.is_paid());
    let business_order = &mut order.business_orders[index];
    let begins =
        business_order.state == BusinessOrderState::Planned && state == BusinessOrderState::Blocked;
    business_order.state = state;
    if begins {
        // The order allocated and paid for all of its business orders at once; each undoes its own part, where there is one.
        for step in &mut business_order.steps {
            let was_done = match step.activity() {
                Some(Activity::Allocation) => is_allocated,
                Some(Activity::Charge) => is_paid,
                _ => continue,
            };
            step.state = if was_done { StepState::Succeeded } else { StepState::Skipped };
            step.started_at = Some(now);
            step.ended_at = Some(now);
        }
    }
    if business_order.is_withdrawn() {
        // Nobody decides any more about what is being undone.
        business_order.rerun_from = None;
        // What goes back itself needs no business order of its own for it.
        business_order.to_reverse = false;
        for step in business_order.steps.iter_mut().filter(|s| s.state == StepState::Failed) {
            order.tasks_changed |= step.task.take().is_some();
        }
    }
}

fn apply_order(order: &mut Order, event: &Event, now: Instant) {
    match event {
        Event::CancelRequested { reason } => order.cancel_reason = Some(reason.clone()),
        Event::ChangeRequested(change) => order.change = Some(change.clone()),
        Event::ChangeApplied => begin_with_change(order),
        Event::HoldPlaced(hold) => order.holds.push(hold.clone()),
        Event::HoldReleased(id) => order.holds.retain(|hold| hold.id != *id),
        Event::SignalKept(signal) => order.signals.push(signal.clone()),
        Event::SignalTaken(index) => drop(order.signals.remove(*index)),
        Event::Prioritized(priority) => order.priority = *priority,
        Event::Urged => {
            order.urges += 1;
            order.urged_at = Some(now);
            order.priority = (order.priority + 1).min(MAX_PRIORITY);
        }
        Event::Forecast(at) => order.jeopardy_at = *at,
        Event::JeopardyFound { place, .. } => {
            match place {
                None => order.in_jeopardy = true,
                Some(place) => order.step_mut(*place).in_jeopardy = true,
            }
            order.jeopardy_at = None;
        }
        Event::Dismissed { dismissal, failure } => {
            order.dismissal = Some(*dismissal);
            order.failure.get_or_insert_with(|| failure.clone());
            // Nobody decides any more about what is being undone.
            for step in order.steps.iter_mut().filter(|step| step.state == StepState::Failed) {
                order.tasks_changed |= step.task.take().is_some();
            }
        }
        _ => {}
    }
}

/// The order is as if it had been submitted with its new lines; its steps run anew, as other requests.
fn begin_with_change(order: &mut Order) {
    let Some(change) = order.change.take() else { return };
    // What was taken for the old lines is given back: only what is still out counts from now on.
    order.captured -= order.refunded;
    order.refunded = 0;
    order.tasks_changed |= order.steps.iter().any(|step| step.task.is_some());
    order.items = change.items;
    order.requested_start_at = change.requested_start_at;
    order.item_plans = None;
    // What was said of parts that are there no more says nothing of those that come.
    order.holds.retain(|hold| !hold.is_of_a_part());
    order.signals.retain(|signal| signal.business_order.is_none());
    order.business_orders.clear();
    order.total = None;
    order.reservation_id.clear();
    order.payment_order_id.clear();
    order.assigned = Shared::default();
    order.failure = None;
    for step in &mut order.steps {
        *step = step.anew();
    }
}
