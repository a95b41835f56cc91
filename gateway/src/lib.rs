//! The governance gateway: it knows every service, decides who may call what, carries every call, and remembers the way
//! of every order.
//!
//! ```text
//!                         ┌────────────────── data plane: one worker per core ──────────────────┐
//!  caller ──h2──► listener ──► who? ──► where to? ──► may it? ──► instance ──► messages both ways ──► hop record
//!                         └──────▲────────────────────────────────────────────────────────┼─────┘
//!                     immutable snapshot, swapped whole                                   │ batches
//!                         ┌──────┴──────────── control plane ─────────────┐        ┌──────▼──────┐
//!  instances ─register──► │ registry · catalog · access · reflection      │        │ trajectory  │ ◄── feeds of the centers
//!                         └───────────────────────────────────────────────┘        └─────────────┘
//! ```
//!
//! It owns: who may call ([`Config::keys_directory`]), which instances there are (in memory: they register again), routing,
//! deadlines and message limits on the way of a call, and the recorded trajectories. It does not own any business: no
//! message is decoded but to find an order id in it, and no order changes because of what is here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle as ThreadHandle;

use throughline_kit::CancellationToken;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::Error;
use throughline_kit::feed::{FollowConfig, follow};
use throughline_kit::server::Environment;
use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::task::vital;
use throughline_proto::gateway::v1::access_service_server::AccessServiceServer;
use throughline_proto::gateway::v1::catalog_service_server::CatalogServiceServer;
use throughline_proto::gateway::v1::registry_service_server::RegistryServiceServer;
use throughline_proto::gateway::v1::trajectory_service_server::TrajectoryServiceServer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::service::Routes;

mod built_in;
mod caller;
mod config;
mod contract;
mod control;
mod convert;
mod error;
mod keys;
mod proxy;
mod reflection;
mod registry;
mod rpc;
mod serve_own;
mod snapshot;
mod store;
mod trajectory;

pub use config::Config;
pub use keys::load_key;

use config::milliseconds;
use contract::Contract;
use control::{Control, Foundation};
use error::DOMAIN;
use proxy::{DataPlane, HopMetrics};
use reflection::Reflection;
use trajectory::{Cleanup, HopStore, StepConsumer, Trajectories};

/// Batches of hop records that wait for the store; more wait in their workers.
const MAX_WAITING_HOP_BATCHES: usize = 16;
/// Bytes of a request to the control plane at most: a descriptor set and a little more.
const MAX_CONTROL_MESSAGE_BYTES: usize = 5 << 20;

/// A gateway that serves.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Waits until it has drained after its token was cancelled.
    pub async fn stopped(self) {
        if let Err(cause) = self.task.await {
            tracing::error!(center = DOMAIN, %cause, "stop");
        }
    }
}

/// Starts the gateway: takes the address, opens the store, makes the callers of the first start, and serves.
pub async fn start(config: Config, environment: Environment) -> Result<Gateway, Error> {
    let listeners = proxy::bind(environment.listen, config.workers)?;
    let first = listeners.first().ok_or_else(|| Error::internal(DOMAIN, "no listener"))?;
    let address = first.local_addr().map_err(|e| Error::internal(DOMAIN, e))?;
    let database = Database::open(DOMAIN, &environment.storage, store::MIGRATIONS).await?;
    let writer = Writer::start(&database, WriterLimits::default());
    let built_in = keys::built_in_callers(&config.keys_directory, environment.clock.now())?;
    writer.write(store::KeepBuiltInCallers(built_in)).await?;

    // Everything but the data plane ends after it: calls that run still need their answers.
    let afterwards = CancellationToken::new();
    let trajectories = Trajectories::new(&config, database.clone());
    let own = start_control(&config, &environment, &database, &writer, &trajectories, &afterwards);
    let (control, mut tasks) = own.await?;
    let metrics = HopMetrics::new(&environment.metrics);
    let (hops, batches) = mpsc::channel(MAX_WAITING_HOP_BATCHES);
    let store = HopStore {
        batches,
        writer: writer.clone(),
        watched: trajectories.watched(),
        metrics: metrics.clone(),
        max_per_change: config.max_hops_per_change,
        shutdown: environment.shutdown.clone(),
        patience_at_end: milliseconds(config.drain_timeout_ms),
    };
    let cleanup = Cleanup::new(&config, writer.clone(), environment.clock.clone());
    tasks.push(tokio::spawn(cleanup.run(afterwards.clone())));
    let plane = DataPlane {
        config: Arc::new(config.clone()),
        snapshots: control.snapshots(),
        clock: environment.clock.clone(),
        metrics,
        hops,
        shutdown: environment.shutdown.clone(),
    };
    let stored = tokio::spawn(store.run());
    let workers = plane.start(listeners)?;
    follow_centers(&config, address, &database, &writer, &trajectories, &environment.shutdown)?;
    let shutdown = environment.shutdown.clone();
    let task = tokio::spawn(async move {
        shutdown.cancelled().await;
        join(workers).await;
        // The last worker took the last sender with it: this ends when everything is stored, or given up.
        if let Err(cause) = stored.await {
            tracing::error!(%cause, "store calls of trajectories");
        }
        afterwards.cancel();
        for task in tasks {
            if let Err(cause) = task.await {
                tracing::error!(%cause, "stop a task of the gateway");
            }
        }
    });
    Ok(Gateway { address, task })
}

