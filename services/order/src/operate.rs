//! What persons do with an order: each operation, from the states that allow it.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::business_order::BusinessOrderState;
use crate::cancellation::{Asked, CancellationKind};
use crate::decide::{Refusal, read};
use crate::event::{By, Event, Gain, Operation};
use crate::facts::OrderFacts;
use crate::failure::Failure;
use crate::hold::{Hold, HoldId, HoldScope, MAX_HOLDS_PER_ORDER, Window};
use crate::order::{Change, Dismissal, Order, Place};
use crate::plan::{Plan, Trigger, plan};
use crate::rollup::rollup;
use crate::step::{Step, StepState};
use crate::task::{Decision, Task, TaskId, TaskKind};
use crate::template::{Activity, FailurePolicy, StepWork};
use crate::withdraw::withdraw;

mod each;

pub(crate) use each::operate_each;

/// The least time between two urges of one order.
const URGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Decides an operation: first who wanted what, then what it does. Nothing at all when there is nothing to do.
pub(crate) fn operate(
    order: &Order,
    operation: &Operation,
    by: &By,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    let events = match operation {
        Operation::Cancel => cancel(order, by),
        Operation::CancelParts(parts) => cancel_parts(order, parts)?,
        Operation::Change(wanted) => change(order, wanted)?,
        Operation::Pause(id, scope) => pause(order, id, scope, by, now)?,
        Operation::Resume(scope) => resume(order, scope),
        Operation::Retry(place) => retry(order, *place, now)?,
        Operation::Skip(place) => skip(order, *place, by)?,
        Operation::Substitute(place) => substitute(order, *place)?,
        Operation::Rerun(place) => rerun(order, *place)?,
        Operation::ProveUndone(place) => prove_undone(order, *place)?,
        Operation::Prioritize(priority) => prioritize(order, *priority),
        Operation::Urge => urge(order, now)?,
        Operation::Claim(task) => claim(order, task, by)?,
        Operation::Release(task) => release(order, task, by)?,
        Operation::Complete(task, form) => complete(order, task, form, by, now)?,
    };
    if events.is_empty() {
        return Ok(events);
    }
    let place = place_of(order, operation);
    let told = Event::Operated { kind: operation.event(), place, by: by.clone() };
    let asked = asked(operation, &events, by).map(Event::CancellationAsked);
    Ok([told].into_iter().chain(asked).chain(events).collect())
}

/// The request that is kept of an operation which takes back, or changes, what was ordered.
fn asked(operation: &Operation, events: &[Event], by: &By) -> Option<Asked> {
    let kind = match operation {
        Operation::Cancel => CancellationKind::Order,
        Operation::CancelParts(_) => CancellationKind::Parts,
        Operation::Change(_) => CancellationKind::Change,
        Operation::Pause(..)
        | Operation::Resume(_)
        | Operation::Retry(_)
        | Operation::Skip(_)
        | Operation::Substitute(_)
        | Operation::Rerun(_)
        | Operation::ProveUndone(_)
        | Operation::Prioritize(_)
        | Operation::Urge
        | Operation::Claim(_)
        | Operation::Release(_)
        | Operation::Complete(..) => return None,
    };
    let part = |event: &Event| match event {
        Event::Withdrawn(index) => Some(*index),
        _ => None,
    };
    let parts = events.iter().filter_map(part).collect();
    Some(Asked { kind, parts, by: by.clone() })
}

/// The step that an operation is about.
fn place_of(order: &Order, operation: &Operation) -> Option<Place> {
    match operation {
        Operation::Retry(place)
        | Operation::Skip(place)
        | Operation::Substitute(place)
        | Operation::Rerun(place)
        | Operation::ProveUndone(place)
        | Operation::Pause(_, HoldScope::Step(place))
        | Operation::Resume(HoldScope::Step(place)) => Some(*place),
        Operation::Claim(task) | Operation::Release(task) | Operation::Complete(task, _) => {
            order.task(task).map(|(place, _)| place)
        }
        Operation::Cancel
        | Operation::CancelParts(_)
        | Operation::Change(_)
        | Operation::Pause(..)
        | Operation::Resume(_)
        | Operation::Prioritize(_)
        | Operation::Urge => None,
    }
}

fn cancel(order: &Order, by: &By) -> Vec<Event> {
    if order.cancel_reason.is_some() {
        return Vec::new();
    }
    let resumed = order.holds.iter().map(|hold| Event::HoldReleased(hold.id.clone()));
    resumed.chain([Event::CancelRequested { reason: by.reason.clone() }]).collect()
}

