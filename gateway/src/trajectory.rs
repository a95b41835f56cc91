//! One order, one line: business steps of all centers and every call that was carried for it.
//!
//! ```text
//! data plane ── hop records ──► hops ──┐
//!                                      ├──► store ──► read: one order, by time ──► get, watch
//! feeds of the centers ── events ► steps ┘
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::Database;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use tokio::sync::{Notify, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::config::{Config, milliseconds};
use crate::error::ControlRefusal;

mod cleanup;
mod detail;
mod hops;
mod steps;
mod store;

pub(crate) use cleanup::Cleanup;
pub(crate) use hops::HopStore;
pub(crate) use steps::{CONSUMER, StepConsumer};

/// Messages ahead of a slow watcher.
const MAX_MESSAGES_AHEAD: usize = 4;

/// What is recorded, to be read. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Trajectories {
    database: Database,
    watched: Watched,
    watches: Arc<AtomicUsize>,
    max_entries: usize,
    max_watches: usize,
    poll_interval: Duration,
}

/// One order's entries by time.
#[derive(Debug, Default)]
pub(crate) struct Trajectory {
    /// Entries.
    pub(crate) entries: Vec<TimedEntry>,
    /// There were more than are read.
    pub(crate) truncated: bool,
}

/// An entry, when it was, and its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimedEntry {
    /// When.
    pub(crate) at: Instant,
    /// Event or span.
    pub(crate) id: String,
    /// What.
    pub(crate) entry: Entry,
}

impl Trajectory {
    /// Merges both sources by time; of the same time the step comes first, as it caused the call or ended with it. Calls
    /// get the room that steps leave: callers can make any number of calls, and must not hide what happened by them.
    fn merge(mut steps: Vec<TimedEntry>, mut hops: Vec<TimedEntry>, max_entries: usize) -> Self {
        let truncated = steps.len() + hops.len() > max_entries;
        steps.truncate(max_entries);
        hops.truncate(max_entries - steps.len());
        steps.extend(hops);
        steps.sort_by_key(|entry| entry.at);
        Self { entries: steps, truncated }
    }

    /// Writes the entries.
    pub(crate) fn into_proto(self) -> Vec<proto::TrajectoryEntry> {
        self.entries.into_iter().map(TimedEntry::into_proto).collect()
    }
}

impl TimedEntry {
    fn into_proto(self) -> proto::TrajectoryEntry {
        proto::TrajectoryEntry { entry: Some(self.entry) }
    }
}

impl Trajectories {
    /// Reads from a database.
    pub(crate) fn new(config: &Config, database: Database) -> Self {
        Self {
            database,
            watched: Watched::default(),
            watches: Arc::default(),
            max_entries: config.max_trajectory_entries,
            max_watches: config.max_watches,
            poll_interval: milliseconds(config.watch_poll_interval_ms),
        }
    }

    /// Orders that are watched: told of what is stored.
    pub(crate) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Reads one order's trajectory; empty where nothing is recorded.
    pub(crate) async fn read(&self, order_id: &str) -> Result<Trajectory, Error> {
        let limit = i64::try_from(self.max_entries).unwrap_or(i64::MAX).saturating_add(1);
        let steps = store::steps(&self.database, order_id, limit).await?;
        let hops = store::hops(&self.database, order_id, limit).await?;
        Ok(Trajectory::merge(steps, hops, self.max_entries))
    }

    /// Sends what is recorded, then what is new, until the caller ends it.
    pub(crate) fn watch(
        &self,
        order_id: String,
    ) -> Result<impl Stream<Item = Result<proto::WatchTrajectoryResponse, Status>> + use<>, Error>
    {
        let place = WatchPlace::take(&self.watches, self.max_watches)?;
        let (messages, stream) = mpsc::channel(MAX_MESSAGES_AHEAD);
        let trajectories = self.clone();
        tokio::spawn(async move {
            let _place = place;
            trajectories.send_changes(&order_id, messages).await;
        });
        Ok(ReceiverStream::new(stream))
    }

