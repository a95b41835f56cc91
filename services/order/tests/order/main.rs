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

mod archive;
mod bulk;
mod bulk_turning;
mod callbacks;
mod campaigns;
mod cancelling;
mod capabilities;
mod carrying;
mod cart_limits;
mod cart_merging;
mod carts;
mod changing;
mod check_out;
mod compensation;
mod crashes;
mod desk;
mod faults;
mod fees;
mod finding;
mod fixture;
mod flows;
mod forecasting;
mod groups;
mod monitors;
mod outages;
mod outside;
mod overdue;
mod parts;
mod pausing;
mod pausing_all;
mod payments;
mod persons;
mod previews;
mod rating;
mod reading;
mod receiver;
mod rehearsing;
mod reminding;
mod repairing;
mod requests;
mod returns;
mod submission;
mod templates;
mod urgency;
mod waiting;
mod webhook_deliveries;
mod webhook_failures;
mod webhook_security;
mod webhooks;
