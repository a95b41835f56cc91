//! The owner of some live orders: decides in memory, stores what it decided, then answers and starts calls.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::outbox::Announcement;
use tokio::sync::{mpsc, oneshot};

use super::{Context, Message};
use crate::announce::{self, announce};
use crate::cancellation;
use crate::decide::{Decided, Surroundings, decide};
use crate::duration::StepKey;
use crate::error::{DOMAIN, OrderError};
use crate::event::{Command, Event, Outcome};
use crate::failure::Failure;
use crate::hold::Hold;
use crate::mark::mark;
use crate::order::{Order, OrderId, Place};
use crate::position;
use crate::store::{ORDER_OVERTAKEN, SaveOrders};
use crate::work::{Work, due, is_asked, next_due};

mod parking;
mod wish;

/// Messages decided in one round, and so at most in one commit.
const MAX_MESSAGES_PER_ROUND: usize = 256;
/// Longest sleep, so that a test clock that moved is noticed.
const MAX_SLEEP: Duration = Duration::from_millis(200);
/// How far apart orders try again of which one could not be stored.
const APART: Duration = Duration::from_millis(20);
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
    /// Orders in memory.
    live: HashMap<OrderId, Live>,
    /// Live orders that wait long enough to be left in the store, with when they are due.
    parked: HashMap<OrderId, Option<Instant>>,
    timers: BTreeSet<(Instant, OrderId)>,
}

/// What one round decided.
#[derive(Default)]
struct Round {
    changed: HashMap<OrderId, Order>,
    save: SaveOrders,
    touched: Vec<OrderId>,
    answers: Vec<(Answer, OrderId)>,
    /// How long steps took that succeeded.
    took: Vec<(StepKey, Duration)>,
}

