//! Rows of marks, and the orders that have one.

use throughline_kit::Row;
use throughline_kit::error::Error;
use throughline_kit::storage::{Insert, Tx};

use super::OrderStore;
use crate::order::Order;

const DELETE: &str = "DELETE FROM order_marks WHERE order_id = $1";
static INSERT: Insert = Insert {
    table: "order_marks",
    columns: &["mark", "created_at_us", "order_id"],
    otherwise: "ON CONFLICT DO NOTHING",
};
/// Exceptions, those that trouble the most orders first.
const SELECT_EXCEPTIONS: &str = "SELECT mark, CAST(COUNT(*) AS BIGINT) FROM order_marks \
     WHERE mark >= 'exception:' AND mark < 'exception;' \
     GROUP BY mark ORDER BY 2 DESC, 1 LIMIT $1";

/// Stores the marks of an order in place of those that it had.
pub(super) async fn replace(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    if order.version > 1 {
        tx.execute(DELETE, [order.id.as_str().into()]).await?;
    }
    let row = |mark: &String| {
        vec![mark.as_str().into(), order.created_at.into(), order.id.as_str().into()]
    };
    tx.put(&INSERT, order.marks.iter().map(row).collect()).await?;
    Ok(())
}

impl OrderStore {
    /// Signatures of exceptions with the number of live orders that have them, the most first.
    pub(crate) async fn exceptions(&self, limit: i64) -> Result<Vec<(String, i64)>, Error> {
        let rows = self.database.fetch_all(SELECT_EXCEPTIONS, [limit.into()]).await?;
        let prefix = crate::mark::of_exception("");
        let read = |mark: String| mark.strip_prefix(&prefix).unwrap_or(&mark).to_owned();
        Ok(rows.iter().map(|row| (read(row.get(0)), row.get(1))).collect())
    }
}
