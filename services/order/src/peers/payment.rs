//! Calls to the payment center.

use throughline_kit::client::CallContext;
use throughline_kit::clock::span_to_proto;
use throughline_kit::id::derived_uuid;
use throughline_kit::money::Money;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::PaymentOrderState;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;

use super::{Peers, money, outcome, unreadable};
use crate::event::{Gain, Outcome};
use crate::failure::Failure;
use crate::order::Order;
use crate::template::Activity;
use crate::work::payment_reference;

mod standing;

use standing::{never_arrived, refund_standing, standing};

const DOMAIN: &str = "payment";
/// Reason of a refund of what was paid for an order that had ended.
const LATE_MONEY: &str = "LATE_MONEY";

impl Peers {
    /// Says what is owed, then tries to take it. Both calls answer a repetition with their first answer, so when that is
    /// that the channel was never reached, the step that runs again starts another try.
    pub(super) async fn pay(&self, order: &Order, request_id: String, amount: Money) -> Outcome {
        let payment_order_id = match self.owed(order, &request_id, amount).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
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
            (Outcome::Declined(refusal), _) => {
                self.refused(&self.context(order), payment_order_id, refusal).await
            }
            (failed, _) => failed,
        }
    }

    /// No try was begun. Where that is because the time to pay was over before it came to one, the payer let it pass.
    async fn refused(&self, context: &CallContext, id: String, refusal: Failure) -> Outcome {
        match self.read_payment(context, id).await {
            Ok(owed) if is_closed(&owed) => standing(owed),
            Ok(_) => Outcome::Declined(refusal),
            Err(unread) => unread,
        }
    }

    /// Reads from a payment order what became of paying it. What was refused is closed, so that nobody pays later for an
    /// order that has ended; it may turn out to have been paid after all.
    async fn settle(
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

    /// Says what is owed. A repetition finds the payment order of the first time.
    async fn owed(
        &self,
        order: &Order,
        request_id: &str,
        amount: Money,
    ) -> Result<String, Outcome> {
        let create = self.context(order).request(proto::CreatePaymentOrderRequest {
            request_id: derived_uuid(&[request_id, "create"]).to_string(),
            order_id: order.id.to_string(),
            reference: payment_reference(order),
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
        match (created, payment_order_id) {
            (Outcome::Succeeded(_), Some(id)) => Ok(id),
            (Outcome::Succeeded(_), None) => Err(unreadable(DOMAIN, "payment order")),
            (failed, _) => Err(failed),
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

    /// Reads what became of paying a payment order that news tell of. News may be old: only that money was taken stays
    /// true, and all else is asked for.
    pub(crate) async fn standing_now(
        &self,
        context: &CallContext,
        asked_by: &str,
        owed: proto::PaymentOrder,
    ) -> Outcome {
        let payment_order_id = owed.payment_order_id.clone();
        if let told @ Outcome::Succeeded(_) = standing(owed) {
            return told;
        }
        match self.read_payment(context, payment_order_id).await {
            Ok(owed) => self.settle(context, asked_by, owed).await,
            Err(outcome) => outcome,
        }
    }

    /// What was taken by a payment order and has not gone back.
    pub(crate) async fn kept(
        &self,
        context: &CallContext,
        payment_order_id: String,
    ) -> Result<Money, Outcome> {
        let owed = self.read_payment(context, payment_order_id).await?;
        let captured = money(owed.captured.as_ref(), DOMAIN, "captured amount")?;
        let refunded = match owed.refunded.as_ref() {
            None => Money::zero(captured.currency),
            some => money(some, DOMAIN, "refunded amount")?,
        };
        captured.minus(refunded).map_err(|_| unreadable(DOMAIN, "refunded amount"))
    }

    /// Gives back what was captured for an order that had ended; the same refund for ever.
    pub(crate) async fn refund_late(
        &self,
        order: &Order,
        payment_order_id: String,
        amount: Money,
    ) -> Outcome {
        let request_id = derived_uuid(&[&payment_order_id, "late"]).to_string();
        self.refund(order, request_id, payment_order_id, amount, LATE_MONEY.to_owned()).await
    }

    /// Closes what was not paid; the answer may be that it was paid after all.
    pub(super) async fn close_payment(
        &self,
        order: &Order,
        request_id: &str,
        amount: Money,
    ) -> Outcome {
        let payment_order_id = match &order.payment_order_id {
            known if !known.is_empty() => known.clone(),
            _ => match self.owed(order, request_id, amount).await {
                Ok(id) => id,
                Err(outcome) => return outcome,
            },
        };
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
        if let Err(status) = client.close_payment_order(request).await {
            return unanswered(status);
        }
        // The first answer to a close may be CLOSING; how it stands now is another question.
        self.read_payment(context, payment_order_id).await.map_or_else(|asked| asked, standing)
    }

    async fn read_payment(
        &self,
        context: &CallContext,
        payment_order_id: String,
    ) -> Result<proto::PaymentOrder, Outcome> {
        let ask = context.request(proto::GetPaymentOrderRequest { payment_order_id });
        let mut client = PaymentServiceClient::new(self.client.channel());
        let answer = client.get_payment_order(ask).await.map_err(unanswered)?.into_inner();
        answer.payment_order.ok_or_else(|| unreadable(DOMAIN, "payment order"))
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

/// A question that is refused says nothing of the payment.
fn unanswered(status: tonic::Status) -> Outcome {
    match outcome::<()>(Err(status), |()| Outcome::Succeeded(Gain::Nothing)) {
        Outcome::Declined(failure) => Outcome::Unknown(failure),
        other => other,
    }
}

/// The payment was tried before.
fn runs_again(order: &Order) -> bool {
    order.steps.iter().any(|step| step.activity() == Some(Activity::Pay) && step.attempts > 1)
}

/// It takes no money any more.
fn is_closed(owed: &proto::PaymentOrder) -> bool {
    matches!(owed.state(), PaymentOrderState::Closed | PaymentOrderState::Closing)
}
