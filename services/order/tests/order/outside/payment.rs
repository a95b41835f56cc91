//! The payment center.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::id::new_body;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::payment_service_server::PaymentService;
use throughline_proto::payment::v1::{
    AttemptOutcome, CloseReason, PaymentOrder, PaymentOrderState, RefundState,
};
use throughline_proto::r#type::v1::Money;
use tonic::{Request, Response, Status};

use super::{Behavior, Books, Outside, missing, refused, unused};

fn zero(amount: Option<&Money>) -> Option<Money> {
    amount.map(|amount| Money { minor_units: 0, ..amount.clone() })
}

fn minor(amount: Option<&Money>) -> i64 {
    amount.map(|amount| amount.minor_units).unwrap_or_default()
}

impl Books {
    fn payment(&mut self, id: &str) -> Result<&mut PaymentOrder, Error> {
        self.payments.get_mut(id).ok_or_else(|| missing("PAYMENT_ORDER_NOT_FOUND"))
    }

    pub(super) fn settle(
        &mut self,
        id: &str,
        outcome: AttemptOutcome,
        reason: &str,
    ) -> &PaymentOrder {
        let owed = self.payments.get_mut(id).expect("a payment order");
        if owed.state() == PaymentOrderState::Closed {
            return owed;
        }
        let attempt = owed.attempts.last_mut().expect("an attempt");
        attempt.outcome = outcome.into();
        owed.state = PaymentOrderState::AwaitingPayer.into();
        match outcome {
            AttemptOutcome::Succeeded => {
                owed.state = PaymentOrderState::Paid.into();
                owed.captured = owed.amount.clone();
                let taken = minor(owed.amount.as_ref());
                self.effects.push(format!("capture {taken}"));
            }
            AttemptOutcome::Declined => reason.clone_into(&mut attempt.decline_reason),
            _ => {}
        }
        owed
    }

    fn refund(
        &mut self,
        request: &proto::CreateRefundRequest,
        behavior: Behavior,
    ) -> Result<proto::Refund, Error> {
        let asked = minor(request.amount.as_ref());
        let earlier = self.refunds.values();
        let of_this = earlier.filter(|one| one.payment_order_id == request.payment_order_id);
        let standing = of_this.filter(|one| one.state() != RefundState::Failed);
        let given: i64 = standing.map(|one| minor(one.amount.as_ref())).sum();
        if !request.payment_order_id.is_empty() {
            let paid = minor(self.payment(&request.payment_order_id)?.captured.as_ref());
            if given + asked > paid {
                return Err(refused("AMOUNT_EXCEEDS_REFUNDABLE"));
            }
        }
        let (state, decline_reason) = match behavior {
            Behavior::Pending => (RefundState::Pending, ""),
            Behavior::Refuse(reason) => (RefundState::Failed, reason),
            _ => (RefundState::Succeeded, ""),
        };
        if state != RefundState::Failed {
            self.effects.push(format!("refund {asked}"));
            if let Some(owed) = self.payments.get_mut(&request.payment_order_id) {
                let refunded = owed.refunded.get_or_insert_default();
                refunded.minor_units += asked;
            }
        }
        let refund = proto::Refund {
            refund_id: format!("ref_{}", new_body()),
            payment_order_id: request.payment_order_id.clone(),
            state: state.into(),
            amount: request.amount.clone(),
            reason: request.reason.clone(),
            decline_reason: decline_reason.to_owned(),
            ..Default::default()
        };
        self.refunds.insert(refund.refund_id.clone(), refund.clone());
        Ok(refund)
    }
}

fn owed(request: &proto::CreatePaymentOrderRequest, now: Instant) -> PaymentOrder {
    let ttl = request.ttl.as_ref().map(|ttl| ttl.seconds).unwrap_or_default();
    let ttl = Duration::from_secs(u64::try_from(ttl).expect("positive"));
    PaymentOrder {
        payment_order_id: format!("pay_{}", new_body()),
        state: PaymentOrderState::Created.into(),
        order_id: request.order_id.clone(),
        reference: request.reference.clone(),
        amount: request.amount.clone(),
        captured: zero(request.amount.as_ref()),
        refunded: zero(request.amount.as_ref()),
        expire_time: Some(now.plus(ttl).to_proto()),
        ..Default::default()
    }
}

fn start_attempt(
    books: &mut Books,
    request: &proto::StartAttemptRequest,
    behavior: Behavior,
) -> Result<proto::StartAttemptResponse, Error> {
    let owed = books.payment(&request.payment_order_id)?;
    let reason = match owed.state() {
        PaymentOrderState::Closed | PaymentOrderState::Closing => Some("PAYMENT_ORDER_CLOSED"),
        PaymentOrderState::Paid => Some("ALREADY_CAPTURED"),
        PaymentOrderState::Processing => Some("ATTEMPT_UNRESOLVED"),
        _ => None,
    };
    if let Some(reason) = reason {
        return Err(refused(reason));
    }
    owed.attempts.push(proto::PaymentAttempt {
        attempt_id: format!("att_{}", new_body()),
        payment_channel: request.payment_channel.clone(),
        ..Default::default()
    });
    let id = owed.payment_order_id.clone();
    let (outcome, reason) = match behavior {
        Behavior::Refuse(reason) => (AttemptOutcome::Declined, reason),
        Behavior::Pending => (AttemptOutcome::Pending, ""),
        Behavior::NotReached => (AttemptOutcome::NotAttempted, ""),
        _ => (AttemptOutcome::Succeeded, ""),
    };
    let payment_order = Some(books.settle(&id, outcome, reason).clone());
    Ok(proto::StartAttemptResponse { payment_order, next_action: String::new() })
}

