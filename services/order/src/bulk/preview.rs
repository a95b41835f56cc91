//! What a bulk would do to an order, by the decision that would be made.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;

use super::action::Action;
use super::{Outcome, convert as bulk_convert};
use crate::announce::announce;
use crate::convert;
use crate::decide::{Surroundings, decide};
use crate::duration::Measured;
use crate::event::{By, Command};
use crate::failure::Failure;
use crate::hold::{Hold, HoldId};
use crate::order::{Order, OrderState};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;

/// Says what would be done.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    pub(super) action: &'a Action,
    pub(super) by: By,
    /// Pauses of templates and capabilities.
    pub(super) standing: &'a [Hold],
    pub(super) now: Instant,
}

/// Who would do it.
pub(super) fn actor(caller: &Caller) -> By {
    let actor = format!("{}:{}", caller.kind.as_str().to_lowercase(), caller.name);
    By { actor, reason: "preview".to_owned() }
}

impl Sampler<'_> {
    /// What would be done to one order.
    pub(super) fn sample(&self, order: &Order) -> proto::BulkSample {
        let sample = |outcome, state: OrderState| proto::BulkSample {
            order_id: order.id.to_string(),
            outcome: bulk_convert::outcome(outcome).into(),
            state_after: convert::order_state(state).into(),
            ..proto::BulkSample::default()
        };
        match self.events(order) {
            Ok((state, events)) => {
                let plan = (*self.action == Action::Cancel)
                    .then(|| convert::plan(order, &plan(order, &Trigger::CancelOrder)));
                proto::BulkSample { events, plan, ..sample(Outcome::Done, state) }
            }
            Err(error) => {
                let refusal = Some(convert::failure(&refusal(&error)));
                proto::BulkSample { refusal, ..sample(Outcome::Refused, rollup(order)) }
            }
        }
    }

    /// The state right after, and the types of the events that would be told.
    fn events(&self, order: &Order) -> Result<(OrderState, Vec<String>), Error> {
        let operations = self.action.operations(order, &HoldId::generate())?;
        let command = Command::OperateEach { operations, by: self.by.clone() };
        let measured = &Measured::default();
        let around = Surroundings { now: self.now, standing: self.standing, measured };
        let Some(decided) = decide(order, &command, around)? else {
            return Ok((rollup(order), Vec::new()));
        };
        let told = |event| announce(&decided.order, event, self.now);
        let kinds = decided.events.iter().filter_map(told).map(|told| told.kind.to_owned());
        Ok((rollup(&decided.order), kinds.collect()))
    }
}

/// Why an order refuses, as it is kept and shown.
pub(super) fn refusal(error: &Error) -> Failure {
    Failure::heard(&error.reason, &error.domain, &error.message)
}
