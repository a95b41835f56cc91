//! Writes down what time has done: holds that are over expire, and what has rested long enough may be reserved again.
//!
//! Nobody waits for it to learn that a hold is over; that is decided whenever a reservation or a pool is looked at.
//! It only tells it to those who follow the events.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Tx, Writer};

use crate::ledger::Ledger;
use crate::movement::{Entry, MovementKind};
use crate::pool::PoolCode;
use crate::resolve::expire;
use crate::store;

/// Runs in the background.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// Tells what is due.
    pub(crate) database: Database,
    /// Writes it.
    pub(crate) writer: Writer,
    /// Decides when it is.
    pub(crate) clock: Clock,
    /// How long to sleep at most.
    pub(crate) interval: Duration,
    /// Holds, items and notes of resting units in one commit at most, each.
    pub(crate) batch: i64,
}

impl Sweeper {
    /// Sweeps until the token is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            let round = tokio::select! {
                () = shutdown.cancelled() => return,
                round = self.round() => round,
            };
            let nap = match round {
                Ok(nap) => nap,
                // Another instance swept the same.
                Err(cause) if cause.reason == store::CONFLICT => self.interval,
                Err(cause) => {
                    tracing::warn!(%cause, "sweep what is due");
                    self.interval
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Writes one batch of what is due; says how long to sleep.
    async fn round(&self) -> Result<Duration, Error> {
        let hold = store::reservation::next_due(&self.database).await?;
        let rest = store::item::next_rested(&self.database).await?;
        let Some(next) = hold.into_iter().chain(rest).min() else {
            return Ok(self.interval);
        };
        let now = self.clock.now();
        if now < next {
            return Ok(next.since(now).min(self.interval));
        }
        self.writer.write(Sweep { batch: self.batch, clock: self.clock.clone() }).await?;
        Ok(Duration::ZERO)
    }
}

/// One batch of what is due.
#[derive(Debug)]
struct Sweep {
    batch: i64,
    clock: Clock,
}

impl Change for Sweep {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.sweep(&mut ledger, tx).await;
        ledger.close(tx);
        outcome
    }
}

impl Sweep {
    async fn sweep(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<(), Error> {
        let now = ledger.now();
        for reservation in store::reservation::load_due(tx, now, self.batch).await? {
            expire(ledger, tx, &reservation).await?;
        }
        let mut rested: BTreeMap<PoolCode, i64> = BTreeMap::new();
        for pool in store::item::restore_items(tx, now, self.batch).await? {
            *rested.entry(pool).or_default() += 1;
        }
        for (pool, quantity) in store::item::restore_units(tx, now, self.batch).await? {
            *rested.entry(pool).or_default() += quantity;
        }
        ledger.load(tx, rested.keys()).await?;
        for (pool, quantity) in rested {
            let entry = Entry {
                pool,
                kind: MovementKind::Restore,
                quantity,
                reservation: None,
                order_id: String::new(),
                reason: String::new(),
                at: now,
            };
            ledger.record(tx, &entry).await?;
        }
        Ok(())
    }
}
