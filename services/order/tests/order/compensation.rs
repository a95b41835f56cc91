//! When a part fails: what is undone, in which order, what it costs, and what a person must look
//! at.

use throughline_proto::order::v1::{BusinessOrderState, FailurePolicy, OrderState, StepState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    business_order, business_states, converged, gbp, kinds, one_plan, stands, step,
};

const NO_LINE: &[Behavior] = &[Behavior::Refuse("NO_LINE_AT_ADDRESS")];

on_each_database!(
    branch_undoes_what_failed_and_what_needs_it_and_delivers_the_rest,
    async |mut center: Center| {
        center.outside.next("ActivateService broadband-100m", NO_LINE);
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        let order = center.ends(&id, OrderState::Partial).await;
        let expected = [
            ("plan1", "DONE"),
            ("plan2", "DONE"),
            ("broadband", "COMPENSATED"),
            ("phone", "CANCELLED"),
        ];
        assert_eq!(business_states(&order), expected);
        let phone = business_order(&order, "phone");
        assert!(
            phone.steps.iter().all(|step| step.attempts == 0),
            "the phone never ran: {phone:#?}"
        );
        assert!(center.outside.calls_of("ActivateService ip-phone").is_empty());
        let active = ["activate plan-4g", "activate plan-4g", "open plan-4g", "open plan-4g"];
        assert_eq!(center.outside.active(), active);
        assert_eq!((order.paid.clone(), center.outside.money()), (gbp(2_000), (14_000, 12_000)));
        let pools = ["msisdn", "modem", "landline"].map(|pool| center.outside.taken(pool));
        assert_eq!(pools, [2, 0, 0]);
        let failure = order.failure.as_ref().expect("a failure");
        assert_eq!(failure.reason, "NO_LINE_AT_ADDRESS");
        assert_eq!(business_order(&order, "broadband").failure.as_ref(), Some(failure));
        center
    }
);

on_each_database!(
    whole_undoes_everything_and_gives_all_the_money_back,
    async |mut center: Center| {
        center.outside.next("ActivateService broadband-100m", NO_LINE);
        let id = center.submit(converged(FailurePolicy::Whole)).await;
        let order = center.ends(&id, OrderState::Cancelled).await;
        let expected = [
            ("plan1", "COMPENSATED"),
            ("plan2", "COMPENSATED"),
            ("broadband", "COMPENSATED"),
            ("phone", "CANCELLED"),
        ];
        assert_eq!(business_states(&order), expected);
        assert!(center.outside.active().is_empty(), "{:?}", center.outside.active());
        assert_eq!((order.paid, center.outside.money()), (gbp(0), (14_000, 14_000)));
        let pools = ["msisdn", "modem", "landline"].map(|pool| center.outside.taken(pool));
        assert_eq!((pools, center.outside.held()), ([0, 0, 0], 0));
        let effects = center.outside.effects();
        assert!(effects.iter().all(|effect| !effect.contains("phone")), "{effects:?}");
        center
    }
);

on_each_database!(
    what_ran_is_undone_last_first_and_the_dependent_before_what_it_needs,
    async |mut center: Center| {
        center.outside.next("OpenAccount ip-phone", &[Behavior::Refuse("CREDIT_CHECK_FAILED")]);
        let mut request = converged(FailurePolicy::Whole);
        request.items.drain(..2);
        let id = center.submit(request).await;
        let order = center.ends(&id, OrderState::Cancelled).await;
        assert!(
            order.business_orders.iter().all(|bo| bo.state() == BusinessOrderState::Compensated)
        );
        let expected = [
            "reserve",
            "capture 12000",
            "confirm",
            "activate broadband-100m",
            "open broadband-100m",
            "activate ip-phone",
            "undo activate ip-phone",
            "refund 2000",
            "return 1 landline to quarantine",
            "undo open broadband-100m",
            "undo activate broadband-100m",
            "refund 10000",
            "return 1 modem to quarantine",
        ];
        assert_eq!(center.outside.effects(), expected);
        center
    }
);

