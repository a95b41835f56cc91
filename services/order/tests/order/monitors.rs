//! What a back office watches: where orders stand, what is late, what is taken back, who is in a hurry.

use throughline_kit::clock::Instant;
use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{
    CancellationKind, CancellationOutcome, FailurePolicy, Lateness, OrderState, StepState,
};

use crate::desk::{WHY, cancel_of_lines, of_step};
use crate::fixture::Center;
use crate::flows::{SHIP_FOR_GOOD, WAIT, business, business_with, with};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{
    converged, from_channel, hall, item, mugs, one_plan, operator, reason, stands, submission,
    wrong_fields,
};

const MINUTE_S: u64 = 60;

/// Template, step, state, steps, orders.
type Load = (String, String, StepState, i64, i64);

async fn load(center: &Center, template: &str) -> (Vec<Load>, i64) {
    let request = proto::ListLoadRequest { template: template.to_owned(), ..Default::default() };
    let answer = center.monitors().list_load(operator(request)).await.expect("listed").into_inner();
    let of = |group: proto::LoadGroup| {
        let state = group.state();
        (group.template, group.step_id, state, group.step_count, group.order_count)
    };
    (answer.groups.into_iter().map(of).collect(), answer.live_order_count)
}

fn stand(template: &str, step: &str, state: StepState, steps: i64, orders: i64) -> Load {
    (template.to_owned(), step.to_owned(), state, steps, orders)
}

on_each_database!(
    what_stands_still_is_counted_by_template_step_and_state,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[WAIT])).await;
        assert_eq!(load(&center, "").await, (vec![], 0));
        let began = center.clock.now();
        let two = submission(vec![item("a", "visit", 1), item("b", "visit", 1)]);
        let two = center.submit(two).await;
        let both = |order: &_| {
            ["a", "b"].iter().all(|key| stands(order, key, "visited", StepState::Waiting))
        };
        center.until(&two, "both wait", both).await;
        center.advance(MINUTE_S);
        let one = center.submit(one_visit()).await;
        center.stands(&one, "visit", "visited", StepState::Waiting).await;
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let unpaid = center.submit(mugs(1)).await;
        center.becomes(&unpaid, OrderState::Pending).await;
        let visits = stand("home-visit", "visited", StepState::Waiting, 3, 2);
        let pays = stand("standard", "pay", StepState::Waiting, 1, 1);
        assert_eq!(load(&center, "").await, (vec![visits.clone(), pays.clone()], 3));
        assert_eq!(load(&center, "standard").await, (vec![pays.clone()], 3));
        let mut center = center.restart().await;
        assert_eq!(load(&center, "").await, (vec![visits, pays.clone()], 3));
        let request =
            proto::ListLoadRequest { step_id: "visited".to_owned(), ..Default::default() };
        let answer = center.monitors().list_load(operator(request)).await.expect("listed");
        let oldest = answer.into_inner().groups[0].oldest_start_time;
        assert_eq!(oldest.as_ref().map(Instant::from_proto), Some(began));
        center.signal(&one, "visit.done").await.expect("taken");
        center.ends(&one, OrderState::Completed).await;
        let visits = stand("home-visit", "visited", StepState::Waiting, 2, 1);
        assert_eq!(load(&center, "").await, (vec![visits, pays.clone()], 2));
        center.cancel(&two).await.expect("cancelled");
        center.ends(&two, OrderState::Cancelled).await;
        assert_eq!(load(&center, "").await, (vec![pays], 1));
        let wrong = proto::ListLoadRequest { template: "x".repeat(65), ..Default::default() };
        assert_eq!(wrong_fields(center.monitors().list_load(operator(wrong)).await), ["template"]);
        center
    }
);

async fn late(center: &Center, request: proto::ListTimeoutsRequest) -> proto::ListTimeoutsResponse {
    center.monitors().list_timeouts(operator(request)).await.expect("listed").into_inner()
}

/// Orders that are late, and how late each is.
pub(crate) async fn lateness(center: &Center) -> Vec<(String, Lateness)> {
    let answer = late(center, proto::ListTimeoutsRequest::default()).await;
    answer.timeouts.into_iter().map(|one| (one.order_id.clone(), one.lateness())).collect()
}

