//! The trajectory: the whole way of an order as one line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_kit::testing::eventually;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;
use throughline_proto::gateway::v1::{BusinessStep, Hop, WatchTrajectoryRequest};
use throughline_proto::order::v1::OrderState;
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_tests::actions::{always, cny};
use throughline_tests::desk::{Desk, MAX_WAIT};
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::world::World;

const PLAN: [(&str, &str, i64); 1] = [("plan", "plan-4g-59", 1)];
const UNAVAILABLE: i32 = 14;

fn steps(entries: &[Entry]) -> Vec<&BusinessStep> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Step(step) => Some(step),
            Entry::Hop(_) => None,
        })
        .collect()
}

fn hops(entries: &[Entry]) -> Vec<&Hop> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Hop(hop) => Some(hop),
            Entry::Step(_) => None,
        })
        .collect()
}

fn time(entry: &Entry) -> (i64, i32) {
    let time = match entry {
        Entry::Step(step) => step.occurred_time,
        Entry::Hop(hop) => hop.start_time,
    };
    time.map(|time| (time.seconds, time.nanos)).expect("every entry has a time")
}

/// The trajectory when everything is there: the end of the order was told to the customer, and told by all.
async fn whole(desk: &Desk, order_id: &str) -> Vec<Entry> {
    desk.told(order_id, "order.completed").await;
    eventually("the whole trajectory", || async {
        let entries = desk.trajectory(order_id).await.ok()?;
        let messages =
            steps(&entries).iter().filter(|step| step.r#type == "notification.sent").count();
        // Two messages, and the calls that sent them.
        let sent = hops(&entries).iter().filter(|hop| hop.callee == "sms").count();
        (messages >= 2 && sent >= 2).then_some(entries)
    })
    .await
}

#[tokio::test]
async fn a_trajectory_has_every_call_between_centers_with_its_outcome_and_times() {
    let world = World::start().await;
    let desk = &world.desk;
    let done = desk.carry_out(order("traced", &PLAN)).await;
    let entries = whole(desk, &done.order_id).await;
    assert!(entries.is_sorted_by_key(time), "one line, in the order of time");
    let hops = hops(&entries);
    let mut calls: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for hop in &hops {
        let method = hop.method.rsplit('/').next().unwrap_or_default();
        *calls.entry((&hop.caller, &hop.callee, method)).or_default() += 1;
    }
    for (caller, callee, method, times) in [
        ("demo-channel", "order", "SubmitOrder", 1),
        ("order", "product", "CheckConfiguration", 1),
        ("order", "product", "QuotePrice", 1),
        ("order", "product", "DecomposeOffering", 1),
        ("order", "resource", "CreateReservation", 1),
        ("order", "payment", "CreatePaymentOrder", 1),
        ("order", "payment", "StartAttempt", 1),
        ("payment", "paychannel", "Charge", 1),
        ("order", "resource", "ConfirmReservation", 1),
        ("order", "provisioning", "ActivateService", 1),
        ("order", "billing", "OpenAccount", 1),
        ("notification", "sms", "SendSms", 2),
    ] {
        let made = calls.get(&(caller, callee, method)).copied().unwrap_or(0);
        assert_eq!(made, times, "{caller} calls {callee} {method}: {calls:#?}");
    }
    let mut spans = BTreeSet::new();
    for hop in hops {
        let method = &hop.method;
        assert_eq!((hop.status_code, hop.status_message.as_str()), (0, ""), "{method}");
        assert_eq!((hop.trace_id.len(), hop.span_id.len()), (32, 16), "{method}");
        assert!(spans.insert(&hop.span_id), "{method}: each call is a span of its own");
        assert!(hop.endpoint.starts_with("127.0.0.1:"), "{method}: {}", hop.endpoint);
        let nanos = |span: Option<prost_types::Duration>| {
            span.map(|span| (span.seconds, span.nanos)).expect("a span of time")
        };
        assert!(nanos(hop.first_byte_latency) <= nanos(hop.duration), "{method}");
        assert!(nanos(hop.duration) > (0, 0), "{method}");
        assert!(hop.request_bytes > 0 && hop.response_bytes > 0, "{method}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_trajectory_has_the_business_events_of_every_center_in_their_order() {
    let world = World::start().await;
    let desk = &world.desk;
    let done = desk.carry_out(order("told", &PLAN)).await;
    let entries = whole(desk, &done.order_id).await;
    let steps = steps(&entries);
    for (center, first, last) in [
        ("order", "order.accepted", "order.completed"),
        ("resource", "reservation.created", "reservation.confirmed"),
        ("payment", "payment.created", "payment.captured"),
        ("notification", "notification.sent", "notification.sent"),
    ] {
        let of_center: Vec<_> = steps.iter().filter(|step| step.center == center).collect();
        assert!(of_center.is_sorted_by_key(|step| step.sequence), "{center}");
        let types: Vec<&str> = of_center.iter().map(|step| step.r#type.as_str()).collect();
        let ends = (types.first().copied(), types.last().copied());
        assert_eq!(ends, (Some(first), Some(last)), "{center}: {types:?}");
    }
    let succeeded = |step: &&&BusinessStep| step.r#type == "step.succeeded";
    let told: Vec<&str> = steps.iter().filter(succeeded).map(|step| step.detail.as_str()).collect();
    let expected = [
        "prepare",
        "reserve",
        "pay",
        "allocate",
        "telecom-plan activate",
        "telecom-plan open-account",
    ];
    assert_eq!(told, expected);
    let ids: BTreeSet<_> = steps.iter().map(|step| &step.event_id).collect();
    assert_eq!(ids.len(), steps.len(), "no event stands there twice");
    world.end().await;
}

#[tokio::test]
async fn a_trajectory_shows_a_call_that_failed_and_the_one_that_made_up_for_it() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.misbehave(Rule { times: 1, ..always("OpenAccount", Misbehavior::Down) }).await;
    let done = desk.carry_out(order("retried", &PLAN)).await;
    assert_eq!(done.state(), OrderState::Completed);
    let entries = whole(desk, &done.order_id).await;
    let to_billing: Vec<_> =
        hops(&entries).into_iter().filter(|hop| hop.callee == "billing").collect();
    let codes: Vec<i32> = to_billing.iter().map(|hop| hop.status_code).collect();
    assert_eq!(codes, [UNAVAILABLE, 0]);
    assert!(!to_billing[0].status_message.is_empty(), "it says why");
    let steps = steps(&entries);
    let retried: Vec<_> = steps.iter().filter(|step| step.r#type == "step.retried").collect();
    assert_eq!(retried.len(), 1);
    assert!(retried[0].detail.contains("open-account failed with"), "{}", retried[0].detail);
    world.end().await;
}

#[tokio::test]
async fn a_watched_trajectory_grows_while_the_order_is_on_its_way() {
    let world = World::start().await;
    let desk = &world.desk;
    let request = at_the_counter(order("live", &PLAN), Duration::from_secs(600));
    let order_id = desk.submit(request).await;
    let pending = desk.until(&order_id, "its payer", |o| !o.payment_order_id.is_empty()).await;
    let request = WatchTrajectoryRequest { order_id: order_id.clone() };
    let mut service = TrajectoryServiceClient::new(desk.operator.channel());
    let mut stream = service.watch_trajectory(request).await.expect("watched").into_inner();
    let mut seen: Vec<Entry> = Vec::new();
    let mut paid = false;
    let watching = async {
        while !steps(&seen).iter().any(|step| step.r#type == "order.completed") {
            let message = stream.message().await.expect("fine").expect("it goes on");
            seen.extend(message.entries.into_iter().filter_map(|entry| entry.entry));
            let waits = steps(&seen).iter().any(|step| step.r#type == "step.waiting");
            if waits && !paid {
                let owed = &pending.payment_order_id;
                desk.take_cash(owed, cny(1_000), "R-1").await.expect("taken");
                paid = true;
            }
        }
    };
    tokio::time::timeout(MAX_WAIT, watching).await.expect("it comes to the end in time");
    assert!(paid, "the wait for the payer was seen before the end");
    let recorded = whole(desk, &order_id).await;
    let id = |entry: &Entry| match entry {
        Entry::Step(step) => step.event_id.clone(),
        Entry::Hop(hop) => hop.span_id.clone(),
    };
    let known: BTreeSet<String> = recorded.iter().map(id).collect();
    let watched: Vec<String> = seen.iter().map(id).collect();
    assert!(watched.iter().all(|id| known.contains(id)), "what was seen is what is kept");
    assert_eq!(watched.iter().collect::<BTreeSet<_>>().len(), watched.len(), "each once");
    world.end().await;
}
