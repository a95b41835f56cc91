//! Every SQL statement, and what a row means.

use std::sync::Arc;

use prost::Message;
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::storage::{Database, Migration, Tx, corrupt};
use throughline_kit::{AnyRow, Row};
use throughline_proto::product::v1 as proto;

use crate::convert;
use crate::error::DOMAIN;
use crate::import::Revision;
use crate::offering::Offering;

/// Steps of the schema.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "catalog",
    sql: include_str!("../migrations/0001_catalog.sql"),
}];

const SELECT_LAST_RELEASE: &str =
    "SELECT release, published_at_us FROM releases ORDER BY release DESC LIMIT 1";
const INSERT_RELEASE: &str = "INSERT INTO releases (release, added_count, changed_count, \
     published_at_us) VALUES ($1, $2, $3, $4)";
const SELECT_CHANGED_BETWEEN: &str = "SELECT code, definition FROM offerings \
     WHERE release > $1 AND release <= $2 AND (replaced_by IS NULL OR replaced_by > $2)";
const REPLACE_OFFERING: &str =
    "UPDATE offerings SET replaced_by = $1 WHERE code = $2 AND replaced_by IS NULL";
const INSERT_OFFERING: &str =
    "INSERT INTO offerings (code, release, replaced_by, definition) VALUES ($1, $2, NULL, $3)";

/// One publication of the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    /// Number; 0 before the first.
    pub(crate) number: i64,
    pub(crate) published_at: Instant,
}

/// Reads which release is in force.
pub(crate) async fn last_release(database: &Database) -> Result<Release, Error> {
    let row = database.fetch_optional(SELECT_LAST_RELEASE, []).await?;
    Ok(row.as_ref().map(release).unwrap_or_default())
}

/// Reads which release is in force, as the transaction sees it.
pub(crate) async fn last_release_in(tx: &mut Tx) -> Result<Release, Error> {
    let row = tx.fetch_optional(SELECT_LAST_RELEASE, []).await?;
    Ok(row.as_ref().map(release).unwrap_or_default())
}

/// Reads the offerings that were added or changed after one release, as they stood in a later one.
pub(crate) async fn changed_between(
    database: &Database,
    after: i64,
    until: i64,
) -> Result<Vec<Arc<Offering>>, Error> {
    let rows = database.fetch_all(SELECT_CHANGED_BETWEEN, [after.into(), until.into()]).await?;
    rows.iter().map(offering).collect()
}

/// Reads them as the transaction sees them.
pub(crate) async fn changed_between_in(
    tx: &mut Tx,
    after: i64,
    until: i64,
) -> Result<Vec<Arc<Offering>>, Error> {
    let rows = tx.fetch_all(SELECT_CHANGED_BETWEEN, [after.into(), until.into()]).await?;
    rows.iter().map(offering).collect()
}

/// Writes a release. Statements run at once, not at the commit: another import of the same commit reads them.
pub(crate) async fn publish(
    tx: &mut Tx,
    release: Release,
    revision: &Revision,
) -> Result<(), Error> {
    let count = |offerings: &[Arc<Offering>]| i64::try_from(offerings.len()).unwrap_or(i64::MAX);
    let row = [
        release.number.into(),
        count(&revision.added).into(),
        count(&revision.changed).into(),
        release.published_at.into(),
    ];
    tx.execute(INSERT_RELEASE, row).await?;
    for offering in &revision.changed {
        let key = [release.number.into(), offering.code.as_str().into()];
        let replaced = tx.execute(REPLACE_OFFERING, key).await?;
        if replaced != 1 {
            let what = format!("{replaced} live rows of {}", offering.code);
            return Err(corrupt(DOMAIN, "offerings", what));
        }
    }
    for offering in revision.added.iter().chain(&revision.changed) {
        let definition = convert::offering_to_proto(offering).encode_to_vec();
        let row = [offering.code.as_str().into(), release.number.into(), definition.into()];
        tx.execute(INSERT_OFFERING, row).await?;
    }
    Ok(())
}

fn release(row: &AnyRow) -> Release {
    Release { number: row.get(0), published_at: Instant(row.get(1)) }
}

fn offering(row: &AnyRow) -> Result<Arc<Offering>, Error> {
    let (code, definition): (String, Vec<u8>) = (row.get(0), row.get(1));
    let message = proto::Offering::decode(definition.as_slice())
        .map_err(|e| corrupt(DOMAIN, "offerings", format!("{code}: {e}")))?;
    let mut violations = Violations::new(DOMAIN);
    let offering = convert::parse_offering(&message, &code, &mut violations);
    violations.finish().map_err(|e| corrupt(DOMAIN, "offerings", e))?;
    match offering {
        Some(offering) if offering.code.as_str() == code => Ok(Arc::new(offering)),
        Some(_) | None => Err(corrupt(DOMAIN, "offerings", format!("{code}: another code inside"))),
    }
}
