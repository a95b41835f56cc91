//! Outside systems: services that are switched on and off, by our reference.

use std::collections::BTreeSet;

use super::{Answers, Manner, done, failure, reference};
use crate::event::{Direction, Outcome};
use crate::order::{Order, Place};
use crate::step::Step;

/// What outside systems did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {
    answers: Answers,
    /// References of what is on.
    pub(crate) on: BTreeSet<String>,
    ever_on: BTreeSet<String>,
}

/// What it does stands until it is undone; the rest leaves no trace.
pub(crate) fn leaves_trace(step: &Step) -> bool {
    step.has_undo() || step.is_final()
}

impl Services {
    /// Switches on, once for its reference.
    pub(super) fn call(&mut self, order: &Order, place: Place, manner: Manner) -> Outcome {
        let id = reference(order, place, Direction::Do);
        if let Some(first) = self.answers.get(&id) {
            return first.clone();
        }
        let first = match manner {
            Manner::Grant => self.switch_on(order.step(place), &id),
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Later => Outcome::Pending { token: String::new(), ask_at: None },
        };
        self.answers.insert(id, first.clone());
        first
    }

    fn switch_on(&mut self, step: &Step, id: &str) -> Outcome {
        if leaves_trace(step) {
            self.on.insert(id.to_owned());
            self.ever_on.insert(id.to_owned());
        }
        done()
    }

    /// Ends what was taken and not done yet; `None` where there is no such thing.
    pub(super) fn finish(
        &mut self,
        order: &Order,
        place: Place,
        manner: Manner,
    ) -> Option<Outcome> {
        let id = reference(order, place, Direction::Do);
        if !matches!(self.answers.get(&id), Some(Outcome::Pending { .. })) {
            return None;
        }
        let ended = match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => self.switch_on(order.step(place), &id),
        };
        self.answers.insert(id, ended.clone());
        Some(ended)
    }

    /// How a call ended, if it ever arrived.
    pub(super) fn ask(&self, order: &Order, place: Place) -> Outcome {
        let id = reference(order, place, Direction::Do);
        let never = || Outcome::NeverArrived(failure("REFERENCE_NOT_FOUND"));
        self.answers.get(&id).cloned().unwrap_or_else(never)
    }

    /// A person switches off what is on.
    pub(super) fn switch_off(&mut self, order: &Order, place: Place) {
        self.on.remove(&reference(order, place, Direction::Do));
    }

    /// Switches off what is on.
    pub(super) fn undo(
        &mut self,
        order: &Order,
        place: Place,
        manner: Manner,
    ) -> Result<Outcome, String> {
        let id = reference(order, place, Direction::Undo);
        let undone = reference(order, place, Direction::Do);
        let step = order.step(place);
        if (step.call().is_some() && !self.ever_on.contains(&undone)) || step.attempts == 0 {
            return Err(format!("{} is undone, and never ran", step.id));
        }
        if let Some(first) = self.answers.get(&id) {
            return Ok(first.clone());
        }
        let first = match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => {
                self.on.remove(&undone);
                done()
            }
        };
        self.answers.insert(id, first.clone());
        Ok(first)
    }
}
