//! Carts as callers see them, and what they ask of them.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::{Instant, span_from_proto};
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::identity::Caller;
use throughline_kit::money::Currency;
use throughline_proto::order::v1 as proto;

use super::order::submitted_item;
use super::submission::{self, MAX_QUANTITY};
use crate::cart::change::Target;
use crate::cart::{CartError, CartId, CartState, Command, Head, NewCart};
use crate::error::DOMAIN;
use crate::order::{Item, OrderId};

/// How long a cart lives when the channel does not say.
const DEFAULT_CART_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
const MIN_CART_TTL: Duration = Duration::from_secs(60);
const MAX_CART_TTL: Duration = Duration::from_secs(90 * 24 * 3600);
/// A key that no caller chooses; the cart gives another one.
const ANY_KEY: &str = "0";

/// A change that a caller wants of one cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The client's id of the request.
    pub(crate) request_id: RequestId,
    /// Cart.
    pub(crate) target: Target,
    /// What is wanted.
    pub(crate) command: Command,
}

/// Reads which cart is meant; a version of 0 stands for any.
pub(crate) fn target(caller: &Caller, id: &str, version: i64) -> Result<Target, Error> {
    let cart_id = CartId::parse(id).map_err(|_| CartError::NotFound(id.to_owned()))?;
    let mut wrong = Violations::new(DOMAIN);
    wrong.range("expected_version", version, 0, i64::MAX);
    wrong.finish()?;
    let expected_version = Some(version).filter(|version| *version > 0);
    let channel = caller.channel().map(str::to_owned);
    Ok(Target { cart_id, expected_version, channel })
}

/// Reads what a new cart is made of.
pub(crate) fn creation(request: &proto::CreateCartRequest) -> Result<(RequestId, NewCart), Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    wrong.length("customer_id", &request.customer_id, 0, 64);
    // A guest is known by nothing else.
    let shortest = usize::from(request.customer_id.is_empty());
    wrong.length("visitor_id", &request.visitor_id, shortest, 64);
    let currency = wrong.take("currency_code", Currency::parse(&request.currency_code));
    let ttl = match request.ttl.as_ref().map(|ttl| span_from_proto(Some(ttl))) {
        None => DEFAULT_CART_TTL,
        Some(Some(ttl)) if (MIN_CART_TTL..=MAX_CART_TTL).contains(&ttl) => ttl,
        Some(_) => {
            wrong.add("ttl", "must be 1 min to 90 days");
            DEFAULT_CART_TTL
        }
    };
    wrong.finish()?;
    let (Some(request_id), Some(currency)) = (request_id, currency) else {
        return Err(unread());
    };
    let (customer_id, visitor_id) = (request.customer_id.clone(), request.visitor_id.clone());
    Ok((request_id, NewCart { customer_id, visitor_id, currency, ttl }))
}

/// Reads a line to add.
pub(crate) fn addition(
    caller: &Caller,
    request: &proto::AddCartItemRequest,
) -> Result<Wanted, Error> {
    let target = target(caller, &request.cart_id, request.expected_version)?;
    wanted(&request.request_id, target, |wrong| {
        let Some(line) = &request.item else {
            wrong.add("item", "is required");
            return None;
        };
        if !line.item_key.is_empty() {
            wrong.add("item.item_key", "is given by the cart; leave it empty");
        }
        let line = proto::OrderItem { item_key: ANY_KEY.to_owned(), ..line.clone() };
        submission::item(&line, "item", None, wrong).map(Command::Add)
    })
}

/// Reads a change of a line.
pub(crate) fn update(
    caller: &Caller,
    request: &proto::UpdateCartItemRequest,
) -> Result<Wanted, Error> {
    let target = target(caller, &request.cart_id, request.expected_version)?;
    wanted(&request.request_id, target, |wrong| {
        if let Some(quantity) = request.quantity {
            wrong.range("quantity", quantity, 1, MAX_QUANTITY);
        }
        let choices: Option<&BTreeMap<_, _>> =
            request.choices.as_ref().map(|choices| &choices.characteristics);
        if let Some(choices) = choices {
            submission::check_characteristics(choices, "choices", wrong);
        }
        if request.quantity.is_none() && choices.is_none() {
            wrong.add("quantity", "quantity or choices must be set");
        }
        Some(Command::Update {
            key: request.item_key.clone(),
            quantity: request.quantity,
            characteristics: choices.cloned(),
        })
    })
}

