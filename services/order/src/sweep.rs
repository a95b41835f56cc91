//! Writes down what time has done: carts that expired, rows of carts and of cancellations that may go, groups of buyers that
//! missed their deadline.
//!
//! Nobody waits for it to learn that a cart or a group is over: that is decided whenever one is looked at. It only stores it, so
//! that rows go and the orders of a group hear of it.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::server::Environment;
use throughline_kit::storage::{Change, Database, Tx, Writer};
use throughline_kit::task::vital;

use crate::campaign::ledger::Ledger;
use crate::cart::CartState;
use crate::error::STORE_CONFLICT;
use crate::{campaign, cancellation, cart};

/// How often to look for what is due.
const INTERVAL: Duration = Duration::from_secs(1);
/// Carts, groups or cancellations in one commit at most, so that nobody waits long behind it.
const BATCH: i64 = 128;

/// Sweeps until the environment's token is cancelled.
pub(crate) fn start(database: &Database, writer: &Writer, environment: &Environment) {
    let (database, writer) = (database.clone(), writer.clone());
    let sweeper = Sweeper { database, writer, clock: environment.clock.clone() };
    let shutdown = environment.shutdown.clone();
    vital("sweep carts, groups and cancellations", &shutdown, sweeper.run(shutdown.clone()));
}

struct Sweeper {
    database: Database,
    writer: Writer,
    clock: Clock,
}

impl Sweeper {
    async fn run(self, shutdown: CancellationToken) {
        loop {
            let swept = tokio::select! {
                () = shutdown.cancelled() => return,
                swept = self.sweep() => swept,
            };
            match swept {
                // Another change came between; the next round looks again.
                Err(cause) if cause.reason != STORE_CONFLICT => {
                    tracing::warn!(%cause, "sweep carts, groups and cancellations");
                }
                Ok(()) | Err(_) => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Writes all that is due, one batch after the other.
    async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        while cart::store::is_due(&self.database, now).await? {
            self.writer.write(SweepCarts(now)).await?;
        }
        while cancellation::store::is_over(&self.database, now).await? {
            self.writer.write(SweepCancellations(now)).await?;
        }
        while campaign::store::is_group_over(&self.database, now).await? {
            self.writer.write(SweepGroups(now)).await?;
        }
        Ok(())
    }
}

/// One batch of carts whose time has come.
#[derive(Debug)]
struct SweepCarts(Instant);

impl Change for SweepCarts {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for mut head in cart::store::due(tx, self.0, BATCH).await? {
            if head.state == CartState::Active {
                head.expire();
                cart::store::expire(tx, &head).await?;
            } else {
                cart::store::delete(tx, &head).await?;
            }
        }
        Ok(())
    }
}

/// One batch of requests that were kept long enough.
#[derive(Debug)]
struct SweepCancellations(Instant);

impl Change for SweepCancellations {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        cancellation::store::delete_over(tx, self.0, BATCH).await
    }
}

/// One batch of groups whose deadline has passed.
#[derive(Debug)]
struct SweepGroups(Instant);

impl Change for SweepGroups {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut ledger = Ledger::open(tx);
        let swept = self.sweep(&mut ledger, tx).await;
        ledger.close(tx);
        swept
    }
}

impl SweepGroups {
    async fn sweep(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<(), Error> {
        for group in campaign::store::groups_over(tx, self.0, BATCH).await? {
            ledger.change_group(tx, &group, self.0, |group| group.ring(self.0)).await?;
        }
        Ok(())
    }
}
