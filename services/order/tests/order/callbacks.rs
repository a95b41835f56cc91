//! Outside systems that answer later: by a callback, by two, by none, or by one that contradicts.

use throughline_proto::order::v1::{OrderState, StepOutcome, StepState};
use throughline_proto::r#type::v1::OperationOutcome;

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{error, gbp, one_plan, reason, stands, step, wrong_fields};

/// An order whose service is being activated; its id, and our reference of the activation.
async fn activating(center: &mut Center) -> (String, String) {
    center.outside.next("ActivateService", &[Behavior::Pending]);
    let id = center.submit(one_plan()).await;
    let waits = |order: &_| stands(order, "plan", "activate", StepState::Waiting);
    let order = center.until(&id, "the activation waits", waits).await;
    assert_eq!(order.state(), OrderState::InProgress);
    (id, center.outside.reference_of("activate plan-4g"))
}

on_each_database!(a_late_success_carries_the_order_on, async |mut center: Center| {
    let (id, reference) = activating(&mut center).await;
    center.outside.complete(&reference, OperationOutcome::Succeeded);
    center.report(&id, &reference, StepOutcome::Succeeded).await.expect("taken");
    center.becomes(&id, OrderState::Completed).await;
    assert!(center.outside.calls_of("GetOperation").is_empty(), "the callback was enough");
    center
});

on_each_database!(a_late_refusal_undoes_what_depends_on_it, async |mut center: Center| {
    let (id, reference) = activating(&mut center).await;
    center.outside.complete(&reference, OperationOutcome::Declined);
    center.report(&id, &reference, StepOutcome::Declined).await.expect("taken");
    let order = center.becomes(&id, OrderState::Failed).await;
    let failure = order.failure.expect("a failure");
    assert_eq!((failure.reason.as_str(), order.paid), ("NO_LINE_AT_ADDRESS", gbp(0)));
    let effects = ["reserve", "capture 1000", "confirm", "refund 1000", "return 1 msisdn"];
    assert_eq!(center.outside.effects(), effects);
    center
});

on_each_database!(
    a_report_that_is_repeated_has_no_effect_and_one_that_contradicts_is_refused,
    async |mut center: Center| {
        let (id, reference) = activating(&mut center).await;
        center.outside.next("OpenAccount", &[Behavior::Hold]);
        center.outside.complete(&reference, OperationOutcome::Succeeded);
        let check = async |center: &Center| {
            center.report(&id, &reference, StepOutcome::Succeeded).await.expect("the same again");
            let refused = error(center.report(&id, &reference, StepOutcome::Declined).await);
            assert_eq!(refused.reason, "STEP_ALREADY_ENDED");
        };
        center.report(&id, &reference, StepOutcome::Succeeded).await.expect("taken");
        check(&center).await;
        center.outside.let_go();
        center.becomes(&id, OrderState::Completed).await;
        check(&center).await;
        let center = center.restart().await;
        check(&center).await;
        assert_eq!(center.outside.calls_of("OpenAccount").len(), 1);
        center
    }
);

on_each_database!(a_report_that_overtakes_the_answer_is_taken, async |mut center: Center| {
    center.outside.next("ActivateService", &[Behavior::Hold]);
    let id = center.submit(one_plan()).await;
    center.called("ActivateService", 1).await;
    let reference = center.outside.calls_of("ActivateService")[0].id.clone();
    center.report(&id, &reference, StepOutcome::Succeeded).await.expect("taken");
    center.called("OpenAccount", 1).await;
    center.outside.let_go();
    center.becomes(&id, OrderState::Completed).await;
    assert_eq!(center.outside.calls_of("ActivateService").len(), 1);
    center
});

on_each_database!(
    what_nobody_reports_is_asked_about_until_it_is_known,
    async |mut center: Center| {
        let (id, reference) = activating(&mut center).await;
        for times in 1..=3 {
            center.advance(8);
            center.called("GetOperation", times).await;
            // The answer, still PENDING, has to come in before the next question is put off.
            let due = center.clock.now().to_proto();
            let put_off = |order: &throughline_proto::order::v1::CustomerOrder| {
                let next = step(order, "plan", "activate").next_attempt_time.as_ref();
                next.is_some_and(|at| (at.seconds, at.nanos) > (due.seconds, due.nanos))
            };
            center.until(&id, "the next question is put off", put_off).await;
        }
        center.outside.complete(&reference, OperationOutcome::Succeeded);
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.calls_of("ActivateService").len(), 1);
        center
    }
);

on_each_database!(reports_on_what_nobody_asked_for_are_refused, async |mut center: Center| {
    let (id, reference) = activating(&mut center).await;
    let other = center.submit(one_plan()).await;
    center.ends(&other, OrderState::Completed).await;
    let succeeded = StepOutcome::Succeeded;
    for (order, reference) in [(&id, "stp_nothing"), (&other, reference.as_str())] {
        let refused = error(center.report(order, reference, succeeded).await);
        assert_eq!(refused.reason, "STEP_NOT_FOUND");
        assert_eq!(
            (&refused.metadata["order"], refused.metadata["reference"].as_str()),
            (order, reference)
        );
    }
    for order in ["ord_00000000000000000000000000", "nonsense"] {
        let refused = center.report(order, &reference, succeeded).await;
        assert_eq!(reason(refused), "ORDER_NOT_FOUND");
    }
    let wrong = center.report(&id, "", StepOutcome::Unspecified).await;
    assert_eq!(wrong_fields(wrong), ["reference", "outcome"]);
    // A center's own step is no outside system's business.
    let own = center.outside.calls_of("CreateReservation")[0].id.clone();
    assert_eq!(reason(center.report(&id, &own, succeeded).await), "STEP_NOT_FOUND");
    assert_eq!(center.get(&id).await.state(), OrderState::InProgress);
    center
});
