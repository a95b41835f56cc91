//! What a channel and an operator do besides submitting orders.

use throughline::connection::bounded;
use throughline::seed::Seed;
use throughline_kit::error::Error;
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_proto::r#type::v1::Money;
use tonic::Status;

use crate::desk::Desk;

impl Desk {
    /// Asks what a cancel would do now.
    pub async fn preview_cancel(&self, order_id: &str) -> Result<order::CancelPlan, Error> {
        let request =
            order::PreviewCancelRequest { order_id: order_id.to_owned(), ..Default::default() };
        let answer =
            OrderServiceClient::new(self.channel.channel()).preview_cancel(bounded(request)).await;
        answer.map(|answer| answer.into_inner().plan.expect("a plan")).map_err(read)
    }

    /// Cancels an order for the reason given; the same words are the same request.
    pub async fn cancel(
        &self,
        order_id: &str,
        reason: &str,
    ) -> Result<order::CancelOrderResponse, Error> {
        let request = order::CancelOrderRequest {
            request_id: derived_uuid(&["cancel of a test", order_id, reason]).to_string(),
            order_id: order_id.to_owned(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        let answer =
            OrderServiceClient::new(self.channel.channel()).cancel_order(bounded(request)).await;
        answer.map(tonic::Response::into_inner).map_err(read)
    }

    /// Records cash that an operator took; the same receipt is the same request.
    pub async fn take_cash(
        &self,
        payment_order_id: &str,
        amount: Money,
        receipt_number: &str,
    ) -> Result<payment::PaymentOrder, Error> {
        let id = derived_uuid(&["cash of a test", payment_order_id, receipt_number]);
        let request = payment::RecordReceiptRequest {
            request_id: id.to_string(),
            payment_order_id: payment_order_id.to_owned(),
            amount: Some(amount),
            receipt_number: receipt_number.to_owned(),
        };
        let mut service = PaymentServiceClient::new(self.operator.channel());
        let answer = service.record_receipt(bounded(request)).await;
        answer.map(|a| a.into_inner().payment_order.expect("a payment order")).map_err(read)
    }

    /// Sells what a seed describes as well.
    pub async fn seed(&self, yaml: &str) {
        let seed = Seed::parse(yaml).expect("the seed reads");
        self.repeated("load a seed", || seed.clone().load(&self.operator)).await;
    }
}

/// An amount in CNY.
pub fn cny(minor_units: i64) -> Money {
    Money { currency_code: "CNY".to_owned(), minor_units }
}

/// Every call of a method goes so.
pub fn always(method: &str, misbehavior: Misbehavior) -> Rule {
    Rule { method: method.to_owned(), misbehavior: misbehavior.into(), ..Rule::default() }
}

/// Every call of a method is refused for good.
pub fn refused(method: &str, offering: &str, reason: &str) -> Rule {
    Rule {
        offering_code: offering.to_owned(),
        reason: reason.to_owned(),
        ..always(method, Misbehavior::Refuse)
    }
}

/// Reads what a call was refused with.
fn read(status: Status) -> Error {
    Error::from_status(&status)
}
