//! Group commit: the changes of many callers in one fsynced transaction.
//!
//! A commit costs 2–4 ms on the reference machine whatever it holds, so while one runs the next batch gathers, and the
//! batch size follows the load by itself.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ownership::{Instance, OWNERSHIP_LOST, Ownership};
use super::{Backend, Change, Database, Tx};
use crate::error::{Error, Kind};
use crate::layer::panic_text;

/// How much a writer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterLimits {
    /// Changes in one commit.
    pub max_changes_per_commit: usize,
    /// Changes that wait for a commit; more are refused with RESOURCE_EXHAUSTED.
    pub max_queued_changes: usize,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self { max_changes_per_commit: 256, max_queued_changes: 16_384 }
    }
}

/// The one place where a center's state changes.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    committed: watch::Receiver<i64>,
    center: &'static str,
    limits: WriterLimits,
    ownership: Option<Ownership>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("center", &self.center).finish_non_exhaustive()
    }
}

type AnyOutput = Box<dyn Any + Send>;
type Applied<'a> = Pin<Box<dyn Future<Output = Result<AnyOutput, Error>> + Send + 'a>>;

trait ErasedChange: Send + Sync {
    fn apply_erased<'a>(&'a self, tx: &'a mut Tx) -> Applied<'a>;
}

impl<C: Change> ErasedChange for C {
    fn apply_erased<'a>(&'a self, tx: &'a mut Tx) -> Applied<'a> {
        Box::pin(async move {
            let output = self.apply(tx).await?;
            Ok(Box::new(output) as AnyOutput)
        })
    }
}

struct Job {
    change: Box<dyn ErasedChange>,
    answer: oneshot::Sender<Result<AnyOutput, Error>>,
}

/// What one pass over a batch came to.
enum Pass {
    Committed(Vec<Result<AnyOutput, Error>>),
    /// No transaction could be begun, so no change was tried. Each further try may wait as long as this one did.
    NotBegun(Error),
    /// A change failed after it wrote, or the commit did: nothing of the batch is stored.
    Undone(Error),
    /// The store was lost during the commit: nobody knows whether the batch is stored, so it must not be applied again.
    Unknown(Error),
}

impl Writer {
    /// Starts the writer of a database that nobody else writes, or in which all may write. It ends when the last handle is
    /// dropped.
    ///
    /// It has a thread of its own, because SQLite waits for the disk in the thread that commits.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and where the system gives no thread.
    pub fn start(database: &Database, limits: WriterLimits) -> Self {
        Self::start_with(database, limits, None)
    }

    /// Waits until this instance owns the database, and starts its writer. When another instance takes over, nothing more
    /// is written and `shutdown` is cancelled. A SQLite file has no other instance.
    pub(crate) async fn own(
        database: &Database,
        limits: WriterLimits,
        instance: &Instance,
        shutdown: &CancellationToken,
    ) -> Result<Self, Error> {
        if database.backend() == Backend::Sqlite {
            return Ok(Self::start(database, limits));
        }
        let ownership = Ownership::take(database, instance, shutdown).await?;
        let writer = Self::start_with(database, limits, Some(ownership.clone()));
        tokio::spawn(keep_owning(writer.clone(), ownership));
        Ok(writer)
    }

    fn start_with(database: &Database, limits: WriterLimits, ownership: Option<Ownership>) -> Self {
        let (jobs, queue) = mpsc::channel(limits.max_queued_changes);
        let (announce, committed) = watch::channel(0);
        let center = database.center();
        let store = Store { database: database.clone(), ownership: ownership.clone(), announce };
        let runtime = tokio::runtime::Handle::current();
        let write = move || runtime.block_on(run(store, queue, limits));
        let thread = std::thread::Builder::new().name("writer".to_owned());
        thread.spawn(write).expect("a service that gets no thread cannot start");
        Self { jobs, committed, center, limits, ownership }
    }

    /// Lets another instance own the database at once: the last write of a center that ends.
    pub async fn let_go(&self) {
        let Some(ownership) = &self.ownership else { return };
        if let Err(cause) = self.write(ownership.let_go()).await {
            tracing::debug!(center = self.center, %cause, "let another instance own the store");
        }
    }

    /// Stores a change with whatever else arrives meanwhile and answers when it is on disk.
    pub async fn write<C: Change>(&self, change: C) -> Result<C::Output, Error> {
        let (answer, outcome) = oneshot::channel();
        let job = Job { change: Box::new(change), answer };
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                Error::limit(self.center, "max_queued_changes", self.limits.max_queued_changes)
            }
            mpsc::error::TrySendError::Closed(_) => self.stopped(),
        })?;
        let output = outcome.await.map_err(|_| self.stopped())??;
        Ok(*output.downcast::<C::Output>().expect("the job's change made it"))
    }

    /// Tells when new events are committed: the last sequence.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    fn stopped(&self) -> Error {
        let message = format!("the {} center is stopping; try again", self.center);
        Error::new(Kind::Unavailable, self.center, "STOPPING", message)
    }
}

/// Gives signs of life for as long as the center owns its store. One that could give none for a lease ends: another instance
/// may serve by now, and this one would not hear of it.
async fn keep_owning(writer: Writer, ownership: Ownership) {
    let mut beaten_at = Instant::now();
    loop {
        tokio::select! {
            () = ownership.is_over() => return,
            () = tokio::time::sleep(ownership.beat_interval()) => {}
        }
        let left = ownership.lease().saturating_sub(beaten_at.elapsed());
        match tokio::time::timeout(left, writer.write(ownership.beat())).await {
            Ok(Ok(())) => beaten_at = Instant::now(),
            Ok(Err(cause)) if cause.reason == OWNERSHIP_LOST => return,
            Ok(Err(cause)) => {
                tracing::warn!(center = writer.center, %cause, "tell that this instance owns the store");
            }
            Err(_) => return ownership.give_up(),
        }
        if beaten_at.elapsed() >= ownership.lease() {
            return ownership.give_up();
        }
    }
}

