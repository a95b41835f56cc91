//! Trying to get the money, with a channel that misbehaves.

use crate::fixture::{
    Center, ORDER, attempt, capture, gbp, giving_back, kinds, last_attempt, last_outcome, reason,
    receipt,
};
use crate::stand_in::Behavior;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::{AttemptOutcome, PaymentOrderState, RefundState};

on_each_database!(many_tries_at_once_charge_once, async |mut center: Center| {
    let id = center.create(900).await.payment_order_id;
    let tries = (0..20).map(|_| {
        let (mut client, request) = (center.client.clone(), attempt(&id, "sandbox"));
        tokio::spawn(async move { client.start_attempt(request).await })
    });
    let mut paid = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.expect("no panic") {
            Ok(_) => paid += 1,
            refused => {
                let reason = reason(refused);
                assert!(["ATTEMPT_UNRESOLVED", "ALREADY_CAPTURED"].contains(&reason.as_str()));
            }
        }
    }
    assert_eq!((paid, center.channel.totals()), (1, (1, 1, 900)));
    center
});

on_each_database!(a_timeout_after_the_charge_is_asked_about, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::TimeoutAfter]);
    let id = center.create(500).await.payment_order_id;
    let order = center.try_on(&id, "sandbox").await;
    assert_eq!(order.state(), PaymentOrderState::Processing);
    assert_eq!(last_outcome(&order), AttemptOutcome::Unknown);
    center.advance(1);
    center.becomes(&id, PaymentOrderState::Paid).await;
    assert_eq!((center.channel.calls("Charge"), center.channel.totals()), (1, (1, 1, 500)));
    let events = center.events_until("payment.captured").await;
    let expected = ["payment.created", "payment.attempted", "payment.unknown", "payment.captured"];
    assert_eq!(kinds(&events), expected);
    center
});

on_each_database!(
    a_charge_that_never_arrived_is_ended_before_another,
    async |mut center: Center| {
        center.channel.next("Charge", &[Behavior::TimeoutBefore]);
        // The first two questions are not answered: nothing is known yet.
        center.channel.next("GetTransaction", &[Behavior::Down]);
        center.channel.next("CancelCharge", &[Behavior::Down]);
        let id = center.create(500).await.payment_order_id;
        let order = center.try_on(&id, "sandbox").await;
        let lost = last_attempt(&order);
        for (questions, seconds) in [(1, 1), (2, 5), (3, 30)] {
            assert_eq!(center.get(&id).await.state(), PaymentOrderState::Processing);
            center.advance(seconds);
            center.asked("GetTransaction", questions).await;
        }
        let order = center.becomes(&id, PaymentOrderState::AwaitingPayer).await;
        assert_eq!(last_outcome(&order), AttemptOutcome::NotAttempted);
        let ended = center.channel.charge_of(&lost).expect("the channel refuses it when it comes");
        assert_eq!((ended.effects, center.channel.calls("Charge")), (0, 1));
        let order = center.try_on(&id, "sandbox").await;
        assert_eq!((order.state(), order.attempts.len()), (PaymentOrderState::Paid, 2));
        assert_eq!(center.channel.totals(), (1, 1, 500));
        center
    }
);

on_each_database!(touching_a_payment_order_asks_about_it, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::TimeoutAfter]);
    let id = center.create(500).await.payment_order_id;
    center.try_on(&id, "sandbox").await;
    let again = center.client.start_attempt(attempt(&id, "sandbox")).await;
    assert_eq!(reason(again), "ALREADY_CAPTURED", "asked first, without any time passing");
    assert_eq!(center.channel.totals(), (1, 1, 500));
    center
});

on_each_database!(an_operator_can_ask_now, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::TimeoutAfter]);
    center.channel.next("GetTransaction", &[Behavior::Down]);
    let id = center.create(500).await.payment_order_id;
    let attempt_id = last_attempt(&center.try_on(&id, "sandbox").await);
    let resolve = proto::ResolveAttemptRequest { attempt_id };
    let silent = center.client.resolve_attempt(resolve.clone()).await;
    assert_eq!(reason(silent), "CHANNEL_UNAVAILABLE");
    for _ in 0..2 {
        let answer = center.client.resolve_attempt(resolve.clone()).await.expect("resolve");
        let order = answer.into_inner().payment_order.expect("one");
        assert_eq!(order.state(), PaymentOrderState::Paid);
    }
    center
});

on_each_database!(
    a_channel_that_is_down_gets_the_same_reference_again,
    async |mut center: Center| {
        center.channel.next("Charge", &[Behavior::Down, Behavior::Down]);
        center.paid(400).await;
        assert_eq!((center.channel.calls("Charge"), center.channel.totals()), (3, (1, 1, 400)));
        center.channel.next("Charge", &[Behavior::Down, Behavior::Down, Behavior::Down]);
        let id = center.create(400).await.payment_order_id;
        let order = center.try_on(&id, "sandbox").await;
        assert_eq!(order.state(), PaymentOrderState::AwaitingPayer);
        assert_eq!(last_outcome(&order), AttemptOutcome::NotAttempted);
        let order = center.try_on(&id, "sandbox").await;
        assert_eq!(order.state(), PaymentOrderState::Paid);
        assert_eq!(center.channel.totals(), (2, 1, 800));
        center
    }
);

