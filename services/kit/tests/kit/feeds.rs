//! The feed: every event once, in commit order, without a gap, from any place.

use std::time::Duration;

use futures::future::join_all;
use throughline_kit::CancellationToken;
use throughline_kit::error::{Error, Kind};
use throughline_kit::server::{Running, Server};
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::environment;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::event::v1::{Event, SubscribeRequest, SubscribeResponse};
use throughline_proto::r#type::v1::Money;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::store::{CENTER, Note, START, Store, Way, announcement};

/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// A center that only announces.
pub(crate) struct Center {
    pub(crate) store: Store,
    pub(crate) running: Running,
    shutdown: CancellationToken,
}

impl Center {
    pub(crate) async fn start(store: Store) -> Self {
        let nowhere = ([127, 0, 0, 1], 0).into();
        Self::start_at(store, nowhere).await
    }

    pub(crate) async fn start_at(store: Store, listen: std::net::SocketAddr) -> Self {
        let mut environment = environment(&store.config, store.clock.clone());
        environment.listen = listen;
        let shutdown = environment.shutdown.clone();
        let listener = environment.bind(CENTER).await.expect("bind");
        let running = Server::new(CENTER)
            .feed(store.database.clone(), &store.writer)
            .start(&environment, listener)
            .await
            .expect("start");
        Self { store, running, shutdown }
    }

    pub(crate) async fn stop(self) -> StorageConfig {
        self.shutdown.cancel();
        self.running.stopped().await;
        self.store.config
    }

    async fn client(&self) -> EventFeedServiceClient<Channel> {
        let uri = format!("http://{}", self.running.address);
        let endpoint = Channel::from_shared(uri).expect("a URI");
        EventFeedServiceClient::new(endpoint.connect().await.expect("connect"))
    }

    async fn subscribe(&self, cursor: i64) -> Streaming<SubscribeResponse> {
        let request = SubscribeRequest { cursor };
        self.client().await.subscribe(request).await.expect("subscribe").into_inner()
    }

    /// Announces two events in each of some changes.
    pub(crate) async fn announce(&self, names: impl Iterator<Item = String>) {
        let changes =
            names.map(|name| self.store.writer.write(Note::announced(&name, Way::Append)));
        for outcome in join_all(changes).await {
            outcome.expect("stored");
        }
    }
}

async fn read(stream: &mut Streaming<SubscribeResponse>, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
        let more = message.expect("no error").expect("no end").events;
        assert!(more.len() <= 256, "{} events in one message", more.len());
        events.extend(more);
    }
    events
}

fn sequences(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.sequence).collect()
}

on_each_database!(events_come_in_order_and_without_gap_under_load, async |store: Store| {
    let center = Center::start(store).await;
    let mut early = center.subscribe(0).await;
    let (events, (), ()) = tokio::join!(
        read(&mut early, 1_200),
        center.announce((0..300).map(|n| format!("a {n}"))),
        center.announce((0..300).map(|n| format!("b {n}"))),
    );
    assert_eq!(sequences(&events), (1..=1_200).collect::<Vec<i64>>());
    // The events of one change stand together, in their order.
    for pair in events.chunks(2) {
        assert_eq!(pair[0].subject, pair[1].subject);
        assert_eq!(
            (pair[0].r#type.as_str(), pair[1].r#type.as_str()),
            ("note.written", "note.read")
        );
    }
    let mut late = center.subscribe(0).await;
    assert_eq!(read(&mut late, 1_200).await, events, "the same for who comes later");
    center.stop().await;
});

on_each_database!(an_event_says_what_when_and_where, async |store: Store| {
    let center = Center::start(store).await;
    let mut tx = center.store.database.begin().await.expect("begin");
    tx.announce(announcement("note.lost", "note 1", 7).in_trace("00-aa-bb-01"));
    assert_eq!(tx.commit().await, Ok(Some(1)));
    let event = read(&mut center.subscribe(0).await, 1).await.remove(0);
    assert!(event.event_id.starts_with("evt_"), "{}", event.event_id);
    assert_eq!((event.center.as_str(), event.r#type.as_str()), (CENTER, "note.lost"));
    assert_eq!((event.subject.as_str(), event.order_id.as_str()), ("note 1", "ord_1"));
    assert_eq!(event.occurred_time, Some(START.to_proto()));
    assert_eq!((event.sequence, event.trace_parent.as_str()), (1, "00-aa-bb-01"));
    let payload = event.payload.expect("a payload");
    assert_eq!(payload.type_url, "type.googleapis.com/throughline.type.v1.Money");
    let money: Money = prost::Message::decode(payload.value.as_slice()).expect("reads");
    assert_eq!(money.minor_units, 7);
    center.stop().await;
});

on_each_database!(a_subscriber_goes_on_from_its_cursor, async |store: Store| {
    let center = Center::start(store).await;
    center.announce((0..300).map(|n| format!("note {n}"))).await;
    for cursor in [0, 1, 255, 256, 599] {
        let mut stream = center.subscribe(cursor).await;
        let left = usize::try_from(600 - cursor).expect("positive");
        let events = read(&mut stream, left).await;
        assert_eq!(sequences(&events), (cursor + 1..=600).collect::<Vec<i64>>());
    }
    // One that has everything hears what is new, and nothing else.
    let mut stream = center.subscribe(600).await;
    center.announce(["last".to_owned()].into_iter()).await;
    assert_eq!(sequences(&read(&mut stream, 2).await), [601, 602]);
    center.stop().await;
});

on_each_database!(a_negative_cursor_is_refused, async |store: Store| {
    let center = Center::start(store).await;
    for cursor in [-1, i64::MIN] {
        let refused = center.client().await.subscribe(SubscribeRequest { cursor }).await;
        let error = Error::from_status(&refused.expect_err("refused"));
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "CURSOR_INVALID"));
        assert_eq!(error.metadata["cursor"], cursor.to_string());
    }
    center.stop().await;
});

on_each_database!(what_is_undone_is_not_announced, async |store: Store| {
    let center = Center::start(store).await;
    let names = ["one", "refused", "two"];
    let changes = names.map(|name| {
        let way = if name == "refused" { Way::WriteAndRefuse } else { Way::AtOnce };
        center.store.writer.write(Note::announced(name, way))
    });
    join_all(changes).await;
    let events = read(&mut center.subscribe(0).await, 4).await;
    let subjects: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects, ["one", "one", "two", "two"]);
    assert_eq!(sequences(&events), [1, 2, 3, 4]);
    center.stop().await;
});

on_each_database!(another_instances_events_are_found_too, async |store: Store| {
    let center = Center::start(store).await;
    let other = Store::open(&center.store.config).await;
    let mut stream = center.subscribe(0).await;
    other.writer.write(Note::announced("other", Way::Append)).await.expect("stored");
    center.announce(["own".to_owned()].into_iter()).await;
    assert_eq!(sequences(&read(&mut stream, 4).await), [1, 2, 3, 4]);
    center.stop().await;
});

on_each_database!(a_subscriber_does_not_hold_the_center_up, async |store: Store| {
    let center = Center::start(store).await;
    let mut stream = center.subscribe(0).await;
    center.announce(["one".to_owned()].into_iter()).await;
    read(&mut stream, 2).await;
    let asked = tokio::time::Instant::now();
    center.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let end = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
});