/// What a cancel of parts does, as the preview shows it and as it is then carried out.
pub(crate) fn plan_parts(order: &Order, parts: &[usize]) -> Result<Plan, Refusal> {
    if !order.is_delivering() {
        return Err(Refusal::NotDelivering(rollup(order)));
    }
    let plan = plan(order, &Trigger::CancelParts(parts.to_vec()));
    let affected = || plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse);
    for left in parts.iter().filter(|part| !affected().any(|index| index == *part)) {
        let business_order = &order.business_orders[*left];
        if !business_order.is_withdrawn() && !business_order.withdrawn {
            return Err(Refusal::PointOfNoReturnPassed(business_order.id.to_string()));
        }
    }
    Ok(plan)
}

fn cancel_parts(order: &Order, parts: &[usize]) -> Result<Vec<Event>, Refusal> {
    if parts.iter().all(|part| order.business_orders[*part].withdrawn) {
        return Ok(Vec::new());
    }
    let plan = plan_parts(order, parts)?;
    let affected = || plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse).copied();
    let covers = |scope: &HoldScope| match scope {
        HoldScope::BusinessOrder(index) => affected().any(|part| part == *index),
        HoldScope::Step(place) => affected().any(|part| place.business_order == Some(part)),
        HoldScope::Order | HoldScope::Template(_) | HoldScope::Capability(_) => false,
    };
    let resumed = order.holds.iter().filter(|hold| covers(&hold.scope));
    let mut events: Vec<Event> = resumed.map(|hold| Event::HoldReleased(hold.id.clone())).collect();
    events.extend(affected().map(Event::Withdrawn));
    events.extend(withdraw(order, &plan));
    Ok(events)
}

fn change(order: &Order, wanted: &Change) -> Result<Vec<Event>, Refusal> {
    if !order.can_change() {
        return Err(Refusal::ChangeTooLate);
    }
    Ok(vec![Event::ChangeRequested(wanted.clone())])
}

fn pause(
    order: &Order,
    id: &HoldId,
    scope: &HoldScope,
    by: &By,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    if order.holds.iter().any(|hold| hold.scope == *scope) {
        return Ok(Vec::new());
    }
    if order.holds.len() >= MAX_HOLDS_PER_ORDER {
        return Err(Refusal::Limit("max_holds_per_order", MAX_HOLDS_PER_ORDER));
    }
    if order.cancel_reason.is_some() {
        let what = order.id.to_string();
        let allowed = "any but PENDING_CANCELLATION";
        return Err(Refusal::StateForbids { what, state: rollup(order).as_str(), allowed });
    }
    Ok(vec![Event::HoldPlaced(Hold {
        id: id.clone(),
        scope: scope.clone(),
        reason: by.reason.clone(),
        operator: by.actor.clone(),
        placed_at: now,
        window: Window::default(),
    })])
}

fn resume(order: &Order, scope: &HoldScope) -> Vec<Event> {
    let found = order.holds.iter().filter(|hold| hold.scope == *scope);
    found.map(|hold| Event::HoldReleased(hold.id.clone())).collect()
}

/// The operation may be done from some states of a step only.
fn forbidden(step: &Step, allowed: &'static str) -> Refusal {
    Refusal::StateForbids { what: step.id.to_string(), state: step.state.as_str(), allowed }
}

/// A business order in which a person decided goes on running.
fn running_again(order: &Order, place: Place) -> Option<Event> {
    let index = place.business_order?;
    let business_order = &order.business_orders[index];
    let mut others =
        business_order.steps.iter().enumerate().filter(|(step, _)| *step != place.step);
    let is_decided = others.all(|(_, step)| !step.awaits_decision());
    (business_order.state == BusinessOrderState::Exception && is_decided).then(|| {
        let state = BusinessOrderState::Running;
        Event::BusinessOrderMoved { index, state, failure: None }
    })
}

fn retry(order: &Order, place: Place, now: Instant) -> Result<Vec<Event>, Refusal> {
    let step = order.step(place);
    let failure = step.failure.clone().unwrap_or_else(|| {
        Failure::new("RETRY_REQUESTED", crate::error::DOMAIN, "a person asked to try it")
    });
    match step.state {
        StepState::Failed if step.awaits_decision() => {
            let reset = Event::StepReset(place);
            Ok([reset].into_iter().chain(running_again(order, place)).collect())
        }
        StepState::Retrying => Ok(vec![Event::StepRetrying { place, next_at: now, failure }]),
        StepState::Unknown => Ok(vec![Event::StepUnknown { place, next_at: now, failure }]),
        StepState::UndoFailed => Ok(vec![Event::UndoStarted(place)]),
        StepState::Scheduled
        | StepState::Running
        | StepState::Waiting
        | StepState::Succeeded
        | StepState::Skipped
        | StepState::Failed
        | StepState::Undoing
        | StepState::Undone => {
            Err(forbidden(step, "RETRYING, UNKNOWN, UNDO_FAILED, FAILED with an open decision"))
        }
    }
}