    async fn send_changes(
        &self,
        order_id: &str,
        messages: mpsc::Sender<Result<proto::WatchTrajectoryResponse, Status>>,
    ) {
        let attention = self.watched.pay_attention(order_id);
        let (mut sent, mut told_truncated) = (HashSet::new(), false);
        loop {
            let stored = attention.stored.notified();
            match self.read(order_id).await {
                Ok(trajectory) => {
                    let truncated = trajectory.truncated;
                    let new = trajectory.entries.into_iter().filter(|e| sent.insert(e.id.clone()));
                    let entries: Vec<_> = new.map(TimedEntry::into_proto).collect();
                    let news = !entries.is_empty() || truncated != told_truncated;
                    told_truncated = truncated;
                    let message = proto::WatchTrajectoryResponse { entries, truncated };
                    if news && messages.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    // It fails only where the watcher is gone already.
                    let _ = messages.send(Err(error.into())).await;
                    return;
                }
            }
            tokio::select! {
                () = messages.closed() => return,
                () = stored => {}
                // Another gateway on the same store may have stored something.
                () = tokio::time::sleep(self.poll_interval) => {}
            }
        }
    }
}

/// One watch of a bounded number; given back when dropped.
#[derive(Debug)]
struct WatchPlace(Arc<AtomicUsize>);

impl WatchPlace {
    fn take(watches: &Arc<AtomicUsize>, max_watches: usize) -> Result<Self, ControlRefusal> {
        if watches.fetch_add(1, Ordering::Relaxed) >= max_watches {
            watches.fetch_sub(1, Ordering::Relaxed);
            return Err(ControlRefusal::LimitReached { limit: "max_watches", value: max_watches });
        }
        Ok(Self(Arc::clone(watches)))
    }
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Watchers = Arc<Mutex<HashMap<String, (usize, Arc<Notify>)>>>;

/// Orders that somebody watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Watchers);

struct Attention {
    watched: Watched,
    order_id: String,
    stored: Arc<Notify>,
}

impl Watched {
    fn pay_attention(&self, order_id: &str) -> Attention {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (watchers, stored) = orders.entry(order_id.to_owned()).or_default();
        *watchers += 1;
        let stored = Arc::clone(stored);
        Attention { watched: self.clone(), order_id: order_id.to_owned(), stored }
    }

    /// Tells the watchers of these orders that something was stored.
    pub(crate) fn stored<'a>(&self, order_ids: impl Iterator<Item = &'a str>) {
        let orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.is_empty() {
            return;
        }
        for order_id in order_ids {
            if let Some((_, stored)) = orders.get(order_id) {
                stored.notify_waiters();
            }
        }
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        let mut orders = self.watched.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((watchers, _)) = orders.get_mut(&self.order_id) {
            *watchers -= 1;
            if *watchers == 0 {
                orders.remove(&self.order_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(at: i64, id: &str) -> TimedEntry {
        let entry = Entry::Step(proto::BusinessStep::default());
        TimedEntry { at: Instant(at), id: id.to_owned(), entry }
    }

    fn hop(at: i64, id: &str) -> TimedEntry {
        TimedEntry { entry: Entry::Hop(proto::Hop::default()), ..step(at, id) }
    }

    #[test]
    fn steps_and_hops_become_one_line_by_time() {
        let merged = Trajectory::merge(
            vec![step(1, "s1"), step(5, "s2")],
            vec![hop(0, "h1"), hop(1, "h2"), hop(9, "h3")],
            10,
        );
        let ids: Vec<_> = merged.entries.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["h1", "s1", "h2", "s2", "h3"]);
        assert!(!merged.truncated);
    }

    #[test]
    fn what_is_over_the_limit_is_cut_and_said() {
        let merged = Trajectory::merge(vec![step(1, "s1")], vec![hop(0, "h1"), hop(2, "h2")], 2);
        assert_eq!(merged.entries.len(), 2);
        assert!(merged.truncated);
    }

    #[test]
    fn calls_never_crowd_steps_out_however_many_and_early_they_are() {
        let hops: Vec<_> = (0..5).map(|at| hop(at, &format!("h{at}"))).collect();
        let merged = Trajectory::merge(vec![step(7, "s1"), step(8, "s2")], hops.clone(), 3);
        let ids: Vec<_> = merged.entries.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["h0", "s1", "s2"]);
        assert!(merged.truncated);
        let steps = (0..4).map(|at| step(at, &format!("s{at}"))).collect();
        let merged = Trajectory::merge(steps, hops, 3);
        let ids: Vec<_> = merged.entries.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["s0", "s1", "s2"]);
        assert!(merged.truncated);
    }

    #[test]
    fn no_more_watches_than_the_limit() {
        let watches = Arc::default();
        let first = WatchPlace::take(&watches, 1).expect("free");
        let refusal = ControlRefusal::LimitReached { limit: "max_watches", value: 1 };
        assert_eq!(WatchPlace::take(&watches, 1).err(), Some(refusal));
        drop(first);
        assert!(WatchPlace::take(&watches, 1).is_ok());
    }
}
