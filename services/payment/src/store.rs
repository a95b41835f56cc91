//! Payment orders with their attempts, as one statement reads them. Attempts and refunds have files of their own below.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::money::{Currency, Money};
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Migration, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::{DOMAIN, Refusal};
use crate::payment_order::{CloseReason, PaymentOrder, PaymentOrderId, Phase};

pub(crate) mod attempt;
pub(crate) mod refund;
mod save;

pub(crate) use save::{insert, save};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "payment",
    sql: include_str!("../migrations/0001_payment.sql"),
}];

/// Reads whole payment orders: one row for each attempt, or one without. The attempts come in the same statement, so
/// that order and attempts are of the same moment.
macro_rules! select_orders {
    ($from:literal, $order:literal) => {
        concat!(
            "SELECT o.payment_order_id, o.version, o.caller, o.reference, o.order_id, o.payer_id, \
             o.currency_code, o.amount_minor, o.captured_minor, o.refunding_minor, \
             o.refunded_minor, o.state, o.close_reason, o.expire_at_us, o.created_at_us, \
             o.updated_at_us, o.trace_parent, \
             a.attempt_id, a.channel, a.capture_mode, a.outcome, a.capture_minor, \
             a.captured_minor AS attempt_captured_minor, a.decline_reason, a.receipt_number, \
             a.queries, a.next_query_at_us, a.created_at_us AS attempt_created_at_us, \
             a.updated_at_us AS attempt_updated_at_us FROM ",
            $from,
            " LEFT JOIN attempts a ON a.payment_order_id = o.payment_order_id ORDER BY ",
            $order
        )
    };
}

const SELECT_ORDER: &str = select_orders!(
    "(SELECT payment_order_id AS wanted FROM payment_orders WHERE payment_order_id = $1) w \
     JOIN payment_orders o ON o.payment_order_id = w.wanted",
    "a.number"
);
const SELECT_PAGE: &str = select_orders!(
    "(SELECT payment_order_id AS wanted FROM payment_orders \
      WHERE (created_at_us, payment_order_id) < ($1, $2) \
      AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
      ORDER BY created_at_us DESC, payment_order_id DESC LIMIT $4) w \
     JOIN payment_orders o ON o.payment_order_id = w.wanted",
    "o.created_at_us DESC, o.payment_order_id DESC, a.number"
);
const SELECT_PAGE_OF_ORDER: &str = select_orders!(
    "(SELECT payment_order_id AS wanted FROM payment_orders \
      WHERE order_id = $5 AND (created_at_us, payment_order_id) < ($1, $2) \
      AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
      ORDER BY created_at_us DESC, payment_order_id DESC LIMIT $4) w \
     JOIN payment_orders o ON o.payment_order_id = w.wanted",
    "o.created_at_us DESC, o.payment_order_id DESC, a.number"
);
const SELECT_BY_REFERENCE: &str =
    "SELECT payment_order_id FROM payment_orders WHERE caller = $1 AND reference = $2";
const SELECT_EXPIRED: &str = "SELECT payment_order_id FROM payment_orders \
     WHERE expiry_due_at_us <= $1 ORDER BY expiry_due_at_us LIMIT $2";
/// Comes after every id in the order of texts.
pub(super) const ABOVE_ALL_IDS: &str = "~";

/// Which payment orders to list.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Only this order; empty means all.
    pub(crate) order_id: String,
    /// Only this state.
    pub(crate) state: Option<String>,
    /// Where to go on.
    pub(crate) page: Page<(Instant, String)>,
}

/// Reads a payment order in a transaction.
pub(crate) async fn load(tx: &mut Tx, id: &PaymentOrderId) -> Result<PaymentOrder, Error> {
    let rows = tx.fetch_all(SELECT_ORDER, [id.as_str().into()]).await?;
    one(&rows, id)
}

/// Reads a payment order.
pub(crate) async fn read(database: &Database, id: &PaymentOrderId) -> Result<PaymentOrder, Error> {
    let rows = database.fetch_all(SELECT_ORDER, [id.as_str().into()]).await?;
    one(&rows, id)
}

fn one(rows: &[AnyRow], id: &PaymentOrderId) -> Result<PaymentOrder, Error> {
    let missing = || Refusal::PaymentOrderNotFound { payment_order_id: id.to_string() }.into();
    orders(rows)?.pop().ok_or_else(missing)
}

/// Finds the payment order of a caller's reference.
pub(crate) async fn order_of_reference(
    tx: &mut Tx,
    caller: &str,
    reference: &str,
) -> Result<Option<PaymentOrderId>, Error> {
    let row = tx.fetch_optional(SELECT_BY_REFERENCE, [caller.into(), reference.into()]).await?;
    row.map(|row| order_id(&row)).transpose()
}

