//! The owner of some live orders: decides in memory, stores what it decided, then answers and starts calls.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::idempotency::{FirstAnswer, RequestKey};
use throughline_proto::order::v1 as proto;
use tokio::sync::{mpsc, oneshot};

use super::{Ask, Context, Message, Wish};
use crate::announce::announce;
use crate::apply::apply;
use crate::convert;
use crate::decide::decide;
use crate::error::{DOMAIN, OrderError};
use crate::event::{Command, Direction, Event, Outcome};
use crate::order::{Order, OrderId, Place};
use crate::plan::{Trigger, plan};
use crate::step::{Capability, StepState};
use crate::store::{ORDER_OVERTAKEN, SaveOrders};
use crate::work::{Work, due, next_due, reference};

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
            Message::Adopt(order) => {
                let order_id = order.id.clone();
                let live = Live { order: Arc::new(*order), in_flight: HashSet::new(), timer: None };
                self.live.insert(order_id.clone(), live);
                let _ = self.decide(&order_id, &Command::Advance, round);
                round.touched.push(order_id);
            }
            Message::Returned { order_id, place, direction, outcome } => {
                if let Some(live) = self.live.get_mut(&order_id) {
                    live.in_flight.remove(&place);
                    let returned = Command::Settle { place, direction, outcome };
                    let _ = self.decide(&order_id, &returned, round);
                    round.touched.push(order_id);
                }
            }
            Message::Ask(ask) => self.ask(*ask, round).await,
        }
    }

    async fn ask(&mut self, ask: Ask, round: &mut Round) {
        let Ask { order_id, wish, answer } = ask;
        if self.live.contains_key(&order_id) {
            match self.grant(&order_id, wish, round) {
                Ok(()) => {
                    round.touched.push(order_id.clone());
                    round.answers.push((answer, order_id));
                }
                Err(refusal) => drop(answer.send(Err(refusal))),
            }
            return;
        }
        let outcome = match wish {
            // News of a payment for an order that has ended, or is not here: nothing to do.
            Wish::Payment(_) => Err(OrderError::NotFound(order_id.to_string()).into()),
            Wish::Command(..) | Wish::Report { .. } => self.ended(&order_id, &wish).await,
        };
        drop(answer.send(outcome));
    }

    /// Answers for an order that is not live, and so is terminal.
    async fn ended(&self, order_id: &OrderId, wish: &Wish) -> Result<Arc<Order>, Error> {
        let found = self.context.store.by_id(order_id.as_str()).await?;
        let order = found.ok_or_else(|| OrderError::NotFound(order_id.to_string()))?;
        match wish {
            Wish::Command(command, _) => {
                decide(&order, command, self.context.clock.now())?;
            }
            Wish::Report { reference, outcome } => {
                settle_by_reference(&order, reference, outcome)?;
            }
            Wish::Payment(_) => {}
        }
        Ok(Arc::new(order))
    }

    fn grant(&mut self, order_id: &OrderId, wish: Wish, round: &mut Round) -> Result<(), Error> {
        let order = self.current(order_id, round);
        match wish {
            Wish::Command(command, key) => {
                let before = order.clone();
                self.decide(order_id, &command, round)?;
                if let Some(key) = key {
                    let answer = self.cancel_answer(order_id, &before, key, round)?;
                    round.save.answers.push(answer);
                }
                Ok(())
            }
            Wish::Report { reference, outcome } => {
                match settle_by_reference(order, &reference, &outcome)? {
                    Some(place) => self.decide(order_id, &news(place, outcome), round),
                    None => Ok(()),
                }
            }
            Wish::Payment(outcome) => {
                let pays = order.steps.iter().position(|s| s.capability == Capability::Pay);
                let waits = |step: &usize| order.steps[*step].state == StepState::Waiting;
                // That an earlier attempt never arrived says nothing of one whose call is out.
                let settles = !matches!(outcome, Outcome::NeverArrived(_));
                match pays.filter(|step| settles || waits(step)) {
                    Some(step) => {
                        let place = Place { business_order: None, step };
                        self.decide(order_id, &news(place, outcome), round)
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn cancel_answer(
        &self,
        order_id: &OrderId,
        before: &Order,
        key: RequestKey,
        round: &Round,
    ) -> Result<FirstAnswer, Error> {
        let response = proto::CancelOrderResponse {
            order: Some(convert::customer_order(self.current(order_id, round))),
            plan: Some(convert::plan(before, &plan(before, Trigger::CancelOrder))),
        };
        FirstAnswer::new(key, Ok(&response), self.context.clock.now())
    }

    /// The order as this round has it.
    fn current<'a>(&'a self, order_id: &OrderId, round: &'a Round) -> &'a Order {
        round.changed.get(order_id).unwrap_or_else(|| &self.live[order_id].order)
    }

    fn decide(
        &self,
        order_id: &OrderId,
        command: &Command,
        round: &mut Round,
    ) -> Result<(), Error> {
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
                let _ = self.decide(&order_id, &Command::Advance, round);
                round.touched.push(order_id);
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
                }
            }
        }
        let at = self.context.clock.now().plus(STORE_RETRY);
        for order_id in touched {
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

/// News of how doing a step ended, from elsewhere than its call.
fn news(place: Place, outcome: Outcome) -> Command {
    Command::Settle { place, direction: Direction::Do, outcome }
}

/// Finds the step that a report is about: `None` when it has already ended so.
fn settle_by_reference(
    order: &Order,
    wanted: &str,
    outcome: &Outcome,
) -> Result<Option<Place>, Error> {
    // Outside systems report on what they were asked for, and on nothing else.
    let is_theirs = |capability| {
        matches!(capability, Capability::Activate | Capability::OpenAccount | Capability::Ship)
    };
    let found = order
        .places()
        .filter(|(_, step)| is_theirs(step.capability))
        .find(|(place, _)| reference(order, *place) == wanted);
    let (place, step) =
        found.ok_or_else(|| OrderError::StepNotFound(order.id.to_string(), wanted.to_owned()))?;
    let succeeded = matches!(outcome, Outcome::Succeeded(_));
    match step.state {
        StepState::Running | StepState::Waiting | StepState::Retrying | StepState::Unknown => {
            Ok(Some(place))
        }
        StepState::Succeeded | StepState::Undoing | StepState::Undone | StepState::UndoFailed
            if succeeded =>
        {
            Ok(None)
        }
        StepState::Failed if !succeeded => Ok(None),
        StepState::Scheduled
        | StepState::Succeeded
        | StepState::Failed
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => Err(OrderError::StepAlreadyEnded.into()),
    }
}
