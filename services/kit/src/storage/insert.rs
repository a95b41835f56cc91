//! Statements over many rows of values at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::Statement;

/// Rows in one statement, largest first. Fixed sizes so that each statement is prepared once; powers of two so that any
/// number of rows needs few statements, each of which costs a round trip on a server.
const CHUNK_SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];
/// Parameters in one statement at most, so that no text that stays prepared is very long.
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

/// A statement over rows of values: `UPDATE … FROM (`, the rows, `) AS v WHERE …`. The columns of the rows are `column1`,
/// `column2` and so on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    /// What stands before `VALUES`.
    pub before: &'static str,
    /// Values of a row.
    pub width: usize,
    /// What stands after the last row.
    pub after: &'static str,
}

impl Rows {
    /// Text for a number of rows, made once and kept.
    fn statement(&'static self, rows: usize) -> Arc<str> {
        static TEXTS: LazyLock<Texts<Rows>> = LazyLock::new(Mutex::default);
        kept(&TEXTS, self, rows, || {
            let Self { before, width, after } = self;
            format!("{before} VALUES {} {after}", tuples(rows, *width))
        })
    }

    /// Splits rows into statements of the fixed sizes, each with its values.
    pub(super) fn statements(&'static self, rows: Vec<Vec<Value>>) -> Vec<(Statement, Vec<Value>)> {
        statements(rows, self.width, |size| self.statement(size))
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
        static TEXTS: LazyLock<Texts<Insert>> = LazyLock::new(Mutex::default);
        kept(&TEXTS, self, rows, || self.text(rows))
    }

    fn text(&self, rows: usize) -> String {
        let tuples = tuples(rows, self.columns.len());
        let columns = self.columns.join(", ");
        let Self { table, otherwise, .. } = self;
        format!("INSERT INTO {table} ({columns}) VALUES {tuples} {otherwise}").trim_end().to_owned()
    }

    /// Splits rows into statements of the fixed sizes, each with its values.
    pub(super) fn statements(&'static self, rows: Vec<Vec<Value>>) -> Vec<(Statement, Vec<Value>)> {
        statements(rows, self.columns.len(), |size| self.statement(size))
    }
}

/// Texts of statements, by statement and number of rows.
type Texts<S> = Mutex<HashMap<(&'static S, usize), Arc<str>>>;

fn kept<S: Eq + Hash>(
    texts: &Texts<S>,
    statement: &'static S,
    rows: usize,
    text: impl FnOnce() -> String,
) -> Arc<str> {
    let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(texts.entry((statement, rows)).or_insert_with(|| text().into()))
}

/// `($1, $2), ($3, $4)`
fn tuples(rows: usize, width: usize) -> String {
    let tuple = |row| {
        let marks: Vec<String> =
            (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", marks.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<String>>().join(", ")
}

fn statements(
    rows: Vec<Vec<Value>>,
    width: usize,
    text: impl Fn(usize) -> Arc<str>,
) -> Vec<(Statement, Vec<Value>)> {
    let mut rows = rows.into_iter();
    let mut statements = Vec::new();
    while rows.len() > 0 {
        let left = rows.len();
        let fits = |n: &usize| *n <= left && n * width <= MAX_PARAMETERS;
        let size = CHUNK_SIZES.into_iter().find(fits).unwrap_or(1);
        let values = rows.by_ref().take(size).flatten().collect();
        statements.push((Statement::Made(text(size)), values));
    }
    statements
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
    fn rows_stand_between_what_is_said_of_them() {
        static GO: Rows = Rows { before: "DELETE FROM pairs WHERE a IN (", width: 1, after: ")" };
        assert_eq!(&*GO.statement(2), "DELETE FROM pairs WHERE a IN ( VALUES ($1), ($2) )");
    }

    #[test]
    fn rows_are_split_into_fixed_sizes() {
        let rows = (0..75).map(|n| vec![Value::Int(n), Value::Int(n)]).collect();
        // 64 + 8 + 2 + 1
        assert_eq!(PAIRS.statements(rows).len(), 4);
    }
}
