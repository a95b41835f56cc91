//! Steps that wait: for what happens outside, and for times.

use std::time::Duration;

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepState};

use crate::desk::{of_line, of_step, signal};
use crate::fixture::Center;
use crate::flows::{ACTIVATE, TIMER, WAIT, WAIT_WHO, business};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{
    business_states, error, gbp, item, mugs, reason, stands, step, submission, wrong_fields,
};

/// An order whose visit is waited for.
async fn waiting(center: &mut Center) -> String {
    center.publish(&business("home-visit", &[WAIT_WHO])).await;
    let id = center.submit(one_visit()).await;
    center.stands(&id, "visit", "visited", StepState::Waiting).await;
    id
}

on_each_database!(a_step_goes_on_with_the_event_that_it_waits_for, async |mut center: Center| {
    let id = waiting(&mut center).await;
    let order = center.get(&id).await;
    let until = center.clock.now().plus(Duration::from_secs(7_200)).to_proto();
    assert_eq!(step(&order, "visit", "visited").deadline, Some(until));
    // Another event is kept for nobody.
    center.signal(&id, "visit.planned").await.expect("taken");
    assert!(stands(&center.get(&id).await, "visit", "visited", StepState::Waiting));
    let mut request = signal(&id, "visit.done");
    request.data.insert("engineer".to_owned(), "Eve".to_owned());
    center.signal_with(request.clone()).await.expect("taken");
    let order = center.completes(&id).await;
    assert_eq!(step(&order, "visit", "visited").saved["engineer"], "\"Eve\"");
    center.signal_with(request.clone()).await.expect("the first answer");
    request.data.clear();
    assert_eq!(reason(center.signal_with(request).await), "REQUEST_ID_REUSED");
    assert_eq!(reason(center.signal(&id, "visit.done").await), "ORDER_TERMINAL");
    center
});

on_each_database!(an_event_may_refuse_what_is_waited_for, async |mut center: Center| {
    for (said, expected) in [("", "REFUSED_BY_EVENT"), ("NOBODY_HOME", "NOBODY_HOME")] {
        let id = waiting(&mut center).await;
        let mut request = signal(&id, "visit.missed");
        request.data.insert("reason".to_owned(), said.to_owned());
        center.signal_with(request).await.expect("taken");
        let order = center.becomes(&id, OrderState::Failed).await;
        assert_eq!(order.failure.expect("a failure").reason, expected);
        assert_eq!(
            (order.paid, business_states(&center.get(&id).await)),
            (gbp(0), vec![("visit", "COMPENSATED")])
        );
    }
    center
});

on_each_database!(
    events_that_come_early_are_kept_in_order_and_over_a_restart,
    async |mut center: Center| {
        let second = WAIT_WHO.replace("id: visited", "id: visited-again");
        center.publish(&business("home-visit", &[ACTIVATE, WAIT_WHO, &second])).await;
        center.outside.next("ActivateService", &[Behavior::Pending]);
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "activate", StepState::Waiting).await;
        for engineer in ["Eve", "Adam", "Abel"] {
            let mut request = signal(&id, "visit.done");
            request.data.insert("engineer".to_owned(), engineer.to_owned());
            center.signal_with(request).await.expect("kept");
        }
        let center = center.restart().await;
        let reference = center.outside.reference_of("activate visit");
        let done = throughline_proto::r#type::v1::OperationOutcome::Succeeded;
        center.outside.complete(&reference, done);
        center.report(&id, &reference, proto::StepOutcome::Succeeded).await.expect("taken");
        let order = center.completes(&id).await;
        assert_eq!(step(&order, "visit", "visited").saved["engineer"], "\"Eve\"");
        assert_eq!(step(&order, "visit", "visited-again").saved["engineer"], "\"Adam\"");
        assert_eq!(center.told("order.signalled").await.note, "visit.done");
        center
    }
);

on_each_database!(an_event_may_be_for_one_business_order_alone, async |mut center: Center| {
    center.publish(&business("home-visit", &[WAIT])).await;
    let lines = vec![item("one", "visit", 1), item("two", "visit", 1)];
    let id = center.submit(submission(lines)).await;
    center.stands(&id, "two", "visited", StepState::Waiting).await;
    let order = center.get(&id).await;
    let business_order_id = of_line(&order, "two").business_order_id;
    let request = proto::SignalOrderRequest { business_order_id, ..signal(&id, "visit.done") };
    center.signal_with(request.clone()).await.expect("taken");
    let order = center.stands(&id, "two", "visited", StepState::Succeeded).await;
    assert!(stands(&order, "one", "visited", StepState::Waiting));
    // The next for that one is kept, and not given to the other.
    let again = proto::SignalOrderRequest { request_id: new_request_id(), ..request };
    center.signal_with(again).await.expect("kept");
    assert!(stands(&center.get(&id).await, "one", "visited", StepState::Waiting));
    let nowhere = proto::SignalOrderRequest {
        business_order_id: "bo_00000000000000000000000000".to_owned(),
        ..signal(&id, "visit.done")
    };
    assert_eq!(reason(center.signal_with(nowhere).await), "BUSINESS_ORDER_NOT_FOUND");
    center.signal(&id, "visit.done").await.expect("taken");
    center.completes(&id).await;
    center
});

