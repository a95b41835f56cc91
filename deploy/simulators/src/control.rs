//! What operators ask of the simulators: rules, and the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Change, Database, Tx, Writer};
use tokio::sync::Mutex;

use crate::error::DOMAIN;
use crate::method::System;
use crate::rule::Rule;
use crate::store;
use crate::store::effect::Entry;

/// Rules and journal.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    writer: Writer,
    database: Database,
    rules_exist: Arc<AtomicBool>,
    max_rules: i64,
    /// Adding and clearing take turns, so that `rules_exist` ends as the store does.
    turn: Arc<Mutex<()>>,
}

impl Control {
    /// Works on the simulators' store; `rules_exist` tells the engine whether to look at rules.
    pub(crate) fn new(
        writer: Writer,
        database: Database,
        rules_exist: Arc<AtomicBool>,
        max_rules: i64,
    ) -> Self {
        Self { writer, database, rules_exist, max_rules, turn: Arc::default() }
    }

    /// Adds a rule behind the others.
    pub(crate) async fn add_rule(&self, rule: Rule) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        self.writer.write(AddRule { rule, max_rules: self.max_rules }).await?;
        self.rules_exist.store(true, Ordering::Release);
        Ok(())
    }

    /// Removes all rules.
    pub(crate) async fn clear_rules(&self) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        self.writer.write(ClearRules).await?;
        self.rules_exist.store(false, Ordering::Release);
        Ok(())
    }

    /// Reads a page of the journal.
    pub(crate) async fn effects(
        &self,
        system: Option<System>,
        page: &Page<i64>,
    ) -> Result<Vec<Entry>, Error> {
        store::effect::page(&self.database, system, page).await
    }
}

struct AddRule {
    rule: Rule,
    max_rules: i64,
}

impl Change for AddRule {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let extent = store::rule::extent(tx).await?;
        if extent.count >= self.max_rules {
            return Err(Error::limit(DOMAIN, "max_rules", self.max_rules));
        }
        let rule = Rule { number: extent.last_number + 1, ..self.rule.clone() };
        store::rule::add(tx, &rule).await
    }
}

struct ClearRules;

impl Change for ClearRules {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        store::rule::clear(tx).await
    }
}
