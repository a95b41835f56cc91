//! Pauses: nothing starts, times stand still, and nothing that comes meanwhile is lost.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{HoldScope, OrderState, StepState};

use crate::desk::{WHY, of_line, of_step, whole};
use crate::fixture::Center;
use crate::flows::{ACTIVATE, TIMER, WAIT, business};
use crate::outside::Behavior;
use crate::requests::{
    PAYMENT_TTL_S, business_states, converged, error, item, mugs, one_plan, operator, reason, step,
    submission, wrong_fields,
};

/// A visit, at 40.00.
pub(crate) fn one_visit() -> proto::SubmitOrderRequest {
    submission(vec![item("visit", "visit", 1)])
}

on_each_database!(
    a_paused_order_starts_nothing_and_goes_on_when_it_is_resumed,
    async |mut center: Center| {
        center.outside.next("CreateReservation", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        center.called("CreateReservation", 1).await;
        let order = center.pause(&id, whole()).await.expect("paused");
        assert_eq!(order.state(), OrderState::Held);
        let hold = &order.holds[0];
        assert_eq!((hold.scope(), hold.target.as_str()), (HoldScope::Order, ""));
        assert_eq!((hold.operator.as_str(), hold.reason.as_str()), ("operator:olga", WHY));
        // What was out comes back and is kept.
        center.outside.let_go();
        let order = center.stands(&id, "", "reserve", StepState::Succeeded).await;
        assert_eq!(order.state(), OrderState::Held);
        let pay = step(&order, "", "pay");
        assert_eq!((pay.state(), pay.held), (StepState::Scheduled, true));
        let center = center.restart().await;
        assert_eq!(center.get(&id).await.state(), OrderState::Held);
        assert!(center.outside.calls_of("CreatePaymentOrder").is_empty());
        let order = center.resume(&id, whole()).await.expect("resumed");
        assert!(order.holds.is_empty());
        center.completes(&id).await;
        let (paused, resumed) =
            (center.told("order.paused").await, center.told("order.resumed").await);
        assert_eq!((paused.actor.as_str(), paused.note.as_str()), ("operator:olga", WHY));
        assert_eq!((resumed.actor.as_str(), resumed.note.as_str()), ("operator:olga", WHY));
        center
    }
);

on_each_database!(a_pause_stops_the_time_of_the_payer, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    center.becomes(&id, OrderState::Pending).await;
    center.advance(PAYMENT_TTL_S - 300);
    let order = center.pause(&id, whole()).await.expect("paused");
    assert_eq!(step(&order, "", "pay").next_attempt_time, None);
    center.advance(3_600);
    center.report_to_nobody(&id).await;
    assert_eq!(center.get(&id).await.state(), OrderState::Held);
    assert!(center.outside.calls_of("ClosePaymentOrder").is_empty());
    let order = center.resume(&id, whole()).await.expect("resumed");
    assert_eq!(order.state(), OrderState::Pending);
    let left = center.clock.now().plus(Duration::from_secs(300));
    assert_eq!(step(&order, "", "pay").next_attempt_time, Some(left.to_proto()));
    center.advance(300);
    let order = center.becomes(&id, OrderState::Cancelled).await;
    assert_eq!(order.failure.expect("a failure").reason, "PAYMENT_EXPIRED");
    center
});

on_each_database!(a_payer_who_pays_during_a_pause_has_paid, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    center.pause(&id, whole()).await.expect("paused");
    center.outside.payer_pays(&order.payment_order_id);
    let order = center.stands(&id, "", "pay", StepState::Succeeded).await;
    assert_eq!(order.state(), OrderState::Held);
    assert!(center.outside.calls_of("ConfirmReservation").is_empty());
    center.resume(&id, whole()).await.expect("resumed");
    center.completes(&id).await;
    center
});

