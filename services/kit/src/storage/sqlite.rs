//! SQLite in the thread that asks: a statement costs what it does, and no change of threads.
//!
//! A transaction that writes waits for the disk, so it belongs into a thread of its own ([`super::Writer`] has one); what
//! only reads goes to the threads that may block.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use tokio::sync::{OwnedMutexGuard, Semaphore};

use super::row::{AnyRow, Cell, Cells, Columns};
use super::{Failure, MAX_READ_CONNECTIONS, Value};

/// How long a statement waits for another process's lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared.
const MAX_PREPARED_STATEMENTS: usize = 256;
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000;";

/// One file: a connection that writes, and a few that read, so that reads never keep a commit waiting.
#[derive(Clone)]
pub(super) struct Sqlite {
    /// None once it is closed.
    writes: Arc<tokio::sync::Mutex<Option<Connection>>>,
    reads: Arc<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

/// A transaction that writes.
pub(super) struct Transaction {
    connection: OwnedMutexGuard<Option<Connection>>,
    is_open: bool,
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(PRAGMAS)?;
    connection.set_prepared_statement_cache_capacity(MAX_PREPARED_STATEMENTS);
    Ok(connection)
}

impl Sqlite {
    /// Opens a file whose schema is up to date.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let writes = Arc::new(tokio::sync::Mutex::new(Some(open(path)?)));
        let turns = Arc::new(Semaphore::new(MAX_READ_CONNECTIONS as usize));
        let reads = Readers { path: path.to_owned(), idle: Mutex::default(), turns };
        Ok(Self { writes, reads: Arc::new(reads) })
    }

    /// Begins a transaction once the one before has ended.
    pub(super) async fn begin(&self) -> Result<Transaction, Failure> {
        let connection =
            tokio::time::timeout(super::ACQUIRE_TIMEOUT, self.writes.clone().lock_owned());
        let connection = connection.await.map_err(|_| Failure::Busy)?;
        let mut transaction = Transaction { connection, is_open: false };
        // A plain BEGIN takes the write lock late and then fails under concurrency.
        transaction.run("BEGIN IMMEDIATE", &[])?;
        transaction.is_open = true;
        Ok(transaction)
    }

    /// Reads rows, at most so many.
    pub(super) async fn fetch(
        &self,
        statement: &'static str,
        values: Vec<Value>,
        most: usize,
    ) -> Result<Vec<AnyRow>, Failure> {
        let turn = Arc::clone(&self.reads.turns).acquire_owned();
        let turn = tokio::time::timeout(super::ACQUIRE_TIMEOUT, turn).await;
        let turn = turn.map_err(|_| Failure::Busy)?.map_err(|_| Failure::Closed)?;
        let reads = Arc::clone(&self.reads);
        let read = tokio::task::spawn_blocking(move || {
            let rows = reads.fetch(statement, &values, most);
            drop(turn);
            rows
        });
        read.await.unwrap_or(Err(Failure::Closed))
    }

    /// Closes all connections, once those that are used are given back.
    pub(super) async fn close(&self) {
        self.reads.turns.close();
        self.reads.idle().clear();
        drop(self.writes.lock().await.take());
    }
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(
        &self,
        statement: &str,
        values: &[Value],
        most: usize,
    ) -> Result<Vec<AnyRow>, Failure> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| open(&self.path), Ok)?;
        let rows = fetch(&connection, statement, values, most);
        if !self.turns.is_closed() {
            self.idle().push(connection);
        }
        rows
    }
}

impl Transaction {
    fn connection(&self) -> Result<&Connection, Failure> {
        self.connection.as_ref().ok_or(Failure::Closed)
    }

    /// Reads rows, at most so many.
    pub(super) fn fetch(
        &mut self,
        statement: &str,
        values: &[Value],
        most: usize,
    ) -> Result<Vec<AnyRow>, Failure> {
        fetch(self.connection()?, statement, values, most)
    }

    /// Writes, and says how many rows it met.
    pub(super) fn run(&mut self, statement: &str, values: &[Value]) -> Result<u64, Failure> {
        let connection = self.connection()?;
        let mut prepared = prepare(connection, statement, values)?;
        let mut rows = prepared.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        drop(prepared);
        Ok(connection.changes())
    }

    pub(super) fn commit(mut self) -> Result<(), Failure> {
        self.run("COMMIT", &[])?;
        self.is_open = false;
        Ok(())
    }

    pub(super) fn rollback(mut self) -> Result<(), Failure> {
        self.is_open = false;
        self.undo()
    }

    /// Some failures end a transaction by themselves: then there is nothing left to undo.
    fn undo(&mut self) -> Result<(), Failure> {
        if self.connection()?.is_autocommit() {
            return Ok(());
        }
        self.run("ROLLBACK", &[]).map(|_| ())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open
            && let Err(cause) = self.undo()
        {
            tracing::warn!(%cause, "roll back a transaction that was given up");
        }
    }
}

/// Prepares a statement with its values. `$3` is the third value; to SQLite that is a name, and `?3` the number. No statement
/// has a `$` for anything else.
fn prepare<'c>(
    connection: &'c Connection,
    statement: &str,
    values: &[Value],
) -> rusqlite::Result<CachedStatement<'c>> {
    let mut prepared = connection.prepare_cached(&statement.replace('$', "?"))?;
    for (index, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, value)?;
    }
    Ok(prepared)
}

fn fetch(
    connection: &Connection,
    statement: &str,
    values: &[Value],
    most: usize,
) -> Result<Vec<AnyRow>, Failure> {
    let mut prepared = prepare(connection, statement, values)?;
    let width = prepared.column_count();
    let mut names: Option<Arc<[String]>> = None;
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        let names = names.get_or_insert_with(|| {
            row.as_ref().column_names().into_iter().map(str::to_owned).collect()
        });
        let values = (0..width).map(|column| cell(row.get_ref(column)?, column));
        let values = values.collect::<rusqlite::Result<_>>()?;
        found.push(AnyRow(Columns::Sqlite(Cells { names: Arc::clone(names), values })));
    }
    Ok(found)
}

fn cell(value: ValueRef<'_>, column: usize) -> rusqlite::Result<Cell> {
    let of_another_type =
        |cause| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause));
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Text(value) => {
            Cell::Text(std::str::from_utf8(value).map_err(of_another_type)?.to_owned())
        }
        ValueRef::Blob(value) => Cell::Bytes(value.to_vec()),
        ValueRef::Real(_) => {
            let name = String::from("a number with a fraction");
            return Err(rusqlite::Error::InvalidColumnType(column, name, Type::Real));
        }
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) | Self::OptionalText(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) | Self::OptionalInt(Some(number)) => ValueRef::Integer(*number),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::OptionalText(None) | Self::OptionalInt(None) => ValueRef::Null,
        }))
    }
}
