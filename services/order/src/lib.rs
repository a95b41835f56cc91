//! The order center: takes orders of all channels and carries each to its end.
//!
//! It owns customer orders, their business orders and steps, the templates by which they run, and every decision about
//! them; carts, campaigns and webhooks of channels stand around it. It does not own stock (resource center), money (payment
//! center), what is sold (product center), or messages (notification center): it calls them through the gateway.
//!
//! ```text
//!            SubmitOrder                    shard: decide in memory ─► one commit ─► answer, call
//!  channel ─► acceptance ─► stored, answered ─► adopt ┐      ▲                          │
//!     ▲  cart ─┘   campaign counts its units          └──────┴───── what calls bring ◄──┘ peers
//!     └──────────────────────────────── webhooks ◄── events of the same commit
//!
//!  order:     the steps of its template (standard: prepare ─► reserve ─► pay ─► allocate), then its business orders
//!             ─► COMPLETED | PARTIAL | FAILED | CANCELLED; refused or cancelled before: undone last first ─► REJECTED | …
//!
//!  business order:  PLANNED ─► BLOCKED ─► (READY) ─► RUNNING ─► DONE ─┐   beyond its point of no return another
//!                      │          │                   │  ▲            │   business order takes it back
//!                      │          │         a person ◄┴─ EXCEPTION    │ cancel, or a failure that takes it along
//!                      ▼          ▼         decides     │             ▼
//!                      CANCELLED                      FAILED ─► COMPENSATING ─► COMPENSATED
//!                                                                   └─► STUCK (a person undoes it and proves it)
//! ```
//!
//! `orders` holds live orders. An order goes to the archive in the commit in which it ends, so that what a live one costs does
//! not depend on how many have been; whoever reads looks into both (`store::reading`, `store::page`).
//!
//! The pure core is `decide` (with `operate`, `follow_up`, `plan`, `withdraw`), `apply`, `work::due` and `rollup`; what a step
//! does is data (`template`, `flow`); `engine` is the shell. What a back office watches is kept beside the orders as rows
//! (`mark`, `position`, `cancellation`) and read by `monitor`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;
use throughline_kit::server::{Environment, Running};

mod acceptance;
mod announce;
mod apply;
mod assembly;
mod bulk;
mod business_order;
mod campaign;
mod cancellation;
mod cart;
mod change;
mod claim;
mod convert;
mod decide;
mod duration;
mod engine;
mod error;
mod event;
mod facts;
mod failure;
mod fee;
mod flow;
mod follow_up;
mod forecast;
pub mod history;
mod hold;
mod mark;
mod measuring;
mod monitor;
mod name;
mod operate;
mod operations;
mod order;
mod payment_news;
mod peers;
mod plan;
mod position;
mod publishing;
mod query;
mod rating;
mod rehearsal;
mod rollup;
mod rpc;
mod shared;
mod signal;
pub mod simulator;
mod standing;
mod step;
mod store;
mod sweep;
mod target;
mod task;
mod template;
mod templates;
mod upkeep;
mod webhook;
mod withdraw;
mod work;

#[cfg(test)]
mod tests;

pub use webhook::WebhookConfig;

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
    /// Webhooks.
    pub webhook: WebhookConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_live_orders: 100_000,
            max_calls_in_flight: 512,
            max_watches: 10_000,
            call_timeout_ms: 10_000,
            max_message_bytes: 4 << 20,
            webhook: WebhookConfig::default(),
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
        check.finish()?;
        self.webhook.check()
    }

    fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    fn engine_limits(&self) -> engine::EngineLimits {
        engine::EngineLimits {
            max_live_orders: self.max_live_orders,
            max_calls_in_flight: self.max_calls_in_flight,
            max_watches: self.max_watches,
        }
    }
}

/// Starts the order center.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    assembly::start(config, environment).await
}
