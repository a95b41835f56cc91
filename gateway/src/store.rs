//! Every SQL statement of the gateway and how rows read.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::id::RequestId;
use throughline_kit::identity::CallerKind;
use throughline_kit::storage::{Change, Database, Migration, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::caller::{Caller, Grant, KeyHash};
use crate::error::{ControlRefusal, DOMAIN};

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        description: "gateway",
        sql: include_str!("../migrations/0001_gateway.sql"),
    },
    Migration {
        version: 2,
        description: "caller requests",
        sql: include_str!("../migrations/0002_caller_requests.sql"),
    },
];

const SELECT_CALLERS: &str = "SELECT name, kind, key_hash, method_grants, right_grants, \
     created_at_us FROM callers ORDER BY name";
const COUNT_CALLERS: &str = "SELECT CAST(COUNT(name) AS BIGINT) FROM callers";
const SELECT_CALLERS_ALIKE: &str = "SELECT name, method_grants, right_grants, request_id \
     FROM callers WHERE name = $1 OR request_id = $2";
const INSERT_CALLER: &str = "INSERT INTO callers (name, kind, key_hash, method_grants, \
     right_grants, created_at_us, request_id) VALUES ($1, $2, $3, $4, $5, $6, $7)";
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

fn grants_text(caller: &Caller) -> String {
    let grants: Vec<String> = caller.method_grants.iter().map(Grant::to_string).collect();
    serde_json::json!(grants).to_string()
}

fn rights_text(caller: &Caller) -> String {
    serde_json::json!(caller.right_grants).to_string()
}

fn caller_row(caller: &Caller) -> [Value; 6] {
    [
        (&*caller.name).into(),
        caller.kind.as_str().into(),
        caller.key_hash.to_hex().into(),
        grants_text(caller).into(),
        rights_text(caller).into(),
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

/// Makes a new caller, once for each request.
pub(crate) struct CreateCaller {
    /// The caller.
    pub(crate) caller: Caller,
    /// The request that asks for it.
    pub(crate) request_id: RequestId,
    /// Callers at a time.
    pub(crate) max_callers: usize,
}

impl Change for CreateCaller {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let [name, kind, key_hash, method_grants, right_grants, created_at] =
            caller_row(&self.caller);
        let request_id: Value = self.request_id.as_str().into();
        let alike = tx.fetch_all(SELECT_CALLERS_ALIKE, [name.clone(), request_id.clone()]).await?;
        self.refuse_repetition(&alike)?;
        let count: i64 = tx.fetch_optional(COUNT_CALLERS, []).await?.map_or(0, |row| row.get(0));
        if usize::try_from(count).unwrap_or(usize::MAX) >= self.max_callers {
            let (limit, value) = ("max_callers", self.max_callers);
            return Err(ControlRefusal::LimitReached { limit, value }.into());
        }
        let row = [name, kind, key_hash, method_grants, right_grants, created_at, request_id];
        tx.execute(INSERT_CALLER, row).await?;
        Ok(())
    }
}

impl CreateCaller {
    /// Tells a repeated request from one with other content, and both from a name that somebody else took.
    fn refuse_repetition(&self, alike: &[AnyRow]) -> Result<(), ControlRefusal> {
        let name = self.caller.name.to_string();
        let request_id = self.request_id.to_string();
        let Some(same) = alike.iter().find(|row| row.get::<String, _>(3) == request_id) else {
            return match alike {
                [] => Ok(()),
                _ => Err(ControlRefusal::ChannelExists { name }),
            };
        };
        let stored: [String; 3] = [same.get(0), same.get(1), same.get(2)];
        let asked = [name.clone(), grants_text(&self.caller), rights_text(&self.caller)];
        Err(if stored == asked {
            ControlRefusal::ChannelCreatedBefore { name }
        } else {
            ControlRefusal::RequestIdReused { request_id }
        })
    }
}
