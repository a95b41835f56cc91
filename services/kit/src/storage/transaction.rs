//! A transaction on either engine.

use std::sync::Arc;

use super::{AnyRow, Failure, Value, postgres, sqlite};

/// A transaction that writes; one that is dropped is undone.
pub(super) enum Transaction {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
}

/// Text of a statement.
pub(super) enum Statement {
    /// It stands in a store.
    Written(&'static str),
    /// Made for a number of rows.
    Made(Arc<str>),
}

impl Statement {
    fn text(&self) -> &str {
        match self {
            Self::Written(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl Transaction {
    /// Reads rows, at most so many.
    pub(super) async fn fetch(
        &mut self,
        statement: &'static str,
        values: Vec<Value>,
        most: usize,
    ) -> Result<Vec<AnyRow>, Failure> {
        match self {
            Self::Sqlite(transaction) => transaction.fetch(statement, &values, most),
            Self::Postgres(transaction) => {
                postgres::fetch(transaction, statement, values, most).await
            }
        }
    }

    /// Writes, and says how many rows it met.
    pub(super) async fn run(
        &mut self,
        statement: Statement,
        values: Vec<Value>,
    ) -> Result<u64, Failure> {
        match self {
            Self::Sqlite(transaction) => transaction.run(statement.text(), &values),
            Self::Postgres(transaction) => postgres::run(transaction, statement, values).await,
        }
    }

    pub(super) async fn commit(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(transaction) => transaction.commit(),
            Self::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    pub(super) async fn rollback(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback(),
            Self::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }
}
