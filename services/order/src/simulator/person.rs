//! Persons around a simulated order: what they want of it at random, and what they do to bring it to its end.

use std::collections::BTreeMap;

use super::market::Market;
use super::random::Random;
use crate::event::{By, Command, Operation};
use crate::hold::{HoldId, HoldScope};
use crate::order::{Change, Order, Place};
use crate::signal::Signal;
use crate::step::{Step, StepState};
use crate::task::{TaskId, TaskKind};
use crate::template::{FormFieldType, StepWork};

/// Events that steps of made-up and shipped templates wait for.
pub(crate) const EVENTS: [&str; 3] = ["line.ready", "construction.finished", "group.completed"];
/// The event that refuses what made-up steps wait for.
pub(crate) const REFUSAL: &str = "line.refused";
const ACTORS: [&str; 2] = ["operator:anna", "operator:bo"];

/// A person asks for it.
pub(crate) fn asks(actor: &str, operation: Operation) -> Command {
    let reason = "simulated".to_owned();
    Command::Operate { operation, by: By { actor: actor.to_owned(), reason } }
}

/// Something that a person wants at random, sensible or not.
pub(crate) fn whim(random: &mut Random, market: &Market, order: &Order) -> Command {
    let place = any_place(random, order);
    let parts = order.business_orders.len();
    let operation = match random.below(24) {
        0 => Operation::Cancel,
        1 | 2 if parts > 0 => {
            let count = 1 + random.below(2);
            Operation::CancelParts((0..count).map(|_| random.below(parts)).collect())
        }
        3 => Operation::Change(Change {
            items: market.lines(random).into(),
            requested_start_at: order.requested_start_at,
            reason: "other lines".to_owned(),
        }),
        4 | 5 => {
            let number = random.next().to_string();
            Operation::Pause(HoldId::derive(&["simulated", &number]), scope(random, order))
        }
        6 => Operation::Resume(scope(random, order)),
        7 | 8 => Operation::Retry(place),
        9 => Operation::Skip(place),
        10 => Operation::Substitute(place),
        11 | 12 => Operation::Rerun(place),
        13 => Operation::ProveUndone(stuck(order).unwrap_or(place)),
        14 => Operation::Prioritize(u8::try_from(random.below(10)).expect("it is below ten")),
        15 => Operation::Urge,
        16..=18 => return signal(random, order),
        _ => match random.any(&tasks(order)) {
            Some((place, id)) => on_task(random, order.step(*place), id),
            None => Operation::Urge,
        },
    };
    let actor = *random.pick(&ACTORS);
    asks(actor, operation)
}

fn any_place(random: &mut Random, order: &Order) -> Place {
    let all = order.places().count();
    let (place, _) = order.places().nth(random.below(all)).expect("it is below their number");
    place
}

fn scope(random: &mut Random, order: &Order) -> HoldScope {
    match random.below(4) {
        // Most of those who let something go on know what stands still.
        0 | 1 if !order.holds.is_empty() => random.pick(&order.holds).scope.clone(),
        2 if !order.business_orders.is_empty() => {
            HoldScope::BusinessOrder(random.below(order.business_orders.len()))
        }
        3 => HoldScope::Step(any_place(random, order)),
        _ => HoldScope::Order,
    }
}

fn signal(random: &mut Random, order: &Order) -> Command {
    let event = if random.one_in(6) { REFUSAL } else { *random.pick(&EVENTS) };
    let parts = order.business_orders.len();
    let business_order = (parts > 0 && random.one_in(3)).then(|| random.below(parts));
    Command::Signal(Signal { event: event.to_owned(), data: BTreeMap::new(), business_order })
}

fn tasks(order: &Order) -> Vec<(Place, TaskId)> {
    let open = order.places().filter_map(|(place, step)| Some((place, step.task.as_ref()?)));
    open.map(|(place, task)| (place, task.id.clone())).collect()
}

fn on_task(random: &mut Random, step: &Step, id: &TaskId) -> Operation {
    let id = id.clone();
    match random.below(6) {
        0 => Operation::Claim(id),
        1 => Operation::Release(id),
        2 => Operation::Complete(id, BTreeMap::from([("ok".to_owned(), "perhaps".to_owned())])),
        _ => {
            let says = *random.pick(&["RETRY", "SKIP", "BRANCH", "WHOLE", "PERHAPS"]);
            let agrees = !random.one_in(4);
            Operation::Complete(id, form(step, says, agrees))
        }
    }
}

/// Fills in the form of a step's task.
fn form(step: &Step, decision: &str, agrees: bool) -> BTreeMap<String, String> {
    let decides = step.task.as_ref().is_some_and(|task| task.kind == TaskKind::Decision);
    let StepWork::Manual(manual) = &step.definition().work else {
        return BTreeMap::from([("decision".to_owned(), decision.to_owned())]);
    };
    if decides {
        return BTreeMap::from([("decision".to_owned(), decision.to_owned())]);
    }
    let fill = |kind: &FormFieldType| match kind {
        FormFieldType::Bool => agrees.to_string(),
        FormFieldType::Text => "as it should be".to_owned(),
        FormFieldType::Number => "7".to_owned(),
        FormFieldType::Date => "2026-01-01".to_owned(),
        FormFieldType::Choice(options) => options.first().cloned().unwrap_or_default(),
    };
    manual.form.iter().map(|field| (field.name.clone(), fill(&field.kind))).collect()
}

/// A step whose undo was refused.
fn stuck(order: &Order) -> Option<Place> {
    let mut stuck = order.places().filter(|(_, step)| step.state == StepState::UndoFailed);
    stuck.next().map(|(place, _)| place)
}

/// What a person does to bring the order to its end, if there is anything to do but to wait.
pub(crate) fn help(random: &mut Random, order: &Order) -> Option<Command> {
    if let Some(hold) = order.holds.iter().find(|hold| !hold.is_standing()) {
        return Some(asks(ACTORS[0], Operation::Resume(hold.scope.clone())));
    }
    if let Some((place, id)) = tasks(order).into_iter().next() {
        let step = order.step(place);
        let task = step.task.as_ref()?;
        let actor = task.claimed_by.as_deref().unwrap_or(ACTORS[0]);
        // A step may be one that neither goes on nor back: whoever decides tries what is left.
        let says = *random.pick(&["RETRY", "RETRY", "SKIP", "BRANCH"]);
        return Some(asks(actor, Operation::Complete(id, form(step, says, true))));
    }
    let awaited = order.places().find_map(|(place, step)| match &step.definition().work {
        StepWork::Wait(wait) if step.state == StepState::Waiting => {
            Some((wait.event.clone(), place.business_order))
        }
        _ => None,
    });
    awaited.map(|(event, business_order)| {
        Command::Signal(Signal { event, data: BTreeMap::new(), business_order })
    })
}
