//! Cancelling parts of an order, and taking back what is beyond its point of no return.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BusinessOrderState, FailurePolicy, OrderState, StepState};

use crate::desk::{WHY, cancel_of, cancel_of_lines, of_line};
use crate::fixture::Center;
use crate::flows::{ACTIVATE, OPEN_ACCOUNT, SHIP_FOR_GOOD, WAIT, business, business_with};
use crate::outside::Behavior;
use crate::requests::{
    business_order, business_states, converged, error, gbp, item, mugs, reason, submission,
    wrong_fields,
};

/// A converged order whose broadband is being installed; the plans are done.
async fn installing(center: &mut Center) -> proto::CustomerOrder {
    center.outside.next("ActivateService broadband-100m", &[Behavior::Hold]);
    let id = center.submit(converged(FailurePolicy::Branch)).await;
    center.called("ActivateService broadband-100m", 1).await;
    let done = |order: &proto::CustomerOrder| {
        let states = business_states(order);
        states.contains(&("plan1", "DONE")) && states.contains(&("plan2", "DONE"))
    };
    center.until(&id, "the plans are done", done).await
}

fn ids(order: &proto::CustomerOrder, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| business_order(order, key).business_order_id.clone()).collect()
}

on_each_database!(
    a_part_is_cancelled_with_all_that_require_it_as_the_preview_says,
    async |mut center: Center| {
        let order = installing(&mut center).await;
        let id = &order.order_id;
        let request = cancel_of(&order, &["broadband"]);
        let plan = center.preview_parts(&request).await.expect("a plan");
        assert_eq!(plan.undo, ids(&order, &["broadband"]));
        assert_eq!(plan.cancel, ids(&order, &["phone"]));
        assert_eq!(plan.keep, ids(&order, &["plan1", "plan2"]));
        assert_eq!((plan.refund.clone(), plan.reverse.len()), (gbp(12_000), 0));
        assert_eq!(center.get(id).await, order, "a preview changes nothing");
        let answer = center.cancel_parts(request.clone()).await.expect("cancelled");
        assert_eq!(answer.plan.as_ref(), Some(&plan));
        assert_eq!(
            answer.order.as_ref().map(proto::CustomerOrder::state),
            Some(OrderState::InProgress)
        );
        assert_eq!(center.cancel_parts(request).await.expect("the first answer"), answer);
        center.outside.let_go();
        // What was withdrawn does not count: all that is still wanted was delivered.
        let order = center.ends(id, OrderState::Completed).await;
        let expected = [
            ("plan1", "DONE"),
            ("plan2", "DONE"),
            ("broadband", "COMPENSATED"),
            ("phone", "CANCELLED"),
        ];
        assert_eq!(business_states(&order), expected);
        let withdrawn: Vec<_> = order.business_orders.iter().map(|bo| bo.withdrawn).collect();
        assert_eq!(withdrawn, [false, false, true, true]);
        assert_eq!((order.paid, center.outside.money()), (gbp(2_000), (14_000, 12_000)));
        let pools = ["msisdn", "modem", "landline"].map(|pool| center.outside.taken(pool));
        assert_eq!(pools, [2, 0, 0]);
        let told = center.told("order.part_cancel_requested").await;
        assert_eq!((told.actor.as_str(), told.note.as_str()), ("channel:hall", WHY));
        center
    }
);

on_each_database!(a_line_is_cancelled_where_it_stands_alone, async |mut center: Center| {
    let order = installing(&mut center).await;
    let id = &order.order_id;
    let request = cancel_of_lines(id, &["plan2"]);
    let plan = center.preview_parts(&request).await.expect("a plan");
    assert_eq!((&plan.undo, &plan.refund), (&ids(&order, &["plan2"]), &gbp(1_000)));
    let answer = center.cancel_parts(request).await.expect("cancelled");
    assert_eq!(answer.plan, Some(plan));
    // Again is a success: it is on its way out already.
    center.cancel_parts(cancel_of_lines(id, &["plan2"])).await.expect("a success");
    center.outside.let_go();
    let order = center.ends(id, OrderState::Completed).await;
    assert_eq!(order.paid, gbp(13_000));
    assert_eq!(business_order(&order, "plan2").state(), BusinessOrderState::Compensated);
    assert_eq!(
        reason(center.cancel_parts(cancel_of_lines(id, &["plan1"])).await),
        "ORDER_TERMINAL"
    );
    center
});

on_each_database!(
    an_order_of_which_all_parts_are_cancelled_is_cancelled,
    async |mut center: Center| {
        let order = installing(&mut center).await;
        let lines = ["plan1", "plan2", "broadband"];
        center.cancel_parts(cancel_of_lines(&order.order_id, &lines)).await.expect("cancelled");
        center.outside.let_go();
        let order = center.ends(&order.order_id, OrderState::Cancelled).await;
        assert_eq!((order.paid, center.outside.active().len()), (gbp(0), 0));
        center
    }
);

