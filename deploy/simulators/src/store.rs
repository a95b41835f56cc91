//! Operations and late operations in the store. Rules and effects are in files of their own.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::money::{Currency, Money};
use throughline_kit::storage::{Database, Insert, Migration, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::{DOMAIN, Refusal};
use crate::method::{Method, System};
use crate::operation::{Operation, State};

pub(crate) mod effect;
pub(crate) mod rule;

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "simulators",
    sql: include_str!("../migrations/0001_simulators.sql"),
}];

/// Between the offering codes of one operation; no code holds it.
const CODE_SEPARATOR: char = '\n';

const SELECT_OPERATION: &str = "SELECT method, reference, order_id, customer_id, offering_codes, target, state, reason, \
     currency_code, amount_minor, authorize_only, captured_minor, refunded_minor, ended, version \
     FROM operations WHERE system = $1 AND reference = $2";
static INSERT_OPERATION: Insert = Insert {
    table: "operations",
    columns: &[
        "system",
        "reference",
        "method",
        "order_id",
        "customer_id",
        "offering_codes",
        "target",
        "state",
        "reason",
        "currency_code",
        "amount_minor",
        "authorize_only",
        "captured_minor",
        "refunded_minor",
        "ended",
        "version",
        "created_at_us",
    ],
    otherwise: "",
};
const UPDATE_OPERATION: &str = "UPDATE operations SET state = $3, reason = $4, captured_minor = $5, refunded_minor = $6, \
     ended = $7, version = version + 1 WHERE system = $1 AND reference = $2 AND version = $8";

static INSERT_LATE: Insert = Insert {
    table: "late_operations",
    columns: &["system", "reference", "due_at_us", "reports_left", "attempts", "trace_parent"],
    otherwise: "",
};
const SELECT_NEXT_LATE: &str = "SELECT system, reference, due_at_us, reports_left, attempts, trace_parent \
     FROM late_operations ORDER BY due_at_us, system, reference LIMIT $1";
const UPDATE_LATE: &str = "UPDATE late_operations SET due_at_us = $3, reports_left = $4, attempts = $5 \
     WHERE system = $1 AND reference = $2";
const DELETE_LATE: &str = "DELETE FROM late_operations WHERE system = $1 AND reference = $2";

/// An operation whose end is still to happen or to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) system: System,
    pub(crate) reference: String,
    pub(crate) due: Instant,
    pub(crate) reports_left: i64,
    /// Failed tries of the report that is next.
    pub(crate) attempts: i64,
    pub(crate) trace_parent: String,
}

/// Reads an operation by its reference.
pub(crate) async fn find(
    tx: &mut Tx,
    system: System,
    reference: &str,
) -> Result<Option<Operation>, Error> {
    let key = [system.name().into(), reference.into()];
    let row = tx.fetch_optional(SELECT_OPERATION, key).await?;
    row.as_ref().map(operation).transpose()
}

fn operation(row: &AnyRow) -> Result<Operation, Error> {
    let (method, state): (String, String) = (row.get(0), row.get(6));
    let codes: String = row.get(4);
    Ok(Operation {
        method: Method::parse(&method)
            .ok_or_else(|| corrupt(DOMAIN, "operations", format!("method {method}")))?,
        reference: row.get(1),
        order_id: row.get(2),
        customer_id: row.get(3),
        offering_codes: codes
            .split(CODE_SEPARATOR)
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect(),
        target: row.get(5),
        state: State::parse(&state)
            .ok_or_else(|| corrupt(DOMAIN, "operations", format!("state {state}")))?,
        reason: row.get(7),
        amount: amount("operations", row.get(8), row.get(9))?,
        authorize_only: flag(row.get(10)),
        captured_minor: row.get(11),
        refunded_minor: row.get(12),
        ended: flag(row.get(13)),
        version: row.get(14),
    })
}

