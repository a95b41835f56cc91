//! Rules and the journal.

use std::time::Duration;

use throughline_kit::error::Kind;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::simulator::v1 as proto;
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_simulators::Config;

use crate::world::{World, activation, answer, field_paths, rule, slow_rule};

#[tokio::test]
async fn each_wrong_field_of_a_rule_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut world = World::start(&database.config).await;
    let hour = Duration::from_secs(3_600);
    let negative = prost_types::Duration { seconds: -1, nanos: 0 };
    for (wrong, paths) in [
        (None, vec!["rule", "rule.misbehavior"]),
        (Some(Rule::default()), vec!["rule.misbehavior"]),
        (
            Some(slow_rule("", Misbehavior::Delay, hour + Duration::from_nanos(1))),
            vec!["rule.delay"],
        ),
        (Some(Rule { delay: Some(negative), ..rule("", Misbehavior::Delay) }), vec!["rule.delay"]),
        (
            Some(Rule {
                method: "m".repeat(65),
                reason: "not snake".to_owned(),
                times: -1,
                ..rule("", Misbehavior::Refuse)
            }),
            vec!["rule.method", "rule.reason", "rule.times"],
        ),
    ] {
        let request = proto::AddRuleRequest { rule: wrong };
        let error = answer(world.control.add_rule(request).await).expect_err("refused");
        assert_eq!((error.reason.as_str(), field_paths(&error)), ("FIELD_INVALID", paths));
    }
    world.misbehave(slow_rule("", Misbehavior::AnswerLate, hour)).await;
    world.stop().await;
}

#[tokio::test]
async fn rules_are_limited_and_cleared_together() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let config = Config { max_rules: 1, ..Config::default() };
        let clock = throughline_kit::clock::Clock::system();
        let mut world = World::start_with(&database.config, clock, None, config).await;
        world.misbehave(rule("", Misbehavior::Down)).await;
        let request = proto::AddRuleRequest { rule: Some(rule("", Misbehavior::Down)) };
        let error = answer(world.control.add_rule(request).await).expect_err("refused");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Exhausted, "LIMIT_REACHED"));
        assert_eq!(error.metadata.get("limit").map(String::as_str), Some("max_rules"));
        world.activate("a").await.expect_err("down");
        world.control.clear_rules(proto::ClearRulesRequest {}).await.expect("clear");
        world.activate("a").await.expect("up");
        world.misbehave(rule("", Misbehavior::Down)).await;
        world.stop().await;
    }
}

#[tokio::test]
async fn a_rule_applies_as_often_as_it_says_and_then_the_next_one_decides() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        let two = Rule { times: 2, reason: "FIRST".to_owned(), ..rule("", Misbehavior::Refuse) };
        world.misbehave(two).await;
        let order = Rule {
            order_id: "ord_1".to_owned(),
            reason: "SECOND".to_owned(),
            ..rule("", Misbehavior::Refuse)
        };
        world.misbehave(order).await;
        let mut calls = Vec::new();
        for reference in ["a", "b", "c", "d"] {
            let mut client = world.provisioning.clone();
            calls.push(tokio::spawn(async move {
                client.activate_service(activation(reference)).await
            }));
        }
        let mut reasons = Vec::new();
        for call in calls {
            reasons.push(answer(call.await.expect("no panic")).expect("answers").reason);
        }
        reasons.sort();
        assert_eq!(reasons, ["FIRST", "FIRST", "SECOND", "SECOND"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn the_journal_is_read_in_pages_and_by_system() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        for n in 0..7 {
            world.activate(&format!("a{n}")).await.expect("activates");
        }
        let mut request = proto::ListEffectsRequest {
            system: "provisioning".to_owned(),
            page_size: 3,
            page_token: String::new(),
        };
        let mut references = Vec::new();
        loop {
            let page = answer(world.control.list_effects(request.clone()).await).expect("lists");
            assert!(page.effects.len() <= 3);
            for effect in &page.effects {
                assert_eq!(
                    (effect.system.as_str(), effect.order_id.as_str()),
                    ("provisioning", "ord_1")
                );
                assert!(effect.occurred_time.is_some());
            }
            references.extend(page.effects.into_iter().map(|effect| effect.reference));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(references, ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
        let sms = proto::ListEffectsRequest { system: "sms".to_owned(), ..Default::default() };
        let none = answer(world.control.list_effects(sms).await).expect("lists");
        assert!(none.effects.is_empty());
        let unknown = proto::ListEffectsRequest { system: "crm".to_owned(), ..Default::default() };
        let error = answer(world.control.list_effects(unknown).await).expect_err("refused");
        assert_eq!(field_paths(&error), ["system"]);
        let token = proto::ListEffectsRequest { page_token: "x".to_owned(), ..Default::default() };
        let error = answer(world.control.list_effects(token).await).expect_err("refused");
        assert_eq!(error.reason, "PAGE_TOKEN_INVALID");
        world.stop().await;
    }
}
