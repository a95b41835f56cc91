//! What a plan may do, for any business orders in any states.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::run::{Run, nothing};
use crate::business_order::BusinessOrderState::{
    self, Blocked, Cancelled, Compensated, Compensating, Done, Exception, Planned, Ready, Running,
};
use crate::order::Order;
use crate::plan::{Plan, Trigger, plan};
use crate::rollup::rollup;
use crate::step::StepState;
use crate::template::FailurePolicy;

/// Business orders of one order.
const COUNT: usize = 4;

const STATES: [BusinessOrderState; 9] =
    [Planned, Blocked, Ready, Running, Exception, Done, Cancelled, Compensating, Compensated];

/// How a business order stands, what it requires, and whether it is done for good and can be taken back.
#[derive(Clone, Debug)]
struct Part {
    state: BusinessOrderState,
    requires: Vec<bool>,
    is_final: bool,
    has_reversal: bool,
}

fn part() -> impl Strategy<Value = Part> {
    let state = prop::sample::select(&STATES[..]);
    let requires = prop::collection::vec(any::<bool>(), COUNT);
    (state, requires, any::<bool>(), any::<bool>()).prop_map(
        |(state, requires, is_final, has_reversal)| Part {
            state,
            requires,
            is_final,
            has_reversal,
        },
    )
}

fn prepared() -> Order {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, Order::is_delivering);
    run.order
}

fn order(prepared: &Order, parts: &[Part]) -> Order {
    let mut order = prepared.clone();
    let template = order.business_orders[0].template.clone();
    for (index, part) in parts.iter().enumerate() {
        let business_order = &mut order.business_orders[index];
        business_order.state = part.state;
        // One requires only those before it, so there is no circle.
        business_order.requires = (0..index).filter(|other| part.requires[*other]).collect();
        business_order.reversal = part.has_reversal.then(|| template.clone());
        let has_begun = matches!(part.state, Running | Exception | Done);
        for step in &mut business_order.steps {
            let is_share = step.activity().is_some();
            let mut definition = step.definition().clone();
            definition.point_of_no_return = part.is_final && !is_share;
            step.definition = crate::step::Definition(std::sync::Arc::new(definition));
            step.state = match part.state {
                Planned => StepState::Scheduled,
                Cancelled | Compensated => StepState::Undone,
                _ if is_share || has_begun => StepState::Succeeded,
                _ => StepState::Scheduled,
            };
        }
    }
    order
}

fn all_of(plan: &Plan) -> Vec<usize> {
    let parts = plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse).chain(&plan.keep);
    parts.copied().collect()
}

fn check(order: &Order, plan: &Plan) -> Result<(), TestCaseError> {
    let all = &order.business_orders;
    let named = all_of(plan);
    let once: BTreeSet<usize> = named.iter().copied().collect();
    prop_assert_eq!(once.len(), named.len(), "each is named once: {:?}", plan);
    for (index, business_order) in all.iter().enumerate() {
        prop_assert_eq!(once.contains(&index), !business_order.is_withdrawn(), "{}", index);
    }
    for index in &plan.cancel {
        prop_assert!(!all[*index].has_run(), "{} ran", index);
    }
    for index in &plan.undo {
        prop_assert!(!all[*index].is_past_point_of_no_return(), "{} is for good", index);
    }
    for index in &plan.reverse {
        prop_assert!(all[*index].reversal.is_some() && all[*index].is_past_point_of_no_return());
    }
    for (place, index) in plan.undo.iter().enumerate() {
        let later = &plan.undo[place + 1..];
        let depends = later.iter().find(|other| all[**other].requires.contains(index));
        prop_assert_eq!(depends, None, "{} is undone before what requires it", index);
    }
    for index in &plan.keep {
        let gone = |before: &&usize| !plan.keep.contains(*before) && !all[**before].is_withdrawn();
        let missing = all[*index].requires.iter().find(gone);
        prop_assert_eq!(missing, None, "{} stays, and what it requires does not", index);
    }
    let taken = plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse);
    let minor: i64 = taken.map(|index| all[*index].charge.minor).sum();
    prop_assert_eq!(plan.refund.map_or(0, |money| money.minor), minor);
    Ok(())
}

#[test]
fn a_plan_names_each_part_once_and_takes_back_dependents_first() {
    let prepared = prepared();
    proptest!(|(parts in prop::collection::vec(part(), COUNT), chosen in 0..COUNT)| {
        let order = order(&prepared, &parts);
        for trigger in [Trigger::CancelOrder, Trigger::CancelParts(vec![chosen])] {
            check(&order, &plan(&order, &trigger))?;
        }
    });
}

#[test]
fn a_cancel_of_parts_reaches_what_requires_them_and_nothing_else() {
    let prepared = prepared();
    proptest!(|(parts in prop::collection::vec(part(), COUNT), chosen in 0..COUNT)| {
        let order = order(&prepared, &parts);
        let plan = plan(&order, &Trigger::CancelParts(vec![chosen]));
        let mut reached = BTreeSet::from([chosen]);
        for (index, business_order) in order.business_orders.iter().enumerate() {
            if business_order.requires.iter().any(|before| reached.contains(before)) {
                reached.insert(index);
            }
        }
        for index in plan.cancel.iter().chain(&plan.undo).chain(&plan.reverse) {
            prop_assert!(reached.contains(index), "{} is beyond reach", index);
        }
    });
}

#[test]
fn a_plan_of_very_many_ways_through_the_parts_ends() {
    let mut order = prepared();
    let one = order.business_orders[0].clone();
    // Each requires the two before it: more ways lead to the last than anybody could walk.
    order.business_orders = (0..200_usize)
        .map(|index| {
            let requires = (index.saturating_sub(2)..index).collect();
            crate::business_order::BusinessOrder { requires, ..(*one).clone() }.into()
        })
        .collect();
    let planned = plan(&order, &Trigger::CancelOrder);
    assert_eq!(planned.undo, (0..200).rev().collect::<Vec<_>>());
}

#[test]
fn the_state_of_any_parts_is_one_and_terminal_only_when_all_ended() {
    let prepared = prepared();
    proptest!(|(parts in prop::collection::vec(part(), COUNT), cancel in any::<bool>())| {
        let mut order = order(&prepared, &parts);
        order.cancel_reason = cancel.then(|| "no longer wanted".to_owned());
        let ended = order.business_orders.iter().all(|bo| bo.has_ended());
        prop_assert_eq!(rollup(&order).is_terminal(), ended);
    });
}
