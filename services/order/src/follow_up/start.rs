//! How a step begins: it is called for, it waits, or it is left out.

use throughline_kit::clock::Instant;

use crate::decide::{expression_failed, heard};
use crate::event::Event;
use crate::facts::OrderFacts;
use crate::order::{Action, Order, Place};
use crate::step::StepState;
use crate::task::{Task, TaskId, TaskKind};
use crate::template::{Activity, StepWork, Timer};

/// Begins every step of a group that may begin now: those before it have passed, and no pause covers it.
pub(super) fn ready(order: &Order, business_order: Option<usize>, now: Instant) -> Vec<Event> {
    let steps = match business_order {
        None => &order.steps,
        Some(index) => &order.business_orders[index].steps,
    };
    let may_begin = |index: &usize| {
        let step = &steps[*index];
        let place = Place { business_order, step: *index };
        let is_due = match step.state {
            StepState::Scheduled => step.after.iter().all(|before| steps[*before].has_passed()),
            StepState::Retrying => step.next_at.is_some_and(|at| at <= now),
            StepState::Running
            | StepState::Waiting
            | StepState::Unknown
            | StepState::Succeeded
            | StepState::Skipped
            | StepState::Failed
            | StepState::Undoing
            | StepState::Undone
            | StepState::UndoFailed => false,
        };
        is_due && !order.is_held(place)
    };
    let mut events = Vec::new();
    for index in (0..steps.len()).filter(may_begin) {
        events.extend(begin(order, Place { business_order, step: index }, now));
        // What one step took, the next one must not take again: it looks anew.
        if events.iter().any(|event| matches!(event, Event::SignalTaken(_))) {
            break;
        }
    }
    events
}

fn begin(order: &Order, place: Place, now: Instant) -> Vec<Event> {
    let step = order.step(place);
    if step.state == StepState::Retrying {
        return vec![Event::StepStarted(place)];
    }
    let definition = step.definition();
    let facts = OrderFacts::new(order, place, now);
    if let Some(when) = &definition.when {
        match when.bool(&facts) {
            Ok(true) => {}
            Ok(false) => return vec![skipped(place, "its condition does not hold")],
            Err(cause) => {
                return vec![Event::StepFailed(place, expression_failed(&cause.to_string()))];
            }
        }
    }
    match &definition.work {
        StepWork::Activity(activity) if has_nothing_to_do(order, *activity) => {
            vec![skipped(place, "there is nothing to do")]
        }
        StepWork::Activity(_) | StepWork::Call(_) => vec![Event::StepStarted(place)],
        StepWork::Timer(Timer::For(span)) => waits(place, Some(now.plus(*span)), None),
        StepWork::Timer(Timer::Until(until)) => match until.timestamp(&facts) {
            Ok(Some(until)) => waits(place, Some(until), None),
            Ok(None) => vec![skipped(place, "no time is named")],
            Err(cause) => vec![Event::StepFailed(place, expression_failed(&cause.to_string()))],
        },
        StepWork::Wait(_) => {
            let mut events = waits(place, definition.timeout.map(|span| now.plus(span)), None);
            events.extend(kept(order, place, now));
            events
        }
        StepWork::Manual(manual) => {
            let deadline = definition.timeout.map(|span| now.plus(span));
            waits(place, deadline, Some(task(order, place, TaskKind::Step, &manual.group, now)))
        }
    }
}

fn waits(place: Place, deadline: Option<Instant>, task: Option<Task>) -> Vec<Event> {
    vec![Event::WaitBegan { place, deadline, task }]
}

fn skipped(place: Place, note: &str) -> Event {
    Event::StepSkipped { place, note: note.to_owned() }
}

/// An event that came before the step waited for it.
fn kept(order: &Order, place: Place, now: Instant) -> Vec<Event> {
    let step = order.step(place);
    let found = order.signals.iter().position(|signal| signal.suits(place, step));
    let taken = found
        .map(|index| [Event::SignalTaken(index), heard(order, place, &order.signals[index], now)]);
    taken.into_iter().flatten().collect()
}

/// Opens a task; the same for ever for the same opening of the same step.
pub(super) fn task(order: &Order, place: Place, kind: TaskKind, group: &str, now: Instant) -> Task {
    let step = order.step(place);
    let business_order =
        place.business_order.map_or("", |index| order.business_orders[index].id.as_str());
    let (generation, number) = (step.generation.to_string(), step.refusals.to_string());
    let kind_text = match kind {
        TaskKind::Step => "step",
        TaskKind::Decision => "decision",
    };
    let identity = [order.id.as_str(), business_order, &step.id, kind_text, &generation, &number];
    Task {
        id: TaskId::derive(&identity),
        kind,
        group: group.to_owned(),
        claimed_by: None,
        opened_at: now,
        escalated: false,
        escalated_at: None,
    }
}

/// What an activity works with is not part of the order.
fn has_nothing_to_do(order: &Order, activity: Activity) -> bool {
    match activity {
        Activity::Reserve | Activity::Allocate => {
            let plans = order.item_plans.as_deref().unwrap_or_default();
            !order
                .items
                .iter()
                .zip(plans)
                .any(|(item, plan)| item.action != Action::Delete && !plan.demands.is_empty())
        }
        Activity::Pay => order.total.is_none_or(|total| total.is_zero()),
        Activity::Prepare
        | Activity::Allocation
        | Activity::Charge
        | Activity::Restock
        | Activity::Refund
        | Activity::StockBack
        | Activity::MoneyBack => false,
    }
}
