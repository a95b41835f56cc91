//! Changing the lines of an order before it is delivered.

use std::time::Duration;

use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepState};
use throughline_proto::r#type::v1::UnitPrice;

use crate::desk::{WHY, whole};
use crate::fixture::Center;
use crate::flows::{ALLOCATE, CHECK, PAY, PREPARE, RESERVE, own};
use crate::outside::Behavior;
use crate::requests::{
    business_states, error, from_channel, gbp, hall, item, mugs, reason, step, submission,
    wrong_fields,
};

fn change(order_id: &str, items: Vec<proto::OrderItem>) -> proto::ChangeOrderRequest {
    proto::ChangeOrderRequest {
        request_id: new_request_id(),
        order_id: order_id.to_owned(),
        items,
        requested_start_time: None,
        reason: WHY.to_owned(),
    }
}

impl Center {
    async fn change(
        &self,
        request: proto::ChangeOrderRequest,
    ) -> Result<proto::ChangeOrderResponse, tonic::Status> {
        let answer = self.orders.clone().change_order(hall(request)).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn preview_change(
        &self,
        request: &proto::ChangeOrderRequest,
    ) -> Result<proto::ChangePlan, tonic::Status> {
        let request = proto::PreviewChangeRequest {
            order_id: request.order_id.clone(),
            items: request.items.clone(),
            requested_start_time: request.requested_start_time,
        };
        let answer = self.orders.clone().preview_change(hall(request)).await?;
        Ok(answer.into_inner().plan.expect("a plan"))
    }

    /// Previews a change, then makes it, and checks that both say the same.
    async fn change_as_shown(&self, request: proto::ChangeOrderRequest) -> proto::ChangePlan {
        let before = self.get(&request.order_id).await;
        let plan = self.preview_change(&request).await.expect("a plan");
        assert_eq!(self.get(&request.order_id).await, before, "a preview changes nothing");
        let answer = self.change(request.clone()).await.expect("changed");
        assert_eq!(answer.plan.as_ref(), Some(&plan));
        assert_eq!(self.change(request).await.expect("the first answer"), answer);
        plan
    }
}

/// A mug more, a plan new, the postage gone.
fn other_lines() -> Vec<proto::OrderItem> {
    vec![item("mug", "mug", 2), item("plan", "plan-4g", 1)]
}

/// A mug and its postage: 11.50.
fn mug_and_postage() -> proto::SubmitOrderRequest {
    submission(vec![item("mug", "mug", 1), item("post", "postage", 1)])
}

on_each_database!(
    lines_are_changed_before_anything_was_done_for_them,
    async |mut center: Center| {
        center.outside.next("QuotePrice", &[Behavior::Hold]);
        let id = center.submit(mug_and_postage()).await;
        center.called("QuotePrice", 1).await;
        let plan = center.change_as_shown(change(&id, other_lines())).await;
        assert_eq!(
            (plan.added, plan.removed, plan.changed),
            (vec!["plan".to_owned()], vec!["post".to_owned()], vec!["mug".to_owned()])
        );
        assert_eq!((plan.undone_steps, plan.refund), (vec![], None));
        assert_eq!(center.get(&id).await.state(), OrderState::AssessingChange);
        center.outside.let_go();
        let order = center.completes(&id).await;
        assert_eq!((order.total.clone(), order.paid.clone()), (gbp(2_700), gbp(2_700)));
        let keys: Vec<_> = order.items.iter().map(|item| item.item_key.as_str()).collect();
        assert_eq!(keys, ["mug", "plan"]);
        assert_eq!(business_states(&order), [("mug", "DONE"), ("plan", "DONE")]);
        assert_eq!(step(&order, "", "prepare").generation, 2);
        assert_eq!(center.outside.taken("mug"), 2);
        let told = center.told("order.change_requested").await;
        assert_eq!((told.actor.as_str(), told.note.as_str()), ("channel:hall", WHY));
        center.told("order.changed").await;
        center
    }
);

/// An order whose payer is waited for; its id, and its payment order's.
async fn waiting(center: &mut Center) -> (String, String) {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mug_and_postage()).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    (id, order.payment_order_id)
}

on_each_database!(
    a_payment_that_was_waited_for_is_closed_before_the_order_begins_anew,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        let before = center.outside.effects().len();
        let plan = center.change_as_shown(change(&id, other_lines())).await;
        assert_eq!((plan.undone_steps, plan.refund), (vec!["reserve".to_owned()], None));
        let order = center.completes(&id).await;
        assert_ne!(order.payment_order_id, payment);
        assert_eq!(order.paid, gbp(2_700));
        let effects = center.outside.effects()[before..].to_vec();
        let first = ["close payment", "release", "reserve", "capture 2700", "confirm"];
        assert_eq!(effects[..5], first);
        assert_eq!(center.outside.money(), (2_700, 0));
        center
    }
);

