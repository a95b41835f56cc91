//! Ended orders leave the table of live ones in the commit in which they end: what a live order costs does not depend on how
//! many have been, and an order stands in one table or the other at every instant.

use std::sync::Arc;

use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Rows, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::reading::parse;
use super::{document, overtaken};
use crate::error::DOMAIN;
use crate::order::Order;
use crate::rollup::rollup;

/// Takes over what never changes from the row of the live order; meets none where that has another version than the one
/// just before.
static MOVE: Rows = Rows {
    before: "INSERT INTO orders_archive (order_id, channel, channel_order_id, customer_id, phone, state, version, \
        created_at_us, document) SELECT o.order_id, o.channel, o.channel_order_id, o.customer_id, o.phone, \
        v.column2, v.column3, o.created_at_us, v.column4 FROM (",
    width: 4,
    after: ") AS v JOIN orders o ON o.order_id = v.column1 WHERE o.version = v.column3 - 1",
};
static DELETE: Rows =
    Rows { before: "DELETE FROM orders WHERE order_id IN (", width: 1, after: ")" };
static DELETE_MARKS: Rows =
    Rows { before: "DELETE FROM order_marks WHERE order_id IN (", width: 1, after: ")" };
static INSERT_MARK: Insert = Insert {
    table: "archive_marks",
    columns: &["mark", "created_at_us", "order_id"],
    otherwise: "",
};

static INSERT: Insert = Insert {
    table: "orders_archive",
    columns: &[
        "order_id",
        "channel",
        "channel_order_id",
        "customer_id",
        "phone",
        "state",
        "version",
        "created_at_us",
        "document",
    ],
    otherwise: "",
};
const SELECT_SAMPLES: &str =
    "SELECT document, state FROM orders_archive ORDER BY created_at_us DESC LIMIT $1";

/// An order that has ended, and its state.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The order, without what its steps do.
    pub(crate) order: Box<Order>,
    /// As it is stored.
    pub(crate) state: String,
}

/// Reads some of those that ended last.
pub(crate) async fn ended_samples(database: &Database, limit: i64) -> Result<Vec<Ended>, Error> {
    let rows = database.fetch_all(SELECT_SAMPLES, [limit.into()]).await?;
    let read = |row: &AnyRow| {
        let order = parse(&row.get::<String, _>(0)).map_err(|e| corrupt(DOMAIN, "orders", e))?;
        Ok(Ended { order: Box::new(order), state: row.get(1) })
    };
    rows.iter().map(read).collect()
}

/// Adds orders that have ended elsewhere.
pub(crate) fn add_ended(tx: &mut Tx, ended: &[Ended]) -> Result<(), Error> {
    for Ended { order, state } in ended {
        let row: [Value; 9] = [
            order.id.as_str().into(),
            order.channel.as_str().into(),
            order.channel_order_id.as_str().into(),
            order.customer.id.as_str().into(),
            order.customer.phone.as_str().into(),
            state.as_str().into(),
            order.version.into(),
            order.created_at.into(),
            document(order)?.into(),
        ];
        tx.append(&INSERT, row);
    }
    keep_marks(tx, ended.iter().map(|ended| &*ended.order));
    Ok(())
}

/// Moves orders that end in this commit.
pub(super) async fn put_away(tx: &mut Tx, ended: &[&Arc<Order>]) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let row = |order: &&Arc<Order>| {
        Ok::<_, Error>(vec![
            order.id.as_str().into(),
            rollup(order).as_str().into(),
            order.version.into(),
            document(order)?.into(),
        ])
    };
    // At once: the next change of the same commit looks here for numbers that are taken.
    let rows = ended.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    if usize::try_from(tx.change(&MOVE, rows).await?) != Ok(ended.len()) {
        return Err(overtaken());
    }
    forget_live(tx, ended.iter().map(|order| order.id.as_str())).await?;
    keep_marks(tx, ended.iter().map(|order| &***order));
    Ok(())
}

/// Deletes the rows of orders that are in the archive from now on.
pub(super) async fn forget_live(
    tx: &mut Tx,
    order_ids: impl Iterator<Item = &str> + Clone,
) -> Result<u64, Error> {
    let keys = || order_ids.clone().map(|id| vec![Value::from(id)]).collect();
    tx.change(&DELETE_MARKS, keys()).await?;
    tx.change(&DELETE, keys()).await
}

/// Stores what archived orders are found by besides their rows.
pub(super) fn keep_marks<'a>(tx: &mut Tx, ended: impl Iterator<Item = &'a Order>) {
    for order in ended {
        for mark in order.marks.iter() {
            let row: [Value; 3] =
                [mark.as_str().into(), order.created_at.into(), order.id.as_str().into()];
            tx.append(&INSERT_MARK, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use throughline_kit::storage::{Change, Writer, WriterLimits};
    use throughline_kit::testing::{each_database, number_in};

    use super::super::{MIGRATIONS, ORDER_OVERTAKEN, SaveOrders, insert};
    use super::*;
    use crate::order::OrderId;
    use crate::simulator::{Catalog, START, accepted};
    use crate::step::StepState;
    use crate::template::FailurePolicy;

    struct Accept(Order);

    impl Change for Accept {
        type Output = ();

        async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
            insert(tx, &self.0).await
        }
    }

    fn save(order: &Order) -> SaveOrders {
        SaveOrders { orders: vec![Arc::new(order.clone())], ..SaveOrders::default() }
    }

    fn reason<T>(outcome: Result<T, Error>) -> String {
        outcome.map_or_else(|error| error.reason, |_| String::new())
    }

    /// An order that was just accepted, the same under way, and the same at its end.
    fn life() -> [Order; 3] {
        let template = Catalog::shipped().pinned("standard");
        let new = accepted("1", template, FailurePolicy::Branch, Vec::new());
        let running = Order { version: 2, ..new.clone() };
        let mut ended =
            Order { ended_at: Some(START), item_plans: Some(Vec::new().into()), ..running.clone() };
        ended.steps.iter_mut().for_each(|step| step.state = StepState::Succeeded);
        [new, running, ended]
    }

    #[tokio::test]
    async fn an_order_that_has_ended_does_not_come_back_and_keeps_its_number() {
        for kept in each_database().await {
            let database = Database::open("order", &kept.config, MIGRATIONS).await.expect("open");
            let writer = Writer::start(&database, WriterLimits::default());
            let [new, running, ended] = life();
            let namesake = Order { id: OrderId::generate(), ..new.clone() };
            writer.write(Accept(new)).await.expect("stored");
            // In one commit: the second change finds what the first has moved.
            let (moved, taken) =
                tokio::join!(writer.write(save(&ended)), writer.write(Accept(namesake.clone())));
            moved.expect("stored");
            assert_eq!(reason(taken), "CHANNEL_ORDER_ID_TAKEN");
            // Who did not hear of that commit tries it again, or something else.
            for stale in [running, ended] {
                assert_eq!(reason(writer.write(save(&stale)).await), ORDER_OVERTAKEN);
            }
            assert_eq!(reason(writer.write(Accept(namesake)).await), "CHANNEL_ORDER_ID_TAKEN");
            let count = |statement| number_in(&kept.config, statement);
            let live = count("SELECT CAST(COUNT(*) AS BIGINT) FROM orders").await;
            let archived = count("SELECT CAST(COUNT(*) AS BIGINT) FROM orders_archive").await;
            assert_eq!((live, archived), (0, 1));
        }
    }
}
