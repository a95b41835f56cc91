//! What a preview says is what then happens.

use crate::business_order::BusinessOrderState;
use crate::order::Order;
use crate::plan::Plan;
use crate::step::StepState;
use crate::template::Activity;

/// What was said at the moment of a cancel.
#[derive(Clone, Debug)]
pub(super) struct Preview {
    plan: Plan,
    refunded: i64,
    /// What was going back to the payer already.
    going: i64,
    /// Nothing failed since, and nothing was open that decides what can be taken back.
    pub(super) is_clear: bool,
}

impl Preview {
    /// Keeps what the plan says of the order as it is.
    pub(super) fn new(order: &Order, plan: Plan) -> Self {
        let all = &order.business_orders;
        let opens = |bo: &crate::business_order::BusinessOrder| {
            bo.steps.iter().any(|step| {
                let returns = step.activity() == Some(Activity::Refund);
                (step.is_final() && step.is_open()) || returns
            })
        };
        let awaits = all.iter().any(|bo| bo.state == BusinessOrderState::Failed);
        let is_clear = !order.parts().any(opens) && !awaits;
        Self { going: going(order, &plan), refunded: order.refunded, is_clear, plan }
    }

    /// Checks that the order ended so.
    pub(super) fn check(&self, order: &Order) -> Result<(), String> {
        let all = &order.business_orders;
        let wrong = |index: usize, said: &str| {
            Err(format!("business order {index} was to be {said} and is {:?}", all[index].state))
        };
        for index in &self.plan.cancel {
            if all[*index].state != BusinessOrderState::Cancelled {
                return wrong(*index, "cancelled");
            }
        }
        for index in &self.plan.undo {
            if all[*index].state != BusinessOrderState::Compensated {
                return wrong(*index, "undone");
            }
        }
        if !self.is_clear {
            return Ok(());
        }
        for index in &self.plan.reverse {
            let reversal = all.iter().find(|bo| bo.reverses == Some(*index));
            if reversal.is_none_or(|reversal| reversal.state != BusinessOrderState::Done) {
                return wrong(*index, "taken back");
            }
        }
        let said = self.plan.refund.map_or(0, |money| money.minor);
        let returned = order.refunded - self.refunded - self.going;
        if returned == said {
            return Ok(());
        }
        Err(format!("{said} was to go back to the payer, and {returned} did"))
    }
}

/// What goes back to the payer of what is being taken back already, and is not in the plan.
fn going(order: &Order, plan: &Plan) -> i64 {
    let all = &order.business_orders;
    let is_new = |index: &usize| plan.undo.contains(index) || plan.cancel.contains(index);
    let undone = all.iter().filter(|bo| bo.is_withdrawn()).filter(|bo| {
        bo.steps.iter().any(|step| {
            let is_share = step.activity() == Some(Activity::Charge);
            is_share && !matches!(step.state, StepState::Undone | StepState::Skipped)
        })
    });
    let reversed = all.iter().enumerate().filter(|(index, bo)| {
        if is_new(index) {
            return false;
        }
        let reversal = all.iter().find(|other| other.reverses == Some(*index));
        let is_back = reversal.is_some_and(|reversal| {
            let back = |step: &crate::step::Step| {
                step.activity() == Some(Activity::MoneyBack) && step.state == StepState::Succeeded
            };
            reversal.steps.iter().any(back)
        });
        let paid = |step: &crate::step::Step| {
            step.activity() == Some(Activity::Charge) && step.state == StepState::Succeeded
        };
        (bo.to_reverse || reversal.is_some()) && !is_back && bo.steps.iter().any(paid)
    });
    let undone: i64 = undone.map(|bo| bo.charge.minor).sum();
    undone + reversed.map(|(_, bo)| bo.charge.minor).sum::<i64>()
}
