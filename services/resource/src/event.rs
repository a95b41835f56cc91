//! What the center announces.

use throughline_kit::clock::Instant;
use throughline_kit::outbox::Announcement;
use throughline_proto::resource::v1 as proto;

use crate::convert;
use crate::reservation::{Reservation, ReservationState};

/// Tells that a reservation came into the state that it is in.
pub(crate) fn changed(reservation: &Reservation, at: Instant, trace_parent: &str) -> Announcement {
    let kind = match reservation.state {
        ReservationState::Held => "reservation.created",
        ReservationState::Confirmed => "reservation.confirmed",
        ReservationState::Released => "reservation.released",
        ReservationState::Expired => "reservation.expired",
    };
    announce(kind, reservation, at, trace_parent)
}

/// Tells that units of a reservation came back.
pub(crate) fn returned(reservation: &Reservation, at: Instant, trace_parent: &str) -> Announcement {
    announce("reservation.returned", reservation, at, trace_parent)
}

fn announce(
    kind: &'static str,
    reservation: &Reservation,
    at: Instant,
    trace_parent: &str,
) -> Announcement {
    let payload = proto::ReservationChanged {
        reservation: Some(convert::reservation::to_proto(reservation.clone())),
    };
    Announcement::new(kind, reservation.id.as_str(), &reservation.order_id, at, &payload)
        .in_trace(trace_parent)
}
