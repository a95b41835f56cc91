//! Makes an order of a cart: the same acceptance as of any order, and in its commit the end of the cart.

use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Database, Tx};
use throughline_proto::order::v1 as proto;

use super::change::{Target, seen};
use super::{Cart, CartError, store};
use crate::acceptance::Acceptance;
use crate::convert::{self, Submission};
use crate::error::DOMAIN;
use crate::order::Order;

const METHOD: &str = "throughline.order.v1.CartService/CheckOutCart";

/// Checks carts out.
#[derive(Clone, Debug)]
pub(crate) struct CheckOut {
    /// Accepts the orders.
    pub(crate) acceptance: Acceptance,
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where carts and first answers are read.
    pub(crate) database: Database,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl CheckOut {
    /// Accepts an order of all lines; the same request again is answered the same.
    pub(crate) async fn check_out(
        &self,
        caller: &Caller,
        request: proto::CheckOutCartRequest,
    ) -> Result<proto::SubmitOrderResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
        wrong.finish()?;
        let Some(request_id) = request_id else {
            return Err(Error::internal(DOMAIN, "a request id without violation was not read"));
        };
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        match self.prepare(caller, request).await {
            Ok((submission, cart)) => {
                self.acceptance.submit(caller, key, submission, Some(cart)).await
            }
            Err(refusal) => {
                // The cart that became an order is no longer active, and was answered for.
                let first = self.idempotency.recall(&self.database, &key).await?;
                first.unwrap_or(Err(refusal))
            }
        }
    }

    async fn prepare(
        &self,
        caller: &Caller,
        request: proto::CheckOutCartRequest,
    ) -> Result<(Submission, CartEnd), Error> {
        let mut target = convert::cart::target(caller, &request.cart_id, request.expected_version)?;
        let found = store::find(&self.database, &target.cart_id).await?;
        let cart = seen(found, &target.cart_id, target.channel.as_deref())?;
        cart.check(target.expected_version, self.clock.now())?;
        if cart.lines.is_empty() {
            return Err(CartError::Empty.into());
        }
        // The order is made of just these lines, so the cart that ends must be in just this version.
        target.expected_version = Some(cart.head.version);
        let submission = convert::submission(&submit_request(request, &cart))?;
        let owner = &cart.head.customer_id;
        if !owner.is_empty() && *owner != submission.customer.id {
            return Err(CartError::CustomerDiffers.into());
        }
        let channel = cart.head.channel;
        Ok((submission, CartEnd { target, channel, clock: self.clock.clone() }))
    }
}

/// The submission that a checkout stands for.
fn submit_request(request: proto::CheckOutCartRequest, cart: &Cart) -> proto::SubmitOrderRequest {
    proto::SubmitOrderRequest {
        request_id: request.request_id,
        channel_order_id: request.channel_order_id,
        customer: request.customer,
        items: cart.lines.iter().map(convert::submitted_item).collect(),
        currency_code: cart.head.currency.to_string(),
        payment: request.payment,
        failure_policy: request.failure_policy,
        campaign: request.campaign,
        group: request.group,
        ..proto::SubmitOrderRequest::default()
    }
}

/// The end of a cart as an order, written in the commit in which the order is accepted.
#[derive(Clone, Debug)]
pub(crate) struct CartEnd {
    target: Target,
    channel: String,
    clock: Clock,
}

impl CartEnd {
    /// Channel that the cart belongs to.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Reads the cart, which must be as the order was made of it. Writes nothing.
    pub(crate) async fn load(&self, tx: &mut Tx) -> Result<Cart, Error> {
        let cart = self.target.load(tx).await?;
        cart.check(self.target.expected_version, self.clock.now())?;
        Ok(cart)
    }

    /// Ends the cart.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx,
        mut cart: Cart,
        order: &Order,
    ) -> Result<(), Error> {
        cart.check_out(order.id.clone(), &order.customer.id, self.clock.now());
        store::put(tx, &cart).await
    }
}
