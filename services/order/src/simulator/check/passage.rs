//! From which state to which steps and business orders may go. Terminal stays terminal.

use crate::business_order::BusinessOrderState;
use crate::event::Event;
use crate::order::{Order, Place};
use crate::step::StepState;

/// States of what an event is about, before it.
#[derive(Clone, Copy, Debug)]
pub(super) enum States {
    Step(Place, StepState),
    BusinessOrder(usize, BusinessOrderState),
    Neither,
}

/// The states before the event.
pub(super) fn states(order: &Order, event: &Event) -> States {
    if let Event::BusinessOrderMoved { index, .. } = event {
        return States::BusinessOrder(*index, order.business_orders[*index].state);
    }
    place(event).map_or(States::Neither, |place| States::Step(place, order.step(place).state))
}

/// The step that an event moves.
pub(super) fn place(event: &Event) -> Option<Place> {
    match event {
        Event::StepStarted(place)
        | Event::StepSucceeded(place, _)
        | Event::WaitBegan { place, .. }
        | Event::StepSkipped { place, .. }
        | Event::StepSubstituted(place)
        | Event::StepReset(place)
        | Event::StepWaiting { place, .. }
        | Event::StepRetrying { place, .. }
        | Event::StepRefused { place, .. }
        | Event::StepUnknown { place, .. }
        | Event::StepFailed(place, _)
        | Event::UndoStarted(place)
        | Event::UndoWaiting { place, .. }
        | Event::StepUndone(place, _)
        | Event::UndoFailed { place, .. } => Some(*place),
        _ => None,
    }
}

/// Checks the states after the event.
pub(super) fn check(order: &Order, event: &Event, before: States) -> Result<(), String> {
    match before {
        States::Neither => Ok(()),
        States::Step(place, from) => {
            let to = order.step(place).state;
            let may = may_step(from, to);
            may.then_some(()).ok_or_else(|| format!("{place:?} goes from {from:?} to {to:?}"))
        }
        States::BusinessOrder(index, from) => {
            let Event::BusinessOrderMoved { state: to, .. } = event else { return Ok(()) };
            let may = may_business_order(from, *to);
            may.then_some(())
                .ok_or_else(|| format!("business order {index} goes from {from:?} to {to:?}"))
        }
    }
}

fn may_step(from: StepState, to: StepState) -> bool {
    use StepState::{
        Failed, Retrying, Running, Scheduled, Skipped, Succeeded, UndoFailed, Undoing, Undone,
        Unknown, Waiting,
    };
    match from {
        Scheduled => matches!(to, Running | Waiting | Skipped | Failed | Scheduled),
        Running | Waiting | Retrying | Unknown => {
            let goes_on = matches!(to, Running | Waiting | Retrying | Unknown);
            let begins_anew = from == Retrying && to == Scheduled;
            let left_out = to == Skipped && matches!(from, Waiting | Retrying);
            goes_on || begins_anew || left_out || matches!(to, Succeeded | Failed)
        }
        Failed => matches!(to, Scheduled | Skipped),
        Succeeded => to == Undoing,
        Undoing => matches!(to, Undoing | Undone | UndoFailed),
        UndoFailed => matches!(to, Undoing | Undone | UndoFailed),
        Skipped | Undone => false,
    }
}

fn may_business_order(from: BusinessOrderState, to: BusinessOrderState) -> bool {
    use BusinessOrderState::{
        Blocked, Cancelled, Compensated, Compensating, Done, Exception, Failed, Planned, Ready,
        Running, Stuck,
    };
    match from {
        Planned => matches!(to, Blocked | Cancelled),
        Blocked => matches!(to, Ready | Running | Cancelled),
        Ready => matches!(to, Running | Cancelled),
        Running => matches!(to, Done | Exception | Failed | Compensating | Cancelled),
        Exception => matches!(to, Running | Failed | Compensating),
        Failed => matches!(to, Compensating | Cancelled | Exception),
        Done => to == Compensating,
        Compensating => matches!(to, Compensated | Stuck),
        Stuck => to == Compensating,
        Cancelled | Compensated => false,
    }
}
