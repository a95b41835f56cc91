//! Closing by the caller and by the clock, and money that comes late.

use crate::fixture::{Center, ORDER, attempt, gbp, kinds, last_attempt, reason, receipt};
use crate::stand_in::Behavior;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::{CloseReason, PaymentOrderState};

on_each_database!(
    closing_waits_until_the_channel_has_ended_the_charge,
    async |mut center: Center| {
        let untouched = center.create(100).await.payment_order_id;
        for _ in 0..2 {
            assert_eq!(center.close(&untouched).await.state(), PaymentOrderState::Closed);
        }
        let late = center.client.start_attempt(attempt(&untouched, "sandbox")).await;
        assert_eq!(reason(late), "PAYMENT_ORDER_CLOSED");

        center.channel.next("Charge", &[Behavior::Pending]);
        center.channel.next("CancelCharge", &[Behavior::Down]);
        let id = center.create(100).await.payment_order_id;
        let order = center.try_on(&id, "sandbox").await;
        assert_eq!(order.state(), PaymentOrderState::AwaitingPayer);
        assert_eq!(center.close(&id).await.state(), PaymentOrderState::Closing);
        center.advance(1);
        let order = center.becomes(&id, PaymentOrderState::Closed).await;
        assert_eq!(order.close_reason(), CloseReason::Caller);
        assert_eq!(center.channel.totals().0, 0);
        center
    }
);

on_each_database!(money_that_was_faster_than_the_close_is_kept, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::Pending]);
    let id = center.create(100).await.payment_order_id;
    let order = center.try_on(&id, "sandbox").await;
    center.channel.payer_pays(&last_attempt(&order));
    assert_eq!(center.close(&id).await.state(), PaymentOrderState::Paid);
    assert_eq!(center.close(&id).await.state(), PaymentOrderState::Paid, "not closed any more");
    center
});

on_each_database!(time_closes_and_late_money_goes_back_by_itself, async |mut center: Center| {
    center.channel.next("Charge", &[Behavior::Pending]);
    let id = center.create(800).await.payment_order_id;
    let order = center.try_on(&id, "sandbox").await;
    let reference = last_attempt(&order);
    center.advance(900);
    let order = center.becomes(&id, PaymentOrderState::Closed).await;
    assert_eq!(order.close_reason(), CloseReason::Expired);

    center.channel.charge_although_cancelled(&reference, 800);
    let hint = proto::HandleChannelEventRequest { reference, order_id: ORDER.to_owned() };
    for _ in 0..2 {
        center.client.handle_channel_event(hint.clone()).await.expect("a hint");
    }
    let events = center.events_until("payment.refunded").await;
    let expected = [
        "payment.created",
        "payment.attempted",
        "payment.closed",
        "payment.late_money_refunded",
        "payment.refunded",
    ];
    assert_eq!(kinds(&events), expected);
    let order = center.get(&id).await;
    assert_eq!((order.state(), order.refunded), (PaymentOrderState::Closed, gbp(800)));
    assert_eq!((center.channel.refunds(), center.channel.totals().2), (1, 0));
    center
});

on_each_database!(
    nothing_is_paid_after_its_time_even_before_it_is_closed,
    async |mut center: Center| {
        let id = center.create(800).await.payment_order_id;
        center.try_on(&id, "counter").await;
        center.advance(900);
        let late = center.client.record_receipt(receipt(&id, 800)).await;
        assert_eq!(reason(late), "PAYMENT_ORDER_CLOSED");
        center.becomes(&id, PaymentOrderState::Closed).await;
        center
    }
);
