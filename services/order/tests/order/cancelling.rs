//! Cancelling: what is undone, and what comes in between.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    error, from_channel, gbp, hall, mugs, one_plan, reason, stands, wrong_fields,
};

on_each_database!(
    a_cancel_while_the_payer_is_waited_for_closes_the_payment_at_once,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let id = center.submit(mugs(1)).await;
        center.becomes(&id, OrderState::Pending).await;
        assert_eq!(center.preview(&id).await.expect("a plan").refund, None);
        center.cancel(&id).await.expect("cancelled");
        let order = center.becomes(&id, OrderState::Cancelled).await;
        assert_eq!(center.outside.effects(), ["reserve", "close payment", "release"]);
        assert_eq!(order.paid, gbp(0));
        center
    }
);

on_each_database!(
    a_payment_that_wins_the_race_with_a_cancel_is_paid_back,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        center.outside.next("ClosePaymentOrder", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        let order = center.becomes(&id, OrderState::Pending).await;
        center.cancel(&id).await.expect("cancelled");
        center.called("ClosePaymentOrder", 1).await;
        center.outside.payer_pays(&order.payment_order_id);
        center.outside.let_go();
        center.ends(&id, OrderState::Cancelled).await;
        assert_eq!(center.outside.effects(), ["reserve", "capture 850", "refund 850", "release"]);
        center
    }
);

on_each_database!(
    a_cancel_waits_for_the_call_in_flight_and_undoes_what_it_did,
    async |mut center: Center| {
        let table: [(&str, &[&str]); 4] = [
            ("CreateReservation", &["reserve", "release"]),
            ("StartAttempt", &["reserve", "capture 850", "refund 850", "release"]),
            (
                "ConfirmReservation",
                &["reserve", "capture 850", "confirm", "refund 850", "return 1 mug"],
            ),
            (
                "CreateShipment",
                &[
                    "reserve",
                    "capture 850",
                    "confirm",
                    "ship",
                    "undo ship",
                    "refund 850",
                    "return 1 mug",
                ],
            ),
        ];
        for (held, expected) in table {
            let (before, calls) =
                (center.outside.effects().len(), center.outside.calls_of(held).len());
            center.outside.next(held, &[Behavior::Hold]);
            let id = center.submit(mugs(1)).await;
            center.called(held, calls + 1).await;
            center.cancel(&id).await.expect("cancelled");
            let order = center.get(&id).await;
            assert_eq!(order.state(), OrderState::PendingCancellation, "{held}");
            center.outside.let_go();
            let order = center.ends(&id, OrderState::Cancelled).await;
            assert_eq!(center.outside.effects()[before..], *expected, "{held}");
            assert_eq!(order.paid, gbp(0), "{held}");
        }
        center
    }
);

on_each_database!(
    a_cancel_of_a_call_whose_outcome_is_unknown_finds_it_out_first,
    async |mut center: Center| {
        for fault in [Behavior::LostBefore, Behavior::LostAfter] {
            let before = center.outside.effects().len();
            center.outside.next("CreateShipment", &[fault]);
            let id = center.submit(mugs(1)).await;
            let unknown = |order: &_| stands(order, "mug", "ship", StepState::Unknown);
            center.until(&id, "the outcome is unknown", unknown).await;
            center.cancel(&id).await.expect("cancelled");
            center.ends(&id, OrderState::Cancelled).await;
            let effects = crate::faults::effects_since(&center, before);
            let shipped = effects.iter().filter(|effect| *effect == "ship").count();
            let called_back = effects.iter().filter(|effect| *effect == "undo ship").count();
            assert_eq!(shipped, usize::from(fault == Behavior::LostAfter), "{effects:?}");
            assert_eq!(called_back, shipped, "{effects:?}");
        }
        assert_eq!(center.outside.money(), (1_700, 1_700));
        center
    }
);

on_each_database!(
    a_repeated_cancel_is_a_success_and_a_repeated_request_has_its_first_answer,
    async |mut center: Center| {
        center.outside.next("CreateShipment", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        center.called("CreateShipment", 1).await;
        let request_id = new_request_id();
        let first = center.cancel_with(request_id.clone(), &id).await.expect("cancelled");
        let again = center.cancel(&id).await.expect("a success without effect");
        assert_eq!(again.order.expect("an order").state(), OrderState::PendingCancellation);
        assert_eq!(center.cancel_with(request_id.clone(), &id).await.expect("the same"), first);
        center.outside.let_go();
        center.ends(&id, OrderState::Cancelled).await;
        let mut center = center.restart().await;
        assert_eq!(center.cancel_with(request_id.clone(), &id).await.expect("the same"), first);
        let other = proto::CancelOrderRequest {
            request_id,
            order_id: id.clone(),
            reason: "another reason".to_owned(),
            ..Default::default()
        };
        assert_eq!(reason(center.orders.cancel_order(hall(other)).await), "REQUEST_ID_REUSED");
        assert_eq!(center.outside.calls_of("CancelShipment").len(), 1);
        let told = center.events_until("order.cancelled").await;
        let asked = told.iter().filter(|event| event.r#type == "order.cancel_requested").count();
        assert_eq!(asked, 1);
        center
    }
);

on_each_database!(
    an_order_that_has_ended_is_not_cancelled_and_says_how_it_ended,
    async |mut center: Center| {
        let completed = center.submit(mugs(1)).await;
        center.ends(&completed, OrderState::Completed).await;
        center.outside.sell_out("msisdn");
        let rejected = center.submit(one_plan()).await;
        center.ends(&rejected, OrderState::Rejected).await;
        for (id, state) in [(completed, "COMPLETED"), (rejected, "REJECTED")] {
            let request_id = new_request_id();
            for _ in 0..2 {
                let refused = error(center.cancel_with(request_id.clone(), &id).await);
                assert_eq!(refused.reason, "ORDER_TERMINAL");
                assert_eq!(refused.metadata["state"], state);
            }
            let refused = error(center.preview(&id).await);
            assert_eq!(
                (refused.reason.as_str(), refused.metadata["state"].as_str()),
                ("ORDER_TERMINAL", state)
            );
        }
        assert_eq!(center.outside.money(), (850, 0));
        center
    }
);

on_each_database!(
    a_cancel_that_says_too_little_or_is_not_the_channels_own_is_refused,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let id = center.submit(mugs(1)).await;
        center.becomes(&id, OrderState::Pending).await;
        let wrong = proto::CancelOrderRequest { order_id: id.clone(), ..Default::default() };
        let named = wrong_fields(center.orders.cancel_order(hall(wrong)).await);
        assert_eq!(named, ["request_id", "reason"]);
        let request = proto::CancelOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            reason: "x".repeat(201),
            ..Default::default()
        };
        let named = wrong_fields(center.orders.cancel_order(hall(request.clone())).await);
        assert_eq!(named, ["reason"]);
        let elsewhere = proto::CancelOrderRequest { reason: "mine now".to_owned(), ..request };
        let refused = center.orders.cancel_order(from_channel("web", elsewhere)).await;
        assert_eq!(reason(refused), "ORDER_NOT_FOUND");
        assert_eq!(center.get(&id).await.state(), OrderState::Pending);
        center
    }
);