on_each_database!(parts_that_cannot_be_cancelled_say_why, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let lines = vec![item("mug", "mug", 1), item("post", "postage", 1), item("plan", "plan-4g", 1)];
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(submission(lines)).await;
    let payment = center.becomes(&id, OrderState::Pending).await.payment_order_id;
    let both = |refused: Result<proto::CancelOrderResponse, _>,
                preview: Result<proto::CancelPlan, _>| {
        let (refused, preview) = (error(refused), error(preview));
        assert_eq!(refused, preview, "a preview fails like the cancel");
        refused
    };
    let early = cancel_of_lines(&id, &["plan"]);
    let preview = center.preview_parts(&early).await;
    let refused = both(center.cancel_parts(early).await, preview);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["state"].as_str()),
        ("NOT_DELIVERING", "PENDING")
    );
    center.outside.payer_pays(&payment);
    center.called("CreateShipment", 1).await;
    let order = center.get(&id).await;
    let table = [
        (cancel_of_lines(&id, &["mug"]), "ITEM_NOT_SEPARABLE"),
        (cancel_of_lines(&id, &["nothing"]), "ITEM_NOT_FOUND"),
    ];
    for (request, expected) in table {
        let preview = center.preview_parts(&request).await;
        assert_eq!(both(center.cancel_parts(request).await, preview).reason, expected);
    }
    let mut unknown = cancel_of(&order, &["plan"]);
    unknown.business_order_ids = vec!["bo_00000000000000000000000000".to_owned()];
    let preview = center.preview_parts(&unknown).await;
    assert_eq!(
        both(center.cancel_parts(unknown).await, preview).reason,
        "BUSINESS_ORDER_NOT_FOUND"
    );
    let mixed = proto::CancelOrderRequest {
        item_keys: vec!["mug".to_owned()],
        ..cancel_of(&order, &["plan"])
    };
    assert_eq!(wrong_fields(center.preview_parts(&mixed).await), ["item_keys"]);
    assert_eq!(wrong_fields(center.cancel_parts(mixed).await), ["item_keys"]);
    // All lines of a business order together are separable.
    center.cancel_parts(cancel_of_lines(&id, &["mug", "post"])).await.expect("cancelled");
    center.outside.let_go();
    let order = center.ends(&id, OrderState::Completed).await;
    assert_eq!(order.paid, gbp(1_000));
    center
});

on_each_database!(a_cancel_of_a_part_ends_its_pauses, async |mut center: Center| {
    let order = installing(&mut center).await;
    for line in ["plan1", "plan2", "phone"] {
        center.pause(&order.order_id, of_line(&order, line)).await.expect("paused");
    }
    let answer = center.cancel_parts(cancel_of(&order, &["broadband"])).await.expect("cancelled");
    let held: Vec<_> =
        answer.order.expect("an order").holds.into_iter().map(|h| h.target).collect();
    assert_eq!(held, ids(&order, &["plan1", "plan2"]));
    center.outside.let_go();
    center.ends(&order.order_id, OrderState::Completed).await;
    center
});

/// A handset is handed over for good, then somebody comes; how it is taken back is another template.
async fn publish_handover(center: &Center, reversal: &str) {
    center.publish(&business("take-back", &[ACTIVATE])).await;
    center.publish(&business_with("handover", reversal, &[SHIP_FOR_GOOD])).await;
    center.publish(&business("home-visit", &[WAIT, OPEN_ACCOUNT])).await;
}

/// An order of a handset that is handed over, and of a visit that is waited for.
async fn handed_over(center: &mut Center, policy: FailurePolicy) -> proto::CustomerOrder {
    let lines = vec![item("handset", "handset", 1), item("visit", "visit", 1)];
    let submission =
        proto::SubmitOrderRequest { failure_policy: policy.into(), ..submission(lines) };
    let id = center.submit(submission).await;
    center.line_becomes(&id, "handset", BusinessOrderState::Done).await;
    center.stands(&id, "visit", "visited", StepState::Waiting).await
}

on_each_database!(
    what_is_past_its_point_of_no_return_stays_where_nothing_takes_it_back,
    async |mut center: Center| {
        publish_handover(&center, "").await;
        let order = handed_over(&mut center, FailurePolicy::Branch).await;
        let request = cancel_of(&order, &["handset"]);
        let preview = error(center.preview_parts(&request).await);
        let refused = error(center.cancel_parts(request).await);
        assert_eq!(refused, preview);
        assert_eq!(refused.reason, "POINT_OF_NO_RETURN_PASSED");
        assert_eq!(refused.metadata["what"], ids(&order, &["handset"])[0]);
        let plan = center.preview(&order.order_id).await.expect("a plan");
        assert_eq!((&plan.keep, &plan.refund), (&ids(&order, &["handset"]), &gbp(4_000)));
        center.cancel(&order.order_id).await.expect("cancelled");
        let order = center.ends(&order.order_id, OrderState::Partial).await;
        assert_eq!((order.paid, center.outside.taken("handset")), (gbp(5_000), 1));
        center
    }
);

