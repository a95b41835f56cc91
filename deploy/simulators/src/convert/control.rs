//! Requests and answers of `SimulatorControlService`.

use std::time::Duration;

use throughline_kit::clock::span_from_proto;
use throughline_kit::error::{Error, Violations};
use throughline_kit::money::Money;
use throughline_kit::paging::Page;
use throughline_proto::simulator::v1 as proto;

use super::MAX_ID;
use crate::error::DOMAIN;
use crate::method::System;
use crate::rule::{Misbehavior, Rule};
use crate::store::effect::Entry;

/// Longest delay.
const MAX_DELAY: Duration = Duration::from_secs(3_600);
/// Reason of a refusal when the rule does not say.
const DEFAULT_REASON: &str = "REFUSED_BY_SIMULATOR";

pub(crate) fn rule(request: proto::AddRuleRequest) -> Result<Rule, Error> {
    let mut violations = Violations::new(DOMAIN);
    if request.rule.is_none() {
        violations.add("rule", "is required");
    }
    let rule = request.rule.unwrap_or_default();
    for (path, value) in [
        ("rule.method", &rule.method),
        ("rule.offering_code", &rule.offering_code),
        ("rule.customer_id", &rule.customer_id),
        ("rule.order_id", &rule.order_id),
    ] {
        violations.length(path, value, 0, MAX_ID);
    }
    let misbehavior = misbehavior(rule.misbehavior());
    if misbehavior.is_none() {
        violations.add("rule.misbehavior", "must be one of the named ones");
    }
    let delay = match &rule.delay {
        None => Some(Duration::ZERO),
        delay => span_from_proto(delay.as_ref()).filter(|delay| *delay <= MAX_DELAY),
    };
    if delay.is_none() {
        violations.add("rule.delay", "must be 0 to 1 h");
    }
    if !rule.reason.is_empty() && !is_upper_snake(&rule.reason) {
        violations.add("rule.reason", "must be UPPER_SNAKE, at most 64 characters");
    }
    violations.range("rule.times", rule.times, 0, i32::MAX);
    violations.finish()?;
    let (Some(misbehavior), Some(delay)) = (misbehavior, delay) else {
        return Err(Error::internal(DOMAIN, "a wrong rule was not refused"));
    };
    let reason = if rule.reason.is_empty() { DEFAULT_REASON.to_owned() } else { rule.reason };
    Ok(Rule {
        number: 0,
        method: rule.method,
        offering_code: rule.offering_code,
        customer_id: rule.customer_id,
        order_id: rule.order_id,
        misbehavior,
        delay,
        reason,
        max_uses: i64::from(rule.times),
        uses: 0,
    })
}

fn misbehavior(sent: proto::Misbehavior) -> Option<Misbehavior> {
    match sent {
        proto::Misbehavior::Unspecified => None,
        proto::Misbehavior::Delay => Some(Misbehavior::Delay),
        proto::Misbehavior::Refuse => Some(Misbehavior::Refuse),
        proto::Misbehavior::Down => Some(Misbehavior::Down),
        proto::Misbehavior::TimeoutBefore => Some(Misbehavior::TimeoutBefore),
        proto::Misbehavior::TimeoutAfter => Some(Misbehavior::TimeoutAfter),
        proto::Misbehavior::AnswerTwice => Some(Misbehavior::AnswerTwice),
        proto::Misbehavior::AnswerLate => Some(Misbehavior::AnswerLate),
    }
}

fn is_upper_snake(reason: &str) -> bool {
    reason.len() <= MAX_ID
        && reason.starts_with(|c: char| c.is_ascii_uppercase())
        && reason.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
}

pub(crate) fn effects_page(
    request: &proto::ListEffectsRequest,
) -> Result<(Option<System>, Page<i64>), Error> {
    let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
    if request.system.is_empty() {
        return Ok((None, page));
    }
    let system = System::parse(&request.system);
    let mut violations = Violations::new(DOMAIN);
    if system.is_none() {
        let names = System::ALL.map(System::name).join(", ");
        violations.add("system", format!("must be one of {names}, or empty for all"));
    }
    violations.finish()?;
    Ok((system, page))
}

pub(crate) fn effects(entries: Vec<Entry>, page: &Page<i64>) -> proto::ListEffectsResponse {
    let (entries, next_page_token) = page.cut(entries, |entry| entry.sequence);
    let effects = entries.into_iter().map(effect).collect();
    proto::ListEffectsResponse { effects, next_page_token }
}

fn effect(entry: Entry) -> proto::Effect {
    proto::Effect {
        sequence: entry.sequence,
        system: entry.system,
        method: entry.method,
        reference: entry.reference,
        order_id: entry.order_id,
        succeeded: entry.succeeded,
        amount: entry.amount.map(Money::to_proto),
        occurred_time: Some(entry.occurred_at.to_proto()),
    }
}
