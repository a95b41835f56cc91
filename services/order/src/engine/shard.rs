//! The owner of some live orders: decides in memory, stores what it decided, then answers and starts calls.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use tokio::sync::{mpsc, oneshot};

use super::{Context, Message};
use crate::announce::announce;
use crate::apply::apply;
use crate::decide::decide;
use crate::error::{DOMAIN, OrderError};
use crate::event::{Command, Event};
use crate::order::{Order, OrderId, Place};
use crate::store::{ORDER_OVERTAKEN, SaveOrders};
use crate::work::{Work, due, next_due};

mod wish;

/// Messages decided in one round, and so at most in one commit.
const MAX_MESSAGES_PER_ROUND: usize = 256;
/// Longest sleep, so that a test clock that moved is noticed.
const MAX_SLEEP: Duration = Duration::from_millis(200);
/// Wait before work is done again that could not be stored.
const STORE_RETRY: Duration = Duration::from_secs(1);

type Answer = oneshot::Sender<Result<Arc<Order>, Error>>;

struct Live {
    order: Arc<Order>,
    in_flight: HashSet<Place>,
    timer: Option<Instant>,
    /// An answer may have been lost: the order recovers before anything else is decided.
    unheard: bool,
}

struct Shard {
    context: Context,
    myself: mpsc::WeakSender<Message>,
    live: HashMap<OrderId, Live>,
    timers: BTreeSet<(Instant, OrderId)>,
}

/// What one round decided.
#[derive(Default)]
struct Round {
    changed: HashMap<OrderId, Order>,
    save: SaveOrders,
    touched: Vec<OrderId>,
    answers: Vec<(Answer, OrderId)>,
}

/// Runs a shard until the engine ends.
pub(super) async fn run(
    context: Context,
    myself: mpsc::WeakSender<Message>,
    mut queue: mpsc::Receiver<Message>,
) {
    let shutdown = context.shutdown.clone();
    let mut shard = Shard { context, myself, live: HashMap::new(), timers: BTreeSet::new() };
    let mut messages = Vec::with_capacity(MAX_MESSAGES_PER_ROUND);
    loop {
        let sleep = shard.sleep();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            received = queue.recv_many(&mut messages, MAX_MESSAGES_PER_ROUND) => {
                if received == 0 {
                    return;
                }
            }
            () = tokio::time::sleep(sleep) => {}
        }
        let began = shard.context.clock.now();
        let mut round = Round::default();
        for message in messages.drain(..) {
            shard.take(message, &mut round).await;
        }
        shard.ring(&mut round);
        shard.commit(round, began).await;
    }
}

impl Shard {
    fn sleep(&self) -> Duration {
        let now = self.context.clock.now();
        self.timers.first().map_or(MAX_SLEEP, |(at, _)| at.since(now).min(MAX_SLEEP))
    }

    async fn take(&mut self, message: Message, round: &mut Round) {
        match message {
            // It was asked for before its adoption came, and is live already.
            Message::Adopt(order) if self.live.contains_key(&order.id) => {
                self.context.live.fetch_sub(1, Ordering::Relaxed);
            }
            Message::Adopt(order) => {
                let order_id = order.id.clone();
                self.own(*order);
                self.go(&order_id, &Command::Advance, round);
            }
            Message::Find(order_id) => match self.find(&order_id, round).await {
                Err(error) if error.kind != Kind::NotFound => {
                    // Whoever repeats the submission asks again.
                    tracing::warn!(%error, %order_id, "look for an order without an owner");
                }
                Ok(_) | Err(_) => {}
            },
            Message::Returned { order_id, place, direction, outcome } => {
                if let Some(live) = self.live.get_mut(&order_id) {
                    live.in_flight.remove(&place);
                    let returned = Command::Settle { place, direction, outcome };
                    self.go(&order_id, &returned, round);
                }
            }
            Message::Ask(ask) => self.ask(*ask, round).await,
        }
    }

    fn own(&mut self, order: Order) {
        let order_id = order.id.clone();
        let order = Arc::new(order);
        let live = Live { order, in_flight: HashSet::new(), timer: None, unheard: true };
        self.live.insert(order_id, live);
    }

    /// Owns a stored order that lost its owner. Gives the order when it has ended.
    async fn find(
        &mut self,
        order_id: &OrderId,
        round: &mut Round,
    ) -> Result<Option<Order>, Error> {
        if self.live.contains_key(order_id) {
            return Ok(None);
        }
        let found = self.context.store.by_id(order_id.as_str()).await?;
        let order = found.ok_or_else(|| OrderError::NotFound(order_id.to_string()))?;
        if order.ended_at.is_some() {
            return Ok(Some(order));
        }
        self.context.live.fetch_add(1, Ordering::Relaxed);
        self.own(order);
        self.go(order_id, &Command::Advance, round);
        Ok(None)
    }

    /// Decides about an order; one that cannot be decided about is tried again later.
    fn go(&mut self, order_id: &OrderId, command: &Command, round: &mut Round) {
        match self.decide(order_id, command, round) {
            Err(error) if error.kind == Kind::Internal => {
                let at = self.context.clock.now().plus(STORE_RETRY);
                self.set_timer(order_id, Some(at));
            }
            Ok(()) | Err(_) => round.touched.push(order_id.clone()),
        }
    }

    /// The order as this round has it.
    fn current<'a>(&'a self, order_id: &OrderId, round: &'a Round) -> &'a Order {
        round.changed.get(order_id).unwrap_or_else(|| &self.live[order_id].order)
    }

