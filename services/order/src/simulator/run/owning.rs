//! Owners of a simulated order: they crash, another takes it, and the old one goes on for a while.

use std::sync::Arc;

use super::{Owner, Run};
use crate::decide::{Surroundings, decide};
use crate::event::Command;
use crate::flow;
use crate::hold::Hold;
use crate::order::Order;
use crate::work::Work;

impl Run {
    /// Memory and answers are lost; calls that were out may have arrived.
    pub(super) fn crash(&mut self, standing: &[Hold]) -> Result<(), String> {
        self.trace.fault(self.now, "the owner crashes");
        self.counts.crashes += 1;
        self.lose_answers()?;
        self.owner = self.read()?;
        self.command(Command::Recover, standing)
    }

    pub(super) fn lose_answers(&mut self) -> Result<(), String> {
        for out in std::mem::take(&mut self.owner.out) {
            if out.answer.is_none() && self.random.one_in(2) {
                let manner = self.manner(&out.work);
                self.world.perform(&out.order, &out.work, manner, self.now)?;
            }
        }
        Ok(())
    }

    /// The order as it is stored, to somebody who knows nothing of it.
    pub(super) fn read(&self) -> Result<Owner, String> {
        let document = serde_json::to_string(&*self.stored).map_err(|cause| cause.to_string())?;
        let mut order: Order =
            serde_json::from_str(&document).map_err(|cause| cause.to_string())?;
        let find = |name: &str, version| self.world.catalog().find(name, version);
        flow::resolve(&mut order, find).map_err(|missing| format!("{missing:?} is not there"))?;
        // What is not stored says whether there is something to store.
        order.tasks_changed = self.stored.tasks_changed;
        order.marks_changed = self.stored.marks_changed;
        order.positions_changed = self.stored.positions_changed;
        order.cancellations_changed = self.stored.cancellations_changed;
        if order != *self.stored {
            return Err("it is read as another one than was stored".to_owned());
        }
        Ok(Owner { order: Arc::new(order), out: Vec::new() })
    }

    /// Another owner takes the order, and the old one goes on for a while.
    pub(super) fn move_away(&mut self, standing: &[Hold]) -> Result<(), String> {
        self.trace.fault(self.now, "another one owns it");
        self.counts.moves += 1;
        let mut out = Vec::new();
        for mut call in std::mem::take(&mut self.owner.out) {
            if call.answer.is_none() && self.random.one_in(2) {
                let manner = self.manner(&call.work);
                let answer = self.world.perform(&call.order, &call.work, manner, self.now)?;
                call.answer = Some(answer);
            }
            out.extend(call.answer.is_some().then_some(call));
        }
        let order = Arc::clone(&self.owner.order);
        self.old = Some(Owner { order, out });
        self.owner = self.read()?;
        self.command(Command::Recover, standing)
    }

    /// The old owner hears an answer, decides, and cannot store it unless nobody else stored anything.
    pub(super) fn act_as_old(&mut self, standing: &[Hold]) -> Result<(), String> {
        let Some(mut old) = self.old.take() else { return Ok(()) };
        let Some(out) = old.out.pop() else { return Ok(()) };
        let Some(outcome) = out.answer else { return Ok(()) };
        let Work { place, direction, .. } = out.work;
        let command = Command::Settle { place, direction, outcome };
        let around = Surroundings { now: self.now, standing, measured: &self.measured };
        let Ok(Some(decided)) = decide(&old.order, &command, around) else {
            self.old = Some(old);
            return Ok(());
        };
        self.trace.fault(self.now, "the old owner decides");
        if self.save(&command, &old.order, decided)? {
            old.order = Arc::clone(&self.stored);
            self.old = Some(old);
        }
        Ok(())
    }
}
