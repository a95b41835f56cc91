//! Importing offerings as a release, and the release in force as a snapshot in memory.
//!
//! Reads never touch the database: they take the snapshot, which is replaced as a whole after an import has committed.
//! A release that another instance published is noticed by its number.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::{Change, Database, Tx};
use throughline_proto::product::v1::ImportCatalogResponse;
use tokio::sync::Mutex;

use crate::catalog::Catalog;
use crate::import::{self, Revision};
use crate::offering::Offering;
use crate::store::{self, Release};

/// The catalog in force and the way to change it; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    database: Database,
    idempotency: Idempotency,
    clock: Clock,
    current: Arc<ArcSwap<Catalog>>,
    /// Held while a release is loaded, so that an older one never replaces a newer one.
    loading: Arc<Mutex<()>>,
}

impl Publication {
    /// Loads the release in force.
    pub(crate) async fn open(
        database: Database,
        idempotency: Idempotency,
        clock: Clock,
    ) -> Result<Self, Error> {
        let publication =
            Self { database, idempotency, clock, current: Arc::default(), loading: Arc::default() };
        publication.load().await?;
        Ok(publication)
    }

    /// The release in force.
    pub(crate) fn current(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// Publishes offerings as a release, once for a request. When it answers, reads of this instance see the release.
    pub(crate) async fn import(
        &self,
        key: RequestKey,
        offerings: Vec<Arc<Offering>>,
        trace_parent: String,
    ) -> Result<ImportCatalogResponse, Error> {
        let now = self.clock.now();
        let change = Import { base: self.current(), offerings, now, trace_parent };
        let answer = self.idempotency.once(key, change).await?;
        if let Err(cause) = self.load().await {
            // The import is stored; the worker tries again.
            tracing::warn!(%cause, release = answer.release, "load a published release");
        }
        Ok(answer)
    }

    /// Replaces the snapshot if a newer release was published.
    async fn load(&self) -> Result<(), Error> {
        let _alone = self.loading.lock().await;
        let current = self.current();
        let last = store::last_release(&self.database).await?;
        if last.number <= current.release() {
            return Ok(());
        }
        let changed =
            store::changed_between(&self.database, current.release(), last.number).await?;
        let catalog = current.published(last.number, changed);
        self.current.store(Arc::new(catalog));
        Ok(())
    }

    /// Looks for releases of other instances until the token is cancelled.
    pub(crate) async fn follow(self, interval: Duration, shutdown: CancellationToken) {
        let mut failing = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let loaded = self.load().await;
            if let Err(cause) = &loaded
                && !failing
            {
                tracing::warn!(%cause, "look for a published release");
            }
            failing = loaded.is_err();
        }
    }
}

/// One import. It is decided against what the transaction sees; the snapshot saves reading that again.
struct Import {
    base: Arc<Catalog>,
    offerings: Vec<Arc<Offering>>,
    now: Instant,
    trace_parent: String,
}

impl Import {
    async fn catalog(&self, tx: &mut Tx, last: Release) -> Result<Arc<Catalog>, Error> {
        let known = self.base.release();
        if last.number == known {
            return Ok(Arc::clone(&self.base));
        }
        let changed = store::changed_between_in(tx, known, last.number).await?;
        Ok(Arc::new(self.base.published(last.number, changed)))
    }
}

impl Change for Import {
    type Output = ImportCatalogResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<ImportCatalogResponse, Error> {
        let last = store::last_release_in(tx).await?;
        let catalog = self.catalog(tx, last).await?;
        let Some(revision) = import::revise(&catalog, &self.offerings)? else {
            return Ok(answer(last, &Revision::default()));
        };
        let release = Release { number: last.number + 1, published_at: self.now };
        store::publish(tx, release, &revision).await?;
        let answer = answer(release, &revision);
        let subject = release.number.to_string();
        tx.announce(
            Announcement::new("catalog.published", &subject, "", self.now, &answer)
                .in_trace(&self.trace_parent),
        );
        Ok(answer)
    }
}

fn answer(release: Release, revision: &Revision) -> ImportCatalogResponse {
    let count = |offerings: &[Arc<Offering>]| i32::try_from(offerings.len()).unwrap_or(i32::MAX);
    ImportCatalogResponse {
        release: release.number,
        added_count: count(&revision.added),
        changed_count: count(&revision.changed),
        publish_time: Some(release.published_at.to_proto()),
    }
}
