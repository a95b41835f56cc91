//! Takes units back into stock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::resource::v1 as proto;

use crate::error::Refusal;
use crate::giveback::{Disposition, LinkedReturn, Taken, take_back};
use crate::ledger::Ledger;
use crate::movement::{Entry, MovementKind};
use crate::pool::{PoolCode, PoolKind};
use crate::reservation::{Reservation, ReservationId};
use crate::{event, store};

/// Goods that no reservation knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnlinkedReturn {
    /// Counted pool.
    pub(crate) pool: PoolCode,
    /// Units, at least 1.
    pub(crate) quantity: i64,
}

/// What a request wants to bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returns {
    /// Lines of reservations.
    pub(crate) linked: Vec<LinkedReturn>,
    /// Goods that no reservation knows.
    pub(crate) unlinked: Vec<UnlinkedReturn>,
    /// Order; empty takes the reservation's.
    pub(crate) order_id: String,
    /// Why.
    pub(crate) reason: String,
}

/// Units that should come back, all or none.
#[derive(Debug)]
pub(crate) struct TakeBack {
    /// Which.
    pub(crate) returns: Returns,
    /// W3C traceparent of the call.
    pub(crate) trace_parent: String,
    /// How long what is quarantined rests.
    pub(crate) quarantine: Duration,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for TakeBack {
    type Output = proto::ReturnUnitsResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.take_back(&mut ledger, tx).await;
        ledger.close(tx);
        Ok(proto::ReturnUnitsResponse { returned_quantity: outcome? })
    }
}

impl TakeBack {
    async fn take_back(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<i64, Error> {
        let Returns { linked, unlinked, .. } = &self.returns;
        let mut reservations = load(tx, linked).await?;
        let taken = take_back(&mut reservations, linked)?;
        let pools: BTreeSet<_> =
            taken.iter().map(|t| &t.pool).chain(unlinked.iter().map(|u| &u.pool)).collect();
        ledger.load(tx, pools).await?;
        for back in unlinked {
            ledger.account(&back.pool)?.pool.must_be(PoolKind::Counted)?;
        }
        // From here on nothing is refused.
        for back in &taken {
            let order_id = reservations.get(&back.reservation).map_or("", |r| r.order_id.as_str());
            self.store_linked(ledger, tx, back, order_id).await?;
        }
        for back in unlinked {
            self.store_unlinked(ledger, tx, back).await?;
        }
        let touched: BTreeSet<_> = taken.iter().map(|t| &t.reservation).collect();
        for reservation in touched.into_iter().filter_map(|id| reservations.get(id)) {
            tx.announce(event::returned(reservation, ledger.now(), &self.trace_parent));
        }
        let linked: i64 = taken.iter().map(|t| t.quantity).sum();
        Ok(linked + unlinked.iter().map(|u| u.quantity).sum::<i64>())
    }

    async fn store_linked(
        &self,
        ledger: &mut Ledger,
        tx: &mut Tx,
        taken: &Taken,
        order_of_reservation: &str,
    ) -> Result<(), Error> {
        let (kind, rest_until) = match taken.disposition {
            Disposition::Restock => (MovementKind::Return, None),
            Disposition::Quarantine => {
                (MovementKind::Quarantine, Some(ledger.now().plus(self.quarantine)))
            }
        };
        let units = store::reservation::ReturnedUnits {
            reservation: &taken.reservation,
            position: taken.position,
            before: taken.returned_before,
            after: taken.returned_before + taken.quantity,
        };
        store::reservation::give_back(tx, units).await?;
        let order_id = match self.returns.order_id.as_str() {
            "" => order_of_reservation,
            own => own,
        };
        let entry = Entry {
            pool: taken.pool.clone(),
            kind,
            quantity: taken.quantity,
            reservation: Some(taken.reservation.clone()),
            order_id: order_id.to_owned(),
            reason: self.returns.reason.clone(),
            at: ledger.now(),
        };
        let sequence = ledger.record(tx, &entry).await?;
        if taken.serial {
            let run = store::item::ReturnedRun {
                reservation: &taken.reservation,
                position: taken.position,
                count: taken.quantity.unsigned_abs(),
                rest_until,
            };
            store::item::take_back(tx, run).await?;
        } else if let Some(end) = rest_until {
            store::item::rest_units(tx, sequence, &taken.pool, taken.quantity, end);
        }
        Ok(())
    }

    async fn store_unlinked(
        &self,
        ledger: &mut Ledger,
        tx: &mut Tx,
        back: &UnlinkedReturn,
    ) -> Result<(), Error> {
        let entry = Entry {
            pool: back.pool.clone(),
            kind: MovementKind::ReturnUnlinked,
            quantity: back.quantity,
            reservation: None,
            order_id: self.returns.order_id.clone(),
            reason: self.returns.reason.clone(),
            at: ledger.now(),
        };
        ledger.record(tx, &entry).await.map(|_| ())
    }
}

async fn load(
    tx: &mut Tx,
    linked: &[LinkedReturn],
) -> Result<BTreeMap<ReservationId, Reservation>, Error> {
    let ids: BTreeSet<_> = linked.iter().map(|want| &want.reservation).collect();
    let mut reservations = BTreeMap::new();
    for id in ids {
        let found = store::reservation::load(tx, id).await?;
        let reservation = found.ok_or_else(|| Refusal::ReservationNotFound(id.to_string()))?;
        reservations.insert(id.clone(), reservation);
    }
    Ok(reservations)
}
