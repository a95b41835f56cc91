//! What can be asked of an order, what can happen to it, and what calls bring back.

use std::collections::BTreeMap;

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;

use crate::business_order::BusinessOrderState;
use crate::failure::Failure;
use crate::order::{Dismissal, ItemPlan, OrderState, Place};

/// A thing asked of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Start what can be started now.
    Advance,
    /// The same, for an order whose calls may have been made without their answers being heard.
    Recover,
    /// A call came back.
    Settle {
        /// Step that made it.
        place: Place,
        /// Whether the call did the step or undid it.
        direction: Direction,
        /// What it brought.
        outcome: Outcome,
    },
    /// Cancel the whole order.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// It does the step, or asks how doing it went.
    Do,
    /// It undoes the step, or asks how undoing it went.
    Undo,
}

/// What a call brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done.
    Succeeded(Gain),
    /// It was refused for good.
    Declined(Failure),
    /// It did not happen.
    NotAttempted(Failure),
    /// It may have happened.
    Unknown(Failure),
    /// It was asked about, and certainly did not happen: it is repeated with the same reference.
    NeverArrived(Failure),
    /// It is under way.
    Pending {
        /// What to ask about later (payment order, refund).
        token: String,
        /// When to ask at the latest; `None` takes the usual schedule.
        ask_at: Option<Instant>,
    },
}

/// What a successful call brings besides success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gain {
    /// Nothing.
    Nothing,
    /// The order's plan.
    Prepared(Preparation),
    /// Units are held.
    Reserved {
        /// Reservation.
        reservation_id: String,
        /// Serial items by line.
        assigned: BTreeMap<String, Vec<String>>,
    },
    /// Money was taken.
    Captured {
        /// Payment order.
        payment_order_id: String,
        /// How much, in minor units.
        minor: i64,
    },
    /// Money was given back, in minor units.
    Refunded(i64),
}

/// What the product center said about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// By line, in the order of the lines.
    pub(crate) items: Vec<ItemPlan>,
    /// What is owed once.
    pub(crate) total: Money,
    /// The businesses.
    pub(crate) business_orders: Vec<PreparedBusinessOrder>,
}

/// One business order to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreparedBusinessOrder {
    /// Unique in the preparation.
    pub(crate) key: String,
    /// Template.
    pub(crate) template: String,
    /// Lines.
    pub(crate) item_keys: Vec<String>,
    /// Keys of others that must be done first.
    pub(crate) requires: Vec<String>,
    /// Keys of others that must have ended first.
    pub(crate) after: Vec<String>,
}

/// A thing that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A step's call goes out.
    StepStarted(Place),
    /// A step is done.
    StepSucceeded(Place, Gain),
    /// A step waits for news.
    StepWaiting {
        /// Step.
        place: Place,
        /// What to ask about.
        token: String,
        /// When to ask.
        next_at: Instant,
    },
    /// A step's call did not happen and will be repeated.
    StepRetrying {
        /// Step.
        place: Place,
        /// When.
        next_at: Instant,
        /// Why it did not happen.
        failure: Failure,
    },
    /// A step's call was refused, but its business order cannot go back: it will be tried as a new request.
    StepRefused {
        /// Step.
        place: Place,
        /// When.
        next_at: Instant,
        /// Why.
        failure: Failure,
    },
    /// Nobody knows whether a step's call happened; it will be asked about.
    StepUnknown {
        /// Step.
        place: Place,
        /// When.
        next_at: Instant,
        /// What is known.
        failure: Failure,
    },
    /// A step was refused for good.
    StepFailed(Place, Failure),
    /// A step's undo goes out.
    UndoStarted(Place),
    /// A step's undo is under way or will be repeated.
    UndoWaiting {
        /// Step.
        place: Place,
        /// What to ask about; `None` repeats the call.
        token: Option<String>,
        /// When.
        next_at: Instant,
        /// Why it is repeated.
        failure: Option<Failure>,
    },
    /// A step is undone.
    StepUndone(Place, Gain),
    /// A step's undo was refused.
    UndoFailed {
        /// Step.
        place: Place,
        /// When it is tried again.
        next_at: Instant,
        /// Why.
        failure: Failure,
    },
    /// A business order changed its state.
    BusinessOrderMoved {
        /// Index.
        index: usize,
        /// New state.
        state: BusinessOrderState,
        /// Why, where something failed.
        failure: Option<Failure>,
    },
    /// Somebody asked to cancel.
    CancelRequested {
        /// Why.
        reason: String,
    },
    /// Nothing of the order will be delivered.
    Dismissed {
        /// How it ends.
        dismissal: Dismissal,
        /// Why.
        failure: Failure,
    },
    /// The order is terminal.
    Ended(OrderState),
}
