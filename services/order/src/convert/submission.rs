//! A submitted order, checked field by field.

use std::collections::BTreeSet;
use std::time::Duration;

use throughline_kit::clock::span_from_proto;
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_kit::money::{Currency, UnitPrice};
use throughline_proto::order::v1 as proto;

use crate::error::{DOMAIN, OrderError};
use crate::order::{Action, Customer, Item, MAX_ITEMS_PER_ORDER, PaymentPlan, Policy, ReturnOf};

/// Units of one line at most.
const MAX_QUANTITY: i64 = 1_000_000;
/// Choices of one line at most.
const MAX_CHARACTERISTICS: usize = 32;
/// Longest text of a choice, a name or a reason, in characters.
const MAX_TEXT: usize = 200;
/// Longest address, in characters.
const MAX_ADDRESS: usize = 500;
/// How long the payer has when the channel does not say.
const DEFAULT_PAYMENT_TTL: Duration = Duration::from_secs(15 * 60);
const MIN_PAYMENT_TTL: Duration = Duration::from_secs(1);
const MAX_PAYMENT_TTL: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_PAYMENT_CHANNEL: &str = "sandbox";
const DEFAULT_LOCALE: &str = "en";

/// A checked submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    /// The client's id of the request.
    pub(crate) request_id: RequestId,
    /// The channel's own number.
    pub(crate) channel_order_id: String,
    /// The customer.
    pub(crate) customer: Customer,
    /// The lines.
    pub(crate) items: Vec<Item>,
    /// Currency of every amount.
    pub(crate) currency: Currency,
    /// How the customer pays.
    pub(crate) payment: PaymentPlan,
    /// What happens when a part fails.
    pub(crate) policy: Policy,
}

impl Submission {
    /// It sets prices of its own.
    pub(crate) fn has_agreed_prices(&self) -> bool {
        self.items.iter().any(|item| item.agreed_price.is_some())
    }
}

/// Reads a submission; everything that is wrong is named at once.
pub(crate) fn submission(request: &proto::SubmitOrderRequest) -> Result<Submission, Error> {
    if request.items.len() > MAX_ITEMS_PER_ORDER {
        return Err(OrderError::TooLarge(request.items.len()).into());
    }
    let mut wrong = Violations::new(DOMAIN);
    let request_id = wrong.take("request_id", RequestId::parse(&request.request_id));
    wrong.length("channel_order_id", &request.channel_order_id, 1, 64);
    let customer = customer(request.customer.as_ref(), &mut wrong);
    let currency = wrong.take("currency_code", Currency::parse(&request.currency_code));
    if request.items.is_empty() {
        wrong.add("items", "must have at least one line");
    }
    let mut keys = BTreeSet::new();
    let items: Vec<Item> = request
        .items
        .iter()
        .enumerate()
        .filter_map(|(index, line)| {
            let path = format!("items[{index}]");
            if !keys.insert(line.item_key.as_str()) {
                wrong.add(format!("{path}.item_key"), "is used by another line; keys are unique");
            }
            item(line, &path, currency, &mut wrong)
        })
        .collect();
    let payment = payment(request.payment.as_ref(), &mut wrong);
    let policy = wrong.take("failure_policy", policy(request.failure_policy));
    wrong.finish()?;
    let parsed = (request_id, currency, policy);
    let (Some(request_id), Some(currency), Some(policy)) = parsed else {
        return Err(Error::internal(DOMAIN, "a field without violation was not read"));
    };
    let channel_order_id = request.channel_order_id.clone();
    Ok(Submission { request_id, channel_order_id, customer, items, currency, payment, policy })
}

