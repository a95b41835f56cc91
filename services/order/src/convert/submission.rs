//! A submitted order, checked field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::clock::{Instant, span_from_proto};
use throughline_kit::error::{Error, Violations};
use throughline_kit::id::{RequestId, new_request_id};
use throughline_kit::money::{Currency, UnitPrice};
use throughline_proto::order::v1 as proto;

use crate::campaign::{GroupId, SaleWish};
use crate::error::{DOMAIN, OrderError};
use crate::order::{
    Action, Customer, DEFAULT_PRIORITY, Item, MAX_ITEMS_PER_ORDER, MAX_PRIORITY, PaymentPlan,
    ReturnOf,
};
use crate::template::FailurePolicy;

/// Units of one line at most.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;
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
/// Latest second of a time that an order names: the year 2200.
const MAX_TIME_SECONDS: i64 = 7_258_118_400;
const DEFAULT_PAYMENT_CHANNEL: &str = "sandbox";
const DEFAULT_LOCALE: &str = "en";
/// Number and customer of an order that is made up, where it says none.
const MADE_UP: &str = "made-up";

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
    pub(crate) policy: FailurePolicy,
    /// When it shall begin.
    pub(crate) requested_start_at: Option<Instant>,
    /// When the customer was promised that it is complete.
    pub(crate) promised_at: Option<Instant>,
    /// Template of its own steps; empty for the usual one.
    pub(crate) template: String,
    /// How urgent it is.
    pub(crate) priority: u8,
    /// The campaign that it wants to be sold under.
    pub(crate) sale: Option<SaleWish>,
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
    let items = lines("items", &request.items, currency, &mut wrong);
    let payment = payment(request.payment.as_ref(), &mut wrong);
    let policy = wrong.take("failure_policy", policy(request.failure_policy));
    let start = request.requested_start_time.as_ref();
    let requested_start_at = time("requested_start_time", start, &mut wrong);
    let promised = request.requested_completion_time.as_ref();
    let promised_at = time("requested_completion_time", promised, &mut wrong);
    wrong.length("template", &request.template, 0, 64);
    let priority = wrong.take("priority", priority(request.priority));
    let sale = sale(request, &mut wrong);
    wrong.finish()?;
    let parsed = (request_id, currency, policy, priority);
    let (Some(request_id), Some(currency), Some(policy), Some(priority)) = parsed else {
        return Err(Error::internal(DOMAIN, "a field without violation was not read"));
    };
    Ok(Submission {
        request_id,
        channel_order_id: request.channel_order_id.clone(),
        customer,
        items,
        currency,
        payment,
        policy,
        requested_start_at,
        promised_at,
        template: request.template.clone(),
        priority,
        sale,
    })
}

/// Reads an order that is made up: what says whose it is may be left out.
pub(crate) fn made_up(order: &proto::SubmitOrderRequest) -> Result<Submission, Error> {
    let or = |text: &String, usual: &str| {
        if text.is_empty() { usual.to_owned() } else { text.clone() }
    };
    let nobody = || proto::Customer { customer_id: MADE_UP.to_owned(), ..Default::default() };
    submission(&proto::SubmitOrderRequest {
        request_id: or(&order.request_id, &new_request_id()),
        channel_order_id: or(&order.channel_order_id, MADE_UP),
        customer: Some(order.customer.clone().unwrap_or_else(nobody)),
        ..order.clone()
    })
}

/// Reads the lines of an order, or those that it shall have.
pub(crate) fn lines(
    field: &str,
    lines: &[proto::OrderItem],
    currency: Option<Currency>,
    wrong: &mut Violations,
) -> Vec<Item> {
    if lines.is_empty() {
        wrong.add(field, "must have at least one line");
    }
    let mut keys = BTreeSet::new();
    let mut read = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let path = format!("{field}[{index}]");
        if !keys.insert(line.item_key.as_str()) {
            wrong.add(format!("{path}.item_key"), "is used by another line; keys are unique");
        }
        read.extend(item(line, &path, currency, wrong));
    }
    read
}

/// Reads when an order shall begin or be complete.
pub(crate) fn time(
    field: &str,
    time: Option<&prost_types::Timestamp>,
    wrong: &mut Violations,
) -> Option<Instant> {
    let time = time?;
    if !(0..=MAX_TIME_SECONDS).contains(&time.seconds) {
        wrong.add(field, "must be a time between 1970 and 2200");
    }
    Some(Instant::from_proto(time))
}

fn priority(priority: Option<i32>) -> Result<u8, String> {
    let Some(priority) = priority else { return Ok(DEFAULT_PRIORITY) };
    let read = u8::try_from(priority).ok().filter(|priority| *priority <= MAX_PRIORITY);
    read.ok_or_else(|| format!("must be 0 to {MAX_PRIORITY}, is {priority}"))
}

fn sale(request: &proto::SubmitOrderRequest, wrong: &mut Violations) -> Option<SaleWish> {
    wrong.length("campaign", &request.campaign, 0, 64);
    let group = Some(&request.group).filter(|group| !group.is_empty());
    let group = group.and_then(|group| wrong.take("group", GroupId::parse(group)));
    if request.campaign.is_empty() {
        if !request.group.is_empty() {
            wrong.add("group", "stands only beside a campaign");
        }
        return None;
    }
    for (index, line) in request.items.iter().enumerate() {
        if line.action() == proto::ItemAction::Delete {
            let path = format!("items[{index}].action");
            wrong.add(path, "must be ADD in an order of a campaign");
        }
    }
    Some(SaleWish { campaign: request.campaign.clone(), group })
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

pub(super) fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Reads one line; without a currency, that of its price is not checked.
pub(super) fn item(
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
    check_characteristics(&line.characteristics, path, wrong);
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

/// Checks the choices of a line.
pub(super) fn check_characteristics(
    characteristics: &BTreeMap<String, String>,
    path: &str,
    wrong: &mut Violations,
) {
    if characteristics.len() > MAX_CHARACTERISTICS {
        let message = format!("must have at most {MAX_CHARACTERISTICS} entries");
        wrong.add(format!("{path}.characteristics"), message);
    }
    for (name, value) in characteristics {
        let path = format!("{path}.characteristics[{name}]");
        wrong.length(&path, name, 1, MAX_TEXT);
        wrong.length(&path, value, 0, MAX_TEXT);
    }
}

fn action(action: i32) -> Result<Action, String> {
    match proto::ItemAction::try_from(action) {
        Ok(proto::ItemAction::Unspecified | proto::ItemAction::Add) => Ok(Action::Add),
        Ok(proto::ItemAction::Delete) => Ok(Action::Delete),
        Ok(proto::ItemAction::Modify) => Ok(Action::Modify),
        Err(_) => Err(format!("must be ADD, MODIFY or DELETE, is {action}")),
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
        (Action::Add | Action::Modify, None) => None,
        (Action::Add | Action::Modify, Some(_)) => {
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

fn policy(policy: i32) -> Result<FailurePolicy, String> {
    match proto::FailurePolicy::try_from(policy) {
        Ok(proto::FailurePolicy::Unspecified | proto::FailurePolicy::Branch) => {
            Ok(FailurePolicy::Branch)
        }
        Ok(proto::FailurePolicy::Whole) => Ok(FailurePolicy::Whole),
        Ok(proto::FailurePolicy::Forward) => Ok(FailurePolicy::Forward),
        Ok(proto::FailurePolicy::Ask) => Ok(FailurePolicy::Ask),
        Err(_) => Err(format!("must be BRANCH, WHOLE, FORWARD or ASK, is {policy}")),
    }
}
