//! Payment orders as they are written.

use throughline_kit::error::Error;
use throughline_kit::storage::{Insert, Tx};

use super::attempt;
use crate::error::Refusal;
use crate::payment_order::{PaymentOrder, Phase};

const UPDATE_ORDER: &str = "UPDATE payment_orders SET version = version + 1, captured_minor = $3, \
     refunding_minor = $4, refunded_minor = $5, state = $6, close_reason = $7, \
     expiry_due_at_us = $8, updated_at_us = $9 WHERE payment_order_id = $1 AND version = $2";
static INSERT_ORDER: Insert = Insert {
    table: "payment_orders",
    columns: &[
        "payment_order_id",
        "version",
        "caller",
        "reference",
        "order_id",
        "payer_id",
        "currency_code",
        "amount_minor",
        "captured_minor",
        "refunding_minor",
        "refunded_minor",
        "state",
        "close_reason",
        "expire_at_us",
        "expiry_due_at_us",
        "created_at_us",
        "updated_at_us",
        "trace_parent",
    ],
    otherwise: "",
};

/// Adds a new payment order.
pub(crate) fn insert(tx: &mut Tx, order: &PaymentOrder) {
    tx.append(
        &INSERT_ORDER,
        [
            order.id.as_str().into(),
            order.version.into(),
            order.caller.as_str().into(),
            order.reference.as_str().into(),
            order.order_id.as_str().into(),
            order.payer_id.as_str().into(),
            order.amount.currency.as_str().into(),
            order.amount.minor.into(),
            order.captured_minor.into(),
            order.refunding_minor.into(),
            order.refunded_minor.into(),
            order.state().as_str().into(),
            close_reason(order).into(),
            order.expire_at.into(),
            order.expiry_due_at().map(|due| due.0).into(),
            order.created_at.into(),
            order.updated_at.into(),
            order.trace_parent.as_str().into(),
        ],
    );
}

/// Writes what changed between two versions of a payment order, unless another instance was faster.
pub(crate) async fn save(
    tx: &mut Tx,
    before: &PaymentOrder,
    after: &PaymentOrder,
) -> Result<(), Error> {
    let arguments = [
        after.id.as_str().into(),
        before.version.into(),
        after.captured_minor.into(),
        after.refunding_minor.into(),
        after.refunded_minor.into(),
        after.state().as_str().into(),
        close_reason(after).into(),
        after.expiry_due_at().map(|due| due.0).into(),
        after.updated_at.into(),
    ];
    if tx.execute(UPDATE_ORDER, arguments).await? != 1 {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    for (index, tried) in after.attempts.iter().enumerate() {
        match before.attempts.get(index) {
            None => attempt::insert(tx, after, tried, index).await?,
            Some(same) if same == tried => {}
            Some(_) => attempt::update(tx, tried).await?,
        }
    }
    Ok(())
}

fn close_reason(order: &PaymentOrder) -> Option<String> {
    match order.phase {
        Phase::Open => None,
        Phase::Closing(reason) | Phase::Closed(reason) => Some(reason.as_str().to_owned()),
    }
}
