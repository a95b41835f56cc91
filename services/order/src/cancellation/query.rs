//! Lists requests to cancel and to change.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use super::store::{self, CancellationFilter, CancellationGroup, CancellationRow};
use super::{CancellationKind, CancellationOutcome};
use crate::error::DOMAIN;
use crate::monitor::MAX_LISTED_GROUPS;

/// Characters of a reason to look for.
const MAX_REASON_LENGTH: usize = 200;

/// Lists requests, newest first, and counts them.
pub(crate) async fn list(
    database: &Database,
    request: proto::ListCancellationsRequest,
) -> Result<proto::ListCancellationsResponse, Error> {
    let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
    let mut wrong = Violations::new(DOMAIN);
    let kind = wrong.take("kind", kind_filter(request.kind)).flatten();
    let outcome = wrong.take("outcome", outcome_filter(request.outcome)).flatten();
    wrong.length("reason", &request.reason, 0, MAX_REASON_LENGTH);
    wrong.finish()?;
    let filter = CancellationFilter {
        kind,
        outcome,
        reason: Some(request.reason).filter(|reason| !reason.is_empty()),
        from: request.ask_time_from.as_ref().map(Instant::from_proto),
    };
    let rows = store::page(database, &filter, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| (row.asked_at, row.id.clone()));
    let groups = match page.after {
        None => store::groups(database, &filter, MAX_LISTED_GROUPS).await?,
        Some(_) => Vec::new(),
    };
    Ok(proto::ListCancellationsResponse {
        cancellations: rows.into_iter().map(write).collect(),
        next_page_token,
        groups: groups.into_iter().map(write_group).collect(),
    })
}

fn kind_filter(kind: i32) -> Result<Option<CancellationKind>, String> {
    let kind = proto::CancellationKind::try_from(kind)
        .map_err(|_| format!("must be ORDER, PARTS or CHANGE, is {kind}"))?;
    Ok(match kind {
        proto::CancellationKind::Unspecified => None,
        proto::CancellationKind::Order => Some(CancellationKind::Order),
        proto::CancellationKind::Parts => Some(CancellationKind::Parts),
        proto::CancellationKind::Change => Some(CancellationKind::Change),
    })
}

fn outcome_filter(outcome: i32) -> Result<Option<CancellationOutcome>, String> {
    let outcome = proto::CancellationOutcome::try_from(outcome).map_err(|_| {
        format!("must be OPEN, STUCK, DONE, PARTLY, TOO_LATE or REPLACED, is {outcome}")
    })?;
    Ok(match outcome {
        proto::CancellationOutcome::Unspecified => None,
        proto::CancellationOutcome::Open => Some(CancellationOutcome::Open),
        proto::CancellationOutcome::Stuck => Some(CancellationOutcome::Stuck),
        proto::CancellationOutcome::Done => Some(CancellationOutcome::Done),
        proto::CancellationOutcome::Partly => Some(CancellationOutcome::Partly),
        proto::CancellationOutcome::TooLate => Some(CancellationOutcome::TooLate),
        proto::CancellationOutcome::Replaced => Some(CancellationOutcome::Replaced),
    })
}

fn write(row: CancellationRow) -> proto::Cancellation {
    proto::Cancellation {
        order_id: row.order_id,
        channel: row.channel,
        kind: kind(row.kind).into(),
        outcome: outcome(row.outcome).into(),
        actor: row.actor,
        reason: row.reason,
        ask_time: Some(row.asked_at.to_proto()),
        end_time: row.ended_at.map(Instant::to_proto),
    }
}

fn write_group(group: CancellationGroup) -> proto::CancellationGroup {
    proto::CancellationGroup {
        kind: kind(group.kind).into(),
        outcome: outcome(group.outcome).into(),
        reason: group.reason,
        count: group.count,
        oldest_ask_time: Some(group.oldest.to_proto()),
    }
}

fn kind(kind: CancellationKind) -> proto::CancellationKind {
    match kind {
        CancellationKind::Order => proto::CancellationKind::Order,
        CancellationKind::Parts => proto::CancellationKind::Parts,
        CancellationKind::Change => proto::CancellationKind::Change,
    }
}

fn outcome(outcome: CancellationOutcome) -> proto::CancellationOutcome {
    match outcome {
        CancellationOutcome::Open => proto::CancellationOutcome::Open,
        CancellationOutcome::Stuck => proto::CancellationOutcome::Stuck,
        CancellationOutcome::Done => proto::CancellationOutcome::Done,
        CancellationOutcome::Partly => proto::CancellationOutcome::Partly,
        CancellationOutcome::TooLate => proto::CancellationOutcome::TooLate,
        CancellationOutcome::Replaced => proto::CancellationOutcome::Replaced,
    }
}
