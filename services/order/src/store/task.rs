//! Rows of open tasks.

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Insert, Tx};

use super::OrderStore;
use crate::order::Order;

const DELETE: &str = "DELETE FROM tasks WHERE order_id = $1";
static INSERT: Insert = Insert {
    table: "tasks",
    columns: &["task_id", "order_id", "task_group", "claimed_by", "deadline_us"],
    otherwise: "",
};
const SELECT_ORDER: &str = "SELECT order_id FROM tasks WHERE task_id = $1";
const SELECT_PAGE: &str = "SELECT task_id, order_id, deadline_us FROM tasks \
     WHERE (deadline_us, task_id) > ($1, $2) \
     AND (CAST($4 AS TEXT) IS NULL OR task_group = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR claimed_by = $5) \
     AND (CAST($6 AS TEXT) IS NULL OR order_id = $6) \
     ORDER BY deadline_us, task_id LIMIT $3";

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskFilter {
    /// Only of this group.
    pub(crate) group: Option<String>,
    /// Only those that this person has.
    pub(crate) claimed_by: Option<String>,
    /// Only of this order.
    pub(crate) order_id: Option<String>,
}

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskRow {
    /// Task.
    pub(crate) task_id: String,
    /// Its order.
    pub(crate) order_id: String,
    /// When it must be done; the end of time for one that may take as long as it takes.
    pub(crate) deadline: Instant,
}

/// Stores the open tasks of an order in place of those that it had.
pub(super) async fn replace(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    tx.execute(DELETE, [order.id.as_str().into()]).await?;
    let row = |(_, step): (_, &crate::step::Step)| {
        let task = step.task.as_ref()?;
        Some(vec![
            task.id.as_str().into(),
            order.id.as_str().into(),
            task.group.as_str().into(),
            task.claimed_by.clone().unwrap_or_default().into(),
            step.deadline.unwrap_or(Instant(i64::MAX)).into(),
        ])
    };
    tx.put(&INSERT, order.places().filter_map(row).collect()).await?;
    Ok(())
}

impl OrderStore {
    /// The order of an open task.
    pub(crate) async fn order_of_task(&self, task_id: &str) -> Result<Option<String>, Error> {
        let row = self.database.fetch_optional(SELECT_ORDER, [task_id.into()]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Reads where one page of tasks stands, the most urgent first.
    pub(crate) async fn task_page(
        &self,
        filter: &TaskFilter,
        page: &Page<(Instant, String)>,
    ) -> Result<Vec<TaskRow>, Error> {
        let (at, id) = page.after.clone().unwrap_or((Instant(i64::MIN), String::new()));
        let arguments = [
            at.into(),
            id.into(),
            page.fetch_limit().into(),
            filter.group.clone().into(),
            filter.claimed_by.clone().into(),
            filter.order_id.clone().into(),
        ];
        let rows = self.database.fetch_all(SELECT_PAGE, arguments).await?;
        let read = |row: &throughline_kit::AnyRow| TaskRow {
            task_id: row.get(0),
            order_id: row.get(1),
            deadline: Instant(row.get(2)),
        };
        Ok(rows.iter().map(read).collect())
    }
}
