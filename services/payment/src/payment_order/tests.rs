//! The rules as tables.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::money::{Currency, Money};

use super::*;
use crate::attempt::{CANCELLED, INTEGRITY_MISMATCH, Report};
use crate::refund::{NewRefund, RefundId};

mod ends;

const NOW: Instant = Instant(1_000_000_000);
const LATER: Instant = Instant(2_000_000_000);
const AFTER_EXPIRY: Instant = Instant(9_000_000_000_000);

pub(super) fn schedule() -> Schedule {
    Schedule::new(vec![Duration::from_secs(1), Duration::from_secs(5)])
}

pub(super) fn pounds(minor: i64) -> Money {
    Money::new(Currency::parse("GBP").expect("valid"), minor)
}

pub(super) fn new_order() -> PaymentOrder {
    PaymentOrder {
        id: PaymentOrderId::generate(),
        version: 0,
        caller: "order".to_owned(),
        reference: "ref-1".to_owned(),
        order_id: "ord-1".to_owned(),
        payer_id: "payer-1".to_owned(),
        amount: pounds(1_000),
        captured_minor: 0,
        refunding_minor: 0,
        refunded_minor: 0,
        phase: Phase::Open,
        attempts: Vec::new(),
        expire_at: NOW.plus(Duration::from_secs(3600)),
        created_at: NOW,
        updated_at: NOW,
        trace_parent: String::new(),
    }
}

pub(super) fn new_attempt(channel: ChannelName, mode: CaptureMode) -> NewAttempt {
    NewAttempt { id: AttemptId::generate(), channel, mode, max_attempts: 20 }
}

pub(super) fn new_refund(minor: i64) -> NewRefund {
    NewRefund {
        id: RefundId::generate(),
        amount: pounds(minor),
        order_id: String::new(),
        payer_id: String::new(),
        reason: "RETURNED".to_owned(),
        trace_parent: String::new(),
    }
}

fn started(mode: CaptureMode) -> (PaymentOrder, AttemptId) {
    let mut order = new_order();
    let new = new_attempt(ChannelName::Sandbox, mode);
    let id = new.id.clone();
    order.start_attempt(new, NOW, LATER).expect("nothing was tried");
    (order, id)
}

fn told(order: &mut PaymentOrder, id: &AttemptId, report: Report) -> Vec<Event> {
    order.report(id, report, NOW, &schedule()).expect("the attempt is there")
}

fn charged(minor: Option<i64>) -> Report {
    Report::Succeeded { amount: minor.map(pounds), authorized_only: false }
}

fn held() -> Report {
    Report::Succeeded { amount: Some(pounds(1_000)), authorized_only: true }
}

fn declined() -> Report {
    Report::Declined { reason: "INSUFFICIENT_FUNDS".to_owned() }
}

fn paid() -> (PaymentOrder, AttemptId) {
    let (mut order, id) = started(CaptureMode::Automatic);
    told(&mut order, &id, charged(None));
    (order, id)
}

#[test]
fn an_answer_to_a_charge_decides_the_state() {
    let table = [
        (charged(None), State::Paid, Outcome::Captured, vec![Event::Captured]),
        (charged(Some(1_000)), State::Paid, Outcome::Captured, vec![Event::Captured]),
        (declined(), State::AwaitingPayer, Outcome::Declined, vec![Event::Declined]),
        (Report::Pending, State::AwaitingPayer, Outcome::Pending, vec![]),
        (Report::Unknown, State::Processing, Outcome::Unknown, vec![Event::Unknown]),
        (Report::NotAttempted, State::AwaitingPayer, Outcome::NotAttempted, vec![Event::Declined]),
        (Report::Cancelled, State::AwaitingPayer, Outcome::NotAttempted, vec![Event::Declined]),
        (Report::NotFound, State::Processing, Outcome::Created, vec![]),
        (charged(Some(999)), State::Processing, Outcome::Unknown, vec![Event::Unknown]),
        (held(), State::AwaitingPayer, Outcome::Pending, vec![]),
    ];
    for (report, state, outcome, events) in table {
        let (mut order, id) = started(CaptureMode::Automatic);
        let happened = told(&mut order, &id, report.clone());
        assert_eq!((order.state(), happened), (state, events), "{report:?}");
        assert_eq!(order.attempts[0].outcome, outcome, "{report:?}");
    }
}

#[test]
fn another_amount_or_currency_is_quarantined_until_the_channel_tells_ours() {
    let euros = Money::new(Currency::parse("EUR").expect("valid"), 1_000);
    let in_euros = Report::Succeeded { amount: Some(euros), authorized_only: false };
    let (mut order, id) = started(CaptureMode::Automatic);
    assert_eq!(told(&mut order, &id, in_euros), [Event::Unknown]);
    assert_eq!(order.attempts[0].decline_reason, INTEGRITY_MISMATCH);
    assert_eq!(told(&mut order, &id, charged(Some(1))), [], "told once");
    assert_eq!(told(&mut order, &id, charged(Some(1_000))), [Event::Captured]);
    assert_eq!((order.state(), order.attempts[0].decline_reason.as_str()), (State::Paid, ""));
}

