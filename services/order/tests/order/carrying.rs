//! From acceptance to the end, when everybody answers.

use throughline_proto::order::v1::{BusinessOrderState, FailurePolicy, OrderState};

use crate::fixture::Center;
use crate::requests::{
    business_states, converged, gbp, hall, item, kinds, mugs, one_plan, reason, steps, submission,
};

on_each_database!(goods_are_sold_with_each_call_made_once_in_order, async |mut center: Center| {
    let id = center.submit(mugs(2)).await;
    let order = center.ends(&id, OrderState::Completed).await;
    let calls = center.outside.calls();
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    let mut prepared = names[..3].to_vec();
    prepared.sort_unstable();
    assert_eq!(prepared, ["CheckConfiguration", "DecomposeOffering", "QuotePrice"]);
    let rest = [
        "CreateReservation",
        "CreatePaymentOrder",
        "StartAttempt",
        "ConfirmReservation",
        "CreateShipment",
    ];
    assert_eq!(names[3..], rest);
    assert!(calls.iter().all(|call| call.order_id == id), "{calls:#?}");
    assert_eq!(center.outside.effects(), ["reserve", "capture 1700", "confirm", "ship"]);
    assert_eq!((order.total.clone(), order.paid.clone()), (gbp(1_700), gbp(1_700)));
    assert_eq!((order.attention, order.failure.clone()), (false, None));
    assert!(order.end_time.is_some() && order.payment_order_id.starts_with("pay_"));
    assert!(order.reservation_id.starts_with("res_"));
    center
});

on_each_database!(
    a_converged_order_delivers_each_part_after_what_it_requires,
    async |mut center: Center| {
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        let order = center.ends(&id, OrderState::Completed).await;
        let mut calls: Vec<String> =
            center.outside.calls().into_iter().map(|call| call.name).collect();
        let at = |name: &str| calls.iter().position(|call| call == name).expect(name);
        assert!(at("OpenAccount broadband-100m") < at("ActivateService ip-phone"), "{calls:?}");
        assert!(at("ConfirmReservation") < at("ActivateService plan-4g"), "{calls:?}");
        calls.sort();
        let expected = [
            "ActivateService broadband-100m",
            "ActivateService ip-phone",
            "ActivateService plan-4g",
            "ActivateService plan-4g",
            "CheckConfiguration",
            "ConfirmReservation",
            "CreatePaymentOrder",
            "CreateReservation",
            "DecomposeOffering",
            "OpenAccount broadband-100m",
            "OpenAccount ip-phone",
            "OpenAccount plan-4g",
            "OpenAccount plan-4g",
            "QuotePrice",
            "StartAttempt",
        ];
        assert_eq!(calls, expected);
        assert!(order.business_orders.iter().all(|bo| bo.state() == BusinessOrderState::Done));
        assert_eq!((order.paid, center.outside.money()), (gbp(14_000), (14_000, 0)));
        assert_eq!((center.outside.held(), center.outside.taken("msisdn")), (0, 2));
        center
    }
);

on_each_database!(
    lines_tell_what_they_cost_and_what_was_assigned_to_them,
    async |mut center: Center| {
        let id =
            center.submit(submission(vec![item("plan", "plan-4g", 1), item("m", "mug", 2)])).await;
        let order = center.ends(&id, OrderState::Completed).await;
        let plan = &order.items[0];
        assert_eq!((plan.charge.clone(), plan.recurring_charge.clone()), (gbp(1_000), gbp(5_900)));
        assert_eq!(plan.assigned_items, ["msisdn-1"]);
        let delivers = order.business_orders.iter().find(|bo| bo.item_keys == ["plan"]);
        assert_eq!(delivers.map(|bo| &bo.business_order_id), Some(&plan.business_order_id));
        assert_eq!(order.items[1].charge, gbp(1_700));
        assert!(order.items[1].assigned_items.is_empty());
        for (of, step) in steps(&order) {
            assert!(step.start_time.is_some() && step.end_time.is_some(), "{of} {}", step.step_id);
            assert!(step.capability.starts_with("throughline."), "{}", step.capability);
        }
        center
    }
);

on_each_database!(
    what_costs_nothing_and_takes_nothing_is_neither_reserved_nor_paid,
    async |mut center: Center| {
        let id = center.submit(submission(vec![item("l", "leaflet", 3)])).await;
        let order = center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.effects(), ["ship"]);
        assert_eq!(
            (order.paid, order.payment_order_id, order.reservation_id),
            (gbp(0), String::new(), String::new(),)
        );
        center
    }
);

