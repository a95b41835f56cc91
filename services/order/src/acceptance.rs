//! Accepts orders: stores them durably and hands them to the engine, which does all the work after the answer.

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::storage::{Change, Database, Tx};
use throughline_proto::order::v1 as proto;

use crate::announce;
use crate::campaign::sale::{SaleClaim, SaleWish};
use crate::cart::check_out::CartEnd;
use crate::convert::{self, Submission};
use crate::engine::Engine;
use crate::error::{DOMAIN, OrderError};
use crate::flow::{self, Pinned};
use crate::order::{Item, Order, OrderId, OrderState};
use crate::shared::Shared;
use crate::store;
use crate::templates::Templates;
use crate::webhook;

/// Right of a channel to set its own prices.
const AGREED_PRICE: &str = "agreed-price";

/// Accepts orders.
#[derive(Clone, Debug)]
pub(crate) struct Acceptance {
    idempotency: Idempotency,
    database: Database,
    engine: Engine,
    templates: Templates,
    clock: Clock,
    webhooks: webhook::Registry,
}

impl Acceptance {
    /// Accepts for an engine.
    pub(crate) fn new(
        idempotency: Idempotency,
        database: Database,
        engine: Engine,
        templates: Templates,
        clock: Clock,
        webhooks: webhook::Registry,
    ) -> Self {
        Self { idempotency, database, engine, templates, clock, webhooks }
    }

    /// Stores the order, and the end of the cart that it was made of, and answers; the same request again is answered the
    /// same.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        key: RequestKey,
        mut submission: Submission,
        cart: Option<CartEnd>,
    ) -> Result<proto::SubmitOrderResponse, Error> {
        let checked = self
            .check(caller, &submission)
            .and_then(|()| self.templates.for_submission(&submission));
        let template = match checked {
            Ok(template) => template,
            Err(refusal) => {
                // What was accepted once stays accepted.
                let first = self.idempotency.recall(&self.database, &key).await?;
                return first.unwrap_or(Err(refusal));
            }
        };
        let sale = submission.sale.take().map(|wish| self.sale_claim(wish));
        // What becomes of a cart belongs to the channel of the cart, whoever checks it out.
        let channel = cart.as_ref().map_or(caller.name.as_str(), CartEnd::channel).to_owned();
        let order = self.new_order(caller, channel, submission, template);
        let accept = Accept { order, sale, cart, webhooks: self.webhooks.clone() };
        // Beside the call: a caller that goes away must not leave a stored order that nobody owns.
        let this = self.clone();
        let accepted = tokio::spawn(async move { this.accept(key, accept).await });
        accepted.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    fn sale_claim(&self, wish: SaleWish) -> SaleClaim {
        let (templates, clock) = (self.templates.clone(), self.clock.clone());
        SaleClaim::new(wish, templates, self.engine.standing(), clock)
    }

    async fn accept(
        &self,
        key: RequestKey,
        accept: Accept,
    ) -> Result<proto::SubmitOrderResponse, Error> {
        let order_id = accept.order.id.clone();
        // What a campaign adds to an order is known once it is stored.
        let order = accept.sale.is_none().then(|| accept.order.clone());
        let answer = self.idempotency.once(key, accept).await;
        match (&answer, order) {
            (Ok(accepted), Some(order)) if accepted.order_id == order_id.as_str() => {
                self.engine.adopt(order).await;
            }
            // The first time may have ended before anybody heard of it.
            (Ok(accepted), _) => {
                if let Ok(first) = OrderId::parse(&accepted.order_id) {
                    self.engine.find(first).await;
                }
            }
            (Err(error), _) if error.kind == Kind::OutcomeUnknown => {
                self.engine.find(order_id).await;
            }
            (Err(_), _) => {}
        }
        answer
    }

    fn check(&self, caller: &Caller, submission: &Submission) -> Result<(), Error> {
        check_agreed_prices(caller, &submission.items)?;
        self.engine.check_room()
    }

    fn new_order(
        &self,
        caller: &Caller,
        channel: String,
        submission: Submission,
        template: Pinned,
    ) -> Order {
        let trace_parent = caller.trace_parent.clone();
        let origin = Origin { channel, trace_parent, accepted_at: self.clock.now() };
        let mut order = submitted(submission, template.clone(), origin);
        flow::begin(&mut order, template, &self.engine.standing());
        order
    }
}

/// Where an order comes from, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Channel that it belongs to.
    pub(crate) channel: String,
    /// Trace of the submission.
    pub(crate) trace_parent: String,
    /// When it is accepted.
    pub(crate) accepted_at: Instant,
}

/// The order of a submission; it has no steps yet.
pub(crate) fn submitted(submission: Submission, template: Pinned, origin: Origin) -> Order {
    Order {
        id: OrderId::generate(),
        channel: origin.channel,
        channel_order_id: submission.channel_order_id,
        customer: submission.customer.into(),
        items: submission.items.into(),
        item_plans: None,
        currency: submission.currency,
        payment: submission.payment.into(),
        policy: submission.policy,
        requested_start_at: submission.requested_start_at,
        promised_at: submission.promised_at,
        jeopardy_at: None,
        in_jeopardy: false,
        priority: submission.priority,
        urges: 0,
        urged_at: None,
        holds: Vec::new(),
        signals: Vec::new(),
        sale: None,
        steps: Vec::new(),
        template,
        business_orders: Vec::new(),
        total: None,
        captured: 0,
        refunded: 0,
        payment_order_id: String::new(),
        reservation_id: String::new(),
        assigned: Shared::default(),
        dismissal: None,
        cancel_reason: None,
        change: None,
        failure: None,
        trace_parent: origin.trace_parent,
        created_at: origin.accepted_at,
        updated_at: origin.accepted_at,
        ended_at: None,
        version: 1,
        marks: Shared::default(),
        cancellations: Vec::new(),
        cancellations_changed: false,
        positions_changed: false,
        marks_changed: false,
        tasks_changed: false,
    }
}

/// Refuses lines with prices of their own from a channel that has no right to them.
pub(crate) fn check_agreed_prices(caller: &Caller, items: &[Item]) -> Result<(), Error> {
    let sets_prices = items.iter().any(|item| item.agreed_price.is_some());
    if sets_prices && caller.kind == CallerKind::Channel && !caller.has_right(AGREED_PRICE) {
        return Err(OrderError::AgreedPriceNotGranted(caller.name.clone()).into());
    }
    Ok(())
}

struct Accept {
    order: Order,
    sale: Option<SaleClaim>,
    cart: Option<CartEnd>,
    webhooks: webhook::Registry,
}

impl Change for Accept {
    type Output = proto::SubmitOrderResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let cart = match &self.cart {
            Some(end) => Some((end, end.load(tx).await?)),
            None => None,
        };
        let group = match &self.sale {
            Some(sale) => sale.sell(tx, &self.order).await?,
            None => {
                store::insert(tx, &self.order).await?;
                String::new()
            }
        };
        if let Some((end, cart)) = cart {
            end.write(tx, cart, &self.order).await?;
        }
        let accepted = announce::accepted(&self.order, self.order.created_at);
        let told = std::slice::from_ref(&accepted);
        webhook::enqueue(tx, &self.webhooks, std::iter::once(&self.order), told);
        tx.announce(accepted);
        Ok(proto::SubmitOrderResponse {
            order_id: self.order.id.to_string(),
            state: convert::order_state(OrderState::Acknowledged).into(),
            create_time: Some(self.order.created_at.to_proto()),
            group,
        })
    }
}
