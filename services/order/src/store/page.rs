//! Pages of orders, newest first. Each filter has an index in that order.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::Value;

use super::OrderStore;
use crate::order::{Order, OrderState};

const SELECT_ALL: &str = "SELECT document FROM orders \
     WHERE (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_STATE: &str = "SELECT document FROM orders \
     WHERE state = $5 AND (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_CHANNEL: &str = "SELECT document FROM orders \
     WHERE channel = $5 AND (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_CHANNEL_STATE: &str = "SELECT document FROM orders \
     WHERE channel = $5 AND state = $6 AND (created_at_us, order_id) < ($1, $2) \
     AND created_at_us >= $4 ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
/// One customer has few orders: other filters look through them.
const SELECT_CUSTOMER: &str = "SELECT document FROM orders \
     WHERE customer_id = $5 AND (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR state = $7) \
     AND (CAST($8 AS TEXT) IS NULL OR phone = $8) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_PHONE: &str = "SELECT document FROM orders \
     WHERE phone = $5 AND phone <> '' AND (created_at_us, order_id) < ($1, $2) \
     AND created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR state = $7) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
/// Numbers of channels are theirs alone: at most one order for each channel.
const SELECT_NUMBER: &str = "SELECT document FROM orders \
     WHERE channel_order_id = $5 AND (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR state = $7) \
     AND (CAST($8 AS TEXT) IS NULL OR customer_id = $8) \
     AND (CAST($9 AS TEXT) IS NULL OR phone = $9) \
     AND (CAST($10 AS TEXT) IS NULL \
          OR order_id IN (SELECT order_id FROM order_marks WHERE mark = $10)) \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_MARK: &str = "SELECT o.document FROM order_marks m \
     JOIN orders o ON o.order_id = m.order_id \
     WHERE m.mark = $5 AND (m.created_at_us, m.order_id) < ($1, $2) AND m.created_at_us >= $4 \
     AND (CAST($6 AS TEXT) IS NULL OR o.channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR o.state = $7) \
     AND (CAST($8 AS TEXT) IS NULL OR o.customer_id = $8) \
     AND (CAST($9 AS TEXT) IS NULL OR o.phone = $9) \
     ORDER BY m.created_at_us DESC, m.order_id DESC LIMIT $3";

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
            return (SELECT_NUMBER, more);
        }
        if let Some(mark) = &self.mark {
            let more = vec![mark.as_str().into(), channel(), state(), customer(), phone()];
            return (SELECT_MARK, more);
        }
        if let Some(customer) = &self.customer_id {
            let more = vec![customer.as_str().into(), channel(), state(), phone()];
            return (SELECT_CUSTOMER, more);
        }
        if let Some(phone) = &self.phone {
            return (SELECT_PHONE, vec![phone.as_str().into(), channel(), state()]);
        }
        match (self.channel.is_some(), self.state.is_some()) {
            (true, true) => (SELECT_CHANNEL_STATE, vec![channel(), state()]),
            (true, false) => (SELECT_CHANNEL, vec![channel()]),
            (false, true) => (SELECT_STATE, vec![state()]),
            (false, false) => (SELECT_ALL, Vec::new()),
        }
    }
}

impl OrderStore {
    /// Reads one page, newest first.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        page: &Page<(Instant, String)>,
    ) -> Result<Vec<Order>, Error> {
        // Without a place to begin, all are below the end of time.
        let end = filter.before.unwrap_or(Instant(i64::MAX));
        let (at, id) = page.after.clone().unwrap_or((end, String::new()));
        let from = filter.from.unwrap_or(Instant(i64::MIN));
        let (statement, more) = filter.statement();
        let mut arguments: Vec<Value> =
            vec![at.into(), id.into(), page.fetch_limit().into(), from.into()];
        arguments.extend(more);
        let rows = self.database.fetch_all(statement, arguments).await?;
        self.read_all(&rows).await
    }
}
