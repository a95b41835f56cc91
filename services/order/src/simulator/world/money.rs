//! The payment center: what was taken from the payer and given back.

use std::collections::BTreeMap;

use throughline_kit::clock::Instant;

use super::{Manner, failure};
use crate::event::{Gain, Outcome};
use crate::follow_up::PAYMENT_EXPIRED;
use crate::order::Order;
use crate::work::payment_reference;

/// How one payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// The payer may pay so much.
    Open(i64),
    /// So much was taken.
    Paid(i64),
    /// Refused or closed: nothing is taken any more.
    Closed(&'static str),
}

/// One refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refund {
    UnderWay(i64),
    Done(i64),
    Refused(&'static str),
}

/// Payments and refunds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Money {
    /// By payment order.
    pub(crate) payments: BTreeMap<String, Payment>,
    /// By request id, with the payment order.
    refunds: BTreeMap<String, (String, Refund)>,
}

/// The payment order of the order as it is now: another one each time that it begins anew, or was refused.
fn payment_order_id(order: &Order) -> String {
    format!("pay_{}", payment_reference(order))
}

impl Payment {
    fn outcome(self, id: &str, ask_at: Option<Instant>) -> Outcome {
        match self {
            Self::Open(_) => Outcome::Pending { token: id.to_owned(), ask_at },
            Self::Paid(minor) => {
                Outcome::Succeeded(Gain::Captured { payment_order_id: id.to_owned(), minor })
            }
            Self::Closed(reason) => Outcome::Declined(failure(reason)),
        }
    }
}

impl Money {
    /// Taken from the payer.
    pub(crate) fn captured(&self) -> i64 {
        let paid = |payment: &Payment| match payment {
            Payment::Paid(minor) => *minor,
            Payment::Open(_) | Payment::Closed(_) => 0,
        };
        self.payments.values().map(paid).sum()
    }

    /// Given back to the payer.
    pub(crate) fn refunded(&self) -> i64 {
        self.refunds.values().map(|(_, refund)| Self::returned(*refund)).sum()
    }

    fn returned(refund: Refund) -> i64 {
        match refund {
            Refund::Done(minor) => minor,
            Refund::UnderWay(_) | Refund::Refused(_) => 0,
        }
    }

    /// A payer could still pay.
    pub(crate) fn is_open(&self) -> bool {
        self.payments.values().any(|payment| matches!(payment, Payment::Open(_)))
    }

    pub(super) fn pay(
        &mut self,
        order: &Order,
        minor: i64,
        manner: Manner,
        now: Instant,
    ) -> Outcome {
        let id = payment_order_id(order);
        let first = match manner {
            Manner::Grant => Payment::Paid(minor),
            Manner::Refuse(reason) => Payment::Closed(reason),
            Manner::Later => Payment::Open(minor),
        };
        let payment = *self.payments.entry(id.clone()).or_insert(first);
        payment.outcome(&id, Some(now.plus(order.payment.ttl)))
    }

    /// Nobody pays any more; it may have been paid before.
    pub(super) fn close(&mut self, order: &Order) -> Outcome {
        let id = payment_order_id(order);
        let closed = Payment::Closed(PAYMENT_EXPIRED);
        let payment = self.payments.entry(id.clone()).or_insert(closed);
        if matches!(payment, Payment::Open(_)) {
            *payment = closed;
        }
        payment.outcome(&id, None)
    }

    /// The payer pays, or the channel refuses; `None` where nothing is open.
    pub(super) fn payer_acts(&mut self, order: &Order, manner: Manner) -> Option<Outcome> {
        let id = payment_order_id(order);
        let payment = self.payments.get_mut(&id)?;
        let Payment::Open(minor) = *payment else { return None };
        *payment = match manner {
            Manner::Refuse(reason) => Payment::Closed(reason),
            Manner::Grant | Manner::Later => Payment::Paid(minor),
        };
        Some(payment.outcome(&id, None))
    }

    pub(super) fn refund(
        &mut self,
        request_id: &str,
        payment: &str,
        minor: i64,
        manner: Manner,
    ) -> Result<Outcome, String> {
        if let Some((_, refund)) = self.refunds.get(request_id) {
            return Ok(Self::told(request_id, *refund));
        }
        if minor <= 0 {
            return Err(format!("a refund of {minor}"));
        }
        let refund = match manner {
            Manner::Grant => Refund::Done(minor),
            Manner::Refuse(reason) => Refund::Refused(reason),
            Manner::Later => Refund::UnderWay(minor),
        };
        self.check(payment, minor)?;
        self.refunds.insert(request_id.to_owned(), (payment.to_owned(), refund));
        Ok(Self::told(request_id, refund))
    }

    /// No more goes back than was taken. What earlier orders paid is not known here.
    fn check(&self, payment: &str, minor: i64) -> Result<(), String> {
        if payment.is_empty() || payment.starts_with("pay-of-") {
            return Ok(());
        }
        let going = self.refunds.values().filter(|(of, _)| of == payment);
        let gone: i64 = going
            .map(|(_, refund)| match refund {
                Refund::UnderWay(minor) | Refund::Done(minor) => *minor,
                Refund::Refused(_) => 0,
            })
            .sum();
        match self.payments.get(payment) {
            Some(Payment::Paid(paid)) if gone + minor <= *paid => Ok(()),
            other => Err(format!("{minor} more than {gone} goes back of {payment}: {other:?}")),
        }
    }

    /// A refund that is under way ends when it is asked about.
    pub(super) fn ask(&mut self, refund_id: &str, manner: Manner) -> Result<Outcome, String> {
        let Some((_, refund)) = self.refunds.get_mut(refund_id) else {
            return Err(format!("{refund_id:?} is asked about, and is no refund"));
        };
        if let Refund::UnderWay(minor) = *refund {
            match manner {
                Manner::Grant => *refund = Refund::Done(minor),
                Manner::Refuse(reason) => *refund = Refund::Refused(reason),
                Manner::Later => {}
            }
        }
        Ok(Self::told(refund_id, *refund))
    }

    fn told(request_id: &str, refund: Refund) -> Outcome {
        match refund {
            Refund::UnderWay(_) => Outcome::Pending { token: request_id.to_owned(), ask_at: None },
            Refund::Done(minor) => Outcome::Succeeded(Gain::Refunded(minor)),
            Refund::Refused(reason) => Outcome::Declined(failure(reason)),
        }
    }
}
