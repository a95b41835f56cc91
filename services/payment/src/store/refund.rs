//! Refunds.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::money::{Currency, Money};
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{ABOVE_ALL_IDS, read_as};
use crate::attempt::{AttemptId, ChannelName};
use crate::error::{DOMAIN, Refusal};
use crate::payment_order::PaymentOrderId;
use crate::refund::{Refund, RefundId, RefundState, RefundedCharge};

const SELECT: &str = "SELECT refund_id, version, payment_order_id, attempt_id, channel, state, \
     currency_code, amount_minor, order_id, payer_id, reason, decline_reason, queries, \
     next_query_at_us, created_at_us, ended_at_us, trace_parent FROM refunds WHERE refund_id = $1";
const SELECT_PAGE: &str = "SELECT refund_id, version, payment_order_id, attempt_id, channel, \
     state, currency_code, amount_minor, order_id, payer_id, reason, decline_reason, queries, \
     next_query_at_us, created_at_us, ended_at_us, trace_parent FROM refunds \
     WHERE (created_at_us, refund_id) < ($1, $2) \
     ORDER BY created_at_us DESC, refund_id DESC LIMIT $3";
const SELECT_PAGE_OF_ORDER: &str = "SELECT refund_id, version, payment_order_id, attempt_id, \
     channel, state, currency_code, amount_minor, order_id, payer_id, reason, decline_reason, \
     queries, next_query_at_us, created_at_us, ended_at_us, trace_parent FROM refunds \
     WHERE order_id = $4 AND (created_at_us, refund_id) < ($1, $2) \
     ORDER BY created_at_us DESC, refund_id DESC LIMIT $3";
const SELECT_DUE: &str = "SELECT refund_id, next_query_at_us FROM refunds \
     WHERE next_query_at_us <= $1 ORDER BY next_query_at_us LIMIT $2";
const UPDATE: &str = "UPDATE refunds SET version = version + 1, state = $3, decline_reason = $4, \
     queries = $5, next_query_at_us = $6, ended_at_us = $7 WHERE refund_id = $1 AND version = $2";

static INSERT: Insert = Insert {
    table: "refunds",
    columns: &[
        "refund_id",
        "version",
        "payment_order_id",
        "attempt_id",
        "channel",
        "state",
        "currency_code",
        "amount_minor",
        "order_id",
        "payer_id",
        "reason",
        "decline_reason",
        "queries",
        "next_query_at_us",
        "created_at_us",
        "ended_at_us",
        "trace_parent",
    ],
    otherwise: "",
};

/// Which refunds to list.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Only this order; empty means all.
    pub(crate) order_id: String,
    /// Where to go on.
    pub(crate) page: Page<(Instant, String)>,
}

/// A refund about which the channel is to be asked.
#[derive(Clone, Debug)]
pub(crate) struct DueRefund {
    pub(crate) refund_id: RefundId,
    pub(crate) due: Instant,
}

/// Reads a refund in a transaction.
pub(crate) async fn load(tx: &mut Tx, id: &RefundId) -> Result<Refund, Error> {
    find(tx, id).await?.ok_or_else(|| missing(id))
}

/// Looks for a refund in a transaction.
pub(crate) async fn find(tx: &mut Tx, id: &RefundId) -> Result<Option<Refund>, Error> {
    let row = tx.fetch_optional(SELECT, [id.as_str().into()]).await?;
    row.as_ref().map(refund).transpose()
}

/// Reads a refund.
pub(crate) async fn read(database: &Database, id: &RefundId) -> Result<Refund, Error> {
    let row = database.fetch_optional(SELECT, [id.as_str().into()]).await?;
    row.as_ref().map_or_else(|| Err(missing(id)), refund)
}

fn missing(id: &RefundId) -> Error {
    Refusal::RefundNotFound { refund_id: id.to_string() }.into()
}

/// Reads a page of refunds, newest first, with one more than the page holds.
pub(crate) async fn list(database: &Database, filter: &Filter) -> Result<Vec<Refund>, Error> {
    let newest = (Instant(i64::MAX), ABOVE_ALL_IDS.to_owned());
    let (created_at, id) = filter.page.after.clone().unwrap_or(newest);
    let mut arguments = vec![created_at.into(), id.into(), filter.page.fetch_limit().into()];
    let statement = if filter.order_id.is_empty() {
        SELECT_PAGE
    } else {
        arguments.push(filter.order_id.as_str().into());
        SELECT_PAGE_OF_ORDER
    };
    database.fetch_all(statement, arguments).await?.iter().map(refund).collect()
}

