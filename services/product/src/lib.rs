//! The product center: what may be sold, for how much, and how it is delivered.
//!
//! It owns offerings, their prices and relations, published as numbered releases, and the decisions that are made with
//! them. It does not own stock (resource center), promotions' budgets, orders, or what a customer already has.
//!
//! ```text
//!                 rpc.rs ── convert.rs
//!                    │
//!   ImportCatalog    │    CheckConfiguration · QuotePrice · DecomposeOffering · GetOffering · ListOfferings
//!        │           │            │
//!   publication.rs ──┘    configuration.rs · quote.rs · decomposition.rs     pure, on one immutable snapshot
//!        │                        │
//!   import.rs (decides)      catalog.rs ◄── swapped after the commit ── store.rs
//! ```
//!
//! An offering, as an import says:
//!
//! ```text
//! ACTIVE ◄──► SUSPENDED      what is not ACTIVE is not sold; what was sold can always be taken back
//!    └────► RETIRED ◄───┘
//! ```
//!
//! A release is never changed. Importing what is already there makes no release. Every decision names the release that
//! it was made with.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;
use throughline_kit::idempotency::Idempotency;
use throughline_kit::retention;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::product::v1::catalog_service_server::CatalogServiceServer;
use throughline_proto::product::v1::decision_service_server::DecisionServiceServer;

mod catalog;
mod code;
mod configuration;
mod convert;
mod decomposition;
mod error;
#[cfg(test)]
mod examples;
mod import;
mod line;
mod offering;
mod precedence;
mod publication;
mod quote;
mod rpc;
mod store;

use publication::Publication;
use rpc::Rpc;

const CENTER: &str = error::DOMAIN;

/// Limits of the product center.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Offerings in one import.
    pub max_offerings_per_import: usize,
    /// Size of one import, in bytes.
    pub max_import_bytes: usize,
    /// Lines in one question.
    pub max_lines: usize,
    /// Business orders in one decomposition.
    pub max_business_orders: usize,
    /// How often to look for a release that another instance published, in milliseconds.
    pub release_poll_interval_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_offerings_per_import: 5_000,
            max_import_bytes: 16 * 1024 * 1024,
            max_lines: 1_000,
            max_business_orders: 200,
            release_poll_interval_ms: 500,
        }
    }
}

impl Config {
    /// Refuses values with which the center could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of(CENTER);
        check.above_zero("max_offerings_per_import", self.max_offerings_per_import);
        check.above_zero("max_import_bytes", self.max_import_bytes);
        check.above_zero("max_lines", self.max_lines);
        check.above_zero("max_business_orders", self.max_business_orders);
        check.above_zero("release_poll_interval_ms", self.release_poll_interval_ms);
        check.finish()
    }
}

/// Starts the center: it serves when this returns, with the release in force loaded.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    config.check()?;
    let listener = environment.bind(CENTER).await?;
    let database = Database::open(CENTER, &environment.storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let clock = environment.clock.clone();
    let idempotency = Idempotency::new(writer.clone(), clock.clone(), CENTER);
    let publication = Publication::open(database.clone(), idempotency, clock.clone()).await?;

    let poll = Duration::from_millis(config.release_poll_interval_ms);
    let shutdown = environment.shutdown.clone();
    vital("follow releases", &shutdown, publication.clone().follow(poll, shutdown.clone()));
    retention::start(&writer, &environment);

    let max_import_bytes = config.max_import_bytes;
    let rpc = Rpc { publication, clock, config: Arc::new(config) };
    let catalog =
        CatalogServiceServer::new(rpc.clone()).max_decoding_message_size(max_import_bytes);
    Server::new(CENTER)
        .service(catalog)
        .service(DecisionServiceServer::new(rpc))
        .feed(database, &writer)
        .start(&environment, listener)
        .await
}
