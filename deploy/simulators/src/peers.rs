//! Telling the centers how a late operation ended, through the gateway.

use std::time::Duration;

use throughline_kit::client::{CallContext, CallOutcome, GatewayClient};
use throughline_kit::error::Error;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::step_callback_service_client::StepCallbackServiceClient;
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;

use crate::convert;
use crate::method::System;
use crate::operation::{Operation, State};

/// Each system's own way to the gateway; none for one that was given no gateway.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) provisioning: Option<GatewayClient>,
    pub(crate) billing: Option<GatewayClient>,
    pub(crate) logistics: Option<GatewayClient>,
    pub(crate) paychannel: Option<GatewayClient>,
    pub(crate) timeout: Duration,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The center heard it, or there is nobody to hear it.
    Over,
    /// The center does not want it and never will.
    Refused(Error),
    /// It did not arrive, or nobody knows.
    Failed(Error),
}

impl Peers {
    /// Reports once how an operation ended.
    pub(crate) async fn report(&self, operation: &Operation, trace_parent: &str) -> Report {
        let client = match operation.method.system() {
            System::Provisioning => &self.provisioning,
            System::Billing => &self.billing,
            System::Logistics => &self.logistics,
            System::Paychannel => &self.paychannel,
            // Texts are never late.
            System::Sms => &None,
        };
        let Some(client) = client else {
            return Report::Over;
        };
        let context = CallContext::for_order(&operation.order_id, trace_parent, self.timeout);
        if operation.method.system() == System::Paychannel {
            channel_event(client, &context, operation).await
        } else {
            step_result(client, &context, operation).await
        }
    }
}

async fn step_result(
    client: &GatewayClient,
    context: &CallContext,
    operation: &Operation,
) -> Report {
    let outcome = match operation.state {
        State::Succeeded => order::StepOutcome::Succeeded,
        State::Pending | State::Declined | State::Cancelled => order::StepOutcome::Declined,
    };
    let request = order::ReportStepResultRequest {
        order_id: operation.order_id.clone(),
        reference: operation.reference.clone(),
        outcome: outcome.into(),
        reason: convert::step::reason(operation),
        message: convert::step::sentence(operation),
    };
    let answer = StepCallbackServiceClient::new(client.channel())
        .report_step_result(context.request(request))
        .await;
    report_of(CallOutcome::from_result(answer))
}

async fn channel_event(
    client: &GatewayClient,
    context: &CallContext,
    operation: &Operation,
) -> Report {
    let request = payment::HandleChannelEventRequest {
        reference: operation.reference.clone(),
        order_id: operation.order_id.clone(),
    };
    let answer = PaymentServiceClient::new(client.channel())
        .handle_channel_event(context.request(request))
        .await;
    report_of(CallOutcome::from_result(answer))
}

fn report_of<T>(outcome: CallOutcome<T>) -> Report {
    match outcome {
        CallOutcome::Answered(_) => Report::Over,
        CallOutcome::Declined(error) => Report::Refused(error),
        CallOutcome::NotAttempted(error) | CallOutcome::Unknown(error) => Report::Failed(error),
    }
}