/// Reads an optional amount of money from its two columns.
fn amount(
    table: &str,
    currency: Option<String>,
    minor: Option<i64>,
) -> Result<Option<Money>, Error> {
    match (currency, minor) {
        (None, None) => Ok(None),
        (Some(code), Some(minor)) => Currency::parse(&code)
            .map(|currency| Some(Money::new(currency, minor)))
            .map_err(|cause| corrupt(DOMAIN, table, cause)),
        (Some(_), None) | (None, Some(_)) => {
            Err(corrupt(DOMAIN, table, "an amount without its currency, or the other way round"))
        }
    }
}

fn amount_columns(amount: Option<Money>) -> [Value; 2] {
    [
        amount.map(|money| money.currency.as_str().to_owned()).into(),
        amount.map(|money| money.minor).into(),
    ]
}

fn flag(stored: i64) -> bool {
    stored != 0
}

/// Adds an operation with the commit.
pub(crate) fn add(tx: &mut Tx, operation: &Operation, now: Instant) {
    let separator = CODE_SEPARATOR.to_string();
    let [currency, minor] = amount_columns(operation.amount);
    tx.append(
        &INSERT_OPERATION,
        [
            operation.method.system().name().into(),
            operation.reference.as_str().into(),
            operation.method.name().into(),
            operation.order_id.as_str().into(),
            operation.customer_id.as_str().into(),
            operation.offering_codes.join(&separator).into(),
            operation.target.clone().into(),
            operation.state.as_str().into(),
            operation.reason.as_str().into(),
            currency,
            minor,
            i64::from(operation.authorize_only).into(),
            operation.captured_minor.into(),
            operation.refunded_minor.into(),
            i64::from(operation.ended).into(),
            operation.version.into(),
            now.into(),
        ],
    );
}

/// Writes what became of an operation, if nobody else has changed it since it was read.
pub(crate) async fn update(tx: &mut Tx, operation: &Operation) -> Result<(), Error> {
    let values = [
        operation.method.system().name().into(),
        operation.reference.as_str().into(),
        operation.state.as_str().into(),
        operation.reason.as_str().into(),
        operation.captured_minor.into(),
        operation.refunded_minor.into(),
        i64::from(operation.ended).into(),
        operation.version.into(),
    ];
    match tx.execute(UPDATE_OPERATION, values).await? {
        1 => Ok(()),
        _ => Err(Refusal::Conflict(operation.reference.clone()).into()),
    }
}

/// Remembers with the commit that an operation ends later.
pub(crate) fn add_late(tx: &mut Tx, late: &Late) {
    tx.append(
        &INSERT_LATE,
        [
            late.system.name().into(),
            late.reference.as_str().into(),
            late.due.into(),
            late.reports_left.into(),
            late.attempts.into(),
            late.trace_parent.as_str().into(),
        ],
    );
}

/// Reads the late operations that come next, due or not.
pub(crate) async fn next_late(database: &Database, limit: i64) -> Result<Vec<Late>, Error> {
    let rows = database.fetch_all(SELECT_NEXT_LATE, [limit.into()]).await?;
    rows.iter().map(late).collect()
}

fn late(row: &AnyRow) -> Result<Late, Error> {
    let system: String = row.get(0);
    Ok(Late {
        system: System::parse(&system)
            .ok_or_else(|| corrupt(DOMAIN, "late_operations", format!("system {system}")))?,
        reference: row.get(1),
        due: Instant(row.get(2)),
        reports_left: row.get(3),
        attempts: row.get(4),
        trace_parent: row.get(5),
    })
}

/// Writes how far a late operation is; one without reports left is done with.
pub(crate) async fn update_late(tx: &mut Tx, late: &Late) -> Result<(), Error> {
    if late.reports_left == 0 {
        return forget_late(tx, late.system, &late.reference).await;
    }
    let values = [
        late.system.name().into(),
        late.reference.as_str().into(),
        late.due.into(),
        late.reports_left.into(),
        late.attempts.into(),
    ];
    tx.execute(UPDATE_LATE, values).await.map(|_| ())
}

/// Forgets a late operation.
pub(crate) async fn forget_late(tx: &mut Tx, system: System, reference: &str) -> Result<(), Error> {
    tx.execute(DELETE_LATE, [system.name().into(), reference.into()]).await.map(|_| ())
}