on_each_database!(what_is_late_is_listed_by_how_late_it_is, async |mut center: Center| {
    let visit = with(WAIT, "sla: { warn: 30m, breach: 60m }");
    center.publish(&business_with("home-visit", "policy: ASK\n", &[&visit])).await;
    let first = center.submit(one_visit()).await;
    let started = center.clock.now();
    center.stands(&first, "visit", "visited", StepState::Waiting).await;
    assert_eq!(lateness(&center).await, []);
    center.advance(31 * MINUTE_S);
    let is = async |center: &Center, expected: &[(&String, Lateness)]| {
        let expected: Vec<_> = expected.iter().map(|(id, how)| ((*id).clone(), *how)).collect();
        eventually("it is as late", async || (lateness(center).await == expected).then_some(()))
            .await;
    };
    is(&center, &[(&first, Lateness::Warned)]).await;
    let second = center.submit(one_visit()).await;
    center.stands(&second, "visit", "visited", StepState::Waiting).await;
    center.advance(31 * MINUTE_S);
    is(&center, &[(&first, Lateness::Breached), (&second, Lateness::Warned)]).await;
    let all = late(&center, proto::ListTimeoutsRequest::default()).await;
    let since = all.timeouts[0].late_time.as_ref().map(Instant::from_proto);
    assert_eq!(since.map(|at| at.since(started).as_secs()), Some(60 * MINUTE_S));
    assert_eq!(all.timeouts[0].template, "home-visit");
    assert!(all.timeouts[0].business_order_id.starts_with("bo_"));
    let groups: Vec<_> =
        all.groups.iter().map(|one| (one.lateness(), one.step_count, one.order_count)).collect();
    assert_eq!(groups, [(Lateness::Breached, 1, 1), (Lateness::Warned, 1, 1)]);
    let page = proto::ListTimeoutsRequest { page_size: 1, ..Default::default() };
    let one = late(&center, page.clone()).await;
    let page_token = one.next_page_token;
    let two = late(&center, proto::ListTimeoutsRequest { page_token, ..page }).await;
    assert_eq!([one.timeouts, two.timeouts].concat(), all.timeouts);
    assert_eq!((two.next_page_token.as_str(), two.groups), ("", vec![]));
    let breached = proto::ListTimeoutsRequest {
        lateness: Lateness::Breached.into(),
        template: "home-visit".to_owned(),
        step_id: "visited".to_owned(),
        ..Default::default()
    };
    let found = late(&center, breached).await;
    assert_eq!((found.timeouts.len(), found.timeouts[0].order_id.as_str()), (1, &*first));
    center.advance(60 * MINUTE_S);
    // Nobody came: a person decides, and until then it is late.
    is(&center, &[(&second, Lateness::Breached), (&first, Lateness::TimedOut)]).await;
    center.decide(&first, "BRANCH").await;
    center.ends(&first, OrderState::Failed).await;
    is(&center, &[(&second, Lateness::Breached)]).await;
    let wrong = proto::ListTimeoutsRequest { lateness: 9, ..Default::default() };
    assert_eq!(wrong_fields(center.monitors().list_timeouts(operator(wrong)).await), ["lateness"]);
    let wrong = proto::ListTimeoutsRequest { page_token: "00".to_owned(), ..Default::default() };
    let refused = center.monitors().list_timeouts(operator(wrong)).await;
    assert_eq!(reason(refused), "PAGE_TOKEN_INVALID");
    center
});

/// A plan that goes back, and a parcel that is gone: a cancel comes too late for a part.
async fn partly(center: &mut Center) -> String {
    let parcel = SHIP_FOR_GOOD.replace("id: ship", "id: ship-off");
    center.publish(&business("retail-goods", &[&parcel])).await;
    center.outside.next("ActivateService", &[Behavior::Hold]);
    let id =
        center.submit(submission(vec![item("plan", "plan-4g", 1), item("mug", "mug", 1)])).await;
    center.called("ActivateService", 1).await;
    center.stands(&id, "mug", "ship-off", StepState::Succeeded).await;
    center.cancel(&id).await.expect("taken");
    center.outside.let_go();
    id
}

