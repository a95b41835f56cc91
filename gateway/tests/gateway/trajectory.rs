//! The way of an order, as it can be read afterwards and watched meanwhile.

use std::time::Duration;

use throughline_gateway::Config;
use throughline_kit::client::CallContext;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::outbox::Announcement;
use throughline_kit::server::Server;
use throughline_kit::storage::{Change, Database, Tx, Writer, WriterLimits};
use throughline_kit::testing::{TestDatabase, each_database, eventually, no_unexpected_warnings};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use tonic::{Code, Streaming};

use crate::backends::{Backend, SUBMITTED, Seen, start_orders, start_sms};
use crate::calls::text;
use crate::platform::{Platform, START};

const ORDER_ID: &str = "ord_01hzy3v9k2m4n6p8q0r2s4t6v9";

async fn get(platform: &Platform, order_id: &str) -> Result<proto::GetTrajectoryResponse, Error> {
    let order_id = order_id.to_owned();
    TrajectoryServiceClient::new(platform.channel("operator"))
        .get_trajectory(proto::GetTrajectoryRequest { order_id })
        .await
        .map(tonic::Response::into_inner)
        .map_err(|status| Error::from_status(&status))
}

async fn entries(platform: &Platform, order_id: &str, count: usize) -> Vec<Entry> {
    eventually(&format!("{count} entries of {order_id}"), || async {
        let read = get(platform, order_id).await.ok()?;
        let entries: Vec<_> = read.entries.into_iter().filter_map(|e| e.entry).collect();
        (entries.len() >= count).then_some(entries)
    })
    .await
}

fn hop(entry: &Entry) -> &proto::Hop {
    match entry {
        Entry::Hop(hop) => hop,
        Entry::Step(step) => panic!("a step: {step:?}"),
    }
}

fn step(entry: &Entry) -> &proto::BusinessStep {
    match entry {
        Entry::Step(step) => step,
        Entry::Hop(hop) => panic!("a hop: {hop:?}"),
    }
}

#[tokio::test]
async fn a_call_is_recorded_by_the_order_id_in_headers_request_or_response() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = Platform::start(&database).await;
        let sms = start_sms(&platform).await;
        let (orders, _sender) = start_orders(&platform).await;
        let mut client = SmsServiceClient::new(platform.channel("notification"));

        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = CallContext::for_order(ORDER_ID, trace, Duration::from_secs(5));
        client.send_sms(context.request(text("decline"))).await.expect_err("declined");
        let recorded = entries(&platform, ORDER_ID, 1).await;
        let by_header = hop(&recorded[0]);
        assert_eq!(by_header.caller, "notification");
        assert_eq!(by_header.callee, "sms");
        assert_eq!(by_header.method, "throughline.sms.v1.SmsService/SendSms");
        assert_eq!(by_header.endpoint, sms.running.address.to_string());
        assert_eq!(by_header.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(by_header.parent_span_id, "b7ad6b7169203331");
        assert_eq!(by_header.span_id.len(), 16);
        assert_eq!(by_header.start_time, Some(START.to_proto()));
        assert_eq!((by_header.status_code, by_header.status_message.as_str()), (9, "no “sms” ✗"));
        assert!(by_header.request_bytes > 5);
        assert_eq!(by_header.response_bytes, 0);

        let mut request = text("hello");
        request.order_id = "ord_in_request".to_owned();
        client.send_sms(request).await.expect("carried");
        let recorded = entries(&platform, "ord_in_request", 1).await;
        assert_eq!(hop(&recorded[0]).parent_span_id, "");
        assert_eq!(hop(&recorded[0]).status_code, 0);
        assert!(hop(&recorded[0]).response_bytes > 5);

        let mut channel = OrderServiceClient::new(platform.channel("demo-channel"));
        channel.submit_order(order::SubmitOrderRequest::default()).await.expect("carried");
        let recorded = entries(&platform, SUBMITTED, 1).await;
        assert_eq!(hop(&recorded[0]).caller, "demo-channel");
        assert!(hop(&recorded[0]).method.ends_with("/SubmitOrder"));

        platform.restart().await;
        assert_eq!(get(&platform, ORDER_ID).await.expect("kept").entries.len(), 1);
        let nothing = get(&platform, "ord_unknown").await.expect_err("nothing");
        assert_eq!(nothing.reason, "TRAJECTORY_NOT_FOUND");
        let wrong = get(&platform, "").await.expect_err("no id");
        assert_eq!(wrong.fields[0].0, "order_id");
        platform.stop().await;
        orders.stop().await;
        sms.stop().await;
    }
}

