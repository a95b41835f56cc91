//! Provisioning, billing, logistics and SMS, and how they misbehave.

use std::time::Duration;

use throughline_kit::error::Kind;
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::billing::v1 as billing;
use throughline_proto::logistics::v1 as logistics;
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::simulator::v1::{ClearRulesRequest, ListEffectsRequest, Misbehavior, Rule};
use throughline_proto::sms::v1 as sms;
use throughline_proto::r#type::v1::OperationOutcome;

use crate::world::{SHORT, World, activation, answer, field_paths, impatient, rule, slow_rule};

fn deactivation(reference: &str, activation: &str) -> provisioning::DeactivateServiceRequest {
    provisioning::DeactivateServiceRequest {
        reference: reference.to_owned(),
        order_id: "ord_1".to_owned(),
        activation_reference: activation.to_owned(),
    }
}

fn text(reference: &str) -> sms::SendSmsRequest {
    sms::SendSmsRequest {
        reference: reference.to_owned(),
        order_id: String::new(),
        phone: "+8613800000001".to_owned(),
        text: "hello".to_owned(),
    }
}

#[tokio::test]
async fn every_system_does_what_it_is_asked_once_for_a_reference() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        let order_id = "ord_1".to_owned();
        for _ in 0..2 {
            let on = world.activate("a").await.expect("activates");
            assert_eq!(on.outcome(), OperationOutcome::Succeeded);
            let opened = world.billing.open_account(billing::OpenAccountRequest {
                reference: "b".to_owned(),
                order_id: order_id.clone(),
                customer_id: "alice".to_owned(),
                offering_code: "plan".to_owned(),
                recurring_charge: None,
            });
            assert_eq!(answer(opened.await).expect("opens").outcome(), OperationOutcome::Succeeded);
            let sent = world.logistics.create_shipment(logistics::CreateShipmentRequest {
                reference: "a".to_owned(),
                order_id: order_id.clone(),
                customer_id: "alice".to_owned(),
                address: String::new(),
                lines: vec![logistics::ParcelLine {
                    offering_code: "lamp".to_owned(),
                    quantity: 2,
                }],
            });
            assert_eq!(answer(sent.await).expect("sends").outcome(), OperationOutcome::Succeeded);
            let told = answer(world.sms.send_sms(text("s")).await).expect("sends");
            assert_eq!(told.outcome(), sms::SmsOutcome::Accepted);
        }
        assert_eq!(
            world.journal().await,
            ["ActivateService a", "OpenAccount b", "CreateShipment a", "SendSms s"]
        );
        assert_eq!(world.operation("a").await, Some(OperationOutcome::Succeeded));
        assert_eq!(world.operation("b").await, None, "another system's reference is not ours");
        let found = world.sms.get_sms(sms::GetSmsRequest { reference: "s".to_owned() });
        assert_eq!(answer(found.await).expect("found").outcome(), sms::SmsOutcome::Accepted);
        world.stop().await;
    }
}

