//! Connections of one worker to instances: opened when needed, another one before the first is full, never queueing
//! inside of h2, where nobody would see it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection as Driver, ResponseFuture, SendRequest};
use h2::{Ping, SendStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::serve;
use crate::config::{Config, milliseconds};
use crate::error::BackendFailure;
use crate::registry::Endpoint;
use crate::snapshot::Snapshot;

/// Streams of one connection at most, whatever the peer allows.
const MAX_STREAMS: usize = 10_000;

/// How long after a failure an instance is looked for again, whether calls want it or not.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// How far one worker goes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    max_connections: usize,
    max_waiting: usize,
    connect_timeout: Duration,
    max_header_list_bytes: u32,
}

/// The pools of one worker, one for each instance.
pub(super) struct Pools {
    by_endpoint: RefCell<HashMap<u64, Rc<Pool>>>,
    generation: Cell<u64>,
    limits: Limits,
}

/// Connections to one instance.
pub(super) struct Pool {
    endpoint: Arc<Endpoint>,
    limits: Limits,
    connections: RefCell<Vec<Rc<Connection>>>,
    connecting: Cell<bool>,
    reconnecting: Cell<bool>,
    failures: Cell<u64>,
    last_failure: RefCell<String>,
    waiting: Cell<usize>,
    news: Notify,
}

struct Connection {
    sender: SendRequest<Bytes>,
    active: Cell<usize>,
    max_streams: Cell<usize>,
    closed: Cell<bool>,
}

/// A place for one call on a connection; given back when dropped.
pub(super) struct Place {
    pool: Rc<Pool>,
    connection: Rc<Connection>,
    sender: SendRequest<Bytes>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.active.update(|active| active - 1);
        self.pool.endpoint.pending.fetch_sub(1, Ordering::Relaxed);
        if self.pool.waiting.get() > 0 {
            self.pool.news.notify_one();
        }
    }
}

impl Pools {
    /// Starts without connections.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            by_endpoint: RefCell::default(),
            generation: Cell::new(0),
            limits: Limits {
                max_connections: config.max_connections_per_endpoint,
                max_waiting: config.max_waiting_calls_per_endpoint,
                connect_timeout: milliseconds(config.connect_timeout_ms),
                max_header_list_bytes: config.max_header_list_bytes,
            },
        }
    }

    /// Forgets instances that are gone; their connections end with the last call on them.
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        if self.generation.replace(snapshot.generation) != snapshot.generation {
            self.by_endpoint.borrow_mut().retain(|id, _| snapshot.endpoints.contains(id));
        }
    }

    /// The pool of an instance.
    pub(super) fn get(&self, endpoint: &Arc<Endpoint>) -> Rc<Pool> {
        let mut pools = self.by_endpoint.borrow_mut();
        let pool = pools.entry(endpoint.id).or_insert_with(|| {
            Rc::new(Pool {
                endpoint: Arc::clone(endpoint),
                limits: self.limits,
                connections: RefCell::default(),
                connecting: Cell::new(false),
                reconnecting: Cell::new(false),
                failures: Cell::new(0),
                last_failure: RefCell::default(),
                waiting: Cell::new(0),
                news: Notify::new(),
            })
        });
        Rc::clone(pool)
    }
}

impl Place {
    /// Sends the headers of a call. The connection was open when the place was taken: send before anything else runs.
    pub(super) fn send(
        &mut self,
        request: Request<()>,
        complete: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.sender.send_request(request, complete)
    }
}

impl Pool {
    /// Takes a place on the least busy connection; opens another connection before all are full.
    pub(super) fn free_place(self: &Rc<Self>) -> Option<Place> {
        let (connection, sender) = self.least_busy()?;
        let count = self.connections.borrow().len();
        let active = connection.active.get();
        if active * 5 >= connection.max_streams.get() * 4 {
            connection.ask_max_streams();
        }
        let max = connection.max_streams.get();
        if active * 5 >= max * 4 && count < self.limits.max_connections {
            self.open_another();
        }
        if active >= max {
            return None;
        }
        connection.active.set(active + 1);
        self.endpoint.pending.fetch_add(1, Ordering::Relaxed);
        Some(Place { pool: Rc::clone(self), connection, sender })
    }

    /// The least busy connection that still takes calls; those that do not any more are forgotten on the way.
    fn least_busy(&self) -> Option<(Rc<Connection>, SendRequest<Bytes>)> {
        let mut connections = self.connections.borrow_mut();
        loop {
            connections.retain(|connection| !connection.closed.get());
            let least = connections.iter().min_by_key(|connection| connection.active.get());
            let connection = Rc::clone(least?);
            if let Some(sender) = connection.sender() {
                return Some((connection, sender));
            }
            connection.closed.set(true);
        }
    }

