//! Follows the payment center's feed: a payer who pays later, a channel that answers late.

use throughline_kit::error::{Error, Kind};
use throughline_kit::feed::{Consumer, Cursor};
use throughline_kit::storage::Writer;
use throughline_proto::event::v1::Event;
use throughline_proto::payment::v1 as proto;

use crate::engine::Engine;
use crate::event::Outcome;
use crate::order::OrderId;
use crate::peers;

/// Events that say how a payment ended.
const DECISIVE: [&str; 3] = ["payment.captured", "payment.declined", "payment.closed"];

/// Settles payments of live orders.
#[derive(Clone, Debug)]
pub(crate) struct PaymentNews {
    /// Owns the orders.
    pub(crate) engine: Engine,
    /// Keeps the cursor.
    pub(crate) writer: Writer,
}

impl Consumer for PaymentNews {
    async fn consume(&self, events: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        let news = events.into_iter().filter_map(read).map(|(order_id, outcome)| async {
            match self.engine.payment(order_id, outcome).await {
                Ok(_) => Ok(()),
                // The order has ended: its payment is settled.
                Err(error) if error.kind == Kind::NotFound => Ok(()),
                Err(error) => Err(error),
            }
        });
        for settled in futures::future::join_all(news).await {
            settled?;
        }
        // Settling is the same when repeated, so the cursor may follow in a commit of its own.
        cursor.save(&self.writer).await
    }
}

fn read(event: Event) -> Option<(OrderId, Outcome)> {
    if !DECISIVE.contains(&event.r#type.as_str()) {
        return None;
    }
    let order_id = OrderId::parse(&event.order_id).ok()?;
    let changed: proto::PaymentChanged =
        prost::Message::decode(event.payload?.value.as_slice()).ok()?;
    match peers::standing(changed.payment_order) {
        Outcome::Pending { .. } => None,
        settled => Some((order_id, settled)),
    }
}
