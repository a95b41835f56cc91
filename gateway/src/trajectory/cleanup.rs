//! Deletes hops and steps that were kept long enough, a bounded number at a time.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx, Writer};

use super::store;
use crate::config::{Config, milliseconds};

const SECONDS_PER_DAY: u64 = 24 * 3_600;

/// Keeps trajectories from growing forever.
#[derive(Debug)]
pub(crate) struct Cleanup {
    writer: Writer,
    clock: Clock,
    kept_for: Duration,
    interval: Duration,
    max_rows: u32,
}

impl Cleanup {
    /// Prepares.
    pub(crate) fn new(config: &Config, writer: Writer, clock: Clock) -> Self {
        Self {
            writer,
            clock,
            kept_for: Duration::from_secs(config.trajectory_kept_days * SECONDS_PER_DAY),
            interval: milliseconds(config.cleanup_interval_ms),
            max_rows: config.max_deleted_rows_per_change,
        }
    }

    /// Deletes what is old until the end.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            if let Err(cause) = self.sweep(&shutdown).await {
                tracing::warn!(%cause, "delete old trajectories");
            }
        }
    }

    async fn sweep(&self, shutdown: &CancellationToken) -> Result<(), Error> {
        let kept_us = i64::try_from(self.kept_for.as_micros()).unwrap_or(i64::MAX);
        let before = Instant(self.clock.now().0.saturating_sub(kept_us));
        while !shutdown.is_cancelled() {
            let deleted = self.writer.write(DeleteOld { before, max_rows: self.max_rows }).await?;
            if deleted < u64::from(self.max_rows) {
                return Ok(());
            }
        }
        Ok(())
    }
}

struct DeleteOld {
    before: Instant,
    max_rows: u32,
}

impl Change for DeleteOld {
    type Output = u64;

    async fn apply(&self, tx: &mut Tx) -> Result<u64, Error> {
        let arguments = || [self.before.into(), i64::from(self.max_rows).into()];
        let hops = tx.execute(store::DELETE_OLD_HOPS, arguments()).await?;
        let steps = tx.execute(store::DELETE_OLD_STEPS, arguments()).await?;
        Ok(hops.max(steps))
    }
}