#[tokio::test]
async fn a_channel_writes_only_into_the_way_of_an_order_that_it_may_see() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let (orders, _sender) = start_orders(&platform).await;
    let get_order = async |caller: &str| {
        let order_id = ORDER_ID.to_owned();
        let request = order::GetOrderRequest { order_id, ..Default::default() };
        let mut client = OrderServiceClient::new(platform.channel(caller));
        client.get_order(request).await.expect_err("the center knows no such order");
    };
    get_order("demo-channel").await;
    get_order("operator").await;
    // What was let through counts as before.
    let cancel = order::CancelOrderRequest { order_id: ORDER_ID.to_owned(), ..Default::default() };
    let mut channel = OrderServiceClient::new(platform.channel("demo-channel"));
    channel.cancel_order(cancel).await.expect("carried");
    let recorded = entries(&platform, ORDER_ID, 2).await;
    let ways: Vec<_> =
        recorded.iter().map(|entry| (hop(entry).caller.as_str(), hop(entry).status_code)).collect();
    assert_eq!(ways.len(), 2, "{ways:?}");
    assert!(ways.contains(&("operator", 5)), "{ways:?}");
    assert!(ways.contains(&("demo-channel", 0)), "{ways:?}");
    orders.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn refused_calls_are_part_of_the_way_and_numbers_count_all() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform = Platform::start(database).await;
    let backend = start_sms(&platform).await;
    let mut client = SmsServiceClient::new(platform.channel("notification"));
    let context = CallContext::for_order(ORDER_ID, "", Duration::from_millis(50));
    let status = client.send_sms(context.request(text("wait"))).await.expect_err("too late");
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    client.send_sms(text("hello")).await.expect("carried");
    let recorded = entries(&platform, ORDER_ID, 1).await;
    assert!([1, 4].contains(&hop(&recorded[0]).status_code));
    assert!(hop(&recorded[0]).duration.as_ref().expect("a span").nanos >= 40_000_000);
    let numbers = eventually("counted", || async {
        let text = platform.environment.metrics.render();
        text.contains("throughline_gateway_hops_recorded_total 1").then_some(text)
    })
    .await;
    assert!(numbers.contains("throughline_gateway_hops_handled_total 1"), "{numbers}");
    let ok = "throughline_gateway_calls_total{caller=\"notification\",callee=\"sms\",\
              rpc_method=\"throughline.sms.v1.SmsService/SendSms\",rpc_response_status_code=\"OK\"} 1";
    assert!(numbers.contains(ok), "{numbers}");
    assert!(!numbers.contains(ORDER_ID), "an order id is never a label");
    backend.stop().await;
    platform.stop().await;
}

struct Announce(Vec<(&'static str, &'static str, order::OrderChanged, Instant)>);

impl Change for Announce {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for (kind, order_id, changed, at) in &self.0 {
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            tx.announce(Announcement::new(kind, "bo_1", order_id, *at, changed).in_trace(trace));
        }
        Ok(())
    }
}

/// The store of an order center of which only the feed matters.
async fn open_store() -> (TestDatabase, Database, Writer) {
    let own = each_database().await.remove(0);
    let store = Database::open("order", &own.config, &[]).await.expect("open");
    let writer = Writer::start(&store, WriterLimits::default());
    (own, store, writer)
}

/// An order center whose only service is its feed.
async fn start_feed(platform: &Platform, store: &Database, writer: &Writer) -> Backend {
    let environment = platform.environment_of("order");
    let listener = environment.bind("order").await.expect("bind");
    let server = Server::new("order").feed(store.clone(), writer);
    let running = server.start(&environment, listener).await;
    let running = running.expect("start");
    Backend { seen: Seen::default(), running, environment }
}

/// Two events of our order, one of another and one of none.
async fn announce_steps(writer: &Writer) {
    let accepted = order::OrderChanged {
        state: order::OrderState::Acknowledged.into(),
        ..order::OrderChanged::default()
    };
    let other = order::OrderChanged::default();
    let (first, second) = (Duration::from_secs(1), Duration::from_secs(2));
    let events = vec![
        ("order.accepted", ORDER_ID, accepted, START.plus(first)),
        ("order.noted", "", other.clone(), START.plus(second)),
        ("order.accepted", "ord_other", other.clone(), START.plus(second)),
        ("order.completed", ORDER_ID, other, START.plus(second)),
    ];
    writer.write(Announce(events)).await.expect("announced");
}

async fn watch(platform: &Platform) -> Streaming<proto::WatchTrajectoryResponse> {
    let order_id = ORDER_ID.to_owned();
    TrajectoryServiceClient::new(platform.channel("operator"))
        .watch_trajectory(proto::WatchTrajectoryRequest { order_id })
        .await
        .expect("open")
        .into_inner()
}

async fn watched(
    stream: &mut Streaming<proto::WatchTrajectoryResponse>,
    count: usize,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        let message = stream.message().await.expect("fine").expect("entries");
        entries.extend(message.entries.into_iter().filter_map(|e| e.entry));
    }
    assert_eq!(entries.len(), count);
    entries
}

