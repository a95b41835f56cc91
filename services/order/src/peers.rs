//! What the order center needs from others, as small functions over clients through the gateway.

use std::time::Duration;

use throughline_kit::client::{CallContext, CallOutcome, GatewayClient};
use throughline_kit::error::Error;
use throughline_kit::money::Money;
use throughline_kit::storage::Writer;
use throughline_proto::r#type::v1::OperationOutcome;

use crate::event::{Gain, Outcome};
use crate::failure::Failure;
use crate::order::Order;
use crate::store::OrderStore;
use crate::work::{Task, Work};

mod outside;
mod payment;
mod prepare;
mod resource;
mod returning;

/// Calls to other centers and to outside systems.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    client: GatewayClient,
    store: OrderStore,
    writer: Writer,
    call_timeout: Duration,
}

impl Peers {
    /// Calls through the given client, each call bounded by the timeout.
    pub(crate) fn new(
        client: GatewayClient,
        store: OrderStore,
        writer: Writer,
        call_timeout: Duration,
    ) -> Self {
        Self { client, store, writer, call_timeout }
    }

    /// Carries out one task for an order and says what it brought.
    pub(crate) async fn perform(&self, order: &Order, work: Work) -> Outcome {
        let Work { task, request_id, reference, .. } = work;
        match task {
            Task::Prepare => self.prepare(order).await,
            Task::Reserve { ttl } => self.reserve(order, request_id, ttl).await,
            Task::Allocate => self.allocate(order, request_id).await,
            Task::Release { reason } => self.release(order, request_id, reason).await,
            Task::ReturnAllocated { item_keys, used, reason } => {
                self.return_allocated(order, request_id, item_keys, used, reason).await
            }
            Task::Restock(restock) => self.restock(order, request_id, restock).await,
            Task::Pay { amount } => self.pay(order, request_id, amount).await,
            Task::ClosePayment { amount } => self.close_payment(order, &request_id, amount).await,
            Task::Refund { payment_order_id, amount, reason } => {
                self.refund(order, request_id, payment_order_id, amount, reason).await
            }
            Task::AskRefund { refund_id } => self.ask_refund(order, refund_id).await,
            Task::Activate(service) => self.activate(order, reference, service).await,
            Task::Deactivate { activation_reference } => {
                self.deactivate(order, reference, activation_reference).await
            }
            Task::OpenAccount { service, recurring } => {
                self.open_account(order, reference, service, recurring).await
            }
            Task::CloseAccount { open_reference } => {
                self.close_account(order, reference, open_reference).await
            }
            Task::Ship { lines } => self.ship(order, reference, lines).await,
            Task::CancelShipment { shipment_reference } => {
                self.cancel_shipment(order, reference, shipment_reference).await
            }
            Task::AskOperation(system) => self.ask_operation(order, reference, system).await,
        }
    }

    fn context(&self, order: &Order) -> CallContext {
        CallContext::for_order(order.id.as_str(), &order.trace_parent, self.call_timeout)
    }
}

/// Reads what a call brought, where an answer means success.
fn outcome<T>(
    result: Result<tonic::Response<T>, tonic::Status>,
    succeeded: impl FnOnce(T) -> Outcome,
) -> Outcome {
    match CallOutcome::from_result(result) {
        CallOutcome::Answered(answer) => succeeded(answer),
        // The first request with this id said something else; what became of that one is not known.
        CallOutcome::Declined(error) if error.reason == "REQUEST_ID_REUSED" => {
            Outcome::Unknown(failure(&error))
        }
        CallOutcome::Declined(error) => Outcome::Declined(failure(&error)),
        CallOutcome::NotAttempted(error) => Outcome::NotAttempted(failure(&error)),
        CallOutcome::Unknown(error) => Outcome::Unknown(failure(&error)),
    }
}

/// Reads what an outside system said about an operation.
fn operation(outcome: OperationOutcome, reason: String, message: String, system: &str) -> Outcome {
    match outcome {
        OperationOutcome::Succeeded => Outcome::Succeeded(Gain::Nothing),
        OperationOutcome::Declined => Outcome::Declined(Failure::heard(&reason, system, &message)),
        OperationOutcome::Pending => Outcome::Pending { token: String::new(), ask_at: None },
        OperationOutcome::Unspecified => unreadable(system, "outcome"),
    }
}

fn failure(error: &Error) -> Failure {
    Failure::heard(&error.reason, &error.domain, &error.message)
}

fn unreadable(domain: &str, what: &str) -> Outcome {
    let message = format!("the answer has no readable {what}");
    Outcome::Unknown(Failure::new("ANSWER_UNREADABLE", domain, message))
}

fn money(
    value: Option<&throughline_proto::r#type::v1::Money>,
    domain: &str,
    what: &str,
) -> Result<Money, Outcome> {
    Money::from_proto(value).map_err(|_| unreadable(domain, what))
}
