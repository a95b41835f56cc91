//! How every service starts, serves and stops.
//!
//! A service binds first, so that a taken port is known before anything else happens; it drains when its token is
//! cancelled: it deregisters, finishes the calls that run, and ends after a named bound.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use throughline_proto::event::v1::event_feed_service_server::EventFeedServiceServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

use crate::client::{GatewayClient, GatewayConfig};
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::feed::FeedServer;
use crate::id;
use crate::layer::RpcLayer;
use crate::metrics::Metrics;
use crate::registration::Registration;
use crate::storage::{Database, Instance, StorageConfig, Writer, WriterLimits};

/// How long running calls may take to finish after the end was asked for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take at most, whatever the caller allows.
const MAX_CALL_TIME: Duration = Duration::from_secs(60);
/// Flow-control windows, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 24;
/// Streams of one connection at a time.
const MAX_CONCURRENT_STREAMS: u32 = 10_000;
/// Calls of one connection that were cancelled before they were begun. The only client is the gateway, which carries the
/// calls of all on few connections: a lower number would let one caller's cancelled calls end everybody's.
const MAX_PENDING_RESETS: usize = 1 << 20;

/// What a service is given to live in.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Where the time comes from.
    pub clock: Clock,
    /// Where it stores.
    pub storage: StorageConfig,
    /// Which of the copies of the service it is.
    pub instance: Instance,
    /// Where it listens; port 0 takes any.
    pub listen: SocketAddr,
    /// How it reaches the gateway; without one it neither registers nor calls.
    pub gateway: Option<GatewayConfig>,
    /// Where it counts.
    pub metrics: Metrics,
    /// Cancelled when it should end.
    pub shutdown: CancellationToken,
}

impl Environment {
    /// Binds the address. A taken port is an error that names it.
    pub async fn bind(&self, center: &str) -> Result<TcpListener, Error> {
        TcpListener::bind(self.listen).await.map_err(|cause| {
            Error::new(
                Kind::Unavailable,
                center,
                "ADDRESS_UNAVAILABLE",
                format!(
                    "the {center} service cannot listen on {}: {cause}; is another one running? \
                     choose other ports with --port-base",
                    self.listen
                ),
            )
            .with("address", self.listen)
        })
    }

    /// The writer of a database, as soon as this instance of the service owns it: for one that keeps in memory what it
    /// changes, and so must be alone.
    pub async fn own(&self, database: &Database, limits: WriterLimits) -> Result<Writer, Error> {
        Writer::own(database, limits, &self.instance, &self.shutdown).await
    }

    /// The client for calls to others; an error for a service that needs others and was given no gateway.
    pub fn client(&self, center: &str) -> Result<GatewayClient, Error> {
        let config = self.gateway.as_ref().ok_or_else(|| {
            let message = format!("the {center} service needs the address of the gateway");
            Error::new(Kind::Invalid, center, "GATEWAY_MISSING", message)
        })?;
        GatewayClient::new(config)
    }
}

/// A service that is being put together.
pub struct Server {
    center: &'static str,
    routes: Routes,
    services: Vec<String>,
    health: tonic_health::server::HealthReporter,
    ending: CancellationToken,
    writer: Option<Writer>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("center", &self.center)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Begins with health and reflection, which every service has.
    pub fn new(center: &'static str) -> Self {
        let (health, health_service) = tonic_health::server::health_reporter();
        let mut routes = Routes::new(health_service);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(throughline_proto::DESCRIPTOR_SET)
        };
        routes = routes
            .add_service(reflection().build_v1().expect("our descriptor set is valid"))
            .add_service(reflection().build_v1alpha().expect("our descriptor set is valid"));
        let (services, ending) = (Vec::new(), CancellationToken::new());
        Self { center, routes, services, health, ending, writer: None }
    }

    /// Adds a gRPC service, which will be registered at the gateway.
    #[must_use]
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME.to_owned());
        self.routes = self.routes.add_service(service);
        self
    }

    /// Adds the center's event feed. Its store is let go when the service has ended.
    #[must_use]
    pub fn feed(mut self, database: Database, writer: &Writer) -> Self {
        let feed = FeedServer::new(database, writer).until(self.ending.clone());
        self.writer = Some(writer.clone());
        self.service(EventFeedServiceServer::new(feed))
    }

    /// Serves on a bound listener, and registers at the gateway where there is one.
    pub async fn start(
        self,
        environment: &Environment,
        listener: TcpListener,
    ) -> Result<Running, Error> {
        let address = listener.local_addr().map_err(|e| Error::internal(self.center, e))?;
        for name in self.services.iter().map(String::as_str).chain([""]) {
            self.health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
        }
        let server = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .timeout(MAX_CALL_TIME)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
            .layer(RpcLayer::new(self.center, environment.metrics.clone()))
            .add_routes(self.routes);
        let shutdown = environment.shutdown.clone();
        let registration =
            environment.gateway.as_ref().map(GatewayClient::new).transpose()?.map(|client| {
                let registration = Registration {
                    center: self.center.to_owned(),
                    instance_id: format!("{}-{}", self.center, id::new_body()),
                    endpoint: address.to_string(),
                    services: self.services.clone(),
                };
                tokio::spawn(registration.keep(client, shutdown.clone()))
            });
        let (center, health, services) = (self.center, self.health, self.services);
        let writer = self.writer;
        let (ending, stop) = (self.ending.clone(), self.ending);
        let accepting = tokio::spawn(
            server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
                stop.cancelled().await
            }),
        );
        let task = tokio::spawn(async move {
            shutdown.cancelled().await;
            for name in services.iter().map(String::as_str).chain([""]) {
                health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
            }
            if let Some(registration) = registration {
                let _ = registration.await;
            }
            ending.cancel();
            drain(center, accepting).await;
            if let Some(writer) = writer {
                writer.let_go().await;
            }
        });
        Ok(Running { center, address, task })
    }
}

async fn drain(center: &str, accepting: JoinHandle<Result<(), tonic::transport::Error>>) {
    let abort = accepting.abort_handle();
    match tokio::time::timeout(DRAIN_TIMEOUT, accepting).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(cause))) => tracing::error!(center, %cause, "serve"),
        Ok(Err(cause)) => tracing::error!(center, %cause, "serve"),
        Err(_) => {
            // Long streams (feeds, watches) are cut: their clients resume from a cursor.
            abort.abort();
        }
    }
}

/// A service that serves.
#[derive(Debug)]
pub struct Running {
    /// Its name.
    pub center: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// Waits until it has drained after its token was cancelled.
    pub async fn stopped(self) {
        if let Err(cause) = self.task.await {
            tracing::error!(center = self.center, %cause, "stop");
        }
    }
}