on_each_database!(
    branch_leaves_alone_what_the_failed_part_only_needed,
    async |mut center: Center| {
        center.outside.next("OpenAccount ip-phone", &[Behavior::Refuse("CREDIT_CHECK_FAILED")]);
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        let order = center.ends(&id, OrderState::Partial).await;
        let states = business_states(&order);
        assert_eq!(states[2..], [("broadband", "DONE"), ("phone", "COMPENSATED")]);
        assert_eq!((order.paid, center.outside.money()), (gbp(12_000), (14_000, 2_000)));
        center
    }
);

on_each_database!(
    an_order_of_which_nothing_could_be_delivered_has_failed,
    async |mut center: Center| {
        center.outside.next("ActivateService", NO_LINE);
        let id = center.submit(one_plan()).await;
        let order = center.ends(&id, OrderState::Failed).await;
        let effects = ["reserve", "capture 1000", "confirm", "refund 1000", "return 1 msisdn"];
        assert_eq!(center.outside.effects(), effects);
        assert_eq!(order.paid, gbp(0));
        let events = center.events_until("order.failed").await;
        let told = kinds(&events);
        let business = ["business_order.failed", "business_order.compensated", "order.failed"];
        let rest: Vec<_> = told.iter().copied().filter(|kind| business.contains(kind)).collect();
        assert_eq!(rest, business);
        center
    }
);

/// The order when the undo of its activation or payment was refused for good, seen by a person.
async fn stuck(center: &mut Center, step_id: &str) -> String {
    let id = center.submit(one_plan()).await;
    let refused = |order: &_| stands(order, "plan", step_id, StepState::UndoFailed);
    let order = center.until(&id, "the undo is refused", refused).await;
    assert_eq!(business_order(&order, "plan").state(), BusinessOrderState::Stuck);
    assert_eq!((order.state(), order.attention), (OrderState::InProgress, true));
    assert!(order.end_time.is_none(), "it is never dropped");
    assert!(step(&order, "plan", step_id).failure.is_some());
    let stuck = center.events_until("business_order.stuck").await;
    assert!(kinds(&stuck).contains(&"step.undo_failed"));
    id
}

on_each_database!(
    an_undo_that_is_refused_is_stuck_and_visible_until_it_is_possible,
    async |mut center: Center| {
        center.outside.next("OpenAccount", &[Behavior::Refuse("CREDIT_CHECK_FAILED")]);
        center.outside.next("DeactivateService", &[Behavior::Refuse("SWITCH_LOCKED")]);
        let id = stuck(&mut center, "activate").await;
        assert_eq!(center.outside.money(), (1_000, 0), "what runs later is undone first");
        let center = center.restart().await;
        assert_eq!(center.get(&id).await.state(), OrderState::InProgress);
        center.advance(3_600);
        let order = center.ends(&id, OrderState::Failed).await;
        assert!(!order.attention);
        assert_eq!((center.outside.money(), center.outside.taken("msisdn")), ((1_000, 1_000), 0));
        // What was refused stays refused: the next try is another request.
        assert_eq!(center.outside.ids_of("DeactivateService").len(), 2);
        assert!(center.outside.active().is_empty());
        center
    }
);

on_each_database!(
    a_refund_that_is_refused_is_stuck_and_later_paid_once,
    async |mut center: Center| {
        center.outside.next("ActivateService", NO_LINE);
        center.outside.next("CreateRefund", &[Behavior::Refuse("CARD_EXPIRED")]);
        let id = stuck(&mut center, "charge").await;
        assert_eq!(center.get(&id).await.paid, gbp(1_000));
        center.advance(3_600);
        let order = center.ends(&id, OrderState::Failed).await;
        assert_eq!((order.paid, center.outside.money()), (gbp(0), (1_000, 1_000)));
        assert_eq!(center.outside.ids_of("CreateRefund").len(), 2);
        center
    }
);
