//! What a back office watches, as it is told.

use throughline_kit::clock::Instant;
use throughline_proto::order::v1 as proto;

use super::order::step_state;
use super::order_state;
use crate::mark::is_stuck_at;
use crate::order::Place;
use crate::position::Lateness;
use crate::step::{Step, StepState};
use crate::store::{LateRow, Listed, PositionGroup};

/// Writes how many steps stand alike.
pub(crate) fn load_group(group: PositionGroup<StepState>) -> proto::LoadGroup {
    proto::LoadGroup {
        template: group.template,
        step_id: group.step_id,
        state: step_state(group.value).into(),
        step_count: group.steps,
        order_count: group.orders,
        oldest_start_time: Some(group.oldest.to_proto()),
    }
}

/// Reads how late what is listed must be; `None` means however late.
pub(crate) fn lateness_filter(lateness: i32) -> Result<Option<Lateness>, String> {
    let lateness = proto::Lateness::try_from(lateness)
        .map_err(|_| format!("must be WARNED, BREACHED or TIMED_OUT, is {lateness}"))?;
    Ok(match lateness {
        proto::Lateness::Unspecified => None,
        proto::Lateness::Warned => Some(Lateness::Warned),
        proto::Lateness::Breached => Some(Lateness::Breached),
        proto::Lateness::TimedOut => Some(Lateness::TimedOut),
    })
}

fn lateness(lateness: Lateness) -> proto::Lateness {
    match lateness {
        Lateness::Warned => proto::Lateness::Warned,
        Lateness::Breached => proto::Lateness::Breached,
        Lateness::TimedOut => proto::Lateness::TimedOut,
    }
}

/// Writes a step that is late.
pub(crate) fn timeout(row: LateRow) -> proto::Timeout {
    proto::Timeout {
        order_id: row.key.order_id,
        business_order_id: row.key.business_order_id,
        template: row.template,
        step_id: row.key.step_id,
        lateness: lateness(row.lateness).into(),
        late_time: Some(row.key.since.to_proto()),
    }
}

/// Writes how many steps are late alike.
pub(crate) fn timeout_group(group: PositionGroup<Lateness>) -> proto::TimeoutGroup {
    proto::TimeoutGroup {
        template: group.template,
        step_id: group.step_id,
        lateness: lateness(group.value).into(),
        step_count: group.steps,
        order_count: group.orders,
        oldest_late_time: Some(group.oldest.to_proto()),
    }
}

/// Writes an order whose customer asked to hurry.
pub(crate) fn urged_order(listed: &Listed) -> proto::UrgedOrder {
    let head = &listed.head;
    let urged = proto::UrgedOrder {
        order_id: head.order_id.clone(),
        state: order_state(head.state).into(),
        channel: head.channel.clone(),
        channel_order_id: head.channel_order_id.clone(),
        create_time: Some(head.created_at.to_proto()),
        ..proto::UrgedOrder::default()
    };
    // The rest is read of its steps.
    let known = listed.order.as_ref().filter(|_| listed.failure.is_none());
    let Some(order) = known else { return urged };
    let standing = order.places().filter(|(_, step)| is_stuck_at(step));
    let name = |(place, step): (Place, &Step)| {
        format!("{}/{}", order.template_of(place.business_order), step.id)
    };
    proto::UrgedOrder {
        urge_count: i32::try_from(order.urges).unwrap_or(i32::MAX),
        urge_time: order.urged_at.map(Instant::to_proto),
        priority: order.priority.into(),
        requested_completion_time: order.promised_at.map(Instant::to_proto),
        jeopardy: order.is_in_jeopardy(),
        attention: order.needs_attention(),
        standing_steps: standing.map(name).collect(),
        ..urged
    }
}