#[test]
fn a_new_attempt_waits_for_a_definite_end_of_the_last() {
    for unresolved in [Report::Pending, Report::Unknown, Report::NotFound] {
        let (mut order, id) = started(CaptureMode::Automatic);
        told(&mut order, &id, unresolved);
        let again = new_attempt(ChannelName::Counter, CaptureMode::Automatic);
        let refusal = order.start_attempt(again, NOW, LATER).expect_err("unresolved");
        assert!(
            matches!(refusal, Refusal::AttemptUnresolved { attempt_id, .. } if attempt_id == id)
        );
    }
    let (mut order, id) = started(CaptureMode::Automatic);
    told(&mut order, &id, declined());
    let again = new_attempt(ChannelName::Sandbox, CaptureMode::Automatic);
    assert_eq!(order.start_attempt(again, NOW, LATER), Ok(vec![Event::Attempted]));
    assert_eq!(order.state(), State::Processing);
}

#[test]
fn an_attempt_is_refused_when_it_is_over_or_too_often() {
    let new = || new_attempt(ChannelName::Sandbox, CaptureMode::Automatic);
    let (mut paid, _) = paid();
    let refusal = paid.start_attempt(new(), NOW, LATER).expect_err("paid");
    assert!(matches!(refusal, Refusal::AlreadyCaptured { .. }));

    let mut order = new_order();
    let refusal = order.start_attempt(new(), AFTER_EXPIRY, LATER).expect_err("expired");
    assert!(matches!(refusal, Refusal::PaymentOrderClosed { .. }), "before any sweeper came by");

    order.close(CloseReason::Caller, NOW, &schedule());
    let refusal = order.start_attempt(new(), NOW, LATER).expect_err("closed");
    assert!(matches!(refusal, Refusal::PaymentOrderClosed { state: State::Closed, .. }));

    let (mut order, id) = started(CaptureMode::Automatic);
    told(&mut order, &id, declined());
    let refusal = order.start_attempt(NewAttempt { max_attempts: 1, ..new() }, NOW, LATER);
    assert_eq!(refusal, Err(Refusal::TooManyAttempts { limit: 1 }));
}

#[test]
fn a_held_amount_is_captured_whole_or_in_part_and_once() {
    let (mut order, id) = started(CaptureMode::Manual);
    assert_eq!(told(&mut order, &id, held()), [Event::Authorized]);
    let refusal = order.request_capture(pounds(1_001), LATER).expect_err("too much");
    assert!(matches!(refusal, Refusal::AmountExceedsCapturable { capturable, .. }
        if capturable == pounds(1_000)));
    assert_eq!(order.request_capture(pounds(600), LATER), Ok(vec![]));
    assert_eq!(order.request_capture(pounds(600), LATER), Ok(vec![]), "joins the first");
    assert!(order.request_capture(pounds(500), LATER).is_err(), "the first claims it all");
    assert_eq!(told(&mut order, &id, charged(Some(600))), [Event::Captured]);
    assert_eq!((order.state(), order.captured_minor), (State::Paid, 600));
    let refusal = order.request_capture(pounds(1), LATER).expect_err("captured");
    assert!(matches!(refusal, Refusal::AlreadyCaptured { .. }));
}

#[test]
fn a_refused_capture_leaves_the_amount_held() {
    let (mut order, id) = started(CaptureMode::Manual);
    told(&mut order, &id, held());
    order.request_capture(pounds(600), LATER).expect("held");
    let refused = Report::CaptureRefused { reason: "NOT_CAPTURABLE".to_owned() };
    assert_eq!(told(&mut order, &id, refused), []);
    assert_eq!((order.state(), order.attempts[0].capture_minor), (State::Authorized, None));
    assert_eq!(order.close(CloseReason::Caller, NOW, &schedule()), []);
    assert_eq!(told(&mut order, &id, Report::Cancelled), [Event::Closed]);
    assert_eq!(order.attempts[0].decline_reason, CANCELLED);
}

#[test]
fn a_receipt_pays_what_waits_at_the_counter() {
    let mut order = new_order();
    let refusal = order.record_receipt(pounds(1_000), "r-1", NOW).expect_err("no attempt");
    assert_eq!(refusal, Refusal::NoCounterAttempt { state: State::Created });
    let new = new_attempt(ChannelName::Counter, CaptureMode::Automatic);
    let id = new.id.clone();
    order.start_attempt(new, NOW, LATER).expect("nothing was tried");
    told(&mut order, &id, Report::Pending);
    assert_eq!(order.attempts[0].next_query_at, None, "nobody to ask");
    let refusal = order.record_receipt(pounds(999), "r-1", NOW).expect_err("short");
    assert!(matches!(refusal, Refusal::AmountMismatch { .. }));
    let refusal = order.record_receipt(pounds(1_000), "r-1", AFTER_EXPIRY).expect_err("late");
    assert!(matches!(refusal, Refusal::PaymentOrderClosed { .. }));
    assert_eq!(order.record_receipt(pounds(1_000), "r-1", NOW), Ok(vec![Event::Captured]));
    assert_eq!(order.attempts[0].receipt_number, "r-1");
}

#[test]
fn only_one_asks_at_a_time_and_less_and_less_often() {
    let (mut order, id) = started(CaptureMode::Automatic);
    told(&mut order, &id, Report::Unknown);
    let due = order.attempts[0].next_query_at.expect("asked again");
    assert_eq!(due, NOW.plus(Duration::from_secs(1)));
    assert_eq!(order.claim_query(&id, due, due, &schedule()), Ok(vec![]));
    assert_eq!(order.attempts[0].next_query_at, Some(due.plus(Duration::from_secs(5))));
    assert_eq!(order.claim_query(&id, due, due, &schedule()), Err(Refusal::NotDue));
}
