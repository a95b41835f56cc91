//! What a cancel or a failure does to the parts of an order. The executor carries it out and the preview shows it.

use std::collections::BTreeSet;

use throughline_kit::money::Money;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::order::{Order, Policy};
use crate::step::{Capability, StepState};

/// Why parts of an order are withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody cancels the order.
    CancelOrder,
    /// A business order failed.
    Failed(usize),
}

/// What is done to each business order, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// End without having run.
    pub(crate) cancel: Vec<usize>,
    /// Undone, in this order.
    pub(crate) undo: Vec<usize>,
    /// Stay as they are.
    pub(crate) keep: Vec<usize>,
    /// What goes back to the payer.
    pub(crate) refund: Option<Money>,
}

/// Makes the plan.
pub(crate) fn plan(order: &Order, trigger: Trigger) -> Plan {
    let can_go_back = |index: &usize| order.business_orders[*index].can_be_withdrawn();
    let affected: BTreeSet<usize> =
        affected(order, trigger).into_iter().filter(can_go_back).collect();
    let is_new = |index: &usize| {
        !order.business_orders[*index].is_withdrawn() || trigger == Trigger::Failed(*index)
    };
    let new: Vec<usize> = affected.iter().copied().filter(is_new).collect();
    let (mut undo, cancel): (Vec<usize>, Vec<usize>) =
        new.iter().copied().partition(|index| order.business_orders[*index].has_run());
    undo.sort_by_key(|index| (depth(order, *index), *index));
    undo.reverse();
    let keep = (0..order.business_orders.len())
        .filter(|i| !affected.contains(i) && !order.business_orders[*i].is_withdrawn())
        .collect();
    Plan { cancel, undo, keep, refund: refund(order, &new) }
}

fn affected(order: &Order, trigger: Trigger) -> BTreeSet<usize> {
    let all = 0..order.business_orders.len();
    let failed = match (trigger, order.policy) {
        (Trigger::CancelOrder, _) | (Trigger::Failed(_), Policy::Whole) => return all.collect(),
        (Trigger::Failed(index), Policy::Branch) => index,
    };
    let mut affected = BTreeSet::from([failed]);
    // Dependencies form no cycle, so this ends after at most one round for each business order.
    loop {
        let more: Vec<usize> = all
            .clone()
            .filter(|i| !affected.contains(i))
            .filter(|i| order.business_orders[*i].requires.iter().any(|r| affected.contains(r)))
            .collect();
        if more.is_empty() {
            return affected;
        }
        affected.extend(more);
    }
}

/// How many business orders stand before this one: those that ran later are undone earlier.
fn depth(order: &Order, index: usize) -> usize {
    let business_order = &order.business_orders[index];
    let before = business_order.requires.iter().chain(&business_order.after);
    before.map(|i| depth(order, *i) + 1).max().unwrap_or(0)
}

fn refund(order: &Order, affected: &[usize]) -> Option<Money> {
    let minor = if order.is_delivering() {
        affected.iter().map(|index| paid_share(&order.business_orders[*index])).sum()
    } else {
        order.captured - order.refunded
    };
    (minor > 0).then(|| Money::new(order.currency, minor))
}

fn paid_share(business_order: &BusinessOrder) -> i64 {
    let paid = business_order.state == BusinessOrderState::Planned
        || business_order.steps.iter().any(|step| {
            step.capability == Capability::Charge && step.state == StepState::Succeeded
        });
    let owed = business_order.steps.iter().any(|step| step.capability == Capability::Charge);
    if paid && owed { business_order.charge.minor } else { 0 }
}
