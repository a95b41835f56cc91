//! What the order center needs from others, as small functions over clients through the gateway.

use std::time::Duration;

use throughline_kit::client::{CallContext, CallOutcome, GatewayClient};
use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::money::Money;
use throughline_kit::storage::Writer;

use crate::event::Outcome;
use crate::failure::Failure;
use crate::order::Order;
use crate::store::OrderStore;
use crate::templates::Templates;
use crate::work::{Task, Work};

mod capability;
mod payment;
mod prepare;
mod reflection;
mod resource;
mod returning;

pub(crate) use reflection::Reflection;

/// Calls to other centers and to outside systems.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    client: GatewayClient,
    store: OrderStore,
    writer: Writer,
    templates: Templates,
    clock: Clock,
    call_timeout: Duration,
}

/// What calls need.
#[derive(Clone, Debug)]
pub(crate) struct PeerParts {
    /// The way to the gateway.
    pub(crate) client: GatewayClient,
    /// Where orders are read.
    pub(crate) store: OrderStore,
    /// Where claims are written.
    pub(crate) writer: Writer,
    /// What is published.
    pub(crate) templates: Templates,
    /// Time.
    pub(crate) clock: Clock,
    /// How long one call may take, where its step says nothing else.
    pub(crate) call_timeout: Duration,
}

impl Peers {
    /// Calls through the gateway, each call bounded by a timeout.
    pub(crate) fn new(parts: PeerParts) -> Self {
        let PeerParts { client, store, writer, templates, clock, call_timeout } = parts;
        Self { client, store, writer, templates, clock, call_timeout }
    }

    /// Carries out one task for an order and says what it brought.
    pub(crate) async fn perform(&self, order: &Order, work: Work) -> Outcome {
        let Work { place, task, request_id, .. } = work;
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
            Task::Call(purpose) => self.call(order, place, purpose, request_id).await,
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
