//! Calls to the payment center.

use throughline_kit::client::CallContext;
use throughline_kit::clock::{Instant, span_to_proto};
use throughline_kit::id::derived_uuid;
use throughline_kit::money::Money;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::payment::v1::{AttemptOutcome, CloseReason, PaymentOrderState, RefundState};

use super::{Peers, money, outcome, unreadable};
use crate::event::{Gain, Outcome};
use crate::follow_up::PAYMENT_EXPIRED;
use crate::order::{Failure, Order};
use crate::step::Capability;

const DOMAIN: &str = "payment";
/// Reason of an attempt that ended because its payment order was closed.
const CANCELLED: &str = "CANCELLED";

impl Peers {
    /// Says what is owed, then tries to take it. Both calls answer a repetition with their first answer, so when that is
    /// that the channel was never reached, the step that runs again starts another try.
    pub(super) async fn pay(&self, order: &Order, request_id: String, amount: Money) -> Outcome {
        let create = self.context(order).request(proto::CreatePaymentOrderRequest {
            request_id: derived_uuid(&[&request_id, "create"]).to_string(),
            order_id: order.id.to_string(),
            reference: order.id.to_string(),
            payer_id: order.customer.id.clone(),
            amount: Some(amount.to_proto()),
            ttl: Some(span_to_proto(order.payment.ttl)),
        });
        let mut client = PaymentServiceClient::new(self.client.channel());
        let mut payment_order_id = None;
        let created = outcome(client.create_payment_order(create).await, |answer| {
            payment_order_id = answer.payment_order.map(|owed| owed.payment_order_id);
            Outcome::Succeeded(Gain::Nothing)
        });
        let payment_order_id = match (created, payment_order_id) {
            (Outcome::Succeeded(_), Some(id)) => id,
            (Outcome::Succeeded(_), None) => return unreadable(DOMAIN, "payment order"),
            (failed, _) => return failed,
        };
        let first = self.start_attempt(order, request_id.clone(), &payment_order_id).await;
        let owed = first.as_ref().ok().and_then(|answer| answer.get_ref().payment_order.as_ref());
        let last = match owed.filter(|owed| runs_again(order) && never_arrived(owed).is_some()) {
            Some(owed) => {
                let number = owed.attempts.len().to_string();
                let again = derived_uuid(&[&request_id, "attempt", &number]).to_string();
                self.start_attempt(order, again, &payment_order_id).await
            }
            None => first,
        };
        let mut owed = None;
        let read = outcome(last, |answer| {
            owed = answer.payment_order;
            Outcome::Succeeded(Gain::Nothing)
        });
        match (read, owed) {
            (Outcome::Succeeded(_), Some(owed)) => {
                self.settle(&self.context(order), &request_id, owed).await
            }
            (Outcome::Succeeded(_), None) => unreadable(DOMAIN, "payment order"),
            (failed, _) => failed,
        }
    }

    /// Reads from a payment order what became of paying it. What was refused is closed, so that nobody pays later for an
    /// order that has ended; it may turn out to have been paid after all.
    pub(crate) async fn settle(
        &self,
        context: &CallContext,
        asked_by: &str,
        owed: proto::PaymentOrder,
    ) -> Outcome {
        let is_closed = owed.state() == PaymentOrderState::Closed;
        let id = owed.payment_order_id.clone();
        match standing(owed) {
            Outcome::Declined(_) if !is_closed => {
                let request_id = derived_uuid(&[asked_by, "declined"]).to_string();
                self.close(context, request_id, id).await
            }
            settled => settled,
        }
    }

    async fn start_attempt(
        &self,
        order: &Order,
        request_id: String,
        payment_order_id: &str,
    ) -> Result<tonic::Response<proto::StartAttemptResponse>, tonic::Status> {
        let request = self.context(order).request(proto::StartAttemptRequest {
            request_id,
            payment_order_id: payment_order_id.to_owned(),
            payment_channel: order.payment.channel.clone(),
            capture_mode: proto::CaptureMode::Automatic.into(),
        });
        PaymentServiceClient::new(self.client.channel()).start_attempt(request).await
    }

    /// Closes what was not paid; the answer may be that it was paid after all.
    pub(super) async fn close_payment(
        &self,
        order: &Order,
        request_id: &str,
        payment_order_id: String,
    ) -> Outcome {
        let request_id = derived_uuid(&[request_id, "close"]).to_string();
        self.close(&self.context(order), request_id, payment_order_id).await
    }