/// Reads which line to remove.
pub(crate) fn removal(
    caller: &Caller,
    request: &proto::RemoveCartItemRequest,
) -> Result<Wanted, Error> {
    let target = target(caller, &request.cart_id, request.expected_version)?;
    let command = Command::Remove { key: request.item_key.clone() };
    wanted(&request.request_id, target, |_| Some(command))
}

/// Reads to whom a cart goes.
pub(crate) fn transfer(
    caller: &Caller,
    request: &proto::TransferCartRequest,
) -> Result<Wanted, Error> {
    let target = target(caller, &request.cart_id, request.expected_version)?;
    wanted(&request.request_id, target, |wrong| {
        wrong.length("channel", &request.channel, 1, 64);
        Some(Command::Transfer { channel: request.channel.clone() })
    })
}

/// Reads which cart to delete.
pub(crate) fn deletion(
    caller: &Caller,
    request: &proto::DeleteCartRequest,
) -> Result<Wanted, Error> {
    let target = target(caller, &request.cart_id, request.expected_version)?;
    wanted(&request.request_id, target, |_| Some(Command::Delete))
}

/// Reads which cart goes into which: first the one that takes the lines.
pub(crate) fn merge(
    caller: &Caller,
    request: &proto::MergeCartsRequest,
) -> Result<(RequestId, Target, Target), Error> {
    let into = target(caller, &request.cart_id, request.expected_version)?;
    let from = target(caller, &request.from_cart_id, 0)?;
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    if into.cart_id == from.cart_id {
        wrong.add("from_cart_id", "must be another cart");
    }
    wrong.finish()?;
    Ok((request_id.ok_or_else(unread)?, into, from))
}

fn wanted(
    request_id: &str,
    target: Target,
    command: impl FnOnce(&mut Violations) -> Option<Command>,
) -> Result<Wanted, Error> {
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(request_id));
    let command = command(&mut wrong);
    wrong.finish()?;
    let (Some(request_id), Some(command)) = (request_id, command) else {
        return Err(unread());
    };
    Ok(Wanted { request_id, target, command })
}

fn unread() -> Error {
    Error::internal(DOMAIN, "a field without violation was not read")
}

/// Reads a state to filter by; `None` means all.
pub(crate) fn state_filter(state: i32) -> Result<Option<CartState>, String> {
    let state = proto::CartState::try_from(state)
        .map_err(|_| format!("must be a state of a cart, is {state}"))?;
    Ok(match state {
        proto::CartState::Unspecified => None,
        proto::CartState::Active => Some(CartState::Active),
        proto::CartState::CheckedOut => Some(CartState::CheckedOut),
        proto::CartState::Merged => Some(CartState::Merged),
        proto::CartState::Expired => Some(CartState::Expired),
        proto::CartState::Deleted => Some(CartState::Deleted),
    })
}

fn state(state: CartState) -> proto::CartState {
    match state {
        CartState::Active => proto::CartState::Active,
        CartState::CheckedOut => proto::CartState::CheckedOut,
        CartState::Merged => proto::CartState::Merged,
        CartState::Expired => proto::CartState::Expired,
        CartState::Deleted => proto::CartState::Deleted,
    }
}

/// Writes a cart without its lines, as it is now.
pub(crate) fn head(head: &Head, now: Instant) -> proto::Cart {
    proto::Cart {
        cart_id: head.id.to_string(),
        state: state(head.state_at(now)).into(),
        channel: head.channel.clone(),
        customer_id: head.customer_id.clone(),
        visitor_id: head.visitor_id.clone(),
        currency_code: head.currency.to_string(),
        line_count: i32::try_from(head.line_count).unwrap_or(i32::MAX),
        unit_count: head.unit_count,
        create_time: Some(head.created_at.to_proto()),
        update_time: Some(head.updated_at.to_proto()),
        expire_time: Some(head.expires_at.to_proto()),
        version: head.version,
        order_id: head.order_id.as_ref().map(OrderId::to_string).unwrap_or_default(),
        merged_into: head.merged_into.as_ref().map(CartId::to_string).unwrap_or_default(),
    }
}

/// Writes a cart after a change, and the line that changed.
pub(crate) fn changed(cart: &Head, line: Option<&Item>, now: Instant) -> proto::CartChanged {
    proto::CartChanged { cart: Some(head(cart, now)), item: line.map(submitted_item) }
}
