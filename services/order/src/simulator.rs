//! A world from a seed in which many orders run at once through the pure core, with everything that can go wrong around them.
//!
//! ```text
//!  seed ─► Market: what is sold, by shipped and made-up templates
//!          Run, for each order: store ─ owner ─ old owner ─ calls that are out ─ news ─ persons
//!             │ decide, save                       │
//!             ▼                                    ▼
//!          Watch: what must hold after each event  World: every effect once, money, stock, services
//! ```
//!
//! It reads no clock and does no I/O, so a seed is a run: the one that fails fails again.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::hold::{Hold, HoldId, Window};
use crate::rollup::rollup;

mod catalog;
mod check;
mod market;
mod person;
mod random;
mod run;
mod scenario;
mod trace;
mod world;
mod writing;

use market::Market;
use random::Random;
use run::{Counts, Run};

#[cfg(test)]
pub(crate) use catalog::Catalog;
#[cfg(test)]
pub(crate) use scenario::{START, accepted, converged_lines, line};
#[cfg(test)]
pub(crate) use world::{Manner, World, failure};

/// Orders that run at a time.
const ORDERS_AT_A_TIME: usize = 32;
/// Pauses of templates and capabilities at a time at most.
const MAX_STANDING: usize = 3;
const HOUR: Duration = Duration::from_secs(3_600);

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationOptions {
    /// Decides everything that happens.
    pub seed: u64,
    /// Orders that run in it.
    pub orders: u32,
}

/// What happened in a simulation in which everything held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// The seed.
    pub seed: u64,
    /// Orders that ended, all of them.
    pub orders: u32,
    /// Events that were applied and checked.
    pub events: u64,
    /// Times that an owner lost its memory.
    pub crashes: u64,
    /// Times that another owner took an order.
    pub moves: u64,
    /// Saves that were refused because another owner had stored something newer.
    pub refused_saves: u64,
    /// Operations of persons that the order refused.
    pub refused_commands: u64,
    /// Orders by the state in which they ended.
    pub ended: BTreeMap<&'static str, u32>,
}

impl fmt::Display for SimulationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: all held for {} orders", self.seed, self.orders)?;
        writeln!(
            f,
            "{} events, {} crashes, {} moves, {} saves and {} operations refused",
            self.events, self.crashes, self.moves, self.refused_saves, self.refused_commands
        )?;
        self.ended.iter().try_for_each(|(state, count)| writeln!(f, "{count:>8} {state}"))
    }
}

/// Something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationFailure {
    /// The seed that shows it.
    pub seed: u64,
    /// The order to which it happened.
    pub order_id: String,
    /// What did not hold.
    pub what: String,
    /// What happened to the order before, oldest first, at most the last 50 notes; then how it stands.
    pub trace: Vec<String>,
}

impl fmt::Display for SimulationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, order {}: {}", self.seed, self.order_id, self.what)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for SimulationFailure {}

/// Runs orders from a seed until all have ended, and checks after every event what must hold.
///
/// # Errors
///
/// The first thing that did not hold, with the order and what happened to it.
pub fn simulate(options: SimulationOptions) -> Result<SimulationReport, SimulationFailure> {
    let mut simulation = Simulation::open(options)?;
    while simulation.turn()? {}
    Ok(simulation.report)
}

/// What a defect of the core said that made it panic.
fn panicked(cause: &(dyn Any + Send)) -> String {
    let said = cause.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| cause.downcast_ref::<&str>().copied());
    format!("it panics: {}", said.unwrap_or("without a word"))
}

struct Simulation {
    options: SimulationOptions,
    random: Random,
    market: Market,
    runs: Vec<Run>,
    begun: u32,
    standing: Vec<Hold>,
    report: SimulationReport,
}

impl Simulation {
    fn open(options: SimulationOptions) -> Result<Self, SimulationFailure> {
        let mut random = Random::new(options.seed);
        let market = Market::open(&mut random).map_err(|what| SimulationFailure {
            seed: options.seed,
            order_id: String::new(),
            what,
            trace: Vec::new(),
        })?;
        let report = SimulationReport { seed: options.seed, ..SimulationReport::default() };
        let (runs, standing) = (Vec::new(), Vec::new());
        Ok(Self { options, random, market, runs, begun: 0, standing, report })
    }

    /// One thing happens to one order; false when all have ended.
    fn turn(&mut self) -> Result<bool, SimulationFailure> {
        while self.runs.len() < ORDERS_AT_A_TIME && self.begun < self.options.orders {
            self.begun += 1;
            let name = format!("{}-{}", self.options.seed, self.begun);
            self.runs.push(Run::new(&self.market, self.random.fork(), &name));
        }
        if self.runs.is_empty() {
            return Ok(false);
        }
        self.change_standing();
        let index = self.random.below(self.runs.len());
        let run = &mut self.runs[index];
        let turned = catch_unwind(AssertUnwindSafe(|| run.turn(&self.market, &mut self.standing)));
        turned.unwrap_or_else(|cause| Err(panicked(&*cause))).map_err(|what| {
            SimulationFailure {
                seed: self.options.seed,
                order_id: run.stored.id.to_string(),
                what,
                trace: run.trace.lines(&run.stored),
            }
        })?;
        if run.has_ended() {
            let ended = self.runs.swap_remove(index);
            self.count(&ended);
        }
        Ok(true)
    }

    /// A template or a capability stands still for all orders, or goes on.
    fn change_standing(&mut self) {
        if self.standing.len() < MAX_STANDING && self.random.one_in(3_000) {
            let number = self.random.next().to_string();
            let scope = self.market.standing_scope(&mut self.random);
            let window = self.window();
            self.standing.push(Hold {
                id: HoldId::derive(&["standing", &number]),
                scope,
                reason: "maintenance".to_owned(),
                operator: "operator:anna".to_owned(),
                placed_at: scenario::START,
                window,
            });
        } else if !self.standing.is_empty() && self.random.one_in(1_000) {
            self.standing.remove(0);
        }
    }

    /// Half of the pauses end by themselves, at a time that some orders reach and others have passed.
    fn window(&mut self) -> Window {
        if self.random.one_in(2) {
            return Window::default();
        }
        let mut hours = |most| HOUR * u32::try_from(self.random.below(most)).unwrap_or(0);
        let starts_at = scenario::START.plus(hours(24));
        Window { starts_at, ends_at: Some(starts_at.plus(hours(48))), ramp: hours(24) }
    }

    fn count(&mut self, run: &Run) {
        let Counts { events, crashes, moves, refused_saves, refused_commands } = run.counts;
        let report = &mut self.report;
        report.orders += 1;
        report.events += events;
        report.crashes += crashes;
        report.moves += moves;
        report.refused_saves += refused_saves;
        report.refused_commands += refused_commands;
        *report.ended.entry(rollup(&run.stored).as_str()).or_default() += 1;
    }
}
