//! Rows as both engines give them.

use std::fmt;
use std::sync::Arc;

use sqlx::any::Any;

/// A row of a result. Its values are read with [`Row::get`].
pub struct AnyRow(pub(super) Columns);

pub(super) enum Columns {
    Sqlite(Cells),
    Postgres(sqlx::any::AnyRow),
}

impl fmt::Debug for AnyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyRow")
    }
}

/// A row of SQLite. All rows of a result share the names of their columns.
pub(super) struct Cells {
    pub(super) names: Arc<[String]>,
    pub(super) values: Vec<Cell>,
}

/// A value of SQLite; there are no columns of other types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BYTEA.
    Bytes(Vec<u8>),
}

/// A type that a column can be read as.
pub trait FromColumn<'r>: sqlx::Decode<'r, Any> + sqlx::Type<Any> {
    /// Reads a value; `None` where it is of another type.
    fn from_cell(cell: &'r Cell) -> Option<Self>;
}

/// Says which column: its place from 0, or its name.
pub trait ColumnIndex: sqlx::ColumnIndex<sqlx::any::AnyRow> + fmt::Display + Copy {
    /// The place of the column.
    fn place(self, names: &[String]) -> Option<usize>;
}

impl ColumnIndex for usize {
    fn place(self, names: &[String]) -> Option<usize> {
        Some(self).filter(|place| *place < names.len())
    }
}

impl ColumnIndex for &str {
    fn place(self, names: &[String]) -> Option<usize> {
        names.iter().position(|name| name == self)
    }
}

/// Reads rows.
pub trait Row {
    /// Reads a column.
    ///
    /// # Panics
    ///
    /// If there is no such column, or it is of another type: the statement and its reader stand in the same file and must
    /// agree.
    fn get<'r, T: FromColumn<'r>, I: ColumnIndex>(&'r self, column: I) -> T;
}

impl Row for AnyRow {
    fn get<'r, T: FromColumn<'r>, I: ColumnIndex>(&'r self, column: I) -> T {
        match &self.0 {
            Columns::Postgres(row) => sqlx::Row::get(row, column),
            Columns::Sqlite(Cells { names, values }) => {
                let place = column.place(names).unwrap_or_else(|| panic!("no column {column}"));
                let cell = &values[place];
                T::from_cell(cell)
                    .unwrap_or_else(|| panic!("column {column} is of another type: {cell:?}"))
            }
        }
    }
}

impl FromColumn<'_> for i64 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Int(value) => Some(*value),
            Cell::Null | Cell::Text(_) | Cell::Bytes(_) => None,
        }
    }
}

impl<'r> FromColumn<'r> for &'r str {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Text(value) => Some(value),
            Cell::Null | Cell::Int(_) | Cell::Bytes(_) => None,
        }
    }
}

impl FromColumn<'_> for String {
    fn from_cell(cell: &Cell) -> Option<Self> {
        <&str>::from_cell(cell).map(str::to_owned)
    }
}

impl FromColumn<'_> for Vec<u8> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(value) => Some(value.clone()),
            Cell::Null | Cell::Int(_) | Cell::Text(_) => None,
        }
    }
}

impl<'r, T: FromColumn<'r>> FromColumn<'r> for Option<T> {
    fn from_cell(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_) => T::from_cell(cell).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> AnyRow {
        let names = ["id", "size", "note", "body"].map(str::to_owned).into();
        let values =
            vec![Cell::Text("a".to_owned()), Cell::Int(7), Cell::Null, Cell::Bytes(vec![1, 2])];
        AnyRow(Columns::Sqlite(Cells { names, values }))
    }

    #[test]
    fn columns_are_read_by_place_and_by_name() {
        let row = row();
        assert_eq!(row.get::<String, _>(0), "a");
        assert_eq!(row.get::<&str, _>("id"), "a");
        assert_eq!(row.get::<i64, _>("size"), 7);
        assert_eq!(row.get::<Option<i64>, _>(1), Some(7));
        assert_eq!(row.get::<Option<String>, _>("note"), None);
        assert_eq!(row.get::<Vec<u8>, _>(3), [1, 2]);
    }

    #[test]
    #[should_panic(expected = "column note is of another type")]
    fn a_null_is_not_read_as_a_number() {
        let _: i64 = row().get("note");
    }

    #[test]
    #[should_panic(expected = "no column 4")]
    fn a_column_that_is_not_there_is_a_defect() {
        let _: i64 = row().get(4);
    }
}
