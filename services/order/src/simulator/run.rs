//! One simulated order: its store, its owners, the calls that are out, and all that goes wrong around it.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::check::Watch;
use super::market::Market;
use super::person;
use super::random::Random;
use super::trace::Trace;
use super::world::{Manner, World, failure};
use super::writing::REASONS;
use crate::decide::{Decided, Surroundings, decide};
use crate::duration::Measured;
use crate::event::{Command, Direction, Operation, Outcome};
use crate::hold::Hold;
use crate::order::Order;
use crate::work::{Work, due, is_asked, next_due};

mod news;
mod owning;

use news::News;

/// Turns after which an order must have ended.
const MAX_TURNS: u32 = 20_000;

/// A call that is out.
#[derive(Clone, Debug)]
struct Out {
    order: Arc<Order>,
    work: Work,
    /// It was performed, and its answer is on its way.
    answer: Option<Outcome>,
}

/// One who owns the order, or believes so.
#[derive(Clone, Debug)]
struct Owner {
    order: Arc<Order>,
    out: Vec<Out>,
}

/// What happened in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) crashes: u64,
    pub(super) moves: u64,
    pub(super) refused_saves: u64,
    pub(super) refused_commands: u64,
}

/// One simulated order.
pub(super) struct Run {
    random: Random,
    pub(super) stored: Arc<Order>,
    owner: Owner,
    /// One that lost the order and does not know it.
    old: Option<Owner>,
    news: Vec<News>,
    /// What is being told: whoever tells it gets no answer when it is not stored, and tells it again.
    told: Option<News>,
    world: World,
    watch: Watch,
    pub(super) trace: Trace,
    now: Instant,
    turns: u32,
    /// Turns with faults, after which the world behaves and persons help.
    faulty_turns: u32,
    pub(super) counts: Counts,
    measured: Measured,
}

