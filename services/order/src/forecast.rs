//! When an order is likely to be complete: along its critical path, by what was measured of such steps; and what will miss its
//! promise or its service level by that.

use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::duration::Measured;
use crate::event::Event;
use crate::mark::is_stuck_at;
use crate::order::Order;
use crate::step::{SlaState, Step, StepState};
use crate::template::{Activity, StepWork, Timer};

/// Half of all measured steps, in percent: what is to be expected.
pub(crate) const MEDIAN: u64 = 50;
/// Nine of ten measured steps, in percent: by these a promise is watched.
pub(crate) const CAUTIOUS: u64 = 90;

/// How long an order still takes if each step takes as long as this share of its like took at most; `None` when a step
/// that is to come was never measured.
pub(crate) fn remaining(
    order: &Order,
    measured: &Measured,
    percent: u64,
    now: Instant,
) -> Option<Duration> {
    let look = Look { measured, percent, now };
    let own = look.group(&order.template.name, &order.steps)?;
    let mut ends: Vec<Option<Duration>> = vec![None; order.business_orders.len()];
    let mut last = Duration::ZERO;
    // Dependencies form no cycle: each round finds at least one more.
    for _ in 0..order.business_orders.len() {
        for (index, business_order) in order.business_orders.iter().enumerate() {
            if ends[index].is_some() {
                continue;
            }
            let before = business_order.requires.iter().chain(&business_order.after);
            let begins = before.map(|i| ends[*i]).try_fold(Duration::ZERO, |a, b| Some(a.max(b?)));
            let Some(begins) = begins else { continue };
            let ends_at = begins + look.business_order(business_order)?;
            ends[index] = Some(ends_at);
            last = last.max(ends_at);
        }
    }
    Some(own + last)
}

struct Look<'a> {
    measured: &'a Measured,
    percent: u64,
    now: Instant,
}

impl Look<'_> {
    fn business_order(&self, business_order: &BusinessOrder) -> Option<Duration> {
        match business_order.state {
            BusinessOrderState::Done
            | BusinessOrderState::Cancelled
            | BusinessOrderState::Compensated => Some(Duration::ZERO),
            BusinessOrderState::Planned
            | BusinessOrderState::Blocked
            | BusinessOrderState::Ready
            | BusinessOrderState::Running
            | BusinessOrderState::Exception
            | BusinessOrderState::Failed
            | BusinessOrderState::Compensating
            | BusinessOrderState::Stuck => {
                self.group(&business_order.template.name, &business_order.steps)
            }
        }
    }

    /// Along the slowest way through the steps of a template.
    fn group(&self, template: &str, steps: &[Step]) -> Option<Duration> {
        let mut ends: Vec<Duration> = Vec::with_capacity(steps.len());
        for step in steps {
            // Steps stand after those that they come after.
            let begins = step.after.iter().map(|before| ends[*before]).max().unwrap_or_default();
            ends.push(begins + self.step(template, step)?);
        }
        Some(ends.into_iter().max().unwrap_or_default())
    }

    fn step(&self, template: &str, step: &Step) -> Option<Duration> {
        if !step.is_open() && step.state != StepState::Scheduled {
            return Some(Duration::ZERO);
        }
        let usual = self.usual(template, step);
        let since = step.started_at.map_or(Duration::ZERO, |at| self.now.since(at));
        // One that is only undone takes no time of its own.
        if step.activity().is_some_and(Activity::is_only_undone) {
            return Some(Duration::ZERO);
        }
        // What takes longer than usual is taken to be late for as long again: that it is overdue says that it is no usual one.
        usual.map(|usual| usual.abs_diff(since))
    }

    /// How long such a step takes.
    fn usual(&self, template: &str, step: &Step) -> Option<Duration> {
        match &step.definition().work {
            StepWork::Timer(Timer::For(span)) => Some(*span),
            StepWork::Timer(Timer::Until(_)) => {
                step.deadline.map(|at| at.since(step.started_at.unwrap_or(self.now)))
            }
            StepWork::Call(_) | StepWork::Wait(_) | StepWork::Manual(_) | StepWork::Activity(_) => {
                self.measured.quantile(template, &step.definition().id, self.percent)
            }
        }
    }

    /// When a step that stands still is expected to miss its service level, by the same reckoning: as soon as it is late for
    /// half of what its service level leaves beyond the usual time.
    fn misses_level_at(&self, template: &str, step: &Step) -> Option<Instant> {
        let is_watched = is_stuck_at(step)
            && step.is_open()
            && step.state != StepState::UndoFailed
            && step.sla != SlaState::Breached
            && !step.in_jeopardy;
        let sla = step.definition().sla.as_ref().filter(|_| is_watched)?;
        let started = step.started_at?;
        let usual = self.usual(template, step)?;
        let is_certain = usual > sla.breach;
        Some(if is_certain { started } else { started.plus((sla.breach + usual) / 2) })
    }
}

/// What follows for the promise of an order, and for the service levels of its steps.
pub(crate) fn watch(order: &Order, measured: &Measured, now: Instant) -> Option<Event> {
    if order.ended_at.is_some() {
        return None;
    }
    let look = Look { measured, percent: CAUTIOUS, now };
    let mut next: Option<Instant> = None;
    for (place, step) in order.places() {
        let template = order.template_of(place.business_order);
        let Some(at) = look.misses_level_at(template, step) else { continue };
        if at <= now {
            let breach = step.definition().sla.as_ref().map(|sla| sla.breach).unwrap_or_default();
            let note = format!("expected to take longer than the {} s allowed", breach.as_secs());
            return Some(Event::JeopardyFound { place: Some(place), note });
        }
        next = next.into_iter().chain([at]).min();
    }
    if let Some(promised) = order.promised_at.filter(|_| !order.in_jeopardy)
        && let Some(remaining) = remaining(order, measured, CAUTIOUS, now)
    {
        if now.plus(remaining) > promised {
            let late = now.plus(remaining).since(promised);
            let note = format!("expected {} s after the promised time", late.as_secs());
            return Some(Event::JeopardyFound { place: None, note });
        }
        let latest = now.plus(promised.since(now).saturating_sub(remaining));
        // Looked at again when the time is up that is left for what is under way.
        let at = latest.max(now.plus(Duration::from_secs(1)));
        next = next.into_iter().chain([at]).min();
    }
    (order.jeopardy_at != next).then_some(Event::Forecast(next))
}