fn close(
    books: &mut Books,
    request: &proto::ClosePaymentOrderRequest,
    behavior: Behavior,
) -> Result<proto::ClosePaymentOrderResponse, Error> {
    behavior.refusal()?;
    let owed = books.payment(&request.payment_order_id)?;
    let is_open = ![PaymentOrderState::Paid, PaymentOrderState::Closed].contains(&owed.state());
    if is_open {
        let closing = behavior == Behavior::Pending;
        let state = if closing { PaymentOrderState::Closing } else { PaymentOrderState::Closed };
        owed.state = state.into();
        owed.close_reason = CloseReason::Caller.into();
    }
    let payment_order = Some(owed.clone());
    if is_open {
        books.effects.push("close payment".to_owned());
    }
    Ok(proto::ClosePaymentOrderResponse { payment_order })
}

/// Answers the methods that the order center calls, and refuses those that it never calls.
macro_rules! payment_service {
    ($($method:ident($question:ident) -> $answer:ident;)*) => {
        #[tonic::async_trait]
        impl PaymentService for Outside {
            $(async fn $method(
                &self,
                _: Request<proto::$question>,
            ) -> Result<Response<proto::$answer>, Status> {
                unused(stringify!($method))
            })*

            async fn create_payment_order(
                &self,
                request: Request<proto::CreatePaymentOrderRequest>,
            ) -> Result<Response<proto::CreatePaymentOrderResponse>, Status> {
                let (id, now) = (request.get_ref().request_id.clone(), self.clock.now());
                self.once("CreatePaymentOrder", id, request, |books, request, behavior| {
                    behavior.refusal()?;
                    let mut all = books.payments.values();
                    if all.any(|one| one.reference == request.reference) {
                        return Err(refused("REFERENCE_TAKEN"));
                    }
                    let owed = owed(request, now);
                    books.payments.insert(owed.payment_order_id.clone(), owed.clone());
                    let payment_order = Some(owed);
                    Ok(proto::CreatePaymentOrderResponse { payment_order })
                })
                .await
            }

            async fn start_attempt(
                &self,
                request: Request<proto::StartAttemptRequest>,
            ) -> Result<Response<proto::StartAttemptResponse>, Status> {
                let id = request.get_ref().request_id.clone();
                self.once("StartAttempt", id, request, start_attempt).await
            }

            async fn close_payment_order(
                &self,
                request: Request<proto::ClosePaymentOrderRequest>,
            ) -> Result<Response<proto::ClosePaymentOrderResponse>, Status> {
                let id = request.get_ref().request_id.clone();
                self.once("ClosePaymentOrder", id, request, close).await
            }

            async fn get_payment_order(
                &self,
                request: Request<proto::GetPaymentOrderRequest>,
            ) -> Result<Response<proto::GetPaymentOrderResponse>, Status> {
                let id = request.get_ref().payment_order_id.clone();
                self.meet("GetPaymentOrder".to_owned(), &id, request, |books, request, _| {
                    let payment_order = Some(books.payment(&request.payment_order_id)?.clone());
                    Ok(proto::GetPaymentOrderResponse { payment_order })
                })
                .await
            }

            async fn create_refund(
                &self,
                request: Request<proto::CreateRefundRequest>,
            ) -> Result<Response<proto::CreateRefundResponse>, Status> {
                let id = request.get_ref().request_id.clone();
                self.once("CreateRefund", id, request, |books, request, behavior| {
                    let refund = Some(books.refund(request, behavior)?);
                    Ok(proto::CreateRefundResponse { refund })
                })
                .await
            }

            async fn get_refund(
                &self,
                request: Request<proto::GetRefundRequest>,
            ) -> Result<Response<proto::GetRefundResponse>, Status> {
                let id = request.get_ref().refund_id.clone();
                self.meet("GetRefund".to_owned(), &id, request, |books, request, _| {
                    let refund = books.refunds.get(&request.refund_id).cloned();
                    let refund = Some(refund.ok_or_else(|| missing("REFUND_NOT_FOUND"))?);
                    Ok(proto::GetRefundResponse { refund })
                })
                .await
            }
        }
    };
}

payment_service! {
    list_payment_orders(ListPaymentOrdersRequest) -> ListPaymentOrdersResponse;
    capture_payment(CapturePaymentRequest) -> CapturePaymentResponse;
    resolve_attempt(ResolveAttemptRequest) -> ResolveAttemptResponse;
    list_refunds(ListRefundsRequest) -> ListRefundsResponse;
    record_receipt(RecordReceiptRequest) -> RecordReceiptResponse;
    handle_channel_event(HandleChannelEventRequest) -> HandleChannelEventResponse;
}