impl Run {
    pub(super) fn new(market: &Market, mut random: Random, name: &str) -> Self {
        let order = Arc::new(market.order(&mut random, name));
        let faulty_turns = u32::try_from(random.below(160)).expect("it is below a small bound");
        Self {
            measured: Measured::default(),
            world: World::new(Arc::clone(&market.catalog)),
            now: order.created_at,
            owner: Owner { order: Arc::clone(&order), out: Vec::new() },
            stored: order,
            random,
            old: None,
            news: Vec::new(),
            told: None,
            watch: Watch::default(),
            trace: Trace::default(),
            turns: 0,
            faulty_turns,
            counts: Counts::default(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stored.ended_at.is_some()
    }

    /// One thing happens.
    pub(super) fn turn(&mut self, market: &Market, standing: &mut Vec<Hold>) -> Result<(), String> {
        if self.turns == 0 {
            self.command(Command::Recover, standing)?;
        }
        self.turns += 1;
        if self.turns > MAX_TURNS {
            return Err("it does not end".to_owned());
        }
        if self.turns < self.faulty_turns {
            self.faulty_turn(market, standing)?;
        } else {
            self.calm_turn(standing)?;
        }
        if self.has_ended() {
            self.watch.end(&self.stored, &self.world, market)?;
        }
        Ok(())
    }

    fn faulty_turn(&mut self, market: &Market, standing: &[Hold]) -> Result<(), String> {
        match self.random.below(120) {
            0..=2 => self.crash(standing),
            3 | 4 => self.move_away(standing),
            5 | 6 => self.act_as_old(standing),
            7..=16 => {
                let command = person::whim(&mut self.random, market, &self.owner.order);
                self.command(command, standing)
            }
            17..=22 => self.report(standing),
            23..=25 => self.hear_news(standing),
            26 | 27 => {
                self.trace.fault(self.now, "the clock jumps");
                let minutes = 1_u64 << self.random.below(13);
                self.now = self.now.plus(Duration::from_secs(60 * minutes));
                self.command(Command::Advance, standing)
            }
            _ => self.go_on(standing, true),
        }
    }

    /// Nothing goes wrong any more, and persons do what they are asked for.
    fn calm_turn(&mut self, standing: &mut Vec<Hold>) -> Result<(), String> {
        if !self.owner.out.is_empty() {
            return self.go_on(standing, false);
        }
        self.old = None;
        if self.tell(standing)? {
            return Ok(());
        }
        if let Some(command) = person::help(&mut self.random, &self.owner.order) {
            return self.command(command, standing);
        }
        standing.clear();
        self.go_on(standing, false)
    }

    /// A call arrives or comes back; without one, time passes.
    fn go_on(&mut self, standing: &[Hold], faulty: bool) -> Result<(), String> {
        if self.owner.out.is_empty() {
            return self.sleep(standing);
        }
        let index = self.random.below(self.owner.out.len());
        if self.owner.out[index].answer.is_none() {
            let answer = self.answer(index, faulty)?;
            self.owner.out[index].answer = Some(answer);
            // Some answers take their time, and others overtake them.
            if faulty && self.random.one_in(4) {
                return Ok(());
            }
        }
        let out = self.owner.out.swap_remove(index);
        let Some(outcome) = out.answer else { return Ok(()) };
        self.now = self.now.plus(Duration::from_micros(self.random.next() % 50_000));
        self.repeat_later(&out.order, &out.work, &outcome);
        let Work { place, direction, request_id, .. } = out.work;
        // An answer to what is no longer asked says nothing of what is asked now.
        let command = if is_asked(&self.owner.order, place, direction, &request_id) {
            Command::Settle { place, direction, outcome }
        } else {
            Command::Advance
        };
        self.command(command, standing)
    }

    fn answer(&mut self, index: usize, faulty: bool) -> Result<Outcome, String> {
        let Out { order, work, .. } = self.owner.out[index].clone();
        if !faulty {
            return self.world.perform(&order, &work, Manner::Grant, self.now);
        }
        let manner = self.manner(&work);
        match self.random.below(14) {
            0 => Ok(Outcome::NotAttempted(failure("UNAVAILABLE"))),
            1 => Ok(Outcome::Unknown(failure("TIMEOUT_BEFORE"))),
            2 => {
                self.world.perform(&order, &work, manner, self.now)?;
                Ok(Outcome::Unknown(failure("TIMEOUT_AFTER")))
            }
            _ => self.world.perform(&order, &work, manner, self.now),
        }
    }

    fn reason(&mut self) -> &'static str {
        self.random.pick::<&'static str>(&REASONS)
    }

    fn manner(&mut self, work: &Work) -> Manner {
        let rarely = if work.direction == Direction::Undo { 24 } else { 9 };
        if self.random.one_in(rarely) {
            Manner::Refuse(self.reason())
        } else if self.random.one_in(8) {
            Manner::Later
        } else {
            Manner::Grant
        }
    }

    /// Time passes until something is due.
    fn sleep(&mut self, standing: &[Hold]) -> Result<(), String> {
        let at = next_due(&self.owner.order, self.now);
        self.now = at.unwrap_or_else(|| self.now.plus(Duration::from_secs(1)));
        self.command(Command::Advance, standing)
    }

    /// Asks something of the order, and stores what it makes happen.
    fn command(&mut self, command: Command, standing: &[Hold]) -> Result<(), String> {
        let before = Arc::clone(&self.owner.order);
        let around = Surroundings { now: self.now, standing, measured: &self.measured };
        let decided = match decide(&before, &command, around) {
            Ok(decided) => decided,
            Err(_) => {
                self.counts.refused_commands += 1;
                return Ok(());
            }
        };
        let Some(decided) = decided else { return self.start_calls() };
        if self.turns < self.faulty_turns && self.random.one_in(60) {
            self.trace.fault(self.now, "the owner crashes before it stores what it decided");
            self.counts.crashes += 1;
            self.news.extend(self.told.take());
            self.lose_answers()?;
            self.owner = self.read()?;
            return self.command(Command::Recover, standing);
        }
        if !self.save(&command, &before, decided)? {
            // What is stored is newer than memory: go on from there.
            self.news.extend(self.told.take());
            self.owner = self.read()?;
            return self.command(Command::Recover, standing);
        }
        self.owner.order = Arc::clone(&self.stored);
        self.proved(&command, &before)?;
        self.start_calls()
    }

    /// Whoever proved that a step is undone had undone it.
    fn proved(&mut self, command: &Command, before: &Order) -> Result<(), String> {
        match command {
            Command::Operate { operation: Operation::ProveUndone(place), .. } => {
                self.world.undo_by_hand(before, *place)
            }
            _ => Ok(()),
        }
    }

    /// Stores a decision if nobody else stored one since.
    fn save(
        &mut self,
        command: &Command,
        before: &Arc<Order>,
        decided: Decided,
    ) -> Result<bool, String> {
        let Decided { mut order, events } = decided;
        order.version = before.version + 1;
        if self.stored.version != before.version {
            self.trace.fault(self.now, "a save is refused, for the order is newer");
            self.counts.refused_saves += 1;
            return Ok(false);
        }
        self.trace.command(self.now, command.clone());
        let checked = self.watch.commit(before, command, &events, &order, self.now);
        self.counts.events += events.len() as u64;
        for event in events {
            self.trace.event(self.now, event);
        }
        checked?;
        self.stored = Arc::new(order);
        Ok(true)
    }

    /// Starts the calls that the order wants now; a step has one out at a time.
    fn start_calls(&mut self) -> Result<(), String> {
        let order = &self.owner.order;
        for work in due(order, self.now) {
            if self.owner.out.iter().any(|out| out.work.place == work.place) {
                continue;
            }
            self.watch.call(order, &work)?;
            self.owner.out.push(Out { order: Arc::clone(order), work, answer: None });
        }
        let is_out = !self.owner.out.is_empty();
        self.watch.waits(order, is_out, self.now)
    }
}
