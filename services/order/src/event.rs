//! What can be asked of an order, what can happen to it, and what calls bring back.

use std::collections::BTreeMap;

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;

use crate::business_order::BusinessOrderState;
use crate::cancellation;
use crate::failure::Failure;
use crate::flow::Pinned;
use crate::hold::{Hold, HoldId, HoldScope};
use crate::order::{Change, Dismissal, ItemPlan, OrderState, Place};
use crate::signal::Signal;
use crate::step::SlaState;
use crate::task::{Task, TaskId};
use crate::template::FailurePolicy;

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
    /// Something happened outside.
    Signal(Signal),
    /// A person wants something.
    Operate {
        /// What.
        operation: Operation,
        /// Who, and why.
        by: By,
    },
    /// A person wants several things of the order at once: all of them happen, or none.
    OperateEach {
        /// What, in this order.
        operations: Vec<Operation>,
        /// Who, and why.
        by: By,
    },
}

/// Who wants something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct By {
    /// "operator:anna", "channel:app".
    pub(crate) actor: String,
    /// In their words.
    pub(crate) reason: String,
}

/// What a person wants of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Cancel the whole order.
    Cancel,
    /// Cancel some business orders, by index, and those that require them.
    CancelParts(Vec<usize>),
    /// Take other lines.
    Change(Change),
    /// Let something stand still.
    Pause(HoldId, HoldScope),
    /// Let it go on.
    Resume(HoldScope),
    /// Try a step at once.
    Retry(Place),
    /// Go on without a step.
    Skip(Place),
    /// Do a step by its substitute.
    Substitute(Place),
    /// Run a business order anew from a step.
    Rerun(Place),
    /// A person undid a step.
    ProveUndone(Place),
    /// How urgent it is.
    Prioritize(u8),
    /// The customer asks to hurry.
    Urge,
    /// Take a task.
    Claim(TaskId),
    /// Give it back.
    Release(TaskId),
    /// End it with its form.
    Complete(TaskId, BTreeMap<String, String>),
}

impl Operation {
    /// Name of the event that tells of it.
    pub(crate) fn event(&self) -> &'static str {
        match self {
            Self::Cancel => "order.cancel_requested",
            Self::CancelParts(_) => "order.part_cancel_requested",
            Self::Change(_) => "order.change_requested",
            Self::Pause(..) => "order.paused",
            Self::Resume(_) => "order.resumed",
            Self::Retry(_) => "step.retry_requested",
            Self::Skip(_) => "step.skip_requested",
            Self::Substitute(_) => "step.substitute_requested",
            Self::Rerun(_) => "step.rerun_requested",
            Self::ProveUndone(_) => "step.undo_proved",
            Self::Prioritize(_) => "order.prioritized",
            Self::Urge => "order.urged",
            Self::Claim(_) => "task.claimed",
            Self::Release(_) => "task.released",
            Self::Complete(..) => "task.completed",
        }
    }
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
    /// Values to keep with the step.
    Saved(BTreeMap<String, serde_json::Value>),
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
    pub(crate) template: Pinned,
    /// Template that takes it back when it is done beyond its point of no return.
    pub(crate) reversal: Option<Pinned>,
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
    /// A step waits for an event, a time or a person.
    WaitBegan {
        /// Step.
        place: Place,
        /// When it gives up, or its timer rings.
        deadline: Option<Instant>,
        /// Work of a person.
        task: Option<Task>,
    },
    /// A step is left out.
    StepSkipped {
        /// Step.
        place: Place,
        /// Why, for a person.
        note: String,
    },
    /// A step will be done by its substitute.
    StepSubstituted(Place),
    /// A step that was refused will be tried as a new request.
    StepReset(Place),
    /// A person must decide about a step that failed.
    DecisionAsked {
        /// Step.
        place: Place,
        /// The task.
        task: Task,
    },
    /// Somebody took a task, or gave it back.
    TaskClaimed {
        /// Step.
        place: Place,
        /// Who has it now.
        by: Option<String>,
    },
    /// A task was not done in time and goes to another group.
    TaskEscalated {
        /// Step.
        place: Place,
        /// Group.
        group: String,
    },
    /// A step takes longer than its service level warns of, or allows.
    SlaPassed {
        /// Step.
        place: Place,
        /// How it stands now.
        sla: SlaState,
    },
    /// Somebody should be reminded of what a step waits for.
    StepReminded(Place),
    /// A step waits for news.
    StepWaiting {
        /// Step.
        place: Place,
        /// What to ask about.
        token: String,
        /// When to ask.
        next_at: Instant,
        /// When the news is overdue; `None` for what has an end of its own.
        overdue_at: Option<Instant>,
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
    /// What the failure of a business order does to the rest is decided.
    PolicyDecided {
        /// Index.
        index: usize,
        /// What it does.
        policy: FailurePolicy,
    },
    /// Somebody asked to cancel a business order alone.
    Withdrawn(usize),
    /// A business order is done beyond its point of no return and must be taken back.
    ReversalAsked(usize),
    /// The business order that takes it back stands.
    ReversalPlanned(usize),
    /// A business order is run anew from a step: what ran after it is undone first.
    RerunBegan {
        /// Index.
        index: usize,
        /// Step, by index.
        step: usize,
    },
    /// All that has to be run anew is undone, and begins again.
    RerunReset(usize),
    /// A person did something.
    Operated {
        /// Name of the event that tells of it.
        kind: &'static str,
        /// Step, or a business order whose step does not matter.
        place: Option<Place>,
        /// Who, and why.
        by: By,
    },
    /// Somebody asked to cancel the order or a part of it, or to change it: kept, to tell what came of it.
    CancellationAsked(cancellation::Asked),
    /// Somebody asked to cancel.
    CancelRequested {
        /// Why.
        reason: String,
    },
    /// Somebody asked for other lines.
    ChangeRequested(Change),
    /// What was done for the old lines is given back; the order begins anew with the new ones.
    ChangeApplied,
    /// A pause begins.
    HoldPlaced(Hold),
    /// A pause ends.
    HoldReleased(HoldId),
    /// An event came that no step waits for yet.
    SignalKept(Signal),
    /// A step took the kept event with this index.
    SignalTaken(usize),
    /// The order has another priority.
    Prioritized(u8),
    /// The customer urged the order.
    Urged,
    /// Without progress until then, the order will miss its promise.
    Forecast(Option<Instant>),
    /// By what was measured, the order will miss its promise, or a step of it its service level.
    JeopardyFound {
        /// The step; `None` for the order.
        place: Option<Place>,
        /// What is expected, for a person.
        note: String,
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
