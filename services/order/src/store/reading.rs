//! How a row is an order, wherever it stands; and what is told of one that is not understood any more.

use std::sync::LazyLock;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::corrupt;
use throughline_kit::{AnyRow, Row};

use super::{OrderStore, before};
use crate::error::DOMAIN;
use crate::failure::Failure;
use crate::order::{Order, OrderState};
use crate::templates::TEMPLATE_MISSING;

/// What is read of a row.
pub(super) const READ: &str = "order_id, channel, channel_order_id, customer_id, phone, state, version, created_at_us, \
     document";
/// The same of a row `o`.
pub(super) const OF_ROW: &str = "o.order_id, o.channel, o.channel_order_id, o.customer_id, o.phone, o.state, o.version, \
     o.created_at_us, o.document";
/// Place of the document in [`READ`].
const DOCUMENT: usize = 8;

/// An order that is moved between the tables stands in one of them for a statement that looks into both.
static BY_ID: LazyLock<String> = LazyLock::new(|| of_both("order_id = $1"));
static BY_NUMBER: LazyLock<String> =
    LazyLock::new(|| of_both("channel_order_id = $2 AND channel = $1"));

fn of_both(condition: &str) -> String {
    format!(
        "SELECT {READ} FROM orders WHERE {condition} \
         UNION ALL SELECT {READ} FROM orders_archive WHERE {condition}"
    )
}

/// What the columns of an order's row say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Id.
    pub(crate) order_id: String,
    /// Channel that submitted it.
    pub(crate) channel: String,
    /// The channel's own number.
    pub(crate) channel_order_id: String,
    /// Customer.
    pub(crate) customer_id: String,
    /// Their phone, or empty.
    pub(crate) phone: String,
    /// State.
    pub(crate) state: OrderState,
    /// Version.
    pub(crate) version: i64,
    /// When it was accepted.
    pub(crate) created_at: Instant,
}

/// An order to be shown, as far as it is understood.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// What its columns say.
    pub(crate) head: Head,
    /// The order; `None` where its document is not understood.
    pub(crate) order: Option<Order>,
    /// Why it is not to be shown in full.
    pub(crate) failure: Option<Failure>,
}

impl Listed {
    /// Its place in pages.
    pub(crate) fn place(&self) -> (Instant, String) {
        (self.head.created_at, self.head.order_id.clone())
    }
}

impl OrderStore {
    /// Reads one order.
    pub(crate) async fn by_id(&self, order_id: &str) -> Result<Option<Order>, Error> {
        match self.database.fetch_optional(&BY_ID, [order_id.into()]).await? {
            Some(row) => self.read(&row.get::<String, _>(DOCUMENT)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads one order by the channel's own number.
    pub(crate) async fn by_channel(
        &self,
        channel: &str,
        number: &str,
    ) -> Result<Option<Order>, Error> {
        match self.database.fetch_optional(&BY_NUMBER, [channel.into(), number.into()]).await? {
            Some(row) => self.read(&row.get::<String, _>(DOCUMENT)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads one order to show it.
    pub(crate) async fn shown(&self, order_id: &str) -> Result<Option<Listed>, Error> {
        match self.database.fetch_optional(&BY_ID, [order_id.into()]).await? {
            Some(row) => self.listed(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads one order by the channel's own number to show it.
    pub(crate) async fn shown_by_channel(
        &self,
        channel: &str,
        number: &str,
    ) -> Result<Option<Listed>, Error> {
        match self.database.fetch_optional(&BY_NUMBER, [channel.into(), number.into()]).await? {
            Some(row) => self.listed(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads an order as it is stored, with the versions of templates that it keeps.
    pub(super) async fn read(&self, document: &str) -> Result<Order, Error> {
        let mut order = parse(document).map_err(|e| corrupt(DOMAIN, "orders", e))?;
        self.templates.resolve(&mut order).await?;
        Ok(order)
    }

    /// Reads a row as far as it is understood: what is wrong with one order is told of that order, and keeps nobody from the
    /// others.
    pub(super) async fn listed(&self, row: &AnyRow) -> Result<Listed, Error> {
        let head = head(row)?;
        let mut order = match parse(&row.get::<String, _>(DOCUMENT)) {
            Ok(order) => order,
            Err(cause) => {
                tracing::warn!(%cause, order_id = head.order_id, "read an order");
                let message = format!("what is stored of the order is not understood: {cause}");
                let failure = Some(Failure::new("ORDER_UNREADABLE", DOMAIN, message));
                return Ok(Listed { head, order: None, failure });
            }
        };
        let failure = match self.templates.resolve(&mut order).await {
            Ok(()) => None,
            Err(error) if error.reason == TEMPLATE_MISSING => {
                Some(Failure::new(TEMPLATE_MISSING, DOMAIN, error.message))
            }
            Err(error) => return Err(error),
        };
        Ok(Listed { head, order: Some(order), failure })
    }
}

fn head(row: &AnyRow) -> Result<Head, Error> {
    let state: String = row.get(5);
    let known = OrderState::parse(&state);
    let state = known.ok_or_else(|| corrupt(DOMAIN, "orders", format!("state {state}")))?;
    Ok(Head {
        order_id: row.get(0),
        channel: row.get(1),
        channel_order_id: row.get(2),
        customer_id: row.get(3),
        phone: row.get(4),
        state,
        version: row.get(6),
        created_at: Instant(row.get(7)),
    })
}

/// Reads a document; one of before its steps were data is brought to the present form.
pub(super) fn parse(document: &str) -> Result<Order, serde_json::Error> {
    match serde_json::from_str(document) {
        Ok(order) => Ok(order),
        Err(_) => serde_json::from_value(before::upgraded(serde_json::from_str(document)?)),
    }
}
