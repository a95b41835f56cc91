//! Bulks, as callers see them.

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;

use super::store::Item;
use super::{Bulk, BulkState, Outcome};
use crate::convert;

/// Writes a bulk.
pub(super) fn bulk(bulk: &Bulk) -> proto::Bulk {
    proto::Bulk {
        bulk_id: bulk.id.to_string(),
        state: state(bulk.state).into(),
        matched: bulk.matched,
        done: bulk.done,
        refused: bulk.refused,
        left: bulk.left(),
        filter: bulk.request.filter.clone(),
        operation: bulk.request.operation,
        reason: bulk.request.reason.clone(),
        rate: i32::try_from(bulk.rate()).unwrap_or(i32::MAX),
        operator: bulk.operator.clone(),
        create_time: Some(bulk.created_at.to_proto()),
        end_time: bulk.ended_at.map(Instant::to_proto),
        changed_by: bulk.changed_by.clone(),
        change_reason: bulk.change_reason.clone(),
    }
}

/// Writes what became of an order.
pub(super) fn result(item: &Item) -> proto::BulkResult {
    proto::BulkResult {
        order_id: item.order_id.clone(),
        outcome: outcome(item.outcome).into(),
        refusal: item.refusal.as_ref().map(convert::failure),
        settle_time: item.settled_at.map(Instant::to_proto),
    }
}

fn state(state: BulkState) -> proto::BulkState {
    match state {
        // Nobody is shown one that is being collected.
        BulkState::Collecting => proto::BulkState::Unspecified,
        BulkState::Running => proto::BulkState::Running,
        BulkState::Paused => proto::BulkState::Paused,
        BulkState::Completed => proto::BulkState::Completed,
        BulkState::Cancelled => proto::BulkState::Cancelled,
    }
}

/// Writes an outcome.
pub(super) fn outcome(outcome: Outcome) -> proto::BulkOutcome {
    match outcome {
        Outcome::Left => proto::BulkOutcome::Left,
        Outcome::Done => proto::BulkOutcome::Done,
        Outcome::Refused => proto::BulkOutcome::Refused,
    }
}

/// Reads a state to filter by; `None` means all.
pub(super) fn state_filter(state: i32) -> Result<Option<BulkState>, String> {
    let state = proto::BulkState::try_from(state)
        .map_err(|_| format!("must be a state of a bulk, is {state}"))?;
    Ok(match state {
        proto::BulkState::Unspecified => None,
        proto::BulkState::Running => Some(BulkState::Running),
        proto::BulkState::Paused => Some(BulkState::Paused),
        proto::BulkState::Completed => Some(BulkState::Completed),
        proto::BulkState::Cancelled => Some(BulkState::Cancelled),
    })
}

/// Reads an outcome to filter by; `None` means all.
pub(super) fn outcome_filter(outcome: i32) -> Result<Option<Outcome>, String> {
    let outcome = proto::BulkOutcome::try_from(outcome)
        .map_err(|_| format!("must be an outcome, is {outcome}"))?;
    Ok(match outcome {
        proto::BulkOutcome::Unspecified => None,
        proto::BulkOutcome::Left => Some(Outcome::Left),
        proto::BulkOutcome::Done => Some(Outcome::Done),
        proto::BulkOutcome::Refused => Some(Outcome::Refused),
    })
}