on_each_database!(
    waits_and_timers_of_a_paused_business_order_go_on_with_what_was_left,
    async |mut center: Center| {
        for (waits, passes, left) in [(WAIT, "visited", 5_400), (TIMER, "rest", 1_800)] {
            center.publish(&business("home-visit", &[waits, ACTIVATE])).await;
            let id = center.submit(one_visit()).await;
            let order = center.stands(&id, "visit", passes, StepState::Waiting).await;
            center.advance(1_800);
            let paused = center.pause(&id, of_line(&order, "visit")).await.expect("paused");
            let waiting = step(&paused, "visit", passes);
            assert_eq!((waiting.deadline.as_ref(), waiting.held), (None, true));
            assert_eq!(paused.state(), OrderState::InProgress);
            let target = of_line(&order, "visit");
            assert_eq!(paused.holds[0].scope(), HoldScope::BusinessOrder);
            assert_eq!(paused.holds[0].target, target.business_order_id);
            center.advance(86_400);
            center.report_to_nobody(&id).await;
            let order = center.get(&id).await;
            assert_eq!(step(&order, "visit", passes).state(), StepState::Waiting);
            let order = center.resume(&id, target).await.expect("resumed");
            let until = center.clock.now().plus(Duration::from_secs(left)).to_proto();
            assert_eq!(step(&order, "visit", passes).deadline, Some(until));
            center.advance(left);
            let ended = if waits == TIMER { OrderState::Completed } else { OrderState::Failed };
            center.becomes(&id, ended).await;
        }
        center
    }
);

on_each_database!(
    what_happens_outside_during_a_pause_is_kept_and_carries_on_after_it,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[WAIT, ACTIVATE])).await;
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        center.pause(&id, whole()).await.expect("paused");
        center.signal(&id, "visit.done").await.expect("taken");
        let order = center.stands(&id, "visit", "visited", StepState::Succeeded).await;
        assert_eq!(order.state(), OrderState::Held);
        assert_eq!(step(&order, "visit", "activate").state(), StepState::Scheduled);
        center.resume(&id, whole()).await.expect("resumed");
        center.completes(&id).await;
        center
    }
);

on_each_database!(
    a_paused_business_order_is_ready_while_the_others_go_on,
    async |mut center: Center| {
        center.outside.next("ConfirmReservation", &[Behavior::Hold]);
        let id = center.submit(converged(proto::FailurePolicy::Branch)).await;
        center.called("ConfirmReservation", 1).await;
        let order = center.get(&id).await;
        center.pause(&id, of_line(&order, "broadband")).await.expect("paused");
        center.outside.let_go();
        let expected =
            [("plan1", "DONE"), ("plan2", "DONE"), ("broadband", "READY"), ("phone", "BLOCKED")];
        let came = |order: &proto::CustomerOrder| business_states(order) == expected;
        let order = center.until(&id, "the others are done", came).await;
        assert_eq!(order.state(), OrderState::InProgress);
        assert!(center.outside.calls_of("ActivateService broadband-100m").is_empty());
        center.resume(&id, of_line(&order, "broadband")).await.expect("resumed");
        center.completes(&id).await;
        center
    }
);

on_each_database!(a_paused_step_waits_alone, async |mut center: Center| {
    center.outside.next("ActivateService", &[Behavior::Hold]);
    let id = center.submit(one_plan()).await;
    center.called("ActivateService", 1).await;
    let order = center.get(&id).await;
    let target = of_step(&order, "plan", "open-account");
    let order = center.pause(&id, target.clone()).await.expect("paused");
    let hold = &order.holds[0];
    let expected = format!("{}/open-account", target.business_order_id);
    assert_eq!((hold.scope(), &hold.target), (HoldScope::Step, &expected));
    assert!(!step(&order, "plan", "activate").held);
    center.outside.let_go();
    let order = center.stands(&id, "plan", "activate", StepState::Succeeded).await;
    let paused = step(&order, "plan", "open-account");
    assert_eq!((paused.state(), paused.held), (StepState::Scheduled, true));
    assert_eq!(business_states(&order), [("plan", "RUNNING")]);
    center.resume(&id, target).await.expect("resumed");
    center.completes(&id).await;
    let told = center.told("order.paused").await;
    assert_eq!(told.step_id, "open-account");
    center
});

