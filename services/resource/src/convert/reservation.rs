//! Reservations.

use std::time::Duration;

use throughline_kit::clock::{Instant, span_from_proto};
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::paging::Page;
use throughline_proto::resource::v1 as proto;

use super::{MAX_KEY_LENGTH, MAX_QUANTITY, MAX_REASON_LENGTH, check_count, finish, violations};
use crate::Config;
use crate::error::DOMAIN;
use crate::pool::PoolCode;
use crate::reservation::{Demand, Line, Reservation, ReservationId, ReservationState, Wish};
use crate::store::reservation::Filter;

const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads what should be held.
pub(crate) fn wish(
    request: &proto::CreateReservationRequest,
    trace_parent: &str,
    config: &Config,
) -> Result<(RequestId, Wish), Error> {
    let limit = config.max_demands_per_reservation;
    if request.demands.len() > limit {
        return Err(Error::limit(DOMAIN, "max_demands_per_reservation", limit));
    }
    let mut violations = violations();
    violations.length("order_id", &request.order_id, 0, MAX_KEY_LENGTH);
    check_count(&mut violations, "demands", request.demands.len());
    let demands = request.demands.iter().enumerate();
    let demands = demands.filter_map(|(i, d)| demand(&mut violations, i, d)).collect();
    let ttl = span_from_proto(request.ttl.as_ref()).unwrap_or_default();
    if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
        violations.add("ttl", format!("must be 1 s to 7 days, is {} s", ttl.as_secs_f64()));
    }
    let request_id = finish(violations, &request.request_id)?;
    let (order_id, trace_parent) = (request.order_id.clone(), trace_parent.to_owned());
    Ok((request_id, Wish { order_id, trace_parent, demands, ttl }))
}

fn demand(violations: &mut Violations, index: usize, demand: &proto::Demand) -> Option<Demand> {
    let path = |field: &str| format!("demands[{index}].{field}");
    violations.length(&path("line_key"), &demand.line_key, 1, MAX_KEY_LENGTH);
    violations.range(&path("quantity"), demand.quantity, 1, MAX_QUANTITY);
    let pool = violations.take(path("pool_code"), PoolCode::parse(&demand.pool_code))?;
    Some(Demand { line_key: demand.line_key.clone(), pool, quantity: demand.quantity })
}

/// Reads a release: who asks, which, and why.
pub(crate) fn release(
    request: &proto::ReleaseReservationRequest,
) -> Result<(RequestId, ReservationId), Error> {
    let mut violations = violations();
    violations.length("reason", &request.reason, 0, MAX_REASON_LENGTH);
    let request_id = finish(violations, &request.request_id)?;
    Ok((request_id, super::reservation_id(&request.reservation_id)?))
}

/// Reads a confirmation.
pub(crate) fn confirm(
    request: &proto::ConfirmReservationRequest,
) -> Result<(RequestId, ReservationId), Error> {
    let request_id = finish(violations(), &request.request_id)?;
    Ok((request_id, super::reservation_id(&request.reservation_id)?))
}

/// Where a page of reservations goes on.
pub(crate) type ReservationKey = (Instant, String);

/// Reads which reservations to list.
pub(crate) fn list(
    request: &proto::ListReservationsRequest,
) -> Result<(Filter, Page<ReservationKey>), Error> {
    let mut violations = violations();
    violations.length("order_id", &request.order_id, 0, MAX_KEY_LENGTH);
    let state = match proto::ReservationState::try_from(request.state) {
        Ok(proto::ReservationState::Unspecified) => None,
        Ok(proto::ReservationState::Held) => Some(ReservationState::Held),
        Ok(proto::ReservationState::Confirmed) => Some(ReservationState::Confirmed),
        Ok(proto::ReservationState::Released) => Some(ReservationState::Released),
        Ok(proto::ReservationState::Expired) => Some(ReservationState::Expired),
        Err(_) => {
            violations.add("state", format!("must be a known state, is {}", request.state));
            None
        }
    };
    violations.finish()?;
    let page: Page<ReservationKey> = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
    let order_id = Some(request.order_id.clone()).filter(|id| !id.is_empty());
    Ok((Filter { order_id, state, after: page.after.clone() }, page))
}

