//! Stopping and dying in the middle, and going on with the same store.

use crate::fixture::{Center, NO_REGISTRY, attempt, giving_back, last_outcome};
use crate::stand_in::Behavior;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::payment::v1::{AttemptOutcome, PaymentOrderState, RefundState};

on_each_database!(a_restart_keeps_everything_and_goes_on, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::TimeoutAfter]);
    let id = center.create(500).await.payment_order_id;
    let unknown = center.try_on(&id, "sandbox").await;
    let mut center = center.restart().await;
    assert_eq!(center.get(&id).await, unknown);
    center.advance(1);
    center.becomes(&id, PaymentOrderState::Paid).await;
    center.channel.next("Refund", &[Behavior::Down]);
    let refund = center.refund(giving_back(&id, 500)).await.expect("refund");
    assert_eq!(refund.state(), RefundState::Pending);
    let center = center.restart().await;
    center.advance(1);
    center.refund_becomes(&refund.refund_id, RefundState::Succeeded).await;
    assert_eq!(center.channel.totals(), (1, 1, 0));
    center
});

/// Dies while the channel is called, with and without the charge's effect, and comes back: by the caller's repetition or
/// by the janitor.
#[tokio::test]
async fn a_crash_in_the_middle_of_a_charge_charges_once() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let mut effects = 0;
        for behavior in [Behavior::TimeoutAfter, Behavior::TimeoutBefore] {
            // The caller repeats its request: an effect is found, a charge that never came is sent.
            let id = center.create(500).await.payment_order_id;
            let request = attempt(&id, "sandbox");
            center.channel.next("Charge", &[behavior]);
            center = center.crash_during("Charge", request.clone()).await;
            let left = center.get(&id).await;
            assert_eq!(left.state(), PaymentOrderState::Processing, "stored before the call");
            let answer = center.client.start_attempt(request).await.expect("repeat").into_inner();
            let order = answer.payment_order.expect("one");
            assert_eq!((order.state(), order.attempts.len()), (PaymentOrderState::Paid, 1));
            effects += 1;
            assert_eq!(center.channel.totals().0, effects);

            // Nobody repeats: the janitor finds out.
            let id = center.create(500).await.payment_order_id;
            center.channel.next("Charge", &[behavior]);
            center = center.crash_during("Charge", attempt(&id, "sandbox")).await;
            center.advance(10);
            if behavior == Behavior::TimeoutAfter {
                center.becomes(&id, PaymentOrderState::Paid).await;
                effects += 1;
            } else {
                let order = center.becomes(&id, PaymentOrderState::AwaitingPayer).await;
                assert_eq!(last_outcome(&order), AttemptOutcome::NotAttempted);
            }
        }
        assert_eq!(center.channel.totals(), (effects, 1, 500 * i64::from(effects)));
        center.stop().await;
    }
}
