//! The webhooks in memory, so that an order whose channel has none costs nothing, and which of them have something new.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Writer};
use tokio::sync::watch;

use super::{Webhook, WebhookId, store};

/// The webhooks in memory; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    webhooks: RwLock<Arc<Snapshot>>,
    /// Webhooks with deliveries that are being stored, and the last committed event before that.
    storing: Mutex<HashMap<WebhookId, Option<i64>>>,
    /// What was changed by hand may have something to send anywhere.
    changed: AtomicBool,
    committed: Option<watch::Receiver<i64>>,
    reloading: tokio::sync::Mutex<Option<Stamp>>,
}

/// Changes with every change of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When a webhook was last changed, in microseconds.
    pub(crate) updated_at: i64,
    /// Sum of all versions.
    pub(crate) versions: i64,
}

/// All webhooks at one time.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    by_channel: HashMap<String, Vec<Arc<Webhook>>>,
    by_id: HashMap<WebhookId, Arc<Webhook>>,
}

impl Snapshot {
    pub(crate) fn new(webhooks: Vec<Webhook>) -> Self {
        let mut snapshot = Self::default();
        for webhook in webhooks.into_iter().map(Arc::new) {
            let of_channel = snapshot.by_channel.entry(webhook.channel.clone()).or_default();
            of_channel.push(Arc::clone(&webhook));
            snapshot.by_id.insert(webhook.id.clone(), webhook);
        }
        snapshot
    }

    /// Those of a channel.
    pub(crate) fn of_channel(&self, channel: &str) -> &[Arc<Webhook>] {
        self.by_channel.get(channel).map(Vec::as_slice).unwrap_or_default()
    }

    /// One by its id.
    pub(crate) fn by_id(&self, id: &WebhookId) -> Option<&Arc<Webhook>> {
        self.by_id.get(id)
    }
}

impl Registry {
    /// Begins with none, for the changes of a writer.
    pub(crate) fn new(writer: &Writer) -> Self {
        let committed = Some(writer.committed());
        Self(Arc::new(Shared { committed, ..Shared::default() }))
    }

    /// All as they are now.
    pub(crate) fn webhooks(&self) -> Arc<Snapshot> {
        let webhooks = self.0.webhooks.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&webhooks)
    }

    /// Reads them anew where one has changed; also what other instances changed.
    pub(crate) async fn reload(&self, database: &Database) -> Result<(), Error> {
        // One at a time: what was read earlier must not replace what was read later.
        let mut known = self.0.reloading.lock().await;
        let stamp = store::stamp(database).await?;
        if *known == Some(stamp) {
            return Ok(());
        }
        let snapshot = Arc::new(Snapshot::new(store::webhooks(database).await?));
        *self.0.webhooks.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        *known = Some(stamp);
        Ok(())
    }

    /// Says that something was changed by hand, which is stored.
    pub(crate) fn mark_changed(&self) {
        self.0.changed.store(true, Ordering::Release);
    }

    /// Says whether something was changed since the last time.
    pub(crate) fn take_changed(&self) -> bool {
        self.0.changed.swap(false, Ordering::AcqRel)
    }

    /// Says that a webhook has something to send, which is being stored with an event: only the writer may say so.
    pub(crate) fn mark_storing(&self, id: &WebhookId) {
        let before = self.last_committed();
        self.storing().insert(id.clone(), before);
    }

    /// Takes those whose news is stored. The writer announces each commit, and makes one after the other: another last
    /// event than at the mark means that the commit of the mark is done.
    pub(crate) fn take_stored(&self) -> Vec<WebhookId> {
        let now = self.last_committed();
        self.storing().extract_if(|_, before| *before != now).map(|(id, _)| id).collect()
    }

    /// Tells when the writer has committed an event.
    pub(crate) fn commits(&self) -> Option<watch::Receiver<i64>> {
        self.0.committed.clone()
    }

    fn last_committed(&self) -> Option<i64> {
        self.0.committed.as_ref().map(|last| *last.borrow())
    }

    fn storing(&self) -> MutexGuard<'_, HashMap<WebhookId, Option<i64>>> {
        self.0.storing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