#[tokio::test]
async fn the_same_reference_at_the_same_time_is_one_effect() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let mut client = world.provisioning.clone();
                tokio::spawn(async move { client.activate_service(activation("a")).await })
            })
            .collect();
        for call in calls {
            let on = answer(call.await.expect("no panic")).expect("activates");
            assert_eq!(on.outcome(), OperationOutcome::Succeeded);
        }
        assert_eq!(world.journal().await, ["ActivateService a"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn what_was_begun_is_ended_by_its_reference_and_what_never_came_can_never_come() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.activate("on").await.expect("activates");
        for (reference, target) in [("off", "on"), ("off-again", "on"), ("early", "late")] {
            let off = world.provisioning.deactivate_service(deactivation(reference, target)).await;
            assert_eq!(answer(off).expect("off").outcome(), OperationOutcome::Succeeded);
        }
        assert_eq!(world.journal().await, ["ActivateService on", "DeactivateService off"]);
        let late = world.activate("late").await.expect("answers");
        assert_eq!(late.outcome(), OperationOutcome::Declined);
        assert_eq!(late.reason, "ENDED_BEFORE_IT_HAPPENED");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_by_rule_is_the_first_outcome_even_when_the_rule_is_gone() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world
            .misbehave(Rule {
                offering_code: "broadband-100m".to_owned(),
                reason: "NO_LINE_AT_ADDRESS".to_owned(),
                ..rule("ActivateService", Misbehavior::Refuse)
            })
            .await;
        let other = provisioning::ActivateServiceRequest {
            offering_code: "plan".to_owned(),
            ..activation("plan")
        };
        let other = answer(world.provisioning.activate_service(other).await).expect("answers");
        assert_eq!(other.outcome(), OperationOutcome::Succeeded);
        for _ in 0..2 {
            let refused = world.activate("a").await.expect("answers");
            assert_eq!(refused.outcome(), OperationOutcome::Declined);
            assert_eq!(refused.reason, "NO_LINE_AT_ADDRESS");
            assert!(refused.message.contains("NO_LINE_AT_ADDRESS"), "{}", refused.message);
            world.control.clear_rules(ClearRulesRequest {}).await.expect("clear");
        }
        assert_eq!(world.journal().await, ["ActivateService plan", "!ActivateService a"]);
        assert_eq!(world.operation("a").await, Some(OperationOutcome::Declined));
        world.stop().await;
    }
}

#[tokio::test]
async fn the_undo_of_one_offering_can_be_refused_although_it_names_only_a_reference() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world
            .misbehave(Rule {
                offering_code: "broadband-100m".to_owned(),
                ..rule("DeactivateService", Misbehavior::Refuse)
            })
            .await;
        world.activate("on").await.expect("activates");
        let off = world.provisioning.deactivate_service(deactivation("off", "on")).await;
        let off = answer(off).expect("answers");
        assert_eq!((off.outcome(), off.reason.as_str()), REFUSED);
        world.stop().await;
    }
}

const REFUSED: (OperationOutcome, &str) = (OperationOutcome::Declined, "REFUSED_BY_SIMULATOR");

#[tokio::test]
async fn a_system_that_is_down_does_nothing_says_so_and_does_it_when_it_is_up_again() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.misbehave(Rule { times: 2, ..rule("", Misbehavior::Down) }).await;
        let down = world.activate("a").await.expect_err("down");
        assert_eq!((down.kind, down.reason.as_str()), (Kind::Unavailable, "SYSTEM_DOWN"));
        assert_eq!(down.domain, "provisioning");
        let question = provisioning::GetOperationRequest { reference: "a".to_owned() };
        let down = answer(world.provisioning.get_operation(question).await).expect_err("down");
        assert_eq!(down.reason, "SYSTEM_DOWN", "a question goes unanswered as well");
        assert!(world.journal().await.is_empty());
        assert_eq!(world.operation("a").await, None);
        world.activate("a").await.expect("up again");
        assert_eq!(world.journal().await, ["ActivateService a"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_delayed_answer_takes_its_time() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.misbehave(slow_rule("ActivateService", Misbehavior::Delay, SHORT)).await;
        let before = tokio::time::Instant::now();
        let on = world.activate("a").await.expect("activates");
        assert_eq!(on.outcome(), OperationOutcome::Succeeded);
        assert!(before.elapsed() >= SHORT, "took {:?}", before.elapsed());
        world.stop().await;
    }
}