type Request = (String, CancellationKind, CancellationOutcome);

async fn cancellations(center: &Center) -> Vec<Request> {
    let request = proto::ListCancellationsRequest::default();
    let answer = center.monitors().list_cancellations(operator(request)).await.expect("listed");
    let all = answer.into_inner().cancellations.into_iter();
    all.map(|one| (one.order_id.clone(), one.kind(), one.outcome())).collect()
}

/// What came of the newest request.
async fn newest(center: &Center) -> Option<Request> {
    cancellations(center).await.into_iter().next()
}

on_each_database!(
    a_request_to_cancel_is_followed_to_what_comes_of_it,
    async |mut center: Center| {
        center.outside.next("CreateShipment", &[Behavior::Hold]);
        let done = center.submit(mugs(1)).await;
        center.called("CreateShipment", 1).await;
        center.cancel(&done).await.expect("cancelled");
        let whole = |id: &String, outcome| Some((id.clone(), CancellationKind::Order, outcome));
        assert_eq!(newest(&center).await, whole(&done, CancellationOutcome::Open));
        center.outside.let_go();
        center.ends(&done, OrderState::Cancelled).await;
        assert_eq!(newest(&center).await, whole(&done, CancellationOutcome::Done));

        center.advance(MINUTE_S);
        center.outside.next("CreateShipment", &[Behavior::Hold]);
        let stuck = center.submit(mugs(1)).await;
        center.called("CreateShipment", 2).await;
        center.outside.next("CancelShipment", &[Behavior::Refuse("GONE_ALREADY")]);
        center.cancel(&stuck).await.expect("cancelled");
        center.outside.let_go();
        let order = center.stands(&stuck, "mug", "ship", StepState::UndoFailed).await;
        assert_eq!(newest(&center).await, whole(&stuck, CancellationOutcome::Stuck));
        center.prove_undone(&stuck, of_step(&order, "mug", "ship")).await.expect("proved");
        center.ends(&stuck, OrderState::Cancelled).await;
        assert_eq!(newest(&center).await, whole(&stuck, CancellationOutcome::Done));

        center.advance(MINUTE_S);
        center.publish(&business("retail-goods", &[SHIP_FOR_GOOD])).await;
        center.outside.next("CreateShipment", &[Behavior::Hold]);
        let late = center.submit(mugs(1)).await;
        center.called("CreateShipment", 3).await;
        center.cancel(&late).await.expect("taken");
        center.outside.let_go();
        center.ends(&late, OrderState::Completed).await;
        assert_eq!(newest(&center).await, whole(&late, CancellationOutcome::TooLate));
        let settled = center.told("order.cancellation_settled").await;
        assert_eq!(settled.note, "ORDER TOO_LATE: changed my mind");

        let by_outcome = proto::ListCancellationsRequest {
            outcome: CancellationOutcome::Done.into(),
            kind: CancellationKind::Order.into(),
            reason: "changed my mind".to_owned(),
            ..Default::default()
        };
        let found = center.monitors().list_cancellations(operator(by_outcome)).await;
        let found = found.expect("listed").into_inner();
        let ids: Vec<_> = found.cancellations.iter().map(|one| one.order_id.as_str()).collect();
        assert_eq!(ids, [stuck.as_str(), done.as_str()]);
        let first = &found.cancellations[1];
        assert_eq!((first.actor.as_str(), first.channel.as_str()), ("channel:hall", "hall"));
        assert!(first.ask_time.is_some() && first.end_time.is_some());
        let group = &found.groups[0];
        assert_eq!((found.groups.len(), group.count), (1, 2));
        assert_eq!((&group.reason, group.oldest_ask_time), (&first.reason, first.ask_time));
        let wrong = proto::ListCancellationsRequest { kind: 9, outcome: 9, ..Default::default() };
        let wrong = center.monitors().list_cancellations(operator(wrong)).await;
        assert_eq!(wrong_fields(wrong), ["kind", "outcome"]);
        center
    }
);

