//! Operations by table, and money by property.

use std::collections::BTreeMap;

use proptest::prelude::*;
use throughline_kit::money::Currency;

use super::*;

fn gbp(minor: i64) -> Money {
    Money::new(Currency::parse("GBP").expect("valid"), minor)
}

fn asked(method: Method, target: Option<&str>) -> Operation {
    let mut asked = Operation::asked(method, "own".to_owned(), "ord_1".to_owned());
    asked.target = target.map(str::to_owned);
    asked
}

fn money(method: Method, target: Option<&str>, minor: i64) -> Operation {
    Operation { amount: Some(gbp(minor)), ..asked(method, target) }
}

fn authorised(minor: i64) -> Operation {
    let charge = Operation { authorize_only: true, ..money(Method::Charge, None, minor) };
    settle(charge, None).expect("authorises").operation
}

fn charged(minor: i64) -> Operation {
    settle(money(Method::Charge, None, minor), None).expect("charges").operation
}

#[test]
fn ending_what_was_begun_is_one_effect_and_ending_it_again_is_none() {
    let begun = settle(asked(Method::ActivateService, None), None).expect("begins").operation;
    assert_eq!(begun.state, State::Succeeded);
    let end = settle(asked(Method::DeactivateService, Some("on")), Some(&begun)).expect("ends");
    assert_eq!((end.operation.state, end.effect.is_some()), (State::Succeeded, true));
    let Some(TargetChange::Update(ended)) = end.target else { panic!("it is off") };
    assert_eq!((ended.state, ended.ended), (State::Succeeded, true));
    let again = settle(asked(Method::DeactivateService, Some("on")), Some(&ended)).expect("ends");
    assert_eq!((again.operation.state, again.effect, again.target), (State::Succeeded, None, None));
}

#[test]
fn what_never_came_or_is_not_yet_there_is_ended_without_an_effect_and_can_never_be() {
    let never = settle(asked(Method::CloseAccount, Some("on")), None).expect("ends");
    assert_eq!((never.operation.state, never.effect), (State::Succeeded, None));
    let Some(TargetChange::Add(grave)) = never.target else { panic!("it is remembered") };
    assert_eq!(
        (grave.method, grave.reference.as_str(), grave.state),
        (Method::OpenAccount, "on", State::Cancelled)
    );
    let pending = asked(Method::OpenAccount, None);
    let early = settle(asked(Method::CloseAccount, Some("on")), Some(&pending)).expect("ends");
    let Some(TargetChange::Update(cancelled)) = early.target else { panic!("it is cancelled") };
    assert_eq!((cancelled.state, early.effect), (State::Cancelled, None));
}

#[test]
fn only_money_that_really_moves_is_in_the_journal() {
    let moved = |settled: Settled| settled.effect.and_then(|effect| effect.amount);
    let charge = money(Method::Charge, None, 500);
    let authorise = Operation { authorize_only: true, ..charge.clone() };
    assert_eq!(moved(settle(charge, None).expect("charges")), Some(gbp(500)));
    assert_eq!(moved(settle(authorise, None).expect("authorises")), None);
    let held = authorised(500);
    let capture = settle(money(Method::Capture, Some("c"), 300), Some(&held)).expect("captures");
    assert_eq!(moved(capture), Some(gbp(300)));
    let refused = charged(500).decline("INSUFFICIENT_FUNDS");
    assert_eq!(moved(refused), None);
}

#[test]
fn a_charge_is_captured_once_in_its_currency_up_to_its_amount() {
    let held = authorised(500);
    let euro = Money::new(Currency::parse("EUR").expect("valid"), 1);
    let captured = Operation { captured_minor: 1, ..held.clone() };
    let cancelled = Operation { state: State::Cancelled, ..held.clone() };
    for (capture, charge, allowed) in [
        (money(Method::Capture, Some("c"), 500), &held, true),
        (money(Method::Capture, Some("c"), 1), &held, true),
        (money(Method::Capture, Some("c"), 501), &held, false),
        (Operation { amount: Some(euro), ..asked(Method::Capture, Some("c")) }, &held, false),
        (money(Method::Capture, Some("c"), 1), &captured, false),
        (money(Method::Capture, Some("c"), 1), &cancelled, false),
        (money(Method::Capture, Some("c"), 1), &charged(500), false),
    ] {
        let outcome = settle(capture.clone(), Some(charge));
        assert_eq!(outcome.is_ok(), allowed, "{capture:?} of {charge:?}");
        if let Err(refusal) = outcome {
            assert!(matches!(refusal, Refusal::NotCapturable { .. }), "{refusal:?}");
        }
    }
    let missing = settle(money(Method::Capture, Some("c"), 1), None);
    assert_eq!(missing, Err(Refusal::ChargeNotFound("c".to_owned())));
}

