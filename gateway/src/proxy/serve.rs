//! Workers: threads with a listener each, the connections of callers, and their end.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use h2::server::Connection;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use throughline_kit::CancellationToken;
use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc};

use super::access::KnownCaller;
use super::pool::Pools;
use super::record::{HopMetrics, HopRecord, Recorder};
use super::turned_away::TurnedAway;
use super::{Chance, Line, Worker, carry};
use crate::config::{Config, milliseconds};
use crate::error::DOMAIN;
use crate::snapshot::Snapshot;

/// Flow-control windows on both legs, in bytes.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
pub(crate) const CONNECTION_WINDOW: u32 = 1 << 24;
/// Calls of one connection that its caller cancelled before they were begun; with more its connection, and no other, ends.
const MAX_PENDING_RESETS: usize = 100;
/// Calls of one connection that break HTTP/2, each refused by itself; with more the connection ends.
const MAX_FAULTY_STREAMS: usize = 1_000;
/// Bytes of one call that may wait to be written.
const MAX_SEND_BUFFER: usize = 1 << 20;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// A peer that has been silent for so long is asked whether it is still there, so that dead connections end.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(30);
/// Pause after accepting failed: most likely there are too many open files.
const ACCEPT_PAUSE_MS: u64 = 50;

/// Takes the address, once for each worker: the kernel shares connections out among them.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> Result<Vec<StdListener>, Error> {
    let unavailable = |cause: std::io::Error| {
        let message = format!(
            "the gateway cannot listen on {address}: {cause}; is another one running? \
             choose other ports with --port-base"
        );
        Error::new(Kind::Unavailable, DOMAIN, "ADDRESS_UNAVAILABLE", message)
            .with("address", address)
    };
    // Sharing a port works with strangers too: first make sure that there are none.
    let alone = socket(address).and_then(|socket| socket.bind(&address.into()).map(|()| socket));
    drop(alone.map_err(unavailable)?);
    let mut listeners: Vec<StdListener> = Vec::with_capacity(workers.max(1));
    for _ in 0..workers.max(1) {
        let first = listeners.first().map(StdListener::local_addr).transpose();
        let address = first.map_err(unavailable)?.unwrap_or(address);
        listeners.push(listen(address).map_err(unavailable)?);
    }
    Ok(listeners)
}

fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> std::io::Result<StdListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What the data plane works with.
#[derive(Debug)]
pub(crate) struct DataPlane {
    /// Limits.
    pub(crate) config: Arc<Config>,
    /// Pictures of callers and routes.
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    /// Time.
    pub(crate) clock: Clock,
    /// Numbers.
    pub(crate) metrics: HopMetrics,
    /// Where hop records go.
    pub(crate) hops: mpsc::Sender<Vec<HopRecord>>,
    /// Cancelled when it should end.
    pub(crate) shutdown: CancellationToken,
}

impl DataPlane {
    /// Starts a thread for each listener.
    pub(crate) fn start(self, listeners: Vec<StdListener>) -> Result<Vec<JoinHandle<()>>, Error> {
        let plane = Arc::new(self);
        let failed = |cause: std::io::Error| Error::internal(DOMAIN, cause);
        let start = |(number, listener)| {
            let plane = Arc::clone(&plane);
            // Whoever listens to the log of this thread listens to that of its workers.
            let log = tracing::dispatcher::get_default(Clone::clone);
            std::thread::Builder::new()
                .name(format!("gateway-{number}"))
                .spawn(move || {
                    tracing::dispatcher::with_default(&log, || run_worker(&plane, listener));
                })
                .map_err(failed)
        };
        listeners.into_iter().enumerate().map(start).collect()
    }
}

