//! Follows the payment center's feed: a payer who pays later, a channel that answers late.

use std::time::Duration;

use throughline_kit::client::CallContext;
use throughline_kit::error::{Error, Kind};
use throughline_kit::feed::{Consumer, Cursor};
use throughline_kit::storage::Writer;
use throughline_proto::event::v1::Event;
use throughline_proto::payment::v1 as proto;

use crate::engine::Engine;
use crate::error::DOMAIN;
use crate::event::Outcome;
use crate::order::{Failure, OrderId};
use crate::peers::Peers;

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
        // Settling is the same when repeated, so the cursor may follow in a commit of its own.
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
        let outcome = match self.peers.settle(&news.context, &news.event_id, news.owed).await {
            Outcome::Pending { .. } => return Ok(()),
            Outcome::NotAttempted(failure) | Outcome::Unknown(failure) => {
                return Err(not_settled(&failure));
            }
            settled => settled,
        };
        match self.engine.payment(news.order_id, outcome).await {
            Ok(_) => Ok(()),
            // The order has ended: its payment is settled.
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
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
    Error::new(Kind::Unavailable, DOMAIN, reason, format!("close a refused payment: {message}"))
}
