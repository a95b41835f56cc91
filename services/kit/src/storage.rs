//! One SQL text on SQLite and PostgreSQL, and the transaction in which a service changes its state.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration as SqlxMigration, MigrationType, Migrator};

use crate::error::{Error, Kind};

mod change;
mod insert;
mod ownership;
mod postgres;
mod row;
mod sqlite;
mod transaction;
mod writer;

pub use change::{Change, Tx, WorkingSet};
pub use insert::{Insert, Rows, Value};
pub use ownership::{Instance, OWNERSHIP_LOST};
pub use row::{AnyRow, Cell, ColumnIndex, FromColumn, Row};
pub use writer::{Writer, WriterLimits};

use postgres::Postgres;
use sqlite::Sqlite;
use transaction::{Statement, Transaction};

/// Connections that read. Transactions that write have one of their own, so that reads never keep a commit waiting.
const MAX_READ_CONNECTIONS: u32 = 4;
const MAX_WRITE_CONNECTIONS: u32 = 1;
/// How long a transaction may stand still: that of a machine that vanished must not keep the next owner of the store waiting.
const POSTGRES_IDLE_IN_TRANSACTION_MS: u32 = 10_000;
/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Versions of services' own migrations start above the kit's.
const SERVICE_MIGRATION_BASE: i64 = 1_000;

/// One forward step of a schema: `migrations/0001_what.sql`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Number of the file, consecutive from 1.
    pub version: i64,
    /// Name of the file after the number.
    pub description: &'static str,
    /// Portable statements.
    pub sql: &'static str,
}

const KIT_MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        description: "platform",
        sql: include_str!("../migrations/0001_platform.sql"),
    },
    Migration {
        version: 2,
        description: "ownership",
        sql: include_str!("../migrations/0002_ownership.sql"),
    },
];

/// Where a center stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageConfig {
    /// A SQLite file, made if it does not exist.
    Sqlite(PathBuf),
    /// A schema of a PostgreSQL database, made if it does not exist.
    Postgres {
        /// `postgres://user@host/database`.
        url: String,
        /// Schema: a lower-case name of a-z, 0-9 and _.
        schema: String,
    },
}

impl StorageConfig {
    /// What a driver connects to.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => sqlite_url(path),
            Self::Postgres { url, schema } => postgres_url(url, schema),
        }
    }
}

/// Which engine stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Embedded.
    Sqlite,
    /// Server.
    Postgres,
}

/// A center's own database.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
    center: &'static str,
}

/// What is below: the same statements on either.
#[derive(Clone)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("center", &self.center)
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database and brings its schema up to date.
    pub async fn open(
        center: &'static str,
        config: &StorageConfig,
        migrations: &[Migration],
    ) -> Result<Self, Error> {
        let place = config.to_string();
        let failed = |stage: &str, cause: &dyn fmt::Display| {
            Error::new(
                Kind::Unavailable,
                center,
                "STORE_UNAVAILABLE",
                format!("{stage} the store of the {center} center at {place}: {cause}"),
            )
        };
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let url = config.url();
        let engine = match config {
            StorageConfig::Sqlite(path) => {
                // Migrations are the same on both engines, and so is what carries them out.
                let pool = pool(&url, MAX_WRITE_CONNECTIONS).await;
                let pool = pool.map_err(|e| failed("open", &e))?;
                migrate(&pool, migrations).await.map_err(|e| failed("migrate", &e))?;
                pool.close().await;
                Engine::Sqlite(Sqlite::open(path).map_err(|e| failed("open", &e))?)
            }
            StorageConfig::Postgres { url: server, schema } => {
                create_schema(server, schema).await.map_err(|e| failed("make a schema in", &e))?;
                let writes = pool(&url, MAX_WRITE_CONNECTIONS).await;
                let writes = writes.map_err(|e| failed("open", &e))?;
                let reads = pool(&url, MAX_READ_CONNECTIONS).await;
                let reads = reads.map_err(|e| failed("open", &e))?;
                migrate(&writes, migrations).await.map_err(|e| failed("migrate", &e))?;
                Engine::Postgres(Postgres { reads, writes })
            }
        };
        Ok(Self { engine, center })
    }

    /// Name of the center that owns it.
    pub fn center(&self) -> &'static str {
        self.center
    }

    /// The engine below.
    pub fn backend(&self) -> Backend {
        match self.engine {
            Engine::Sqlite(_) => Backend::Sqlite,
            Engine::Postgres(_) => Backend::Postgres,
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let begun = match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.begin().await.map(Transaction::Sqlite),
            Engine::Postgres(postgres) => postgres.begin().await.map(Transaction::Postgres),
        };
        Ok(Tx::new(begun.map_err(|e| store_error(self.center, &e))?, self.center))
    }

    /// Reads all rows of a statement outside of any transaction.
    pub async fn fetch_all(
        &self,
        statement: &'static str,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<AnyRow>, Error> {
        self.fetch(statement, arguments.into_iter().collect(), usize::MAX).await
    }

    /// Reads at most one row of a statement outside of any transaction.
    pub async fn fetch_optional(
        &self,
        statement: &'static str,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<Option<AnyRow>, Error> {
        let mut rows = self.fetch(statement, arguments.into_iter().collect(), 1).await?;
        Ok(rows.pop())
    }

    async fn fetch(
        &self,
        statement: &'static str,
        values: Vec<Value>,
        most: usize,
    ) -> Result<Vec<AnyRow>, Error> {
        let rows = match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.fetch(statement, values, most).await,
            Engine::Postgres(postgres) => postgres.fetch(statement, values, most).await,
        };
        rows.map_err(|e| store_error(self.center, &e))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// What an engine says when it fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Postgres(#[from] sqlx::Error),
    #[error("all connections are in use")]
    Busy,
    #[error("it is closed")]
    Closed,
}

