//! The cart: what somebody means to order. Nothing in it is promised, so it knows no prices but those that a channel agreed.
//!
//! ```text
//!  ACTIVE ─► CHECKED_OUT   became an order, in the same commit
//!     ├────► MERGED        its lines went into another cart
//!     ├────► EXPIRED       nobody changed it for as long as it lives; decided by the clock, noted by the sweeper
//!     └────► DELETED
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;
use throughline_kit::money::Currency;

use crate::order::{Item, MAX_ITEMS_PER_ORDER, OrderId};

pub(crate) mod change;
pub(crate) mod check_out;
mod command;
mod error;
pub(crate) mod query;
pub(crate) mod store;

#[cfg(test)]
mod tests;

pub(crate) use command::Command;
pub(crate) use error::CartError;

throughline_kit::define_id!(
    /// Id of a cart.
    CartId,
    "cart"
);

/// Lines at most: what an order holds, so that every cart can be checked out.
pub(crate) const MAX_LINES_PER_CART: usize = MAX_ITEMS_PER_ORDER;
/// Text of all lines at most, in bytes: an order of them fits into a message.
pub(crate) const MAX_CART_BYTES: usize = 2 << 20;
/// Active carts of one customer, or of one visitor of a channel, at most.
pub(crate) const MAX_ACTIVE_CARTS: i64 = 100;
/// How long a cart that has ended can be read.
pub(crate) const ENDED_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// State of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CartState {
    /// May be changed.
    Active,
    /// Became an order.
    CheckedOut,
    /// Its lines went into another cart.
    Merged,
    /// Nobody changed it for too long.
    Expired,
    /// Somebody deleted it.
    Deleted,
}

impl CartState {
    /// The text that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::CheckedOut => "CHECKED_OUT",
            Self::Merged => "MERGED",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
        }
    }
}

/// A cart without its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Id.
    pub(crate) id: CartId,
    /// Channel that it belongs to.
    pub(crate) channel: String,
    /// Customer; empty for a guest.
    pub(crate) customer_id: String,
    /// The channel's id of the visitor; may be empty for a customer.
    pub(crate) visitor_id: String,
    /// Currency of agreed prices.
    pub(crate) currency: Currency,
    /// State as stored; [`Head::state_at`] tells what it is.
    pub(crate) state: CartState,
    /// How long it lives after its last change.
    pub(crate) ttl: Duration,
    /// Lines.
    pub(crate) line_count: usize,
    /// Units over all lines.
    pub(crate) unit_count: i64,
    /// Key of the next line.
    pub(crate) next_key: u32,
    /// When it was created.
    pub(crate) created_at: Instant,
    /// When it last changed.
    pub(crate) updated_at: Instant,
    /// When it expires.
    pub(crate) expires_at: Instant,
    /// The order that it became.
    pub(crate) order_id: Option<OrderId>,
    /// The cart that took its lines.
    pub(crate) merged_into: Option<CartId>,
    /// Grows by one with each change.
    pub(crate) version: i64,
}

impl Head {
    /// What the cart is now: nobody waits for the sweeper to learn that it is over.
    pub(crate) fn state_at(&self, now: Instant) -> CartState {
        match self.state {
            CartState::Active if now >= self.expires_at => CartState::Expired,
            state => state,
        }
    }

    /// When the sweeper has to look at it: when it expires, or when the row of an ended cart goes.
    pub(crate) fn due_at(&self) -> Instant {
        match self.state {
            CartState::Active => self.expires_at,
            CartState::Expired => self.expires_at.plus(ENDED_KEPT_FOR),
            CartState::CheckedOut | CartState::Merged | CartState::Deleted => {
                self.updated_at.plus(ENDED_KEPT_FOR)
            }
        }
    }

    /// Notes that its time was over.
    pub(crate) fn expire(&mut self) {
        assert_eq!(self.state, CartState::Active, "only an active cart expires");
        self.state = CartState::Expired;
        self.version += 1;
    }
}

/// What a new cart is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewCart {
    /// Customer; empty for a guest.
    pub(crate) customer_id: String,
    /// The channel's id of the visitor.
    pub(crate) visitor_id: String,
    /// Currency.
    pub(crate) currency: Currency,
    /// How long it lives after its last change.
    pub(crate) ttl: Duration,
}

/// A cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cart {
    /// All but the lines.
    pub(crate) head: Head,
    /// Lines, in the order in which they came.
    pub(crate) lines: Vec<Item>,
}

impl Cart {
    /// An empty cart of a channel.
    pub(crate) fn new(id: CartId, channel: String, new: NewCart, now: Instant) -> Self {
        let head = Head {
            id,
            channel,
            customer_id: new.customer_id,
            visitor_id: new.visitor_id,
            currency: new.currency,
            state: CartState::Active,
            ttl: new.ttl,
            line_count: 0,
            unit_count: 0,
            next_key: 1,
            created_at: now,
            updated_at: now,
            expires_at: now.plus(new.ttl),
            order_id: None,
            merged_into: None,
            version: 1,
        };
        Self { head, lines: Vec::new() }
    }

    /// Refuses a cart that has ended, or has another version than the caller knows.
    pub(crate) fn check(&self, expected: Option<i64>, now: Instant) -> Result<(), CartError> {
        let state = self.head.state_at(now);
        if state != CartState::Active {
            return Err(CartError::NotActive { cart_id: self.head.id.clone(), state });
        }
        if expected.is_some_and(|expected| expected != self.head.version) {
            return Err(CartError::Changed(self.head.version));
        }
        Ok(())
    }

    /// Ends as an order of a customer.
    pub(crate) fn check_out(&mut self, order_id: OrderId, customer_id: &str, now: Instant) {
        customer_id.clone_into(&mut self.head.customer_id);
        self.head.state = CartState::CheckedOut;
        self.head.order_id = Some(order_id);
        self.touch(now);
    }

    fn touch(&mut self, now: Instant) {
        self.head.line_count = self.lines.len();
        self.head.unit_count = self.lines.iter().map(|line| line.quantity).sum();
        self.head.updated_at = now;
        self.head.expires_at = now.plus(self.head.ttl);
        self.head.version += 1;
    }
}
