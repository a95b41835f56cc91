//! Taking back: what an earlier order sold, or what nobody knows, with its units and its money.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepState};

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    business_order, from_channel, gbp, item, mugs, of_order, one_plan, returned, stands, submission,
};

/// Five mugs, sold and delivered; the channel's number of the order.
async fn five_mugs(center: &mut Center) -> String {
    let request = mugs(5);
    let number = request.channel_order_id.clone();
    let id = center.submit(request).await;
    center.ends(&id, OrderState::Completed).await;
    number
}

/// Takes mugs of an order back, and says how that ended.
async fn take_back(center: &mut Center, number: &str, quantity: i64) -> proto::CustomerOrder {
    let line = returned("back", "mug", quantity, of_order(number));
    let id = center.submit(submission(vec![line])).await;
    center.end(&id).await
}

fn failure(order: &proto::CustomerOrder) -> &str {
    order.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default()
}

on_each_database!(
    a_return_restocks_the_goods_and_gives_their_price_back,
    async |mut center: Center| {
        let number = five_mugs(&mut center).await;
        let order = take_back(&mut center, &number, 2).await;
        assert_eq!(order.state(), OrderState::Completed);
        assert_eq!(center.outside.effects()[4..], ["return 2 mug", "refund 1700"]);
        assert_eq!((order.total.clone(), order.paid.clone()), (gbp(0), gbp(-1_700)));
        assert_eq!(
            (order.items[0].charge.clone(), order.payment_order_id.as_str()),
            (gbp(1_700), "")
        );
        assert_eq!(business_order(&order, "back").template, "retail-return");
        assert_eq!((center.outside.taken("mug"), center.outside.money()), (3, (4_250, 1_700)));
        center
    }
);

on_each_database!(no_more_comes_back_than_was_sold, async |mut center: Center| {
    let number = five_mugs(&mut center).await;
    let more = take_back(&mut center, &number, 6).await;
    assert_eq!((more.state(), failure(&more)), (OrderState::Rejected, "ORIGINAL_LINE_NOT_FOUND"));
    assert_eq!(take_back(&mut center, &number, 2).await.state(), OrderState::Completed);
    let more = take_back(&mut center, &number, 4).await;
    assert_eq!((more.state(), failure(&more)), (OrderState::Rejected, "ORIGINAL_LINE_NOT_FOUND"));
    assert_eq!(take_back(&mut center, &number, 3).await.state(), OrderState::Completed);
    let more = take_back(&mut center, &number, 1).await;
    assert_eq!(more.state(), OrderState::Rejected);
    // Two lines of one return do not both take the same units.
    let number = five_mugs(&mut center).await;
    let lines = ["a", "b"].map(|key| returned(key, "mug", 3, of_order(&number)));
    let id = center.submit(submission(lines.into())).await;
    assert_eq!(failure(&center.ends(&id, OrderState::Rejected).await), "ORIGINAL_LINE_NOT_FOUND");
    assert_eq!((center.outside.taken("mug"), center.outside.money()), (5, (8_500, 4_250)));
    center
});

on_each_database!(
    two_returns_at_once_of_the_same_goods_do_not_both_get_the_money,
    async |mut center: Center| {
        let number = five_mugs(&mut center).await;
        let calls = center.outside.calls_of("CheckConfiguration").len();
        center.outside.next("CheckConfiguration", &[Behavior::Hold, Behavior::Hold]);
        let mut ids = Vec::new();
        for _ in 0..2 {
            let line = returned("back", "mug", 4, of_order(&number));
            ids.push(center.submit(submission(vec![line])).await);
        }
        // Both have seen that nothing came back yet.
        center.called("CheckConfiguration", calls + 2).await;
        center.outside.let_go();
        center.outside.let_go();
        let mut ends = Vec::new();
        for id in &ids {
            let order = center.end(id).await;
            ends.push((order.state().as_str_name(), failure(&order).to_owned(), order.paid));
        }
        ends.sort_by(|a, b| a.0.cmp(b.0));
        let completed = ("ORDER_STATE_COMPLETED", String::new(), gbp(-3_400));
        let refused = ("ORDER_STATE_REJECTED", "ORIGINAL_LINE_NOT_FOUND".to_owned(), gbp(0));
        assert_eq!(ends, [completed, refused]);
        assert_eq!((center.outside.taken("mug"), center.outside.money()), (1, (4_250, 3_400)));
        center
    }
);

