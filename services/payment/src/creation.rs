//! Creating what is owed, and reading it.

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::payment::v1 as proto;

use crate::center::{Asked, Center};
use crate::convert::{self, Creation};
use crate::error::Refusal;
use crate::event::{self, Occasion};
use crate::payment_order::{Event, PaymentOrder, PaymentOrderId, Phase};
use crate::store;

struct Create {
    id: PaymentOrderId,
    caller: String,
    creation: Creation,
    trace_parent: String,
    clock: Clock,
}

impl Change for Create {
    type Output = proto::PaymentOrder;

    async fn apply(&self, tx: &mut Tx) -> Result<proto::PaymentOrder, Error> {
        let wanted = &self.creation;
        let taken = store::order_of_reference(tx, &self.caller, &wanted.reference).await?;
        if let Some(payment_order_id) = taken {
            let reference = wanted.reference.clone();
            return Err(Refusal::ReferenceTaken { reference, payment_order_id }.into());
        }
        let now = self.clock.now();
        let order = PaymentOrder {
            id: self.id.clone(),
            version: 0,
            caller: self.caller.clone(),
            reference: wanted.reference.clone(),
            order_id: wanted.order_id.clone(),
            payer_id: wanted.payer_id.clone(),
            amount: wanted.amount,
            captured_minor: 0,
            refunding_minor: 0,
            refunded_minor: 0,
            phase: Phase::Open,
            attempts: Vec::new(),
            expire_at: now.plus(wanted.ttl),
            created_at: now,
            updated_at: now,
            trace_parent: self.trace_parent.clone(),
        };
        store::insert(tx, &order);
        let occasion = Occasion { at: now, trace_parent: &self.trace_parent };
        event::announce(tx, Some(&order), &[Event::Created], occasion);
        Ok(convert::payment_order(&order))
    }
}

impl Center {
    /// Creates a payment order.
    pub(crate) async fn create_payment_order(
        &self,
        asked: Asked<Creation>,
    ) -> Result<proto::PaymentOrder, Error> {
        let change = Create {
            id: PaymentOrderId::generate(),
            caller: asked.caller.name,
            creation: asked.what,
            trace_parent: asked.caller.trace_parent,
            clock: self.clock.clone(),
        };
        self.idempotency.once(asked.key, change).await
    }

    /// Reads a page of payment orders and the token of the next one.
    pub(crate) async fn list_payment_orders(
        &self,
        filter: store::Filter,
    ) -> Result<(Vec<PaymentOrder>, String), Error> {
        let orders = store::list(&self.database, &filter).await?;
        Ok(filter.page.cut(orders, |order| (order.created_at, order.id.to_string())))
    }
}
