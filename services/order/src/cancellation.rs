//! Requests to cancel an order or a part of it, or to change its lines: who asked for what and why, and what came of it.

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::By;
use crate::order::{Order, OrderState};
use crate::rollup::rollup;
use crate::step::{Step, StepState};

pub(crate) mod query;
pub(crate) mod store;

/// Requests that an order keeps; of more than these it forgets the oldest, whose rows stay.
const MAX_KEPT_CANCELLATIONS: usize = 32;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CancellationKind {
    /// Cancel the whole order.
    Order,
    /// Cancel some of its business orders.
    Parts,
    /// Take other lines.
    Change,
}

throughline_kit::define_texts!(CancellationKind {
    Order: "ORDER",
    Parts: "PARTS",
    Change: "CHANGE",
});

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CancellationOutcome {
    /// It is being carried out.
    Open,
    /// An undo was refused: a person must undo it, and prove it.
    Stuck,
    /// All that it was about is gone; the new lines count.
    Done,
    /// A part of what it was about is gone, the rest was delivered for good.
    Partly,
    /// All that it was about was delivered for good.
    TooLate,
    /// Another request took its place.
    Replaced,
}

throughline_kit::define_texts!(CancellationOutcome {
    Open: "OPEN",
    Stuck: "STUCK",
    Done: "DONE",
    Partly: "PARTLY",
    TooLate: "TOO_LATE",
    Replaced: "REPLACED",
});

impl CancellationOutcome {
    /// Something is still to come.
    fn is_open(self) -> bool {
        match self {
            Self::Open | Self::Stuck => true,
            Self::Done | Self::Partly | Self::TooLate | Self::Replaced => false,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    /// Unique in its order, from 1.
    pub(crate) number: u32,
    /// What is asked for.
    pub(crate) kind: CancellationKind,
    /// Business orders that go, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<usize>,
    /// Who asked.
    pub(crate) actor: String,
    /// Why, in their words.
    pub(crate) reason: String,
    /// When.
    pub(crate) asked_at: Instant,
    /// What came of it.
    pub(crate) outcome: CancellationOutcome,
    /// When that was known for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Instant>,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What.
    pub(crate) kind: CancellationKind,
    /// Business orders that go, by index.
    pub(crate) parts: Vec<usize>,
    /// Who, and why.
    pub(crate) by: By,
}

/// Takes a request in. It takes the place of a change that is not through.
pub(crate) fn begin(order: &mut Order, asked: &Asked, now: Instant) {
    let is_whole = asked.kind != CancellationKind::Parts;
    let replaced = order.cancellations.iter_mut().filter(|before| {
        is_whole && before.kind == CancellationKind::Change && before.outcome.is_open()
    });
    for before in replaced {
        before.outcome = CancellationOutcome::Replaced;
        before.ended_at = Some(now);
    }
    let number = order.cancellations.last().map_or(0, |last| last.number) + 1;
    order.cancellations.push(Cancellation {
        number,
        kind: asked.kind,
        parts: asked.parts.clone(),
        actor: asked.by.actor.clone(),
        reason: asked.by.reason.clone(),
        asked_at: now,
        outcome: CancellationOutcome::Open,
        ended_at: None,
    });
    order.cancellations_changed = true;
}

/// Notes what has come of requests by now, and says which of them have ended with it, by index.
pub(crate) fn note(order: &mut Order) -> Vec<usize> {
    let mut ended = Vec::new();
    // Those that are stored with this change are forgotten with a later one.
    if !order.cancellations_changed && order.cancellations.len() > MAX_KEPT_CANCELLATIONS {
        // Not the newest: its number is the last that was given.
        let older = &order.cancellations[..order.cancellations.len() - 1];
        let oldest = older.iter().position(|known| !known.outcome.is_open());
        oldest.map(|index| order.cancellations.remove(index));
    }
    for index in 0..order.cancellations.len() {
        let known = &order.cancellations[index];
        let outcome = outcome(order, known);
        if !known.outcome.is_open() || known.outcome == outcome {
            continue;
        }
        let ended_at = Some(order.updated_at).filter(|_| !outcome.is_open());
        let known = &mut order.cancellations[index];
        (known.outcome, known.ended_at) = (outcome, ended_at);
        order.cancellations_changed = true;
        ended.extend(ended_at.map(|_| index));
    }
    ended
}

fn outcome(order: &Order, asked: &Cancellation) -> CancellationOutcome {
    match asked.kind {
        CancellationKind::Order => of_order(order),
        CancellationKind::Parts => of_parts(order, &asked.parts),
        CancellationKind::Change if order.change.is_none() => CancellationOutcome::Done,
        // It was ended before the new lines could count.
        CancellationKind::Change if order.ended_at.is_some() => CancellationOutcome::TooLate,
        CancellationKind::Change => open(order.steps.iter()),
    }
}

fn of_order(order: &Order) -> CancellationOutcome {
    if order.ended_at.is_none() {
        return open(order.places().map(|(_, step)| step));
    }
    match rollup(order) {
        OrderState::Completed => CancellationOutcome::TooLate,
        OrderState::Partial => CancellationOutcome::Partly,
        OrderState::Rejected | OrderState::Failed | OrderState::Cancelled => {
            CancellationOutcome::Done
        }
        OrderState::Acknowledged
        | OrderState::Pending
        | OrderState::InProgress
        | OrderState::PendingCancellation
        | OrderState::AssessingChange
        | OrderState::Held => CancellationOutcome::Open,
    }
}

fn of_parts(order: &Order, parts: &[usize]) -> CancellationOutcome {
    let all = &order.business_orders;
    let parts = || parts.iter().copied().filter(|index| *index < all.len());
    let is_going =
        |index: usize| !all[index].has_ended() || BusinessOrder::is_being_taken_back(all, index);
    if parts().any(is_going) {
        return open(parts().flat_map(|index| &all[index].steps));
    }
    let is_gone = |index: usize| match all[index].state {
        BusinessOrderState::Cancelled | BusinessOrderState::Compensated => true,
        // The one that took it back has ended.
        BusinessOrderState::Done => BusinessOrder::is_reversed(all, index),
        BusinessOrderState::Planned
        | BusinessOrderState::Blocked
        | BusinessOrderState::Ready
        | BusinessOrderState::Running
        | BusinessOrderState::Exception
        | BusinessOrderState::Failed
        | BusinessOrderState::Compensating
        | BusinessOrderState::Stuck => false,
    };
    match (parts().filter(|index| is_gone(*index)).count(), parts().count()) {
        (gone, all) if gone == all => CancellationOutcome::Done,
        (0, _) => CancellationOutcome::TooLate,
        (_, _) => CancellationOutcome::Partly,
    }
}

/// It is being carried out, unless the undo of a step was refused.
fn open<'a>(mut steps: impl Iterator<Item = &'a Step>) -> CancellationOutcome {
    if steps.any(|step| step.state == StepState::UndoFailed) {
        CancellationOutcome::Stuck
    } else {
        CancellationOutcome::Open
    }
}
