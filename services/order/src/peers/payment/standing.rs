//! How paying and giving back stand, read from what the payment center says.

use throughline_kit::clock::Instant;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::{AttemptOutcome, CloseReason, PaymentOrderState, RefundState};

use super::DOMAIN;
use crate::event::{Gain, Outcome};
use crate::failure::Failure;
use crate::follow_up::PAYMENT_EXPIRED;
use crate::peers::{money, unreadable};

/// Reason of an attempt that ended because its payment order was closed.
const CANCELLED: &str = "CANCELLED";

/// Reads from a payment order what became of paying it.
pub(super) fn standing(payment_order: proto::PaymentOrder) -> Outcome {
    let id = payment_order.payment_order_id.clone();
    match payment_order.state() {
        PaymentOrderState::Paid
        | PaymentOrderState::PartiallyRefunded
        | PaymentOrderState::Refunded => {
            match money(payment_order.captured.as_ref(), DOMAIN, "captured amount") {
                Ok(captured) => Outcome::Succeeded(Gain::Captured {
                    payment_order_id: id,
                    minor: captured.minor,
                }),
                Err(unreadable) => unreadable,
            }
        }
        PaymentOrderState::Closed => {
            let by_refusal = declined(&payment_order).filter(|refusal| {
                payment_order.close_reason() == CloseReason::Caller && refusal.reason != CANCELLED
            });
            let closed = || closed(payment_order.close_reason());
            Outcome::Declined(by_refusal.unwrap_or_else(closed))
        }
        PaymentOrderState::AwaitingPayer | PaymentOrderState::Created => {
            let declined = declined(&payment_order).map(Outcome::Declined);
            let ended =
                declined.or_else(|| never_arrived(&payment_order).map(Outcome::NeverArrived));
            ended.unwrap_or_else(|| pending(id, &payment_order))
        }
        PaymentOrderState::Processing | PaymentOrderState::Authorized => {
            pending(id, &payment_order)
        }
        PaymentOrderState::Closing => Outcome::Pending { token: id, ask_at: None },
        PaymentOrderState::Unspecified => unreadable(DOMAIN, "state"),
    }
}

fn closed(reason: CloseReason) -> Failure {
    let (reason, message) = match reason {
        CloseReason::Expired => (PAYMENT_EXPIRED, "the payer let the time pass"),
        CloseReason::Caller | CloseReason::Unspecified => {
            (PAYMENT_EXPIRED, "the payment was closed before it was made")
        }
    };
    Failure::new(reason, DOMAIN, message)
}

fn declined(payment_order: &proto::PaymentOrder) -> Option<Failure> {
    let last = payment_order.attempts.last()?;
    (last.outcome() == AttemptOutcome::Declined).then(|| {
        let message = format!("the channel {} refused the payment", last.payment_channel);
        Failure::heard(&last.decline_reason, DOMAIN, &message)
    })
}

/// The last try has ended without the channel having heard of it.
pub(super) fn never_arrived(payment_order: &proto::PaymentOrder) -> Option<Failure> {
    let last = payment_order.attempts.last()?;
    (last.outcome() == AttemptOutcome::NotAttempted).then(|| {
        let message = format!("the channel {} was not reached", last.payment_channel);
        Failure::new("CHANNEL_NOT_REACHED", DOMAIN, message)
    })
}

fn pending(id: String, payment_order: &proto::PaymentOrder) -> Outcome {
    let expires = payment_order.expire_time.as_ref().map(Instant::from_proto);
    Outcome::Pending { token: id, ask_at: expires }
}

pub(super) fn refund_standing(refund: Option<proto::Refund>) -> Outcome {
    let Some(refund) = refund else { return unreadable(DOMAIN, "refund") };
    match refund.state() {
        RefundState::Succeeded => match money(refund.amount.as_ref(), DOMAIN, "amount") {
            Ok(amount) => Outcome::Succeeded(Gain::Refunded(amount.minor)),
            Err(unreadable) => unreadable,
        },
        RefundState::Pending => Outcome::Pending { token: refund.refund_id, ask_at: None },
        RefundState::Failed => Outcome::Declined(Failure::heard(
            &refund.decline_reason,
            DOMAIN,
            "the channel refused the refund",
        )),
        RefundState::Unspecified => unreadable(DOMAIN, "state"),
    }
}
