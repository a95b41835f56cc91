//! What a step that failed does to its business order.

use throughline_kit::clock::Instant;

use crate::business_order::BusinessOrderState;
use crate::event::Event;
use crate::failure::Failure;
use crate::order::{Order, Place};
use crate::step::StepState;
use crate::task::{DEFAULT_GROUP, TaskKind};
use crate::template::{FailedDelivery, FailurePolicy, OnFailure};

use super::start::task;
use super::unexplained;

/// What the step itself has against its failure: a substitute, to be left out, or a person. `None` when its business order,
/// or the order, has to bear it.
pub(super) fn remedy(order: &Order, place: Place, now: Instant) -> Option<Event> {
    let step = order.step(place);
    let definition = step.definition();
    if definition.substitute.is_some() && !step.substituted {
        return Some(Event::StepSubstituted(place));
    }
    match &definition.on_failure {
        OnFailure::Fail => None,
        OnFailure::Skip => {
            let failure = step.failure.clone().unwrap_or_else(unexplained);
            let note = format!("it failed with {} and is not needed", failure.reason);
            Some(Event::StepSkipped { place, note })
        }
        OnFailure::Manual { group } => Some(ask(order, place, group, now)),
    }
}

/// Asks a person what to do about a step that failed.
pub(super) fn ask(order: &Order, place: Place, group: &str, now: Instant) -> Event {
    let group = if group.is_empty() { DEFAULT_GROUP } else { group };
    Event::DecisionAsked { place, task: task(order, place, TaskKind::Decision, group, now) }
}

/// What follows for a business order of which a step failed.
pub(super) fn after_failure(order: &Order, index: usize, step: usize, now: Instant) -> Vec<Event> {
    let place = Place { business_order: Some(index), step };
    let business_order = &order.business_orders[index];
    let moved = |state, failure| Event::BusinessOrderMoved { index, state, failure };
    let failure = order.step(place).failure.clone();
    match remedy(order, place, now) {
        Some(asked @ Event::DecisionAsked { .. }) => {
            return vec![asked, moved(BusinessOrderState::Exception, failure)];
        }
        Some(remedy) => return vec![remedy],
        None => {}
    }
    let policy = policy_of(order, index, failure.as_ref());
    let asks_person = match policy {
        FailurePolicy::Branch | FailurePolicy::Whole => business_order.is_past_point_of_no_return(),
        FailurePolicy::Forward | FailurePolicy::Ask => true,
    };
    if asks_person {
        let asked = ask(order, place, "", now);
        return vec![asked, moved(BusinessOrderState::Exception, failure)];
    }
    vec![Event::PolicyDecided { index, policy }, moved(BusinessOrderState::Failed, failure)]
}

/// A business order that failed and cannot go back any more: a person decides about each step that failed.
pub(super) fn only_forward(order: &Order, index: usize, now: Instant) -> Vec<Event> {
    let steps = order.business_orders[index].steps.iter().enumerate();
    let failed = steps.filter(|(_, step)| is_unhandled(step));
    let asked = failed.map(|(step, _)| {
        let place = Place { business_order: Some(index), step };
        ask(order, place, "", now)
    });
    let state = BusinessOrderState::Exception;
    asked.chain([Event::BusinessOrderMoved { index, state, failure: None }]).collect()
}

/// What the failure of a business order does to the rest: what was decided, else what its template says for the offering,
/// the channel and the reason, else what the order says. One that takes another back only goes forward.
pub(crate) fn policy_of(order: &Order, index: usize, failure: Option<&Failure>) -> FailurePolicy {
    let business_order = &order.business_orders[index];
    if let Some(decided) = business_order.policy {
        return decided;
    }
    if business_order.reverses.is_some() {
        return FailurePolicy::Forward;
    }
    let Some(template) = business_order.template.template() else { return order.policy };
    let is_theirs = |key: &String| business_order.item_keys.binary_search(key).is_ok();
    let lines = order.items.iter().filter(|item| is_theirs(&item.key));
    let offerings: Vec<&str> = lines.map(|item| item.offering.as_str()).collect();
    let failed = FailedDelivery {
        offerings: &offerings,
        channel: &order.channel,
        reason: failure.map(|failure| failure.reason.as_str()).unwrap_or_default(),
    };
    template.policy_for(&failed).unwrap_or(order.policy)
}

/// The step failed, and nobody is deciding about it.
pub(super) fn is_unhandled(step: &crate::step::Step) -> bool {
    step.state == StepState::Failed && step.task.is_none()
}
