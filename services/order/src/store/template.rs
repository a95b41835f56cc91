//! Rows of templates.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Tx, corrupt};
use throughline_kit::{AnyRow, Row};
use throughline_proto::order::v1 as proto;

use crate::convert;
use crate::error::{DOMAIN, OrderError};
use crate::template::Kind;
use crate::templates::{MAX_TEMPLATE_VERSIONS, Record};

const SELECT_ALL: &str = "SELECT name, version, kind, title, source, descriptors, author, reason, \
     published_at_us FROM templates ORDER BY name, version";
const SELECT_IN_FORCE: &str = "SELECT name, version FROM templates_in_force";
const SELECT_VERSION_IN_FORCE: &str = "SELECT version FROM templates_in_force WHERE name = $1";
const SELECT_LAST: &str =
    "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM templates WHERE name = $1";
const SELECT_ONE: &str = "SELECT name, version, kind, title, source, descriptors, author, reason, \
     published_at_us FROM templates WHERE name = $1 AND version = $2";
const SELECT_COUNT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM templates";
const INSERT: &str = "INSERT INTO templates (name, version, kind, title, source, descriptors, author, \
     reason, published_at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const UPSERT_IN_FORCE: &str = "INSERT INTO templates_in_force (name, version) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET version = excluded.version";

/// Which version of a name is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce(pub(crate) String, pub(crate) i64);

/// Reads every version.
pub(crate) async fn all(database: &Database) -> Result<Vec<Record>, Error> {
    let rows = database.fetch_all(SELECT_ALL, []).await?;
    rows.iter().map(record).collect()
}

/// Reads which versions are in force.
pub(crate) async fn in_force(database: &Database) -> Result<Vec<InForce>, Error> {
    let rows = database.fetch_all(SELECT_IN_FORCE, []).await?;
    Ok(rows.iter().map(|row| InForce(row.get(0), row.get(1))).collect())
}

fn record(row: &AnyRow) -> Result<Record, Error> {
    let kind = match row.get::<String, _>(2).as_str() {
        "ORDER" => Kind::Order,
        "BUSINESS" => Kind::Business,
        other => return Err(corrupt(DOMAIN, "templates", format!("kind {other}"))),
    };
    Ok(Record {
        name: row.get(0),
        version: row.get(1),
        kind,
        title: row.get(3),
        source: row.get(4),
        descriptors: row.get(5),
        author: row.get(6),
        reason: row.get(7),
        published_at: Instant(row.get(8)),
    })
}

/// Adds the next version of a name.
#[derive(Debug)]
pub(crate) struct Publish {
    /// The version; its number is the next.
    pub(crate) record: Record,
    /// Version that must be in force; 0 for any.
    pub(crate) expected: i64,
    /// It is in force from now on.
    pub(crate) take_effect: bool,
}

impl Change for Publish {
    /// Number of the version that holds the text.
    type Output = i64;

    async fn apply(&self, tx: &mut Tx) -> Result<i64, Error> {
        let Record { name, kind, title, source, descriptors, author, reason, published_at, .. } =
            &self.record;
        let in_force = tx.fetch_optional(SELECT_VERSION_IN_FORCE, [name.as_str().into()]).await?;
        let in_force = in_force.map_or(0, |row| row.get::<i64, _>(0));
        if self.expected != 0 && self.expected != in_force {
            return Err(OrderError::TemplateOvertaken(name.clone(), in_force).into());
        }
        let count = tx.fetch_optional(SELECT_COUNT, []).await?;
        let count = count.map_or(0, |row| row.get::<i64, _>(0));
        if usize::try_from(count).is_ok_and(|count| count >= MAX_TEMPLATE_VERSIONS) {
            return Err(Error::limit(DOMAIN, "max_template_versions", MAX_TEMPLATE_VERSIONS));
        }
        let last = tx.fetch_optional(SELECT_LAST, [name.as_str().into()]).await?;
        let version = last.map_or(0, |row| row.get::<i64, _>(0)) + 1;
        let kind = match kind {
            Kind::Order => "ORDER",
            Kind::Business => "BUSINESS",
        };
        let row = [
            name.as_str().into(),
            version.into(),
            kind.into(),
            title.as_str().into(),
            source.as_str().into(),
            descriptors.clone().into(),
            author.as_str().into(),
            reason.as_str().into(),
            (*published_at).into(),
        ];
        tx.execute(INSERT, row).await?;
        if self.take_effect {
            tx.execute(UPSERT_IN_FORCE, [name.as_str().into(), version.into()]).await?;
        }
        Ok(version)
    }
}

/// Puts a version in force.
#[derive(Debug)]
pub(crate) struct PutInForce {
    /// Name.
    pub(crate) name: String,
    /// Version.
    pub(crate) version: i64,
}

impl Change for PutInForce {
    type Output = proto::RollbackTemplateResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let key = [self.name.as_str().into(), self.version.into()];
        let missing = || OrderError::TemplateNotFound(self.name.clone(), self.version);
        let row = tx.fetch_optional(SELECT_ONE, key).await?.ok_or_else(missing)?;
        let record = record(&row)?;
        tx.execute(UPSERT_IN_FORCE, [self.name.as_str().into(), self.version.into()]).await?;
        let template = Some(convert::record(&record, Some(self.version), true));
        Ok(proto::RollbackTemplateResponse { template })
    }
}