on_each_database!(
    to_pause_what_is_paused_and_to_resume_what_is_not_changes_nothing,
    async |mut center: Center| {
        center.outside.next("CreateReservation", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        center.called("CreateReservation", 1).await;
        let before = center.get(&id).await;
        assert_eq!(center.resume(&id, whole()).await.expect("a success"), before);
        let request = proto::PauseOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            target: None,
            reason: WHY.to_owned(),
        };
        let pause = async |request: &proto::PauseOrderRequest| {
            let answer = center.operations().pause_order(operator(request.clone())).await;
            answer.map(|answer| answer.into_inner().order.expect("an order"))
        };
        let first = pause(&request).await.expect("paused");
        assert_eq!(center.pause(&id, whole()).await.expect("a success"), first);
        center.resume(&id, whole()).await.expect("resumed");
        assert_eq!(pause(&request).await.expect("the first answer"), first);
        assert!(center.get(&id).await.holds.is_empty(), "a repetition has no effect");
        let other = proto::PauseOrderRequest { reason: "other".to_owned(), ..request };
        assert_eq!(reason(pause(&other).await), "REQUEST_ID_REUSED");
        center.outside.let_go();
        center.completes(&id).await;
        center
    }
);

on_each_database!(what_is_not_there_cannot_be_paused, async |mut center: Center| {
    center.outside.next("ActivateService", &[Behavior::Hold]);
    let id = center.submit(one_plan()).await;
    center.called("ActivateService", 1).await;
    let order = center.get(&id).await;
    let target = |business_order_id: &str, step_id: &str| proto::Target {
        business_order_id: business_order_id.to_owned(),
        step_id: step_id.to_owned(),
    };
    let plan = of_line(&order, "plan").business_order_id;
    let table = [
        (target("", "activate"), "STEP_NOT_FOUND"),
        (target(&plan, "pay"), "STEP_NOT_FOUND"),
        (target("bo_00000000000000000000000000", ""), "BUSINESS_ORDER_NOT_FOUND"),
        (target("nonsense", "activate"), "BUSINESS_ORDER_NOT_FOUND"),
    ];
    for (target, expected) in table {
        assert_eq!(reason(center.pause(&id, target.clone()).await), expected, "{target:?}");
        assert_eq!(reason(center.resume(&id, target.clone()).await), expected, "{target:?}");
    }
    let nowhere = "ord_00000000000000000000000000";
    assert_eq!(reason(center.pause(nowhere, whole()).await), "ORDER_NOT_FOUND");
    let empty = proto::PauseOrderRequest { order_id: id.clone(), ..Default::default() };
    let refused = center.operations().pause_order(operator(empty)).await;
    assert_eq!(wrong_fields(refused), ["request_id", "reason"]);
    center.outside.let_go();
    center.completes(&id).await;
    assert_eq!(reason(center.pause(&id, whole()).await), "ORDER_TERMINAL");
    center
});

on_each_database!(a_cancel_ends_the_pause, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    center.pause(&id, whole()).await.expect("paused");
    center.pause(&id, of_step(&order, "", "pay")).await.expect("paused");
    center.outside.next("ClosePaymentOrder", &[Behavior::Hold]);
    let cancelled = center.cancel(&id).await.expect("cancelled").order.expect("an order");
    assert_eq!(cancelled.state(), OrderState::PendingCancellation);
    assert!(cancelled.holds.is_empty());
    center.called("ClosePaymentOrder", 1).await;
    let refused = error(center.pause(&id, whole()).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["state"].as_str()),
        ("STATE_FORBIDS", "PENDING_CANCELLATION")
    );
    center.outside.let_go();
    let order = center.becomes(&id, OrderState::Cancelled).await;
    assert!(Instant::from_proto(&order.end_time.expect("it ended")) >= Instant(0));
    assert_eq!((center.outside.held(), center.outside.taken("mug")), (0, 0));
    center
});

on_each_database!(an_order_bears_so_many_pauses_and_no_more, async |mut center: Center| {
    center.publish(&business("home-visit", &[WAIT])).await;
    let items = (0..65).map(|number| item(&format!("visit{number}"), "visit", 1));
    let id = center.submit(submission(items.collect())).await;
    let order = center.stands(&id, "visit64", "visited", StepState::Waiting).await;
    for number in 0..64 {
        let target = of_line(&order, &format!("visit{number}"));
        center.pause(&id, target).await.expect("paused");
    }
    let refused = error(center.pause(&id, of_line(&order, "visit64")).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["limit"].as_str()),
        ("LIMIT_REACHED", "max_holds_per_order")
    );
    center.resume(&id, of_line(&order, "visit0")).await.expect("resumed");
    center.pause(&id, of_line(&order, "visit64")).await.expect("there is room again");
    assert_eq!(center.get(&id).await.holds.len(), 64);
    center
});