/// The handset was taken back by a business order of its own, with its stock and its money.
fn assert_taken_back(center: &Center, order: &proto::CustomerOrder, paid: i64) {
    let done = business_order(order, "handset");
    assert_eq!(done.state(), BusinessOrderState::Done, "{order:#?}");
    let reversals: Vec<_> =
        order.business_orders.iter().filter(|bo| !bo.reverses.is_empty()).collect();
    assert_eq!(reversals.len(), 1);
    assert_eq!(reversals[0].reverses, done.business_order_id);
    assert_eq!(
        (reversals[0].template.as_str(), reversals[0].state()),
        ("take-back", BusinessOrderState::Done)
    );
    let steps: Vec<_> = reversals[0].steps.iter().map(|step| step.step_id.as_str()).collect();
    assert_eq!(steps, ["activate", "stock-back", "money-back"]);
    assert_eq!((&order.paid, center.outside.taken("handset")), (&gbp(paid), 0));
    let (captured, refunded) = center.outside.money();
    assert_eq!(captured - refunded, paid);
}

const TAKE_BACK: &str = "reversal: take-back\n";

on_each_database!(
    a_part_beyond_its_point_of_no_return_is_taken_back_by_its_reversal,
    async |mut center: Center| {
        publish_handover(&center, TAKE_BACK).await;
        let order = handed_over(&mut center, FailurePolicy::Branch).await;
        let request = cancel_of(&order, &["handset"]);
        let plan = center.preview_parts(&request).await.expect("a plan");
        assert_eq!((&plan.reverse, &plan.refund), (&ids(&order, &["handset"]), &gbp(5_000)));
        assert!(plan.undo.is_empty() && plan.cancel.is_empty());
        let answer = center.cancel_parts(request).await.expect("cancelled");
        assert_eq!(answer.plan, Some(plan));
        let center = center.restart().await;
        center.signal(&order.order_id, "visit.done").await.expect("taken");
        let order = center.ends(&order.order_id, OrderState::Completed).await;
        assert_taken_back(&center, &order, 4_000);
        center
    }
);

on_each_database!(a_cancel_of_the_whole_order_takes_it_back_as_well, async |mut center: Center| {
    publish_handover(&center, TAKE_BACK).await;
    let order = handed_over(&mut center, FailurePolicy::Branch).await;
    let plan = center.preview(&order.order_id).await.expect("a plan");
    assert_eq!((&plan.reverse, &plan.refund), (&ids(&order, &["handset"]), &gbp(9_000)));
    let answer = center.cancel(&order.order_id).await.expect("cancelled");
    assert_eq!(answer.plan, Some(plan));
    let order = center.ends(&order.order_id, OrderState::Cancelled).await;
    assert_taken_back(&center, &order, 0);
    center
});

on_each_database!(
    a_failure_that_takes_all_along_takes_it_back_as_well,
    async |mut center: Center| {
        publish_handover(&center, TAKE_BACK).await;
        let order = handed_over(&mut center, FailurePolicy::Whole).await;
        center.signal(&order.order_id, "visit.missed").await.expect("taken");
        let order = center.ends(&order.order_id, OrderState::Cancelled).await;
        assert_taken_back(&center, &order, 0);
        center
    }
);

on_each_database!(
    a_part_on_its_way_beyond_its_point_of_no_return_is_taken_back_once_it_is_done,
    async |mut center: Center| {
        publish_handover(&center, TAKE_BACK).await;
        center.outside.next("CreateShipment", &[Behavior::Hold]);
        let id = center.submit(submission(vec![item("handset", "handset", 1)])).await;
        center.called("CreateShipment", 1).await;
        let order = center.get(&id).await;
        let answer = center.cancel(&id).await.expect("cancelled");
        assert_eq!(answer.plan.expect("a plan").reverse, ids(&order, &["handset"]));
        center.outside.let_go();
        let order = center.ends(&id, OrderState::Cancelled).await;
        assert_taken_back(&center, &order, 0);
        center
    }
);

on_each_database!(a_reversal_that_fails_waits_for_a_person, async |mut center: Center| {
    publish_handover(&center, TAKE_BACK).await;
    let order = handed_over(&mut center, FailurePolicy::Branch).await;
    center.outside.next("ActivateService", &[Behavior::Refuse("NOBODY_HOME")]);
    center.cancel(&order.order_id).await.expect("cancelled");
    let asks = |order: &proto::CustomerOrder| order.attention;
    center.until(&order.order_id, "a person is asked", asks).await;
    let task = center.task_of(&order.order_id).await;
    // What takes back only goes forward.
    for decision in ["BRANCH", "WHOLE"] {
        let refused = center.complete("olga", &task.task_id, &[("decision", decision)]).await;
        assert_eq!(reason(refused), "FORM_INVALID");
    }
    center.decide(&order.order_id, "RETRY").await;
    let order = center.ends(&order.order_id, OrderState::Cancelled).await;
    assert_taken_back(&center, &order, 0);
    center
});

on_each_database!(a_cancel_of_parts_is_refused_to_other_channels, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let id = center.submit(mugs(1)).await;
    center.called("CreateShipment", 1).await;
    let request = crate::requests::from_channel("web", cancel_of_lines(&id, &["mug"]));
    assert_eq!(reason(center.orders.cancel_order(request).await), "ORDER_NOT_FOUND");
    center.outside.let_go();
    center.completes(&id).await;
    center
});
