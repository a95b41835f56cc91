//! One instance of a center writes, others stand by: only PostgreSQL has several.

use std::time::Duration;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::server::Environment;
use throughline_kit::storage::{
    Database, Instance, OWNERSHIP_LOST, StorageConfig, Writer, WriterLimits,
};
use throughline_kit::testing::{TestDatabase, each_database, environment, eventually};
use throughline_kit::{CancellationToken, Row};
use tokio::task::JoinHandle;

use crate::store::{CENTER, MIGRATIONS, Note, START, Way};

/// Never over within a test.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(500);

async fn postgres() -> Option<TestDatabase> {
    let is_postgres = |kept: &TestDatabase| matches!(kept.config, StorageConfig::Postgres { .. });
    each_database().await.into_iter().find(is_postgres)
}

/// An instance of the center as it starts.
struct Starting {
    environment: Environment,
    database: Database,
}

impl Starting {
    async fn open(kept: &StorageConfig, name: &str, lease: Duration) -> Self {
        let instance = Instance { name: name.to_owned(), lease };
        let environment = Environment { instance, ..environment(kept, Clock::fixed(START)) };
        let database = Database::open(CENTER, kept, MIGRATIONS).await.expect("opened");
        Self { environment, database }
    }

    async fn own(&self) -> Result<Writer, Error> {
        self.environment.own(&self.database, WriterLimits::default()).await
    }

    fn stands_by(self) -> JoinHandle<Result<Writer, Error>> {
        tokio::spawn(async move { self.own().await })
    }

    fn shutdown(&self) -> CancellationToken {
        self.environment.shutdown.clone()
    }
}

async fn note(writer: &Writer, name: &str) -> Result<(), Error> {
    writer.write(Note::new(name, Way::Append)).await
}

#[tokio::test]
async fn who_was_started_again_takes_over_at_once_and_fences_off_who_was_before() {
    let Some(kept) = postgres().await else { return };
    let first = Starting::open(&kept.config, "a", LONG).await;
    let before = first.own().await.expect("nobody else is there");
    note(&before, "before").await.expect("it owns the store");

    let again = Starting::open(&kept.config, "a", LONG).await;
    let after = again.own().await.expect("the same name");
    let refused = note(&before, "too late").await.expect_err("fenced off");
    assert_eq!(refused.reason, OWNERSHIP_LOST);
    first.shutdown().cancelled().await;
    note(&after, "before").await.expect_err("the note is there, from the time before");
    note(&after, "too late").await.expect("that write of the first left nothing");
    assert!(!again.shutdown().is_cancelled());
}

#[tokio::test]
async fn another_instance_stands_by_until_the_owner_lets_go() {
    let Some(kept) = postgres().await else { return };
    let owner = Starting::open(&kept.config, "a", LONG).await.own().await.expect("free");
    let standing_by = Starting::open(&kept.config, "b", LONG).await.stands_by();
    note(&owner, "the owner's").await.expect("it owns the store");
    assert!(!standing_by.is_finished(), "two owners");
    owner.let_go().await;
    let next = standing_by.await.expect("no panic").expect("the store is free");
    note(&next, "mine").await.expect("it owns the store");
    let refused = note(&owner, "not mine").await.expect_err("it let go");
    assert_eq!(refused.reason, OWNERSHIP_LOST);
}

#[test]
fn another_instance_takes_over_when_the_owner_is_silent_for_a_lease() {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let (life, afterlife) = (runtime(), runtime());
    let Some(kept) = life.block_on(postgres()) else { return };
    let written = life.block_on(async {
        let owner = Starting::open(&kept.config, "a", SHORT).await.own().await.expect("free");
        note(&owner, "mine").await
    });
    written.expect("it owned the store");
    // Everything of the owner ends at once, as when its machine is cut off.
    life.shutdown_background();
    afterlife.block_on(async {
        let next = Starting::open(&kept.config, "b", SHORT).await.own().await.expect("silent");
        note(&next, "mine").await.expect_err("the note is there");
        note(&next, "ours").await.expect("it owns the store");
    });
}

#[tokio::test]
async fn an_owner_with_nothing_to_write_gives_signs_of_life() {
    let Some(kept) = postgres().await else { return };
    let starting = Starting::open(&kept.config, "a", SHORT).await;
    let _owner = starting.own().await.expect("free");
    let beat = async || {
        let row = starting.database.fetch_optional("SELECT beat FROM ownership", []).await;
        row.expect("read").expect("a row").get::<i64, _>(0)
    };
    for least in 1..=3 {
        eventually("a beat", async || (beat().await >= least).then_some(())).await;
    }
}

#[tokio::test]
async fn an_owner_that_does_not_reach_its_store_for_a_lease_ends() {
    let Some(kept) = postgres().await else { return };
    let starting = Starting::open(&kept.config, "a", SHORT).await;
    let owner = starting.own().await.expect("free");
    starting.database.close().await;
    starting.shutdown().cancelled().await;
    note(&owner, "late").await.expect_err("it has no store");
}

#[tokio::test]
async fn an_instance_that_is_to_end_stands_by_no_longer() {
    let Some(kept) = postgres().await else { return };
    let _owner = Starting::open(&kept.config, "a", LONG).await.own().await.expect("free");
    let second = Starting::open(&kept.config, "b", LONG).await;
    let shutdown = second.shutdown();
    let standing_by = second.stands_by();
    shutdown.cancel();
    let refused = standing_by.await.expect("no panic").expect_err("it was to end");
    assert_eq!(refused.reason, "STOPPING");
}
