//! Rows that are added or replaced many at a time.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;

/// Rows in one statement, largest first. Fixed sizes so that each statement is prepared once; powers of two so that any
/// number of rows needs few statements, each of which costs a change of threads.
const CHUNK_SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];
/// Parameters in one statement at most. SQLite looks for the name of each among those before it, so that the time to bind
/// grows with the square of their number.
const MAX_PARAMETERS: usize = 512;

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// TEXT.
    Text(String),
    /// TEXT or NULL.
    OptionalText(Option<String>),
    /// BIGINT.
    Int(i64),
    /// BIGINT or NULL.
    OptionalInt(Option<i64>),
    /// BYTEA.
    Bytes(Vec<u8>),
}

impl Value {
    pub(crate) fn bind(
        self,
        query: Query<'static, Any, AnyArguments>,
    ) -> Query<'static, Any, AnyArguments> {
        match self {
            Self::Text(v) => query.bind(v),
            Self::OptionalText(v) => query.bind(v),
            Self::Int(v) => query.bind(v),
            Self::OptionalInt(v) => query.bind(v),
            Self::Bytes(v) => query.bind(v),
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::OptionalText(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::OptionalInt(value)
    }
}

impl From<crate::clock::Instant> for Value {
    fn from(value: crate::clock::Instant) -> Self {
        Self::Int(value.0)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// A statement that adds rows: table and columns, all spelled out.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Insert {
    /// Table.
    pub table: &'static str,
    /// Columns, in the order of the values.
    pub columns: &'static [&'static str],
    /// What to do with a row whose key is there (`ON CONFLICT …`); empty where that is an error.
    pub otherwise: &'static str,
}

impl Insert {
    /// Text for a number of rows, made once and kept.
    fn statement(&'static self, rows: usize) -> Arc<str> {
        type Texts = Mutex<HashMap<(&'static Insert, usize), Arc<str>>>;
        static TEXTS: LazyLock<Texts> = LazyLock::new(Mutex::default);
        let mut texts = TEXTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(texts.entry((self, rows)).or_insert_with(|| self.text(rows).into()))
    }

    fn text(&self, rows: usize) -> String {
        let width = self.columns.len();
        let tuples: Vec<String> = (0..rows)
            .map(|row| {
                let marks: Vec<String> =
                    (1..=width).map(|column| format!("${}", row * width + column)).collect();
                format!("({})", marks.join(", "))
            })
            .collect();
        let columns = self.columns.join(", ");
        let tuples = tuples.join(", ");
        let Self { table, otherwise, .. } = self;
        format!("INSERT INTO {table} ({columns}) VALUES {tuples} {otherwise}").trim_end().to_owned()
    }

    /// Splits rows into statements of the fixed sizes.
    pub(crate) fn queries(
        &'static self,
        rows: Vec<Vec<Value>>,
    ) -> Vec<Query<'static, Any, AnyArguments>> {
        let mut rows = rows.into_iter();
        let mut queries = Vec::new();
        while rows.len() > 0 {
            let left = rows.len();
            let fits = |n: &usize| *n <= left && n * self.columns.len() <= MAX_PARAMETERS;
            let size = CHUNK_SIZES.into_iter().find(fits).unwrap_or(1);
            let text = sqlx::AssertSqlSafe(self.statement(size));
            let mut query = sqlx::query(sqlx::SqlSafeStr::into_sql_str(text));
            for value in rows.by_ref().take(size).flatten() {
                query = value.bind(query);
            }
            queries.push(query);
        }
        queries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAIRS: Insert = Insert { table: "pairs", columns: &["a", "b"], otherwise: "" };

    #[test]
    fn the_text_numbers_every_value() {
        assert_eq!(PAIRS.text(2), "INSERT INTO pairs (a, b) VALUES ($1, $2), ($3, $4)");
        let keep = Insert { otherwise: "ON CONFLICT DO NOTHING", ..PAIRS };
        assert_eq!(keep.text(1), "INSERT INTO pairs (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    }

    #[test]
    fn rows_are_split_into_fixed_sizes() {
        let rows = (0..75).map(|n| vec![Value::Int(n), Value::Int(n)]).collect();
        // 64 + 8 + 2 + 1
        assert_eq!(PAIRS.queries(rows).len(), 4);
    }
}
