//! Undoing: what ran, in the reverse of how it ran.

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::Event;
use crate::order::{Order, Place};
use crate::step::StepState;

use super::unexplained;

/// After a dismissal: nothing of the business orders ran, and the order's own steps are undone, last first.
pub(super) fn unwind(order: &Order) -> Option<Vec<Event>> {
    let cancelled: Vec<Event> = order
        .business_orders
        .iter()
        .enumerate()
        .filter(|(_, bo)| bo.state != BusinessOrderState::Cancelled)
        .map(|(index, _)| Event::BusinessOrderMoved {
            index,
            state: BusinessOrderState::Cancelled,
            failure: None,
        })
        .collect();
    if !cancelled.is_empty() {
        return Some(cancelled);
    }
    undo_last(order, None)
}

/// Undoes the step that ended last of those that need it, unless the outcome of one is still open.
pub(super) fn undo_last(order: &Order, business_order: Option<usize>) -> Option<Vec<Event>> {
    let steps = business_order.map_or(&order.steps, |index| &order.business_orders[index].steps);
    let at = |step: usize| Place { business_order, step };
    for (index, step) in steps.iter().enumerate() {
        if step.state == StepState::Retrying {
            // Its call did not happen and is no longer wanted.
            let failure = step.failure.clone().unwrap_or_else(unexplained);
            return Some(vec![Event::StepFailed(at(index), failure)]);
        }
        if step.waits_inside() {
            let note = "it is no longer wanted".to_owned();
            return Some(vec![Event::StepSkipped { place: at(index), note }]);
        }
    }
    if steps.iter().any(crate::step::Step::is_open) {
        return None;
    }
    let next = BusinessOrder::undo_order(steps).into_iter().next()?;
    (!order.is_held(at(next))).then(|| vec![Event::UndoStarted(at(next))])
}

/// Undoes a business order after those that depend on it and are being undone as well.
pub(super) fn undo_in_turn(order: &Order, index: usize) -> Option<Vec<Event>> {
    if waits_for_others(order, index) { None } else { undo_last(order, Some(index)) }
}

/// Others that came after it are being taken back, and must be gone first.
pub(super) fn waits_for_others(order: &Order, index: usize) -> bool {
    let all = &order.business_orders;
    let mut others = (0..all.len()).filter(|other| all[*other].comes_after(index));
    others.any(|other| BusinessOrder::is_being_taken_back(all, other))
}

/// Carries the undoing of a business order on.
pub(super) fn compensate(order: &Order, index: usize) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    let moved = |state| Some(vec![Event::BusinessOrderMoved { index, state, failure: None }]);
    let refused = business_order.steps.iter().any(|step| step.state == StepState::UndoFailed);
    match (business_order.state, refused) {
        (BusinessOrderState::Compensating, true) => moved(BusinessOrderState::Stuck),
        (BusinessOrderState::Stuck, true) => None,
        (BusinessOrderState::Stuck, false) => moved(BusinessOrderState::Compensating),
        (_, _) if business_order.steps.iter().any(|s| s.is_open() || s.needs_undo()) => {
            undo_in_turn(order, index)
        }
        (_, _) => moved(BusinessOrderState::Compensated),
    }
}

/// Undoes what ran after the step from which a business order is run anew, then lets it begin again.
pub(super) fn rerun(order: &Order, index: usize) -> Option<Vec<Event>> {
    let business_order = &order.business_orders[index];
    let anew = business_order.run_after(business_order.rerun_from?);
    let is_out = |step: &usize| business_order.steps[*step].is_out();
    if anew.iter().any(is_out) {
        return None;
    }
    let to_undo = BusinessOrder::undo_order(&business_order.steps);
    if let Some(step) = to_undo.into_iter().find(|step| anew.contains(step)) {
        let place = Place { business_order: Some(index), step };
        return (!order.is_held(place)).then(|| vec![Event::UndoStarted(place)]);
    }
    let mut events = vec![Event::RerunReset(index)];
    let others = business_order.steps.iter().enumerate().filter(|(step, _)| !anew.contains(step));
    let is_decided = others.into_iter().all(|(_, step)| !step.awaits_decision());
    if business_order.state == BusinessOrderState::Exception && is_decided {
        let state = BusinessOrderState::Running;
        events.push(Event::BusinessOrderMoved { index, state, failure: None });
    }
    Some(events)
}