/// Writes a reservation.
pub(crate) fn to_proto(reservation: Reservation) -> proto::Reservation {
    let state = match reservation.state {
        ReservationState::Held => proto::ReservationState::Held,
        ReservationState::Confirmed => proto::ReservationState::Confirmed,
        ReservationState::Released => proto::ReservationState::Released,
        ReservationState::Expired => proto::ReservationState::Expired,
    };
    proto::Reservation {
        reservation_id: reservation.id.to_string(),
        state: state.into(),
        order_id: reservation.order_id,
        lines: reservation.lines.into_iter().map(line_to_proto).collect(),
        expire_time: Some(reservation.expire_at.to_proto()),
        create_time: Some(reservation.created_at.to_proto()),
        resolve_time: reservation.resolved_at.map(Instant::to_proto),
    }
}

fn line_to_proto(line: Line) -> proto::ReservationLine {
    proto::ReservationLine {
        line_key: line.key,
        pool_code: line.pool.to_string(),
        quantity: line.quantity,
        returned_quantity: line.returned,
        item_ids: line.item_ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> proto::CreateReservationRequest {
        proto::CreateReservationRequest {
            request_id: throughline_kit::id::new_request_id(),
            order_id: "ord_1".to_owned(),
            demands: vec![proto::Demand {
                line_key: "1".to_owned(),
                pool_code: "a".to_owned(),
                quantity: 1,
            }],
            ttl: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        }
    }

    #[test]
    fn every_wrong_field_of_a_wish_is_named() {
        let demand = |line_key: &str, pool_code: &str, quantity| proto::Demand {
            line_key: line_key.to_owned(),
            pool_code: pool_code.to_owned(),
            quantity,
        };
        let request = proto::CreateReservationRequest {
            request_id: "7".to_owned(),
            order_id: "x".repeat(65),
            demands: vec![demand("1", "a", 1), demand("", "a b", 0), demand("1", "a", 1_000_001)],
            ttl: None,
        };
        let error = wish(&request, "", &Config::default()).expect_err("nearly all is wrong");
        let paths: Vec<&str> = error.fields.iter().map(|(path, _)| path.as_str()).collect();
        let expected = [
            "order_id",
            "demands[1].line_key",
            "demands[1].quantity",
            "demands[1].pool_code",
            "demands[2].quantity",
            "ttl",
            "request_id",
        ];
        assert_eq!((error.reason.as_str(), &paths[..]), ("FIELD_INVALID", &expected[..]));
    }

    #[test]
    fn a_hold_lasts_a_second_to_a_week() {
        let week = 7 * 24 * 3600;
        let table = [
            (1, 0, true),
            (week, 0, true),
            (0, 999_999_999, false),
            (week, 1_000, false),
            (-1, 0, false),
        ];
        for (seconds, nanos, valid) in table {
            let ttl = Some(prost_types::Duration { seconds, nanos });
            let request = proto::CreateReservationRequest { ttl, ..request() };
            let parsed = wish(&request, "", &Config::default());
            assert_eq!(parsed.is_ok(), valid, "{seconds} s and {nanos} ns");
        }
    }

    #[test]
    fn too_many_demands_meet_a_named_limit() {
        let config = Config { max_demands_per_reservation: 1, ..Config::default() };
        let mut request = request();
        assert!(wish(&request, "", &config).is_ok());
        request.demands.push(request.demands[0].clone());
        let error = wish(&request, "", &config).expect_err("two");
        assert_eq!(error.reason, "LIMIT_REACHED");
        assert_eq!(error.metadata["limit"], "max_demands_per_reservation");
    }
}
