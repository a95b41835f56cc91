//! What must hold after every event of every order.

use std::collections::{BTreeSet, HashMap};

use throughline_kit::clock::Instant;

use super::market::Market;
use super::world::World;
use crate::apply::apply;
use crate::business_order::BusinessOrderState;
use crate::event::{Command, Event, Operation};
use crate::order::{Order, OrderState};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::step::StepState;
use crate::template::FailurePolicy;
use crate::work::{Work, next_due};

mod ending;
mod passage;
mod preview;
mod times;
mod turn;

use preview::Preview;

/// Calls that differ in nothing but in being repeated: which one it is, and what it asks for.
type Requests = HashMap<(String, &'static str), String>;

/// One who watches an order and remembers what must not change.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    requests: Requests,
    /// Business orders that something may take along: a cancel, or a failure whose policy reaches them.
    doomed: BTreeSet<usize>,
    preview: Option<Preview>,
    ended: Option<OrderState>,
}

impl Watch {
    /// Checks every event of one decision, and that they lead to what was decided.
    pub(super) fn commit(
        &mut self,
        before: &Order,
        command: &Command,
        events: &[Event],
        after: &Order,
        now: Instant,
    ) -> Result<(), String> {
        if let Some(state) = self.ended {
            return Err(format!("{events:?} happens after the end, {state:?}"));
        }
        self.look_ahead(before, command, events);
        let mut order = before.clone();
        for event in events {
            turn::check(&order, event, command)?;
            self.check_reach(&order, event)?;
            let held = times::held(&order);
            let states = passage::states(&order, event);
            apply(&mut order, event, now);
            passage::check(&order, event, states)?;
            times::check(&order, event, held, now)?;
            self.doom(&order, event);
            if let Event::Ended(state) = event {
                self.ended = Some(*state);
            }
            let state = rollup(&order);
            if self.ended.is_some_and(|ended| ended != state) {
                return Err(format!("it ended as {:?} and is shown as {state:?}", self.ended));
            }
        }
        order.version = after.version;
        if order != *after {
            return Err("its events lead to another order than was decided".to_owned());
        }
        if rollup(after).is_terminal() != after.ended_at.is_some() {
            return Err(format!("it is {:?} and has no end", rollup(after)));
        }
        Ok(())
    }

    /// Remembers what a preview says at the moment of a cancel.
    fn look_ahead(&mut self, before: &Order, command: &Command, events: &[Event]) {
        let Command::Operate { operation, .. } = command else { return };
        if events.is_empty() || !before.is_delivering() {
            return;
        }
        let trigger = match operation {
            Operation::Cancel => Trigger::CancelOrder,
            Operation::CancelParts(parts) => Trigger::CancelParts(parts.clone()),
            _ => return,
        };
        let plan = plan(before, &trigger);
        let parts = plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse);
        self.doomed.extend(parts);
        if trigger == Trigger::CancelOrder {
            self.doomed.extend(0..before.business_orders.len());
        }
        self.preview = Some(Preview::new(before, plan));
    }

    /// What is taken back must be within reach of what failed or was cancelled.
    fn check_reach(&self, order: &Order, event: &Event) -> Result<(), String> {
        let index = match event {
            Event::BusinessOrderMoved {
                index,
                state: BusinessOrderState::Cancelled | BusinessOrderState::Compensating,
                ..
            } if order.business_orders[*index].state != BusinessOrderState::Stuck => *index,
            Event::ReversalAsked(index) | Event::Withdrawn(index) => *index,
            _ => return Ok(()),
        };
        let all_of_it = order.dismissal.is_some() || order.cancel_reason.is_some();
        if self.doomed.contains(&index) || all_of_it {
            return Ok(());
        }
        Err(format!("business order {index} is taken back, and nothing that failed reaches it"))
    }

    fn doom(&mut self, order: &Order, event: &Event) {
        match event {
            Event::CancelRequested { .. } => self.doomed.extend(0..order.business_orders.len()),
            Event::PolicyDecided { index, policy } => {
                // More is taken back than when the preview was made.
                if let Some(preview) = &mut self.preview {
                    preview.is_clear = false;
                }
                if *policy == FailurePolicy::Whole {
                    self.doomed.extend(0..order.business_orders.len());
                }
                let mut reached = vec![*index];
                while let Some(next) = reached.pop() {
                    if self.doomed.insert(next) || next == *index {
                        let all = order.business_orders.iter().enumerate();
                        let more = all.filter(|(_, bo)| bo.requires.contains(&next));
                        reached.extend(more.map(|(index, _)| index));
                    }
                }
            }
            Event::ChangeApplied => self.doomed.clear(),
            _ => {}
        }
    }

    /// One request id never asks for two things.
    pub(super) fn call(&mut self, order: &Order, work: &Work) -> Result<(), String> {
        let step = order.step(work.place);
        let generation = (step.generation, step.id.as_str(), work.direction);
        let content = format!("{:?} {generation:?} {:?}", work.task, step.undo_reason);
        let key = (work.request_id.clone(), turn::kind(&work.task));
        let first = self.requests.entry(key).or_insert_with(|| content.clone());
        if *first == content {
            return Ok(());
        }
        Err(format!("request {} asks for {first}, then for {content}", work.request_id))
    }

    /// A live order waits for something: a call, a time, an event, a person, or the end of a pause.
    pub(super) fn waits(&self, order: &Order, is_out: bool, now: Instant) -> Result<(), String> {
        let waits = |(_, step): (_, &crate::step::Step)| {
            step.waits_inside() || step.task.is_some() || step.state == StepState::Waiting
        };
        let live = order.ended_at.is_none();
        if live
            && !is_out
            && order.holds.is_empty()
            && next_due(order, now).is_none()
            && !order.places().any(waits)
        {
            return Err("it is live and waits for nothing".to_owned());
        }
        Ok(())
    }

    /// Checks what is left when the order has ended.
    pub(super) fn end(&self, order: &Order, world: &World, market: &Market) -> Result<(), String> {
        ending::check(order, world, market)?;
        self.preview.as_ref().map_or(Ok(()), |preview| preview.check(order))
    }
}
