//! What an order is found by besides its own fields: where it waits, what troubles it, by which templates it runs.

use std::collections::BTreeSet;

use crate::fee::differs;
use crate::order::{Order, Place};
use crate::step::{Step, StepState};

/// A person should look at the order.
pub(crate) const ATTENTION: &str = "attention";

/// The order will miss its promise, or a step of it its service level.
pub(crate) const JEOPARDY: &str = "jeopardy";
/// The customer asked to hurry.
pub(crate) const URGED: &str = "urged";
/// The money of the order is not what it should be.
pub(crate) const FEE: &str = "fee";

/// Orders that run by a template.
pub(crate) fn of_template(name: &str) -> String {
    format!("template:{name}")
}

/// Orders of which such a step waits.
pub(crate) fn of_step(id: &str) -> String {
    format!("step:{id}")
}

/// Orders with an exception of a signature.
pub(crate) fn of_exception(signature: &str) -> String {
    format!("exception:{signature}")
}

/// Brings the marks of an order to what it is now.
pub(crate) fn mark(order: &mut Order) {
    let marks = marks(order);
    if marks != *order.marks {
        order.marks = marks.into();
        order.marks_changed = true;
    }
}

/// Gives an order only the marks of its templates: for one whose steps are not understood any more.
pub(crate) fn mark_templates(order: &mut Order) {
    order.marks = templates(order).into();
}

fn templates(order: &Order) -> BTreeSet<String> {
    let mut marks = BTreeSet::from([of_template(&order.template.name)]);
    marks.extend(order.business_orders.iter().map(|bo| of_template(&bo.template.name)));
    marks
}

fn marks(order: &Order) -> BTreeSet<String> {
    let mut marks = templates(order);
    if differs(order) {
        marks.insert(FEE.to_owned());
    }
    if order.ended_at.is_some() {
        return marks;
    }
    if order.needs_attention() {
        marks.insert(ATTENTION.to_owned());
    }
    if order.urges > 0 {
        marks.insert(URGED.to_owned());
    }
    if order.is_in_jeopardy() {
        marks.insert(JEOPARDY.to_owned());
    }
    for (place, step) in order.places() {
        if is_stuck_at(step) {
            marks.insert(of_step(&step.id));
        }
        marks.extend(signature(order, place, step).map(|signature| of_exception(&signature)));
    }
    marks
}

/// It is where its order waits: for somebody, for a time, or for another try.
pub(crate) fn is_stuck_at(step: &Step) -> bool {
    match step.state {
        StepState::Waiting | StepState::Retrying | StepState::Unknown | StepState::UndoFailed => {
            true
        }
        StepState::Failed => step.task.is_some(),
        StepState::Scheduled
        | StepState::Running
        | StepState::Succeeded
        | StepState::Skipped
        | StepState::Undoing
        | StepState::Undone => false,
    }
}

/// What troubles a step, the same for all orders with the same trouble: template, step and reason.
pub(crate) fn signature(order: &Order, place: Place, step: &Step) -> Option<String> {
    let failure = step.failure.as_ref().filter(|_| order.is_troubled(place, step))?;
    let template = order.template_of(place.business_order);
    Some(format!("{template}/{}/{}", step.id, failure.reason))
}
