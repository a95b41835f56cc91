//! Rules in the store.

use std::time::Duration;

use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::error::DOMAIN;
use crate::rule::{Misbehavior, Rule};

const SELECT_RULES: &str = "SELECT rule_number, method, offering_code, customer_id, order_id, misbehavior, delay_us, reason, \
     max_uses, uses FROM rules ORDER BY rule_number";
const SELECT_EXTENT: &str =
    "SELECT COUNT(*), CAST(COALESCE(MAX(rule_number), 0) AS BIGINT) FROM rules";
const INSERT_RULE: &str = "INSERT INTO rules (rule_number, method, offering_code, customer_id, order_id, misbehavior, \
     delay_us, reason, max_uses, uses) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const USE_RULE: &str = "UPDATE rules SET uses = uses + 1 WHERE rule_number = $1";
const DELETE_RULES: &str = "DELETE FROM rules";

/// How many rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) count: i64,
    pub(crate) last_number: i64,
}

/// Reads all rules, the first to look at first.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Rule>, Error> {
    tx.fetch_all(SELECT_RULES, []).await?.iter().map(rule).collect()
}

fn rule(row: &AnyRow) -> Result<Rule, Error> {
    let misbehavior: String = row.get(5);
    let delay_us = u64::try_from(row.get::<i64, _>(6))
        .map_err(|cause| corrupt(DOMAIN, "rules", format!("delay_us: {cause}")))?;
    Ok(Rule {
        number: row.get(0),
        method: row.get(1),
        offering_code: row.get(2),
        customer_id: row.get(3),
        order_id: row.get(4),
        misbehavior: Misbehavior::parse(&misbehavior)
            .ok_or_else(|| corrupt(DOMAIN, "rules", format!("misbehavior {misbehavior}")))?,
        delay: Duration::from_micros(delay_us),
        reason: row.get(7),
        max_uses: row.get(8),
        uses: row.get(9),
    })
}

/// Says whether there is any rule.
pub(crate) async fn any(database: &Database) -> Result<bool, Error> {
    let row = database.fetch_optional(SELECT_EXTENT, []).await?;
    Ok(row.is_some_and(|row| row.get::<i64, _>(0) > 0))
}

/// Counts the rules.
pub(crate) async fn extent(tx: &mut Tx) -> Result<Extent, Error> {
    let row = tx
        .fetch_optional(SELECT_EXTENT, [])
        .await?
        .ok_or_else(|| corrupt(DOMAIN, "rules", "no count"))?;
    Ok(Extent { count: row.get(0), last_number: row.get(1) })
}

/// Adds a rule.
pub(crate) async fn add(tx: &mut Tx, rule: &Rule) -> Result<(), Error> {
    let delay_us = i64::try_from(rule.delay.as_micros()).unwrap_or(i64::MAX);
    let values = [
        rule.number.into(),
        rule.method.as_str().into(),
        rule.offering_code.as_str().into(),
        rule.customer_id.as_str().into(),
        rule.order_id.as_str().into(),
        rule.misbehavior.as_str().into(),
        delay_us.into(),
        rule.reason.as_str().into(),
        rule.max_uses.into(),
        rule.uses.into(),
    ];
    tx.execute(INSERT_RULE, values).await.map(|_| ())
}

/// Counts one use of a rule.
pub(crate) async fn count_use(tx: &mut Tx, number: i64) -> Result<(), Error> {
    tx.execute(USE_RULE, [number.into()]).await.map(|_| ())
}

/// Removes all rules.
pub(crate) async fn clear(tx: &mut Tx) -> Result<(), Error> {
    tx.execute(DELETE_RULES, []).await.map(|_| ())
}
