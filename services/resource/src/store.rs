//! Every statement, and what its rows mean; one file per noun.

use std::time::Duration;

use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Migration, Value, corrupt};

use crate::error::DOMAIN;
use crate::pool::PoolCode;

/// Keys that one statement looks for; the last chunk is filled up with its last key, so that there is one text.
pub(crate) const KEYS_PER_STATEMENT: usize = 64;

/// Sixty-four parameters after the first.
macro_rules! keys_after_first {
    () => {
        "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
         $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, \
         $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65"
    };
}

pub(crate) mod item;
pub(crate) mod movement;
pub(crate) mod pool;
pub(crate) mod reservation;

/// Wait before a change that met another instance's is tried again.
const CONFLICT_RETRY: Duration = Duration::from_millis(100);

/// Steps of the schema.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "stock",
    sql: include_str!("../migrations/0001_stock.sql"),
}];

/// Reason of the error when another instance was faster.
pub(crate) const CONFLICT: &str = "STORE_CONFLICT";

/// Another instance changed the row since it was read: the commit is undone, and the change may be repeated.
pub(crate) fn conflict(what: &str) -> Error {
    let message = format!("{what} changed meanwhile; nothing was changed, try again");
    Error::new(Kind::Unavailable, DOMAIN, CONFLICT, message).retry_after(CONFLICT_RETRY)
}

/// Checks that a compare-and-set met what it should.
pub(crate) fn met(rows: u64, expected: u64, what: &str) -> Result<(), Error> {
    if rows == expected { Ok(()) } else { Err(conflict(what)) }
}

/// Arguments of the statements that look for many keys: what comes first, then the keys.
pub(crate) fn in_chunks(first: &Value, keys: &[&str]) -> Vec<Vec<Value>> {
    let arguments = |chunk: &[&str]| {
        let fill = chunk.last().copied().unwrap_or_default();
        let padding = std::iter::repeat_n(fill, KEYS_PER_STATEMENT - chunk.len());
        let keys = chunk.iter().copied().chain(padding).map(Value::from);
        std::iter::once(first.clone()).chain(keys).collect()
    };
    keys.chunks(KEYS_PER_STATEMENT).map(arguments).collect()
}

fn pool_code(table: &str, text: &str) -> Result<PoolCode, Error> {
    PoolCode::parse(text).map_err(|e| corrupt(DOMAIN, table, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_of_keys_is_filled_up() {
        let names: Vec<String> = (0..65).map(|n| n.to_string()).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let chunks = in_chunks(&Value::Int(7), &keys);
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [65, 65]);
        assert_eq!(chunks[1][0], Value::Int(7));
        assert!(chunks[1][1..].iter().all(|key| *key == Value::from("64")));
        assert!(in_chunks(&Value::Int(7), &[]).is_empty());
    }
}
