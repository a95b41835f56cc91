//! The order center: takes orders of all channels and carries each to its end.
//!
//! It owns customer orders, their business orders and steps, and every decision about them. It does not own stock
//! (resource center), money (payment center), what is sold (product center), or messages (notification center): it calls
//! them through the gateway.
//!
//! ```text
//!            SubmitOrder                    shard: decide in memory ─► one commit ─► answer, call
//!  channel ─► acceptance ─► stored, answered ─► adopt ┐      ▲                          │
//!                                                     └──────┴───── what calls bring ◄──┘ peers
//!
//!  order:     prepare ─► reserve ─► pay ─► allocate ─► business orders ─► COMPLETED | PARTIAL | FAILED | CANCELLED
//!                │          │        │         │
//!                └──────────┴────────┴─────────┴─ refused or cancelled: undone last first ─► REJECTED | CANCELLED | FAILED
//!
//!  business order:  PLANNED ─► BLOCKED ─► RUNNING ─► DONE ─┐
//!                      │          │          │             │ cancel, or a failure that takes it along
//!                      ▼          ▼          ▼             ▼
//!                      CANCELLED          FAILED ─► COMPENSATING ─► COMPENSATED
//!                                                       └─► STUCK (a person must look)
//! ```
//!
//! The pure core is `decide` (with `follow_up`, `plan`, `withdraw`), `apply`, `work::due` and `rollup`; `engine` is the shell.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use throughline_kit::config::Check;
use throughline_kit::error::Error;
use throughline_kit::feed::{FeedServer, FollowConfig, follow};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::order::v1::order_service_server::OrderServiceServer;
use throughline_proto::order::v1::step_callback_service_server::StepCallbackServiceServer;

mod acceptance;
mod announce;
mod apply;
mod business_order;
mod cancellation;
mod claim;
mod convert;
mod decide;
mod engine;
mod error;
mod event;
mod failure;
mod flow;
mod follow_up;
mod order;
mod payment_news;
mod peers;
mod plan;
mod query;
mod rollup;
mod rpc;
mod step;
mod store;
mod withdraw;
mod work;

#[cfg(test)]
mod tests;

const CENTER: &str = "order";

/// Limits of the order center.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Orders that are not terminal; more are refused with RESOURCE_EXHAUSTED.
    pub max_live_orders: usize,
    /// Calls to other centers and outside systems at a time.
    pub max_calls_in_flight: usize,
    /// Orders that are watched at a time.
    pub max_watches: usize,
    /// How long one call may take, in milliseconds.
    pub call_timeout_ms: u64,
    /// Largest request, in bytes.
    pub max_message_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_live_orders: 100_000,
            max_calls_in_flight: 512,
            max_watches: 10_000,
            call_timeout_ms: 10_000,
            max_message_bytes: 4 << 20,
        }
    }
}

impl Config {
    /// Refuses values with which the center could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of(CENTER);
        check.above_zero("max_live_orders", self.max_live_orders);
        check.above_zero("max_calls_in_flight", self.max_calls_in_flight);
        check.above_zero("max_watches", self.max_watches);
        check.above_zero("call_timeout_ms", self.call_timeout_ms);
        check.above_zero("max_message_bytes", self.max_message_bytes);
        check.finish()
    }
}

/// Starts the order center.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    let listener = environment.bind(CENTER).await?;
    let client = environment.client(CENTER)?;
    let database = Database::open(CENTER, &environment.storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let idempotency = Idempotency::new(writer.clone(), environment.clock.clone(), CENTER);
    let orders = store::OrderStore::new(database.clone());
    let timeout = Duration::from_millis(config.call_timeout_ms);
    let peers = peers::Peers::new(client.clone(), orders.clone(), writer.clone(), timeout);
    let parts = engine::EngineParts {
        clock: environment.clock.clone(),
        writer: writer.clone(),
        store: orders.clone(),
        peers: peers.clone(),
        shutdown: environment.shutdown.clone(),
    };
    let limits = engine::EngineLimits {
        max_live_orders: config.max_live_orders,
        max_calls_in_flight: config.max_calls_in_flight,
        max_watches: config.max_watches,
    };
    let engine = engine::Engine::start(parts, limits).await?;
    throughline_kit::retention::start(&writer, &environment);
    let query = query::Query::new(orders, engine.clone(), environment.shutdown.clone());
    let news = payment_news::PaymentNews { engine: engine.clone(), peers, writer: writer.clone() };
    let feed = FollowConfig { center: "payment".to_owned(), consumer: CENTER };
    let shutdown = environment.shutdown.clone();
    vital(
        "follow payments",
        &shutdown,
        follow(feed, client, database.clone(), news, shutdown.clone()),
    );
    let rpc = rpc::Orders {
        acceptance: acceptance::Acceptance::new(
            idempotency.clone(),
            database.clone(),
            engine.clone(),
            environment.clock.clone(),
        ),
        cancellation: cancellation::Cancellation {
            idempotency,
            database: database.clone(),
            engine: engine.clone(),
            query: query.clone(),
        },
        query,
    };
    Server::new(CENTER)
        .service(OrderServiceServer::new(rpc).max_decoding_message_size(config.max_message_bytes))
        .service(StepCallbackServiceServer::new(rpc::StepCallbacks { engine }))
        .feed(FeedServer::new(database, &writer))
        .start(&environment, listener)
        .await
}
