//! The payment channel.

use throughline_kit::error::{Error, Kind};
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::paychannel::v1 as proto;
use throughline_proto::paychannel::v1::TransactionOutcome;
use throughline_proto::simulator::v1::{Misbehavior, Rule};

use crate::world::{World, answer, field_paths, impatient, money, rule};

fn charge_request(reference: &str, authorize_only: bool) -> proto::ChargeRequest {
    proto::ChargeRequest {
        reference: reference.to_owned(),
        order_id: "ord_1".to_owned(),
        payer_id: "alice".to_owned(),
        amount: money("GBP", 500),
        authorize_only,
    }
}

impl World {
    async fn charge(&mut self, reference: &str) -> TransactionOutcome {
        let charged = self.paychannel.charge(charge_request(reference, false)).await;
        answer(charged).expect("answers").outcome()
    }

    async fn authorize(&mut self, reference: &str) {
        let charged = self.paychannel.charge(charge_request(reference, true)).await;
        assert_eq!(answer(charged).expect("answers").outcome(), TransactionOutcome::Succeeded);
    }

    async fn capture(&mut self, reference: &str, charge: &str, minor: i64) -> Result<(), Error> {
        let captured = self.paychannel.capture(proto::CaptureRequest {
            reference: reference.to_owned(),
            order_id: "ord_1".to_owned(),
            charge_reference: charge.to_owned(),
            amount: money("GBP", minor),
        });
        let captured = answer(captured.await)?;
        assert_eq!(captured.outcome(), TransactionOutcome::Succeeded);
        Ok(())
    }

    async fn cancel(&mut self, charge: &str) -> TransactionOutcome {
        let cancelled = self.paychannel.cancel_charge(proto::CancelChargeRequest {
            charge_reference: charge.to_owned(),
            order_id: "ord_1".to_owned(),
        });
        answer(cancelled.await).expect("answers").outcome()
    }

    async fn refund(&mut self, reference: &str, charge: &str, minor: i64) -> proto::RefundResponse {
        let refunded = self.paychannel.refund(proto::RefundRequest {
            reference: reference.to_owned(),
            order_id: "ord_1".to_owned(),
            charge_reference: charge.to_owned(),
            payer_id: "alice".to_owned(),
            amount: money("GBP", minor),
        });
        answer(refunded.await).expect("answers")
    }

    async fn transaction(&mut self, reference: &str) -> proto::GetTransactionResponse {
        let request = proto::GetTransactionRequest { reference: reference.to_owned() };
        answer(self.paychannel.get_transaction(request).await).expect("found")
    }

    /// What the journal says that the channel holds: taken minus given back.
    async fn kept(&mut self) -> i64 {
        self.effects()
            .await
            .iter()
            .map(|effect| {
                let minor = effect.amount.as_ref().map_or(0, |amount| amount.minor_units);
                if effect.method == "Refund" { -minor } else { minor }
            })
            .sum()
    }
}

#[tokio::test]
async fn money_is_charged_and_given_back_up_to_what_was_charged() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        for _ in 0..2 {
            assert_eq!(world.charge("c").await, TransactionOutcome::Succeeded);
        }
        assert_eq!(world.transaction("c").await.amount, money("GBP", 500));
        assert_eq!(world.kept().await, 500);
        for _ in 0..2 {
            assert_eq!(world.refund("r1", "c", 300).await.outcome(), TransactionOutcome::Succeeded);
        }
        let too_much = world.refund("r2", "c", 201).await;
        assert_eq!(too_much.outcome(), TransactionOutcome::Declined);
        assert_eq!(too_much.reason, "AMOUNT_EXCEEDS_REFUNDABLE");
        assert_eq!(world.refund("r3", "c", 200).await.outcome(), TransactionOutcome::Succeeded);
        assert_eq!(world.refund("r4", "never", 1).await.reason, "CHARGE_NOT_FOUND");
        assert_eq!(world.kept().await, 0);
        assert_eq!(
            world.journal().await,
            ["Charge c", "Refund r1", "!Refund r2", "Refund r3", "!Refund r4"]
        );
        let declined = world.transaction("r2").await;
        assert_eq!((declined.outcome(), declined.amount), (TransactionOutcome::Declined, None));
        let payout = world.refund("payout", "", 7).await;
        assert_eq!(payout.outcome(), TransactionOutcome::Succeeded, "a payout needs no charge");
        world.stop().await;
    }
}

