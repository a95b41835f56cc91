//! Recomputes a pool from its journal.

use throughline_kit::error::Error;
use throughline_kit::storage::Database;

use crate::error::Refusal;
use crate::movement::Replay;
use crate::pool::{Pool, PoolCode};
use crate::store;

/// Movements read at a time.
const MOVEMENTS_PER_READ: i64 = 1_000;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The pool as stored.
    pub(crate) pool: Pool,
    /// The first divergence, a sentence.
    pub(crate) divergence: Option<String>,
}

/// Compares a pool with its journal, its holds and its items while others go on changing it: the pool names the movement
/// that was its last, and the journal up to there no longer changes.
pub(crate) async fn verify(database: &Database, code: &PoolCode) -> Result<Verdict, Error> {
    let (pool, census) = store::pool::census(database, code)
        .await?
        .ok_or_else(|| Refusal::PoolNotFound(code.to_string()))?;
    let mut agrees = replay(database, &pool).await?;
    if agrees.is_ok() {
        agrees = census.compare(&pool);
    }
    Ok(Verdict { pool, divergence: agrees.err() })
}

async fn replay(database: &Database, pool: &Pool) -> Result<Result<(), String>, Error> {
    let filter = store::movement::Filter { pool: Some(pool.code.clone()), ..Default::default() };
    let mut replay = Replay::default();
    let mut after = 0;
    loop {
        let movements = store::movement::list(database, &filter, after, MOVEMENTS_PER_READ).await?;
        for movement in movements.iter().filter(|m| m.sequence <= pool.last_sequence) {
            if let Err(divergence) = replay.next(movement) {
                return Ok(Err(divergence));
            }
        }
        match movements.last() {
            Some(last) if last.sequence < pool.last_sequence => after = last.sequence,
            Some(_) | None => return Ok(replay.compare(pool)),
        }
    }
}
