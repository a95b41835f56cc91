//! Follows the payment center's feed: a payer who pays later, a channel that answers late.

use std::time::Duration;

use throughline_kit::client::CallContext;
use throughline_kit::error::{Error, Kind};
use throughline_kit::feed::{Consumer, Cursor};
use throughline_kit::storage::Writer;
use throughline_proto::event::v1::Event;
use throughline_proto::payment::v1 as proto;

use crate::engine::{Engine, Wish};
use crate::error::DOMAIN;
use crate::event::{Gain, Outcome};
use crate::failure::Failure;
use crate::order::{Order, OrderId};
use crate::peers::Peers;
use crate::work::payment_reference;

/// How long closing a refused payment may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Events that say how a payment ended.
const DECISIVE: [&str; 3] = ["payment.captured", "payment.declined", "payment.closed"];

/// Settles payments of live orders.
#[derive(Clone, Debug)]
pub(crate) struct PaymentNews {
    /// Owns the orders.
    pub(crate) engine: Engine,
    /// Calls to the payment center.
    pub(crate) peers: Peers,
    /// Keeps the cursor.
    pub(crate) writer: Writer,
}

impl Consumer for PaymentNews {
    async fn consume(&self, events: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        let news = events.into_iter().filter_map(read).map(|news| self.settle(news));
        for settled in futures::future::join_all(news).await {
            settled?;
        }
        // What is not captured is read anew and settled as it stands now, and a refund has one request id for ever: all is
        // the same when repeated, so the cursor may follow in a commit of its own.
        cursor.save(&self.writer).await
    }
}

/// What an event says of the payment of an order.
struct News {
    event_id: String,
    order_id: OrderId,
    context: CallContext,
    owed: proto::PaymentOrder,
}

impl PaymentNews {
    async fn settle(&self, news: News) -> Result<(), Error> {
        let News { event_id, order_id, context, owed } = news;
        let reference = owed.reference.clone();
        let outcome = match self.peers.standing_now(&context, &event_id, owed).await {
            Outcome::Pending { .. } => return Ok(()),
            Outcome::NotAttempted(failure) | Outcome::Unknown(failure) => {
                return Err(not_settled(&failure));
            }
            settled => settled,
        };
        let wish = Wish::Payment { reference: reference.clone(), outcome: outcome.clone() };
        let order = match self.engine.ask(order_id, wish).await {
            Ok(order) => order,
            Err(error) if error.kind == Kind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let is_left_behind = reference != payment_reference(&order);
        let came_too_late = order.ended_at.is_some() && !order.has_taken_payment();
        match outcome {
            Outcome::Succeeded(Gain::Captured { payment_order_id, .. })
                if is_left_behind || came_too_late =>
            {
                self.give_back(&context, &order, payment_order_id).await
            }
            _ => Ok(()),
        }
    }

    /// Money that no order counts on goes back: all that has not gone back yet.
    async fn give_back(
        &self,
        context: &CallContext,
        order: &Order,
        payment_order_id: String,
    ) -> Result<(), Error> {
        let amount = match self.peers.kept(context, payment_order_id.clone()).await {
            Ok(kept) if kept.is_zero() => return Ok(()),
            Ok(kept) => kept,
            Err(outcome) => return given_back(order, outcome),
        };
        let outcome = self.peers.refund_late(order, payment_order_id, amount).await;
        given_back(order, outcome)
    }
}

fn given_back(order: &Order, outcome: Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Succeeded(_) | Outcome::Pending { .. } => {
            tracing::warn!(order = %order.id, "gave back money that no order counts on");
            Ok(())
        }
        Outcome::Declined(failure)
        | Outcome::NeverArrived(failure)
        | Outcome::NotAttempted(failure)
        | Outcome::Unknown(failure) => Err(not_settled(&failure)),
    }
}

fn read(event: Event) -> Option<News> {
    if !DECISIVE.contains(&event.r#type.as_str()) {
        return None;
    }
    let order_id = OrderId::parse(&event.order_id).ok()?;
    let context = CallContext::for_order(&event.order_id, &event.trace_parent, CLOSE_TIMEOUT);
    let changed: proto::PaymentChanged =
        prost::Message::decode(event.payload?.value.as_slice()).ok()?;
    Some(News { event_id: event.event_id, order_id, context, owed: changed.payment_order? })
}

/// The same event comes again.
fn not_settled(failure: &Failure) -> Error {
    let Failure { reason, message, .. } = failure;
    Error::new(Kind::Unavailable, DOMAIN, reason, format!("settle a payment: {message}"))
}
