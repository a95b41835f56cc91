//! Changes of carts, each in one transaction with whatever else is committed.

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::order::v1 as proto;

use super::{Cart, CartError, CartId, CartState, Command, MAX_ACTIVE_CARTS, NewCart, store};
use crate::convert::cart as convert;

/// Creates a cart.
#[derive(Debug)]
pub(crate) struct CreateCart {
    /// Id that it will have.
    pub(crate) id: CartId,
    /// Channel that it will belong to.
    pub(crate) channel: String,
    /// What it is made of.
    pub(crate) new: NewCart,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for CreateCart {
    type Output = proto::CartChanged;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let now = self.clock.now();
        let cart = Cart::new(self.id.clone(), self.channel.clone(), self.new.clone(), now);
        if store::count_active(tx, &cart.head, now).await? >= MAX_ACTIVE_CARTS {
            return Err(CartError::TooManyCarts.into());
        }
        store::put(tx, &cart).await?;
        Ok(convert::changed(&cart.head, None, now))
    }
}

/// Which cart a caller means, and in which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Cart.
    pub(crate) cart_id: CartId,
    /// Version that it must have.
    pub(crate) expected_version: Option<i64>,
    /// Channel of a caller that sees only its own carts.
    pub(crate) channel: Option<String>,
}

impl Target {
    /// Reads the cart that is meant.
    pub(crate) async fn load(&self, tx: &mut Tx) -> Result<Cart, Error> {
        seen(store::load(tx, &self.cart_id).await?, &self.cart_id, self.channel.as_deref())
    }
}

/// The cart, if the caller may see it.
pub(crate) fn seen(cart: Option<Cart>, id: &CartId, channel: Option<&str>) -> Result<Cart, Error> {
    let cart = cart.filter(|cart| channel.is_none_or(|channel| channel == cart.head.channel));
    Ok(cart.ok_or_else(|| CartError::NotFound(id.to_string()))?)
}

/// Changes one cart.
#[derive(Debug)]
pub(crate) struct ChangeCart {
    /// Cart.
    pub(crate) target: Target,
    /// What is wanted.
    pub(crate) command: Command,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for ChangeCart {
    type Output = proto::CartChanged;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let now = self.clock.now();
        let mut cart = self.target.load(tx).await?;
        if self.command == Command::Delete && cart.head.state == CartState::Deleted {
            return Ok(convert::changed(&cart.head, None, now));
        }
        cart.check(self.target.expected_version, now)?;
        let line = cart.change(self.command.clone(), now)?;
        store::put(tx, &cart).await?;
        Ok(convert::changed(&cart.head, line.as_ref(), now))
    }
}

/// Moves the lines of one cart into another.
#[derive(Debug)]
pub(crate) struct MergeCarts {
    /// Takes the lines.
    pub(crate) into: Target,
    /// Gives them.
    pub(crate) from: Target,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for MergeCarts {
    type Output = proto::CartChanged;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let now = self.clock.now();
        let mut from = self.from.load(tx).await?;
        let mut into = self.into.load(tx).await?;
        if from.head.merged_into.as_ref() == Some(&into.head.id) {
            return Ok(convert::changed(&into.head, None, now));
        }
        from.check(self.from.expected_version, now)?;
        into.check(self.into.expected_version, now)?;
        into.take_in(&mut from, now)?;
        store::put(tx, &from).await?;
        store::put(tx, &into).await?;
        Ok(convert::changed(&into.head, None, now))
    }
}
