//! The shell around the pure core: shards that own live orders, store what they decide, and only then act.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::Writer;
use throughline_kit::task::vital;
use tokio::sync::{mpsc, oneshot};

use crate::duration::Measured;
use crate::error::DOMAIN;
use crate::event::{Direction, Outcome};
use crate::hold::Hold;
use crate::order::{Order, OrderId, Place};
use crate::peers::Peers;
use crate::store::OrderStore;
use crate::webhook::Registry;

mod shard;
mod turn;
mod watch;
mod wish;

use turn::Turns;
pub(crate) use watch::{Watch, Watches};
pub(crate) use wish::Wish;

/// Named limits of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineLimits {
    /// Orders that are not terminal; more are refused.
    pub(crate) max_live_orders: usize,
    /// Calls to others at a time.
    pub(crate) max_calls_in_flight: usize,
    /// Watches at a time.
    pub(crate) max_watches: usize,
}

/// Owners of live orders.
const SHARDS: usize = 4;
/// Messages that wait at one shard.
const MAX_QUEUED_MESSAGES: usize = 8_192;
/// Orders that are looked up at a time when the engine starts.
const RECOVERY_PAGE: i64 = 5_000;
/// How long a caller may send again after the engine was full.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// Something for a shard.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new or recovered order.
    Adopt(Box<Order>),
    /// An order that may be stored and have no owner.
    Find(OrderId),
    /// An order that was live when the center stopped, and when it is due.
    Park(OrderId, Instant),
    /// What is paused for all orders has changed: every live order looks at it.
    Reconsider,
    /// A person or a system wants something of an order.
    Ask(Box<Ask>),
    /// A call came back.
    Returned {
        /// Order.
        order_id: OrderId,
        /// Step.
        place: Place,
        /// Which way the call went.
        direction: Direction,
        /// Request id of the call.
        request_id: String,
        /// What it brought.
        outcome: Outcome,
    },
}

/// A wish and where its answer goes.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) order_id: OrderId,
    pub(crate) wish: Wish,
    pub(crate) answer: oneshot::Sender<Result<Arc<Order>, Error>>,
}

/// Hands work to the owners of orders.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shards: Arc<[mpsc::Sender<Message>]>,
    live: Arc<AtomicUsize>,
    limits: EngineLimits,
    watches: Watches,
    standing: Arc<ArcSwap<Vec<Hold>>>,
}

/// What a shard works with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) clock: Clock,
    pub(crate) writer: Writer,
    pub(crate) store: OrderStore,
    pub(crate) peers: Peers,
    pub(crate) calls: Turns,
    /// Pauses of templates and capabilities.
    pub(crate) standing: Arc<ArcSwap<Vec<Hold>>>,
    /// How long steps took.
    pub(crate) measured: Measured,
    pub(crate) live: Arc<AtomicUsize>,
    pub(crate) watches: Watches,
    pub(crate) webhooks: Registry,
    pub(crate) shutdown: CancellationToken,
}

/// What an engine is made of.
#[derive(Clone, Debug)]
pub(crate) struct EngineParts {
    /// Time.
    pub(crate) clock: Clock,
    /// Where changes go.
    pub(crate) writer: Writer,
    /// Where orders are read.
    pub(crate) store: OrderStore,
    /// Calls to others.
    pub(crate) peers: Peers,
    /// Pauses of templates and capabilities.
    pub(crate) standing: Vec<Hold>,
    /// How long steps took.
    pub(crate) measured: Measured,
    /// Who is told of events.
    pub(crate) webhooks: Registry,
    /// Ends the engine.
    pub(crate) shutdown: CancellationToken,
}

