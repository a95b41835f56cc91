//! What would follow if a step failed: the same rules as of an order that runs.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_proto::order::v1 as proto;

use super::played::Played;
use super::stage::{Stage, succeed};
use crate::apply::apply;
use crate::business_order::BusinessOrder;
use crate::convert;
use crate::error::{DOMAIN, OrderError};
use crate::event::Event;
use crate::failure::Failure;
use crate::follow_up::{after_failure, policy_of};
use crate::order::{Dismissal, Order, OrderState, Place};
use crate::plan::{Trigger, plan};
use crate::step::{Step, StepState};

/// Reason of a failure that nobody gave one for.
const SIMULATED: &str = "SIMULATED";

/// Says what would follow if a step failed after all that stand before it were done.
pub(super) fn follows(
    stage: &Stage,
    played: &Played,
    step_id: &str,
    reason: &str,
    now: Instant,
) -> Result<proto::SimulatedFailure, Error> {
    let found = stage.steps().iter().position(|step| step.id == step_id);
    let index = found
        .ok_or_else(|| OrderError::NoSuchStep(stage.order.id.to_string(), step_id.to_owned()))?;
    if !played.runs(index) {
        let mut wrong = Violations::new(DOMAIN);
        wrong.add("failed_step_id", "the step would be left out: it cannot fail");
        wrong.finish()?;
    }
    let reason = if reason.is_empty() { SIMULATED } else { reason };
    let place = Place { business_order: stage.business_order, step: index };
    let order = failed(stage, played, place, reason, now);
    let events = after_failure(&order, place, now);
    let retry = &order.step(place).definition().retry;
    let attempts = if retry.reasons.contains(reason) { retry.attempts } else { 1 };
    let follows = proto::SimulatedFailure {
        step_id: step_id.to_owned(),
        reason: reason.to_owned(),
        attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
        ..proto::SimulatedFailure::default()
    };
    Ok(remedied(order, place, &events, follows, now))
}

/// The order in which the step has just failed.
fn failed(stage: &Stage, played: &Played, place: Place, reason: &str, now: Instant) -> Order {
    let mut order = stage.order.clone();
    for index in 0..place.step {
        let step = order.step_mut(Place { step: index, ..place });
        match step.state {
            StepState::Scheduled if played.runs(index) => succeed(step, now),
            StepState::Scheduled => step.state = StepState::Skipped,
            _ => {}
        }
    }
    let step = order.step_mut(place);
    step.state = StepState::Failed;
    (step.started_at, step.ended_at) = (Some(now), Some(now));
    step.failure = Some(Failure::new(reason, DOMAIN, "it is assumed to fail"));
    order
}

fn remedied(
    mut order: Order,
    place: Place,
    events: &[Event],
    follows: proto::SimulatedFailure,
    now: Instant,
) -> proto::SimulatedFailure {
    let told = |remedy: proto::FailureRemedy, note: String| proto::SimulatedFailure {
        remedy: remedy.into(),
        note,
        ..follows.clone()
    };
    let failure = order.step(place).failure.clone();
    match (events.first(), place.business_order) {
        (Some(Event::StepSubstituted(_)), _) => {
            let substitute = order.step(place).definition().substitute.as_ref();
            let method = substitute.map(|call| call.method()).unwrap_or_default();
            told(proto::FailureRemedy::Substitute, format!("calls {method} instead"))
        }
        (Some(Event::StepSkipped { note, .. }), _) => {
            told(proto::FailureRemedy::Skip, note.clone())
        }
        (Some(Event::DecisionAsked { task, .. }), business_order) => {
            let note = format!("{} decides how to go on; what comes after it waits", task.group);
            let policy = business_order.map(|index| policy_of(&order, index, failure.as_ref()));
            proto::SimulatedFailure {
                policy: policy.map(convert::policy).unwrap_or_default().into(),
                ..told(proto::FailureRemedy::Person, note)
            }
        }
        (Some(Event::PolicyDecided { policy, .. }), Some(index)) => {
            let policy = convert::policy(*policy);
            for event in events {
                apply(&mut order, event, now);
            }
            let plan = plan(&order, &Trigger::Failed(index));
            let note = "its business order is undone, last first".to_owned();
            proto::SimulatedFailure {
                policy: policy.into(),
                undone_step_ids: undone(&order.business_orders[index].steps),
                plan: Some(convert::plan(&order, &plan)),
                ..told(proto::FailureRemedy::Undo, note)
            }
        }
        (Some(Event::Dismissed { dismissal, .. }), _) => proto::SimulatedFailure {
            undone_step_ids: undone(&order.steps),
            end_state: convert::order_state(end_of(*dismissal)).into(),
            ..told(
                proto::FailureRemedy::Undo,
                "nothing is delivered, and what the order did is undone, last first".to_owned(),
            )
        },
        (_, _) => follows,
    }
}

fn undone(steps: &[Step]) -> Vec<String> {
    BusinessOrder::undo_order(steps).into_iter().map(|index| steps[index].id.to_string()).collect()
}

fn end_of(dismissal: Dismissal) -> OrderState {
    match dismissal {
        Dismissal::Rejected => OrderState::Rejected,
        Dismissal::Cancelled => OrderState::Cancelled,
        Dismissal::Failed => OrderState::Failed,
    }
}