#[test]
fn a_cancel_says_how_the_charge_stands_and_ends_only_what_is_alive() {
    let declined = money(Method::Charge, None, 5).decline("NO").operation;
    let pending = money(Method::Charge, None, 5);
    let cancel = asked(Method::CancelCharge, Some("own"));
    for (charge, state, effect) in [
        (None, State::Cancelled, false),
        (Some(pending), State::Cancelled, true),
        (Some(authorised(5)), State::Cancelled, true),
        (Some(charged(5)), State::Succeeded, false),
        (Some(declined), State::Declined, false),
    ] {
        let settled = settle(cancel.clone(), charge.as_ref()).expect("answers");
        assert_eq!(settled.operation.state, state, "{charge:?}");
        assert_eq!(settled.effect.is_some(), effect, "{charge:?}");
    }
    let refund = settle(money(Method::Refund, None, 5), None).expect("pays out").operation;
    assert_eq!(
        settle(cancel, Some(&refund)),
        Err(Refusal::ReferenceTaken { field: "charge_reference", first: Method::Refund })
    );
}

#[test]
fn a_refund_that_the_charge_cannot_bear_is_declined_with_its_reason() {
    let euro = Money::new(Currency::parse("EUR").expect("valid"), 1);
    let in_euro = Operation { amount: Some(euro), ..asked(Method::Refund, Some("c")) };
    for (refund, charge, reason) in [
        (money(Method::Refund, None, 5), None, ""),
        (money(Method::Refund, Some("c"), 5), None, "CHARGE_NOT_FOUND"),
        (money(Method::Refund, Some("c"), 5), Some(charged(5)), ""),
        (money(Method::Refund, Some("c"), 6), Some(charged(5)), "AMOUNT_EXCEEDS_REFUNDABLE"),
        (money(Method::Refund, Some("c"), 5), Some(authorised(5)), "NOT_REFUNDABLE"),
        (in_euro, Some(charged(5)), "CURRENCY_MISMATCH"),
    ] {
        let settled = settle(refund.clone(), charge.as_ref()).expect("answers");
        assert_eq!(settled.operation.reason, reason, "{refund:?} of {charge:?}");
        let happened = settled.effect.map(|effect| effect.succeeded);
        assert_eq!(happened, Some(reason.is_empty()), "a refusal is in the journal as well");
    }
}

/// One thing that a payment center might ask for, about one of three charges.
fn step() -> impl Strategy<Value = (Method, usize, i64, bool)> {
    let method = prop_oneof![
        Just(Method::Charge),
        Just(Method::Capture),
        Just(Method::CancelCharge),
        Just(Method::Refund),
    ];
    (method, 0..3_usize, 1..100_i64, any::<bool>())
}

proptest! {
    #[test]
    fn money_is_never_taken_twice_nor_given_back_beyond_what_was_taken(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut charges: BTreeMap<usize, Operation> = BTreeMap::new();
        let mut journal: BTreeMap<usize, i64> = BTreeMap::new();
        for (method, charge, minor, authorize_only) in steps {
            let known = charges.get(&charge);
            let asked = match method {
                Method::Charge if known.is_some() => continue,
                Method::Charge => Operation { authorize_only, ..money(method, None, minor) },
                _ => money(method, Some("c"), minor),
            };
            let was_cancelled = known.is_some_and(|known| known.state == State::Cancelled);
            let Ok(settled) = settle(asked, known) else { continue };
            if let Some(moved) = settled.effect.as_ref().and_then(|effect| effect.amount) {
                prop_assert!(!was_cancelled, "a cancelled charge moves nothing");
                let sign = if method == Method::Refund { -1 } else { 1 };
                *journal.entry(charge).or_default() += sign * moved.minor;
            }
            if method == Method::Charge {
                charges.insert(charge, settled.operation.clone());
            }
            if let Some(TargetChange::Add(changed) | TargetChange::Update(changed)) = settled.target {
                charges.insert(charge, changed);
            }
        }
        for (charge, operation) in &charges {
            let amount = operation.amount.map_or(0, |amount| amount.minor);
            prop_assert!(operation.captured_minor <= amount);
            prop_assert!(operation.refunded_minor <= operation.captured_minor);
            let kept = operation.captured_minor - operation.refunded_minor;
            prop_assert_eq!(journal.get(charge).copied().unwrap_or(0), kept);
        }
    }
}
