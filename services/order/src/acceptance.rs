//! Accepts orders: stores them durably and hands them to the engine, which does all the work after the answer.

use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::storage::{Change, Database, Tx};
use throughline_proto::order::v1 as proto;

use crate::announce;
use crate::apply::apply;
use crate::convert::{self, Submission};
use crate::engine::Engine;
use crate::error::{DOMAIN, OrderError};
use crate::event::Event;
use crate::flow;
use crate::order::{Order, OrderId, OrderState, Place};
use crate::store;

/// Right of a channel to set its own prices.
const AGREED_PRICE: &str = "agreed-price";

/// Accepts orders.
#[derive(Clone, Debug)]
pub(crate) struct Acceptance {
    idempotency: Idempotency,
    database: Database,
    engine: Engine,
    clock: Clock,
}

impl Acceptance {
    /// Accepts for an engine.
    pub(crate) fn new(
        idempotency: Idempotency,
        database: Database,
        engine: Engine,
        clock: Clock,
    ) -> Self {
        Self { idempotency, database, engine, clock }
    }

    /// Stores the order and answers; the same request again is answered the same.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        key: RequestKey,
        submission: Submission,
    ) -> Result<proto::SubmitOrderResponse, Error> {
        if let Err(refusal) = self.check(caller, &submission) {
            // What was accepted once stays accepted.
            let first = self.idempotency.recall(&self.database, &key).await?;
            return first.unwrap_or(Err(refusal));
        }
        let order = self.new_order(caller, submission);
        // Beside the call: a caller that goes away must not leave a stored order that nobody owns.
        let this = self.clone();
        let accepted = tokio::spawn(async move { this.accept(key, order).await });
        accepted.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    async fn accept(
        &self,
        key: RequestKey,
        order: Order,
    ) -> Result<proto::SubmitOrderResponse, Error> {
        let order_id = order.id.clone();
        let answer = self.idempotency.once(key, Accept { order: order.clone() }).await;
        match &answer {
            Ok(accepted) if accepted.order_id == order_id.as_str() => {
                self.engine.adopt(order).await;
            }
            // The first time may have ended before anybody heard of it.
            Ok(accepted) => {
                if let Ok(first) = OrderId::parse(&accepted.order_id) {
                    self.engine.find(first).await;
                }
            }
            Err(error) if error.kind == Kind::OutcomeUnknown => self.engine.find(order_id).await,
            Err(_) => {}
        }
        answer
    }

    fn check(&self, caller: &Caller, submission: &Submission) -> Result<(), Error> {
        let sets_prices = submission.has_agreed_prices() && caller.kind == CallerKind::Channel;
        if sets_prices && !caller.has_right(AGREED_PRICE) {
            return Err(OrderError::AgreedPriceNotGranted(caller.name.clone()).into());
        }
        self.engine.check_room()
    }

    fn new_order(&self, caller: &Caller, submission: Submission) -> Order {
        let now = self.clock.now();
        let mut order = Order {
            id: OrderId::generate(),
            channel: caller.name.clone(),
            channel_order_id: submission.channel_order_id,
            customer: submission.customer,
            items: submission.items.into(),
            item_plans: None,
            currency: submission.currency,
            payment: submission.payment,
            policy: submission.policy,
            steps: flow::first_steps(),
            business_orders: Vec::new(),
            total: None,
            captured: 0,
            refunded: 0,
            payment_order_id: String::new(),
            reservation_id: String::new(),
            assigned: std::collections::BTreeMap::new(),
            dismissal: None,
            cancel_reason: None,
            failure: None,
            trace_parent: caller.trace_parent.clone(),
            created_at: now,
            updated_at: now,
            ended_at: None,
            version: 1,
        };
        // The first step starts with the acceptance: one commit less for every order.
        apply(&mut order, &Event::StepStarted(Place { business_order: None, step: 0 }), now);
        order
    }
}

struct Accept {
    order: Order,
}

impl Change for Accept {
    type Output = proto::SubmitOrderResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        store::insert(tx, &self.order).await?;
        tx.announce(announce::accepted(&self.order, self.order.created_at));
        Ok(proto::SubmitOrderResponse {
            order_id: self.order.id.to_string(),
            state: convert::order_state(OrderState::Acknowledged).into(),
            create_time: Some(self.order.created_at.to_proto()),
        })
    }
}
