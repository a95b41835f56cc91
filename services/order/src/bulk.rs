//! One operation on many orders: previewed, fixed durably, carried out at a rate, with a result for each order.
//!
//! ```text
//! StartBulkOperation ─► COLLECTING ─► RUNNING ◄─► PAUSED        each order: LEFT ─► DONE | REFUSED
//!                           │            │          │
//!              a crash, or a changed     ├──────────┴─► CANCELLED   what is left stays LEFT
//!              match: forgotten          └─► COMPLETED              nothing is left
//! ```
//!
//! Each order's operation is the one that a person could ask for alone, with a request id made of the bulk and the order:
//! repeated after a crash, it meets its first answer.

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;

mod action;
mod change;
mod collect;
mod convert;
mod error;
mod matching;
mod pace;
mod preview;
mod query;
mod runner;
mod store;

pub(crate) use action::Wanted;
pub(crate) use change::Turn;
pub(crate) use collect::{Bulks, TurnTexts};
pub(crate) use error::BulkError;
pub(crate) use query::BulkQuery;
pub(crate) use runner::Runner;

throughline_kit::define_id!(
    /// Id of a bulk operation.
    BulkId,
    "blk"
);

/// Orders of one bulk at most.
pub(crate) const MAX_ORDERS_PER_BULK: i64 = 100_000;
/// Bulks that have not ended, at most.
pub(crate) const MAX_RUNNING_BULKS: i64 = 8;
/// Orders in a second when nobody says it.
pub(crate) const DEFAULT_RATE: u32 = 50;
/// Orders in a second at most.
pub(crate) const MAX_RATE: u32 = 500;

/// How a bulk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkState {
    /// Its orders are being written down; nobody sees it.
    Collecting,
    /// Its orders are being operated on.
    Running,
    /// Nothing more of it begins.
    Paused,
    /// Nothing is left.
    Completed,
    /// A person ended it.
    Cancelled,
}

throughline_kit::define_texts!(BulkState {
    Collecting: "COLLECTING",
    Running: "RUNNING",
    Paused: "PAUSED",
    Completed: "COMPLETED",
    Cancelled: "CANCELLED",
});

/// How an order of a bulk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its turn has not come.
    Left,
    /// It is done.
    Done,
    /// It does not apply.
    Refused,
}

throughline_kit::define_texts!(Outcome { Left: "LEFT", Done: "DONE", Refused: "REFUSED" });

/// One bulk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bulk {
    /// Id.
    pub(crate) id: BulkId,
    /// How it stands.
    pub(crate) state: BulkState,
    /// Grows with every stored change.
    pub(crate) version: i64,
    /// When it was started.
    pub(crate) created_at: Instant,
    /// When it ended.
    pub(crate) ended_at: Option<Instant>,
    /// Its orders.
    pub(crate) matched: i64,
    /// Of them, those on which it was carried out.
    pub(crate) done: i64,
    /// Of them, those that refused it.
    pub(crate) refused: i64,
    /// Who started it ("operator:anna"): its operations are theirs.
    pub(crate) operator: String,
    /// Who paused, resumed or cancelled it last ("operator:anna"); empty for nobody.
    pub(crate) changed_by: String,
    /// Why they did.
    pub(crate) change_reason: String,
    /// What was asked for.
    pub(crate) request: proto::StartBulkOperationRequest,
}

impl Bulk {
    /// Orders that are left.
    pub(crate) fn left(&self) -> i64 {
        self.matched - self.done - self.refused
    }

    /// Orders in a second at most.
    pub(crate) fn rate(&self) -> u32 {
        rate(&self.request)
    }
}

/// Orders in a second that a request allows.
pub(crate) fn rate(request: &proto::StartBulkOperationRequest) -> u32 {
    match u32::try_from(request.rate) {
        Ok(0) | Err(_) => DEFAULT_RATE,
        Ok(rate) => rate.min(MAX_RATE),
    }
}
