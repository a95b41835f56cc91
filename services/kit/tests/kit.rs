//! What every service relies on: storage, first answers, events, serving, errors.

/// Runs a test on each database, and fails it on a warning that it does not expect.
macro_rules! on_each_database {
    ($(#[$doc:meta])* $name:ident, expecting $expected:literal, $test:expr) => {
        $(#[$doc])*
        #[tokio::test]
        async fn $name() {
            let _log = throughline_kit::testing::no_unexpected_warnings(&[$expected]);
            for database in throughline_kit::testing::each_database().await {
                $test(crate::store::Store::open(&database.config).await).await;
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $test:expr) => {
        on_each_database!($(#[$doc])* $name, expecting "no warning is expected", $test);
    };
}

#[path = "kit/errors.rs"]
mod errors;
#[path = "kit/feeds.rs"]
mod feeds;
#[path = "kit/following.rs"]
mod following;
#[path = "kit/idempotency.rs"]
mod idempotency;
#[path = "kit/ownership.rs"]
mod ownership;
#[path = "kit/serving.rs"]
mod serving;
#[path = "kit/storage.rs"]
mod storage;
#[path = "kit/store.rs"]
mod store;
#[path = "kit/systems.rs"]
mod systems;