#[tokio::test]
async fn an_authorised_charge_is_captured_once_and_only_then_is_money_taken() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world.authorize("c").await;
        assert!(world.transaction("c").await.authorized_only);
        assert_eq!(world.kept().await, 0);
        let error = world.capture("x", "c", 501).await.expect_err("too much");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Precondition, "NOT_CAPTURABLE"));
        world.capture("k", "c", 400).await.expect("captures");
        world.capture("k", "c", 400).await.expect("answers with the first outcome");
        let error = world.capture("k2", "c", 1).await.expect_err("captured before");
        assert_eq!(error.reason, "NOT_CAPTURABLE");
        assert_eq!(error.metadata.get("captured_minor").map(String::as_str), Some("400"));
        let error = world.capture("k3", "never", 1).await.expect_err("no such charge");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::NotFound, "CHARGE_NOT_FOUND"));
        assert_eq!(world.kept().await, 400);
        let charge = world.transaction("c").await;
        assert_eq!((charge.authorized_only, charge.amount), (false, money("GBP", 400)));
        assert_eq!(world.cancel("c").await, TransactionOutcome::Succeeded, "the money was taken");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_cancelled_charge_takes_no_money_even_when_it_arrives_later() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        assert_eq!(world.cancel("late").await, TransactionOutcome::Cancelled);
        assert_eq!(world.charge("late").await, TransactionOutcome::Cancelled);
        assert_eq!(world.transaction("late").await.outcome(), TransactionOutcome::Cancelled);
        world.authorize("held").await;
        for _ in 0..2 {
            assert_eq!(world.cancel("held").await, TransactionOutcome::Cancelled);
        }
        let error = world.capture("k", "held", 1).await.expect_err("cancelled");
        assert_eq!(error.reason, "NOT_CAPTURABLE");
        assert_eq!(world.kept().await, 0);
        assert_eq!(world.journal().await, ["Charge held", "CancelCharge held"]);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_found_by_its_reference_and_never_taken_again() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        world
            .misbehave(Rule {
                customer_id: "alice".to_owned(),
                ..rule("Charge", Misbehavior::TimeoutAfter)
            })
            .await;
        let call = world.paychannel.charge(impatient(charge_request("c", false)));
        let lost = answer(call.await).expect_err("no answer");
        assert_eq!(lost.kind, Kind::OutcomeUnknown);
        assert_eq!(world.transaction("c").await.outcome(), TransactionOutcome::Succeeded);
        assert_eq!(world.charge("c").await, TransactionOutcome::Succeeded);
        assert_eq!(world.cancel("c").await, TransactionOutcome::Succeeded);
        assert_eq!(world.kept().await, 500);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_restart_remembers_charges_rules_and_the_journal() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        assert_eq!(world.charge("c").await, TransactionOutcome::Succeeded);
        let refusal = Rule {
            reason: "INSUFFICIENT_FUNDS".to_owned(),
            times: 2,
            ..rule("Charge", Misbehavior::Refuse)
        };
        world.misbehave(refusal).await;
        assert_eq!(world.charge("d").await, TransactionOutcome::Declined);
        world.stop().await;

        let mut world = World::start(&database.config).await;
        assert_eq!(world.charge("c").await, TransactionOutcome::Succeeded);
        assert_eq!(world.transaction("d").await.reason, "INSUFFICIENT_FUNDS");
        assert_eq!(world.charge("e").await, TransactionOutcome::Declined);
        assert_eq!(world.charge("f").await, TransactionOutcome::Succeeded, "the rule is used up");
        assert_eq!(world.journal().await, ["Charge c", "!Charge d", "!Charge e", "Charge f"]);
        let sequences: Vec<i64> = world.effects().await.iter().map(|e| e.sequence).collect();
        assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
        assert_eq!(world.kept().await, 1_000);
        world.stop().await;
    }
}

#[tokio::test]
async fn cancel_and_capture_at_the_same_time_end_in_one_of_both() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut world = World::start(&database.config).await;
        for round in 0..8 {
            let charge = format!("c{round}");
            world.authorize(&charge).await;
            let (before, mut canceller) = (world.kept().await, world.paychannel.clone());
            let request = proto::CancelChargeRequest {
                charge_reference: charge.clone(),
                order_id: "ord_1".to_owned(),
            };
            let cancel = tokio::spawn(async move { canceller.cancel_charge(request).await });
            let captured = world.capture(&format!("k{round}"), &charge, 500).await.is_ok();
            let cancelled = answer(cancel.await.expect("no panic")).expect("answers").outcome();
            let taken = world.kept().await - before;
            assert_eq!(taken, if captured { 500 } else { 0 });
            let expected = if captured {
                TransactionOutcome::Succeeded
            } else {
                TransactionOutcome::Cancelled
            };
            assert_eq!(cancelled, expected);
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn each_wrong_field_of_money_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut world = World::start(&database.config).await;
    let wrong = proto::ChargeRequest { amount: money("gbp", 1), ..Default::default() };
    let error = answer(world.paychannel.charge(wrong).await).expect_err("refused");
    assert_eq!((error.reason.as_str(), error.domain.as_str()), ("FIELD_INVALID", "paychannel"));
    assert_eq!(field_paths(&error), ["reference", "payer_id", "amount"]);
    let wrong = proto::ChargeRequest { amount: money("GBP", 0), ..charge_request("c", false) };
    let error = answer(world.paychannel.charge(wrong).await).expect_err("refused");
    assert_eq!(field_paths(&error), ["amount.minor_units"]);
    let error = answer(world.paychannel.capture(proto::CaptureRequest::default()).await)
        .expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "charge_reference", "amount"]);
    let error = answer(world.paychannel.refund(proto::RefundRequest::default()).await)
        .expect_err("refused");
    assert_eq!(field_paths(&error), ["reference", "payer_id", "amount"]);
    let error = answer(world.paychannel.cancel_charge(proto::CancelChargeRequest::default()).await)
        .expect_err("refused");
    assert_eq!(field_paths(&error), ["charge_reference"]);
    let question = proto::GetTransactionRequest { reference: "never".to_owned() };
    let error = answer(world.paychannel.get_transaction(question).await).expect_err("refused");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::NotFound, "REFERENCE_NOT_FOUND"));
    world.stop().await;
}
