//! Stock: pools against their journals, and reservations against orders.

use std::collections::BTreeMap;

use throughline_proto::resource::v1::{Reservation, ReservationState};

use super::{Books, delivered_lines, is_terminal};

/// Units of a pool by the reservations.
#[derive(Default)]
struct Units {
    held: i64,
    used: i64,
}

pub(super) fn compare(books: &Books, differences: &mut Vec<String>) {
    let mut by_pool: BTreeMap<&str, Units> = BTreeMap::new();
    for reservation in &books.reservations {
        for line in &reservation.lines {
            let units = by_pool.entry(&line.pool_code).or_default();
            match reservation.state() {
                ReservationState::Held => units.held += line.quantity,
                ReservationState::Confirmed => units.used += line.quantity - line.returned_quantity,
                ReservationState::Released
                | ReservationState::Expired
                | ReservationState::Unspecified => {}
            }
        }
        compare_reservation(books, reservation, differences);
    }
    for verified in &books.pools {
        let pool = verified.pool.clone().unwrap_or_default();
        let code = &pool.pool_code;
        if !verified.consistent {
            differences.push(format!("pool {code}: {}", verified.divergence));
        }
        let units = by_pool.remove(code.as_str()).unwrap_or_default();
        if units.held != pool.held || units.used != pool.used {
            differences.push(format!(
                "pool {code} has {} held and {} used, its reservations {} and {}",
                pool.held, pool.used, units.held, units.used
            ));
        }
    }
    for (code, Units { held, used }) in by_pool {
        differences.push(format!(
            "pool {code} is unknown and has {held} held and {used} used units in reservations"
        ));
    }
}

fn compare_reservation(books: &Books, reservation: &Reservation, differences: &mut Vec<String>) {
    let id = &reservation.reservation_id;
    let Some(order) = books.orders.get(&reservation.order_id) else {
        let order = &reservation.order_id;
        differences.push(format!("reservation {id} is for order {order}, which is unknown"));
        return;
    };
    if !is_terminal(order) {
        return;
    }
    if reservation.state() == ReservationState::Held {
        differences.push(format!("reservation {id} of ended order {} is held", order.order_id));
    }
    if reservation.state() != ReservationState::Confirmed {
        return;
    }
    let done = delivered_lines(order);
    for line in &reservation.lines {
        let kept = line.quantity - line.returned_quantity;
        if !done.contains(&line.line_key) && kept != 0 {
            differences.push(format!(
                "order {} did not deliver line {} and still uses {kept} of pool {}",
                order.order_id, line.line_key, line.pool_code
            ));
        }
    }
}
