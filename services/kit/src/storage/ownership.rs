//! Who writes the store of a center that keeps its work in memory: one instance at a time, by lease, with an epoch that
//! fences off whoever had it before. Centers that read what they change in the same transaction share a store without it.
//!
//! Every commit of the owner beats once, under its epoch, so a commit after a takeover is refused whole. Another instance
//! stands by, watches the beat by its own clock, and takes over when none came for the time of a lease, or at once when the owner
//! let go. No clocks of two machines are compared. A SQLite file needs none of it: the lock of its data directory has one holder.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Change, Database, Row, Tx};
use crate::error::{Error, Kind};

const SELECT_OWNER: &str = "SELECT instance, epoch, beat FROM ownership WHERE center = $1";
const INSERT_OWNER: &str = "INSERT INTO ownership (center, instance, epoch, beat) \
     VALUES ($1, $2, 1, 0) ON CONFLICT (center) DO NOTHING";
const TAKE_OVER: &str = "UPDATE ownership SET instance = $2, epoch = epoch + 1, beat = 0 \
     WHERE center = $1 AND epoch = $3 AND beat = $4";
const BEAT: &str = "UPDATE ownership SET beat = beat + 1 \
     WHERE center = $1 AND epoch = $2 AND instance = $3 RETURNING beat";
const LET_GO: &str = "UPDATE ownership SET instance = '' WHERE center = $1 AND epoch = $2";
/// How often the owner beats, and another one looks, within a lease.
const BEATS_IN_LEASE: u32 = 5;
/// Longest wait before another one looks again: an owner may have let go.
const MAX_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Reason of a write by an instance that owns the store no longer.
pub const OWNERSHIP_LOST: &str = "OWNERSHIP_LOST";

/// One running copy of a center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name among the copies of the center. Who starts under the name of the owner is the owner started again, and
    /// takes over at once.
    pub name: String,
    /// How long after the owner's last sign of life another instance takes over.
    pub lease: Duration,
}

/// What an owner holds: the epoch under which it writes.
#[derive(Clone, Debug)]
pub(super) struct Ownership {
    center: &'static str,
    instance: Instance,
    epoch: i64,
    /// Cancelled when the store belongs to another: the center ends.
    shutdown: CancellationToken,
    /// Cancelled when the store is no longer this instance's.
    over: CancellationToken,
}

/// Who owns the store, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    instance: String,
    epoch: i64,
    beat: i64,
}

