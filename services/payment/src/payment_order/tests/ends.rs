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
        Refund::of_payment_order(order, new_refund(minor), NOW, LATER)
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
