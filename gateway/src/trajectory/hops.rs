//! Stores hop records in batches. What the data plane handed over is stored, however long the store takes; only at the
//! end of the process there is a bound to it, and a record that the store refuses does not hold up the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx, Writer};
use tokio::sync::mpsc;

use super::{Watched, store};
use crate::proxy::{HopMetrics, HopRecord};

/// Wait before a batch that could not be stored is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Failures in a row before it is worth a warning, and before each record is tried by itself.
const FAILURES_BEFORE_WARNING: u32 = 5;

/// Takes the records of all workers.
#[derive(Debug)]
pub(crate) struct HopStore {
    /// Where they come from.
    pub(crate) batches: mpsc::Receiver<Vec<HopRecord>>,
    /// Where they go.
    pub(crate) writer: Writer,
    /// Who waits for them.
    pub(crate) watched: Watched,
    /// What counts them.
    pub(crate) metrics: HopMetrics,
    /// Records in one change.
    pub(crate) max_per_change: usize,
    /// Cancelled when the process should end.
    pub(crate) shutdown: CancellationToken,
    /// How long one change may take, retries and all, after the end was asked for.
    pub(crate) patience_at_end: Duration,
}

/// The end was asked for, and the store still fails.
struct GivenUp;

impl HopStore {
    /// Stores until the last worker has ended.
    pub(crate) async fn run(mut self) {
        while let Some(mut batch) = self.batches.recv().await {
            while !batch.is_empty() {
                let later = batch.split_off(batch.len().min(self.max_per_change.max(1)));
                let hops = Arc::new(std::mem::replace(&mut batch, later));
                if self.store(&hops).await.is_err() {
                    return self.lose(hops.len() + batch.len()).await;
                }
            }
        }
    }

    /// Takes the rest from the workers, so that they can end.
    async fn lose(&mut self, mut hops: usize) {
        while let Some(batch) = self.batches.recv().await {
            hops += batch.len();
        }
        tracing::error!(hops, "give up storing calls of trajectories: the store fails at the end");
    }

    async fn store(&self, hops: &Arc<Vec<HopRecord>>) -> Result<(), GivenUp> {
        let mut end = pin!(self.end_of_patience());
        let stored = tokio::select! {
            biased;
            stored = self.store_with_retries(hops) => stored,
            () = end.as_mut() => return Err(GivenUp),
        };
        self.metrics.recorded.inc_by(stored);
        self.watched.stored(hops.iter().map(|hop| hop.order_id.as_str()));
        Ok(())
    }

    async fn end_of_patience(&self) {
        self.shutdown.cancelled().await;
        tokio::time::sleep(self.patience_at_end).await;
    }

    /// Tries until the batch is stored; says how many of it are.
    async fn store_with_retries(&self, hops: &Arc<Vec<HopRecord>>) -> u64 {
        let mut failures = 0;
        loop {
            let outcome = if failures < FAILURES_BEFORE_WARNING {
                let stored = self.writer.write(StoreHops(Arc::clone(hops))).await;
                stored.map(|()| hops.len() as u64)
            } else {
                self.store_one_by_one(hops).await
            };
            match outcome {
                Ok(stored) => return stored,
                Err(cause) => {
                    failures += 1;
                    if failures == FAILURES_BEFORE_WARNING {
                        tracing::warn!(%cause, failures, "store calls of trajectories");
                    }
                }
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Stores each record by itself and drops those that are refused by a store that takes others.
    async fn store_one_by_one(&self, hops: &Arc<Vec<HopRecord>>) -> Result<u64, Error> {
        let mut stored = 0;
        for index in 0..hops.len() {
            match self.store_one(hops, index).await? {
                Ok(()) => stored += 1,
                Err(cause) => {
                    let hop = &hops[index];
                    let (order_id, method) = (&hop.order_id, &*hop.method.name);
                    tracing::error!(%cause, ?order_id, method, "drop a call that cannot be stored");
                }
            }
        }
        Ok(stored)
    }

    /// Says whether it is the record's fault when it cannot be stored; fails where it is the store's.
    async fn store_one(
        &self,
        hops: &Arc<Vec<HopRecord>>,
        index: usize,
    ) -> Result<Result<(), Error>, Error> {
        let write = || self.writer.write(StoreHop { hops: Arc::clone(hops), index });
        if write().await.is_ok() {
            return Ok(Ok(()));
        }
        // Twice, so that a short failure of the store does not cost a record.
        self.writer.write(Probe).await?;
        let again = write().await;
        if again.is_err() {
            self.writer.write(Probe).await?;
        }
        Ok(again)
    }
}

struct StoreHops(Arc<Vec<HopRecord>>);

impl Change for StoreHops {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for hop in self.0.iter() {
            tx.append(&store::INSERT_HOP, store::hop_row(hop));
        }
        Ok(())
    }
}

/// Stores one record of a batch, if it is not there already.
struct StoreHop {
    hops: Arc<Vec<HopRecord>>,
    index: usize,
}

impl Change for StoreHop {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(store::INSERT_HOP_ONCE, store::hop_row(&self.hops[self.index])).await?;
        Ok(())
    }
}

/// Stores a record and takes it out again: fails where no record can be stored.
struct Probe;

impl Change for Probe {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(store::INSERT_PROBE, []).await?;
        tx.execute(store::DELETE_PROBE, []).await?;
        Ok(())
    }
}
