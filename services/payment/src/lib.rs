//! The payment center: what is owed, the tries to get it, and what goes back.
//!
//! It owns payment orders, their attempts on payment channels, and refunds. It does not own prices, orders or stock, and
//! it never sees a card: a channel does. Whoever releases stock waits for `payment.closed`.
//!
//! ```text
//!            StartAttempt                            CapturePayment
//! CREATED ─────────────► PROCESSING ──► AUTHORIZED ─────────────────► PAID ──► PARTIALLY_REFUNDED ──► REFUNDED
//!    │                   │   ▲   │           │                         ▲
//!    │   refused, or     │   │   └───────────┼── charged at once ──────┤
//!    │   payer is at it  ▼   │ again         │                         │
//!    │            AWAITING_PAYER ────────────┼── receipt, charged ─────┤
//!    │                   │                   │                         │ came before the close took effect
//!    └── close, expiry ──┴───────────────────┴──► CLOSING ─────────────┘
//!                                                    │ nothing can bring money any more
//!                                                    ▼
//!                                                 CLOSED ── late money ──► a full refund by itself
//! ```
//!
//! The rules that keep money whole:
//!
//! - An attempt is stored before the channel hears of it; its id is our reference there, and the channel answers the same
//!   reference with the first outcome. At most one attempt of a payment order is unresolved.
//! - UNAVAILABLE means that a charge did not happen: it is sent again with the same reference a few times
//!   (`retry_delays_ms`), then the attempt has ended as NOT_ATTEMPTED.
//! - A timeout or a broken call is UNKNOWN and never repeated: the channel is asked (`resolve_delays_ms`, by an operator,
//!   by a channel's message, and whenever the payment order is touched). A reference that the channel never heard of
//!   proves nothing, because the charge may be on its way: the channel is told to refuse it, and only then the attempt
//!   is NOT_ATTEMPTED. A repeated StartAttempt whose charge was stored but not sent, after a crash, sends it.
//! - Closing and expiry have the channel end what is open. Money that was faster makes the payment order PAID; money that
//!   comes after CLOSED goes back by itself. An authorised payment order does not expire: the payer has done his part.
//! - A refund reserves its amount when it is stored, so refunds never exceed what was captured, and it is asked for with
//!   the same reference until the channel says how it ended.
//! - An answer with another amount or currency is believed in nothing: the attempt stays UNKNOWN, with a warning.
//!
//! Layers: [`rpc`](self) decodes, the use cases (`creation`, `attempting`, `resolving`, `closing`, `refunding`, `janitor`)
//! load, decide, store and call channels; `payment_order`, `attempt` and `refund` decide and do nothing else.

use std::sync::Arc;

use throughline_kit::error::Error;
use throughline_kit::idempotency::Idempotency;
use throughline_kit::retention;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_proto::payment::v1::payment_service_server::PaymentServiceServer;

mod attempt;
mod attempting;
mod center;
mod channel;
mod closing;
mod config;
mod convert;
mod creation;
mod error;
mod event;
mod janitor;
mod payment_order;
mod peers;
mod refund;
mod refunding;
mod resolving;
mod rpc;
mod store;
mod transition;

pub use config::Config;

use crate::center::Center;
use crate::channel::Channels;
use crate::error::DOMAIN;
use crate::peers::SandboxChannel;

/// Starts the payment center. It needs the gateway, through which it reaches payment channels.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    config.check()?;
    let listener = environment.bind(DOMAIN).await?;
    let client = environment.client(DOMAIN)?;
    let database = Database::open(DOMAIN, &environment.storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let clock = environment.clock.clone();
    let center = Center {
        database: database.clone(),
        writer: writer.clone(),
        idempotency: Idempotency::new(writer.clone(), clock.clone(), DOMAIN),
        clock,
        channels: Channels::new(SandboxChannel::new(client, config.channel_timeout())),
        schedule: config.schedule(),
        config: Arc::new(config),
    };
    janitor::start(&center, &environment.shutdown);
    retention::start(&writer, &environment);
    Server::new(DOMAIN)
        .service(PaymentServiceServer::new(center))
        .feed(database, &writer)
        .start(&environment, listener)
        .await
}
