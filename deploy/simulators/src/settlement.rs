//! How an operation comes out: pure rules, the same for every system.

use throughline_kit::money::Money;

use crate::error::Refusal;
use crate::method::{Method, Role};
use crate::operation::{Operation, State};

/// Something that really happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) method: Method,
    pub(crate) reference: String,
    pub(crate) order_id: String,
    /// False for a refusal.
    pub(crate) succeeded: bool,
    /// Money that moved.
    pub(crate) amount: Option<Money>,
}

/// What else changes with an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetChange {
    /// The target never arrived; now it never can.
    Add(Operation),
    /// The target stands differently.
    Update(Operation),
}

/// How an operation came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The operation; for a cancel of a charge the charge.
    pub(crate) operation: Operation,
    /// What became of the operation that it refers to.
    pub(crate) target: Option<TargetChange>,
    /// What happened; `None` when there was nothing to do.
    pub(crate) effect: Option<Effect>,
}

impl Operation {
    /// Refuses it for good.
    pub(crate) fn decline(mut self, reason: &str) -> Settled {
        self.state = State::Declined;
        reason.clone_into(&mut self.reason);
        let effect = self.effect(false, None);
        Settled { operation: self, target: None, effect: Some(effect) }
    }

    fn succeed(mut self, target: Option<TargetChange>, effect: Option<Effect>) -> Settled {
        self.state = State::Succeeded;
        Settled { operation: self, target, effect }
    }

    fn effect(&self, succeeded: bool, amount: Option<Money>) -> Effect {
        Effect {
            method: self.method,
            reference: self.reference.clone(),
            order_id: self.order_id.clone(),
            succeeded,
            amount,
        }
    }

    /// One that can never happen any more, so that it is refused should it still arrive.
    fn never(method: Method, reference: String, order_id: String) -> Self {
        Self { state: State::Cancelled, ended: true, ..Self::asked(method, reference, order_id) }
    }

    fn cancelled(&self) -> Self {
        Self { state: State::Cancelled, ended: true, ..self.clone() }
    }
}

/// Lets an operation happen, given how its target stands.
pub(crate) fn settle(asked: Operation, target: Option<&Operation>) -> Result<Settled, Refusal> {
    match asked.method.role() {
        Role::Begin => {
            let effect = asked.effect(true, None);
            Ok(asked.succeed(None, Some(effect)))
        }
        Role::End { began_by } => Ok(end(asked, target, began_by)),
        Role::Charge => Ok(charge(asked)),
        Role::Capture => capture(asked, target),
        Role::CancelCharge => cancel_charge(&asked, target),
        Role::Refund => Ok(refund(asked, target)),
    }
}

fn end(asked: Operation, target: Option<&Operation>, began_by: Method) -> Settled {
    let Some(begun) = target else {
        let reference = asked.target.clone().unwrap_or_default();
        let never = Operation::never(began_by, reference, asked.order_id.clone());
        return asked.succeed(Some(TargetChange::Add(never)), None);
    };
    match begun.state {
        State::Pending if begun.method == began_by => {
            let change = TargetChange::Update(begun.cancelled());
            asked.succeed(Some(change), None)
        }
        State::Succeeded if begun.method == began_by && !begun.ended => {
            // It keeps its first outcome: whoever asks again hears that it had succeeded.
            let change = TargetChange::Update(Operation { ended: true, ..begun.clone() });
            let effect = asked.effect(true, None);
            asked.succeed(Some(change), Some(effect))
        }
        State::Pending | State::Succeeded | State::Declined | State::Cancelled => {
            asked.succeed(None, None)
        }
    }
}

fn charge(mut asked: Operation) -> Settled {
    let moved = asked.amount.filter(|_| !asked.authorize_only);
    asked.captured_minor = moved.map_or(0, |money| money.minor);
    let effect = asked.effect(true, moved);
    asked.succeed(None, Some(effect))
}

fn capture(asked: Operation, target: Option<&Operation>) -> Result<Settled, Refusal> {
    let charge_reference = || asked.target.clone().unwrap_or_default();
    let charge = target
        .filter(|charge| charge.method == Method::Charge)
        .ok_or_else(|| Refusal::ChargeNotFound(charge_reference()))?;
    let capturable = charge.state == State::Succeeded
        && charge.authorize_only
        && charge.captured_minor == 0
        && fits(asked.amount, charge.amount);
    if !capturable {
        return Err(Refusal::NotCapturable {
            charge_reference: charge_reference(),
            state: charge.state,
            captured_minor: charge.captured_minor,
        });
    }
    let captured_minor = asked.amount.map_or(0, |money| money.minor);
    let change = TargetChange::Update(Operation { captured_minor, ..charge.clone() });
    let effect = asked.effect(true, asked.amount);
    Ok(asked.succeed(Some(change), Some(effect)))
}

fn fits(asked: Option<Money>, available: Option<Money>) -> bool {
    match (asked, available) {
        (Some(asked), Some(available)) => {
            asked.currency == available.currency && asked.minor <= available.minor
        }
        _ => false,
    }
}

fn cancel_charge(asked: &Operation, target: Option<&Operation>) -> Result<Settled, Refusal> {
    let reference = asked.target.clone().unwrap_or_default();
    let Some(charge) = target else {
        let never = Operation::never(Method::Charge, reference, asked.order_id.clone());
        let change = Some(TargetChange::Add(never.clone()));
        return Ok(Settled { operation: never, target: change, effect: None });
    };
    if charge.method != Method::Charge {
        return Err(Refusal::ReferenceTaken { field: "charge_reference", first: charge.method });
    }
    if !can_be_cancelled(charge) {
        return Ok(Settled { operation: charge.clone(), target: None, effect: None });
    }
    let cancelled = charge.cancelled();
    let effect = Effect { reference, ..asked.effect(true, None) };
    let change = Some(TargetChange::Update(cancelled.clone()));
    Ok(Settled { operation: cancelled, target: change, effect: Some(effect) })
}

/// Whether a charge is alive and its money not taken.
pub(crate) fn can_be_cancelled(charge: &Operation) -> bool {
    match charge.state {
        State::Pending => true,
        State::Succeeded => charge.captured_minor == 0,
        State::Declined | State::Cancelled => false,
    }
}

fn refund(asked: Operation, target: Option<&Operation>) -> Settled {
    if asked.target.is_none() {
        let effect = asked.effect(true, asked.amount);
        return asked.succeed(None, Some(effect));
    }
    let Some(charge) = target.filter(|charge| charge.method == Method::Charge) else {
        return asked.decline("CHARGE_NOT_FOUND");
    };
    let (Some(back), Some(charged)) = (asked.amount, charge.amount) else {
        return asked.decline("NOT_REFUNDABLE");
    };
    if charge.captured_minor == 0 {
        return asked.decline("NOT_REFUNDABLE");
    }
    if back.currency != charged.currency {
        return asked.decline("CURRENCY_MISMATCH");
    }
    if back.minor > charge.captured_minor - charge.refunded_minor {
        return asked.decline("AMOUNT_EXCEEDS_REFUNDABLE");
    }
    let refunded_minor = charge.refunded_minor + back.minor;
    let change = TargetChange::Update(Operation { refunded_minor, ..charge.clone() });
    let effect = asked.effect(true, asked.amount);
    asked.succeed(Some(change), Some(effect))
}

#[cfg(test)]
mod tests;
