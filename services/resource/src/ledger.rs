//! The pools that the changes of one commit touch, in memory: each is read once and written once per commit, so a pool
//! that a thousand buyers want costs a commit as much as one that a single buyer wants.
//!
//! It lives as long as the transaction and goes with it, so it is never older than what the transaction reads. All
//! changes of one commit happen at one instant, the ledger's. That is what makes a hold that is over free for everyone
//! at once, and why no reservation of a commit can be over in the same commit.

use std::collections::BTreeMap;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Tx, WorkingSet, corrupt};

use crate::error::{DOMAIN, Refusal};
use crate::movement::{Entry, MovementKind};
use crate::pool::{Account, Pool, PoolCode};
use crate::store;

/// What the changes of one commit share.
#[derive(Debug)]
pub(crate) struct Ledger {
    now: Instant,
    /// By code, so that instances on one database lock rows in one order.
    sheets: BTreeMap<PoolCode, Sheet>,
    last_sequence: Option<i64>,
}

#[derive(Debug)]
struct Sheet {
    account: Account,
    /// Last movement of the pool when it was read; `None` for a pool that is new in this commit.
    read_at_sequence: Option<i64>,
    /// Items were received in this commit, which no statement of this commit can read.
    has_unread_items: bool,
}

impl Ledger {
    /// Goes on with the ledger of this commit, or begins it.
    pub(crate) fn open(tx: &mut Tx, clock: &Clock) -> Self {
        tx.take_working_set().unwrap_or_else(|| Self {
            now: clock.now(),
            sheets: BTreeMap::new(),
            last_sequence: None,
        })
    }

    /// Keeps it for the next change of this commit.
    pub(crate) fn close(self, tx: &mut Tx) {
        tx.keep_working_set(self);
    }

    /// The instant of this commit.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Reads the pools that are not in memory yet. A pool that does not exist is no error here.
    pub(crate) async fn load<'a>(
        &mut self,
        tx: &mut Tx,
        codes: impl IntoIterator<Item = &'a PoolCode>,
    ) -> Result<(), Error> {
        let unread = |code: &&PoolCode| !self.sheets.contains_key(*code);
        let missing: Vec<&str> = codes.into_iter().filter(unread).map(PoolCode::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for account in store::pool::load(tx, &missing, self.now).await? {
            let read_at_sequence = Some(account.pool.last_sequence);
            let code = account.pool.code.clone();
            self.sheets.insert(code, Sheet { account, read_at_sequence, has_unread_items: false });
        }
        Ok(())
    }

    /// The account of a pool, if it exists. It must have been loaded.
    pub(crate) fn find(&self, code: &PoolCode) -> Option<&Account> {
        self.sheets.get(code).map(|sheet| &sheet.account)
    }

    /// The account of a pool. It must have been loaded.
    pub(crate) fn account(&self, code: &PoolCode) -> Result<&Account, Refusal> {
        self.find(code).ok_or_else(|| Refusal::PoolNotFound(code.to_string()))
    }

    /// Adds a pool that does not exist.
    pub(crate) fn create(&mut self, pool: Pool) {
        let code = pool.code.clone();
        let account = Account { pool, due: 0 };
        let sheet = Sheet { account, read_at_sequence: None, has_unread_items: false };
        let before = self.sheets.insert(code, sheet);
        assert!(before.is_none(), "a pool is created once");
    }

    /// Notes that items were added to a pool in this commit.
    pub(crate) fn items_were_added(&mut self, code: &PoolCode) {
        if let Some(sheet) = self.sheets.get_mut(code) {
            sheet.has_unread_items = true;
        }
    }

    /// Says why fewer items can be read than the pool has: they come with this commit, or something is wrong.
    pub(crate) fn items_missing(&self, code: &PoolCode, cause: &Refusal) -> Error {
        match self.sheets.get(code) {
            Some(sheet) if sheet.has_unread_items => store::conflict("the pool's items"),
            Some(_) | None => corrupt(DOMAIN, "items", cause),
        }
    }

    /// Moves units: changes the buckets of the pool and writes the journal. Gives the position in the journal. It is the
    /// only way in which a pool changes, and comes after everything that can be refused.
    pub(crate) async fn record(&mut self, tx: &mut Tx, entry: &Entry) -> Result<i64, Error> {
        let last = match self.last_sequence {
            Some(last) => last,
            None => store::movement::last_sequence(tx).await?,
        };
        let sheet = self
            .sheets
            .get_mut(&entry.pool)
            .ok_or_else(|| corrupt(DOMAIN, "pools", format!("{} does not exist", entry.pool)))?;
        let sequence = last + 1;
        let pool = &mut sheet.account.pool;
        pool.buckets = pool.buckets.after(entry.kind, entry.quantity).map_err(|impossible| {
            corrupt(DOMAIN, "pools", format!("{}: {impossible}", pool.code))
        })?;
        pool.last_sequence = sequence;
        if entry.kind == MovementKind::Expire {
            sheet.account.due -= entry.quantity;
        }
        self.last_sequence = Some(sequence);
        store::movement::add(tx, sequence, entry);
        Ok(sequence)
    }
}

impl WorkingSet for Ledger {
    async fn flush(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let mut changed = Vec::new();
        for sheet in self.sheets.values() {
            let pool = &sheet.account.pool;
            match sheet.read_at_sequence {
                None => store::pool::add(tx, pool),
                Some(read) if read != pool.last_sequence => changed.push((pool, read)),
                Some(_) => {}
            }
        }
        store::pool::update(tx, &changed).await
    }
}