fn customer(customer: Option<&proto::Customer>, wrong: &mut Violations) -> Customer {
    let Some(customer) = customer else {
        wrong.add("customer", "is required");
        return Customer::default();
    };
    wrong.length("customer.customer_id", &customer.customer_id, 1, 64);
    wrong.length("customer.name", &customer.name, 0, MAX_TEXT);
    wrong.length("customer.locale", &customer.locale, 0, 35);
    wrong.length("customer.address", &customer.address, 0, MAX_ADDRESS);
    if !customer.phone.is_empty() && !is_e164(&customer.phone) {
        wrong.add("customer.phone", "must be E.164: + and 7 to 15 digits, or empty");
    }
    let locale = if customer.locale.is_empty() { DEFAULT_LOCALE } else { &customer.locale };
    Customer {
        id: customer.customer_id.clone(),
        name: customer.name.clone(),
        phone: customer.phone.clone(),
        locale: locale.to_owned(),
        address: customer.address.clone(),
    }
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn item(
    line: &proto::OrderItem,
    path: &str,
    currency: Option<Currency>,
    wrong: &mut Violations,
) -> Option<Item> {
    let key_is_valid = (1..=32).contains(&line.item_key.len())
        && line.item_key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !key_is_valid {
        wrong.add(format!("{path}.item_key"), "must be 1 to 32 characters of [A-Za-z0-9_-]");
    }
    wrong.length(&format!("{path}.offering_code"), &line.offering_code, 1, 64);
    wrong.range(&format!("{path}.quantity"), line.quantity, 1, MAX_QUANTITY);
    let agreed_price = line.agreed_unit_price.as_ref().and_then(|price| {
        let path = format!("{path}.agreed_unit_price");
        let price = wrong.take(path.clone(), UnitPrice::from_proto(Some(price)))?;
        if currency.is_some_and(|currency| currency != price.currency) {
            wrong.add(path, format!("must be in the order's currency, is {}", price.currency));
        }
        Some(price)
    });
    if line.characteristics.len() > MAX_CHARACTERISTICS {
        let message = format!("must have at most {MAX_CHARACTERISTICS} entries");
        wrong.add(format!("{path}.characteristics"), message);
    }
    for (name, value) in &line.characteristics {
        let path = format!("{path}.characteristics[{name}]");
        wrong.length(&path, name, 1, MAX_TEXT);
        wrong.length(&path, value, 0, MAX_TEXT);
    }
    let action = wrong.take(format!("{path}.action"), action(line.action))?;
    let return_of = return_of(line.return_of.as_ref(), action, path, wrong);
    Some(Item {
        key: line.item_key.clone(),
        offering: line.offering_code.clone(),
        quantity: line.quantity,
        action,
        agreed_price,
        characteristics: line.characteristics.clone(),
        return_of,
    })
}

fn action(action: i32) -> Result<Action, String> {
    match proto::ItemAction::try_from(action) {
        Ok(proto::ItemAction::Unspecified | proto::ItemAction::Add) => Ok(Action::Add),
        Ok(proto::ItemAction::Delete) => Ok(Action::Delete),
        Err(_) => Err(format!("must be ADD or DELETE, is {action}")),
    }
}

fn return_of(
    return_of: Option<&proto::ReturnOf>,
    action: Action,
    path: &str,
    wrong: &mut Violations,
) -> Option<ReturnOf> {
    let path = format!("{path}.return_of");
    match (action, return_of) {
        (Action::Add, None) => None,
        (Action::Add, Some(_)) => {
            wrong.add(path, "stands only on a line with action DELETE");
            None
        }
        (Action::Delete, None) => {
            wrong.add(path, "is required for action DELETE");
            None
        }
        (Action::Delete, Some(of)) if !of.channel_order_id.is_empty() => {
            wrong.length(&format!("{path}.channel_order_id"), &of.channel_order_id, 1, 64);
            Some(ReturnOf::Order(of.channel_order_id.clone()))
        }
        (Action::Delete, Some(of)) => {
            wrong.length(&format!("{path}.reason"), &of.reason, 1, MAX_TEXT);
            Some(ReturnOf::StandAlone(of.reason.clone()))
        }
    }
}

fn payment(instruction: Option<&proto::PaymentInstruction>, wrong: &mut Violations) -> PaymentPlan {
    let channel = instruction.map(|i| i.payment_channel.as_str()).unwrap_or_default();
    let channel = if channel.is_empty() { DEFAULT_PAYMENT_CHANNEL } else { channel };
    wrong.length("payment.payment_channel", channel, 1, 32);
    let ttl = instruction.and_then(|i| i.ttl.as_ref());
    let ttl = match ttl.map(|ttl| span_from_proto(Some(ttl))) {
        None => DEFAULT_PAYMENT_TTL,
        Some(Some(ttl)) if (MIN_PAYMENT_TTL..=MAX_PAYMENT_TTL).contains(&ttl) => ttl,
        Some(_) => {
            wrong.add("payment.ttl", "must be 1 s to 24 h");
            DEFAULT_PAYMENT_TTL
        }
    };
    PaymentPlan { channel: channel.to_owned(), ttl }
}

fn policy(policy: i32) -> Result<Policy, String> {
    match proto::FailurePolicy::try_from(policy) {
        Ok(proto::FailurePolicy::Unspecified | proto::FailurePolicy::Branch) => Ok(Policy::Branch),
        Ok(proto::FailurePolicy::Whole) => Ok(Policy::Whole),
        Err(_) => Err(format!("must be BRANCH or WHOLE, is {policy}")),
    }
}