on_each_database!(only_what_the_same_channel_delivered_comes_back, async |mut center: Center| {
    let number = five_mugs(&mut center).await;
    let refused = take_back(&mut center, "no such number", 1).await;
    assert_eq!((refused.state(), failure(&refused)), (OrderState::Rejected, "ORIGINAL_NOT_FOUND"));
    let line = returned("back", "mug", 1, of_order(&number));
    let elsewhere = from_channel("web", submission(vec![line]));
    let id = center.orders.submit_order(elsewhere).await.expect("accepted").into_inner().order_id;
    assert_eq!(failure(&center.ends(&id, OrderState::Rejected).await), "ORIGINAL_NOT_FOUND");
    let other_goods = returned("back", "postage", 1, of_order(&number));
    let id = center.submit(submission(vec![other_goods])).await;
    assert_eq!(failure(&center.ends(&id, OrderState::Rejected).await), "ORIGINAL_LINE_NOT_FOUND");
    // What is still under way, or was never delivered, is cancelled and not returned.
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let request = mugs(1);
    let number = request.channel_order_id.clone();
    let running = center.submit(request).await;
    let refused = take_back(&mut center, &number, 1).await;
    assert_eq!(failure(&refused), "ORIGINAL_IN_PROGRESS");
    center.cancel(&running).await.expect("cancelled");
    center.outside.let_go();
    center.ends(&running, OrderState::Cancelled).await;
    let refused = take_back(&mut center, &number, 1).await;
    assert_eq!(failure(&refused), "ORIGINAL_LINE_NOT_FOUND");
    assert_eq!(center.outside.money(), (5_100, 850));
    center
});

on_each_database!(
    a_return_of_nothing_that_we_know_needs_a_reason_and_is_paid_back,
    async |mut center: Center| {
        let unknown =
            proto::ReturnOf { reason: "bought at the fair".to_owned(), ..Default::default() };
        let id = center.submit(submission(vec![returned("back", "mug", 3, unknown)])).await;
        let order = center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.effects(), ["return 3 mug", "refund 2550"]);
        assert_eq!((order.paid, center.outside.taken("mug")), (gbp(-2_550), -3));
        assert!(center.outside.calls_of("GetReservation").is_empty());
        center
    }
);

on_each_database!(
    what_takes_no_stock_is_paid_back_and_not_restocked,
    async |mut center: Center| {
        let request = submission(vec![item("m", "mug", 1), item("p", "postage", 1)]);
        let number = request.channel_order_id.clone();
        let id = center.submit(request).await;
        center.ends(&id, OrderState::Completed).await;
        let line = returned("back", "postage", 1, of_order(&number));
        let id = center.submit(submission(vec![line])).await;
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.effects()[4..], ["refund 300"]);
        assert_eq!(center.outside.money(), (1_150, 300));
        center
    }
);

on_each_database!(an_exchange_sells_and_takes_back_in_one_order, async |mut center: Center| {
    let number = five_mugs(&mut center).await;
    let lines = vec![item("plan", "plan-4g", 1), returned("back", "mug", 1, of_order(&number))];
    let id = center.submit(submission(lines)).await;
    let order = center.ends(&id, OrderState::Completed).await;
    assert_eq!((order.total, order.paid), (gbp(1_000), gbp(150)));
    assert_eq!(center.outside.money(), (5_250, 850));
    assert_eq!((center.outside.taken("mug"), center.outside.taken("msisdn")), (4, 1));
    center
});