/// Finds refunds about which the channel is to be asked.
pub(crate) async fn due(
    database: &Database,
    now: Instant,
    limit: u32,
) -> Result<Vec<DueRefund>, Error> {
    let arguments = [now.into(), i64::from(limit).into()];
    let rows = database.fetch_all(SELECT_DUE, arguments).await?;
    rows.iter()
        .map(|row| {
            Ok(DueRefund {
                refund_id: read_as(row, "refund_id", |id| RefundId::parse(id).ok())?,
                due: Instant(row.get("next_query_at_us")),
            })
        })
        .collect()
}

/// Adds a refund.
pub(crate) fn insert(tx: &mut Tx, refund: &Refund) {
    let charge = refund.charge.as_ref();
    tx.append(
        &INSERT,
        [
            refund.id.as_str().into(),
            refund.version.into(),
            charge.map(|c| c.payment_order_id.to_string()).into(),
            charge.map(|c| c.attempt_id.to_string()).into(),
            refund.channel.as_str().into(),
            refund.state.as_str().into(),
            refund.amount.currency.as_str().into(),
            refund.amount.minor.into(),
            refund.order_id.as_str().into(),
            refund.payer_id.as_str().into(),
            refund.reason.as_str().into(),
            refund.decline_reason.as_str().into(),
            refund.queries.into(),
            refund.next_query_at.map(|due| due.0).into(),
            refund.created_at.into(),
            refund.ended_at.map(|end| end.0).into(),
            refund.trace_parent.as_str().into(),
        ],
    );
}

/// Writes a changed refund, unless another instance was faster.
pub(crate) async fn save(tx: &mut Tx, before: &Refund, after: &Refund) -> Result<(), Error> {
    let arguments = [
        after.id.as_str().into(),
        before.version.into(),
        after.state.as_str().into(),
        after.decline_reason.as_str().into(),
        after.queries.into(),
        after.next_query_at.map(|due| due.0).into(),
        after.ended_at.map(|end| end.0).into(),
    ];
    if tx.execute(UPDATE, arguments).await? == 1 {
        Ok(())
    } else {
        Err(Refusal::ChangedMeanwhile.into())
    }
}

fn refund(row: &AnyRow) -> Result<Refund, Error> {
    let payment_order_id: Option<String> = row.get("payment_order_id");
    let attempt_id: Option<String> = row.get("attempt_id");
    let charge = match (payment_order_id, attempt_id) {
        (None, None) => None,
        (Some(order), Some(attempt)) => {
            let invalid = |e| corrupt(DOMAIN, "refunds", e);
            Some(RefundedCharge {
                payment_order_id: PaymentOrderId::parse(&order).map_err(invalid)?,
                attempt_id: AttemptId::parse(&attempt).map_err(invalid)?,
            })
        }
        (order, attempt) => {
            let cause = format!("payment order {order:?} with attempt {attempt:?}");
            return Err(corrupt(DOMAIN, "refunds", cause));
        }
    };
    let currency = read_as(row, "currency_code", |code| Currency::parse(code).ok())?;
    Ok(Refund {
        id: read_as(row, "refund_id", |id| RefundId::parse(id).ok())?,
        version: row.get("version"),
        charge,
        channel: read_as(row, "channel", ChannelName::parse)?,
        state: read_as(row, "state", RefundState::parse)?,
        amount: Money::new(currency, row.get("amount_minor")),
        order_id: row.get("order_id"),
        payer_id: row.get("payer_id"),
        reason: row.get("reason"),
        decline_reason: row.get("decline_reason"),
        queries: row.get("queries"),
        next_query_at: row.get::<Option<i64>, _>("next_query_at_us").map(Instant),
        created_at: Instant(row.get("created_at_us")),
        ended_at: row.get::<Option<i64>, _>("ended_at_us").map(Instant),
        trace_parent: row.get("trace_parent"),
    })
}
