//! Pauses: what one covers does not start, and its times stand still.

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;

use crate::order::{Order, Place};
use crate::step::{Frozen, Step};

mod window;

pub(crate) use window::Window;

throughline_kit::define_id!(
    /// Id of a pause.
    HoldId,
    "hld"
);

/// Pauses of one order at a time at most.
pub(crate) const MAX_HOLDS_PER_ORDER: usize = 64;

/// Pauses of templates and capabilities at a time at most.
pub(crate) const MAX_STANDING_HOLDS: usize = 256;

/// What a pause covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HoldScope {
    /// The whole order.
    Order,
    /// One business order, by index.
    BusinessOrder(usize),
    /// One step.
    Step(Place),
    /// All that runs by a template.
    Template(String),
    /// All steps that call a method.
    Capability(String),
}

/// One pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    /// Id.
    pub(crate) id: HoldId,
    /// What it covers.
    pub(crate) scope: HoldScope,
    /// Why.
    pub(crate) reason: String,
    /// Who.
    pub(crate) operator: String,
    /// Since when it is known.
    pub(crate) placed_at: Instant,
    /// When it begins and ends by itself.
    #[serde(default)]
    pub(crate) window: Window,
}

impl Hold {
    /// It stands for all orders, and is not one of this order alone.
    pub(crate) fn is_standing(&self) -> bool {
        matches!(self.scope, HoldScope::Template(_) | HoldScope::Capability(_))
    }

    /// It is one of a business order, or of a step of one.
    pub(crate) fn is_of_a_part(&self) -> bool {
        match &self.scope {
            HoldScope::BusinessOrder(_) => true,
            HoldScope::Step(place) => place.business_order.is_some(),
            HoldScope::Order | HoldScope::Template(_) | HoldScope::Capability(_) => false,
        }
    }

    /// It covers the step.
    pub(crate) fn covers(&self, order: &Order, place: Place) -> bool {
        match &self.scope {
            HoldScope::Order => true,
            HoldScope::BusinessOrder(index) => place.business_order == Some(*index),
            HoldScope::Step(step) => *step == place,
            HoldScope::Template(name) => order.template_of(place.business_order) == name,
            HoldScope::Capability(method) => order.step(place).method() == method,
        }
    }

    /// It covers a business order as a whole, or the order's own steps.
    fn covers_all(&self, order: &Order, business_order: Option<usize>) -> bool {
        match &self.scope {
            HoldScope::Order => true,
            HoldScope::BusinessOrder(index) => business_order == Some(*index),
            HoldScope::Template(name) => order.template_of(business_order) == name,
            HoldScope::Step(_) | HoldScope::Capability(_) => false,
        }
    }

    /// It covers something of the order.
    pub(crate) fn concerns(&self, order: &Order) -> bool {
        order.places().any(|(place, _)| self.covers(order, place))
    }
}

impl Order {
    /// A pause covers the step.
    pub(crate) fn is_held(&self, place: Place) -> bool {
        self.holds.iter().any(|hold| hold.covers(self, place))
    }

    /// A pause covers the business order as a whole, or the order's own steps.
    pub(crate) fn is_held_as_a_whole(&self, business_order: Option<usize>) -> bool {
        self.holds.iter().any(|hold| hold.covers_all(self, business_order))
    }

    /// The whole order is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.holds.iter().any(|hold| hold.scope == HoldScope::Order)
    }

    /// Stops the times of steps that a pause covers, and lets those of others go on with what was left of them.
    pub(crate) fn keep_times(&mut self, now: Instant) {
        let has_times = |step: &Step| {
            let times = [step.next_at, step.deadline, step.remind_at];
            times.iter().any(Option::is_some) || step.frozen.is_some()
        };
        let timed = self.places().filter(|(_, step)| has_times(step));
        let timed: Vec<(Place, bool)> =
            timed.map(|(place, _)| (place, self.is_held(place))).collect();
        for (place, is_held) in timed {
            let step = self.step_mut(place);
            let deadline = step.deadline;
            let runs = [step.next_at, step.deadline, step.remind_at].iter().any(Option::is_some);
            if is_held && runs {
                let left = |at: Option<Instant>| at.map(|at| at.since(now));
                let before = step.frozen.take().unwrap_or_default();
                let (next, deadline) = (left(step.next_at.take()), left(step.deadline.take()));
                let remind = left(step.remind_at.take());
                step.frozen = Some(Frozen {
                    next: next.or(before.next),
                    deadline: deadline.or(before.deadline),
                    remind: remind.or(before.remind),
                });
            } else if !is_held && let Some(Frozen { next, deadline, remind }) = step.frozen.take() {
                step.next_at = step.next_at.or(next.map(|left| now.plus(left)));
                step.deadline = step.deadline.or(deadline.map(|left| now.plus(left)));
                step.remind_at = step.remind_at.or(remind.map(|left| now.plus(left)));
            }
            let moved = step.task.is_some() && step.deadline != deadline;
            self.tasks_changed |= moved;
        }
    }
}
