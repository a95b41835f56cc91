//! Webhooks: what happens to a channel's orders, told to the channel over HTTP by the Standard Webhooks specification.
//!
//! ```text
//!   the event's own transaction                 sender: what is due, a few at a time for each webhook
//!   order + event + delivery PENDING ─► commit ─► claim ─► POST ─► 2xx ─► DELIVERED
//!        ▲                                          ▲        │ else, by a table of waits
//!        │ registry: webhooks in memory             └────────┤ after the last one, or 410 Gone
//!   SetWebhook …                                             └─► FAILED, announced; 410 disables the webhook
//! ```
//!
//! Orders of channels without a webhook cost nothing. A claim is stored before the POST goes out, so that a crash loses
//! nothing: once the claim has run out, the delivery is sent again with the same `webhook-id`.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::idempotency::Idempotency;
use throughline_kit::storage::{Database, Writer};
use throughline_kit::task::vital;
use throughline_proto::order::v1::webhook_service_server::WebhookServiceServer;

mod change;
mod config;
mod convert;
mod courier;
mod delivery;
mod destination;
mod enqueue;
mod error;
mod network;
mod post;
mod query;
mod registrar;
mod registry;
mod retention;
mod rpc;
mod secret;
mod sender;
mod store;

pub use config::WebhookConfig;
pub(crate) use enqueue::enqueue;
pub(crate) use registry::Registry;

use secret::Secret;

/// Domain of what fails on the way to a receiver.
const DOMAIN: &str = "webhook";

throughline_kit::define_id!(
    /// Id of a webhook.
    WebhookId,
    "wh"
);

/// Webhooks of one channel.
pub(crate) const MAX_WEBHOOKS_PER_CHANNEL: usize = 10;
/// Webhooks of all channels: all of them are kept in memory.
pub(crate) const MAX_WEBHOOKS: usize = 10_000;
/// How long the secret before the present one signs as well.
const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// Events that a webhook can choose.
pub(crate) const EVENT_TYPES: [&str; 7] = [
    "order.accepted",
    "order.cancel_requested",
    "order.completed",
    "order.partial",
    "order.failed",
    "order.cancelled",
    "order.rejected",
];
/// What the types of all events that webhooks send begin with.
const EVENT_PREFIX: &str = "order.";

/// What is done with the events of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebhookState {
    /// Deliveries are made and sent.
    Active,
    /// Deliveries are made and wait.
    Paused,
    /// The receiver is gone: no deliveries are made.
    Disabled,
}

throughline_kit::define_texts!(WebhookState {
    Active: "ACTIVE",
    Paused: "PAUSED",
    Disabled: "DISABLED",
});

/// Where the events of a channel's orders go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// Id.
    pub(crate) id: WebhookId,
    /// Channel.
    pub(crate) channel: String,
    /// Unique in the channel.
    pub(crate) name: String,
    /// Where to.
    pub(crate) url: String,
    /// Events that it sends; none means all.
    pub(crate) event_types: Vec<String>,
    /// State.
    pub(crate) state: WebhookState,
    /// Signs.
    pub(crate) secret: Secret,
    /// The secret before, and until when it signs as well.
    pub(crate) previous_secret: Option<(Secret, Instant)>,
    /// Grows with every change.
    pub(crate) version: i64,
    /// When it was made.
    pub(crate) created_at: Instant,
    /// When it was last changed.
    pub(crate) updated_at: Instant,
}

impl Webhook {
    /// Whether events of a type are delivered, now or later.
    pub(crate) fn wants(&self, event_type: &str) -> bool {
        let chosen = || self.event_types.iter().any(|chosen| chosen == event_type);
        self.state != WebhookState::Disabled
            && event_type.starts_with(EVENT_PREFIX)
            && (self.event_types.is_empty() || chosen())
    }

    /// Replaces the secret; the one before goes on to sign for a while.
    pub(crate) fn rotate(&mut self, secret: Secret, now: Instant) {
        let before = std::mem::replace(&mut self.secret, secret);
        self.previous_secret = Some((before, now.plus(SECRET_OVERLAP)));
    }

    /// Those that sign now, the present one first.
    pub(crate) fn secrets(&self, now: Instant) -> impl Iterator<Item = &Secret> {
        let previous = self.previous_secret.iter().filter(move |(_, until)| *until > now);
        std::iter::once(&self.secret).chain(previous.map(|(secret, _)| secret))
    }
}

/// What webhooks are made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Time.
    pub(crate) clock: Clock,
    /// Where webhooks and deliveries are read.
    pub(crate) database: Database,
    /// Where changes go.
    pub(crate) writer: Writer,
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Webhooks in memory, as the engine knows them.
    pub(crate) registry: Registry,
    /// Ends the sender.
    pub(crate) shutdown: CancellationToken,
}

/// Reads the webhooks, starts to send what waits, and gives the service. The engine must be started after it: what
/// happens to orders before would not be told.
pub(crate) async fn start(
    config: &WebhookConfig,
    parts: Parts,
) -> Result<WebhookServiceServer<rpc::Webhooks>, Error> {
    let Parts { clock, database, writer, idempotency, registry, shutdown } = parts;
    let post = post::Post::new(config)?;
    registry.reload(&database).await?;
    let courier = courier::Courier { post, clock: clock.clone(), writer: writer.clone() };
    let limits = sender::Limits::of(config);
    let store = sender::Store { database: database.clone(), registry: registry.clone() };
    let sender = sender::Sender::new(Arc::new(courier), store, limits);
    vital("send webhooks", &shutdown, sender.run(shutdown.clone()));
    let cleaning = retention::run(database.clone(), writer, clock.clone(), shutdown.clone());
    vital("delete old deliveries", &shutdown, cleaning);
    let query = query::WebhookQuery { database: database.clone() };
    let network = config.network();
    let registrar = registrar::Registrar { idempotency, database, registry, clock, network };
    Ok(WebhookServiceServer::new(rpc::Webhooks { registrar, query }))
}
