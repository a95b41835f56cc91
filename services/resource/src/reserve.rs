//! Makes reservations: all demands or none.

use std::collections::BTreeMap;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::resource::v1 as proto;

use crate::error::DOMAIN;
use crate::ledger::Ledger;
use crate::movement::{Entry, MovementKind};
use crate::pool::{PoolCode, PoolKind};
use crate::reservation::{Reservation, Wish};
use crate::resolve::make_room;
use crate::{convert, event, item, store};

/// A reservation that is asked for.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// What for.
    pub(crate) wish: Wish,
    /// Serial items in one reservation at most.
    pub(crate) max_items_per_reservation: i64,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for Reserve {
    type Output = proto::CreateReservationResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.reserve(&mut ledger, tx).await;
        ledger.close(tx);
        let reservation = Some(convert::reservation::to_proto(outcome?));
        Ok(proto::CreateReservationResponse { reservation })
    }
}

impl Reserve {
    async fn reserve(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<Reservation, Error> {
        let needs = self.wish.needs();
        ledger.load(tx, needs.keys()).await?;
        let serial = self.check(ledger, &needs)?;
        // From here on nothing is refused.
        make_room(ledger, tx, &needs).await?;
        let mut reservation = self.wish.hold(ledger.now());
        for pool in serial {
            hand_out_items(ledger, tx, &mut reservation, pool).await?;
        }
        for (pool, quantity) in &needs {
            let entry = Entry {
                pool: pool.clone(),
                kind: MovementKind::Hold,
                quantity: *quantity,
                reservation: Some(reservation.id.clone()),
                order_id: reservation.order_id.clone(),
                reason: String::new(),
                at: ledger.now(),
            };
            ledger.record(tx, &entry).await?;
        }
        store::reservation::add(tx, &reservation);
        tx.announce(event::changed(&reservation, ledger.now(), &self.wish.trace_parent));
        Ok(reservation)
    }

    /// Refuses what cannot be held whole; gives the pools whose units have names.
    fn check<'a>(
        &self,
        ledger: &Ledger,
        needs: &'a BTreeMap<PoolCode, i64>,
    ) -> Result<Vec<&'a PoolCode>, Error> {
        let mut serial = Vec::new();
        let mut items = 0;
        for (code, quantity) in needs {
            let account = ledger.account(code)?;
            account.must_have(*quantity)?;
            if account.pool.kind == PoolKind::Serial {
                serial.push(code);
                items += quantity;
            }
        }
        if items > self.max_items_per_reservation {
            let limit = self.max_items_per_reservation;
            return Err(Error::limit(DOMAIN, "max_items_per_reservation", limit));
        }
        Ok(serial)
    }
}

async fn hand_out_items(
    ledger: &Ledger,
    tx: &mut Tx,
    reservation: &mut Reservation,
    pool: &PoolCode,
) -> Result<(), Error> {
    let wanted = reservation.lines.iter().filter(|l| l.pool == *pool).map(|l| l.quantity).sum();
    let items = store::item::available(tx, pool, wanted).await?;
    let runs = item::hand_out(&mut reservation.lines, pool, items)
        .map_err(|refusal| ledger.items_missing(pool, &refusal))?;
    for run in &runs {
        store::item::hold(tx, pool, &reservation.id, run).await?;
    }
    Ok(())
}
