//! What may begin, and in which order things are undone.

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::{Command, Event, Operation};
use crate::order::{Order, Place};
use crate::step::{Step, StepState};
use crate::work::{CallPurpose, Task};

/// Which call it is.
pub(super) fn kind(task: &Task) -> &'static str {
    match task {
        Task::Prepare => "prepare",
        Task::Reserve { .. } => "reserve",
        Task::Pay { .. } => "pay",
        Task::ClosePayment { .. } => "close",
        Task::Allocate => "allocate",
        Task::Release { .. } => "release",
        Task::ReturnAllocated { .. } => "give back",
        Task::Restock(_) => "restock",
        Task::Refund { .. } => "refund",
        Task::AskRefund { .. } => "ask refund",
        Task::Call(CallPurpose::Do) => "call",
        Task::Call(CallPurpose::Ask) => "ask",
        Task::Call(CallPurpose::Undo) => "undo",
        Task::Call(CallPurpose::AskUndo) => "ask undo",
    }
}

/// Checks an event against the order that it happens to.
pub(super) fn check(order: &Order, event: &Event, command: &Command) -> Result<(), String> {
    match event {
        Event::StepStarted(place) | Event::WaitBegan { place, .. } => begin(order, *place),
        Event::UndoStarted(place) => {
            let is_asked = matches!(
                command,
                Command::Operate { operation: Operation::Retry(asked), .. } if asked == place
            );
            if order.is_held(*place) && !is_asked {
                return Err(format!("{place:?} is paused and its undo starts"));
            }
            undo(order, *place)
        }
        _ => Ok(()),
    }
}

fn begin(order: &Order, place: Place) -> Result<(), String> {
    if order.is_held(place) {
        return Err(format!("{place:?} is paused and begins"));
    }
    let step = order.step(place);
    let siblings = match place.business_order {
        None => {
            let goes_on = order.dismissal.is_none() && order.is_wanted();
            if !goes_on {
                return Err(format!("{place:?} begins, and nobody wants it"));
            }
            &order.steps
        }
        Some(index) => {
            let business_order = &order.business_orders[index];
            let needs = business_order.requires.iter().map(|need| &*order.business_orders[*need]);
            // What is needed by something that is to be taken back stands until that is gone.
            let is_reversed = BusinessOrder::is_reversed(&order.business_orders, index);
            let stands = |need: &&BusinessOrder| {
                is_reversed && need.steps.iter().all(|step| step.undo_attempts == 0)
            };
            let missing =
                |need: &&BusinessOrder| need.state != BusinessOrderState::Done && !stands(need);
            if let Some(missing) = needs.clone().find(missing) {
                return Err(format!("{place:?} begins, and what it needs is {:?}", missing.state));
            }
            if business_order.state != BusinessOrderState::Running {
                return Err(format!("{place:?} begins in {:?}", business_order.state));
            }
            if business_order.rerun_from.is_some() {
                return Err(format!("{place:?} begins while what ran is undone to run anew"));
            }
            &business_order.steps
        }
    };
    if step.after.iter().all(|before| siblings[*before].has_passed()) {
        return Ok(());
    }
    Err(format!("{place:?} begins before what it waits for has passed"))
}

fn undo(order: &Order, place: Place) -> Result<(), String> {
    let step = order.step(place);
    if !matches!(step.state, StepState::Succeeded | StepState::UndoFailed)
        || step.ended_at.is_none()
        || !step.has_undo()
    {
        return Err(format!("{place:?} is undone, and it is {:?}", step.state));
    }
    let Some(index) = place.business_order else { return in_reverse(&order.steps, place, None) };
    let business_order = &order.business_orders[index];
    let anew = business_order.rerun_from.map(|from| business_order.run_after(from));
    in_reverse(&business_order.steps, place, anew.as_deref())?;
    if anew.is_some() {
        return Ok(());
    }
    for (number, other) in order.business_orders.iter().enumerate() {
        if other.comes_after(index) {
            after_other(order, index, number)?;
        }
    }
    Ok(())
}

/// Nothing that ended later still has to be undone.
fn in_reverse(siblings: &[Step], place: Place, among: Option<&[usize]>) -> Result<(), String> {
    let key = |index: usize| (siblings[index].ended_at, index);
    let counts = |index: &usize| among.is_none_or(|among| among.contains(index));
    let later = (0..siblings.len())
        .filter(counts)
        .find(|index| siblings[*index].needs_undo() && key(*index) > key(place.step));
    match later {
        Some(later) => Err(format!("{place:?} is undone before step {later}, which ended later")),
        None => Ok(()),
    }
}

/// What came after a business order is taken back before it.
fn after_other(order: &Order, index: usize, number: usize) -> Result<(), String> {
    let other = &order.business_orders[number];
    if other.is_withdrawn() && !other.has_ended() {
        return Err(format!("{index} is undone before {number}, which came after it"));
    }
    if !other.requires.contains(&index) {
        return Ok(());
    }
    let reversal = order.business_orders.iter().find(|bo| bo.reverses == Some(number));
    let is_taken_back = other.is_withdrawn()
        || reversal.is_some_and(|reversal| reversal.state == BusinessOrderState::Done);
    let never_ran = !other.has_run();
    if is_taken_back || never_ran {
        return Ok(());
    }
    Err(format!("{index} is undone, and {number}, which needs it, is {:?}", other.state))
}
