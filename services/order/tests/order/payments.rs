//! A payer who takes time: news from the payment center's feed, a time that runs out, and what
//! comes too late.

use throughline_proto::order::v1::{OrderState, StepState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{PAYMENT_TTL_S, gbp, mugs, stands, step};

/// An order whose payer was asked and has not answered; its id, and its payment order's.
async fn waiting(center: &mut Center) -> (String, String) {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    assert_eq!(step(&order, "", "pay").state(), StepState::Waiting);
    assert_eq!((center.outside.held(), order.paid), (1, gbp(0)));
    (id, order.payment_order_id)
}

on_each_database!(
    an_order_waits_for_its_payer_and_goes_on_with_the_news,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        center.outside.payer_pays(&payment);
        center.outside.repeat_news();
        let order = center.becomes(&id, OrderState::Completed).await;
        center.outside.repeat_news();
        assert_eq!(order.paid, gbp(850));
        assert_eq!(center.outside.effects(), ["reserve", "capture 850", "confirm", "ship"]);
        assert!(center.outside.calls_of("ClosePaymentOrder").is_empty());
        center
    }
);

on_each_database!(
    news_of_a_payment_that_came_while_the_center_was_away_is_heard,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        let center = {
            let outside = center.outside.clone();
            let center = center.restart().await;
            outside.payer_pays(&payment);
            center.restart().await
        };
        center.becomes(&id, OrderState::Completed).await;
        assert_eq!(center.outside.effects(), ["reserve", "capture 850", "confirm", "ship"]);
        center
    }
);

on_each_database!(news_that_the_bank_refused_rejects_the_order, async |mut center: Center| {
    let (id, payment) = waiting(&mut center).await;
    center.outside.payer_is_declined(&payment);
    let order = center.becomes(&id, OrderState::Rejected).await;
    assert_eq!(order.failure.expect("a failure").reason, "INSUFFICIENT_FUNDS");
    // Closed, so that nobody pays later for an order that has ended.
    assert_eq!(center.outside.effects(), ["reserve", "close payment", "release"]);
    center
});

on_each_database!(
    news_that_the_time_is_over_cancels_the_order_and_releases,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        center.outside.payment_expires(&payment);
        let order = center.becomes(&id, OrderState::Cancelled).await;
        assert_eq!(order.failure.expect("a failure").reason, "PAYMENT_EXPIRED");
        assert_eq!((center.outside.held(), center.outside.taken("mug")), (0, 0));
        center
    }
);

on_each_database!(
    a_payer_whose_time_was_over_before_the_first_try_let_it_pass,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        center.called("StartAttempt", 1).await;
        center.outside.payment_expires_unheard();
        center.outside.let_go();
        let order = center.becomes(&id, OrderState::Cancelled).await;
        assert_eq!(order.failure.expect("a failure").reason, "PAYMENT_EXPIRED");
        assert_eq!((center.outside.held(), center.outside.taken("mug")), (0, 0));
        center
    }
);

on_each_database!(
    a_payment_is_closed_when_its_time_is_over_though_nobody_says_so,
    async |mut center: Center| {
        let (id, _) = waiting(&mut center).await;
        assert!(center.outside.calls_of("ClosePaymentOrder").is_empty());
        center.advance(PAYMENT_TTL_S);
        let order = center.becomes(&id, OrderState::Cancelled).await;
        assert_eq!(order.failure.expect("a failure").reason, "PAYMENT_EXPIRED");
        assert_eq!(center.outside.effects(), ["reserve", "close payment", "release"]);
        center
    }
);

on_each_database!(
    money_that_came_before_the_close_is_taken_and_the_order_delivered,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        center.outside.next("ClosePaymentOrder", &[Behavior::Hold]);
        center.advance(PAYMENT_TTL_S);
        center.called("ClosePaymentOrder", 1).await;
        center.outside.payer_pays(&payment);
        center.becomes(&id, OrderState::Completed).await;
        center.outside.let_go();
        assert_eq!(center.outside.effects(), ["reserve", "capture 850", "confirm", "ship"]);
        center
    }
);

on_each_database!(a_close_that_is_not_decided_yet_is_waited_for, async |mut center: Center| {
    let (id, payment) = waiting(&mut center).await;
    center.outside.next("ClosePaymentOrder", &[Behavior::Pending]);
    center.advance(PAYMENT_TTL_S);
    center.called("GetPaymentOrder", 1).await;
    assert_eq!(center.outside.held(), 1, "released while the money may still come");
    center.outside.payer_pays(&payment);
    center.ends(&id, OrderState::Completed).await;
    assert_eq!(center.outside.money(), (850, 0));
    center
});

on_each_database!(
    a_channel_that_was_not_reached_is_tried_again_on_the_same_payment_order,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::NotReached]);
        let id = center.submit(mugs(1)).await;
        let wanted = |order: &_| stands(order, "", "pay", StepState::Retrying);
        let order = center.until(&id, "the payment is put off", wanted).await;
        let failure = step(&order, "", "pay").failure.as_ref().expect("a failure");
        assert_eq!(failure.reason, "CHANNEL_NOT_REACHED");
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.ids_of("CreatePaymentOrder").len(), 1);
        assert_eq!(center.outside.money(), (850, 0));
        center
    }
);

on_each_database!(
    a_refund_under_way_is_asked_about_until_the_money_arrives,
    async |mut center: Center| {
        center.outside.next("ConfirmReservation", &[Behavior::Refuse("RESERVATION_EXPIRED")]);
        center.outside.next("CreateRefund", &[Behavior::Pending]);
        let id = center.submit(mugs(1)).await;
        center.called("CreateRefund", 1).await;
        let undoing = |order: &_| stands(order, "", "pay", StepState::Undoing);
        center.until(&id, "the refund is under way", undoing).await;
        center.advance(1);
        center.called("GetRefund", 1).await;
        assert_eq!(center.get(&id).await.state(), OrderState::InProgress);
        center.outside.refund_arrives();
        center.ends(&id, OrderState::Failed).await;
        assert_eq!(center.outside.money(), (850, 850));
        assert_eq!(center.outside.calls_of("CreateRefund").len(), 1);
        center
    }
);

on_each_database!(money_that_comes_after_the_end_goes_back_once,
    expecting "gave back money", async |mut center: Center| {
    let (id, payment) = waiting(&mut center).await;
    center.outside.payer_is_declined(&payment);
    center.becomes(&id, OrderState::Rejected).await;
    center.outside.money_comes_late(&payment);
    center.called("CreateRefund", 1).await;
    center.outside.repeat_news();
    // Whatever comes after it in the feed is heard after it.
    let (other, payment) = waiting(&mut center).await;
    center.outside.payer_pays(&payment);
    center.completes(&other).await;
    assert_eq!(center.outside.calls_of("CreateRefund").len(), 1);
    center
});