impl Engine {
    /// Starts the shards and tells them of every live order.
    pub(crate) async fn start(parts: EngineParts, limits: EngineLimits) -> Result<Self, Error> {
        let live = Arc::new(AtomicUsize::new(0));
        let watches = Watches::new(limits.max_watches);
        let standing = Arc::new(ArcSwap::from_pointee(parts.standing));
        let context = Context {
            clock: parts.clock,
            writer: parts.writer,
            store: parts.store.clone(),
            peers: parts.peers,
            calls: Turns::new(limits.max_calls_in_flight),
            standing: Arc::clone(&standing),
            measured: parts.measured,
            live: Arc::clone(&live),
            watches: watches.clone(),
            webhooks: parts.webhooks,
            shutdown: parts.shutdown,
        };
        let shards = (0..SHARDS)
            .map(|_| {
                let (messages, queue) = mpsc::channel(MAX_QUEUED_MESSAGES);
                let shard = shard::run(context.clone(), messages.downgrade(), queue);
                vital("run a shard", &context.shutdown, shard);
                messages
            })
            .collect();
        let engine = Self { shards, live, limits, watches, standing };
        engine.recover(&parts.store).await?;
        Ok(engine)
    }

    /// Hands out every live order: what is due is read, the others wait where they are.
    async fn recover(&self, store: &OrderStore) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let orders = store.live_after(&after, RECOVERY_PAGE).await?;
            let Some((last, _)) = orders.last() else { return Ok(()) };
            after = last.to_string();
            for (order_id, due) in orders {
                self.live.fetch_add(1, Ordering::Relaxed);
                let shard = self.shard(&order_id).clone();
                let _ = shard.send(Message::Park(order_id, due)).await;
            }
        }
    }

    /// Refuses new orders while too many are live.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        let most = self.limits.max_live_orders;
        if self.live.load(Ordering::Relaxed) < most {
            return Ok(());
        }
        Err(Error::limit(DOMAIN, "max_live_orders", most).retry_after(FULL_RETRY))
    }

    /// How many orders are live.
    pub(crate) fn live_orders(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Makes a stored order live.
    pub(crate) async fn adopt(&self, order: Order) {
        self.live.fetch_add(1, Ordering::Relaxed);
        let shard = self.shard(&order.id);
        // A closed queue means that the engine is ending: the order is found again at the next start.
        let _ = shard.send(Message::Adopt(Box::new(order))).await;
    }

    /// Makes an order live that is stored, has not ended, and is not live: its acceptance was never heard of.
    pub(crate) async fn find(&self, order_id: OrderId) {
        let shard = self.shard(&order_id).clone();
        let _ = shard.send(Message::Find(order_id)).await;
    }

    /// Takes what is paused for all orders from now on; every live order hears of it.
    pub(crate) async fn hold(&self, standing: Vec<Hold>) {
        self.standing.store(Arc::new(standing));
        for shard in self.shards.iter() {
            let _ = shard.send(Message::Reconsider).await;
        }
    }

    /// What is paused for all orders.
    pub(crate) fn standing(&self) -> Arc<Vec<Hold>> {
        self.standing.load_full()
    }

    /// Follows an order.
    pub(crate) fn watch(&self, order_id: &OrderId) -> Result<Watch, Error> {
        self.watches.follow(order_id)
    }

    /// Has something done with an order, and gives the order as it is then stored.
    pub(crate) async fn ask(&self, order_id: OrderId, wish: Wish) -> Result<Arc<Order>, Error> {
        let (answer, outcome) = oneshot::channel();
        let shard = self.shard(&order_id).clone();
        let ask = Message::Ask(Box::new(Ask { order_id, wish, answer }));
        shard.send(ask).await.map_err(|_| stopping())?;
        outcome.await.map_err(|_| stopping())?
    }

    fn shard(&self, order_id: &OrderId) -> &mpsc::Sender<Message> {
        let mut hasher = std::hash::DefaultHasher::new();
        order_id.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0);
        &self.shards[turn]
    }
}

/// The center is ending; whoever hears it asks again.
pub(crate) fn stopping() -> Error {
    Error::new(Kind::Unavailable, DOMAIN, "STOPPING", "the order center is stopping; try again")
}
