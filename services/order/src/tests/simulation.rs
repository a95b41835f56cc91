//! Random faults from a seed: lost, late, double and unknown answers, refusals, clock jumps, cancels, restarts.

use std::collections::HashMap;
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::world::{START, World, converged, failure};
use crate::apply::apply;
use crate::business_order::BusinessOrderState;
use crate::decide::decide;
use crate::event::{Command, Event, Outcome};
use crate::order::{Order, Place, Policy};
use crate::rollup::rollup;
use crate::step::{Capability, StepState};
use crate::work::{Task, Work, due, next_due};

/// Orders simulated in one test.
const SEEDS: u64 = 3_000;
/// Rounds with faults, after which the world behaves.
const FAULTY_ROUNDS: u32 = 60;
/// Rounds after which an order must have ended.
const MAX_ROUNDS: u32 = 2_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("small")
    }
}

struct Simulation {
    random: Random,
    order: Order,
    world: World,
    now: Instant,
    /// Answers on their way.
    late: Vec<Command>,
    /// Calls out, as the shell would have them.
    out: HashMap<Place, Work>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let policy = if random.one_in(2) { Policy::Branch } else { Policy::Whole };
        Self {
            random,
            order: converged(policy),
            world: World::default(),
            now: START,
            late: Vec::new(),
            out: HashMap::new(),
        }
    }

    fn run(&mut self) {
        for round in 0..MAX_ROUNDS {
            let faulty = round < FAULTY_ROUNDS;
            if self.order.ended_at.is_some() {
                return self.check_end();
            }
            if faulty && self.random.one_in(40) {
                self.command(&Command::Cancel { reason: "simulated".to_owned() });
            }
            if faulty && self.random.one_in(25) {
                self.restart();
            }
            self.round(faulty);
        }
        panic!("no end after {MAX_ROUNDS} rounds: {:#?}", self.order);
    }

    fn round(&mut self, faulty: bool) {
        for work in due(&self.order, self.now) {
            self.out.entry(work.place).or_insert(work);
        }
        let places: Vec<Place> = self.out.keys().copied().collect();
        if !self.late.is_empty() && (places.is_empty() || self.random.one_in(3)) {
            let index = self.random.below(self.late.len());
            let command = self.late.swap_remove(index);
            return self.command(&command);
        }
        if places.is_empty() {
            let at =
                next_due(&self.order, self.now).unwrap_or(self.now.plus(Duration::from_secs(1)));
            self.now = at.max(self.now);
            return self.command(&Command::Advance);
        }
        let mut places = places;
        places.sort();
        let place = places[self.random.below(places.len())];
        let work = self.out.remove(&place).expect("it is out");
        let outcome = self.answer(&work, faulty);
        let is_definite = matches!(outcome, Outcome::Succeeded(_) | Outcome::Declined(_));
        let command = Command::Settle { place, direction: work.direction, outcome };
        if faulty && is_definite && self.random.one_in(10) {
            // A callback says it a second time, later.
            self.late.push(command.clone());
        }
        self.command(&command);
    }

    fn answer(&mut self, work: &Work, faulty: bool) -> Outcome {
        if !faulty {
            return self.world.perform(&self.order, work, false);
        }
        let may_refuse = !matches!(
            work.task,
            Task::Release { .. }
                | Task::ReturnAllocated { .. }
                | Task::Refund { .. }
                | Task::Deactivate { .. }
                | Task::CloseAccount { .. }
                | Task::CancelShipment { .. }
        );
        let refuse = may_refuse && self.random.one_in(12);
        match self.random.below(10) {
            0 => Outcome::NotAttempted(failure("UNAVAILABLE")),
            1 => Outcome::Unknown(failure("TIMEOUT_BEFORE")),
            2 => {
                drop(self.world.perform(&self.order, work, refuse));
                Outcome::Unknown(failure("TIMEOUT_AFTER"))
            }
            3 if matches!(work.task, Task::Pay { .. } | Task::Activate(_)) => {
                Outcome::Pending { token: "token".to_owned(), ask_at: None }
            }
            _ => self.world.perform(&self.order, work, refuse),
        }
    }

    /// Memory and answers are lost, calls may have arrived; the order is what was stored.
    fn restart(&mut self) {
        for (_, work) in std::mem::take(&mut self.out) {
            if self.random.one_in(2) {
                self.answer(&work, true);
            }
        }
        let stored = serde_json::to_string(&self.order).expect("writes");
        self.order = serde_json::from_str(&stored).expect("reads");
        self.command(&Command::Recover);
    }

    fn command(&mut self, command: &Command) {
        let Ok(events) = decide(&self.order, command, self.now) else { return };
        for event in &events {
            self.check_before(event);
            apply(&mut self.order, event, self.now);
            if matches!(event, Event::Ended(state) if *state != rollup(&self.order)) {
                panic!("the announced end is not the state that is shown");
            }
        }
        let live = self.order.ended_at.is_none();
        let waits = self.order.places().any(|(_, step)| step.is_open());
        assert!(!live || waits, "a live order waits for nothing: {:#?}", self.order);
    }

    fn check_before(&self, event: &Event) {
        match event {
            Event::StepStarted(place) => {
                if let Some(index) = place.business_order {
                    let requires = &self.order.business_orders[index].requires;
                    let done = |i: &usize| {
                        self.order.business_orders[*i].state == BusinessOrderState::Done
                    };
                    assert!(requires.iter().all(done), "ran before what it requires");
                }
            }
            Event::UndoStarted(place) => {
                let siblings = match place.business_order {
                    None => &self.order.steps,
                    Some(index) => &self.order.business_orders[index].steps,
                };
                let later = &siblings[place.step + 1..];
                assert!(
                    later.iter().all(|step| !step.needs_undo() && step.state != StepState::Undoing),
                    "undone before what ran after it"
                );
            }
            _ => {}
        }
    }

    fn check_end(&self) {
        let order = &self.order;
        assert!(rollup(order).is_terminal());
        let done = order.business_orders.iter().filter(|bo| bo.state == BusinessOrderState::Done);
        let delivered: i64 = done.clone().map(|bo| bo.charge.minor).sum();
        assert_eq!(order.captured - order.refunded, delivered, "money against delivery");
        assert_eq!(self.world.captured - self.world.refunded, delivered, "money outside");
        assert!(!self.world.held, "units held after the end");
        let used: usize = done.clone().map(|bo| bo.item_keys.len()).sum();
        assert_eq!(self.world.used.len(), used, "units used against delivery");
        let own = |capability| !matches!(capability, Capability::Allocation | Capability::Charge);
        let ran: usize = done.map(|bo| bo.steps.iter().filter(|s| own(s.capability)).count()).sum();
        assert_eq!(self.world.active.len(), ran, "services on against delivery");
    }
}

#[test]
fn every_order_ends_with_money_stock_and_services_as_delivered() {
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| Simulation::new(seed).run());
        assert!(outcome.is_ok(), "seed {seed} fails");
    }
}