    async fn close(
        &self,
        context: &CallContext,
        request_id: String,
        payment_order_id: String,
    ) -> Outcome {
        let request = context.request(proto::ClosePaymentOrderRequest {
            request_id,
            payment_order_id: payment_order_id.clone(),
        });
        let mut client = PaymentServiceClient::new(self.client.channel());
        match client.close_payment_order(request).await {
            Ok(_) => {}
            // A question that is refused says nothing of the payment.
            failed @ Err(_) => {
                return unanswered(outcome(failed, |_| Outcome::Succeeded(Gain::Nothing)));
            }
        }
        // The first answer to a close may be CLOSING; how it stands now is another question.
        let ask = context.request(proto::GetPaymentOrderRequest { payment_order_id });
        match client.get_payment_order(ask).await {
            Ok(answer) => answer
                .into_inner()
                .payment_order
                .map_or_else(|| unreadable(DOMAIN, "payment order"), standing),
            failed @ Err(_) => unanswered(outcome(failed, |_| Outcome::Succeeded(Gain::Nothing))),
        }
    }

    pub(super) async fn refund(
        &self,
        order: &Order,
        request_id: String,
        payment_order_id: String,
        amount: Money,
        reason: String,
    ) -> Outcome {
        let request = self.context(order).request(proto::CreateRefundRequest {
            request_id,
            payment_order_id,
            amount: Some(amount.to_proto()),
            order_id: order.id.to_string(),
            payer_id: order.customer.id.clone(),
            reason,
        });
        let result = PaymentServiceClient::new(self.client.channel()).create_refund(request).await;
        outcome(result, |answer| refund_standing(answer.refund))
    }

    pub(super) async fn ask_refund(&self, order: &Order, refund_id: String) -> Outcome {
        let request = self.context(order).request(proto::GetRefundRequest { refund_id });
        let result = PaymentServiceClient::new(self.client.channel()).get_refund(request).await;
        outcome(result, |answer| refund_standing(answer.refund))
    }
}

fn unanswered(asked: Outcome) -> Outcome {
    match asked {
        Outcome::Declined(failure) => Outcome::Unknown(failure),
        other => other,
    }
}

/// Reads from a payment order what became of paying it.
fn standing(payment_order: proto::PaymentOrder) -> Outcome {
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
    Failure { reason: reason.to_owned(), domain: DOMAIN.to_owned(), message: message.to_owned() }
}

fn declined(payment_order: &proto::PaymentOrder) -> Option<Failure> {
    let last = payment_order.attempts.last()?;
    (last.outcome() == AttemptOutcome::Declined).then(|| Failure {
        reason: last.decline_reason.clone(),
        domain: DOMAIN.to_owned(),
        message: format!("the channel {} refused the payment", last.payment_channel),
    })
}

/// The last try has ended without the channel having heard of it.
fn never_arrived(payment_order: &proto::PaymentOrder) -> Option<Failure> {
    let last = payment_order.attempts.last()?;
    (last.outcome() == AttemptOutcome::NotAttempted).then(|| Failure {
        reason: "CHANNEL_NOT_REACHED".to_owned(),
        domain: DOMAIN.to_owned(),
        message: format!("the channel {} was not reached", last.payment_channel),
    })
}

/// The payment was tried before.
fn runs_again(order: &Order) -> bool {
    order.steps.iter().any(|step| step.capability == Capability::Pay && step.attempts > 1)
}

fn pending(id: String, payment_order: &proto::PaymentOrder) -> Outcome {
    let expires = payment_order.expire_time.as_ref().map(Instant::from_proto);
    Outcome::Pending { token: id, ask_at: expires }
}

fn refund_standing(refund: Option<proto::Refund>) -> Outcome {
    let Some(refund) = refund else { return unreadable(DOMAIN, "refund") };
    match refund.state() {
        RefundState::Succeeded => match money(refund.amount.as_ref(), DOMAIN, "amount") {
            Ok(amount) => Outcome::Succeeded(Gain::Refunded(amount.minor)),
            Err(unreadable) => unreadable,
        },
        RefundState::Pending => Outcome::Pending { token: refund.refund_id, ask_at: None },
        RefundState::Failed => Outcome::Declined(Failure {
            reason: refund.decline_reason,
            domain: DOMAIN.to_owned(),
            message: "the channel refused the refund".to_owned(),
        }),
        RefundState::Unspecified => unreadable(DOMAIN, "state"),
    }
}
