//! Every SQL statement of the gateway and how rows read.

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::identity::CallerKind;
use throughline_kit::storage::{Change, Database, Migration, Tx, Value, corrupt};

use crate::caller::{Caller, Grant, KeyHash};
use crate::error::{ControlRefusal, DOMAIN};

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    description: "gateway",
    sql: include_str!("../migrations/0001_gateway.sql"),
}];

const SELECT_CALLERS: &str = "SELECT name, kind, key_hash, method_grants, right_grants, \
     created_at_us FROM callers ORDER BY name";
const COUNT_CALLERS: &str = "SELECT CAST(COUNT(name) AS BIGINT) FROM callers";
const SELECT_CALLER_NAME: &str = "SELECT name FROM callers WHERE name = $1";
const INSERT_CALLER: &str = "INSERT INTO callers (name, kind, key_hash, method_grants, \
     right_grants, created_at_us) VALUES ($1, $2, $3, $4, $5, $6)";
const UPSERT_BUILT_IN_CALLER: &str = "INSERT INTO callers (name, kind, key_hash, method_grants, \
     right_grants, created_at_us) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, key_hash = excluded.key_hash, \
     method_grants = excluded.method_grants, right_grants = excluded.right_grants \
     WHERE callers.kind <> excluded.kind OR callers.key_hash <> excluded.key_hash \
     OR callers.method_grants <> excluded.method_grants \
     OR callers.right_grants <> excluded.right_grants";

/// Reads all callers by name.
pub(crate) async fn callers(database: &Database) -> Result<Vec<Caller>, Error> {
    let rows = database.fetch_all(SELECT_CALLERS, []).await?;
    rows.iter()
        .map(|row| {
            let name: String = row.get(0);
            let wrong = |what: &str| corrupt(DOMAIN, "callers", format!("{what} of {name}"));
            let grants: Vec<String> =
                serde_json::from_str(row.get(3)).map_err(|_| wrong("method_grants"))?;
            Ok(Caller {
                kind: CallerKind::parse(row.get(1)).ok_or_else(|| wrong("kind"))?,
                key_hash: KeyHash::from_hex(row.get(2)).ok_or_else(|| wrong("key_hash"))?,
                method_grants: grants
                    .iter()
                    .map(|grant| Grant::parse(grant).map_err(|_| wrong("method_grants")))
                    .collect::<Result<_, _>>()?,
                right_grants: serde_json::from_str(row.get(4))
                    .map_err(|_| wrong("right_grants"))?,
                created_at: Instant(row.get(5)),
                name: name.as_str().into(),
            })
        })
        .collect()
}

fn caller_row(caller: &Caller) -> [Value; 6] {
    let grants: Vec<String> = caller.method_grants.iter().map(Grant::to_string).collect();
    [
        (&*caller.name).into(),
        caller.kind.as_str().into(),
        caller.key_hash.to_hex().into(),
        serde_json::json!(grants).to_string().into(),
        serde_json::json!(caller.right_grants).to_string().into(),
        caller.created_at.into(),
    ]
}

/// Makes the built-in callers, or gives those that are there the key of their file and what this build lets them call.
pub(crate) struct KeepBuiltInCallers(pub(crate) Vec<Caller>);

impl Change for KeepBuiltInCallers {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for caller in &self.0 {
            tx.execute(UPSERT_BUILT_IN_CALLER, caller_row(caller)).await?;
        }
        Ok(())
    }
}

/// Makes a new caller.
pub(crate) struct CreateCaller {
    /// The caller.
    pub(crate) caller: Caller,
    /// Callers at a time.
    pub(crate) max_callers: usize,
}

impl Change for CreateCaller {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let name = &self.caller.name;
        if tx.fetch_optional(SELECT_CALLER_NAME, [(&**name).into()]).await?.is_some() {
            return Err(ControlRefusal::ChannelExists { name: name.to_string() }.into());
        }
        let count: i64 = tx.fetch_optional(COUNT_CALLERS, []).await?.map_or(0, |row| row.get(0));
        if usize::try_from(count).unwrap_or(usize::MAX) >= self.max_callers {
            let (limit, value) = ("max_callers", self.max_callers);
            return Err(ControlRefusal::LimitReached { limit, value }.into());
        }
        tx.execute(INSERT_CALLER, caller_row(&self.caller)).await?;
        Ok(())
    }
}
