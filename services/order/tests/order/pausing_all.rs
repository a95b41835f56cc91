//! Pauses for all orders: of a template, or of a capability.

use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BusinessOrderState, HoldScope, OrderState, StepState};

use crate::desk::WHY;
use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{business_states, error, mugs, one_plan, operator, step, wrong_fields};

const OPEN_ACCOUNT: &str = "throughline.billing.v1.BillingService/OpenAccount";
const HOUR: Duration = Duration::from_secs(3_600);

on_each_database!(
    a_template_that_is_paused_stands_still_in_all_orders_until_it_is_released,
    async |mut center: Center| {
        center.outside.next("ActivateService", &[Behavior::Hold]);
        let first = center.submit(one_plan()).await;
        center.called("ActivateService", 1).await;
        center.hold_all("telecom-plan", "").await.expect("paused");
        center.hold_all("telecom-plan", "").await.expect("a success without effect");
        center.outside.let_go();
        center.stands(&first, "plan", "activate", StepState::Succeeded).await;
        // What is accepted afterwards waits as well, and other templates do not.
        let second = center.submit(one_plan()).await;
        let other = center.submit(mugs(1)).await;
        center.completes(&other).await;
        center.line_becomes(&second, "plan", BusinessOrderState::Ready).await;
        let center = center.restart().await;
        for id in [&first, &second] {
            let order = center.get(id).await;
            let open = step(&order, "plan", "open-account");
            assert_eq!((open.state(), open.held), (StepState::Scheduled, true));
            assert_eq!(order.holds[0].scope(), HoldScope::Template);
            assert_eq!(order.holds[0].target, "telecom-plan");
            assert_eq!(order.state(), OrderState::InProgress);
        }
        assert!(center.outside.calls_of("OpenAccount").is_empty());
        let holds = center.holds().list_holds(operator(proto::ListHoldsRequest {})).await;
        let holds = holds.expect("holds").into_inner().holds;
        assert_eq!(holds.len(), 1);
        assert_eq!((holds[0].target.as_str(), holds[0].reason.as_str()), ("telecom-plan", WHY));
        center.release_all("telecom-plan", "").await.expect("released");
        for id in [&first, &second] {
            assert!(center.completes(id).await.holds.is_empty());
        }
        center
    }
);

on_each_database!(
    a_capability_that_is_paused_is_called_for_no_order,
    async |mut center: Center| {
        let method = OPEN_ACCOUNT;
        center.hold_all("", method).await.expect("paused");
        let id = center.submit(one_plan()).await;
        let order = center.stands(&id, "plan", "activate", StepState::Succeeded).await;
        let held = step(&order, "plan", "open-account");
        assert_eq!((held.state(), held.held), (StepState::Scheduled, true));
        assert_eq!(business_states(&order), [("plan", "RUNNING")]);
        assert_eq!(order.holds[0].scope(), HoldScope::Capability);
        assert_eq!(order.holds[0].target, method);
        let cancelled = center.submit(one_plan()).await;
        center.stands(&cancelled, "plan", "activate", StepState::Succeeded).await;
        // What is cancelled is not held back.
        center.cancel(&cancelled).await.expect("cancelled");
        center.becomes(&cancelled, OrderState::Cancelled).await;
        assert!(center.outside.calls_of("OpenAccount").is_empty());
        center.release_all("", method).await.expect("released");
        center.completes(&id).await;
        center
    }
);

on_each_database!(
    the_template_of_orders_can_be_paused_before_they_ask_anybody,
    async |mut center: Center| {
        let prepares = "throughline.product.v1.DecisionService/DecomposeOffering";
        for (template, method) in [("standard", ""), ("", prepares)] {
            let asked = center.outside.calls_of("QuotePrice").len();
            center.hold_all(template, method).await.expect("paused");
            let id = center.submit(mugs(1)).await;
            let is_held = |order: &proto::CustomerOrder| step(order, "", "prepare").held;
            let order = center.until(&id, "it is held", is_held).await;
            assert_eq!(step(&order, "", "prepare").state(), StepState::Scheduled);
            assert_eq!(center.outside.calls_of("QuotePrice").len(), asked);
            center.release_all(template, method).await.expect("released");
            center.completes(&id).await;
        }
        center
    }
);

