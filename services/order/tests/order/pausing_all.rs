//! Pauses for all orders: of a template, or of a capability.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BusinessOrderState, HoldScope, OrderState, StepState};

use crate::desk::WHY;
use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{business_states, error, mugs, one_plan, operator, step, wrong_fields};

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
        let method = "throughline.billing.v1.BillingService/OpenAccount";
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
