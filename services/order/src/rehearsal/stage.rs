//! The order on which a template is played, as it is when the template begins.

use std::collections::BTreeSet;

use throughline_kit::clock::Instant;

use super::assumption::Assumptions;
use crate::apply::apply;
use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::{Event, Preparation, PreparedBusinessOrder};
use crate::flow::{self, Pinned, own_steps};
use crate::order::Order;
use crate::shared::Shared;
use crate::step::{Step, StepState};
use crate::template::Activity;

/// Key of the only business order of an order that is made up.
const MADE_UP: &str = "made-up";

/// An order, and which part of it is played.
#[derive(Debug)]
pub(super) struct Stage {
    /// The order.
    pub(super) order: Order,
    /// Business order, by index; `None` for the order's own steps.
    pub(super) business_order: Option<usize>,
}

impl Stage {
    /// The steps that are played.
    pub(super) fn steps(&self) -> &[Step] {
        match self.business_order {
            None => &self.order.steps,
            Some(index) => &self.order.business_orders[index].steps,
        }
    }

    /// An order that begins with a template.
    pub(super) fn of_order(order: Order, template: Pinned) -> Self {
        let mut order = unspoiled(order);
        (order.captured, order.refunded) = (0, 0);
        order.steps = own_steps(&template);
        order.template = template;
        Self { order, business_order: None }
    }

    /// A stored order whose business order begins with a template.
    pub(super) fn of_business_order(
        order: Order,
        index: usize,
        template: Pinned,
        now: Instant,
    ) -> Self {
        let mut order = unspoiled(order);
        if order.business_orders[index].reverses.is_some() {
            // What it takes back stays as it is: its steps are what the template asks about.
            let business_order = &mut order.business_orders[index];
            business_order.steps = own_steps(&template);
            business_order.template = template;
            business_order.state = BusinessOrderState::Running;
            return Self { order, business_order: Some(index) };
        }
        let all: Vec<Shared<BusinessOrder>> =
            order.business_orders.iter().filter(|bo| bo.reverses.is_none()).cloned().collect();
        let keys = |indexes: &[usize]| indexes.iter().map(ToString::to_string).collect();
        let planned = |(at, bo): (usize, &Shared<BusinessOrder>)| PreparedBusinessOrder {
            key: at.to_string(),
            template: if at == index { template.clone() } else { bo.template.clone() },
            reversal: bo.reversal.clone(),
            item_keys: bo.item_keys.clone(),
            requires: keys(&bo.requires),
            after: keys(&bo.after),
        };
        let planned = all.iter().enumerate().map(planned).collect();
        begin(&mut order, planned, now);
        for (fresh, known) in order.business_orders.iter_mut().zip(&all) {
            fresh.id = known.id.clone();
        }
        stand(&mut order, index, now);
        Self { order, business_order: Some(index) }
    }

    /// An order that is made up, with one business order that begins with a template.
    pub(super) fn of_made_up_business(
        mut order: Order,
        assumptions: &Assumptions,
        template: Pinned,
        now: Instant,
    ) -> Self {
        let planned = PreparedBusinessOrder {
            key: MADE_UP.to_owned(),
            template,
            reversal: None,
            item_keys: assumptions.delivered(&order),
            requires: Vec::new(),
            after: Vec::new(),
        };
        begin(&mut order, vec![planned], now);
        stand(&mut order, 0, now);
        Self { order, business_order: Some(0) }
    }
}

/// The order as if nothing had gone wrong and nobody had asked for anything.
fn unspoiled(order: Order) -> Order {
    Order {
        dismissal: None,
        cancel_reason: None,
        change: None,
        failure: None,
        holds: Vec::new(),
        ended_at: None,
        ..order
    }
}

/// The order's own steps are done, and its business orders are planned anew.
fn begin(order: &mut Order, planned: Vec<PreparedBusinessOrder>, now: Instant) {
    order.steps.iter_mut().for_each(|step| succeed(step, now));
    let total = order.total.map_or(0, |total| total.minor);
    let pays = order.own_activity(Activity::Pay).is_some();
    (order.captured, order.refunded) = (if pays { total } else { 0 }, 0);
    let preparation = Preparation {
        items: order.item_plans.as_deref().unwrap_or_default().to_vec(),
        total: order.total.unwrap_or(throughline_kit::money::Money::zero(order.currency)),
        business_orders: planned,
    };
    order.business_orders = flow::business_orders(order, &preparation);
    for index in 0..order.business_orders.len() {
        let state = BusinessOrderState::Blocked;
        apply(order, &Event::BusinessOrderMoved { index, state, failure: None }, now);
    }
}

/// Those that come before the one that is played are done, those after it wait, and the others have begun.
fn stand(order: &mut Order, index: usize, now: Instant) {
    let all = &order.business_orders;
    let before =
        closure(index, |at| all[at].requires.iter().chain(&all[at].after).copied().collect());
    let after = closure(index, |at| (0..all.len()).filter(|of| all[*of].comes_after(at)).collect());
    for (at, business_order) in order.business_orders.iter_mut().enumerate() {
        business_order.state = if before.contains(&at) {
            business_order.steps.iter_mut().for_each(|step| succeed(step, now));
            BusinessOrderState::Done
        } else if after.contains(&at) {
            BusinessOrderState::Blocked
        } else {
            BusinessOrderState::Running
        };
    }
}

/// All that are reached from one, without itself. Dependencies form no cycle.
fn closure(from: usize, next: impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
    let (mut reached, mut open) = (BTreeSet::new(), next(from));
    while let Some(at) = open.pop() {
        if reached.insert(at) {
            open.extend(next(at));
        }
    }
    reached
}

/// A step that is done.
pub(super) fn succeed(step: &mut Step, now: Instant) {
    step.state = StepState::Succeeded;
    step.started_at.get_or_insert(now);
    step.ended_at.get_or_insert(now);
    step.task = None;
    step.failure = None;
}
