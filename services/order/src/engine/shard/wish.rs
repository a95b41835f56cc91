//! What is asked of an order from outside: a command, a report of an outside system, news of its payment.

use std::sync::Arc;

use throughline_kit::error::Error;
use throughline_kit::idempotency::{FirstAnswer, RequestKey};
use throughline_proto::order::v1 as proto;

use super::{Round, Shard};
use crate::convert;
use crate::decide::decide;
use crate::engine::{Ask, Wish};
use crate::error::OrderError;
use crate::event::{Command, Direction, Outcome};
use crate::order::{Order, OrderId, Place};
use crate::plan::{Trigger, plan};
use crate::step::{Capability, StepState};
use crate::work::reference;

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
            Err(refusal) => drop(answer.send(Err(refusal))),
        }
    }

    /// Answers for an order that has ended: what is asked again is as it was, and nothing else can be done.
    fn after_the_end(&self, order: Order, wish: &Wish) -> Result<Order, Error> {
        match wish {
            Wish::Command(command, _) => {
                decide(&order, command, self.context.clock.now())?;
            }
            Wish::Report { reference, outcome } => {
                settle_by_reference(&order, reference, outcome)?;
            }
            Wish::Payment(_) => {}
        }
        Ok(order)
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
