//! What the contract of the order center promises, on a real socket, on each database. Everything
//! that it calls stands in one server that keeps the promises of the real ones and misbehaves on
//! request.

/// Runs a test on each database; an unexpected warning fails it, and so does a broken promise
/// towards those who are called.
macro_rules! on_each_database {
    ($name:ident, $test:expr) => {
        on_each_database!($name, expecting "register at the gateway", $test);
    };
    ($name:ident, expecting $expected:expr, $test:expr) => {
        #[tokio::test]
        async fn $name() {
            let expected = [crate::fixture::NO_REGISTRY, $expected];
            let _log = throughline_kit::testing::no_unexpected_warnings(&expected);
            for database in throughline_kit::testing::each_database().await {
                let started = crate::fixture::Center::start(&database.config).await;
                let center: crate::fixture::Center = $test(started).await;
                center.stop().await;
            }
        }
    };
}

mod callbacks;
mod cancelling;
mod carrying;
mod compensation;
mod crashes;
mod faults;
mod fixture;
mod outside;
mod payments;
mod previews;
mod reading;
mod requests;
mod returns;
mod submission;
