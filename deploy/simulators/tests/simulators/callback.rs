//! Late answers, and the callbacks through the gateway.

use std::sync::atomic::Ordering;
use std::time::Duration;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::order::v1::StepOutcome;
use throughline_proto::paychannel::v1 as paychannel;
use throughline_proto::paychannel::v1::TransactionOutcome;
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::simulator::v1::Misbehavior;
use throughline_proto::r#type::v1::OperationOutcome;
use throughline_simulators::Config;
use tonic::Request;

use crate::gateway::{Gateway, all};
use crate::world::{World, activation, answer, money, slow_rule};

const DELAY: Duration = Duration::from_secs(30);
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn quick() -> Config {
    Config { late_poll_interval_ms: 10, report_retry_delay_ms: 1, ..Config::default() }
}

fn clock() -> Clock {
    Clock::fixed(Instant(1_000_000))
}

#[tokio::test]
async fn every_system_registers_under_its_own_name_with_its_own_key() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let (gateway, address) = Gateway::start().await;
    let world = World::start_with(&database.config, clock(), Some(address), quick()).await;
    eventually("six registrations", || async {
        let mut registered = all(&gateway.registered);
        registered.sort();
        let names = ["billing", "logistics", "paychannel", "provisioning", "simulator", "sms"];
        let expected: Vec<_> = names
            .iter()
            .map(|name| ((*name).to_owned(), format!("Bearer key-of-{name}")))
            .collect();
        (registered == expected).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test]
async fn a_late_answer_is_pending_until_its_time_and_is_then_reported_as_the_system_itself() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let (gateway, address) = Gateway::start().await;
        let mut world = World::start_with(&database.config, clock(), Some(address), quick()).await;
        world.misbehave(slow_rule("ActivateService", Misbehavior::AnswerLate, DELAY)).await;
        let mut request = Request::new(activation("a"));
        request.metadata_mut().insert("traceparent", TRACE.parse().expect("ascii"));
        let pending = answer(world.provisioning.activate_service(request).await).expect("answers");
        assert_eq!(pending.outcome(), OperationOutcome::Pending);
        let again = world.activate("a").await.expect("answers");
        assert_eq!(again.outcome(), OperationOutcome::Pending);
        assert!(world.journal().await.is_empty(), "it has not happened yet");
        world.clock.advance(DELAY);
        let report = eventually("the report", || async { all(&gateway.steps).pop() }).await;
        assert_eq!((report.order_id.as_str(), report.reference.as_str()), ("ord_1", "a"));
        assert_eq!(report.outcome(), StepOutcome::Succeeded);
        assert_eq!(all(&gateway.identity), [format!("Bearer key-of-provisioning ord_1 {TRACE}")]);
        assert_eq!(world.journal().await, ["ActivateService a"]);
        assert_eq!(world.operation("a").await, Some(OperationOutcome::Succeeded));
        world.stop().await;
        assert_eq!(all(&gateway.steps).len(), 1);
    }
}

#[tokio::test]
async fn an_answer_can_be_reported_twice_and_happens_once() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let (gateway, address) = Gateway::start().await;
        let mut world = World::start_with(&database.config, clock(), Some(address), quick()).await;
        world
            .misbehave(slow_rule("ActivateService", Misbehavior::AnswerTwice, Duration::ZERO))
            .await;
        let pending = world.activate("a").await.expect("answers");
        assert_eq!(pending.outcome(), OperationOutcome::Pending);
        eventually("two reports", || async { (all(&gateway.steps).len() == 2).then_some(()) })
            .await;
        let reports = all(&gateway.steps);
        assert_eq!(reports[0], reports[1]);
        assert_eq!(world.journal().await, ["ActivateService a"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_late_charge_is_announced_to_the_payment_center_and_one_cancelled_meanwhile_is_not() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let (gateway, address) = Gateway::start().await;
        let mut world = World::start_with(&database.config, clock(), Some(address), quick()).await;
        world.misbehave(slow_rule("Charge", Misbehavior::AnswerLate, DELAY)).await;
        for reference in ["kept", "cancelled"] {
            let charge = paychannel::ChargeRequest {
                reference: reference.to_owned(),
                order_id: "ord_1".to_owned(),
                payer_id: "alice".to_owned(),
                amount: money("GBP", 500),
                authorize_only: false,
            };
            let pending = answer(world.paychannel.charge(charge).await).expect("answers");
            assert_eq!(pending.outcome(), TransactionOutcome::Pending);
        }
        let cancel = paychannel::CancelChargeRequest {
            charge_reference: "cancelled".to_owned(),
            order_id: "ord_1".to_owned(),
        };
        let cancelled = answer(world.paychannel.cancel_charge(cancel).await).expect("answers");
        assert_eq!(cancelled.outcome(), TransactionOutcome::Cancelled);
        world.clock.advance(DELAY);
        let event = eventually("the event", || async { all(&gateway.channel_events).pop() }).await;
        assert_eq!((event.reference.as_str(), event.order_id.as_str()), ("kept", "ord_1"));
        assert_eq!(world.journal().await, ["CancelCharge cancelled", "Charge kept"]);
        world.stop().await;
        assert_eq!(all(&gateway.channel_events).len(), 1);
    }
}

#[tokio::test]
async fn late_work_survives_a_restart_and_a_gateway_that_is_away() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let clock = clock();
        let (gateway, address) = Gateway::start().await;
        let mut world =
            World::start_with(&database.config, clock.clone(), Some(address), quick()).await;
        world.misbehave(slow_rule("", Misbehavior::AnswerLate, DELAY)).await;
        world.activate("a").await.expect("answers");
        let off = provisioning::DeactivateServiceRequest {
            reference: "off".to_owned(),
            order_id: "ord_1".to_owned(),
            activation_reference: "other".to_owned(),
        };
        let off = answer(world.provisioning.deactivate_service(off).await).expect("answers");
        assert_eq!(off.outcome(), OperationOutcome::Pending);
        world.stop().await;
        clock.advance(DELAY);
        gateway.failures.store(3, Ordering::SeqCst);

        let mut world =
            World::start_with(&database.config, clock.clone(), Some(address), quick()).await;
        eventually("both reports", || async {
            clock.advance(Duration::from_millis(20));
            let mut references: Vec<_> =
                all(&gateway.steps).into_iter().map(|report| report.reference).collect();
            references.sort();
            (references == ["a", "off"]).then_some(())
        })
        .await;
        assert_eq!(world.journal().await, ["ActivateService a"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn without_a_gateway_a_late_operation_still_happens() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut world = World::start_with(&database.config, clock(), None, quick()).await;
    world.misbehave(slow_rule("ActivateService", Misbehavior::AnswerLate, DELAY)).await;
    world.activate("a").await.expect("answers");
    world.clock.advance(DELAY);
    let (client, question) = (world.provisioning.clone(), "a".to_owned());
    eventually("the effect", || {
        let (mut client, reference) = (client.clone(), question.clone());
        async move {
            let request = provisioning::GetOperationRequest { reference };
            let found = answer(client.get_operation(request).await).expect("found");
            (found.outcome() == OperationOutcome::Succeeded).then_some(())
        }
    })
    .await;
    assert_eq!(world.journal().await, ["ActivateService a"]);
    world.stop().await;
}
