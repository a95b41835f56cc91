//! What a cancel or a failure does to the parts of an order. The executor carries it out and the preview shows it.

use std::collections::BTreeSet;

use throughline_kit::money::Money;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::follow_up::policy_of;
use crate::order::Order;
use crate::shared::Shared;
use crate::step::StepState;
use crate::template::{Activity, FailurePolicy};

/// Why parts of an order are withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody cancels the order.
    CancelOrder,
    /// Somebody cancels some business orders, by index, and with them those that require them.
    CancelParts(Vec<usize>),
    /// A business order failed.
    Failed(usize),
}

/// What is done to each business order, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// End without having run.
    pub(crate) cancel: Vec<usize>,
    /// Undone, in this order.
    pub(crate) undo: Vec<usize>,
    /// Taken back by a business order of their own: they are, or will be, done beyond their point of no return.
    pub(crate) reverse: Vec<usize>,
    /// Stay as they are.
    pub(crate) keep: Vec<usize>,
    /// Of those that stay: a person decides about them.
    pub(crate) needs_person: Vec<usize>,
    /// What goes back to the payer.
    pub(crate) refund: Option<Money>,
}

impl Plan {
    /// It does nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.cancel.is_empty() && self.undo.is_empty() && self.reverse.is_empty()
    }
}

/// Makes the plan.
pub(crate) fn plan(order: &Order, trigger: &Trigger) -> Plan {
    let all = &order.business_orders;
    let affected: BTreeSet<usize> = affected(order, trigger)
        .into_iter()
        .filter(|index| all[*index].reverses.is_none())
        .collect();
    let is_new = |index: &usize| !all[*index].is_withdrawn() || *trigger == Trigger::Failed(*index);
    let needed = needed(all, &affected);
    let goes_back = |index: &usize| all[*index].can_be_withdrawn() && !needed.contains(index);
    let new: Vec<usize> = affected.iter().copied().filter(goes_back).filter(is_new).collect();
    let is_reversed =
        |index: &usize| BusinessOrder::can_be_reversed(all, *index) && !needed.contains(index);
    let reverse: Vec<usize> = affected.iter().copied().filter(is_reversed).collect();
    let (mut undo, cancel): (Vec<usize>, Vec<usize>) =
        new.iter().copied().partition(|index| all[*index].has_run());
    if undo.len() > 1 {
        let depths = depths(all);
        undo.sort_by_key(|index| std::cmp::Reverse((depths[*index], *index)));
    }
    let stays = |index: &usize| {
        !new.contains(index) && !reverse.contains(index) && !all[*index].is_withdrawn()
    };
    let keep: Vec<usize> = (0..all.len()).filter(stays).collect();
    let decided = |index: &&usize| all[**index].state == BusinessOrderState::Exception;
    let needs_person = keep.iter().filter(decided).copied().collect();
    let refund = refund(order, &new, &reverse);
    Plan { cancel, undo, reverse, keep, needs_person, refund }
}

/// What stays because something needs it that cannot go back in any way: without it that would make no sense.
fn needed(all: &[Shared<BusinessOrder>], affected: &BTreeSet<usize>) -> BTreeSet<usize> {
    let stays = |index: &usize| {
        !all[*index].is_withdrawn()
            && !all[*index].can_be_withdrawn()
            && !BusinessOrder::can_be_reversed(all, *index)
            && !BusinessOrder::is_reversed(all, *index)
    };
    let mut open: Vec<usize> = affected.iter().copied().filter(stays).collect();
    let mut needed = BTreeSet::new();
    while let Some(index) = open.pop() {
        open.extend(all[index].requires.iter().filter(|before| needed.insert(**before)));
    }
    needed
}

fn affected(order: &Order, trigger: &Trigger) -> BTreeSet<usize> {
    let all = 0..order.business_orders.len();
    let begun: BTreeSet<usize> = match trigger {
        Trigger::CancelOrder => return all.collect(),
        Trigger::CancelParts(parts) => parts.iter().copied().collect(),
        Trigger::Failed(index) => {
            let failure = order.business_orders[*index].failure.as_ref();
            if policy_of(order, *index, failure) == FailurePolicy::Whole {
                return all.collect();
            }
            BTreeSet::from([*index])
        }
    };
    let mut affected = begun;
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

/// How many business orders stand before each, on the longest way: those that ran later are undone earlier.
fn depths(all: &[Shared<BusinessOrder>]) -> Vec<usize> {
    let mut depths = vec![None; all.len()];
    // Dependencies form no cycle, so each is reckoned once, after those before it.
    fn reckon(all: &[Shared<BusinessOrder>], index: usize, depths: &mut [Option<usize>]) -> usize {
        if let Some(known) = depths[index] {
            return known;
        }
        let before = all[index].requires.iter().chain(&all[index].after);
        let depth = before.map(|other| reckon(all, *other, depths) + 1).max().unwrap_or(0);
        depths[index] = Some(depth);
        depth
    }
    (0..all.len()).map(|index| reckon(all, index, &mut depths)).collect()
}

fn refund(order: &Order, withdrawn: &[usize], reversed: &[usize]) -> Option<Money> {
    let minor = if order.is_delivering() {
        let affected = withdrawn.iter().chain(reversed);
        affected.map(|index| paid_share(order, &order.business_orders[*index])).sum()
    } else {
        order.captured - order.refunded
    };
    (minor > 0).then(|| Money::new(order.currency, minor))
}

fn paid_share(order: &Order, business_order: &BusinessOrder) -> i64 {
    let charges =
        || business_order.steps.iter().filter(|step| step.activity() == Some(Activity::Charge));
    let paid = (business_order.state == BusinessOrderState::Planned && order.is_paid())
        || charges().any(|step| step.state == StepState::Succeeded);
    if paid && charges().next().is_some() { business_order.charge.minor } else { 0 }
}