on_each_database!(
    old_news_of_the_payment_that_was_left_behind_touch_the_new_one_not,
    async |mut center: Center| {
        let (id, payment) = waiting(&mut center).await;
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        center.change(change(&id, other_lines())).await.expect("changed");
        let waits_anew = |order: &proto::CustomerOrder| {
            order.state() == OrderState::Pending && order.payment_order_id != payment
        };
        let order = center.until(&id, "it waits for the payer anew", waits_anew).await;
        center.outside.payment_expires(&payment);
        center.outside.payer_pays(&order.payment_order_id);
        let order = center.completes(&id).await;
        assert_eq!(order.paid, gbp(2_700));
        center
    }
);

on_each_database!(
    late_money_of_the_payment_that_was_left_behind_goes_back,
    expecting "gave back money",
    async |mut center: Center| {
        // Also where the new lines cost nothing, and where the order has ended meanwhile.
        let free = vec![item("leaflet", "leaflet", 1)];
        for (items, ended) in [(other_lines(), false), (free, false), (other_lines(), true)] {
            let (id, payment) = waiting(&mut center).await;
            center.outside.next("CreateShipment", &[Behavior::Hold]);
            let (captured, refunded) = center.outside.money();
            let calls = center.outside.calls_of("CreateShipment").len();
            center.change(change(&id, items)).await.expect("changed");
            center.called("CreateShipment", calls + 1).await;
            if ended {
                center.outside.let_go();
                center.completes(&id).await;
            }
            let paid = center.get(&id).await.paid.expect("known").minor_units;
            center.outside.money_comes_late(&payment);
            eventually("the money is given back", async || {
                let now = center.outside.money();
                (now == (captured + paid + 1_150, refunded + 1_150)).then_some(())
            })
            .await;
            // The same news again give nothing back again.
            center.outside.repeat_news();
            if !ended {
                center.outside.let_go();
            }
            assert_eq!(center.completes(&id).await.paid, gbp(paid));
            assert_eq!(center.outside.money().1, refunded + 1_150);
        }
        center
    }
);

/// An order that is paid, and whose stock is being assigned.
async fn paid(center: &mut Center) -> proto::CustomerOrder {
    let calls = center.outside.calls_of("ConfirmReservation").len();
    center.outside.next("ConfirmReservation", &[Behavior::Down]);
    let id = center.submit(mug_and_postage()).await;
    center.called("ConfirmReservation", calls + 1).await;
    center.stands(&id, "", "allocate", StepState::Retrying).await
}

on_each_database!(
    what_was_paid_for_the_old_lines_comes_back_and_the_new_ones_are_paid_anew,
    async |mut center: Center| {
        let order = paid(&mut center).await;
        let (id, payment) = (&order.order_id, &order.payment_order_id);
        let before = center.outside.effects().len();
        let plan = center.change_as_shown(change(id, other_lines())).await;
        let undone = ["pay", "reserve"].map(str::to_owned).to_vec();
        assert_eq!((plan.undone_steps, plan.refund), (undone, gbp(1_150)));
        let order = center.completes(id).await;
        let effects = center.outside.effects()[before..].to_vec();
        let first = ["refund 1150", "release", "reserve", "capture 2700", "confirm"];
        assert_eq!(effects[..5], first);
        assert_eq!((&order.paid, center.outside.money()), (&gbp(2_700), (3_850, 1_150)));
        assert_ne!(&order.payment_order_id, payment);
        center
    }
);

on_each_database!(
    news_of_money_that_was_taken_and_given_back_give_nothing_back_again,
    async |mut center: Center| {
        let order = paid(&mut center).await;
        let (id, payment) = (&order.order_id, &order.payment_order_id);
        center.change(change(id, other_lines())).await.expect("changed");
        center.completes(id).await;
        let refunds = center.outside.calls_of("CreateRefund").len();
        center.outside.money_comes_late(payment);
        // Whatever comes after it in the feed is heard after it.
        let (other, payment) = waiting(&mut center).await;
        center.outside.payer_pays(&payment);
        center.completes(&other).await;
        assert_eq!(center.outside.calls_of("CreateRefund").len(), refunds);
        center
    }
);

on_each_database!(
    late_money_for_a_changed_order_that_was_cancelled_goes_back_whole,
    expecting "gave back money",
    async |mut center: Center| {
        let order = paid(&mut center).await;
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        center.change(change(&order.order_id, other_lines())).await.expect("changed");
        let order = center.becomes(&order.order_id, OrderState::Pending).await;
        center.cancel(&order.order_id).await.expect("cancelled");
        let order = center.becomes(&order.order_id, OrderState::Cancelled).await;
        center.outside.money_comes_late(&order.payment_order_id);
        eventually("all of it is given back", async || {
            (center.outside.money() == (1_150 + 2_700, 1_150 + 2_700)).then_some(())
        })
        .await;
        center
    }
);

