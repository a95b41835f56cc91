//! For tests of services: both databases, waiting for a condition, a log that fails the test.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{AnyConnection, Connection, Row};
use tempfile::TempDir;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, registry};

use crate::clock::Clock;
use crate::id;
use crate::metrics::Metrics;
use crate::server::Environment;
use crate::storage::{Instance, StorageConfig};

/// Where the tests find a PostgreSQL server: `postgres://user@host/database`.
const POSTGRES_VARIABLE: &str = "THROUGHLINE_TEST_POSTGRES";
/// How long a test waits for a condition.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// What sqlx says of a statement that took more than a second.
const SLOW: &str = "slow statement";
/// How long an owner of a store may be silent in tests.
const LEASE: Duration = Duration::from_secs(5);

/// An empty database that goes when the test ends (a schema of a server stays until its database is dropped).
#[derive(Debug)]
pub struct TestDatabase {
    /// How to open it.
    pub config: StorageConfig,
    _directory: Option<TempDir>,
}

/// An empty SQLite file, and an empty PostgreSQL schema where `THROUGHLINE_TEST_POSTGRES` names a server.
pub async fn each_database() -> Vec<TestDatabase> {
    let directory = TempDir::new().expect("make a temporary directory");
    let sqlite = TestDatabase {
        config: StorageConfig::Sqlite(directory.path().join("test.db")),
        _directory: Some(directory),
    };
    let mut databases = vec![sqlite];
    if let Some(url) = postgres_url() {
        let schema = format!("test_{}", id::new_body());
        let config = StorageConfig::Postgres { url, schema };
        databases.push(TestDatabase { config, _directory: None });
    }
    databases
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by one variable")]
fn postgres_url() -> Option<String> {
    std::env::var(POSTGRES_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// An environment on loopback with any port, the given store and clock, and no gateway.
pub fn environment(storage: &StorageConfig, clock: Clock) -> Environment {
    Environment {
        clock,
        storage: storage.clone(),
        instance: Instance { name: "test".to_owned(), lease: LEASE },
        listen: ([127, 0, 0, 1], 0).into(),
        gateway: None,
        metrics: Metrics::default(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    }
}

/// Runs statements on a store past its center: damage, and what earlier versions left there.
pub async fn tamper(config: &StorageConfig, statements: &[&'static str]) {
    let mut connection = connect(config).await;
    for statement in statements {
        sqlx::query(*statement).execute(&mut connection).await.expect("a statement");
    }
    connection.close().await.expect("closed");
}

/// Reads a number from a store past its center.
pub async fn number_in(config: &StorageConfig, statement: &'static str) -> i64 {
    let mut connection = connect(config).await;
    let row = sqlx::query(statement).fetch_one(&mut connection).await.expect("a row");
    connection.close().await.expect("closed");
    row.get(0)
}

async fn connect(config: &StorageConfig) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(&config.url()).await.expect("connect to the store")
}

/// Waits until a condition gives a value, with a bound.
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < patience, "waited {PATIENCE:?} for: {what}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Collects WARN and ERROR of the current thread's runtime; unexpected ones fail the test when it is dropped.
#[derive(Debug)]
pub struct LogGuard {
    lines: Arc<Mutex<Vec<String>>>,
    expected: Vec<&'static str>,
    _default: tracing::subscriber::DefaultGuard,
}

/// Begins to collect; messages that contain one of `expected` are allowed.
pub fn no_unexpected_warnings(expected: &[&'static str]) -> LogGuard {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let subscriber = registry().with(Collect { lines: Arc::clone(&lines) });
    LogGuard {
        lines,
        expected: expected.to_vec(),
        _default: tracing::subscriber::set_default(subscriber),
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_expected = |line: &String| self.expected.iter().any(|e| line.contains(e));
        // A busy machine is no defect.
        let unexpected = lines.iter().filter(|line| !line.contains(SLOW) && !is_expected(line));
        let unexpected: Vec<_> = unexpected.collect();
        assert!(unexpected.is_empty(), "unexpected warnings: {unexpected:#?}");
    }
}

struct Collect {
    lines: Arc<Mutex<Vec<String>>>,
}

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut line =
                Line(format!("{} {}:", event.metadata().level(), event.metadata().target()));
            event.record(&mut line);
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write;
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