/// What is on its way out, or gone, is not carried on in another way.
fn refuse_withdrawn(order: &Order, place: Place) -> Result<(), Refusal> {
    let Some(index) = place.business_order else { return Ok(()) };
    let business_order = &order.business_orders[index];
    if !business_order.is_withdrawn() {
        return Ok(());
    }
    let what = business_order.id.to_string();
    let state = business_order.state.as_str();
    Err(Refusal::StateForbids {
        what,
        state,
        allowed: "PLANNED, BLOCKED, READY, RUNNING, EXCEPTION",
    })
}

fn skip(order: &Order, place: Place, by: &By) -> Result<Vec<Event>, Refusal> {
    const ALLOWED: &str = "SCHEDULED, RETRYING, WAITING for an event, a time or a person, FAILED with an open decision";
    let step = order.step(place);
    refuse_withdrawn(order, place)?;
    let is_part = step.activity().is_some();
    let may = match step.state {
        // What the center does with its own books cannot be left out.
        StepState::Scheduled | StepState::Retrying => !is_part,
        StepState::Waiting => step.waits_inside(),
        StepState::Failed => step.awaits_decision() && !is_part,
        StepState::Skipped => return Ok(Vec::new()),
        StepState::Running
        | StepState::Unknown
        | StepState::Succeeded
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => false,
    };
    if !may {
        return Err(forbidden(step, ALLOWED));
    }
    let skipped = Event::StepSkipped { place, note: format!("{}: {}", by.actor, by.reason) };
    Ok([skipped].into_iter().chain(running_again(order, place)).collect())
}

fn substitute(order: &Order, place: Place) -> Result<Vec<Event>, Refusal> {
    let step = order.step(place);
    if step.definition().substitute.is_none() {
        return Err(Refusal::SubstituteMissing(step.id.to_string()));
    }
    refuse_withdrawn(order, place)?;
    let may =
        matches!(step.state, StepState::Scheduled | StepState::Retrying) || step.awaits_decision();
    if !may || step.substituted {
        return Err(forbidden(step, "SCHEDULED, RETRYING, FAILED with an open decision"));
    }
    let substituted = Event::StepSubstituted(place);
    Ok([substituted].into_iter().chain(running_again(order, place)).collect())
}

fn rerun(order: &Order, place: Place) -> Result<Vec<Event>, Refusal> {
    let step = order.step(place);
    let Some(index) = place.business_order.filter(|_| step.activity().is_none()) else {
        return Err(forbidden(step, "a step of a business order that its template names"));
    };
    let business_order = &order.business_orders[index];
    let runs =
        matches!(business_order.state, BusinessOrderState::Running | BusinessOrderState::Exception);
    if !runs || business_order.rerun_from.is_some() {
        let what = business_order.id.to_string();
        let state = business_order.state.as_str();
        return Err(Refusal::StateForbids { what, state, allowed: "RUNNING, EXCEPTION" });
    }
    let anew = business_order.run_after(place.step);
    let passed_final = |step: &usize| {
        let step = &business_order.steps[*step];
        step.is_final() && (step.state == StepState::Succeeded || step.is_out())
    };
    if anew.iter().any(passed_final) {
        return Err(Refusal::PointOfNoReturnPassed(business_order.id.to_string()));
    }
    Ok(vec![Event::RerunBegan { index, step: place.step }])
}

fn prove_undone(order: &Order, place: Place) -> Result<Vec<Event>, Refusal> {
    let step = order.step(place);
    match step.state {
        StepState::UndoFailed => Ok(vec![Event::StepUndone(place, given_back(order, place))]),
        StepState::Undone => Ok(Vec::new()),
        _ => Err(forbidden(step, "UNDO_FAILED")),
    }
}

/// What a person gave back who undid a step by hand: money counts, whoever returned it.
fn given_back(order: &Order, place: Place) -> Gain {
    let share = place.business_order.map(|index| order.business_orders[index].charge.minor);
    match order.step(place).activity() {
        Some(Activity::Charge) => Gain::Refunded(share.unwrap_or_default()),
        Some(Activity::Pay) => Gain::Refunded(order.captured - order.refunded),
        Some(
            Activity::Prepare
            | Activity::Reserve
            | Activity::Allocate
            | Activity::Allocation
            | Activity::Restock
            | Activity::Refund
            | Activity::StockBack
            | Activity::MoneyBack,
        )
        | None => Gain::Nothing,
    }
}

