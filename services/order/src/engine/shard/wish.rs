//! What is asked of an order from outside: a command, a report of an outside system, news of its payment.

use std::sync::Arc;

use throughline_kit::error::Error;

use super::{Round, Shard, guarded};
use crate::decide::decide;
use crate::engine::{Ask, Wish};
use crate::error::OrderError;
use crate::event::{Command, Direction, Outcome};
use crate::order::{Order, OrderId, Place};
use crate::step::StepState;
use crate::template::Activity;
use crate::work::{payment_reference, reference};

impl Shard {
    pub(super) async fn ask(&mut self, ask: Ask, round: &mut Round) {
        let Ask { order_id, wish, answer } = ask;
        let granted = match self.find(&order_id, round).await {
            Ok(None) => self.grant(&order_id, wish, round).map(|()| None),
            Ok(Some(ended)) => self.after_the_end(ended, &wish).map(Some),
            Err(error) => Err(error),
        };
        match granted {
            Ok(None) => {
                round.touched.push(order_id.clone());
                round.answers.push((answer, order_id));
            }
            Ok(Some(ended)) => drop(answer.send(Ok(Arc::new(ended)))),
            Err(refusal) => {
                // What was decided before it was refused goes on all the same.
                round.touched.push(order_id);
                drop(answer.send(Err(refusal)));
            }
        }
    }

    /// Answers for an order that has ended: what is asked again is as it was, and nothing else can be done.
    fn after_the_end(&self, order: Order, wish: &Wish) -> Result<Order, Error> {
        match wish {
            Wish::Command(make, _) => {
                let standing = self.context.standing.load();
                decide(&order, &make(&order)?, self.surroundings(&standing))?;
            }
            Wish::Report { reference, outcome } => {
                settle_by_reference(&order, reference, outcome)?;
            }
            Wish::Payment { .. } => {}
        }
        Ok(order)
    }

    fn grant(&mut self, order_id: &OrderId, wish: Wish, round: &mut Round) -> Result<(), Error> {
        let order = self.current(order_id, round);
        match wish {
            Wish::Command(make, reply) => {
                let command = guarded(order, || make(order))?;
                let before = order.clone();
                self.decide(order_id, &command, round)?;
                if let Some(reply) = reply {
                    let after = self.current(order_id, round);
                    let now = self.context.clock.now();
                    let answer = guarded(&before, || reply(&before, after, now))?;
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
            Wish::Payment { reference, outcome } => {
                let pays = order.own_activity(Activity::Pay);
                let waits = |place: &Place| order.step(*place).state == StepState::Waiting;
                // That an earlier attempt never arrived says nothing of one whose call is out.
                let settles = !matches!(outcome, Outcome::NeverArrived(_));
                // A change of the order's lines, and a refusal, leave payment orders behind.
                let is_ours = reference == payment_reference(order);
                match pays.filter(|place| is_ours && (settles || waits(place))) {
                    Some(place) => self.decide(order_id, &news(place, outcome), round),
                    None => Ok(()),
                }
            }
        }
    }
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
    let found = order
        .places()
        .filter(|(_, step)| step.call().is_some())
        .find(|(place, _)| reference(order, *place, Direction::Do) == wanted);
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
        | StepState::Skipped
        | StepState::Failed
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => Err(OrderError::StepAlreadyEnded.into()),
    }
}