/// Says what a store's failure means to a caller: it did not happen, and may be repeated.
fn store_error(center: &'static str, cause: &Failure) -> Error {
    Error::new(
        Kind::Unavailable,
        center,
        "STORE_UNAVAILABLE",
        format!("the store of the {center} center failed: {cause}; nothing was changed, try again"),
    )
    .retry_after(Duration::from_secs(1))
}

/// Says what a failed COMMIT means: what the database answered did not happen; without an answer nobody knows.
fn commit_error(center: &'static str, cause: &Failure) -> Error {
    // An embedded engine always answers.
    if !matches!(cause, Failure::Postgres(cause) if !matches!(cause, sqlx::Error::Database(_))) {
        return store_error(center, cause);
    }
    Error::new(
        Kind::OutcomeUnknown,
        center,
        "OUTCOME_UNKNOWN",
        format!(
            "the store of the {center} center broke while it committed: {cause}; repeat the request with the same \
             request id"
        ),
    )
    .retry_after(Duration::from_secs(1))
}

/// A stored row does not read as what we wrote: refused, never repaired silently.
pub fn corrupt(center: &str, what: &str, cause: impl fmt::Display) -> Error {
    Error::internal(center, format!("corrupt row in {what}: {cause}"))
}

async fn migrate(
    pool: &AnyPool,
    migrations: &[Migration],
) -> Result<(), sqlx::migrate::MigrateError> {
    let kit = KIT_MIGRATIONS.iter().map(|m| (m.version, m));
    let own = migrations.iter().map(|m| (SERVICE_MIGRATION_BASE + m.version, m));
    let all = kit
        .chain(own)
        .map(|(version, m)| {
            SqlxMigration::new(
                version,
                m.description.into(),
                MigrationType::Simple,
                sqlx::SqlSafeStr::into_sql_str(m.sql),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(all).run(pool).await
}

async fn pool(url: &str, max_connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(max_connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(true)
        .connect(url)
        .await
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

fn postgres_url(url: &str, schema: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let patience = POSTGRES_IDLE_IN_TRANSACTION_MS;
    format!(
        "{url}{separator}options=-csearch_path%3D{schema}%20\
         -cidle_in_transaction_session_timeout%3D{patience}"
    )
}

async fn create_schema(url: &str, schema: &str) -> Result<(), sqlx::Error> {
    use sqlx::Connection;
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if schema.is_empty() || !schema.bytes().all(is_name) {
        return Err(sqlx::Error::Configuration(format!("schema name {schema:?}").into()));
    }
    let mut connection = sqlx::AnyConnection::connect(url).await?;
    // The name was checked; a schema cannot be a parameter. `order` is a word of SQL, so names stand in quotes.
    let statement = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

impl fmt::Display for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            // The URL may hold a password.
            Self::Postgres { url, schema } => {
                let host = url.rsplit_once('@').map_or("", |(_, host)| host);
                write!(f, "postgres://…@{host}, schema {schema}")
            }
        }
    }
}