on_each_database!(an_order_keeps_so_many_events_and_no_more, async |mut center: Center| {
    let id = waiting(&mut center).await;
    for _ in 0..64 {
        center.signal(&id, "visit.planned").await.expect("kept");
    }
    let refused = error(center.signal(&id, "visit.planned").await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["limit"].as_str()),
        ("LIMIT_REACHED", "max_kept_events")
    );
    center.signal(&id, "visit.missed").await.expect("what is waited for is not kept");
    center.becomes(&id, OrderState::Failed).await;
    center
});

on_each_database!(events_of_a_wrong_form_name_their_fields, async |mut center: Center| {
    let id = waiting(&mut center).await;
    let mut wrong = proto::SignalOrderRequest { order_id: id.clone(), ..Default::default() };
    wrong.data.insert("engineer".to_owned(), "x".repeat(201));
    let expected = ["request_id", "event", "data[engineer]"];
    assert_eq!(wrong_fields(center.signal_with(wrong).await), expected);
    let mut full = signal(&id, "visit.done");
    full.data.extend((0..33).map(|number| (number.to_string(), String::new())));
    assert_eq!(wrong_fields(center.signal_with(full).await), ["data"]);
    for nowhere in ["ord_00000000000000000000000000", "nonsense"] {
        assert_eq!(reason(center.signal(nowhere, "visit.done").await), "ORDER_NOT_FOUND");
    }
    center
});

on_each_database!(what_is_not_heard_in_time_has_failed, async |mut center: Center| {
    let id = waiting(&mut center).await;
    center.advance(7_199);
    center.report_to_nobody(&id).await;
    assert!(stands(&center.get(&id).await, "visit", "visited", StepState::Waiting));
    center.advance(1);
    let order = center.becomes(&id, OrderState::Failed).await;
    assert_eq!(order.failure.expect("a failure").reason, "WAIT_TIMED_OUT");
    center
});

on_each_database!(a_timer_lets_its_time_pass_over_a_restart, async |mut center: Center| {
    center.publish(&business("home-visit", &[TIMER, ACTIVATE])).await;
    let id = center.submit(one_visit()).await;
    let order = center.stands(&id, "visit", "rest", StepState::Waiting).await;
    let until = center.clock.now().plus(Duration::from_secs(3_600)).to_proto();
    assert_eq!(step(&order, "visit", "rest").deadline, Some(until));
    let center = center.restart().await;
    center.advance(3_599);
    center.report_to_nobody(&id).await;
    assert!(center.outside.calls_of("ActivateService").is_empty());
    center.advance(1);
    center.completes(&id).await;
    center
});

on_each_database!(
    an_order_placed_ahead_asks_nobody_until_its_time_has_come,
    async |mut center: Center| {
        let at = center.clock.now().plus(Duration::from_secs(86_400));
        let ahead =
            || proto::SubmitOrderRequest { requested_start_time: Some(at.to_proto()), ..mugs(1) };
        let id = center.submit(ahead()).await;
        let order = center.stands(&id, "", "begin", StepState::Waiting).await;
        assert_eq!((order.template.as_str(), order.state()), ("pre-order", OrderState::Pending));
        assert_eq!(step(&order, "", "begin").deadline, Some(at.to_proto()));
        let cancelled = center.submit(ahead()).await;
        center.stands(&cancelled, "", "begin", StepState::Waiting).await;
        center.cancel(&cancelled).await.expect("cancelled");
        center.becomes(&cancelled, OrderState::Cancelled).await;
        // An operator may let it begin before its time.
        let hurried = center.submit(ahead()).await;
        let waits = center.stands(&hurried, "", "begin", StepState::Waiting).await;
        assert!(center.outside.calls().is_empty(), "nobody was asked");
        center.skip(&hurried, of_step(&waits, "", "begin")).await.expect("left out");
        center.completes(&hurried).await;
        center.advance(86_400);
        center.completes(&id).await;
        // A time that has passed is at once.
        let late = center.submit(ahead()).await;
        center.completes(&late).await;
        center
    }
);
