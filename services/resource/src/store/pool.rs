//! Rows of `pools`.

use std::sync::LazyLock;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{in_chunks, met, pool_code};
use crate::buckets::Buckets;
use crate::error::DOMAIN;
use crate::movement::Census;
use crate::pool::{Account, Pool, PoolCode, PoolKind};

/// Columns of a pool, and its units that are stored as held and free at `$1`.
macro_rules! account_columns {
    () => {
        "p.pool_code, p.kind, p.name, p.total, p.available, p.held, p.used, p.quarantined, p.last_sequence, \
         CAST((SELECT COALESCE(SUM(l.quantity), 0) FROM reservation_lines l \
               WHERE l.pool_code = p.pool_code AND l.held_until_us <= $1) AS BIGINT)"
    };
}

const SELECT_POOL: &str =
    concat!("SELECT ", account_columns!(), " FROM pools p WHERE p.pool_code = $2");
const SELECT_POOLS: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM pools p WHERE p.pool_code IN (",
    keys_after_first!(),
    ")"
);
const LIST_POOLS: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM pools p WHERE p.pool_code > $2 ORDER BY p.pool_code LIMIT $3"
);
/// One statement, so that everything in it is read in the same instant.
const SELECT_CENSUS: &str = "SELECT p.pool_code, p.kind, p.name, p.total, p.available, p.held, p.used, \
     p.quarantined, p.last_sequence, \
     CAST((SELECT COALESCE(SUM(l.quantity), 0) FROM reservation_lines l \
           WHERE l.pool_code = p.pool_code AND l.held_until_us IS NOT NULL) AS BIGINT), \
     CAST((SELECT COALESCE(SUM(u.quantity), 0) FROM resting_units u \
           WHERE u.pool_code = p.pool_code) AS BIGINT), \
     CAST((SELECT COUNT(*) FROM items i WHERE i.pool_code = p.pool_code AND i.state = 'AVAILABLE') AS BIGINT), \
     CAST((SELECT COUNT(*) FROM items i WHERE i.pool_code = p.pool_code AND i.state = 'HELD') AS BIGINT), \
     CAST((SELECT COUNT(*) FROM items i WHERE i.pool_code = p.pool_code AND i.state = 'ASSIGNED') AS BIGINT), \
     CAST((SELECT COUNT(*) FROM items i WHERE i.pool_code = p.pool_code AND i.state = 'QUARANTINED') AS BIGINT) \
     FROM pools p WHERE p.pool_code = $1";
const UPDATE_POOL: &str = "UPDATE pools SET total = $3, available = $4, held = $5, used = $6, \
     quarantined = $7, last_sequence = $8 WHERE pool_code = $1 AND last_sequence = $2";
/// What [`UPDATE_POOL`] says for many pools; the same values, in the same order, for each.
static UPDATE_64_POOLS: LazyLock<String> = LazyLock::new(|| update_pools(64));
static UPDATE_8_POOLS: LazyLock<String> = LazyLock::new(|| update_pools(8));
static INSERT_POOL: Insert = Insert {
    table: "pools",
    columns: &[
        "pool_code",
        "kind",
        "name",
        "total",
        "available",
        "held",
        "used",
        "quarantined",
        "last_sequence",
    ],
    otherwise: "",
};

/// Reads pools by code, many at a time; those that do not exist are missing in the answer.
pub(crate) async fn load(tx: &mut Tx, codes: &[&str], now: Instant) -> Result<Vec<Account>, Error> {
    if let [code] = codes {
        let row = tx.fetch_optional(SELECT_POOL, [now.into(), (*code).into()]).await?;
        return row.iter().map(account).collect();
    }
    let mut accounts = Vec::with_capacity(codes.len());
    for arguments in in_chunks(&now.into(), codes) {
        let rows = tx.fetch_all(SELECT_POOLS, arguments).await?;
        for row in &rows {
            accounts.push(account(row)?);
        }
    }
    Ok(accounts)
}

/// Adds a pool.
pub(crate) fn add(tx: &mut Tx, pool: &Pool) {
    let Buckets { available, held, used, quarantined } = pool.buckets;
    let row: [Value; 9] = [
        pool.code.as_str().into(),
        pool.kind.as_str().into(),
        pool.name.as_str().into(),
        pool.buckets.total().into(),
        available.into(),
        held.into(),
        used.into(),
        quarantined.into(),
        pool.last_sequence.into(),
    ];
    tx.append(&INSERT_POOL, row);
}

/// A pool that changed, and the movement that was its last when it was read.
pub(crate) type Changed<'a> = (&'a Pool, i64);

