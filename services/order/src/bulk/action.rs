//! What a bulk does with each order: the operations that a person could ask for alone.

use std::collections::{BTreeMap, BTreeSet};

use throughline_kit::error::{Error, Violations};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BulkAction, BulkDecision};

use super::{BulkError, matching};
use crate::error::OrderError;
use crate::event::Operation;
use crate::hold::{HoldId, HoldScope};
use crate::mark::{is_stuck_at, signature};
use crate::order::{MAX_PRIORITY, Order, Place};
use crate::rollup::rollup;
use crate::store::Filter;
use crate::task::{Decision, TaskKind};

/// What is wanted of which orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Which.
    pub(super) filter: Filter,
    /// What of each.
    pub(super) action: Action,
}

/// What is done with each order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Cancel,
    Pause,
    Resume,
    Retry(Aim),
    Skip(Aim),
    Decide(Option<Aim>, Decision),
    Prioritize(u8),
    Urge,
}

/// Which steps of an order are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Those with this id that wait or have failed.
    Step(String),
    /// Those with an exception of this signature.
    Exception(String),
}

impl Wanted {
    /// Reads filter and operation, and notes what is wrong with them.
    pub(crate) fn read(
        filter: Option<&proto::BulkFilter>,
        operation: Option<&proto::BulkOperation>,
        wrong: &mut Violations,
    ) -> Option<Self> {
        let filter = filter.cloned().unwrap_or_default();
        let aim = Aim::of(&filter);
        let filter = matching::read(filter, wrong);
        let action = action(&operation.copied().unwrap_or_default(), aim, wrong);
        Some(Self { filter: filter?, action: action? })
    }
}

fn action(
    operation: &proto::BulkOperation,
    aim: Option<Aim>,
    wrong: &mut Violations,
) -> Option<Action> {
    let priority = || u8::try_from(operation.priority?).ok().filter(|level| *level <= MAX_PRIORITY);
    match operation.action() {
        BulkAction::Cancel => Some(Action::Cancel),
        BulkAction::Pause => Some(Action::Pause),
        BulkAction::Resume => Some(Action::Resume),
        BulkAction::Urge => Some(Action::Urge),
        BulkAction::Retry => aimed(aim, Action::Retry, wrong),
        BulkAction::Skip => aimed(aim, Action::Skip, wrong),
        BulkAction::Decide => match decision(operation.decision()) {
            Some(decision) => Some(Action::Decide(aim, decision)),
            None => {
                wrong.add("operation.decision", "must be RETRY, SKIP, BRANCH or WHOLE for DECIDE");
                None
            }
        },
        BulkAction::SetPriority => match priority() {
            Some(priority) => Some(Action::Prioritize(priority)),
            None => {
                let what = format!("must be 0 to {MAX_PRIORITY} for SET_PRIORITY");
                wrong.add("operation.priority", what);
                None
            }
        },
        BulkAction::Unspecified => {
            wrong.add("operation.action", "must say what is done with each order");
            None
        }
    }
}

fn aimed(aim: Option<Aim>, make: fn(Aim) -> Action, wrong: &mut Violations) -> Option<Action> {
    if aim.is_none() {
        let what = "RETRY and SKIP need a filter with step_id or exception: it names the step";
        wrong.add("operation.action", what);
    }
    aim.map(make)
}

fn decision(decision: BulkDecision) -> Option<Decision> {
    match decision {
        BulkDecision::Unspecified => None,
        BulkDecision::Retry => Some(Decision::Retry),
        BulkDecision::Skip => Some(Decision::Skip),
        BulkDecision::Branch => Some(Decision::Branch),
        BulkDecision::Whole => Some(Decision::Whole),
    }
}

impl Aim {
    fn of(filter: &proto::BulkFilter) -> Option<Self> {
        match (filter.step_id.as_str(), filter.exception.as_str()) {
            ("", "") => None,
            ("", exception) => Some(Self::Exception(exception.to_owned())),
            (step, _) => Some(Self::Step(step.to_owned())),
        }
    }

    /// The steps of the order that are meant.
    fn places(&self, order: &Order) -> Vec<Place> {
        let is_meant = |place: Place| {
            let step = order.step(place);
            match self {
                Self::Step(id) => step.id == *id && is_stuck_at(step),
                Self::Exception(wanted) => {
                    signature(order, place, step).is_some_and(|found| found == *wanted)
                }
            }
        };
        order.places().map(|(place, _)| place).filter(|place| is_meant(*place)).collect()
    }

    fn missed(&self) -> BulkError {
        match self {
            Self::Step(id) => BulkError::StepNotWaiting(id.clone()),
            Self::Exception(signature) => BulkError::ExceptionGone(signature.clone()),
        }
    }
}

impl Action {
    /// The operations on one order as it is now, or why there are none. `hold` is the id of a pause.
    pub(super) fn operations(&self, order: &Order, hold: &HoldId) -> Result<Vec<Operation>, Error> {
        let state = rollup(order);
        if state.is_terminal() {
            return Err(OrderError::Terminal(state).into());
        }
        Ok(match self {
            Self::Cancel => vec![Operation::Cancel],
            Self::Pause => vec![Operation::Pause(hold.clone(), HoldScope::Order)],
            Self::Resume => vec![Operation::Resume(HoldScope::Order)],
            Self::Prioritize(priority) => vec![Operation::Prioritize(*priority)],
            Self::Urge => vec![Operation::Urge],
            Self::Retry(aim) => on_each(order, aim, Operation::Retry)?,
            Self::Skip(aim) => on_each(order, aim, Operation::Skip)?,
            Self::Decide(aim, decision) => decisions(order, aim.as_ref(), *decision)?,
        })
    }
}

fn on_each(
    order: &Order,
    aim: &Aim,
    operation: fn(Place) -> Operation,
) -> Result<Vec<Operation>, BulkError> {
    let places = aim.places(order);
    if places.is_empty() {
        return Err(aim.missed());
    }
    Ok(places.into_iter().map(operation).collect())
}

fn decisions(
    order: &Order,
    aim: Option<&Aim>,
    decision: Decision,
) -> Result<Vec<Operation>, BulkError> {
    let meant: Option<Vec<Place>> = aim.map(|aim| aim.places(order));
    let ends_all = matches!(decision, Decision::Branch | Decision::Whole);
    let mut ended = BTreeSet::new();
    let mut operations = Vec::new();
    for (place, step) in order.places() {
        let open = step.task.as_ref().filter(|task| task.kind == TaskKind::Decision);
        let Some(task) = open else { continue };
        if meant.as_ref().is_some_and(|meant| !meant.contains(&place)) {
            continue;
        }
        // What is undone as a whole is decided about once.
        if ends_all && !ended.insert(place.business_order) {
            continue;
        }
        let form = BTreeMap::from([("decision".to_owned(), decision.as_str().to_owned())]);
        operations.push(Operation::Complete(task.id.clone(), form));
    }
    match (operations.is_empty(), aim) {
        (false, _) => Ok(operations),
        (true, Some(aim)) => Err(aim.missed()),
        (true, None) => Err(BulkError::NoOpenDecision),
    }
}
