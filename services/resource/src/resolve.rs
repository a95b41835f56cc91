//! Ends holds: confirms, releases, and lets expire.

use std::collections::BTreeMap;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx, corrupt};
use throughline_proto::resource::v1 as proto;

use crate::error::{DOMAIN, Refusal};
use crate::ledger::Ledger;
use crate::movement::{Entry, MovementKind};
use crate::pool::PoolCode;
use crate::reservation::{Reservation, ReservationId, Resolution};
use crate::{convert, event, store};

/// Holds that are over, read at a time to make room in one pool.
const DUE_HOLDS_PER_READ: i64 = 64;

/// A reservation that should be confirmed.
#[derive(Debug)]
pub(crate) struct Confirm {
    /// Which.
    pub(crate) id: ReservationId,
    /// W3C traceparent of the call.
    pub(crate) trace_parent: String,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for Confirm {
    type Output = proto::ConfirmReservationResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.confirm(&mut ledger, tx).await;
        ledger.close(tx);
        let reservation = Some(convert::reservation::to_proto(outcome?));
        Ok(proto::ConfirmReservationResponse { reservation })
    }
}

impl Confirm {
    async fn confirm(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<Reservation, Error> {
        let reservation = load(tx, &self.id).await?;
        let Some(resolution) = reservation.confirm(ledger.now())? else {
            return Ok(reservation);
        };
        settle(ledger, tx, resolution, Cause { reason: "", trace_parent: &self.trace_parent }).await
    }
}

/// A reservation that should be released.
#[derive(Debug)]
pub(crate) struct Release {
    /// Which.
    pub(crate) id: ReservationId,
    /// Why.
    pub(crate) reason: String,
    /// W3C traceparent of the call.
    pub(crate) trace_parent: String,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for Release {
    type Output = proto::ReleaseReservationResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.release(&mut ledger, tx).await;
        ledger.close(tx);
        let reservation = Some(convert::reservation::to_proto(outcome?));
        Ok(proto::ReleaseReservationResponse { reservation })
    }
}

impl Release {
    async fn release(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<Reservation, Error> {
        let reservation = load(tx, &self.id).await?;
        let Some(resolution) = reservation.release(ledger.now())? else {
            return Ok(reservation);
        };
        let cause = Cause { reason: &self.reason, trace_parent: &self.trace_parent };
        settle(ledger, tx, resolution, cause).await
    }
}

async fn load(tx: &mut Tx, id: &ReservationId) -> Result<Reservation, Error> {
    let found = store::reservation::load(tx, id).await?;
    Ok(found.ok_or_else(|| Refusal::ReservationNotFound(id.to_string()))?)
}

/// Why a hold ends.
#[derive(Clone, Copy, Debug)]
struct Cause<'a> {
    reason: &'a str,
    trace_parent: &'a str,
}

/// Lets a hold expire whose time is over.
pub(crate) async fn expire(
    ledger: &mut Ledger,
    tx: &mut Tx,
    reservation: &Reservation,
) -> Result<(), Error> {
    let resolution = reservation
        .expire(ledger.now())
        .ok_or_else(|| corrupt(DOMAIN, "reservations", format!("{} is not due", reservation.id)))?;
    let cause = Cause { reason: "", trace_parent: &reservation.trace_parent };
    settle(ledger, tx, resolution, cause).await.map(|_| ())
}

/// Makes units available that may be taken, but are stored as held by reservations whose time is over. The caller has
/// checked that there are enough of both.
pub(crate) async fn make_room(
    ledger: &mut Ledger,
    tx: &mut Tx,
    needs: &BTreeMap<PoolCode, i64>,
) -> Result<(), Error> {
    for (pool, needed) in needs {
        while ledger.account(pool)?.pool.buckets.available < *needed {
            let limit = DUE_HOLDS_PER_READ;
            let due = store::reservation::load_due_of_pool(tx, pool, ledger.now(), limit).await?;
            if due.is_empty() {
                let cause = format!("{pool} has units due, but no hold that is over");
                return Err(corrupt(DOMAIN, "reservation_lines", cause));
            }
            for reservation in &due {
                expire(ledger, tx, reservation).await?;
            }
        }
    }
    Ok(())
}

async fn settle(
    ledger: &mut Ledger,
    tx: &mut Tx,
    resolution: Resolution,
    cause: Cause<'_>,
) -> Result<Reservation, Error> {
    let Resolution { reservation, movement } = resolution;
    let at = reservation.resolved_at.unwrap_or(ledger.now());
    let units = reservation.units();
    // Before the holds end in the store: an account counts the units of holds that are over when it is read.
    ledger.load(tx, units.keys()).await?;
    store::reservation::resolve(tx, &reservation).await?;
    if movement == MovementKind::Confirm {
        store::item::assign(tx, &reservation).await?;
    } else {
        store::item::free(tx, &reservation).await?;
    }
    for (pool, quantity) in units {
        let entry = Entry {
            pool,
            kind: movement,
            quantity,
            reservation: Some(reservation.id.clone()),
            order_id: reservation.order_id.clone(),
            reason: cause.reason.to_owned(),
            at,
        };
        ledger.record(tx, &entry).await?;
    }
    tx.announce(event::changed(&reservation, at, cause.trace_parent));
    Ok(reservation)
}