impl Ownership {
    /// Waits until the store is this instance's. STOPPING when the center is to end before.
    pub(super) async fn take(
        database: &Database,
        instance: &Instance,
        shutdown: &CancellationToken,
    ) -> Result<Self, Error> {
        let center = database.center();
        let look = (instance.lease / BEATS_IN_LEASE).min(MAX_LOOK_INTERVAL);
        let mut watched: Option<(Owner, Instant)> = None;
        loop {
            match take_if_free(database, instance, &mut watched).await {
                Ok(Some(epoch)) => {
                    let (instance, shutdown) = (instance.clone(), shutdown.clone());
                    let over = CancellationToken::new();
                    return Ok(Self { center, instance, epoch, shutdown, over });
                }
                Ok(None) => {}
                Err(error) if matches!(error.kind, Kind::Unavailable | Kind::OutcomeUnknown) => {
                    tracing::warn!(center, %error, "look who owns the store; trying again");
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Err(stopping(center)),
                () = tokio::time::sleep(look) => {}
            }
        }
    }

    /// How often the owner gives a sign of life when it has nothing else to write.
    pub(super) fn beat_interval(&self) -> Duration {
        self.instance.lease / BEATS_IN_LEASE
    }

    /// How long others wait for a sign of life.
    pub(super) fn lease(&self) -> Duration {
        self.instance.lease
    }

    /// Ends the center, because it could give no sign of life for a lease.
    pub(super) fn give_up(&self) {
        let (center, instance) = (self.center, self.instance.name.as_str());
        tracing::error!(
            center,
            instance,
            "the store did not answer for a lease; this instance ends"
        );
        self.over.cancel();
        self.shutdown.cancel();
    }

    /// Waits until the store is no longer this instance's.
    pub(super) async fn is_over(&self) {
        self.over.cancelled().await;
    }

    /// Makes sure, until the commit, that the store is still this instance's.
    pub(super) async fn hold(&self, tx: &mut Tx) -> Result<(), Error> {
        let name = self.instance.name.as_str();
        let key = [self.center.into(), self.epoch.into(), name.into()];
        match tx.fetch_optional(BEAT, key).await? {
            Some(_) => Ok(()),
            None => Err(self.lost()),
        }
    }

    /// Ends the center: what it has in memory may be older than what is stored.
    fn lost(&self) -> Error {
        let (center, instance) = (self.center, self.instance.name.as_str());
        if !self.over.is_cancelled() {
            tracing::error!(
                center,
                instance,
                "another instance took over the store; this one ends"
            );
        }
        self.over.cancel();
        self.shutdown.cancel();
        let message = format!(
            "the store of the {center} center is another instance's; nothing was changed, try again"
        );
        Error::new(Kind::Unavailable, center, OWNERSHIP_LOST, message)
    }

    /// The change that stores a sign of life.
    pub(super) fn beat(&self) -> Beat {
        Beat(self.clone())
    }

    /// The change that lets another instance take over at once; signs of life end.
    pub(super) fn let_go(&self) -> LetGo {
        self.over.cancel();
        LetGo(self.clone())
    }
}

/// Takes the store when nobody has it, its owner let go or was this instance, or `watched` is unchanged for a lease: the epoch.
async fn take_if_free(
    database: &Database,
    instance: &Instance,
    watched: &mut Option<(Owner, Instant)>,
) -> Result<Option<i64>, Error> {
    let center = database.center();
    let row = database.fetch_optional(SELECT_OWNER, [center.into()]).await?;
    let Some(row) = row else {
        let first = [center.into(), instance.name.as_str().into()];
        return Ok(change(database, INSERT_OWNER, first).await?.then_some(1));
    };
    let owner = Owner { instance: row.get(0), epoch: row.get(1), beat: row.get(2) };
    let since = match watched {
        Some((seen, since)) if *seen == owner => *since,
        _ => {
            if watched.is_none() && owner.instance != instance.name && !owner.instance.is_empty() {
                let (owner, name) = (owner.instance.as_str(), instance.name.as_str());
                tracing::warn!(center, owner, name, "standing by: another instance owns the store");
            }
            watched.insert((owner.clone(), Instant::now())).1
        }
    };
    let is_mine = owner.instance.is_empty() || owner.instance == instance.name;
    if !is_mine && since.elapsed() < instance.lease {
        return Ok(None);
    }
    let name = instance.name.as_str().into();
    let seen = [center.into(), name, owner.epoch.into(), owner.beat.into()];
    Ok(change(database, TAKE_OVER, seen).await?.then_some(owner.epoch + 1))
}

/// Whether the statement met its row.
async fn change<const N: usize>(
    database: &Database,
    statement: &'static str,
    arguments: [super::Value; N],
) -> Result<bool, Error> {
    let mut tx = database.begin().await?;
    let met = tx.execute(statement, arguments).await?;
    tx.commit().await?;
    Ok(met == 1)
}

fn stopping(center: &'static str) -> Error {
    let message = format!("the {center} center ended while it stood by");
    Error::new(Kind::Unavailable, center, "STOPPING", message)
}

/// A sign of life of an owner that has nothing else to write.
#[derive(Debug)]
pub(super) struct Beat(Ownership);

impl Change for Beat {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let Ownership { center, instance, epoch, .. } = &self.0;
        tx.execute(BEAT, [(*center).into(), (*epoch).into(), instance.name.as_str().into()])
            .await?;
        Ok(())
    }
}

/// The last write of an owner.
#[derive(Debug)]
pub(super) struct LetGo(Ownership);

impl Change for LetGo {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(LET_GO, [self.0.center.into(), self.0.epoch.into()]).await?;
        Ok(())
    }
}