/// Stores the buckets of pools, if no other instance changed one of them since it was read.
pub(crate) async fn update(tx: &mut Tx, changed: &[Changed<'_>]) -> Result<(), Error> {
    let (chunks, rest) = changed.as_chunks::<64>();
    for chunk in chunks {
        update_chunk(tx, UPDATE_64_POOLS.as_str(), chunk).await?;
    }
    let (chunks, rest) = rest.as_chunks::<8>();
    for chunk in chunks {
        update_chunk(tx, UPDATE_8_POOLS.as_str(), chunk).await?;
    }
    for one in rest {
        update_chunk(tx, UPDATE_POOL, std::slice::from_ref(one)).await?;
    }
    Ok(())
}

async fn update_chunk(
    tx: &mut Tx,
    statement: &'static str,
    changed: &[Changed<'_>],
) -> Result<(), Error> {
    let arguments = changed.iter().flat_map(|(pool, read_at_sequence)| -> [Value; 8] {
        let Buckets { available, held, used, quarantined } = pool.buckets;
        [
            pool.code.as_str().into(),
            (*read_at_sequence).into(),
            pool.buckets.total().into(),
            available.into(),
            held.into(),
            used.into(),
            quarantined.into(),
            pool.last_sequence.into(),
        ]
    });
    let arguments: Vec<Value> = arguments.collect();
    met(tx.execute(statement, arguments).await?, changed.len() as u64, "a pool")
}

fn update_pools(count: usize) -> String {
    let tuple = |n: usize| {
        let marks: Vec<String> = (1..=8).map(|column| format!("${}", n * 8 + column)).collect();
        format!("({})", marks.join(", "))
    };
    let tuples: Vec<String> = (0..count).map(tuple).collect();
    format!(
        "UPDATE pools SET total = v.column3, available = v.column4, held = v.column5, \
         used = v.column6, quarantined = v.column7, last_sequence = v.column8 \
         FROM (VALUES {}) AS v \
         WHERE pools.pool_code = v.column1 AND pools.last_sequence = v.column2",
        tuples.join(", ")
    )
}

/// Reads one pool.
pub(crate) async fn find(
    database: &Database,
    code: &PoolCode,
    now: Instant,
) -> Result<Option<Account>, Error> {
    let key = [now.into(), code.as_str().into()];
    database.fetch_optional(SELECT_POOL, key).await?.as_ref().map(account).transpose()
}

/// Reads pools after a code, in the order of codes.
pub(crate) async fn list(
    database: &Database,
    after: Option<&str>,
    limit: i64,
    now: Instant,
) -> Result<Vec<Account>, Error> {
    let arguments = [now.into(), after.unwrap_or_default().into(), limit.into()];
    database.fetch_all(LIST_POOLS, arguments).await?.iter().map(account).collect()
}

/// Reads a pool and what other tables say of it.
pub(crate) async fn census(
    database: &Database,
    code: &PoolCode,
) -> Result<Option<(Pool, Census)>, Error> {
    let row = database.fetch_optional(SELECT_CENSUS, [code.as_str().into()]).await?;
    let Some(row) = row else { return Ok(None) };
    let items = Buckets {
        available: row.get(11),
        held: row.get(12),
        used: row.get(13),
        quarantined: row.get(14),
    };
    Ok(Some((pool(&row)?, Census { held_by_lines: row.get(9), resting: row.get(10), items })))
}

fn account(row: &AnyRow) -> Result<Account, Error> {
    let account = Account { pool: pool(row)?, due: row.get(9) };
    if (0..=account.pool.buckets.held).contains(&account.due) {
        return Ok(account);
    }
    let cause = format!("{} of {}: {} due", account.pool.code, account.pool.buckets, account.due);
    Err(corrupt(DOMAIN, "pools", cause))
}

fn pool(row: &AnyRow) -> Result<Pool, Error> {
    let kind: String = row.get(1);
    let pool = Pool {
        code: pool_code("pools", row.get(0))?,
        kind: PoolKind::parse(&kind).ok_or_else(|| corrupt(DOMAIN, "pools", kind))?,
        name: row.get(2),
        buckets: Buckets {
            available: row.get(4),
            held: row.get(5),
            used: row.get(6),
            quarantined: row.get(7),
        },
        last_sequence: row.get(8),
    };
    let total: i64 = row.get(3);
    if total == pool.buckets.total() {
        return Ok(pool);
    }
    Err(corrupt(DOMAIN, "pools", format!("{}: total {total}, {}", pool.code, pool.buckets)))
}