    /// Waits for a place, opening the first connection where there is none.
    pub(super) async fn wait_for_place(self: &Rc<Self>) -> Result<Place, BackendFailure> {
        if self.waiting.get() >= self.limits.max_waiting {
            return Err(BackendFailure::TooManyWaiting { limit: self.limits.max_waiting });
        }
        let _waiting = Waiting::begin(&self.waiting);
        let failures = self.failures.get();
        loop {
            let news = self.news.notified();
            if let Some(place) = self.free_place() {
                return Ok(place);
            }
            let none_open = self.connections.borrow().is_empty();
            if none_open && self.failures.get() != failures {
                let cause = self.last_failure.borrow().clone();
                return Err(BackendFailure::Unreachable { cause });
            }
            if none_open {
                self.open_another();
            }
            news.await;
        }
    }

    fn open_another(self: &Rc<Self>) {
        if !self.connecting.replace(true) {
            tokio::task::spawn_local(Rc::clone(self).open());
        }
    }

    async fn open(self: Rc<Self>) {
        let opening = self.connect();
        let opened = tokio::time::timeout(self.limits.connect_timeout, opening).await;
        self.connecting.set(false);
        match opened.unwrap_or_else(|_| Err("it took too long".to_owned())) {
            Ok(connection) => {
                self.endpoint.unreachable.store(false, Ordering::Relaxed);
                self.connections.borrow_mut().push(connection);
            }
            Err(cause) => {
                if self.connections.borrow().is_empty() {
                    self.endpoint.unreachable.store(true, Ordering::Relaxed);
                    self.reconnect_later();
                }
                tracing::debug!(
                    endpoint = self.endpoint.address(),
                    cause,
                    "connect to an instance"
                );
                self.failures.update(|failures| failures + 1);
                *self.last_failure.borrow_mut() = cause;
            }
        }
        self.news.notify_waiters();
    }

    /// Looks for the instance again after a while, once however many calls found it gone meanwhile.
    fn reconnect_later(self: &Rc<Self>) {
        if !self.reconnecting.replace(true) {
            tokio::task::spawn_local(reconnect(Rc::downgrade(self)));
        }
    }

    async fn connect(self: &Rc<Self>) -> Result<Rc<Connection>, String> {
        let (sender, mut driver) = dial(&self.endpoint, self.limits).await?;
        let ping_pong = driver.ping_pong();
        let connection = Rc::new(Connection {
            sender,
            active: Cell::new(0),
            max_streams: Cell::new(0),
            closed: Cell::new(false),
        });
        tokio::task::spawn_local(drive(driver, Rc::downgrade(self), Rc::downgrade(&connection)));
        // An answer to a ping comes after the peer's settings: now it is known how many streams it takes.
        if let Some(mut ping_pong) = ping_pong {
            ping_pong.ping(Ping::opaque()).await.map_err(|e| e.to_string())?;
        }
        connection.ask_max_streams();
        Ok(connection)
    }
}

impl Connection {
    /// A sender for one call; `None` when the connection has ended or takes no more calls. Each call has its own: one that
    /// is shared makes its calls wait for each other's streams, and wakes only the last that waits.
    fn sender(&self) -> Option<SendRequest<Bytes>> {
        let mut sender = self.sender.clone();
        // A new one has no stream to wait for, so it answers at once and wakes nobody.
        match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Some(sender),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    fn ask_max_streams(&self) {
        let allowed = self.sender.current_max_send_streams();
        self.max_streams.set(allowed.min(MAX_STREAMS));
    }
}

/// Looks for an instance again that could not be reached, while it is registered.
async fn reconnect(pool: Weak<Pool>) {
    tokio::time::sleep(RECONNECT_DELAY).await;
    let Some(pool) = pool.upgrade() else { return };
    pool.reconnecting.set(false);
    if !pool.endpoint.is_reachable() {
        pool.open_another();
    }
}

struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a Cell<usize>) -> Self {
        count.update(|waiting| waiting + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.update(|waiting| waiting - 1);
    }
}

type Opened = (SendRequest<Bytes>, Driver<TcpStream, Bytes>);

async fn dial(endpoint: &Endpoint, limits: Limits) -> Result<Opened, String> {
    let stream = TcpStream::connect(endpoint.address()).await.map_err(|e| e.to_string())?;
    serve::prepare(&stream).map_err(|e| e.to_string())?;
    h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(serve::STREAM_WINDOW)
        .initial_connection_window_size(serve::CONNECTION_WINDOW)
        .max_header_list_size(limits.max_header_list_bytes)
        .handshake(stream)
        .await
        .map_err(|e| e.to_string())
}

/// Drives a connection to its end. The pool forgets it then; calls that wait for a place look again. It owns neither of
/// them: a connection ends when nothing else can send on it.
async fn drive(driver: Driver<TcpStream, Bytes>, pool: Weak<Pool>, connection: Weak<Connection>) {
    let ended = driver.await;
    if let Some(connection) = connection.upgrade() {
        connection.closed.set(true);
    }
    if let Some(pool) = pool.upgrade() {
        let endpoint = pool.endpoint.address();
        tracing::debug!(endpoint, ?ended, "a connection to an instance ended");
        pool.connections.borrow_mut().retain(|other| !other.closed.get());
        pool.news.notify_waiters();
    }
}
