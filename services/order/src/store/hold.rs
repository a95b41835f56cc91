//! Rows of pauses that stand for all orders.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Tx, corrupt};
use throughline_kit::{AnyRow, Row};
use throughline_proto::order::v1 as proto;

use crate::error::{DOMAIN, OrderError};
use crate::hold::{Hold, HoldId, HoldScope, MAX_STANDING_HOLDS, Window};

const SELECT_ALL: &str = "SELECT hold_id, scope, target, reason, operator, placed_at_us, \
     starts_at_us, ends_at_us, ramp_ms FROM standing_holds ORDER BY placed_at_us, hold_id";
const SELECT_COUNT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM standing_holds";
const SELECT_ONE: &str = "SELECT hold_id, scope, target, reason, operator, placed_at_us, \
     starts_at_us, ends_at_us, ramp_ms FROM standing_holds WHERE scope = $1 AND target = $2";
const INSERT: &str = "INSERT INTO standing_holds (hold_id, scope, target, reason, operator, \
     placed_at_us, starts_at_us, ends_at_us, ramp_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const DELETE: &str = "DELETE FROM standing_holds WHERE scope = $1 AND target = $2";
const DELETE_ONE: &str = "DELETE FROM standing_holds WHERE hold_id = $1";

/// Reads all.
pub(crate) async fn all(database: &Database) -> Result<Vec<Hold>, Error> {
    let rows = database.fetch_all(SELECT_ALL, []).await?;
    rows.iter().map(hold).collect()
}

fn hold(row: &AnyRow) -> Result<Hold, Error> {
    let id: String = row.get(0);
    let target: String = row.get(2);
    let scope = match row.get::<String, _>(1).as_str() {
        "TEMPLATE" => HoldScope::Template(target),
        "CAPABILITY" => HoldScope::Capability(target),
        other => return Err(corrupt(DOMAIN, "standing_holds", format!("scope {other}"))),
    };
    Ok(Hold {
        id: HoldId::parse(&id).map_err(|cause| corrupt(DOMAIN, "standing_holds", cause))?,
        scope,
        reason: row.get(3),
        operator: row.get(4),
        placed_at: Instant(row.get(5)),
        window: Window {
            starts_at: Instant(row.get(6)),
            ends_at: row.get::<Option<i64>, _>(7).map(Instant),
            ramp: Duration::from_millis(u64::try_from(row.get::<i64, _>(8)).unwrap_or(0)),
        },
    })
}

fn key(scope: &HoldScope) -> (&'static str, &str) {
    match scope {
        HoldScope::Template(name) => ("TEMPLATE", name),
        HoldScope::Capability(method) => ("CAPABILITY", method),
        HoldScope::Order | HoldScope::BusinessOrder(_) | HoldScope::Step(_) => ("", ""),
    }
}

/// Pauses a template or a capability. One that is paused for the same time stays as it is; for another time, this pause takes the
/// place of that one.
#[derive(Debug)]
pub(crate) struct PlaceHold(pub(crate) Hold);

impl Change for PlaceHold {
    type Output = proto::HoldCapabilityResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Hold { id, scope, reason, operator, placed_at, window } = &self.0;
        let (kind, target) = key(scope);
        if let Some(row) = tx.fetch_optional(SELECT_ONE, [kind.into(), target.into()]).await? {
            if hold(&row)?.window == *window {
                return Ok(proto::HoldCapabilityResponse {});
            }
            tx.execute(DELETE, [kind.into(), target.into()]).await?;
        }
        let count = tx.fetch_optional(SELECT_COUNT, []).await?;
        let count = count.map_or(0, |row| row.get::<i64, _>(0));
        if usize::try_from(count).is_ok_and(|count| count >= MAX_STANDING_HOLDS) {
            return Err(Error::limit(DOMAIN, "max_standing_holds", MAX_STANDING_HOLDS));
        }
        let row = [
            id.as_str().into(),
            kind.into(),
            target.into(),
            reason.as_str().into(),
            operator.as_str().into(),
            (*placed_at).into(),
            window.starts_at.into(),
            window.ends_at.map(|at| at.0).into(),
            i64::try_from(window.ramp.as_millis()).unwrap_or(i64::MAX).into(),
        ];
        tx.execute(INSERT, row).await?;
        Ok(proto::HoldCapabilityResponse {})
    }
}

/// Lets a template or a capability go on.
#[derive(Debug)]
pub(crate) struct EndHold(pub(crate) HoldScope);

impl Change for EndHold {
    type Output = proto::ReleaseCapabilityResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let (kind, target) = key(&self.0);
        if tx.fetch_optional(SELECT_ONE, [kind.into(), target.into()]).await?.is_none() {
            return Err(OrderError::HoldNotFound(target.to_owned()).into());
        }
        tx.execute(DELETE, [kind.into(), target.into()]).await?;
        Ok(proto::ReleaseCapabilityResponse {})
    }
}

/// Forgets pauses that are over.
#[derive(Debug)]
pub(crate) struct ForgetHolds(pub(crate) Vec<HoldId>);

impl Change for ForgetHolds {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for id in &self.0 {
            tx.execute(DELETE_ONE, [id.as_str().into()]).await?;
        }
        Ok(())
    }
}