on_each_database!(lines_that_are_being_delivered_cannot_be_changed, async |mut center: Center| {
    center.outside.next("CreateShipment", &[Behavior::Hold]);
    let id = center.submit(mug_and_postage()).await;
    center.called("CreateShipment", 1).await;
    let late = change(&id, other_lines());
    assert_eq!(reason(center.preview_change(&late).await), "CHANGE_TOO_LATE");
    assert_eq!(reason(center.change(late).await), "CHANGE_TOO_LATE");
    center.cancel(&id).await.expect("cancelled");
    assert_eq!(reason(center.change(change(&id, other_lines())).await), "CHANGE_TOO_LATE");
    center.outside.let_go();
    center.becomes(&id, OrderState::Cancelled).await;
    let ended = change(&id, other_lines());
    assert_eq!(reason(center.preview_change(&ended).await), "ORDER_TERMINAL");
    assert_eq!(reason(center.change(ended).await), "ORDER_TERMINAL");
    center
});

on_each_database!(changes_of_a_wrong_form_are_refused, async |mut center: Center| {
    let (id, _) = waiting(&mut center).await;
    let twice = change(&id, vec![item("mug", "mug", 1), item("mug", "mug", 0)]);
    let both = [
        wrong_fields(center.preview_change(&twice).await),
        wrong_fields(center.change(twice).await),
    ];
    assert_eq!(both[0], both[1]);
    assert!(both[0].iter().all(|path| path.starts_with("items[1].")), "{both:?}");
    assert_eq!(wrong_fields(center.change(change(&id, vec![])).await), ["items"]);
    let many = (0..1_001).map(|number| item(&format!("m{number}"), "mug", 1)).collect();
    assert_eq!(reason(center.change(change(&id, many)).await), "ORDER_TOO_LARGE");
    let mut agreed = item("mug", "mug", 1);
    agreed.agreed_unit_price = Some(UnitPrice { currency_code: "GBP".to_owned(), micro_units: 1 });
    let refused = center.change(change(&id, vec![agreed])).await;
    assert_eq!(reason(refused), "AGREED_PRICE_NOT_GRANTED");
    let elsewhere = from_channel("web", change(&id, other_lines()));
    assert_eq!(reason(center.orders.change_order(elsewhere).await), "ORDER_NOT_FOUND");
    let nowhere = change("ord_00000000000000000000000000", other_lines());
    let refused = error(center.change(nowhere).await);
    assert_eq!(refused.reason, "ORDER_NOT_FOUND");
    assert_eq!(center.get(&id).await.state(), OrderState::Pending);
    center
});

on_each_database!(
    an_order_is_changed_while_it_is_placed_ahead_or_looked_at,
    async |mut center: Center| {
        let at = |hours: u64| {
            Some(center.clock.now().plus(Duration::from_secs(hours * 3_600)).to_proto())
        };
        let ahead = proto::SubmitOrderRequest { requested_start_time: at(24), ..mugs(1) };
        let sooner = at(1);
        let id = center.submit(ahead).await;
        center.stands(&id, "", "begin", StepState::Waiting).await;
        let request = proto::ChangeOrderRequest {
            requested_start_time: sooner,
            ..change(&id, other_lines())
        };
        center.change_as_shown(request).await;
        let moved = |order: &proto::CustomerOrder| step(order, "", "begin").deadline == sooner;
        center.until(&id, "it waits for the new time", moved).await;
        center.advance(3_600);
        assert_eq!(center.completes(&id).await.paid, gbp(2_700));
        // The task of the old lines goes, and another one comes.
        center.publish(&own("checked", &[PREPARE, RESERVE, CHECK, PAY, ALLOCATE])).await;
        let looked_at = proto::SubmitOrderRequest { template: "checked".to_owned(), ..mugs(1) };
        let id = center.submit(looked_at).await;
        center.becomes(&id, OrderState::Pending).await;
        let old = center.task_of(&id).await;
        center.change_as_shown(change(&id, other_lines())).await;
        let anew = |order: &proto::CustomerOrder| {
            let task = &step(order, "", "check").task_id;
            !task.is_empty() && *task != old.task_id
        };
        center.until(&id, "another task is there", anew).await;
        let new = center.task_of(&id).await;
        let form = [("approved", "true")];
        assert_eq!(reason(center.complete("anna", &old.task_id, &form).await), "TASK_NOT_FOUND");
        center.complete("anna", &new.task_id, &form).await.expect("done");
        center.completes(&id).await;
        center
    }
);

on_each_database!(a_change_of_a_paused_order_waits_until_it_goes_on, async |mut center: Center| {
    let (id, _) = waiting(&mut center).await;
    center.pause(&id, whole()).await.expect("paused");
    center.change(change(&id, other_lines())).await.expect("changed");
    center.report_to_nobody(&id).await;
    assert!(center.outside.calls_of("ClosePaymentOrder").is_empty());
    center.resume(&id, whole()).await.expect("resumed");
    assert_eq!(center.completes(&id).await.paid, gbp(2_700));
    center
});
