//! Pools of units.

use std::fmt;

use crate::buckets::Buckets;
use crate::error::Refusal;

/// Longest code, in characters.
const MAX_CODE_LENGTH: usize = 64;

/// Code of a pool: 1 to 64 characters of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PoolCode(String);

impl PoolCode {
    /// Reads a code.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPoolCode> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let valid = (1..=MAX_CODE_LENGTH).contains(&text.len()) && text.bytes().all(allowed);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidPoolCode) }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a pool code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_CODE_LENGTH} characters of [A-Za-z0-9._-]")]
pub(crate) struct InvalidPoolCode;

/// What a pool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    /// Units that only their number tells apart.
    Counted,
    /// Items with names.
    Serial,
}

throughline_kit::define_texts!(PoolKind { Counted: "COUNTED", Serial: "SERIAL" });

/// A pool of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Unique code.
    pub(crate) code: PoolCode,
    /// What it holds.
    pub(crate) kind: PoolKind,
    /// Name for people.
    pub(crate) name: String,
    /// Where its units are.
    pub(crate) buckets: Buckets,
    /// The movement that changed it last; 0 before the first.
    pub(crate) last_sequence: i64,
}

impl Pool {
    /// Makes an empty pool.
    pub(crate) fn empty(code: PoolCode, kind: PoolKind, name: &str) -> Self {
        let name = name.to_owned();
        Self { code, kind, name, buckets: Buckets::default(), last_sequence: 0 }
    }

    /// Refuses a pool that holds the other kind.
    pub(crate) fn must_be(&self, needed: PoolKind) -> Result<(), Refusal> {
        if self.kind == needed {
            return Ok(());
        }
        let pool = self.code.clone();
        Err(Refusal::PoolKindMismatch { pool, pool_kind: self.kind, needed })
    }
}

/// A pool, and how many of its held units are held by reservations whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The pool as stored.
    pub(crate) pool: Pool,
    /// Units that are stored as held and free by the clock.
    pub(crate) due: i64,
}

impl Account {
    /// Units that may be taken: at the instant a hold is over its units are free, whether or not that was written yet.
    pub(crate) fn takeable(&self) -> i64 {
        self.pool.buckets.available + self.due
    }

    /// Refuses to take more units than may be taken.
    pub(crate) fn must_have(&self, requested: i64) -> Result<(), Refusal> {
        let available = self.takeable();
        if requested <= available {
            return Ok(());
        }
        let pool = self.pool.code.clone();
        Err(Refusal::InsufficientStock { pool, requested, available })
    }

    /// The pool as everybody should see it.
    pub(crate) fn seen(mut self) -> Pool {
        self.pool.buckets.available += self.due;
        self.pool.buckets.held -= self.due;
        self.pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_short_and_plain() {
        for good in ["a", "iphone-15.black_256", &"x".repeat(64)] {
            assert!(PoolCode::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(PoolCode::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn units_of_holds_that_are_over_may_be_taken() {
        let code = PoolCode::parse("a").expect("valid");
        let mut pool = Pool::empty(code.clone(), PoolKind::Counted, "");
        pool.buckets = Buckets { available: 2, held: 5, ..Buckets::default() };
        let account = Account { pool, due: 3 };
        assert_eq!(account.must_have(5), Ok(()));
        let refusal = Refusal::InsufficientStock { pool: code, requested: 6, available: 5 };
        assert_eq!(account.must_have(6), Err(refusal));
        let seen = Buckets { available: 5, held: 2, ..Buckets::default() };
        assert_eq!(account.seen().buckets, seen);
    }
}
