//! What the center needs from others: an SMS provider, through the gateway.

use std::time::Duration;

use throughline_kit::client::{CallContext, CallOutcome, GatewayClient};
use throughline_proto::sms::v1 as proto;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;

use crate::notification::{Answer, Call, Notification};

/// The provider's word that it never heard of a reference.
const REFERENCE_NOT_FOUND: &str = "REFERENCE_NOT_FOUND";
/// Reason when an answer is none that the contract knows.
const ANSWER_INVALID: &str = "ANSWER_INVALID";

/// The SMS provider.
#[derive(Clone, Debug)]
pub(crate) struct Sms {
    pub(crate) gateway: GatewayClient,
    /// How long a call may take.
    pub(crate) timeout: Duration,
}

impl Sms {
    /// Makes the call that a delivery needs.
    pub(crate) async fn call(&self, notification: &Notification, call: Call) -> Answer {
        match call {
            Call::Send => self.send(notification).await,
            Call::Ask => self.ask(notification).await,
        }
    }

    async fn send(&self, notification: &Notification) -> Answer {
        let request = self.context(notification).request(proto::SendSmsRequest {
            reference: notification.delivery.id.to_string(),
            order_id: notification.order_id.clone(),
            phone: notification.delivery.phone.as_str().to_owned(),
            text: notification.delivery.body.clone(),
        });
        let result = SmsServiceClient::new(self.gateway.channel()).send_sms(request).await;
        match CallOutcome::from_result(result) {
            CallOutcome::Answered(sms) => outcome(sms.outcome(), sms.reason),
            CallOutcome::Declined(error) => Answer::Refused { reason: error.reason },
            CallOutcome::NotAttempted(error) => Answer::NotReached { reason: error.reason },
            CallOutcome::Unknown(error) => Answer::Unknown { reason: error.reason },
        }
    }

    async fn ask(&self, notification: &Notification) -> Answer {
        let reference = notification.delivery.id.to_string();
        let request = self.context(notification).request(proto::GetSmsRequest { reference });
        let result = SmsServiceClient::new(self.gateway.channel()).get_sms(request).await;
        match CallOutcome::from_result(result) {
            CallOutcome::Answered(sms) => outcome(sms.outcome(), sms.reason),
            CallOutcome::Declined(error) if error.reason == REFERENCE_NOT_FOUND => {
                Answer::NeverArrived
            }
            // A question that is refused answers nothing: what was sent may still have arrived.
            CallOutcome::Declined(error)
            | CallOutcome::NotAttempted(error)
            | CallOutcome::Unknown(error) => Answer::NotReached { reason: error.reason },
        }
    }

    fn context(&self, notification: &Notification) -> CallContext {
        CallContext::for_order(&notification.order_id, &notification.trace_parent, self.timeout)
    }
}

fn outcome(outcome: proto::SmsOutcome, reason: String) -> Answer {
    match outcome {
        proto::SmsOutcome::Accepted => Answer::Accepted,
        proto::SmsOutcome::Rejected => Answer::Refused { reason },
        proto::SmsOutcome::Unspecified => Answer::Unknown { reason: ANSWER_INVALID.to_owned() },
    }
}
