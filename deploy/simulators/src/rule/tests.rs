//! Rules by table.

use super::*;

fn rule(misbehavior: Misbehavior) -> Rule {
    Rule {
        number: 1,
        method: String::new(),
        offering_code: String::new(),
        customer_id: String::new(),
        order_id: String::new(),
        misbehavior,
        delay: Duration::ZERO,
        reason: "NO".to_owned(),
        max_uses: 0,
        uses: 0,
    }
}

fn meets(rule: &Rule, call: Call) -> bool {
    let codes = ["plan".to_owned(), "sim".to_owned()];
    let facts = Facts {
        method: "ActivateService",
        offering_codes: &codes,
        customer_id: "alice",
        order_id: "ord_1",
    };
    first_match(std::slice::from_ref(rule), &facts, call).is_some()
}

#[test]
fn every_field_of_a_rule_must_match_and_an_empty_one_matches_all() {
    let any = rule(Misbehavior::Down);
    for (rule, expected) in [
        (any.clone(), true),
        (Rule { method: "ActivateService".to_owned(), ..any.clone() }, true),
        (Rule { method: "Charge".to_owned(), ..any.clone() }, false),
        (Rule { offering_code: "sim".to_owned(), ..any.clone() }, true),
        (Rule { offering_code: "modem".to_owned(), ..any.clone() }, false),
        (Rule { customer_id: "alice".to_owned(), ..any.clone() }, true),
        (Rule { customer_id: "bob".to_owned(), ..any.clone() }, false),
        (Rule { order_id: "ord_1".to_owned(), ..any.clone() }, true),
        (Rule { order_id: "ord_2".to_owned(), ..any.clone() }, false),
        (Rule { max_uses: 2, uses: 1, ..any.clone() }, true),
        (Rule { max_uses: 2, uses: 2, ..any }, false),
    ] {
        assert_eq!(meets(&rule, Call::First(Method::ActivateService)), expected, "{rule:?}");
    }
}

#[test]
fn a_known_reference_and_a_question_meet_only_what_disturbs_the_way() {
    for misbehavior in Misbehavior::ALL {
        let disturbs_the_way = matches!(
            misbehavior,
            Misbehavior::Delay | Misbehavior::Down | Misbehavior::TimeoutBefore
        );
        for call in [Call::Repeated, Call::Query] {
            assert_eq!(meets(&rule(misbehavior), call), disturbs_the_way, "{misbehavior:?}");
        }
        assert!(meets(&rule(misbehavior), Call::First(Method::ActivateService)));
        assert_eq!(Misbehavior::parse(misbehavior.as_str()), Some(misbehavior));
    }
}

#[test]
fn a_method_is_never_made_to_say_what_its_contract_cannot() {
    for (misbehavior, method, can) in [
        (Misbehavior::Refuse, Method::CancelCharge, false),
        (Misbehavior::Refuse, Method::SendSms, true),
        (Misbehavior::AnswerLate, Method::SendSms, false),
        (Misbehavior::AnswerLate, Method::Capture, false),
        (Misbehavior::AnswerTwice, Method::Refund, true),
        (Misbehavior::TimeoutAfter, Method::CancelCharge, true),
    ] {
        assert_eq!(meets(&rule(misbehavior), Call::First(method)), can, "{method:?}");
    }
}

#[test]
fn the_first_rule_that_can_be_suffered_decides() {
    let rules = [
        Rule { number: 1, ..rule(Misbehavior::Refuse) },
        Rule { number: 2, ..rule(Misbehavior::Delay) },
    ];
    let facts =
        Facts { method: "CancelCharge", offering_codes: &[], customer_id: "", order_id: "" };
    let found = first_match(&rules, &facts, Call::First(Method::CancelCharge));
    assert_eq!(found.map(|rule| rule.number), Some(2));
    let found = first_match(&rules, &facts, Call::First(Method::Refund));
    assert_eq!(found.map(|rule| rule.number), Some(1));
}
