//! PostgreSQL through `sqlx::Any`.

use sqlx::AnyPool;
use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;

use super::row::{AnyRow, Columns};
use super::{Failure, Statement, Value};

/// One schema. Transactions that write have a connection of their own, so that reads never keep a commit waiting.
#[derive(Clone)]
pub(super) struct Postgres {
    pub(super) reads: AnyPool,
    pub(super) writes: AnyPool,
}

/// A transaction that writes.
pub(super) type Transaction = sqlx::Transaction<'static, Any>;

impl Postgres {
    pub(super) async fn begin(&self) -> Result<Transaction, Failure> {
        Ok(self.writes.begin_with("BEGIN").await?)
    }

    pub(super) async fn fetch(
        &self,
        statement: &'static str,
        values: Vec<Value>,
        most: usize,
    ) -> Result<Vec<AnyRow>, Failure> {
        let query = bind(Statement::Written(statement), values);
        if most == 1 {
            let row = query.fetch_optional(&self.reads).await?;
            return Ok(row.into_iter().map(read).collect());
        }
        Ok(query.fetch_all(&self.reads).await?.into_iter().map(read).collect())
    }

    pub(super) async fn close(&self) {
        self.reads.close().await;
        self.writes.close().await;
    }
}

/// Reads rows in a transaction.
pub(super) async fn fetch(
    transaction: &mut Transaction,
    statement: &'static str,
    values: Vec<Value>,
    most: usize,
) -> Result<Vec<AnyRow>, Failure> {
    let query = bind(Statement::Written(statement), values);
    if most == 1 {
        let row = query.fetch_optional(&mut **transaction).await?;
        return Ok(row.into_iter().map(read).collect());
    }
    Ok(query.fetch_all(&mut **transaction).await?.into_iter().map(read).collect())
}

/// Writes in a transaction, and says how many rows it met.
pub(super) async fn run(
    transaction: &mut Transaction,
    statement: Statement,
    values: Vec<Value>,
) -> Result<u64, Failure> {
    Ok(bind(statement, values).execute(&mut **transaction).await?.rows_affected())
}

fn read(row: sqlx::any::AnyRow) -> AnyRow {
    AnyRow(Columns::Postgres(row))
}

fn bind(statement: Statement, values: Vec<Value>) -> Query<'static, Any, AnyArguments> {
    let query = match statement {
        Statement::Written(text) => sqlx::query(text),
        Statement::Made(text) => {
            sqlx::query(sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text)))
        }
    };
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(v) => query.bind(v),
        Value::OptionalText(v) => query.bind(v),
        Value::Int(v) => query.bind(v),
        Value::OptionalInt(v) => query.bind(v),
        Value::Bytes(v) => query.bind(v),
    })
}
