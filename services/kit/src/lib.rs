//! What every Throughline service is made of. No business words in here.
//!
//! ```text
//! request ──► layer ──► a service's rpc.rs ──► domain ──► Change ──► Writer ──► one fsynced commit
//!             panics,                                       │          (many changes together)
//!             metrics                     state + outbox + first answer        │
//!                                                                              ▼
//!                                   other centers ◄── feed (EventFeedService) ◄── outbox
//! ```
//!
//! It owns: starting and stopping ([`server`], [`task`]), the way to others ([`client`], [`feed`], [`registration`]), storage on SQLite
//! and PostgreSQL with group commit ([`storage`]), events ([`outbox`]), first answers ([`idempotency`]), and the small types
//! that all contracts share ([`id`], [`money`], [`clock`], [`paging`], [`error`], [`text`]). It does not own any rule of a center.

pub mod backoff;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod feed;
pub mod http;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod layer;
pub mod metrics;
pub mod money;
pub mod outbox;
pub mod paging;
pub mod registration;
pub mod retention;
pub mod server;
pub mod storage;
pub mod task;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;

pub use serde;
pub use storage::{AnyRow, Row};
pub use tokio_util::sync::CancellationToken;
