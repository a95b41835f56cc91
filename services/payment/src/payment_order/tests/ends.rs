//! Closing, expiry, late money and refunds.

use super::*;
use crate::refund::{LATE_MONEY, Refund, RefundReport, RefundState};

#[test]
fn closing_waits_for_the_channel() {
    let mut untouched = new_order();
    assert_eq!(untouched.close(CloseReason::Caller, NOW, &schedule()), [Event::Closed]);
    assert_eq!(untouched.close(CloseReason::Caller, NOW, &schedule()), [], "closed before");

    let table = [
        (Report::Cancelled, State::Closed, vec![Event::Closed]),
        (declined(), State::Closed, vec![Event::Closed]),
        (charged(Some(1_000)), State::Paid, vec![Event::Captured]),
        (Report::Pending, State::Closing, vec![]),
        (charged(Some(7)), State::Closing, vec![Event::Unknown]),
    ];
    for (report, state, events) in table {
        let (mut order, id) = started(CaptureMode::Automatic);
        assert_eq!(order.close(CloseReason::Expired, NOW, &schedule()), []);
        assert_eq!(order.state(), State::Closing);
        let happened = told(&mut order, &id, report.clone());
        assert_eq!((order.state(), happened), (state, events), "{report:?}");
    }
}

#[test]
fn what_is_paid_is_not_closed() {
    let (mut order, _) = paid();
    assert_eq!(order.close(CloseReason::Caller, NOW, &schedule()), []);
    assert_eq!(order.expire(AFTER_EXPIRY, &schedule()), []);
    assert_eq!(order.state(), State::Paid);
}

#[test]
fn an_order_expires_by_the_clock_unless_money_is_held() {
    let mut order = new_order();
    assert_eq!(order.expire(NOW, &schedule()), [], "not yet");
    assert_eq!(order.expire(AFTER_EXPIRY, &schedule()), [Event::Closed]);
    assert_eq!(order.phase, Phase::Closed(CloseReason::Expired));

    let (mut authorized, id) = started(CaptureMode::Manual);
    told(&mut authorized, &id, held());
    assert_eq!(authorized.expire(AFTER_EXPIRY, &schedule()), []);
    assert_eq!(authorized.state(), State::Authorized);
}

#[test]
fn money_after_the_close_goes_back_whole() {
    let (mut order, id) = started(CaptureMode::Automatic);
    order.close(CloseReason::Caller, NOW, &schedule());
    told(&mut order, &id, Report::Cancelled);
    let events = told(&mut order, &id, charged(Some(1_000)));
    let [Event::LateMoney(refund)] = events.as_slice() else {
        panic!("late money becomes a refund, not {events:?}");
    };
    assert_eq!((refund.amount, refund.reason.as_str()), (pounds(1_000), LATE_MONEY));
    assert_eq!((order.state(), order.refundable_minor()), (State::Closed, 0));
    assert_eq!(told(&mut order, &id, charged(Some(1_000))), [], "answered twice");

    let mut refund = refund.clone();
    refund.settle(Some(&mut order), RefundReport::Succeeded, NOW);
    assert_eq!((order.state(), order.refunded_minor), (State::Closed, 1_000));
}

#[test]
fn refunds_never_exceed_what_was_captured_and_failed_ones_free_their_part() {
    let (mut order, _) = paid();
    let request = |order: &mut PaymentOrder, minor: i64| {
        Refund::of_payment_order(order, &[], new_refund(minor), NOW, LATER)
    };
    let mut first = request(&mut order, 600).expect("captured 1000");
    let refusal = request(&mut order, 401).expect_err("600 is reserved");
    assert!(matches!(refusal, Refusal::AmountExceedsRefundable { refundable, .. }
        if refundable == pounds(400)));
    let mut second = request(&mut order, 400).expect("400 is left");
    assert_eq!(order.state(), State::Paid, "nothing went back yet");
    first.settle(Some(&mut order), RefundReport::Succeeded, NOW);
    assert_eq!(order.state(), State::PartiallyRefunded);
    let refused = RefundReport::Declined { reason: "ACCOUNT_CLOSED".to_owned() };
    assert!(matches!(
        second.settle(Some(&mut order), refused, NOW).as_slice(),
        [Event::RefundFailed(refund)] if refund.decline_reason == "ACCOUNT_CLOSED"
    ));
    assert_eq!(order.refundable_minor(), 400);
    let mut third = request(&mut order, 400).expect("freed");
    third.settle(Some(&mut order), RefundReport::Succeeded, NOW);
    assert_eq!((order.state(), third.state), (State::Refunded, RefundState::Succeeded));
    assert_eq!(third.settle(Some(&mut order), RefundReport::Cancelled, NOW), [], "definite");
}

#[test]
fn a_refund_is_taken_from_the_attempt_whose_money_was_wanted() {
    let refused = || RefundReport::Declined { reason: "ACCOUNT_CLOSED".to_owned() };
    // What became of the late money's refund, what is asked for, and whether it is given.
    let table = [
        (RefundReport::Pending, 1_000, true),
        (RefundReport::Pending, 1_001, false),
        (RefundReport::Succeeded, 1_000, true),
        (RefundReport::Succeeded, 1_001, false),
        (refused(), 1_000, true),
        (refused(), 1_001, false),
    ];
    for (report, minor, is_given) in table {
        let case = format!("{report:?}, {minor}");
        let (mut order, dead) = started(CaptureMode::Automatic);
        told(&mut order, &dead, declined());
        let new = new_attempt(ChannelName::Sandbox, CaptureMode::Automatic);
        let wanted = new.id.clone();
        order.start_attempt(new, NOW, LATER).expect("the first was refused");
        assert_eq!(told(&mut order, &wanted, charged(None)), [Event::Captured]);
        let events = told(&mut order, &dead, charged(Some(1_000)));
        let [Event::LateMoney(late)] = events.as_slice() else {
            panic!("late money becomes a refund, not {events:?}");
        };
        let mut late = late.clone();
        late.settle(Some(&mut order), report, NOW);
        let late = [late];
        let refund = Refund::of_payment_order(&mut order, &late, new_refund(minor), NOW, LATER);
        let from = refund.ok().and_then(|refund| refund.charge).map(|charge| charge.attempt_id);
        assert_eq!(from, is_given.then_some(wanted), "{case}");
        let again = Refund::of_payment_order(&mut order, &late, new_refund(1_000), NOW, LATER);
        assert_eq!(again.is_ok(), !is_given, "{case}: no more than was wanted");
    }
}