on_each_database!(pauses_for_all_name_one_thing_that_is_paused, async |center: Center| {
    let both = center.hold_all("standard", "a.B/C").await;
    assert_eq!(wrong_fields(both), ["template"]);
    assert_eq!(wrong_fields(center.hold_all("", "").await), ["template"]);
    assert_eq!(wrong_fields(center.release_all("", "").await), ["template"]);
    let refused = error(center.release_all("standard", "").await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["target"].as_str()),
        ("HOLD_NOT_FOUND", "standard")
    );
    center
});

/// From one hour to two hours from now.
fn window(center: &Center) -> proto::HoldCapabilityRequest {
    let at = |span| Some(center.clock.now().plus(span).to_proto());
    proto::HoldCapabilityRequest {
        start_time: at(HOUR),
        end_time: at(2 * HOUR),
        ramp: Some(span_to_proto(HOUR / 2)),
        ..proto::HoldCapabilityRequest::default()
    }
}

async fn standing_holds(center: &Center) -> Vec<proto::Hold> {
    let holds = center.holds().list_holds(operator(proto::ListHoldsRequest {})).await;
    holds.expect("holds").into_inner().holds
}

on_each_database!(
    planned_maintenance_begins_and_ends_by_itself_and_uses_up_no_attempts,
    async |mut center: Center| {
        center.plan_hold("", OPEN_ACCOUNT, window(&center)).await.expect("planned");
        let before = center.submit(one_plan()).await;
        center.completes(&before).await;
        center.outside.next("ActivateService", &[Behavior::Hold]);
        let on_its_way = center.submit(one_plan()).await;
        center.called("ActivateService", 2).await;

        center.clock.advance(HOUR);
        let is_told = |order: &proto::CustomerOrder| !order.holds.is_empty();
        center.until(&on_its_way, "the maintenance began", is_told).await;
        center.outside.let_go();
        let during = center.submit(one_plan()).await;
        let center = center.restart().await;
        for id in [&on_its_way, &during] {
            let order = center.stands(id, "plan", "activate", StepState::Succeeded).await;
            let open = step(&order, "plan", "open-account");
            assert_eq!((open.state(), open.held), (StepState::Scheduled, true));
            assert_eq!(order.holds[0].end_time, standing_holds(&center).await[0].end_time);
        }
        assert_eq!(center.outside.calls_of("OpenAccount").len(), 1);

        center.clock.advance(HOUR + HOUR / 2);
        for id in [&on_its_way, &during] {
            let order = center.completes(id).await;
            assert_eq!(step(&order, "plan", "open-account").attempts, 1);
        }
        eventually("the pause is forgotten", async || {
            standing_holds(&center).await.is_empty().then_some(())
        })
        .await;
        center
    }
);

on_each_database!(a_planned_time_can_be_changed_and_given_up, async |center: Center| {
    let first = window(&center);
    center.plan_hold("", OPEN_ACCOUNT, first.clone()).await.expect("planned");
    let later = proto::HoldCapabilityRequest { ramp: None, ..first.clone() };
    center.plan_hold("", OPEN_ACCOUNT, later).await.expect("planned anew");
    let holds = standing_holds(&center).await;
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].start_time, holds[0].ramp), (first.start_time, None));
    center.release_all("", OPEN_ACCOUNT).await.expect("given up");
    assert!(standing_holds(&center).await.is_empty());
    center
});

on_each_database!(a_planned_time_lies_ahead_and_ends_after_it_began, async |center: Center| {
    let good = window(&center);
    let ends = |end_time| proto::HoldCapabilityRequest { end_time, ..good.clone() };
    let now = Some(center.clock.now().to_proto());
    let started = proto::HoldCapabilityRequest { start_time: None, ..ends(now) };
    let long = Some(span_to_proto(25 * HOUR));
    let negative = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    let ramp = |ramp| proto::HoldCapabilityRequest { ramp, ..good.clone() };
    for (wrong, field) in [
        (ends(good.start_time), "end_time"),
        (started, "end_time"),
        (ends(None), "ramp"),
        (ramp(long), "ramp"),
        (ramp(negative), "ramp"),
    ] {
        let refused = center.plan_hold("", OPEN_ACCOUNT, wrong.clone()).await;
        assert_eq!(wrong_fields(refused), [field], "{wrong:?}");
    }
    assert!(standing_holds(&center).await.is_empty());
    center
});
