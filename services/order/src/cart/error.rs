//! What can be refused about a cart, as a caller can act on it.

use throughline_kit::error::{Error, Kind};
use throughline_kit::money::Currency;

use super::{CartId, CartState, MAX_ACTIVE_CARTS, MAX_CART_BYTES, MAX_LINES_PER_CART};
use crate::convert::MAX_QUANTITY;
use crate::error::DOMAIN;

/// One variant for each thing that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CartError {
    /// No such cart, or it belongs to another channel.
    #[error("no cart {0} that this caller may see")]
    NotFound(String),
    /// The cart has ended.
    #[error("cart {cart_id} is {}; create a new one", .state.as_str())]
    NotActive {
        /// Cart.
        cart_id: CartId,
        /// How it ended.
        state: CartState,
    },
    /// Somebody else changed the cart.
    #[error("the cart was changed meanwhile and has version {0}; read it again")]
    Changed(i64),
    /// No such line.
    #[error("the cart has no line {0}")]
    ItemNotFound(String),
    /// An amount or a cart is in another currency.
    #[error("the cart is in {0}; use a cart of the other currency")]
    CurrencyDiffers(Currency),
    /// The cart is somebody else's.
    #[error("the cart belongs to another customer")]
    CustomerDiffers,
    /// The cart is nobody's.
    #[error("the cart belongs to a guest; merge it into a customer's cart first")]
    CustomerMissing,
    /// There is nothing to order.
    #[error("the cart has no lines; add one first")]
    Empty,
    /// Too many lines.
    #[error("a cart holds at most {MAX_LINES_PER_CART} lines")]
    TooManyLines,
    /// Too many units of one line.
    #[error("a line holds at most {MAX_QUANTITY} units")]
    TooManyUnits,
    /// Too much text.
    #[error("the text of a cart is at most {MAX_CART_BYTES} bytes long")]
    TooLarge,
    /// Too many carts.
    #[error("one may have at most {MAX_ACTIVE_CARTS} active carts")]
    TooManyCarts,
}

impl From<CartError> for Error {
    fn from(error: CartError) -> Self {
        let message = error.to_string();
        let make = |kind, reason| Self::new(kind, DOMAIN, reason, message.clone());
        match error {
            CartError::NotFound(id) => make(Kind::NotFound, "CART_NOT_FOUND").with("cart", id),
            CartError::NotActive { cart_id, state } => make(Kind::Precondition, "CART_NOT_ACTIVE")
                .with("cart", cart_id)
                .with("state", state.as_str()),
            CartError::Changed(version) => {
                make(Kind::Aborted, "CART_CHANGED").with("version", version)
            }
            CartError::ItemNotFound(key) => {
                make(Kind::NotFound, "CART_ITEM_NOT_FOUND").with("item_key", key)
            }
            CartError::CurrencyDiffers(currency) => {
                make(Kind::Precondition, "CART_CURRENCY_DIFFERS").with("currency_code", currency)
            }
            CartError::CustomerDiffers => make(Kind::Precondition, "CART_CUSTOMER_DIFFERS"),
            CartError::CustomerMissing => make(Kind::Precondition, "CART_CUSTOMER_MISSING"),
            CartError::Empty => make(Kind::Precondition, "CART_EMPTY"),
            CartError::TooManyLines => {
                Self::limit(DOMAIN, "max_lines_per_cart", MAX_LINES_PER_CART)
            }
            CartError::TooManyUnits => Self::limit(DOMAIN, "max_units_per_line", MAX_QUANTITY),
            CartError::TooLarge => Self::limit(DOMAIN, "max_cart_bytes", MAX_CART_BYTES),
            CartError::TooManyCarts => Self::limit(DOMAIN, "max_active_carts", MAX_ACTIVE_CARTS),
        }
    }
}
