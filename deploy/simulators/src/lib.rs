//! The outside systems that Throughline works with, for machines that have none: they behave, and misbehave on request.
//!
//! It owns: six small services, each registered at the gateway under its own name with its own key:
//! "provisioning" (PBOSS), "billing", "logistics", "paychannel", "sms", and "simulator", which an operator tells how they
//! misbehave and asks what they really did. It owns no rule of a center, and nothing is simulated in a center's code:
//! what holds against these holds against the real ones.
//!
//! ```text
//! call ──► rpc ──► convert ──► Engine::perform ──► one Change ──► answer, late answer or silence
//!                                                  │ operation by reference, rule used,
//!                                                  │ effect in the journal
//!                                                  └─ PENDING ──► LateWorker ──► effect ──► callback through the gateway
//! ```
//!
//! All state is in one store and written before an answer, so a restart remembers what was charged. An operation with a
//! known reference is answered with its first outcome; rules can then disturb only the way to it. What is ended before it
//! came can never come: a late charge, activation or shipment is refused. One process runs the simulators: the journal's
//! numbers and the sign that rules exist are kept in its memory.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::backoff::Backoff;
use throughline_kit::client::GatewayClient;
use throughline_kit::config::Check;
use throughline_kit::error::Error;
use throughline_kit::server::{Environment, Running};
use throughline_kit::storage::{Database, Writer, WriterLimits};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::control::Control;
use crate::error::DOMAIN;
use crate::late::{LateLimits, LateWorker};
use crate::peers::Peers;
use crate::perform::{Engine, Journal};
use crate::services::{Listeners, Services};

mod control;
mod convert;
mod decision;
mod error;
mod late;
mod method;
mod operation;
mod peers;
mod perform;
mod rpc;
mod rule;
mod services;
mod settlement;
mod store;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Rules at a time; more are refused.
    pub max_rules: u32,
    /// How long a call that is never answered is kept open, in milliseconds.
    pub never_answer_ms: u64,
    /// Longest wait before late operations are looked for again, in milliseconds.
    pub late_poll_interval_ms: u64,
    /// Late operations that are carried on at a time.
    pub max_late_batch: u32,
    /// How long a center may take to hear a report, in milliseconds.
    pub report_timeout_ms: u64,
    /// Tries of one report before it is given up.
    pub max_report_attempts: u32,
    /// Wait after the first failed try of a report, in milliseconds; doubled each time.
    pub report_retry_delay_ms: u64,
    /// Longest wait between tries of a report, in milliseconds.
    pub max_report_retry_delay_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_rules: 1_000,
            never_answer_ms: 60_000,
            late_poll_interval_ms: 200,
            max_late_batch: 64,
            report_timeout_ms: 5_000,
            max_report_attempts: 30,
            report_retry_delay_ms: 200,
            max_report_retry_delay_ms: 10_000,
        }
    }
}

impl Config {
    /// Refuses values with which the simulators could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of("simulators");
        check.above_zero("max_rules", self.max_rules);
        check.above_zero("never_answer_ms", self.never_answer_ms);
        check.above_zero("late_poll_interval_ms", self.late_poll_interval_ms);
        check.above_zero("max_late_batch", self.max_late_batch);
        check.above_zero("report_timeout_ms", self.report_timeout_ms);
        check.above_zero("max_report_attempts", self.max_report_attempts);
        check.above_zero("report_retry_delay_ms", self.report_retry_delay_ms);
        check.above_zero("max_report_retry_delay_ms", self.max_report_retry_delay_ms);
        check.finish()
    }

    fn late_limits(&self) -> LateLimits {
        LateLimits {
            poll_interval: Duration::from_millis(self.late_poll_interval_ms),
            batch: i64::from(self.max_late_batch),
            max_attempts: i64::from(self.max_report_attempts),
            backoff: Backoff {
                first: Duration::from_millis(self.report_retry_delay_ms),
                longest: Duration::from_millis(self.max_report_retry_delay_ms),
            },
        }
    }
}

/// An environment for each of the six services: its own address to listen on and its own key at the gateway.
///
/// Clock, store and the sign to end are those of `control`; what the others hold of these is not looked at.
#[derive(Clone, Debug)]
pub struct Environments {
    /// "simulator": rules and journal.
    pub control: Environment,
    /// "provisioning".
    pub provisioning: Environment,
    /// "billing".
    pub billing: Environment,
    /// "logistics".
    pub logistics: Environment,
    /// "paychannel".
    pub paychannel: Environment,
    /// "sms".
    pub sms: Environment,
}

/// The simulators that serve.
#[derive(Debug)]
pub struct Simulators {
    /// "simulator": rules and journal.
    pub control: Running,
    /// "provisioning".
    pub provisioning: Running,
    /// "billing".
    pub billing: Running,
    /// "logistics".
    pub logistics: Running,
    /// "paychannel".
    pub paychannel: Running,
    /// "sms".
    pub sms: Running,
    late: JoinHandle<()>,
    database: Database,
}

impl Simulators {
    /// Waits until all have drained after the token of the control environment was cancelled.
    pub async fn stopped(self) {
        if let Err(cause) = self.late.await {
            tracing::error!(%cause, "stop carrying late operations on");
        }
        for running in [
            self.provisioning,
            self.billing,
            self.logistics,
            self.paychannel,
            self.sms,
            self.control,
        ] {
            running.stopped().await;
        }
        self.database.close().await;
    }
}

/// Starts all six services over one store. Fails when an address is taken, the store cannot be opened or a gateway's
/// address is wrong; then none of them runs.
pub async fn start(config: Config, environments: Environments) -> Result<Simulators, Error> {
    config.check()?;
    let listeners = Listeners::bind(&environments).await?;
    let Environment { clock, storage, shutdown, .. } = environments.control.clone();
    // What fails half-way must not leave the first services running.
    let ours = shutdown.child_token();
    let stop_all = ours.clone().drop_guard();
    let database = Database::open(DOMAIN, &storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let rules_exist = Arc::new(AtomicBool::new(store::rule::any(&database).await?));
    let engine = Engine {
        writer: writer.clone(),
        clock,
        journal: Journal::after(store::effect::last(&database).await?),
        rules_exist: Arc::clone(&rules_exist),
        late: Arc::new(Notify::new()),
        never_answer: Duration::from_millis(config.never_answer_ms),
        shutdown: ours.clone(),
    };
    let peers = peers(&config, &environments)?;
    let max_rules = i64::from(config.max_rules);
    let control = Control::new(writer, database.clone(), rules_exist, max_rules);
    let services = Services { listeners, environments, engine: engine.clone(), control };
    let running = services.start(&ours).await?;
    let limits = config.late_limits();
    let worker = LateWorker { engine, database: database.clone(), peers, limits };
    let late = tokio::spawn(worker.run());
    // From here on they end with the token that they were given.
    let _ = stop_all.disarm();
    let [control, provisioning, billing, logistics, paychannel, sms] = running;
    Ok(Simulators { control, provisioning, billing, logistics, paychannel, sms, late, database })
}

fn peers(config: &Config, environments: &Environments) -> Result<Peers, Error> {
    let client = |environment: &Environment| {
        environment.gateway.as_ref().map(GatewayClient::new).transpose()
    };
    Ok(Peers {
        provisioning: client(&environments.provisioning)?,
        billing: client(&environments.billing)?,
        logistics: client(&environments.logistics)?,
        paychannel: client(&environments.paychannel)?,
        timeout: Duration::from_millis(config.report_timeout_ms),
    })
}