on_each_database!(
    a_return_is_carried_to_its_end_once_the_goods_are_back,
    async |mut center: Center| {
        let number = five_mugs(&mut center).await;
        center.outside.next("CreateRefund", &[Behavior::Hold]);
        let line = returned("back", "mug", 1, of_order(&number));
        let id = center.submit(submission(vec![line])).await;
        center.called("CreateRefund", 1).await;
        let order = center.get(&id).await;
        let plan = center.preview(&id).await.expect("a plan");
        assert_eq!(plan.keep, [business_order(&order, "back").business_order_id.clone()]);
        assert!(plan.undo.is_empty() && plan.cancel.is_empty() && plan.refund.is_none());
        assert_eq!(center.cancel(&id).await.expect("asked").plan, Some(plan));
        center.outside.let_go();
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(center.outside.money(), (4_250, 850));
        center
    }
);

on_each_database!(
    a_refund_of_a_return_that_is_refused_is_visible_and_paid_later,
    async |mut center: Center| {
        let number = five_mugs(&mut center).await;
        center.outside.next("CreateRefund", &[Behavior::Refuse("CARD_EXPIRED")]);
        let line = returned("back", "mug", 1, of_order(&number));
        let id = center.submit(submission(vec![line])).await;
        let put_off = |order: &_| stands(order, "back", "refund-1", StepState::Retrying);
        let order = center.until(&id, "the refund is put off", put_off).await;
        assert_eq!((order.state(), order.attention), (OrderState::InProgress, true));
        let center = center.restart().await;
        center.advance(3_600);
        let order = center.ends(&id, OrderState::Completed).await;
        assert!(!order.attention);
        assert_eq!(center.outside.effects()[4..], ["return 1 mug", "refund 850"]);
        assert_eq!(center.outside.ids_of("CreateRefund").len(), 2);
        center
    }
);

on_each_database!(
    every_fault_of_a_return_moves_goods_and_money_once,
    async |mut center: Center| {
        let number = five_mugs(&mut center).await;
        let faults = [Behavior::Down, Behavior::LostBefore, Behavior::LostAfter];
        for (round, fault) in faults.into_iter().enumerate() {
            for name in ["ReturnUnits", "CreateRefund"] {
                center.outside.next(name, &[fault]);
            }
            let order = take_back(&mut center, &number, 1).await;
            assert_eq!(order.state(), OrderState::Completed, "{fault:?}");
            let times = i64::try_from(round).expect("few") + 1;
            assert_eq!(center.outside.taken("mug"), 5 - times, "{fault:?}");
            assert_eq!(center.outside.money(), (4_250, 850 * times), "{fault:?}");
        }
        center
    }
);

on_each_database!(a_service_comes_back_no_oftener_than_it_was_sold, async |mut center: Center| {
    let request = one_plan();
    let number = request.channel_order_id.clone();
    let id = center.submit(request).await;
    center.ends(&id, OrderState::Completed).await;
    for state in [OrderState::Completed, OrderState::Rejected] {
        let line = returned("back", "plan-4g", 1, of_order(&number));
        let id = center.submit(submission(vec![line])).await;
        center.ends(&id, state).await;
    }
    assert_eq!(center.outside.money(), (1_000, 1_000));
    center
});

on_each_database!(what_takes_no_stock_comes_back_once_as_well, async |mut center: Center| {
    let request = submission(vec![item("m", "mug", 1), item("p", "postage", 1)]);
    let number = request.channel_order_id.clone();
    let id = center.submit(request).await;
    center.ends(&id, OrderState::Completed).await;
    for state in [OrderState::Completed, OrderState::Rejected] {
        let line = returned("back", "postage", 1, of_order(&number));
        let id = center.submit(submission(vec![line])).await;
        center.ends(&id, state).await;
    }
    assert_eq!(center.outside.money(), (1_150, 300));
    center
});
