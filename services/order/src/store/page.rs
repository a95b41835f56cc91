//! Pages of orders, newest first, live and ended ones together. Each filter has an index in that order in both tables.

use std::sync::LazyLock;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::Value;

use super::OrderStore;
use super::reading::{Listed, OF_ROW, READ};
use crate::order::OrderState;

/// What each statement is given first: the place before which the page begins, its size, and the oldest time.
const WITHIN: &str = "(o.created_at_us, o.order_id) < ($1, $2) AND o.created_at_us >= $4";

static ALL: LazyLock<String> = LazyLock::new(|| by_row("1 = 1"));
static BY_STATE: LazyLock<String> = LazyLock::new(|| by_row("o.state = $5"));
static BY_CHANNEL: LazyLock<String> = LazyLock::new(|| by_row("o.channel = $5"));
static BY_CHANNEL_AND_STATE: LazyLock<String> =
    LazyLock::new(|| by_row("o.channel = $5 AND o.state = $6"));
/// One customer has few orders: other filters look through them.
static BY_CUSTOMER: LazyLock<String> = LazyLock::new(|| {
    by_row(
        "o.customer_id = $5 \
         AND (CAST($6 AS TEXT) IS NULL OR o.channel = $6) \
         AND (CAST($7 AS TEXT) IS NULL OR o.state = $7) \
         AND (CAST($8 AS TEXT) IS NULL OR o.phone = $8) \
         AND (CAST($9 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM {marks} m WHERE m.mark = $9 \
              AND m.created_at_us = o.created_at_us AND m.order_id = o.order_id))",
    )
});
static BY_PHONE: LazyLock<String> = LazyLock::new(|| {
    by_row(
        "o.phone = $5 AND o.phone <> '' \
         AND (CAST($6 AS TEXT) IS NULL OR o.channel = $6) \
         AND (CAST($7 AS TEXT) IS NULL OR o.state = $7) \
         AND (CAST($8 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM {marks} m WHERE m.mark = $8 \
              AND m.created_at_us = o.created_at_us AND m.order_id = o.order_id))",
    )
});
/// Numbers of channels are theirs alone: at most one order for each channel.
static BY_NUMBER: LazyLock<String> = LazyLock::new(|| {
    by_row(
        "o.channel_order_id = $5 \
         AND (CAST($6 AS TEXT) IS NULL OR o.channel = $6) \
         AND (CAST($7 AS TEXT) IS NULL OR o.state = $7) \
         AND (CAST($8 AS TEXT) IS NULL OR o.customer_id = $8) \
         AND (CAST($9 AS TEXT) IS NULL OR o.phone = $9) \
         AND (CAST($10 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM {marks} m WHERE m.mark = $10 \
              AND m.created_at_us = o.created_at_us AND m.order_id = o.order_id))",
    )
});
static BY_MARK: LazyLock<String> = LazyLock::new(|| {
    of_both(
        "{marks} m JOIN {orders} o ON o.order_id = m.order_id \
         WHERE m.mark = $5 AND (m.created_at_us, m.order_id) < ($1, $2) AND m.created_at_us >= $4 \
         AND (CAST($6 AS TEXT) IS NULL OR o.channel = $6) \
         AND (CAST($7 AS TEXT) IS NULL OR o.state = $7) \
         ORDER BY m.created_at_us DESC, m.order_id DESC LIMIT $3",
    )
});

/// Newest first, by an index of the rows.
fn by_row(condition: &str) -> String {
    of_both(&format!(
        "{{orders}} o WHERE {condition} AND {WITHIN} \
         ORDER BY o.created_at_us DESC, o.order_id DESC LIMIT $3"
    ))
}

/// The newest of what live and ended orders give for the same question. One statement sees one state of the store: an order
/// that ends meanwhile is in just one of the tables.
fn of_both(question: &str) -> String {
    let part = |orders, marks| question.replace("{orders}", orders).replace("{marks}", marks);
    let live = part("orders", "order_marks");
    let ended = part("orders_archive", "archive_marks");
    format!(
        "SELECT {READ} FROM (\
         SELECT * FROM (SELECT {OF_ROW} FROM {live}) AS live \
         UNION ALL SELECT * FROM (SELECT {OF_ROW} FROM {ended}) AS ended) AS found \
         ORDER BY created_at_us DESC, order_id DESC LIMIT $3"
    )
}

/// Which orders to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this channel.
    pub(crate) channel: Option<String>,
    /// Only this customer.
    pub(crate) customer_id: Option<String>,
    /// Only this state.
    pub(crate) state: Option<OrderState>,
    /// Only this phone.
    pub(crate) phone: Option<String>,
    /// Only this number of a channel.
    pub(crate) channel_order_id: Option<String>,
    /// Only those with this mark.
    pub(crate) mark: Option<String>,
    /// Only those accepted then or later.
    pub(crate) from: Option<Instant>,
    /// Only those accepted before.
    pub(crate) before: Option<Instant>,
}

impl Filter {
    /// The statement that has an index for it, and what it is given after the place in the pages.
    fn statement(&self) -> (&'static str, Vec<Value>) {
        let channel = || Value::from(self.channel.clone());
        let state = || Value::from(self.state.map(|state| state.as_str().to_owned()));
        let customer = || Value::from(self.customer_id.clone());
        let phone = || Value::from(self.phone.clone());
        if let Some(number) = &self.channel_order_id {
            let mark = Value::from(self.mark.clone());
            let more = vec![number.as_str().into(), channel(), state(), customer(), phone(), mark];
            return (&BY_NUMBER, more);
        }
        let mark = || Value::from(self.mark.clone());
        if let Some(customer) = &self.customer_id {
            let more = vec![customer.as_str().into(), channel(), state(), phone(), mark()];
            return (&BY_CUSTOMER, more);
        }
        if let Some(phone) = &self.phone {
            return (&BY_PHONE, vec![phone.as_str().into(), channel(), state(), mark()]);
        }
        if let Some(mark) = &self.mark {
            return (&BY_MARK, vec![mark.as_str().into(), channel(), state()]);
        }
        match (self.channel.is_some(), self.state.is_some()) {
            (true, true) => (&BY_CHANNEL_AND_STATE, vec![channel(), state()]),
            (true, false) => (&BY_CHANNEL, vec![channel()]),
            (false, true) => (&BY_STATE, vec![state()]),
            (false, false) => (&ALL, Vec::new()),
        }
    }
}

impl OrderStore {
    /// Reads one page, newest first.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        page: &Page<(Instant, String)>,
    ) -> Result<Vec<Listed>, Error> {
        // Without a place to begin, all are below the end of time.
        let end = filter.before.unwrap_or(Instant(i64::MAX));
        let (at, id) = page.after.clone().unwrap_or((end, String::new()));
        let from = filter.from.unwrap_or(Instant(i64::MIN));
        let (statement, more) = filter.statement();
        let mut arguments: Vec<Value> =
            vec![at.into(), id.into(), page.fetch_limit().into(), from.into()];
        arguments.extend(more);
        let rows = self.database.fetch_all(statement, arguments).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            listed.push(self.listed(row).await?);
        }
        Ok(listed)
    }
}