on_each_database!(
    a_cancel_that_comes_too_late_for_a_part_is_done_partly,
    async |mut center: Center| {
        let id = partly(&mut center).await;
        center.ends(&id, OrderState::Partial).await;
        let outcome = CancellationOutcome::Partly;
        assert_eq!(newest(&center).await, Some((id, CancellationKind::Order, outcome)));
        center
    }
);

on_each_database!(
    a_request_to_cancel_a_part_or_to_change_is_followed_as_well,
    async |mut center: Center| {
        center.outside.next("ActivateService broadband-100m", &[Behavior::Hold]);
        let id = center.submit(converged(FailurePolicy::Branch)).await;
        center.called("ActivateService broadband-100m", 1).await;
        let part = center.cancel_parts(cancel_of_lines(&id, &["broadband"])).await;
        part.expect("cancelled");
        let is = |outcome| Some((id.clone(), CancellationKind::Parts, outcome));
        assert_eq!(newest(&center).await, is(CancellationOutcome::Open));
        center.outside.let_go();
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(newest(&center).await, is(CancellationOutcome::Done));

        center.advance(MINUTE_S);
        center.outside.next("CreateReservation", &[Behavior::Hold]);
        let id = center.submit(mugs(1)).await;
        center.called("CreateReservation", 2).await;
        let change = |quantity| proto::ChangeOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            items: vec![item("mug", "mug", quantity)],
            requested_start_time: None,
            reason: WHY.to_owned(),
        };
        for quantity in [2, 3] {
            center.orders.change_order(hall(change(quantity))).await.expect("changed");
            center.advance(1);
        }
        let changes = async |center: &Center| {
            let all = cancellations(center).await.into_iter();
            let changes = all.filter(|(_, kind, _)| *kind == CancellationKind::Change);
            changes.map(|(_, _, outcome)| outcome).collect::<Vec<_>>()
        };
        let open = [CancellationOutcome::Open, CancellationOutcome::Replaced];
        assert_eq!(changes(&center).await, open);
        center.outside.let_go();
        let order = center.ends(&id, OrderState::Completed).await;
        assert_eq!(order.items[0].quantity, 3);
        let done = [CancellationOutcome::Done, CancellationOutcome::Replaced];
        assert_eq!(changes(&center).await, done);
        // What has ended is forgotten after a while.
        center.advance(91 * 24 * 60 * MINUTE_S);
        eventually("they are forgotten", async || {
            cancellations(&center).await.is_empty().then_some(())
        })
        .await;
        center
    }
);

on_each_database!(
    who_asked_to_hurry_is_listed_with_where_the_order_stands,
    async |mut center: Center| {
        let urges = async |center: &Center, channel: &str| {
            let request =
                proto::ListUrgesRequest { channel: channel.to_owned(), ..Default::default() };
            let answer = center.monitors().list_urges(operator(request)).await.expect("listed");
            answer.into_inner().orders
        };
        center.publish(&business("home-visit", &[WAIT])).await;
        let id = center.submit(one_visit()).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let other = center.orders.submit_order(from_channel("web", one_plan())).await;
        let other = other.expect("accepted").into_inner().order_id;
        center.ends(&other, OrderState::Completed).await;
        assert_eq!(urges(&center, "").await, []);
        let urge = proto::UrgeOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            reason: "when?".to_owned(),
        };
        center.orders.urge_order(hall(urge)).await.expect("urged");
        let listed = urges(&center, "hall").await;
        assert_eq!((listed.len(), listed[0].order_id.as_str()), (1, &*id));
        assert_eq!((listed[0].urge_count, listed[0].priority), (1, 6));
        assert_eq!(listed[0].standing_steps, ["home-visit/visited"]);
        assert!(listed[0].urge_time.is_some());
        assert_eq!(urges(&center, "web").await, []);
        center.signal(&id, "visit.done").await.expect("taken");
        center.ends(&id, OrderState::Completed).await;
        assert_eq!(urges(&center, "").await, []);
        center
    }
);