/// What a writer writes to.
struct Store {
    database: Database,
    ownership: Option<Ownership>,
    announce: watch::Sender<i64>,
}

async fn run(store: Store, mut queue: mpsc::Receiver<Job>, limits: WriterLimits) {
    let mut batch = Vec::with_capacity(limits.max_changes_per_commit);
    while queue.recv_many(&mut batch, limits.max_changes_per_commit).await > 0 {
        match pass(&store, &batch).await {
            Pass::Committed(outcomes) => {
                for (job, outcome) in batch.drain(..).zip(outcomes) {
                    let _ = job.answer.send(outcome);
                }
            }
            Pass::Undone(_) if batch.len() > 1 => {
                commit_one_by_one(&store, &mut batch).await;
            }
            Pass::NotBegun(error) | Pass::Undone(error) | Pass::Unknown(error) => {
                refuse_all(&mut batch, &error);
            }
        }
    }
}

fn refuse_all(batch: &mut Vec<Job>, error: &Error) {
    for job in batch.drain(..) {
        let _ = job.answer.send(Err(error.clone()));
    }
}

/// Commits each change alone, until the store cannot be reached: then those that are left would only wait as well.
async fn commit_one_by_one(store: &Store, batch: &mut Vec<Job>) {
    let mut gone = None;
    for job in batch.drain(..) {
        let outcome = match &gone {
            Some(error) => Err(Error::clone(error)),
            None => match pass(store, std::slice::from_ref(&job)).await {
                Pass::Committed(mut outcomes) => outcomes.pop().expect("one job, one outcome"),
                Pass::NotBegun(error) => {
                    gone = Some(error.clone());
                    Err(error)
                }
                Pass::Undone(error) | Pass::Unknown(error) => Err(error),
            },
        };
        let _ = job.answer.send(outcome);
    }
}

/// Commits a batch. A panic on the way undoes it and is told to those who wait: the writer goes on for all others.
async fn pass(store: &Store, batch: &[Job]) -> Pass {
    let passed = AssertUnwindSafe(commit_together(store, batch)).catch_unwind().await;
    passed.unwrap_or_else(|panic| {
        Pass::Undone(Error::internal(store.database.center(), panic_text(panic.as_ref())))
    })
}

async fn commit_together(store: &Store, batch: &[Job]) -> Pass {
    let database = &store.database;
    let mut tx = match database.begin().await {
        Ok(tx) => tx,
        Err(error) => return Pass::NotBegun(error),
    };
    if let Some(ownership) = &store.ownership
        && let Err(error) = ownership.hold(&mut tx).await
    {
        return Pass::NotBegun(error);
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    for job in batch {
        let before = tx.writes();
        let outcome = job.change.apply_erased(&mut tx).await;
        if let Err(error) = &outcome {
            // What is left of a transaction in which the store failed is not to be trusted.
            let is_sound = !matches!(error.kind, Kind::Unavailable | Kind::Internal);
            let refused_before_writing = tx.writes() == before && is_sound;
            if !refused_before_writing {
                let error = error.clone();
                if let Err(cause) = tx.rollback().await {
                    tracing::warn!(center = database.center(), %cause, "roll back a group commit");
                }
                return Pass::Undone(error);
            }
        }
        outcomes.push(outcome);
    }
    if tx.writes() == 0 {
        return match tx.rollback().await {
            Ok(()) => Pass::Committed(outcomes),
            Err(error) => Pass::Undone(error),
        };
    }
    match tx.commit().await {
        Ok(last) => {
            if let Some(sequence) = last {
                store.announce.send_replace(sequence);
            }
            Pass::Committed(outcomes)
        }
        Err(error) if error.kind == Kind::OutcomeUnknown => Pass::Unknown(error),
        Err(error) => Pass::Undone(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::each_database;

    struct Tried;

    impl Change for Tried {
        type Output = ();

        async fn apply(&self, _: &mut Tx) -> Result<(), Error> {
            panic!("a change was tried on a store that is gone");
        }
    }

    fn batch(size: usize) -> (Vec<Job>, Vec<oneshot::Receiver<Result<AnyOutput, Error>>>) {
        let job = || {
            let (answer, outcome) = oneshot::channel();
            (Job { change: Box::new(Tried), answer }, outcome)
        };
        (0..size).map(|_| job()).unzip()
    }

    #[tokio::test]
    async fn a_batch_that_finds_no_store_is_answered_at_once_and_not_tried_one_by_one() {
        for kept in each_database().await {
            let database = Database::open("test", &kept.config, &[]).await.expect("opened");
            database.close().await;
            let store = Store { database, ownership: None, announce: watch::channel(0).0 };
            let (mut jobs, outcomes) = batch(3);
            let passed = pass(&store, &jobs).await;
            let Pass::NotBegun(error) = passed else {
                panic!("each change of the batch would wait for the store by itself");
            };
            refuse_all(&mut jobs, &error);
            for outcome in outcomes {
                let refused = outcome.await.expect("answered").expect_err("refused");
                assert_eq!(refused.reason, "STORE_UNAVAILABLE");
            }
        }
    }
}
