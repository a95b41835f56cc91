//! What can go wrong with an order, as a caller can act on it.

use throughline_kit::error::{Error, Kind};

use crate::decide::Refusal;
use crate::order::{MAX_ITEMS_PER_ORDER, OrderState};

/// Domain of this center's errors.
pub(crate) const DOMAIN: &str = "order";

/// One variant for each thing that a caller can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    /// No such order, or it belongs to another channel.
    #[error("no order {0} that this caller may see")]
    NotFound(String),
    /// The order has ended.
    #[error("the order has ended as {}; nothing can be changed any more", .0.as_str())]
    Terminal(OrderState),
    /// Too many lines.
    #[error("an order holds at most {MAX_ITEMS_PER_ORDER} items, this one has {0}; split it")]
    TooLarge(usize),
    /// The channel's number belongs to an order of another request.
    #[error("channel order id {0} belongs to another order; use a new number")]
    ChannelOrderIdTaken(String),
    /// The channel may not set prices.
    #[error("channel {0} has no right to its own prices; ask for the right agreed-price")]
    AgreedPriceNotGranted(String),
    /// A callback names a step that does not wait.
    #[error("no step of order {0} has reference {1}")]
    StepNotFound(String, String),
    /// A callback contradicts what is known.
    #[error("the step has ended otherwise; the report is refused")]
    StepAlreadyEnded,
}

impl From<OrderError> for Error {
    fn from(error: OrderError) -> Self {
        let message = error.to_string();
        let make = |kind, reason| Self::new(kind, DOMAIN, reason, message.clone());
        match error {
            OrderError::NotFound(id) => make(Kind::NotFound, "ORDER_NOT_FOUND").with("order", id),
            OrderError::Terminal(state) => {
                make(Kind::Precondition, "ORDER_TERMINAL").with("state", state.as_str())
            }
            OrderError::TooLarge(items) => make(Kind::Invalid, "ORDER_TOO_LARGE")
                .with("limit", "max_items_per_order")
                .with("items", items),
            OrderError::ChannelOrderIdTaken(id) => {
                make(Kind::AlreadyExists, "CHANNEL_ORDER_ID_TAKEN").with("channel_order_id", id)
            }
            OrderError::AgreedPriceNotGranted(channel) => {
                make(Kind::PermissionDenied, "AGREED_PRICE_NOT_GRANTED").with("channel", channel)
            }
            OrderError::StepNotFound(order, reference) => make(Kind::NotFound, "STEP_NOT_FOUND")
                .with("order", order)
                .with("reference", reference),
            OrderError::StepAlreadyEnded => make(Kind::Precondition, "STEP_ALREADY_ENDED"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Terminal(state) => OrderError::Terminal(state).into(),
        }
    }
}
