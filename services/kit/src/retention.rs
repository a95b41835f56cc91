//! Deletes what is kept for a time only, a bounded number of rows in one commit: first answers and announced events.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::Error;
use crate::idempotency;
use crate::outbox;
use crate::server::Environment;
use crate::storage::{Change, Tx, Writer};
use crate::task::vital;

/// How often to look for rows that are too old.
const INTERVAL: Duration = Duration::from_secs(60);
/// Rows deleted in one commit, so that nobody waits long behind it.
pub(crate) const MAX_ROWS_PER_COMMIT: u64 = 1_000;

/// Deletes old rows until the environment's token is cancelled.
pub fn start(writer: &Writer, environment: &Environment) {
    let (writer, clock) = (writer.clone(), environment.clock.clone());
    let shutdown = environment.shutdown.clone();
    let stop = shutdown.clone();
    vital("delete old rows", &stop, async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            if let Err(cause) = delete_old(&writer, &clock).await {
                tracing::warn!(%cause, "delete old rows");
            }
        }
    });
}

async fn delete_old(writer: &Writer, clock: &Clock) -> Result<(), Error> {
    let kinds =
        [(idempotency::DELETE_OLD, idempotency::KEPT_FOR), (outbox::DELETE_OLD, outbox::KEPT_FOR)];
    for (statement, kept_for) in kinds {
        let kept = i64::try_from(kept_for.as_micros()).expect("days fit");
        loop {
            let before = clock.now().0 - kept;
            let deleted = writer.write(DeleteOld { statement, before }).await?;
            if deleted < MAX_ROWS_PER_COMMIT {
                break;
            }
        }
    }
    Ok(())
}

/// One bounded deletion.
#[derive(Debug)]
pub(crate) struct DeleteOld {
    pub(crate) statement: &'static str,
    pub(crate) before: i64,
}

impl Change for DeleteOld {
    type Output = u64;

    async fn apply(&self, tx: &mut Tx) -> Result<u64, Error> {
        tx.execute(self.statement, [self.before.into()]).await
    }
}