/// Runs a shard until the engine ends.
pub(super) async fn run(
    context: Context,
    myself: mpsc::WeakSender<Message>,
    mut queue: mpsc::Receiver<Message>,
) {
    let shutdown = context.shutdown.clone();
    let mut shard = Shard {
        context,
        myself,
        live: HashMap::new(),
        parked: HashMap::new(),
        timers: BTreeSet::new(),
    };
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
        shard.ring(&mut round).await;
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
            Message::Adopt(order) if self.has(&order.id) => {
                self.context.live.fetch_sub(1, Ordering::Relaxed);
            }
            Message::Park(order_id, due) => self.park_at(order_id, due),
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
            Message::Reconsider => {
                let all: Vec<OrderId> = self.live.keys().cloned().collect();
                for order_id in all {
                    self.go(&order_id, &Command::Advance, round);
                }
                self.wake_all();
            }
            Message::Returned { order_id, place, direction, request_id, outcome } => {
                if let Some(live) = self.live.get_mut(&order_id) {
                    live.in_flight.remove(&place);
                    let order = self.current(&order_id, round);
                    // An answer to what is no longer asked says nothing of what is asked now.
                    let returned = if is_asked(order, place, direction, &request_id) {
                        Command::Settle { place, direction, outcome }
                    } else {
                        Command::Advance
                    };
                    self.go(&order_id, &returned, round);
                }
            }
            Message::Ask(ask) => self.ask(*ask, round).await,
        }
    }

    /// It is live, in memory or parked.
    fn has(&self, order_id: &OrderId) -> bool {
        self.live.contains_key(order_id) || self.parked.contains_key(order_id)
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
        let was_parked = self.unpark(order_id);
        if order.ended_at.is_some() {
            if was_parked {
                self.context.live.fetch_sub(1, Ordering::Relaxed);
            }
            return Ok(Some(order));
        }
        if !was_parked {
            self.context.live.fetch_add(1, Ordering::Relaxed);
        }
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

    /// What decisions of this moment depend on.
    fn surroundings<'a>(&'a self, standing: &'a [Hold]) -> Surroundings<'a> {
        let measured = &self.context.measured;
        Surroundings { now: self.context.clock.now(), standing, measured }
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
        if std::mem::take(&mut live.unheard)
            && let Err(error) = self.decide(order_id, &Command::Recover, round)
        {
            if let Some(live) = self.live.get_mut(order_id) {
                live.unheard = true;
            }
            return Err(error);
        }
        let standing = self.context.standing.load();
        let around = self.surroundings(&standing);
        let version = self.live[order_id].order.version + 1;
        let advanced = advance(self.current(order_id, round), version, command, around)?;
        let Some(Advanced { order, announcements, took }) = advanced else { return Ok(()) };
        round.save.announcements.extend(announcements);
        round.took.extend(took);
        round.changed.insert(order_id.clone(), order);
        Ok(())
    }

    async fn commit(&mut self, round: Round, began: Instant) {
        let Round { changed, mut save, touched, answers, took } = round;
        let changed: Vec<Arc<Order>> = changed.into_values().map(Arc::new).collect();
        let nothing = changed.is_empty() && save.answers.is_empty();
        save.orders.clone_from(&changed);
        save.webhooks = self.context.webhooks.clone();
        let stored = if nothing { Ok(()) } else { self.context.writer.write(save).await };
        if let Err(error) = stored {
            self.not_stored(&error, changed, touched, answers).await;
            return;
        }
        self.context.measured.measure(took);
        for mut order in changed {
            self.context.watches.publish(&order);
            if let Some(live) = self.live.get_mut(&order.id) {
                if order.is_more_than_its_row() {
                    Arc::make_mut(&mut order).stored();
                }
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
        let mut at = self.context.clock.now().plus(STORE_RETRY);
        for order_id in touched {
            if let Some(live) = self.live.get_mut(&order_id) {
                live.unheard = true;
            }
            self.set_timer(&order_id, Some(at));
            if error.kind != Kind::Unavailable {
                // One of them cannot be stored: apart, it does not keep the others back.
                at = at.plus(APART);
            }
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
        self.park(order_id, now);
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
            let (place, direction, request_id) =
                (work.place, work.direction, work.request_id.clone());
            let performed = async {
                let _turn = calls.take(order.priority).await;
                // Whatever goes wrong with a call, the order hears of it.
                let performed = AssertUnwindSafe(peers.perform(&order, work)).catch_unwind().await;
                performed.unwrap_or_else(|_| Outcome::Unknown(broken_call()))
            };
            let outcome = tokio::select! {
                outcome = performed => outcome,
                // The next owner makes the call again, with the same request id.
                () = shutdown.cancelled() => return,
            };
            if let Some(shard) = myself.upgrade() {
                let order_id = order.id.clone();
                let returned =
                    Message::Returned { order_id, place, direction, request_id, outcome };
                let _ = shard.send(returned).await;
            }
        });
    }
}

/// What a command made of an order.
struct Advanced {
    order: Order,
    announcements: Vec<Announcement>,
    took: Vec<(StepKey, Duration)>,
}

/// Decides, and says what others hear of it; `None` when nothing follows.
fn advance(
    order: &Order,
    version: i64,
    command: &Command,
    around: Surroundings<'_>,
) -> Result<Option<Advanced>, Error> {
    guarded(order, || {
        let before = order;
        let Some(Decided { mut order, events }) = decide(before, command, around)? else {
            return Ok(None);
        };
        order.version = version;
        mark(&mut order);
        position::note(before, &mut order);
        let settled = cancellation::note(&mut order);
        let told = events.iter().filter_map(|event| announce(&order, event, around.now));
        let settled = settled.into_iter();
        let settled = settled.map(|index| announce::settled(&order, index, around.now));
        let announcements = told.chain(settled).collect();
        let took = events.iter().filter_map(|event| took(&order, event)).collect();
        Ok(Some(Advanced { order, announcements, took }))
    })
}

/// Does something with an order. A defect that one order meets must not take its shard along: it is told, and is an error of
/// this order alone.
fn guarded<T>(order: &Order, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let panicked =
        |_| Err(Error::internal(DOMAIN, format!("deciding about {} panicked", order.id)));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// A call that panicked may have had its effect.
fn broken_call() -> Failure {
    Failure::new("INTERNAL", DOMAIN, "the call ended in a defect; its outcome is asked for")
}

/// How long a step took that succeeded.
fn took(order: &Order, event: &Event) -> Option<(StepKey, Duration)> {
    let Event::StepSucceeded(place, _) = event else { return None };
    let step = order.step(*place);
    let took = step.ended_at?.since(step.started_at?);
    let template = order.template_of(place.business_order);
    Some(((template.to_owned(), step.definition().id.clone()), took))
}
