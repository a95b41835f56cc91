//! What can go wrong with an order, as a caller can act on it.

use std::time::Duration;

use throughline_kit::error::{Error, Kind};

use crate::decide::Refusal;
use crate::order::{MAX_ITEMS_PER_ORDER, OrderState};

/// Wait before a change that met another instance's is tried again.
const CONFLICT_RETRY: Duration = Duration::from_millis(100);
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
    /// What was asked is done after the end only.
    #[error("the order is {} and has not ended; rate it after its end", .0.as_str())]
    NotEnded(OrderState),
    /// The order has its rating.
    #[error("order {0} was rated already; a rating is given once")]
    RatedAlready(String),
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
    /// No such business order in the order.
    #[error("order {0} has no business order {1}")]
    BusinessOrderNotFound(String, String),
    /// No such step in the order or business order.
    #[error("order {0} has no step {1} there")]
    NoSuchStep(String, String),
    /// No such line in the order.
    #[error("order {0} has no line {1}")]
    ItemNotFound(String, String),
    /// The business order of a line delivers others as well.
    #[error(
        "line {0} is delivered together with others; cancel business order {1}, or return the line after delivery"
    )]
    ItemNotSeparable(String, String),
    /// No such template, or not of that kind.
    #[error(
        "no template {0} in version {1}; `throughline template list` shows those that are there"
    )]
    TemplateNotFound(String, i64),
    /// Another version came first.
    #[error(
        "template {0} is in force in version {1}; look at what differs, then publish for that version"
    )]
    TemplateOvertaken(String, i64),
    /// No template for orders has this name.
    #[error("no template for orders is named {0:?}")]
    OrderTemplateUnknown(String),
    /// Nothing is paused there.
    #[error("{0} is not paused")]
    HoldNotFound(String),
    /// A command cannot be carried out.
    #[error("{}", refused(.0))]
    Refused(Refusal),
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
            OrderError::NotEnded(state) => {
                make(Kind::Precondition, "ORDER_NOT_ENDED").with("state", state.as_str())
            }
            OrderError::RatedAlready(id) => {
                make(Kind::AlreadyExists, "RATED_ALREADY").with("order", id)
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
            OrderError::BusinessOrderNotFound(order, id) => {
                make(Kind::NotFound, "BUSINESS_ORDER_NOT_FOUND")
                    .with("order", order)
                    .with("business_order", id)
            }
            OrderError::NoSuchStep(order, step) => {
                make(Kind::NotFound, "STEP_NOT_FOUND").with("order", order).with("step", step)
            }
            OrderError::ItemNotFound(order, key) => {
                make(Kind::NotFound, "ITEM_NOT_FOUND").with("order", order).with("item", key)
            }
            OrderError::ItemNotSeparable(key, id) => make(Kind::Precondition, "ITEM_NOT_SEPARABLE")
                .with("item", key)
                .with("business_order", id),
            OrderError::TemplateNotFound(name, version) => {
                make(Kind::NotFound, "TEMPLATE_NOT_FOUND")
                    .with("template", name)
                    .with("version", version)
            }
            OrderError::TemplateOvertaken(name, version) => {
                make(Kind::Aborted, "TEMPLATE_OVERTAKEN")
                    .with("template", name)
                    .with("version", version)
            }
            OrderError::OrderTemplateUnknown(name) => {
                make(Kind::Invalid, "TEMPLATE_UNKNOWN").with("template", name)
            }
            OrderError::HoldNotFound(target) => {
                make(Kind::NotFound, "HOLD_NOT_FOUND").with("target", target)
            }
            OrderError::Refused(refusal) => refusal_error(refusal, message.clone()),
            OrderError::StepAlreadyEnded => make(Kind::Precondition, "STEP_ALREADY_ENDED"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        OrderError::Refused(refusal).into()
    }
}

/// What a refused command tells a person, and what to do.
fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Terminal(state) => OrderError::Terminal(*state).to_string(),
        Refusal::StateForbids { what, state, allowed } => {
            format!("{what} is {state}; this may be done from: {allowed}")
        }
        Refusal::NotDelivering(state) => {
            let state = state.as_str();
            format!("the order is {state} and not being delivered; cancel or change it whole")
        }
        Refusal::PointOfNoReturnPassed(what) => {
            format!("{what} is past its point of no return; order a return after its end")
        }
        Refusal::ChangeTooLate => {
            "the order is being delivered, on its way out, or sold under a campaign; cancel it or parts of it, and order \
             what is new as another order"
                .to_owned()
        }
        Refusal::SubstituteMissing(step) => {
            format!("the template has no substitute for step {step}; retry or skip it")
        }
        Refusal::TaskNotFound(task) => {
            format!("no open task {task}; it was done, or is no longer needed")
        }
        Refusal::TaskClaimed(by) => format!("{by} has the task; ask them to release it"),
        Refusal::FormInvalid(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(field, what)| format!("{field}: {what}")).collect();
            format!("the form is wrong: {}", fields.join("; "))
        }
        Refusal::UrgedTooOften(_) => {
            "the order was urged a moment ago and is on its way".to_owned()
        }
        Refusal::Limit(name, most) => format!("the order has reached {name}, which is {most}"),
    }
}

fn refusal_error(refusal: Refusal, message: String) -> Error {
    let make = |kind, reason| Error::new(kind, DOMAIN, reason, message.clone());
    match refusal {
        Refusal::Terminal(state) => OrderError::Terminal(state).into(),
        Refusal::StateForbids { what, state, allowed } => make(Kind::Precondition, "STATE_FORBIDS")
            .with("what", what)
            .with("state", state)
            .with("allowed", allowed),
        Refusal::NotDelivering(state) => {
            make(Kind::Precondition, "NOT_DELIVERING").with("state", state.as_str())
        }
        Refusal::PointOfNoReturnPassed(what) => {
            make(Kind::Precondition, "POINT_OF_NO_RETURN_PASSED").with("what", what)
        }
        Refusal::ChangeTooLate => make(Kind::Precondition, "CHANGE_TOO_LATE"),
        Refusal::SubstituteMissing(step) => {
            make(Kind::Precondition, "SUBSTITUTE_MISSING").with("step", step)
        }
        Refusal::TaskNotFound(task) => make(Kind::NotFound, "TASK_NOT_FOUND").with("task", task),
        Refusal::TaskClaimed(by) => make(Kind::Precondition, "TASK_CLAIMED").with("claimed_by", by),
        Refusal::FormInvalid(fields) => {
            let fields = fields.into_iter().map(|(field, what)| (format!("form.{field}"), what));
            Error { fields: fields.collect(), ..make(Kind::Invalid, "FORM_INVALID") }
        }
        Refusal::UrgedTooOften(after) => {
            make(Kind::Exhausted, "URGED_TOO_OFTEN").retry_after(after)
        }
        Refusal::Limit(name, most) => Error::limit(DOMAIN, name, most),
    }
}

/// Reason of a change that met a row which another instance changed.
pub(crate) const STORE_CONFLICT: &str = "STORE_CONFLICT";

/// Another instance changed the row since it was read: the commit is undone, and the change may be repeated.
pub(crate) fn conflict(what: &str) -> Error {
    let message = format!("{what} changed meanwhile; nothing was changed, try again");
    Error::new(Kind::Unavailable, DOMAIN, STORE_CONFLICT, message).retry_after(CONFLICT_RETRY)
}