async fn follow_orders(database: &TestDatabase) -> Platform {
    let follow = |config: &mut Config| config.followed_centers = vec!["order".to_owned()];
    Platform::start_with(&database.config, follow).await
}

#[tokio::test]
async fn events_of_centers_become_business_steps() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = follow_orders(&database).await;
        let (_own, store, writer) = open_store().await;
        let center = start_feed(&platform, &store, &writer).await;
        announce_steps(&writer).await;
        let steps = entries(&platform, ORDER_ID, 2).await;
        let kinds: Vec<_> = steps.iter().map(|e| step(e).r#type.as_str()).collect();
        assert_eq!(kinds, ["order.accepted", "order.completed"]);
        let first = step(&steps[0]);
        assert_eq!((first.center.as_str(), first.subject.as_str()), ("order", "bo_1"));
        assert_eq!(first.detail, "acknowledged");
        assert_eq!(first.trace_id, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(first.sequence, 1);
        assert!(first.event_id.starts_with("evt_"));
        assert_eq!(entries(&platform, "ord_other", 1).await.len(), 1);

        // After a restart nothing is there twice, and what comes then is there too.
        platform.restart().await;
        center.stop().await;
        let center = start_feed(&platform, &store, &writer).await;
        announce_steps(&writer).await;
        assert_eq!(entries(&platform, ORDER_ID, 4).await.len(), 4);
        assert_eq!(entries(&platform, "ord_other", 2).await.len(), 2);
        platform.stop().await;
        center.stop().await;
    }
}

#[tokio::test]
async fn a_watch_sends_what_is_recorded_and_then_what_is_new() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut platform = follow_orders(&database).await;
        let (_own, store, writer) = open_store().await;
        let center = start_feed(&platform, &store, &writer).await;
        let mut early = watch(&platform).await;
        announce_steps(&writer).await;
        watched(&mut early, 2).await.iter().for_each(|entry| _ = step(entry));

        // Refused calls are on the line too, before the steps: the clock stands still.
        let context = CallContext::for_order(ORDER_ID, "", Duration::from_secs(5));
        let mut client = SmsServiceClient::new(platform.channel("notification"));
        client.send_sms(context.request(text("hello"))).await.expect_err("no instance");
        let refused = watched(&mut early, 1).await.remove(0);
        assert_eq!((hop(&refused).status_code, hop(&refused).endpoint.as_str()), (14, ""));
        let sms = start_sms(&platform).await;
        client.send_sms(context.request(text("hello"))).await.expect("carried");
        watched(&mut early, 1).await;

        let late = watched(&mut watch(&platform).await, 4).await;
        assert!(matches!(late[..], [Entry::Hop(_), Entry::Hop(_), Entry::Step(_), Entry::Step(_)]));
        drop(early);
        platform.stop().await;
        sms.stop().await;
        center.stop().await;
    }
}

#[tokio::test]
async fn no_more_watches_than_the_limit() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut platform =
        Platform::start_with(&database.config, |config| config.max_watches = 1).await;
    let mut client = TrajectoryServiceClient::new(platform.channel("operator"));
    let request = || proto::WatchTrajectoryRequest { order_id: ORDER_ID.to_owned() };
    let first = client.watch_trajectory(request()).await.expect("open");
    let status = client.watch_trajectory(request()).await.expect_err("full");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(Error::from_status(&status).metadata["limit"], "max_watches");
    drop(first);
    eventually("a place is free again", || {
        let mut client = client.clone();
        async move { client.watch_trajectory(request()).await.ok().map(|_| ()) }
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn a_trajectory_is_cut_at_its_limit_and_forgotten_after_its_time() {
    let _log = no_unexpected_warnings(&["did not renew its lease"]);
    for database in each_database().await {
        let mut platform = Platform::start_with(&database.config, |config| {
            config.max_trajectory_entries = 3;
            config.max_deleted_rows_per_change = 2;
        })
        .await;
        let backend = start_sms(&platform).await;
        let mut client = SmsServiceClient::new(platform.channel("notification"));
        let context = CallContext::for_order(ORDER_ID, "", Duration::from_secs(5));
        for _ in 0..5 {
            client.send_sms(context.request(text("hello"))).await.expect("carried");
        }
        let read = eventually("cut", || async {
            get(&platform, ORDER_ID).await.ok().filter(|read| read.truncated)
        })
        .await;
        assert_eq!(read.entries.len(), 3);
        let told = watch(&platform).await.message().await.expect("fine").expect("entries");
        assert_eq!((told.entries.len(), told.truncated), (3, true));
        platform.advance(Duration::from_secs(30 * 24 * 3_600 + 1));
        eventually("forgotten", || async {
            get(&platform, ORDER_ID).await.err().filter(|e| e.reason == "TRAJECTORY_NOT_FOUND")
        })
        .await;
        backend.stop().await;
        platform.stop().await;
    }
}