fn prioritize(order: &Order, priority: u8) -> Vec<Event> {
    if order.priority == priority { Vec::new() } else { vec![Event::Prioritized(priority)] }
}

fn urge(order: &Order, now: Instant) -> Result<Vec<Event>, Refusal> {
    let next = order.urged_at.map(|at| at.plus(URGE_INTERVAL)).filter(|at| *at > now);
    match next {
        Some(at) => Err(Refusal::UrgedTooOften(at.since(now))),
        None => Ok(vec![Event::Urged]),
    }
}

/// An open task of the order that the person may work on.
fn own_task<'a>(order: &'a Order, id: &TaskId, by: &By) -> Result<(Place, &'a Task), Refusal> {
    let (place, task) = order.task(id).ok_or_else(|| Refusal::TaskNotFound(id.to_string()))?;
    match &task.claimed_by {
        Some(other) if *other != by.actor => Err(Refusal::TaskClaimed(other.clone())),
        Some(_) | None => Ok((place, task)),
    }
}

fn claim(order: &Order, id: &TaskId, by: &By) -> Result<Vec<Event>, Refusal> {
    let (place, task) = own_task(order, id, by)?;
    let is_theirs = task.claimed_by.is_some();
    let claimed = Event::TaskClaimed { place, by: Some(by.actor.clone()) };
    Ok(if is_theirs { Vec::new() } else { vec![claimed] })
}

fn release(order: &Order, id: &TaskId, by: &By) -> Result<Vec<Event>, Refusal> {
    let (place, task) = own_task(order, id, by)?;
    let is_theirs = task.claimed_by.is_some();
    let released = Event::TaskClaimed { place, by: None };
    Ok(if is_theirs { vec![released] } else { Vec::new() })
}

fn complete(
    order: &Order,
    id: &TaskId,
    form: &BTreeMap<String, String>,
    by: &By,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    let (place, task) = own_task(order, id, by)?;
    match (task.kind, &order.step(place).definition().work) {
        (TaskKind::Decision, _) => decided(order, place, form, by, now),
        (TaskKind::Step, StepWork::Manual(manual)) => {
            let filled = manual.typed(form);
            manual.check(&filled).map_err(Refusal::FormInvalid)?;
            Ok(vec![read(place, manual.read(&OrderFacts::new(order, place, now), &filled))])
        }
        (TaskKind::Step, _) => Err(Refusal::TaskNotFound(id.to_string())),
    }
}

fn decided(
    order: &Order,
    place: Place,
    form: &BTreeMap<String, String>,
    by: &By,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    let said = form.get("decision").map(String::as_str).unwrap_or_default();
    let wrong = |what: String| Refusal::FormInvalid(vec![("decision".to_owned(), what)]);
    let decision = Decision::parse(said)
        .ok_or_else(|| wrong(format!("must be RETRY, SKIP, BRANCH or WHOLE, is {said:?}")))?;
    let policy = match decision {
        Decision::Retry => return retry(order, place, now),
        Decision::Skip => return skip(order, place, by),
        Decision::Branch => FailurePolicy::Branch,
        Decision::Whole => FailurePolicy::Whole,
    };
    let failure = order.step(place).failure.clone();
    let Some(index) = place.business_order else {
        let failure = failure.unwrap_or_else(|| {
            Failure::new("REFUSED_BY_PERSON", crate::error::DOMAIN, by.reason.clone())
        });
        let paid = order.captured > order.refunded;
        let dismissal = if paid { Dismissal::Failed } else { Dismissal::Rejected };
        return Ok(vec![Event::Dismissed { dismissal, failure }]);
    };
    let business_order = &order.business_orders[index];
    if business_order.is_past_point_of_no_return() || business_order.reverses.is_some() {
        return Err(wrong("it is past its point of no return: RETRY or SKIP".to_owned()));
    }
    let state = BusinessOrderState::Failed;
    Ok(vec![
        Event::PolicyDecided { index, policy },
        Event::BusinessOrderMoved { index, state, failure },
    ])
}

impl Order {
    /// An open task, and the step that it belongs to.
    pub(crate) fn task(&self, id: &TaskId) -> Option<(Place, &Task)> {
        let tasks = self.places().filter_map(|(place, step)| Some((place, step.task.as_ref()?)));
        tasks.into_iter().find(|(_, task)| task.id == *id)
    }
}