/// Reads a page of payment orders, newest first, with one more than the page holds.
pub(crate) async fn list(database: &Database, filter: &Filter) -> Result<Vec<PaymentOrder>, Error> {
    let newest = (Instant(i64::MAX), ABOVE_ALL_IDS.to_owned());
    let (created_at, id) = filter.page.after.clone().unwrap_or(newest);
    let mut arguments = vec![
        created_at.into(),
        id.into(),
        filter.state.clone().into(),
        filter.page.fetch_limit().into(),
    ];
    let statement = if filter.order_id.is_empty() {
        SELECT_PAGE
    } else {
        arguments.push(filter.order_id.as_str().into());
        SELECT_PAGE_OF_ORDER
    };
    orders(&database.fetch_all(statement, arguments).await?)
}

/// Finds payment orders whose time is over.
pub(crate) async fn expired(
    database: &Database,
    now: Instant,
    limit: u32,
) -> Result<Vec<PaymentOrderId>, Error> {
    let arguments = [now.into(), i64::from(limit).into()];
    let rows = database.fetch_all(SELECT_EXPIRED, arguments).await?;
    rows.iter().map(order_id).collect()
}

fn orders(rows: &[AnyRow]) -> Result<Vec<PaymentOrder>, Error> {
    let mut orders: Vec<PaymentOrder> = Vec::new();
    for row in rows {
        let id = order_id(row)?;
        if orders.last().is_none_or(|last| last.id != id) {
            orders.push(order(row, id)?);
        }
        let attempt_id: Option<String> = row.get("attempt_id");
        if let (Some(attempt_id), Some(order)) = (attempt_id, orders.last_mut()) {
            order.attempts.push(attempt::from_row(row, &attempt_id)?);
        }
    }
    // The last row of an order decides: each stored state must be the one that its parts make.
    let mut stored = rows.iter().map(|row| (row.get::<String, _>("payment_order_id"), row));
    for order in &orders {
        let (_, row) = stored
            .find(|(id, _)| id == order.id.as_str())
            .ok_or_else(|| corrupt(DOMAIN, "payment_orders", "an order without a row"))?;
        let state: String = row.get("state");
        if state != order.state().as_str() {
            let cause =
                format!("{} is {state}, its parts say {}", order.id, order.state().as_str());
            return Err(corrupt(DOMAIN, "payment_orders", cause));
        }
    }
    Ok(orders)
}

fn order(row: &AnyRow, id: PaymentOrderId) -> Result<PaymentOrder, Error> {
    let currency = read_as(row, "currency_code", |code| Currency::parse(code).ok())?;
    let state: String = row.get("state");
    let reason: Option<String> = row.get("close_reason");
    let reason = reason.as_deref().map(|text| CloseReason::parse(text).ok_or(text));
    let phase = match (state.as_str(), reason) {
        ("CLOSING", Some(Ok(reason))) => Phase::Closing(reason),
        ("CLOSED", Some(Ok(reason))) => Phase::Closed(reason),
        (_, None) => Phase::Open,
        (state, Some(reason)) => {
            let cause = format!("{id} is {state} with close_reason {reason:?}");
            return Err(corrupt(DOMAIN, "payment_orders", cause));
        }
    };
    Ok(PaymentOrder {
        id,
        version: row.get("version"),
        caller: row.get("caller"),
        reference: row.get("reference"),
        order_id: row.get("order_id"),
        payer_id: row.get("payer_id"),
        amount: Money::new(currency, row.get("amount_minor")),
        captured_minor: row.get("captured_minor"),
        refunding_minor: row.get("refunding_minor"),
        refunded_minor: row.get("refunded_minor"),
        phase,
        attempts: Vec::new(),
        expire_at: Instant(row.get("expire_at_us")),
        created_at: Instant(row.get("created_at_us")),
        updated_at: Instant(row.get("updated_at_us")),
        trace_parent: row.get("trace_parent"),
    })
}

pub(super) fn order_id(row: &AnyRow) -> Result<PaymentOrderId, Error> {
    read_as(row, "payment_order_id", |id| PaymentOrderId::parse(id).ok())
}

/// Reads a text column into a type, or refuses the row.
pub(super) fn read_as<T>(
    row: &AnyRow,
    column: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    let text: String = row.get(column);
    parse(&text).ok_or_else(|| corrupt(DOMAIN, column, format!("{text:?}")))
}
