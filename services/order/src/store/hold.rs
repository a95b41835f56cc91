//! Rows of pauses that stand for all orders.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Tx, corrupt};
use throughline_kit::{AnyRow, Row};
use throughline_proto::order::v1 as proto;

use crate::error::{DOMAIN, OrderError};
use crate::hold::{Hold, HoldId, HoldScope, MAX_STANDING_HOLDS};

const SELECT_ALL: &str = "SELECT hold_id, scope, target, reason, operator, placed_at_us \
     FROM standing_holds ORDER BY placed_at_us, hold_id";
const SELECT_COUNT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM standing_holds";
const SELECT_EXISTS: &str = "SELECT hold_id FROM standing_holds WHERE scope = $1 AND target = $2";
const INSERT: &str = "INSERT INTO standing_holds (hold_id, scope, target, reason, operator, \
     placed_at_us) VALUES ($1, $2, $3, $4, $5, $6)";
const DELETE: &str = "DELETE FROM standing_holds WHERE scope = $1 AND target = $2";

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
    })
}

fn key(scope: &HoldScope) -> (&'static str, &str) {
    match scope {
        HoldScope::Template(name) => ("TEMPLATE", name),
        HoldScope::Capability(method) => ("CAPABILITY", method),
        HoldScope::Order | HoldScope::BusinessOrder(_) | HoldScope::Step(_) => ("", ""),
    }
}

/// Pauses a template or a capability; one that is paused stays as it is.
#[derive(Debug)]
pub(crate) struct PlaceHold(pub(crate) Hold);

impl Change for PlaceHold {
    type Output = proto::HoldCapabilityResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Hold { id, scope, reason, operator, placed_at } = &self.0;
        let (kind, target) = key(scope);
        if tx.fetch_optional(SELECT_EXISTS, [kind.into(), target.into()]).await?.is_some() {
            return Ok(proto::HoldCapabilityResponse {});
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
        if tx.fetch_optional(SELECT_EXISTS, [kind.into(), target.into()]).await?.is_none() {
            return Err(OrderError::HoldNotFound(target.to_owned()).into());
        }
        tx.execute(DELETE, [kind.into(), target.into()]).await?;
        Ok(proto::ReleaseCapabilityResponse {})
    }
}
