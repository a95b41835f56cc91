//! A change of a center's state, and the transaction it is applied in.

use std::any::Any as AnyType;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::{AnyRow, Insert, Row, Rows, Statement, Transaction, Value, commit_error, store_error};
use crate::error::Error;
use crate::outbox::{self, Announcement};

/// One unit of work that is stored whole or not at all, together with others in one group commit.
///
/// `apply` may run twice: when another change of the same commit fails after it wrote, the commit is undone and every
/// change is applied again in a transaction of its own. So `apply` must depend on nothing but `self` and the store, and
/// a change that refuses should do so before it writes.
pub trait Change: Send + Sync + 'static {
    /// What the caller gets after the commit.
    type Output: Send + 'static;

    /// Decides and writes.
    fn apply(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// State that the changes of one commit share in memory, and that is written once, just before the commit: a row that a
/// hundred changes of one commit touch is read once and updated once. It goes with a commit that is undone, so it is
/// never older than the transaction. A change that refuses leaves it as it found it.
pub trait WorkingSet: Send + 'static {
    /// Writes what changed. An error undoes the commit.
    fn flush(&mut self, tx: &mut Tx) -> impl Future<Output = Result<(), Error>> + Send;
}

type Flushed<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

trait ErasedWorkingSet: Send {
    fn flush_erased<'a>(&'a mut self, tx: &'a mut Tx) -> Flushed<'a>;
    fn into_any(self: Box<Self>) -> Box<dyn AnyType>;
}

impl<W: WorkingSet> ErasedWorkingSet for W {
    fn flush_erased<'a>(&'a mut self, tx: &'a mut Tx) -> Flushed<'a> {
        Box::pin(self.flush(tx))
    }

    fn into_any(self: Box<Self>) -> Box<dyn AnyType> {
        self
    }
}

/// A transaction that writes. Rows given to [`Tx::append`] and events given to [`Tx::announce`] are written just before
/// the commit, many at a time; statements given to the other methods run at once.
pub struct Tx {
    inner: Transaction,
    center: &'static str,
    appended: Vec<(&'static Insert, Vec<Vec<Value>>)>,
    announced: Vec<Announcement>,
    working_set: Option<Box<dyn ErasedWorkingSet>>,
    writes: u64,
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("writes", &self.writes).finish_non_exhaustive()
    }
}

impl Tx {
    pub(super) fn new(inner: Transaction, center: &'static str) -> Self {
        Self {
            inner,
            center,
            appended: Vec::new(),
            announced: Vec::new(),
            working_set: None,
            writes: 0,
        }
    }

    /// How many writes were asked for so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    /// Reads all rows.
    pub async fn fetch_all(
        &mut self,
        statement: &'static str,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<AnyRow>, Error> {
        let values = arguments.into_iter().collect();
        let rows = self.inner.fetch(statement, values, usize::MAX).await;
        rows.map_err(|e| store_error(self.center, &e))
    }

    /// Reads at most one row.
    pub async fn fetch_optional(
        &mut self,
        statement: &'static str,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<Option<AnyRow>, Error> {
        let values = arguments.into_iter().collect();
        let rows = self.inner.fetch(statement, values, 1).await;
        Ok(rows.map_err(|e| store_error(self.center, &e))?.pop())
    }

    /// Writes at once and says how many rows it met. A compare-and-set checks that it met one.
    pub async fn execute(
        &mut self,
        statement: &'static str,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<u64, Error> {
        self.writes += 1;
        self.run(Statement::Written(statement), arguments.into_iter().collect()).await
    }

    async fn run(&mut self, statement: Statement, values: Vec<Value>) -> Result<u64, Error> {
        let met = self.inner.run(statement, values).await;
        met.map_err(|e| store_error(self.center, &e))
    }

    /// Adds a row, written before the commit. Nothing in the same commit may read it by SQL.
    pub fn append(&mut self, insert: &'static Insert, row: impl IntoIterator<Item = Value>) {
        self.writes += 1;
        let row: Vec<Value> = row.into_iter().collect();
        assert_eq!(
            row.len(),
            insert.columns.len(),
            "one value for each column of {}",
            insert.table
        );
        match self.appended.iter_mut().find(|(i, _)| *i == insert) {
            Some((_, rows)) => rows.push(row),
            None => self.appended.push((insert, vec![row])),
        }
    }

    /// Adds or replaces rows at once and says how many it met. A compare-and-set checks that it met all.
    pub async fn put(
        &mut self,
        insert: &'static Insert,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, Error> {
        self.run_all(insert.statements(rows)).await
    }

    /// Changes rows by rows of values at once and says how many it met. A compare-and-set checks that it met all.
    pub async fn change(
        &mut self,
        statement: &'static Rows,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, Error> {
        self.run_all(statement.statements(rows)).await
    }

    async fn run_all(&mut self, statements: Vec<(Statement, Vec<Value>)>) -> Result<u64, Error> {
        let mut met = 0;
        for (statement, values) in statements {
            self.writes += 1;
            met += self.run(statement, values).await?;
        }
        Ok(met)
    }

    /// Announces an event with this commit.
    pub fn announce(&mut self, event: Announcement) {
        self.writes += 1;
        self.announced.push(event);
    }

    /// Takes out what earlier changes of this commit keep in memory; `None` for the first. It must be kept again with
    /// [`Tx::keep_working_set`] before the change ends. A center has one type of working set.
    pub fn take_working_set<W: WorkingSet>(&mut self) -> Option<W> {
        let kept = self.working_set.take()?.into_any();
        Some(*kept.downcast().expect("a center has one type of working set"))
    }

    /// Keeps state for the later changes of this commit and for the commit itself.
    pub fn keep_working_set<W: WorkingSet>(&mut self, working_set: W) {
        self.working_set = Some(Box::new(working_set));
    }

    /// Writes what was collected and commits. Gives the sequence of the last event, if there was one. OUTCOME_UNKNOWN when
    /// the connection broke during the commit.
    pub async fn commit(mut self) -> Result<Option<i64>, Error> {
        if let Some(mut working_set) = self.working_set.take() {
            working_set.flush_erased(&mut self).await?;
        }
        let last = self.flush_events().await?;
        for (insert, rows) in std::mem::take(&mut self.appended) {
            self.run_all(insert.statements(rows)).await?;
        }
        let center = self.center;
        self.inner.commit().await.map_err(|e| commit_error(center, &e))?;
        Ok(last)
    }

    async fn flush_events(&mut self) -> Result<Option<i64>, Error> {
        let announced = std::mem::take(&mut self.announced);
        if announced.is_empty() {
            return Ok(None);
        }
        let row = self
            .fetch_optional(outbox::LAST_SEQUENCE, [])
            .await?
            .ok_or_else(|| super::corrupt(self.center, "outbox", "no last sequence"))?;
        let mut sequence: i64 = row.get(0);
        for event in announced {
            sequence += 1;
            self.append(&outbox::INSERT_EVENT, event.into_row(sequence));
        }
        Ok(Some(sequence))
    }

    /// Undoes everything.
    pub async fn rollback(self) -> Result<(), Error> {
        let center = self.center;
        self.inner.rollback().await.map_err(|e| store_error(center, &e))
    }
}
