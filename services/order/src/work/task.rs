//! The calls that an order makes, with everything that they need.

use std::time::Duration;

use throughline_kit::money::Money;

use crate::event::Direction;
use crate::order::Place;

/// A call to make, or a question to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// Step that it is for.
    pub(crate) place: Place,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// What to do.
    pub(crate) task: Task,
    /// Request id of the call: the same for every repetition.
    pub(crate) request_id: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Check, price, decompose.
    Prepare,
    /// Hold stock for the order's lines.
    Reserve {
        /// How long.
        ttl: Duration,
    },
    /// Take the money.
    Pay {
        /// How much.
        amount: Money,
    },
    /// Close what was not paid and learn how it stands.
    ClosePayment {
        /// How much is owed.
        amount: Money,
    },
    /// Turn what is held into used.
    Allocate,
    /// Give back what is held.
    Release {
        /// Why.
        reason: String,
    },
    /// Give back what was used: lines of the order's reservation, by key.
    ReturnAllocated {
        /// Lines.
        item_keys: Vec<String>,
        /// They were in use.
        used: bool,
        /// Why.
        reason: String,
    },
    /// Take back what an earlier order, or nobody, bought.
    Restock(Restock),
    /// Give money back.
    Refund {
        /// Payment order; empty for a refund without one.
        payment_order_id: String,
        /// How much.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// Learn how a refund stands.
    AskRefund {
        /// Refund.
        refund_id: String,
    },
    /// Make a call of the step's template.
    Call(CallPurpose),
}

impl CallPurpose {
    /// It is about undoing the step.
    pub(crate) fn is_undo(self) -> bool {
        matches!(self, Self::Undo | Self::AskUndo)
    }

    /// It asks how another call ended.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Ask | Self::AskUndo)
    }
}

/// Which call of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// The one that does it.
    Do,
    /// The one that asks how it ended.
    Ask,
    /// The one that undoes it.
    Undo,
    /// The one that asks how undoing it ended.
    AskUndo,
}

/// What a return gives to stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restock {
    /// What earlier orders took.
    pub(crate) linked: Vec<Linked>,
    /// Pool and units that no order of ours took.
    pub(crate) unlinked: Vec<(String, i64)>,
    /// Why.
    pub(crate) reason: String,
}

/// Units of one pool that a line of an earlier order took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Reservation of that order.
    pub(crate) reservation_id: String,
    /// Its line.
    pub(crate) line_key: String,
    /// Pool.
    pub(crate) pool_code: String,
    /// Units.
    pub(crate) units: i64,
}