on_each_database!(
    an_order_that_cannot_be_sold_so_is_rejected_with_the_reason,
    async |mut center: Center| {
        let alone = |offering| submission(vec![item("a", offering, 1)]);
        let table = [
            ("ip-phone", "REQUIRED_OFFERING_MISSING", "product"),
            ("no-such-offering", "OFFERING_NOT_ACTIVE", "product"),
            ("riddle", "TEMPLATE_UNKNOWN", "order"),
        ];
        for (offering, reason, domain) in table {
            let id = center.submit(alone(offering)).await;
            let order = center.ends(&id, OrderState::Rejected).await;
            let failure = order.failure.expect("a failure");
            assert_eq!((failure.reason.as_str(), failure.domain.as_str()), (reason, domain));
            assert!(!failure.message.is_empty() && order.end_time.is_some());
        }
        for (name, reason) in [("QuotePrice", "PRICE_NOT_FOUND"), ("DecomposeOffering", "LIMIT")] {
            center.outside.next(name, &[crate::outside::Behavior::Refuse(reason)]);
            let id = center.submit(alone("mug")).await;
            let order = center.ends(&id, OrderState::Rejected).await;
            assert_eq!(order.failure.expect("a failure").reason, reason);
        }
        assert!(center.outside.effects().is_empty());
        center
    }
);

on_each_database!(
    what_is_out_of_stock_is_rejected_before_money_is_asked,
    async |mut center: Center| {
        center.outside.sell_out("landline");
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        let order = center.ends(&id, OrderState::Rejected).await;
        assert_eq!(order.failure.as_ref().expect("a failure").reason, "INSUFFICIENT_STOCK");
        assert!(business_states(&order).iter().all(|(_, state)| *state == "CANCELLED"));
        assert!(center.outside.effects().is_empty() && center.outside.held() == 0);
        center
    }
);

on_each_database!(
    a_declined_payment_rejects_the_order_and_gives_back_what_is_held,
    async |mut center: Center| {
        let declined = [crate::outside::Behavior::Refuse("INSUFFICIENT_FUNDS")];
        center.outside.next("StartAttempt", &declined);
        let id = center.submit(one_plan()).await;
        let order = center.ends(&id, OrderState::Rejected).await;
        assert_eq!(order.failure.expect("a failure").reason, "INSUFFICIENT_FUNDS");
        assert_eq!(center.outside.effects(), ["reserve", "close payment", "release"]);
        assert_eq!((center.outside.money(), center.outside.taken("msisdn")), ((0, 0), 0));
        center
    }
);

on_each_database!(
    a_hold_that_was_lost_after_the_payment_gives_the_money_back,
    async |mut center: Center| {
        let expired = [crate::outside::Behavior::Refuse("RESERVATION_EXPIRED")];
        center.outside.next("ConfirmReservation", &expired);
        let id = center.submit(mugs(1)).await;
        let order = center.ends(&id, OrderState::Failed).await;
        assert_eq!(order.failure.expect("a failure").reason, "RESERVATION_EXPIRED");
        assert_eq!(center.outside.effects(), ["reserve", "capture 850", "refund 850", "release"]);
        assert_eq!(order.paid, gbp(0));
        center
    }
);

on_each_database!(the_feed_tells_the_whole_story_in_order, async |mut center: Center| {
    let id = center.submit(mugs(1)).await;
    let order = center.ends(&id, OrderState::Completed).await;
    let events = center.events_until("order.completed").await;
    let expected = [
        "order.accepted",
        "step.succeeded",
        "step.succeeded",
        "step.succeeded",
        "step.succeeded",
        "step.succeeded",
        "business_order.done",
        "order.completed",
    ];
    assert_eq!(kinds(&events), expected);
    let mut version = 0;
    let mut told = Vec::new();
    for event in &events {
        assert_eq!((event.order_id.as_str(), event.subject.as_str()), (id.as_str(), id.as_str()));
        let changed = crate::requests::changed(event);
        assert!(changed.version >= version, "{changed:?}");
        version = changed.version;
        told.extend(Some(changed.step_id).filter(|step| !step.is_empty()));
    }
    assert_eq!(told, ["prepare", "reserve", "pay", "allocate", "ship"]);
    let last = crate::requests::changed(events.last().expect("events"));
    assert_eq!((last.state(), last.version), (OrderState::Completed, order.version));
    assert_eq!((last.total, last.paid), (gbp(850), gbp(850)));
    assert!(last.customer.is_some(), "the order's own events go to those who tell the customer");
    center
});

on_each_database!(a_channel_finds_its_order_by_its_own_number, async |mut center: Center| {
    let request = mugs(1);
    let number = request.channel_order_id.clone();
    let id = center.submit(request).await;
    let get = throughline_proto::order::v1::GetOrderRequest {
        channel_order_id: number,
        ..Default::default()
    };
    let found = center.orders.get_order(hall(get.clone())).await.expect("found").into_inner();
    assert_eq!(found.order.expect("an order").order_id, id);
    let elsewhere = crate::requests::from_channel("web", get);
    assert_eq!(reason(center.orders.get_order(elsewhere).await), "ORDER_NOT_FOUND");
    center
});
