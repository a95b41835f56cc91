//! What operators do about steps that did not go as they should.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BusinessOrderState, OrderState, StepState};

use crate::desk::{WHY, of_step};
use crate::fixture::Center;
use crate::flows::{ACTIVATE, OPEN_ACCOUNT, SHIP_FOR_GOOD, WAIT, business, with};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{business_states, error, gbp, one_plan, reason, step, wrong_fields};

/// Checks that the feed tells who did it and why.
pub(crate) async fn was_told(center: &Center, kind: &str, step_id: &str) {
    let told = center.told(kind).await;
    assert_eq!((told.actor.as_str(), told.note.as_str()), ("operator:olga", WHY));
    assert_eq!(told.step_id, step_id);
}

on_each_database!(what_is_put_off_can_be_tried_at_once, async |mut center: Center| {
    center.outside.next("ActivateService", &[Behavior::Down]);
    let id = center.submit(one_plan()).await;
    let order = center.stands(&id, "plan", "activate", StepState::Retrying).await;
    center.retry(&id, of_step(&order, "plan", "activate")).await.expect("tried");
    // The clock stands still: nothing but the operator made it go on.
    center.completes(&id).await;
    assert_eq!(center.outside.calls_of("ActivateService").len(), 2);
    assert_eq!(center.outside.ids_of("ActivateService").len(), 1, "it is the same request");
    was_told(&center, "step.retry_requested", "activate").await;
    center
});

on_each_database!(
    what_is_unknown_is_asked_for_at_once_and_not_repeated,
    async |mut center: Center| {
        center.outside.next("ActivateService", &[Behavior::LostAfter]);
        let id = center.submit(one_plan()).await;
        let order = center.stands(&id, "plan", "activate", StepState::Unknown).await;
        center.retry(&id, of_step(&order, "plan", "activate")).await.expect("asked");
        center.completes(&id).await;
        assert_eq!(center.outside.calls_of("ActivateService").len(), 1);
        assert_eq!(center.outside.calls_of("GetOperation").len(), 1);
        center
    }
);

on_each_database!(a_step_that_was_not_put_off_cannot_be_tried, async |mut center: Center| {
    center.outside.next("OpenAccount", &[Behavior::Hold]);
    let id = center.submit(one_plan()).await;
    center.called("OpenAccount", 1).await;
    let order = center.get(&id).await;
    for (of, step_id, state) in [
        ("plan", "activate", "SUCCEEDED"),
        ("plan", "open-account", "RUNNING"),
        ("", "pay", "SUCCEEDED"),
    ] {
        let refused = error(center.retry(&id, of_step(&order, of, step_id)).await);
        assert_eq!(refused.reason, "STATE_FORBIDS");
        assert_eq!(refused.metadata["state"], state);
        assert_eq!(refused.metadata["what"], step_id);
        assert!(refused.metadata["allowed"].contains("RETRYING"), "{refused:?}");
    }
    let whole = center.retry(&id, proto::Target::default()).await;
    assert_eq!(wrong_fields(whole), ["target.step_id"]);
    center.outside.let_go();
    center.completes(&id).await;
    assert_eq!(reason(center.retry(&id, of_step(&order, "", "pay")).await), "ORDER_TERMINAL");
    center
});

on_each_database!(a_step_that_has_not_started_can_be_left_out, async |mut center: Center| {
    center.outside.next("ActivateService", &[Behavior::Hold]);
    let id = center.submit(one_plan()).await;
    center.called("ActivateService", 1).await;
    let order = center.get(&id).await;
    let order = center.skip(&id, of_step(&order, "plan", "open-account")).await.expect("left out");
    assert_eq!(step(&order, "plan", "open-account").state(), StepState::Skipped);
    center.skip(&id, of_step(&order, "plan", "open-account")).await.expect("a success");
    center.outside.let_go();
    let order = center.completes(&id).await;
    assert!(center.outside.calls_of("OpenAccount").is_empty());
    assert_eq!(order.paid, gbp(1_000));
    was_told(&center, "step.skip_requested", "open-account").await;
    let skipped = center.told("step.skipped").await;
    assert_eq!(skipped.note, format!("operator:olga: {WHY}"));
    center
});

