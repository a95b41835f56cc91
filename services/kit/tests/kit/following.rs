//! Following another center's feed: an effect happens once, with its cursor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use throughline_kit::CancellationToken;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};
use throughline_kit::feed::{Consumer, Cursor, FollowConfig, follow};
use throughline_kit::storage::{Change, Insert, Tx, Writer};
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::event::v1::Event;
use tokio::task::JoinHandle;

use crate::feeds::Center;
use crate::store::{CENTER, Store};

static INSERT: Insert = Insert { table: "notes", columns: &["name", "number"], otherwise: "" };

/// Writes down each event, in the same commit as the cursor: a second time would be refused by the table's key.
struct WriteDown {
    writer: Writer,
    /// Times that it fails before it works.
    failures: Arc<AtomicU32>,
}

struct Effect {
    events: Vec<Event>,
    cursor: Cursor,
}

impl Change for Effect {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for event in &self.events {
            let name = format!("{:04} {} {}", event.sequence, event.r#type, event.subject);
            tx.append(&INSERT, [name.into(), event.sequence.into()]);
        }
        self.cursor.store(tx).await
    }
}

impl Consumer for WriteDown {
    async fn consume(&self, events: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(Error::new(Kind::Unavailable, CENTER, "AWAY", "not now"));
        }
        self.writer.write(Effect { events, cursor }).await
    }
}

struct Follower {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Follower {
    fn start(store: &Store, source: std::net::SocketAddr, failures: u32) -> Self {
        let config =
            GatewayConfig { uri: format!("http://{source}"), api_key: "test-key".to_owned() };
        let client = GatewayClient::new(&config).expect("valid");
        let consumer = WriteDown {
            writer: store.writer.clone(),
            failures: Arc::new(AtomicU32::new(failures)),
        };
        let stop = CancellationToken::new();
        let follow_config = FollowConfig { center: "source".to_owned(), consumer: CENTER };
        let task = tokio::spawn(follow(
            follow_config,
            client,
            store.database.clone(),
            consumer,
            stop.clone(),
        ));
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic");
    }
}

async fn has_written(store: &Store, count: i64) -> Vec<String> {
    eventually("all events are written down", async || {
        (store.count().await >= count).then_some(())
    })
    .await;
    let notes = store.notes().await;
    assert_eq!(i64::try_from(notes.len()), Ok(count), "each event once");
    let numbers: Vec<i64> = notes.iter().map(|note| note[..4].parse().expect("a number")).collect();
    assert_eq!(numbers, (1..=count).collect::<Vec<i64>>(), "in order");
    notes
}

#[tokio::test]
async fn an_effect_happens_once_and_is_found_again_after_a_restart() {
    let _log = no_unexpected_warnings(&[]);
    let (sources, sinks) = (each_database().await, each_database().await);
    for (source, sink) in sources.iter().zip(&sinks) {
        let center = Center::start(Store::open(&source.config).await).await;
        let store = Store::open(&sink.config).await;
        center.announce((0..200).map(|n| format!("early {n}"))).await;
        // Failing leaves neither effect nor cursor: the same events come again.
        let follower = Follower::start(&store, center.running.address, 2);
        center.announce((0..200).map(|n| format!("late {n}"))).await;
        has_written(&store, 800).await;
        follower.stop().await;

        center.announce(["while away".to_owned()].into_iter()).await;
        let store = Store::open(&sink.config).await;
        let follower = Follower::start(&store, center.running.address, 0);
        let notes = has_written(&store, 802).await;
        assert!(notes[800].ends_with("while away"), "{}", notes[800]);
        follower.stop().await;
        center.stop().await;
    }
}

#[tokio::test]
async fn a_follower_goes_on_when_the_center_comes_back() {
    let _log = no_unexpected_warnings(&[]);
    let (sources, sinks) = (each_database().await, each_database().await);
    for (source, sink) in sources.iter().zip(&sinks) {
        let center = Center::start(Store::open(&source.config).await).await;
        let store = Store::open(&sink.config).await;
        let address = center.running.address;
        let follower = Follower::start(&store, address, 0);
        center.announce((0..5).map(|n| format!("first {n}"))).await;
        has_written(&store, 10).await;
        let config = center.stop().await;
        let center = Center::start_at(Store::open(&config).await, address).await;
        center.announce((0..5).map(|n| format!("second {n}"))).await;
        has_written(&store, 20).await;
        follower.stop().await;
        center.stop().await;
    }
}

#[tokio::test]
async fn a_cursor_never_goes_back() {
    for database in each_database().await {
        let center = Center::start(Store::open(&database.config).await).await;
        center.announce((0..5).map(|n| format!("note {n}"))).await;
        let store = Store::open(&database.config).await;
        let kept = CursorKeeper::default();
        let config = GatewayConfig {
            uri: format!("http://{}", center.running.address),
            api_key: "test-key".to_owned(),
        };
        let stop = CancellationToken::new();
        let following = tokio::spawn(follow(
            FollowConfig { center: "source".to_owned(), consumer: CENTER },
            GatewayClient::new(&config).expect("valid"),
            store.database.clone(),
            kept.clone(),
            stop.clone(),
        ));
        let early = eventually("a cursor", async || kept.first()).await;
        center.announce(["later".to_owned()].into_iter()).await;
        let late = eventually("a later cursor", async || kept.second()).await;
        late.save(&store.writer).await.expect("saved");
        early.save(&store.writer).await.expect("saved");
        stop.cancel();
        following.await.expect("no panic");
        let statement = "SELECT sequence FROM cursors WHERE consumer = $1 AND center = $2";
        let key = [CENTER.into(), "source".into()];
        let row = store.database.fetch_optional(statement, key).await.expect("read").expect("one");
        let sequence: i64 = throughline_kit::Row::get(&row, 0);
        assert_eq!(sequence, 12, "the later one");
        center.stop().await;
    }
}

/// Keeps the cursors that it is given, and stores none.
#[derive(Clone, Default)]
struct CursorKeeper {
    cursors: Arc<std::sync::Mutex<Vec<Cursor>>>,
}

impl CursorKeeper {
    fn first(&self) -> Option<Cursor> {
        self.cursors.lock().expect("no panic").first().cloned()
    }

    fn second(&self) -> Option<Cursor> {
        self.cursors.lock().expect("no panic").get(1).cloned()
    }
}

impl Consumer for CursorKeeper {
    async fn consume(&self, _: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        self.cursors.lock().expect("no panic").push(cursor);
        Ok(())
    }
}