#[tokio::test]
async fn a_lost_call_has_no_effect_and_a_lost_answer_has_one() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        for (reference, misbehavior, known) in [
            ("before", Misbehavior::TimeoutBefore, None),
            ("after", Misbehavior::TimeoutAfter, Some(OperationOutcome::Succeeded)),
        ] {
            world.misbehave(Rule { times: 1, ..rule("ActivateService", misbehavior) }).await;
            let call = world.provisioning.activate_service(impatient(activation(reference)));
            let lost = answer(call.await).expect_err("no answer");
            assert_eq!(lost.kind, Kind::OutcomeUnknown, "{lost}");
            assert_eq!(world.operation(reference).await, known, "{misbehavior:?}");
            // The same reference again settles it, with one effect in the end.
            let on = world.activate(reference).await.expect("activates");
            assert_eq!(on.outcome(), OperationOutcome::Succeeded);
        }
        assert_eq!(world.journal().await, ["ActivateService before", "ActivateService after"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_is_never_answered_does_not_keep_the_simulators_from_ending() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.misbehave(rule("ActivateService", Misbehavior::TimeoutAfter)).await;
        let mut client = world.provisioning.clone();
        let call = tokio::spawn(async move { client.activate_service(activation("a")).await });
        let control = world.control.clone();
        eventually("the effect", || {
            let mut control = control.clone();
            async move {
                let effects = control.list_effects(ListEffectsRequest::default()).await;
                let effects = answer(effects).expect("lists").effects;
                (!effects.is_empty()).then_some(())
            }
        })
        .await;
        let before = tokio::time::Instant::now();
        world.stop().await;
        assert!(before.elapsed() < Duration::from_secs(5), "took {:?}", before.elapsed());
        answer(call.await.expect("no panic")).expect_err("nobody knows what became of it");
    }
}

#[tokio::test]
async fn each_wrong_field_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut world = World::start(&database.config).await;
    let wrong = provisioning::ActivateServiceRequest {
        resources: vec!["ok".to_owned(), String::new()],
        ..Default::default()
    };
    let error = answer(world.provisioning.activate_service(wrong).await).expect_err("refused");
    assert_eq!((error.reason.as_str(), error.domain.as_str()), ("FIELD_INVALID", "provisioning"));
    assert_eq!(
        field_paths(&error),
        ["reference", "order_id", "customer_id", "offering_code", "resources[1]"]
    );
    let wrong = provisioning::DeactivateServiceRequest::default();
    let error = answer(world.provisioning.deactivate_service(wrong).await).expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "order_id", "activation_reference"]);
    let wrong = logistics::CreateShipmentRequest {
        reference: "r".repeat(201),
        order_id: "ord_1".to_owned(),
        customer_id: "alice".to_owned(),
        lines: vec![logistics::ParcelLine::default()],
        ..Default::default()
    };
    let error = answer(world.logistics.create_shipment(wrong).await).expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "lines[0].offering_code", "lines[0].quantity"]);
    let error =
        answer(world.logistics.create_shipment(logistics::CreateShipmentRequest::default()).await)
            .expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "order_id", "customer_id", "lines"]);
    let error = answer(
        world
            .billing
            .open_account(billing::OpenAccountRequest {
                recurring_charge: crate::world::money("gbp", 1),
                ..Default::default()
            })
            .await,
    )
    .expect_err("refused");
    assert_eq!(
        field_paths(&error),
        ["reference", "order_id", "customer_id", "offering_code", "recurring_charge"]
    );
    let wrong = sms::SendSmsRequest::default();
    let error = answer(world.sms.send_sms(wrong).await).expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "phone", "text"]);
    let error =
        answer(world.sms.get_sms(sms::GetSmsRequest::default()).await).expect_err("refused");
    assert_eq!(field_paths(&error), ["reference"]);
    assert!(world.journal().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_reference_of_another_operation_is_refused_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.activate("a").await.expect("activates");
        let off = world.provisioning.deactivate_service(deactivation("a", "a")).await;
        let error = answer(off).expect_err("refused");
        assert_eq!((error.kind, field_paths(&error)), (Kind::Invalid, vec!["reference"]));
        assert_eq!(world.journal().await, ["ActivateService a"]);
        world.stop().await;
    }
}