on_each_database!(what_is_put_off_or_waits_inside_can_be_left_out, async |mut center: Center| {
    center.publish(&business("home-visit", &[WAIT, ACTIVATE, OPEN_ACCOUNT])).await;
    center.outside.next("ActivateService", &[Behavior::Down]);
    let id = center.submit(one_visit()).await;
    let order = center.stands(&id, "visit", "visited", StepState::Waiting).await;
    center.skip(&id, of_step(&order, "visit", "visited")).await.expect("left out");
    center.stands(&id, "visit", "activate", StepState::Retrying).await;
    center.skip(&id, of_step(&order, "visit", "activate")).await.expect("left out");
    center.completes(&id).await;
    assert_eq!(center.outside.active(), ["open visit"]);
    center
});

on_each_database!(
    what_others_may_have_done_and_the_own_books_cannot_be_left_out,
    async |mut center: Center| {
        let table = [
            (("ActivateService", Behavior::Hold), "plan", "activate", StepState::Running),
            (("ActivateService", Behavior::LostBefore), "plan", "activate", StepState::Unknown),
            (("ActivateService", Behavior::Pending), "plan", "activate", StepState::Waiting),
            (("CreateReservation", Behavior::Down), "", "reserve", StepState::Retrying),
        ];
        for ((name, behavior), of, step_id, state) in table {
            center.outside.next(name, &[behavior]);
            let id = center.submit(one_plan()).await;
            let order = center.stands(&id, of, step_id, state).await;
            let refused = error(center.skip(&id, of_step(&order, of, step_id)).await);
            assert_eq!(refused.reason, "STATE_FORBIDS");
            let name = state.as_str_name().trim_start_matches("STEP_STATE_");
            assert_eq!(refused.metadata["state"], name);
            assert!(refused.metadata["allowed"].starts_with("SCHEDULED"), "{refused:?}");
        }
        center.outside.let_go();
        center
    }
);

on_each_database!(a_step_can_be_done_by_its_substitute, async |mut center: Center| {
    let substitute = "substitute:
      method: throughline.billing.v1.BillingService/OpenAccount
      request: { reference: step.reference, order_id: order.order_id, offering_code: '\"spare\"' }";
    center.publish(&business("home-visit", &[&with(ACTIVATE, substitute), OPEN_ACCOUNT])).await;
    center.outside.next("ActivateService", &[Behavior::Down]);
    let id = center.submit(one_visit()).await;
    let order = center.stands(&id, "visit", "activate", StepState::Retrying).await;
    let missing = center.substitute(&id, of_step(&order, "visit", "open-account")).await;
    assert_eq!(reason(missing), "SUBSTITUTE_MISSING");
    center.substitute(&id, of_step(&order, "visit", "activate")).await.expect("done otherwise");
    let order = center.completes(&id).await;
    assert_eq!(center.outside.active(), ["open spare", "open visit"]);
    assert_eq!(
        step(&order, "visit", "activate").capability,
        "throughline.billing.v1.BillingService/OpenAccount"
    );
    was_told(&center, "step.substitute_requested", "activate").await;
    center
});

on_each_database!(
    a_business_order_is_undone_last_first_and_run_anew_from_a_step,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[ACTIVATE, OPEN_ACCOUNT, WAIT])).await;
        let id = center.submit(one_visit()).await;
        let order = center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let before = center.outside.effects().len();
        center.rerun(&id, of_step(&order, "visit", "activate")).await.expect("begun");
        let anew = |order: &proto::CustomerOrder| {
            let wait = step(order, "visit", "visited");
            wait.generation == 2 && wait.state() == StepState::Waiting
        };
        let order = center.until(&id, "it waits anew", anew).await;
        let expected = ["undo open visit", "undo activate visit", "activate visit", "open visit"];
        assert_eq!(center.outside.effects()[before..], expected);
        for method in ["ActivateService", "OpenAccount"] {
            assert_eq!(center.outside.ids_of(method).len(), 2, "each run is another request");
        }
        // From a later step, what stands before it stays.
        center.rerun(&id, of_step(&order, "visit", "open-account")).await.expect("begun");
        let third = |order: &proto::CustomerOrder| {
            let wait = step(order, "visit", "visited");
            wait.generation == 3 && wait.state() == StepState::Waiting
        };
        let order = center.until(&id, "it waits once more", third).await;
        assert_eq!(step(&order, "visit", "activate").generation, 2);
        let center = center.restart().await;
        center.signal(&id, "visit.done").await.expect("taken");
        center.completes(&id).await;
        assert_eq!(center.outside.active(), ["activate visit", "open visit"]);
        was_told(&center, "step.rerun_requested", "activate").await;
        center
    }
);

