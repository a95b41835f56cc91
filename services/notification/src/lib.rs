//! The notification center: one message service for every business system.
//!
//! It owns templates, policies, notifications and their deliveries. It does not own any business rule, nor the channels
//! behind a provider: it is told what happened by events, or what to say by callers.
//!
//! ```text
//!   SendNotification ──► sending.rs ──┐                        ┌──► peers.rs ──► gateway ──► SMS provider
//!                                     ├─► store ──► dispatch.rs
//!   feed of orders ──► reminding.rs ──┘  (queued)  claim · call · settle ──► notification.sent / notification.failed
//!                         │
//!                      library.rs: templates and policies, shipped as data
//! ```
//!
//! A delivery. Its id is our reference at the provider and is stored before the provider hears it:
//!
//! ```text
//!             claim               took it
//!   PENDING ─────────► DISPATCHING ──────► ACCEPTED            the notification is COMPLETED
//!    ▲   ▲ not reached     │  │ refused
//!    │   └─────────────────┤  └─────────► UNDELIVERABLE        the notification is FAILED
//!    │                     │ nobody knows, or the lease ended
//!    │ never arrived       ▼
//!    └───────────────── UNKNOWN ── asked by reference ──► ACCEPTED or UNDELIVERABLE
//! ```
//!
//! What may have been sent is asked about before it is sent again, always with the same reference. After `max_attempts`
//! calls a delivery ends: UNDELIVERABLE where it is known not to have arrived, else UNKNOWN with OUTCOME_UNKNOWN.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::backoff::Backoff;
use throughline_kit::config::Check;
use throughline_kit::error::{Error, Kind};
use throughline_kit::feed::{FollowConfig, MAX_EVENTS_PER_MESSAGE, follow};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::retention;
use throughline_kit::server::{Environment, Running, Server};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::notification::v1::notification_service_server::NotificationServiceServer;
use throughline_proto::notification::v1::template_service_server::TemplateServiceServer;

mod convert;
mod dispatch;
mod error;
mod event;
mod library;
mod notification;
mod peers;
mod phone;
mod policy;
mod queue;
mod reminding;
mod retry;
mod rpc;
mod sending;
mod store;
mod template;

use dispatch::{Dispatcher, Pace};
use library::Library;
use peers::Sms;
use queue::Queue;
use reminding::Reminders;
use retry::Retry;
use rpc::Rpc;
use sending::Sending;

const CENTER: &str = error::DOMAIN;
/// Center whose events are told to customers.
const ORDER_CENTER: &str = "order";
/// Name under which the place in its feed is kept.
const REMINDERS: &str = "reminders";

/// Limits of the notification center.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the SMS provider, as deliveries show it.
    pub provider: String,
    /// Notifications that have not ended; more are refused, and events wait in their feed. At least 256, which is what
    /// one message of a feed may hold.
    pub max_queued_notifications: usize,
    /// Calls to the provider at a time.
    pub max_concurrent_dispatches: usize,
    /// Calls for one delivery, sending and asking together.
    pub max_attempts: u32,
    /// How long the provider may take for a call, in milliseconds.
    pub call_timeout_ms: u64,
    /// How long after that a call counts as lost, because who made it may have died, in milliseconds.
    pub lease_margin_ms: u64,
    /// Wait after the first call that failed, in milliseconds; each further one doubles it.
    pub first_retry_delay_ms: u64,
    /// Longest wait between two calls, in milliseconds.
    pub max_retry_delay_ms: u64,
    /// How often to look for what has become due, in milliseconds.
    pub poll_interval_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: "sms".to_owned(),
            max_queued_notifications: 100_000,
            max_concurrent_dispatches: 64,
            // With the delays below: for about an hour and a quarter.
            max_attempts: 24,
            call_timeout_ms: 5_000,
            lease_margin_ms: 5_000,
            first_retry_delay_ms: 500,
            max_retry_delay_ms: 300_000,
            poll_interval_ms: 200,
        }
    }
}

impl Config {
    /// Refuses values with which the center could not work, and names them. For what was configured: a test may start
    /// with a queue that is smaller than a message of a feed.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of(CENTER);
        check.not_empty("provider", &self.provider);
        check.at_least(
            "max_queued_notifications",
            self.max_queued_notifications,
            MAX_EVENTS_PER_MESSAGE,
        );
        check.above_zero("max_concurrent_dispatches", self.max_concurrent_dispatches);
        check.above_zero("max_attempts", self.max_attempts);
        check.above_zero("call_timeout_ms", self.call_timeout_ms);
        check.above_zero("lease_margin_ms", self.lease_margin_ms);
        check.above_zero("first_retry_delay_ms", self.first_retry_delay_ms);
        check.above_zero("max_retry_delay_ms", self.max_retry_delay_ms);
        check.above_zero("poll_interval_ms", self.poll_interval_ms);
        check.finish()
    }

    fn retry(&self) -> Retry {
        Retry {
            max_attempts: self.max_attempts.into(),
            backoff: Backoff {
                first: Duration::from_millis(self.first_retry_delay_ms),
                longest: Duration::from_millis(self.max_retry_delay_ms),
            },
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            max_concurrent: self.max_concurrent_dispatches.max(1),
            poll_interval: Duration::from_millis(self.poll_interval_ms),
            lease: Duration::from_millis(self.call_timeout_ms + self.lease_margin_ms),
        }
    }
}

/// Starts the center: it serves, sends and follows the order center's feed when this returns.
pub async fn start(config: Config, environment: Environment) -> Result<Running, Error> {
    let listener = environment.bind(CENTER).await?;
    let gateway = environment.client(CENTER)?;
    let library = Arc::new(Library::shipped().map_err(content_invalid)?);
    let database = Database::open(CENTER, &environment.storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let clock = environment.clock.clone();
    let shutdown = environment.shutdown.clone();
    let idempotency = Idempotency::new(writer.clone(), clock.clone(), CENTER);
    let queued = store::count_queued(&database).await?;
    let queue = Arc::new(Queue::new(queued, config.max_queued_notifications));

    let dispatcher = Dispatcher {
        database: database.clone(),
        writer: writer.clone(),
        sms: Sms {
            gateway: gateway.clone(),
            timeout: Duration::from_millis(config.call_timeout_ms),
        },
        queue: Arc::clone(&queue),
        clock: clock.clone(),
        retry: config.retry(),
        pace: config.pace(),
    };
    vital("deliver messages", &shutdown, dispatcher.run(shutdown.clone()));
    let reminders = Reminders {
        writer: writer.clone(),
        library: Arc::clone(&library),
        queue: Arc::clone(&queue),
        clock: clock.clone(),
        provider: config.provider.clone(),
        unsaved: AtomicUsize::new(0),
    };
    let orders = FollowConfig { center: ORDER_CENTER.to_owned(), consumer: REMINDERS };
    let following = follow(orders, gateway, database.clone(), reminders, shutdown.clone());
    vital("follow orders", &shutdown, following);
    retention::start(&writer, &environment);

    let provider = config.provider;
    let sending = Sending { idempotency, library: Arc::clone(&library), queue, clock, provider };
    let rpc = Rpc { sending, database: database.clone(), library };
    Server::new(CENTER)
        .service(NotificationServiceServer::new(rpc.clone()))
        .service(TemplateServiceServer::new(rpc))
        .feed(database, &writer)
        .start(&environment, listener)
        .await
}

fn content_invalid(cause: String) -> Error {
    let message = format!("the shipped templates and policies are wrong: {cause}");
    Error::new(Kind::Invalid, CENTER, "CONTENT_INVALID", message)
}
