//! The resource center: stock that must never be given twice.
//!
//! ```text
//!              receive, adjust up, return of goods that no reservation knows
//!                               │
//!                               ▼
//!        restored ┌─────►  available  ◄─────────────┐ returned and restocked
//!                 │             │ ▲                 │
//!                 │      create │ │ release, expire │
//!                 │             ▼ │                 │
//!            quarantined       held ──confirm──►  used
//!                 ▲                                 │
//!                 └───────── returned ──────────────┘
//!
//!        reservation:  HELD ──► CONFIRMED | RELEASED | EXPIRED
//! ```
//!
//! It owns pools of counted units and of serial items, the reservations that hold them, and the journal of every
//! movement. It does not own what the units are sold for or to whom, and calls no other center.
//!
//! A request is decoded (`rpc`), becomes one change (`reserve`, `resolve`, `receive`, `takeback`) that decides
//! with the domain (`buckets`, `pool`, `item`, `reservation`, `movement`, `giveback`) on the commit's `ledger`, and is
//! answered when the commit is on disk. Time decides at the commit; the sweeper (`sweep`) only writes down what it did.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;
use throughline_kit::idempotency::Idempotency;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::resource::v1::reservation_service_server::ReservationServiceServer;
use throughline_proto::resource::v1::stock_service_server::StockServiceServer;

mod buckets;
mod convert;
mod error;
mod event;
mod giveback;
mod item;
mod ledger;
mod movement;
mod pool;
mod receive;
mod reservation;
mod reserve;
mod resolve;
mod rpc;
mod store;
mod sweep;
mod takeback;
mod verify;

use error::DOMAIN;

/// What can be configured, with limits by name and unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Demands in one reservation at most.
    pub max_demands_per_reservation: usize,
    /// Serial items in one reservation at most.
    pub max_items_per_reservation: i64,
    /// Receipts in one request at most.
    pub max_receipts_per_request: usize,
    /// Serial items over all receipts of one request at most.
    pub max_items_per_request: usize,
    /// Lines in one return at most.
    pub max_lines_per_return: usize,
    /// How long returned units rest before they may be reserved again, in seconds.
    pub quarantine_seconds: u64,
    /// How long the sweeper sleeps at most, in milliseconds.
    pub sweep_interval_ms: u64,
    /// Holds that the sweeper ends in one commit at most.
    pub max_holds_per_sweep: u32,
    /// Changes in one commit at most.
    pub max_changes_per_commit: usize,
    /// Changes that wait for a commit at most.
    pub max_queued_changes: usize,
}

impl Default for Config {
    fn default() -> Self {
        let writer = WriterLimits::default();
        Self {
            max_demands_per_reservation: 5_000,
            max_items_per_reservation: 5_000,
            max_receipts_per_request: 5_000,
            max_items_per_request: 50_000,
            max_lines_per_return: 5_000,
            quarantine_seconds: 90 * 24 * 3600,
            sweep_interval_ms: 200,
            max_holds_per_sweep: 128,
            max_changes_per_commit: writer.max_changes_per_commit,
            max_queued_changes: writer.max_queued_changes,
        }
    }
}

impl Config {
    /// Refuses values with which the center could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of(DOMAIN);
        check.above_zero("max_demands_per_reservation", self.max_demands_per_reservation);
        check.above_zero("max_items_per_reservation", self.max_items_per_reservation);
        check.above_zero("max_receipts_per_request", self.max_receipts_per_request);
        check.above_zero("max_items_per_request", self.max_items_per_request);
        check.above_zero("max_lines_per_return", self.max_lines_per_return);
        check.above_zero("quarantine_seconds", self.quarantine_seconds);
        check.above_zero("sweep_interval_ms", self.sweep_interval_ms);
        check.above_zero("max_holds_per_sweep", self.max_holds_per_sweep);
        check.above_zero("max_changes_per_commit", self.max_changes_per_commit);
        check.above_zero("max_queued_changes", self.max_queued_changes);
        check.finish()
    }
}

/// Starts the center.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    config.check()?;
    let listener = environment.bind(DOMAIN).await?;
    let database = Database::open(DOMAIN, &environment.storage, store::MIGRATIONS).await?;
    let limits = WriterLimits {
        max_changes_per_commit: config.max_changes_per_commit,
        max_queued_changes: config.max_queued_changes,
    };
    let writer = Writer::start(&database, limits);
    let idempotency = Idempotency::new(writer.clone(), environment.clock.clone(), DOMAIN);
    let sweeper = sweep::Sweeper {
        database: database.clone(),
        writer: writer.clone(),
        clock: environment.clock.clone(),
        interval: Duration::from_millis(config.sweep_interval_ms.max(1)),
        batch: i64::from(config.max_holds_per_sweep.max(1)),
    };
    let shutdown = environment.shutdown.clone();
    vital("expire reservations", &shutdown, sweeper.run(shutdown.clone()));
    throughline_kit::retention::start(&writer, &environment);
    let rpc = rpc::Rpc {
        database: database.clone(),
        idempotency,
        clock: environment.clock.clone(),
        config: Arc::new(config),
    };
    Server::new(DOMAIN)
        .service(ReservationServiceServer::new(rpc.clone()))
        .service(StockServiceServer::new(rpc))
        .feed(database, &writer)
        .start(&environment, listener)
        .await
}