    fn decide(
        &mut self,
        order_id: &OrderId,
        command: &Command,
        round: &mut Round,
    ) -> Result<(), Error> {
        let live = self.live.get_mut(order_id).expect("only live orders are decided about");
        if std::mem::take(&mut live.unheard) {
            self.decide(order_id, &Command::Recover, round)?;
        }
        let now = self.context.clock.now();
        let Some((mut order, events)) = advance(self.current(order_id, round), command, now)?
        else {
            return Ok(());
        };
        order.version = self.live[order_id].order.version + 1;
        let announced = events.iter().filter_map(|event| announce(&order, event, now));
        round.save.announcements.extend(announced);
        round.changed.insert(order_id.clone(), order);
        Ok(())
    }

    /// Advances orders whose time has come.
    fn ring(&mut self, round: &mut Round) {
        let now = self.context.clock.now();
        while let Some((at, _)) = self.timers.first() {
            if *at > now {
                return;
            }
            let Some((_, order_id)) = self.timers.pop_first() else { return };
            if let Some(live) = self.live.get_mut(&order_id) {
                live.timer = None;
                self.go(&order_id, &Command::Advance, round);
            }
        }
    }

    async fn commit(&mut self, round: Round, began: Instant) {
        let Round { changed, mut save, touched, answers } = round;
        let changed: Vec<Arc<Order>> = changed.into_values().map(Arc::new).collect();
        let nothing = changed.is_empty() && save.answers.is_empty();
        save.orders.clone_from(&changed);
        let stored = if nothing { Ok(()) } else { self.context.writer.write(save).await };
        if let Err(error) = stored {
            self.not_stored(&error, changed, touched, answers).await;
            return;
        }
        for order in changed {
            self.context.watches.publish(&order);
            if let Some(live) = self.live.get_mut(&order.id) {
                live.order = order;
            }
        }
        for (answer, order_id) in answers {
            let order = Arc::clone(&self.live[&order_id].order);
            drop(answer.send(Ok(order)));
        }
        for order_id in touched {
            self.go_on(&order_id, began);
        }
    }

    /// Nothing of the round happened: memory stays as it was, and the same work is done again later.
    async fn not_stored(
        &mut self,
        error: &Error,
        changed: Vec<Arc<Order>>,
        touched: Vec<OrderId>,
        answers: Vec<(Answer, OrderId)>,
    ) {
        tracing::warn!(%error, orders = changed.len(), "store orders; trying again");
        for (answer, _) in answers {
            drop(answer.send(Err(error.clone())));
        }
        if error.reason == ORDER_OVERTAKEN {
            // What is stored is newer than memory (a commit whose answer was lost): go on from there.
            for order in &changed {
                let stored = self.context.store.by_id(order.id.as_str()).await;
                if let (Ok(Some(stored)), Some(live)) = (stored, self.live.get_mut(&order.id)) {
                    live.order = Arc::new(stored);
                    self.context.watches.publish(&live.order);
                }
            }
        }
        let at = self.context.clock.now().plus(STORE_RETRY);
        for order_id in touched {
            if let Some(live) = self.live.get_mut(&order_id) {
                live.unheard = true;
            }
            self.set_timer(&order_id, Some(at));
        }
    }

    /// Starts the calls that an order wants now, or lets it go when it has ended. The round that decided about it began at
    /// `began`: what became due since then, however long the commit took, still has to ring.
    fn go_on(&mut self, order_id: &OrderId, began: Instant) {
        let Some(live) = self.live.get_mut(order_id) else { return };
        if live.order.ended_at.is_some() {
            self.set_timer(order_id, None);
            self.live.remove(order_id);
            self.context.live.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let order = Arc::clone(&live.order);
        let now = self.context.clock.now();
        let works: Vec<Work> =
            due(&order, now).into_iter().filter(|w| live.in_flight.insert(w.place)).collect();
        // Work that is under way rings by coming back.
        let rings = next_due(&order, began);
        for work in works {
            self.call(&order, work);
        }
        self.set_timer(order_id, rings);
    }

    fn set_timer(&mut self, order_id: &OrderId, at: Option<Instant>) {
        let Some(live) = self.live.get_mut(order_id) else { return };
        if let Some(old) = std::mem::replace(&mut live.timer, at) {
            self.timers.remove(&(old, order_id.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, order_id.clone()));
        }
    }

    fn call(&self, order: &Arc<Order>, work: Work) {
        let Context { peers, calls, shutdown, .. } = self.context.clone();
        let (order, myself) = (Arc::clone(order), self.myself.clone());
        tokio::spawn(async move {
            let (place, direction) = (work.place, work.direction);
            let performed = async {
                let _permit = calls.acquire().await;
                peers.perform(&order, work).await
            };
            let outcome = tokio::select! {
                outcome = performed => outcome,
                // The next owner makes the call again, with the same request id.
                () = shutdown.cancelled() => return,
            };
            if let Some(shard) = myself.upgrade() {
                let order_id = order.id.clone();
                let returned = Message::Returned { order_id, place, direction, outcome };
                let _ = shard.send(returned).await;
            }
        });
    }
}

/// Decides and applies; `None` when nothing follows. A defect that one order meets must not take its shard along: it is
/// told, and the order stays as it was.
fn advance(
    order: &Order,
    command: &Command,
    now: Instant,
) -> Result<Option<(Order, Vec<Event>)>, Error> {
    let advanced = catch_unwind(AssertUnwindSafe(|| {
        let events = decide(order, command, now)?;
        if events.is_empty() {
            return Ok(None);
        }
        let mut order = order.clone();
        for event in &events {
            apply(&mut order, event, now);
        }
        Ok(Some((order, events)))
    }));
    let panicked =
        |_| Err(Error::internal(DOMAIN, format!("deciding about {} panicked", order.id)));
    advanced.unwrap_or_else(panicked)
}