fn run_worker(plane: &DataPlane, listener: StdListener) {
    let runtime =
        match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(cause) => {
                tracing::error!(%cause, "start a worker");
                return;
            }
        };
    let worker = Rc::new(Worker {
        snapshots: Arc::clone(&plane.snapshots),
        pools: Pools::new(&plane.config),
        recorder: Recorder::new(&plane.config, plane.metrics.clone(), plane.hops.clone()),
        clock: plane.clock.clone(),
        chance: Chance::new(),
        config: Arc::clone(&plane.config),
    });
    runtime.block_on(async {
        let flushing = Rc::clone(&worker);
        let flusher =
            tokio::task::spawn_local(async move { flushing.recorder.flush_forever().await });
        match TcpListener::from_std(listener) {
            Ok(listener) => accept(&worker, listener, &plane.shutdown).await,
            Err(cause) => tracing::error!(%cause, "listen"),
        }
        flusher.abort();
        // A store that fails must not keep the process from ending.
        worker.recorder.flush_at_end(milliseconds(worker.config.drain_timeout_ms)).await;
    });
}

/// Connections of callers that are open.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    closed: Notify,
}

struct Opened(Rc<Open>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.count.update(|count| count - 1);
        self.0.closed.notify_one();
    }
}

/// Accepts until the end was asked for, then waits for the calls that run, up to the named bound.
async fn accept(worker: &Rc<Worker>, listener: TcpListener, shutdown: &CancellationToken) {
    let open = Rc::new(Open::default());
    let mut turned_away = TurnedAway::default();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if open.count.get() < worker.config.max_connections_per_worker => {
                open.count.update(|count| count + 1);
                let opened = Opened(Rc::clone(&open));
                let (worker, shutdown) = (Rc::clone(worker), shutdown.clone());
                tokio::task::spawn_local(async move {
                    serve(worker, stream, shutdown).await;
                    drop(opened);
                });
            }
            Ok(_) => {
                if let Some(connections) = turned_away.count(tokio::time::Instant::now()) {
                    let max_connections_per_worker = worker.config.max_connections_per_worker;
                    tracing::warn!(
                        max_connections_per_worker,
                        connections,
                        "close connections: there are too many"
                    );
                }
            }
            Err(cause) => {
                tracing::warn!(%cause, "accept a connection");
                tokio::time::sleep(milliseconds(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
    drop(listener);
    let drained = async {
        while open.count.get() > 0 {
            open.closed.notified().await;
        }
    };
    let bound = milliseconds(worker.config.drain_timeout_ms);
    if tokio::time::timeout(bound, drained).await.is_err() {
        // Long streams (feeds, watches) are cut: their clients resume from a cursor.
        tracing::debug!(connections = open.count.get(), "cut connections at the end");
    }
}

/// Serves one connection of a caller to its end.
async fn serve(worker: Rc<Worker>, stream: TcpStream, shutdown: CancellationToken) {
    let Some(mut connection) = shake_hands(&worker, stream).await else {
        return;
    };
    let line = Rc::new(Line { worker, known: KnownCaller::default() });
    let mut ending = std::pin::pin!(shutdown.cancelled());
    let mut draining = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut ending, if !draining => {
                draining = true;
                connection.graceful_shutdown();
                continue;
            }
            accepted = connection.accept() => accepted,
        };
        match accepted {
            Some(Ok((request, respond))) => {
                tokio::task::spawn_local(carry(Rc::clone(&line), request, respond));
            }
            Some(Err(cause)) => {
                tracing::debug!(%cause, "a caller's connection ended");
                return;
            }
            None => return,
        }
    }
}

/// Sends at once, and notices a peer that is gone.
pub(super) fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

async fn shake_hands(worker: &Worker, stream: TcpStream) -> Option<Connection<TcpStream, Bytes>> {
    let config = &worker.config;
    prepare(&stream).ok()?;
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(config.max_streams_per_connection)
        .max_header_list_size(config.max_header_list_bytes)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(Some(MAX_FAULTY_STREAMS))
        .max_send_buffer_size(MAX_SEND_BUFFER);
    let bound = milliseconds(config.handshake_timeout_ms);
    match tokio::time::timeout(bound, builder.handshake(stream)).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(cause)) => {
            tracing::debug!(%cause, "a caller did not begin HTTP/2");
            None
        }
        Err(_) => {
            tracing::debug!("a caller did not begin HTTP/2 in time");
            None
        }
    }
}