on_each_database!(
    a_business_order_that_waits_for_a_decision_can_be_run_anew,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[ACTIVATE, OPEN_ACCOUNT])).await;
        center.outside.next("OpenAccount", &[Behavior::Refuse("CUSTOMER_BLOCKED")]);
        let policy = proto::FailurePolicy::Ask.into();
        let id = center
            .submit(proto::SubmitOrderRequest { failure_policy: policy, ..one_visit() })
            .await;
        let order = center.line_becomes(&id, "visit", BusinessOrderState::Exception).await;
        center.rerun(&id, of_step(&order, "visit", "activate")).await.expect("begun");
        center.completes(&id).await;
        let expected = [
            "capture 4000",
            "activate visit",
            "undo activate visit",
            "activate visit",
            "open visit",
        ];
        assert_eq!(center.outside.effects(), expected);
        assert!(center.list_tasks(proto::ListTasksRequest::default()).await.is_empty());
        center
    }
);

on_each_database!(
    what_is_not_running_or_beyond_its_point_of_no_return_is_not_run_anew,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[ACTIVATE, SHIP_FOR_GOOD, WAIT])).await;
        let id = center.submit(one_visit()).await;
        let order = center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let refused = error(center.rerun(&id, of_step(&order, "visit", "activate")).await);
        assert_eq!(refused.reason, "POINT_OF_NO_RETURN_PASSED");
        let visit = &order.business_orders[0].business_order_id;
        assert_eq!(&refused.metadata["what"], visit);
        // What comes after it can be.
        center.rerun(&id, of_step(&order, "visit", "visited")).await.expect("begun");
        let own = error(center.rerun(&id, of_step(&order, "", "pay")).await);
        assert_eq!(own.reason, "STATE_FORBIDS");
        center.outside.next("StartAttempt", &[Behavior::Hold]);
        let planned = center.submit(one_visit()).await;
        center.called("StartAttempt", 2).await;
        let order = center.get(&planned).await;
        let refused = error(center.rerun(&planned, of_step(&order, "visit", "activate")).await);
        assert_eq!(refused.reason, "STATE_FORBIDS");
        assert_eq!(refused.metadata["state"], "PLANNED");
        assert_eq!(refused.metadata["allowed"], "RUNNING, EXCEPTION");
        center.outside.let_go();
        center
    }
);

/// A plan whose activation cannot be undone; the order as it then is.
async fn stuck(center: &mut Center) -> proto::CustomerOrder {
    center.outside.next("OpenAccount", &[Behavior::Refuse("CUSTOMER_BLOCKED")]);
    center.outside.next("DeactivateService", &[Behavior::Refuse("LINE_LOCKED")]);
    let id = center.submit(one_plan()).await;
    center.line_becomes(&id, "plan", BusinessOrderState::Stuck).await
}

on_each_database!(
    a_person_proves_that_what_could_not_be_undone_is_undone,
    async |mut center: Center| {
        let order = stuck(&mut center).await;
        assert!(order.attention);
        let (id, target) = (&order.order_id, of_step(&order, "plan", "activate"));
        let other = error(center.prove_undone(id, of_step(&order, "plan", "open-account")).await);
        assert_eq!(
            (other.reason.as_str(), other.metadata["allowed"].as_str()),
            ("STATE_FORBIDS", "UNDO_FAILED")
        );
        center.prove_undone(id, target.clone()).await.expect("proved");
        let order = center.becomes(id, OrderState::Failed).await;
        assert_eq!(business_states(&order), [("plan", "COMPENSATED")]);
        assert_eq!((order.paid, order.attention), (gbp(0), false));
        assert_eq!(center.outside.taken("msisdn"), 0);
        assert_eq!(center.outside.calls_of("DeactivateService").len(), 1);
        was_told(&center, "step.undo_proved", "activate").await;
        center
    }
);

on_each_database!(an_undo_that_was_refused_can_be_tried_at_once, async |mut center: Center| {
    let order = stuck(&mut center).await;
    let target = of_step(&order, "plan", "activate");
    center.retry(&order.order_id, target).await.expect("tried");
    center.becomes(&order.order_id, OrderState::Failed).await;
    assert!(center.outside.active().is_empty());
    assert_eq!(center.outside.ids_of("DeactivateService").len(), 2, "another request");
    center
});
