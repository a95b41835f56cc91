//! A store to test with: notes, a counter, and changes of them.

use std::sync::Arc;

use futures::future::{join, join_all};
use throughline_kit::Row;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::outbox::Announcement;
use throughline_kit::storage::{
    Change, Database, Insert, Migration, StorageConfig, Tx, WorkingSet, Writer, WriterLimits,
};
use throughline_proto::r#type::v1::Money;
use tokio::sync::Notify;

pub(crate) const CENTER: &str = "test";
pub(crate) const START: Instant = Instant(1_700_000_000_000_000);

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "notes",
    sql: "CREATE TABLE notes (name TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL); \
          CREATE TABLE commits (number BIGINT NOT NULL); \
          INSERT INTO commits (number) VALUES (0);",
}];

static INSERT_NOTE: Insert = Insert { table: "notes", columns: &["name", "number"], otherwise: "" };
const WRITE_NOTE: &str = "INSERT INTO notes (name, number) VALUES ($1, $2)";
const COUNT_NOTES: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM notes";
const SELECT_NOTES: &str = "SELECT name, number FROM notes ORDER BY number, name";
const COUNT_COMMITS: &str = "SELECT number FROM commits";
const ADD_COMMIT: &str = "UPDATE commits SET number = number + 1";

/// An open database with its writer.
pub(crate) struct Store {
    pub(crate) config: StorageConfig,
    pub(crate) database: Database,
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
}

impl Store {
    pub(crate) async fn open(config: &StorageConfig) -> Self {
        Self::open_with(config, WriterLimits::default()).await
    }

    pub(crate) async fn open_with(config: &StorageConfig, limits: WriterLimits) -> Self {
        let database = Database::open(CENTER, config, MIGRATIONS).await.expect("open");
        let writer = Writer::start(&database, limits);
        Self { config: config.clone(), database, writer, clock: Clock::fixed(START) }
    }

    pub(crate) fn idempotency(&self) -> Idempotency {
        Idempotency::new(self.writer.clone(), self.clock.clone(), CENTER)
    }

    pub(crate) async fn note(&self, name: &str) -> Result<(), Error> {
        self.writer.write(Note::new(name, Way::Append)).await
    }

    /// Has the writer take all of these at once: they gather while it waits within the commit before.
    pub(crate) async fn together(
        &self,
        notes: impl Iterator<Item = Note>,
    ) -> Vec<Result<(), Error>> {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let before = Wait { begun: Arc::clone(&begun), go_on: Arc::clone(&go_on) };
        let gather = async {
            begun.notified().await;
            let written = join_all(notes.map(|note| self.writer.write(note)));
            let let_go = async {
                // All are in the queue: they were polled before this.
                tokio::task::yield_now().await;
                go_on.notify_one();
            };
            join(written, let_go).await.0
        };
        let (before, written) = join(self.writer.write(before), gather).await;
        before.expect("it writes nothing");
        written
    }

    pub(crate) async fn notes(&self) -> Vec<String> {
        let rows = self.database.fetch_all(SELECT_NOTES, []).await.expect("read");
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn count(&self) -> i64 {
        self.number(COUNT_NOTES).await
    }

    /// Commits in which a change took part.
    pub(crate) async fn commits(&self) -> i64 {
        self.number(COUNT_COMMITS).await
    }

    async fn number(&self, statement: &'static str) -> i64 {
        let row = self.database.fetch_optional(statement, []).await.expect("read");
        row.expect("one row").get(0)
    }
}

/// Counts the commits that really happened.
struct CountCommits;

impl WorkingSet for CountCommits {
    async fn flush(&mut self, tx: &mut Tx) -> Result<(), Error> {
        tx.execute(ADD_COMMIT, []).await.map(|_| ())
    }
}

/// How a note is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// With all others, before the commit.
    Append,
    /// At once.
    AtOnce,
    /// Refused before anything is written.
    Refuse,
    /// Refused after it was written.
    WriteAndRefuse,
    /// The change panics after it was written.
    WriteAndPanic,
}

/// Writes one note.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    name: String,
    way: Way,
    announce: bool,
}

impl Note {
    pub(crate) fn new(name: &str, way: Way) -> Self {
        Self { name: name.to_owned(), way, announce: false }
    }

    pub(crate) fn announced(name: &str, way: Way) -> Self {
        Self { announce: true, ..Self::new(name, way) }
    }
}

pub(crate) fn refusal() -> Error {
    Error::new(Kind::Precondition, CENTER, "NO_NOTE", "this note is refused").with("why", "test")
}

/// Announces something in whose payload is a number.
pub(crate) fn announcement(kind: &'static str, subject: &str, number: i64) -> Announcement {
    let payload = Money { currency_code: "XTS".to_owned(), minor_units: number };
    Announcement::new(kind, subject, "ord_1", START, &payload)
}

impl Change for Note {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        if self.way == Way::Refuse {
            return Err(refusal());
        }
        let counting = tx.take_working_set::<CountCommits>();
        tx.keep_working_set(counting.unwrap_or(CountCommits));
        let row = [self.name.as_str().into(), 0.into()];
        match self.way {
            Way::Append | Way::Refuse => tx.append(&INSERT_NOTE, row),
            Way::AtOnce | Way::WriteAndRefuse | Way::WriteAndPanic => {
                tx.execute(WRITE_NOTE, row).await?;
            }
        }
        if self.announce {
            tx.announce(announcement("note.written", &self.name, 1));
            tx.announce(announcement("note.read", &self.name, 2));
        }
        match self.way {
            Way::WriteAndRefuse => Err(refusal()),
            Way::WriteAndPanic => panic!("a change panics on purpose"),
            Way::Append | Way::AtOnce | Way::Refuse => Ok(()),
        }
    }
}

/// Writes many notes.
pub(crate) struct Notes(pub(crate) i64);

impl Change for Notes {
    type Output = i64;

    async fn apply(&self, tx: &mut Tx) -> Result<i64, Error> {
        for number in 0..self.0 {
            tx.append(&INSERT_NOTE, [format!("note {number}").into(), number.into()]);
        }
        Ok(self.0)
    }
}

/// Waits inside of its commit until it may go on.
pub(crate) struct Wait {
    pub(crate) begun: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
}

impl Change for Wait {
    type Output = ();

    async fn apply(&self, _: &mut Tx) -> Result<(), Error> {
        self.begun.notify_one();
        self.go_on.notified().await;
        Ok(())
    }
}