/// Starts the control plane: the first snapshot, the gateway's own services, and what keeps both up to date.
async fn start_control(
    config: &Config,
    environment: &Environment,
    database: &Database,
    writer: &Writer,
    trajectories: &Trajectories,
    shutdown: &CancellationToken,
) -> Result<(Arc<Control>, Vec<JoinHandle<()>>), Error> {
    let internal = |cause: &dyn std::fmt::Display| Error::internal(DOMAIN, cause);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| internal(&e))?;
    let own = listener.local_addr().map_err(|e| internal(&e))?;
    let authority = registry::parse_endpoint(&own.to_string()).map_err(|e| internal(&e))?;
    let contract = Arc::new(Contract::read(throughline_proto::descriptors()));
    let (pass, reflection) = (serve_own::new_pass(), Reflection::new());
    let foundation = Foundation {
        callers: store::callers(database).await?,
        own: control::own_registration(authority, Arc::clone(&contract)),
        pass: pass.clone(),
        contract,
        reflection: reflection.clone(),
    };
    let clock = environment.clock.clone();
    let control = Arc::new(Control::new(config, clock, writer.clone(), foundation)?);
    let server = rpc::ControlServer {
        control: Arc::clone(&control),
        renew_interval: milliseconds(config.renew_interval_ms),
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    let registry = RegistryServiceServer::new(server.clone())
        .max_decoding_message_size(MAX_CONTROL_MESSAGE_BYTES);
    let trajectory = rpc::TrajectoryServer { trajectories: trajectories.clone() };
    let routes = Routes::new(health_service)
        .add_service(registry)
        .add_service(CatalogServiceServer::new(server.clone()))
        .add_service(AccessServiceServer::new(server))
        .add_service(TrajectoryServiceServer::new(trajectory));
    let metrics = environment.metrics.clone();
    let serving = serve_own::start(listener, routes, reflection, pass, metrics, shutdown.clone());
    let (keeper, until) = (Arc::clone(&control), shutdown.clone());
    let keeping = tokio::spawn(async move { keeper.keep(health, until).await });
    Ok((control, vec![serving, keeping]))
}

/// Follows the feeds of the centers, through the gateway's own port and with its own key like everyone else.
fn follow_centers(
    config: &Config,
    address: SocketAddr,
    database: &Database,
    writer: &Writer,
    trajectories: &Trajectories,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let reachable = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => {
            SocketAddr::from(([127, 0, 0, 1], address.port()))
        }
        ip if ip.is_unspecified() => {
            SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port()))
        }
        _ => address,
    };
    let client = GatewayClient::new(&GatewayConfig {
        uri: format!("http://{reachable}"),
        api_key: load_key(&keys::path(&config.keys_directory, DOMAIN))?,
    })?;
    for center in &config.followed_centers {
        let consumer = StepConsumer { writer: writer.clone(), watched: trajectories.watched() };
        let what = FollowConfig { center: center.clone(), consumer: trajectory::CONSUMER };
        let (client, database) = (client.clone(), database.clone());
        let following = follow(what, client, database, consumer, shutdown.clone());
        vital("follow a center", shutdown, following);
    }
    Ok(())
}

async fn join(workers: Vec<ThreadHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || {
        workers.into_iter().map(ThreadHandle::join).filter(Result::is_err).count()
    });
    match joined.await {
        Ok(0) => {}
        Ok(panicked) => tracing::error!(panicked, "workers of the gateway panicked"),
        Err(cause) => tracing::error!(%cause, "join the workers of the gateway"),
    }
}
