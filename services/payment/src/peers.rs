//! The online payment channel, called through the gateway. A timeout is never a refusal, and only the channel's own
//! REFERENCE_NOT_FOUND says that a reference is not there.

use std::time::Duration;

use throughline_kit::client::{CallContext, CallOutcome, GatewayChannel, GatewayClient};
use throughline_kit::error::Error;
use throughline_kit::money::Money;
use throughline_proto::paychannel::v1 as proto;
use throughline_proto::paychannel::v1::TransactionOutcome;
use throughline_proto::paychannel::v1::payment_channel_service_client::PaymentChannelServiceClient;

use crate::attempt::{Attempt, CaptureMode, Report};
use crate::channel::{NoAnswer, PaymentChannel};
use crate::payment_order::PaymentOrder;
use crate::refund::{Refund, RefundReport};

/// `PaymentChannelService` behind the gateway.
#[derive(Clone, Debug)]
pub(crate) struct SandboxChannel {
    client: GatewayClient,
    timeout: Duration,
}

impl SandboxChannel {
    /// Calls with a bound on each call.
    pub(crate) fn new(client: GatewayClient, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    fn service(&self) -> PaymentChannelServiceClient<GatewayChannel> {
        PaymentChannelServiceClient::new(self.client.channel())
    }

    fn context(&self, order: &PaymentOrder) -> CallContext {
        CallContext::for_order(&order.order_id, &order.trace_parent, self.timeout)
    }
}

#[tonic::async_trait]
impl PaymentChannel for SandboxChannel {
    fn next_action(&self, _: &Attempt) -> String {
        String::new()
    }

    async fn charge(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer> {
        let request = self.context(order).request(proto::ChargeRequest {
            reference: attempt.id.to_string(),
            order_id: order.order_id.clone(),
            payer_id: order.payer_id.clone(),
            amount: Some(order.amount.to_proto()),
            authorize_only: attempt.mode == CaptureMode::Manual,
        });
        match heard(CallOutcome::from_result(self.service().charge(request).await))? {
            Ok(answer) => {
                let authorized_only = attempt.mode == CaptureMode::Manual;
                report(answer.outcome, answer.reason, None, authorized_only)
            }
            Err(refusal) => Ok(Report::Declined { reason: refusal.reason }),
        }
    }

    async fn capture(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer> {
        let minor = attempt.capture_minor.unwrap_or(order.amount.minor);
        let request = self.context(order).request(proto::CaptureRequest {
            reference: attempt.capture_reference(minor).to_string(),
            order_id: order.order_id.clone(),
            charge_reference: attempt.id.to_string(),
            amount: Some(Money::new(order.amount.currency, minor).to_proto()),
        });
        match heard(CallOutcome::from_result(self.service().capture(request).await))? {
            Ok(answer) => match report(answer.outcome, answer.reason, None, false)? {
                Report::Declined { reason } => Ok(Report::CaptureRefused { reason }),
                other => Ok(other),
            },
            Err(refusal) => Ok(Report::CaptureRefused { reason: refusal.reason }),
        }
    }

    async fn cancel(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer> {
        let request = self.context(order).request(proto::CancelChargeRequest {
            charge_reference: attempt.id.to_string(),
            order_id: order.order_id.clone(),
        });
        match heard(CallOutcome::from_result(self.service().cancel_charge(request).await))? {
            Ok(answer) => report(answer.outcome, CANCEL_REFUSED.to_owned(), None, false),
            Err(refusal) => Err(NoAnswer::Unknown(refusal.to_string())),
        }
    }

    async fn query(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer> {
        let request = self
            .context(order)
            .request(proto::GetTransactionRequest { reference: attempt.id.to_string() });
        match heard(CallOutcome::from_result(self.service().get_transaction(request).await))? {
            Ok(answer) => {
                let amount = Money::from_proto(answer.amount.as_ref());
                let succeeded = answer.outcome == i32::from(TransactionOutcome::Succeeded);
                let amount = match amount {
                    Ok(amount) => Some(amount),
                    Err(cause) if succeeded => {
                        return Err(NoAnswer::Unknown(format!("the channel's amount {cause}")));
                    }
                    Err(_) => None,
                };
                report(answer.outcome, answer.reason, amount, answer.authorized_only)
            }
            Err(refusal) if refusal.reason == "REFERENCE_NOT_FOUND" => Ok(Report::NotFound),
            Err(refusal) => Err(NoAnswer::Unknown(refusal.to_string())),
        }
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundReport, NoAnswer> {
        let context = CallContext::for_order(&refund.order_id, &refund.trace_parent, self.timeout);
        let charge = refund.charge.as_ref();
        let request = context.request(proto::RefundRequest {
            reference: refund.id.to_string(),
            order_id: refund.order_id.clone(),
            charge_reference: charge.map(|c| c.attempt_id.to_string()).unwrap_or_default(),
            payer_id: refund.payer_id.clone(),
            amount: Some(refund.amount.to_proto()),
        });
        match heard(CallOutcome::from_result(self.service().refund(request).await))? {
            Ok(answer) => refund_report(answer.outcome, answer.reason),
            Err(refusal) => Ok(RefundReport::Declined { reason: refusal.reason }),
        }
    }
}

/// Reason of a charge that the channel had refused before it was asked to end it.
const CANCEL_REFUSED: &str = "CHANNEL_DECLINED";

/// Separates what the channel said, answers and refusals, from silence.
fn heard<T>(outcome: CallOutcome<T>) -> Result<Result<T, Error>, NoAnswer> {
    match outcome {
        CallOutcome::Answered(answer) => Ok(Ok(answer)),
        CallOutcome::Declined(refusal) => Ok(Err(refusal)),
        CallOutcome::NotAttempted(cause) => Err(NoAnswer::NotAttempted(cause.to_string())),
        CallOutcome::Unknown(cause) => Err(NoAnswer::Unknown(cause.to_string())),
    }
}

fn report(
    outcome: i32,
    reason: String,
    amount: Option<Money>,
    authorized_only: bool,
) -> Result<Report, NoAnswer> {
    match known(outcome)? {
        TransactionOutcome::Succeeded => Ok(Report::Succeeded { amount, authorized_only }),
        TransactionOutcome::Declined => Ok(Report::Declined { reason }),
        TransactionOutcome::Pending => Ok(Report::Pending),
        TransactionOutcome::Cancelled => Ok(Report::Cancelled),
        TransactionOutcome::Unspecified => Err(unspecified()),
    }
}

fn refund_report(outcome: i32, reason: String) -> Result<RefundReport, NoAnswer> {
    match known(outcome)? {
        TransactionOutcome::Succeeded => Ok(RefundReport::Succeeded),
        TransactionOutcome::Declined => Ok(RefundReport::Declined { reason }),
        TransactionOutcome::Pending => Ok(RefundReport::Pending),
        TransactionOutcome::Cancelled => Ok(RefundReport::Cancelled),
        TransactionOutcome::Unspecified => Err(unspecified()),
    }
}

fn known(outcome: i32) -> Result<TransactionOutcome, NoAnswer> {
    TransactionOutcome::try_from(outcome).map_err(|_| unspecified())
}

fn unspecified() -> NoAnswer {
    NoAnswer::Unknown("the channel's answer names no outcome".to_owned())
}
