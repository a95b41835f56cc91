//! Domain → protobuf.

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;
use throughline_proto::payment::v1 as proto;

use crate::attempt::{Attempt, Outcome};
use crate::payment_order::{CloseReason, PaymentOrder, Phase, State};
use crate::refund::{Refund, RefundState};

/// Writes a payment order as the contract shows it.
pub(crate) fn payment_order(order: &PaymentOrder) -> proto::PaymentOrder {
    let currency = order.amount.currency;
    let close_reason = match order.phase {
        Phase::Open => proto::CloseReason::Unspecified,
        Phase::Closing(reason) | Phase::Closed(reason) => match reason {
            CloseReason::Expired => proto::CloseReason::Expired,
            CloseReason::Caller => proto::CloseReason::Caller,
        },
    };
    proto::PaymentOrder {
        payment_order_id: order.id.to_string(),
        state: state(order.state()).into(),
        order_id: order.order_id.clone(),
        reference: order.reference.clone(),
        payer_id: order.payer_id.clone(),
        amount: Some(order.amount.to_proto()),
        captured: Some(Money::new(currency, order.captured_minor).to_proto()),
        refunded: Some(
            Money::new(currency, order.refunding_minor + order.refunded_minor).to_proto(),
        ),
        attempts: order.attempts.iter().map(|a| attempt(a, order.amount)).collect(),
        expire_time: Some(order.expire_at.to_proto()),
        create_time: Some(order.created_at.to_proto()),
        update_time: Some(order.updated_at.to_proto()),
        close_reason: close_reason.into(),
    }
}

fn state(state: State) -> proto::PaymentOrderState {
    match state {
        State::Created => proto::PaymentOrderState::Created,
        State::AwaitingPayer => proto::PaymentOrderState::AwaitingPayer,
        State::Processing => proto::PaymentOrderState::Processing,
        State::Authorized => proto::PaymentOrderState::Authorized,
        State::Paid => proto::PaymentOrderState::Paid,
        State::PartiallyRefunded => proto::PaymentOrderState::PartiallyRefunded,
        State::Refunded => proto::PaymentOrderState::Refunded,
        State::Closing => proto::PaymentOrderState::Closing,
        State::Closed => proto::PaymentOrderState::Closed,
    }
}

fn attempt(attempt: &Attempt, amount: Money) -> proto::PaymentAttempt {
    let outcome = match attempt.outcome {
        // Nobody knows what became of a call whose answer is not stored.
        Outcome::Created | Outcome::Unknown => proto::AttemptOutcome::Unknown,
        Outcome::Pending => proto::AttemptOutcome::Pending,
        Outcome::Authorized | Outcome::Captured => proto::AttemptOutcome::Succeeded,
        Outcome::Declined => proto::AttemptOutcome::Declined,
        Outcome::NotAttempted => proto::AttemptOutcome::NotAttempted,
    };
    proto::PaymentAttempt {
        attempt_id: attempt.id.to_string(),
        payment_channel: attempt.channel.as_str().to_owned(),
        outcome: outcome.into(),
        amount: Some(amount.to_proto()),
        decline_reason: attempt.decline_reason.clone(),
        create_time: Some(attempt.created_at.to_proto()),
        update_time: Some(attempt.updated_at.to_proto()),
        next_query_time: attempt.next_query_at.map(Instant::to_proto),
    }
}

/// Writes a refund as the contract shows it.
pub(crate) fn refund(refund: &Refund) -> proto::Refund {
    let state = match refund.state {
        RefundState::Pending => proto::RefundState::Pending,
        RefundState::Succeeded => proto::RefundState::Succeeded,
        RefundState::Failed => proto::RefundState::Failed,
    };
    let charge = refund.charge.as_ref();
    proto::Refund {
        refund_id: refund.id.to_string(),
        payment_order_id: charge.map(|c| c.payment_order_id.to_string()).unwrap_or_default(),
        state: state.into(),
        amount: Some(refund.amount.to_proto()),
        order_id: refund.order_id.clone(),
        payer_id: refund.payer_id.clone(),
        reason: refund.reason.clone(),
        create_time: Some(refund.created_at.to_proto()),
        end_time: refund.ended_at.map(Instant::to_proto),
        decline_reason: refund.decline_reason.clone(),
    }
}
