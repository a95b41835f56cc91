//! Whether an order's money is what it should be: what was taken and not given back is the price of what was delivered.
//!
//! While an order runs its steps say what is due by now; once it has ended, what it delivered says it, whatever the steps say.

use throughline_kit::money::Money;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::order::Order;
use crate::step::{Step, StepState};
use crate::template::Activity;

/// What should have been taken and not given back by now; negative for what is paid back to the customer. `None` while money
/// of a return is on its way.
pub(crate) fn due(order: &Order) -> Option<Money> {
    let minor = if order.ended_at.is_some() {
        delivered(order)
    } else if order.is_delivering() {
        charged(order)?
    } else {
        paid_ahead(order)
    };
    Some(Money::new(order.currency, minor))
}

/// The money of the order is not what it should be.
pub(crate) fn differs(order: &Order) -> bool {
    due(order).is_some_and(|due| due.minor != order.captured - order.refunded)
}

/// The price of what was delivered and not taken back, less what returns pay back.
fn delivered(order: &Order) -> i64 {
    let all = &order.business_orders;
    let reversed = |index: usize| all.iter().any(|bo| bo.reverses == Some(index));
    let done = all.iter().enumerate().filter(|(_, bo)| bo.state == BusinessOrderState::Done);
    done.filter(|(_, bo)| bo.reverses.is_none())
        .map(|(index, bo)| match (has(bo, Activity::Refund), has(bo, Activity::Charge)) {
            (true, _) => -bo.charge.minor,
            (false, true) if !reversed(index) => bo.charge.minor,
            (false, _) => 0,
        })
        .sum()
}

/// What business orders hold of what was paid for them.
fn charged(order: &Order) -> Option<i64> {
    let mut sum = 0;
    for business_order in &order.business_orders {
        let minor = business_order.charge.minor;
        if has(business_order, Activity::Refund) {
            match business_order.state {
                BusinessOrderState::Planned
                | BusinessOrderState::Blocked
                | BusinessOrderState::Ready
                | BusinessOrderState::Cancelled => {}
                BusinessOrderState::Done => sum -= minor,
                BusinessOrderState::Running
                | BusinessOrderState::Exception
                | BusinessOrderState::Failed
                | BusinessOrderState::Compensating
                | BusinessOrderState::Compensated
                | BusinessOrderState::Stuck => return None,
            }
        }
        let is_planned = business_order.state == BusinessOrderState::Planned;
        for step in &business_order.steps {
            match step.activity() {
                Some(Activity::Charge) if is_planned || is_kept(step) => sum += minor,
                Some(Activity::MoneyBack) if step.state == StepState::Succeeded => sum -= minor,
                _ => {}
            }
        }
    }
    Some(sum)
}

/// What was paid before anything is delivered.
fn paid_ahead(order: &Order) -> i64 {
    let pays = order.own_activity(Activity::Pay).map(|place| order.step(place));
    let total = order.total.map_or(0, |total| total.minor);
    if pays.is_some_and(is_kept) { total } else { 0 }
}

/// Money was taken with the step, and is not given back yet.
fn is_kept(step: &Step) -> bool {
    matches!(step.state, StepState::Succeeded | StepState::Undoing | StepState::UndoFailed)
}

fn has(business_order: &BusinessOrder, activity: Activity) -> bool {
    business_order.steps.iter().any(|step| step.activity() == Some(activity))
}