on_each_database!(
    a_refused_charge_is_followed_by_cash_at_the_counter,
    async |mut center: Center| {
        center.channel.next("Charge", &[Behavior::Refuse]);
        let id = center.create(1_000).await.payment_order_id;
        let order = center.try_on(&id, "sandbox").await;
        assert_eq!(last_outcome(&order), AttemptOutcome::Declined);
        assert_eq!(order.attempts[0].decline_reason, "INSUFFICIENT_FUNDS");
        let early = center.client.record_receipt(receipt(&id, 1_000)).await;
        assert_eq!(reason(early), "NO_COUNTER_ATTEMPT");

        let tried = center.client.start_attempt(attempt(&id, "counter")).await.expect("counter");
        let tried = tried.into_inner();
        let order = tried.payment_order.expect("one");
        assert_eq!(order.state(), PaymentOrderState::AwaitingPayer);
        let expected = format!("pay at the counter, reference {}", last_attempt(&order));
        assert_eq!(tried.next_action, expected);
        assert_eq!(
            reason(center.client.record_receipt(receipt(&id, 999)).await),
            "AMOUNT_MISMATCH"
        );
        let mut euros = receipt(&id, 1_000);
        euros.amount.as_mut().expect("set").currency_code = "EUR".to_owned();
        assert_eq!(reason(center.client.record_receipt(euros).await), "CURRENCY_MISMATCH");
        let paper = receipt(&id, 1_000);
        for _ in 0..2 {
            let answer = center.client.record_receipt(paper.clone()).await.expect("receipt");
            let order = answer.into_inner().payment_order.expect("one");
            assert_eq!(order.state(), PaymentOrderState::Paid);
        }
        assert_eq!(
            reason(center.client.record_receipt(receipt(&id, 1_000)).await),
            "ALREADY_CAPTURED"
        );

        let refund = center.refund(giving_back(&id, 1_000)).await.expect("refund");
        assert_eq!(refund.state(), RefundState::Succeeded, "given back by hand");
        assert_eq!(center.get(&id).await.state(), PaymentOrderState::Refunded);
        assert_eq!(center.channel.calls("Refund"), 0);
        center
    }
);

on_each_database!(a_held_amount_is_captured_in_part, async |mut center: Center| {
    let id = center.create(1_000).await.payment_order_id;
    let early = center.client.capture_payment(capture(&id, 1)).await;
    assert_eq!(reason(early), "AMOUNT_EXCEEDS_CAPTURABLE");
    let mut manual = attempt(&id, "sandbox");
    manual.capture_mode = proto::CaptureMode::Manual.into();
    let order = center.client.start_attempt(manual).await.expect("authorise").into_inner();
    assert_eq!(order.payment_order.expect("one").state(), PaymentOrderState::Authorized);
    center.advance(3_600);
    assert_eq!(center.get(&id).await.state(), PaymentOrderState::Authorized, "does not expire");

    let too_much = center.client.capture_payment(capture(&id, 1_001)).await;
    assert_eq!(reason(too_much), "AMOUNT_EXCEEDS_CAPTURABLE");
    center.channel.next("Capture", &[Behavior::Refuse]);
    let refused = center.client.capture_payment(capture(&id, 600)).await;
    assert_eq!(reason(refused), "CHANNEL_DECLINED");

    center.channel.next("Capture", &[Behavior::TimeoutAfter]);
    let wanted = capture(&id, 600);
    let unknown = center.client.capture_payment(wanted.clone()).await;
    assert_eq!(reason(unknown), "OUTCOME_UNKNOWN");
    let answer = center.client.capture_payment(wanted).await.expect("repeat").into_inner();
    let order = answer.payment_order.expect("one");
    assert_eq!((order.state(), order.captured), (PaymentOrderState::Paid, gbp(600)));
    assert_eq!((center.channel.calls("Capture"), center.channel.totals().2), (2, 600));
    let again = center.client.capture_payment(capture(&id, 1)).await;
    assert_eq!(reason(again), "ALREADY_CAPTURED");
    center
});

on_each_database!(a_message_is_a_hint_and_the_channel_is_asked, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::Pending]);
    let id = center.create(300).await.payment_order_id;
    let reference = last_attempt(&center.try_on(&id, "sandbox").await);
    let hint = proto::HandleChannelEventRequest { reference, order_id: ORDER.to_owned() };
    center.client.handle_channel_event(hint.clone()).await.expect("a hint");
    assert_eq!(center.get(&id).await.state(), PaymentOrderState::AwaitingPayer, "not paid yet");
    center.channel.payer_pays(&hint.reference);
    for _ in 0..3 {
        center.client.handle_channel_event(hint.clone()).await.expect("a hint");
        assert_eq!(center.get(&id).await.state(), PaymentOrderState::Paid);
    }
    let captured = center.events_until("payment.captured").await;
    assert_eq!(kinds(&captured).iter().filter(|kind| **kind == "payment.captured").count(), 1);
    center
});

on_each_database!(
    another_amount_is_never_believed,
    expecting "INTEGRITY_MISMATCH",
    async |mut center: Center| {
        center.channel.next("Charge", &[Behavior::TimeoutAfter]);
        center.channel.lie_about_amounts(Some(1));
        let id = center.create(300).await.payment_order_id;
        let attempt_id = last_attempt(&center.try_on(&id, "sandbox").await);
        let resolve = proto::ResolveAttemptRequest { attempt_id };
        let answer = center
            .client
            .resolve_attempt(resolve.clone())
            .await
            .expect("resolve");
        let order = answer.into_inner().payment_order.expect("one");
        assert_eq!(order.state(), PaymentOrderState::Processing);
        assert_eq!(order.attempts[0].decline_reason, "INTEGRITY_MISMATCH");
        center.channel.lie_about_amounts(None);
        let answer = center
            .client
            .resolve_attempt(resolve)
            .await
            .expect("resolve");
        let order = answer.into_inner().payment_order.expect("one");
        assert_eq!(order.state(), PaymentOrderState::Paid);
        center
    }
);
