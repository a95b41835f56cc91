//! Receives stock, and corrects it.

use std::collections::BTreeMap;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::resource::v1 as proto;

use crate::error::Refusal;
use crate::item::ItemId;
use crate::ledger::Ledger;
use crate::movement::{Entry, MovementKind};
use crate::pool::{Pool, PoolCode, PoolKind};
use crate::resolve::make_room;
use crate::{convert, store};

/// New stock for one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Pool, created if it does not exist.
    pub(crate) pool: PoolCode,
    /// Name of a new pool.
    pub(crate) name: String,
    /// What comes.
    pub(crate) stock: Stock,
}

/// What comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stock {
    /// Units for a counted pool.
    Units(i64),
    /// Items for a serial pool, each once.
    Items(Vec<ItemId>),
}

impl Stock {
    fn kind(&self) -> PoolKind {
        match self {
            Self::Units(_) => PoolKind::Counted,
            Self::Items(_) => PoolKind::Serial,
        }
    }

    fn quantity(&self) -> i64 {
        match self {
            Self::Units(quantity) => *quantity,
            Self::Items(items) => i64::try_from(items.len()).unwrap_or(i64::MAX),
        }
    }
}

/// Stock that should be received, at most one receipt for a pool.
#[derive(Debug)]
pub(crate) struct Receive {
    /// The receipts.
    pub(crate) receipts: Vec<Receipt>,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for Receive {
    type Output = proto::ReceiveStockResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.receive(&mut ledger, tx).await;
        ledger.close(tx);
        let pools = outcome?.into_iter().map(convert::stock::pool_to_proto).collect();
        Ok(proto::ReceiveStockResponse { pools })
    }
}

impl Receive {
    async fn receive(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<Vec<Pool>, Error> {
        ledger.load(tx, self.receipts.iter().map(|receipt| &receipt.pool)).await?;
        for receipt in &self.receipts {
            check(ledger, tx, receipt).await?;
        }
        let mut pools = Vec::with_capacity(self.receipts.len());
        for receipt in &self.receipts {
            if ledger.find(&receipt.pool).is_none() {
                let kind = receipt.stock.kind();
                ledger.create(Pool::empty(receipt.pool.clone(), kind, &receipt.name));
            }
            if let Stock::Items(items) = &receipt.stock {
                items.iter().for_each(|item| store::item::add(tx, &receipt.pool, item));
                ledger.items_were_added(&receipt.pool);
            }
            let entry = Entry {
                pool: receipt.pool.clone(),
                kind: MovementKind::Receive,
                quantity: receipt.stock.quantity(),
                reservation: None,
                order_id: String::new(),
                reason: String::new(),
                at: ledger.now(),
            };
            ledger.record(tx, &entry).await?;
            pools.push(ledger.account(&receipt.pool)?.clone().seen());
        }
        Ok(pools)
    }
}

async fn check(ledger: &Ledger, tx: &mut Tx, receipt: &Receipt) -> Result<(), Error> {
    let Some(account) = ledger.find(&receipt.pool) else {
        return Ok(());
    };
    account.pool.must_be(receipt.stock.kind())?;
    let Stock::Items(items) = &receipt.stock else {
        return Ok(());
    };
    match store::item::existing(tx, &receipt.pool, items).await? {
        None => Ok(()),
        Some(item) => Err(Refusal::ItemExists { pool: receipt.pool.clone(), item }.into()),
    }
}

/// A correction of the available units of a counted pool.
#[derive(Debug)]
pub(crate) struct Adjust {
    /// Pool.
    pub(crate) pool: PoolCode,
    /// Change of the available units.
    pub(crate) delta: i64,
    /// Why.
    pub(crate) reason: String,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl Change for Adjust {
    type Output = proto::AdjustPoolResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut ledger = Ledger::open(tx, &self.clock);
        let outcome = self.adjust(&mut ledger, tx).await;
        ledger.close(tx);
        let pool = Some(convert::stock::pool_to_proto(outcome?));
        Ok(proto::AdjustPoolResponse { pool })
    }
}

impl Adjust {
    async fn adjust(&self, ledger: &mut Ledger, tx: &mut Tx) -> Result<Pool, Error> {
        ledger.load(tx, [&self.pool]).await?;
        let account = ledger.account(&self.pool)?;
        account.pool.must_be(PoolKind::Counted)?;
        let taken = (-self.delta).max(0);
        account.must_have(taken)?;
        make_room(ledger, tx, &BTreeMap::from([(self.pool.clone(), taken)])).await?;
        let entry = Entry {
            pool: self.pool.clone(),
            kind: MovementKind::Adjust,
            quantity: self.delta,
            reservation: None,
            order_id: String::new(),
            reason: self.reason.clone(),
            at: ledger.now(),
        };
        ledger.record(tx, &entry).await?;
        Ok(ledger.account(&self.pool)?.clone().seen())
    }
}
