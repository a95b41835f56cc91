//! One way of doing it for all systems: load, decide, store, answer or misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx, Writer};
use tokio::sync::Notify;

use crate::decision::{Answer, Decision, Stored, answer_question, call_of, decide};
use crate::error::Refusal;
use crate::method::System;
use crate::operation::{Operation, State};
use crate::rule::{Call, Facts, Rule, first_match};
use crate::settlement::{Settled, TargetChange};
use crate::store::{self, Late};

/// The simulators' common engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    /// Whether rules have to be looked at: without any, no call pays for reading them.
    pub(crate) rules_exist: Arc<AtomicBool>,
    /// Told when an operation will end later.
    pub(crate) late: Arc<Notify>,
    /// How long a call that is never answered is kept.
    pub(crate) never_answer: Duration,
    pub(crate) shutdown: CancellationToken,
}

/// Numbers effects. A number may be skipped, never used twice.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    last: Arc<AtomicI64>,
}

impl Journal {
    /// Goes on after the last effect of the store.
    pub(crate) fn after(last: i64) -> Self {
        Self { last: Arc::new(AtomicI64::new(last)) }
    }

    fn next(&self) -> i64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A question about an operation.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) system: System,
    /// Method name, for rules.
    pub(crate) method: &'static str,
    pub(crate) reference: String,
}

impl Engine {
    /// Carries out what is asked, once for its reference, and answers as the rules say.
    pub(crate) async fn perform(
        &self,
        asked: Operation,
        trace_parent: String,
    ) -> Result<Operation, Error> {
        let system = asked.method.system();
        let perform = Perform {
            asked,
            trace_parent,
            now: self.clock.now(),
            look_at_rules: self.rules_exist.load(Ordering::Acquire),
            journal: self.journal.clone(),
        };
        let answer = self.writer.write(perform).await?;
        if let Answer::Told { operation, .. } = &answer
            && operation.state == State::Pending
        {
            self.late.notify_one();
        }
        self.give(system, answer).await
    }

    /// Says how an operation stands.
    pub(crate) async fn ask(&self, question: Question) -> Result<Operation, Error> {
        let system = question.system;
        let look_at_rules = self.rules_exist.load(Ordering::Acquire);
        let answer = self.writer.write(Ask { question, look_at_rules }).await?;
        self.give(system, answer).await
    }

    async fn give(&self, system: System, answer: Answer) -> Result<Operation, Error> {
        match answer {
            Answer::Told { operation, after } => {
                self.pause(after).await;
                Ok(*operation)
            }
            Answer::Down => Err(Refusal::SystemDown(system).into()),
            Answer::Never => {
                self.pause(self.never_answer).await;
                Err(Refusal::NoAnswer(system).into())
            }
        }
    }

    async fn pause(&self, span: Duration) {
        if span.is_zero() {
            return;
        }
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = tokio::time::sleep(span) => {}
        }
    }
}

struct Perform {
    asked: Operation,
    trace_parent: String,
    now: Instant,
    look_at_rules: bool,
    journal: Journal,
}

impl Change for Perform {
    type Output = Answer;

    async fn apply(&self, tx: &mut Tx) -> Result<Answer, Error> {
        let mut asked = self.asked.clone();
        let system = asked.method.system();
        let known = match asked.reference.as_str() {
            "" => None,
            reference => store::find(tx, system, reference).await?,
        };
        let target = match (&known, &asked.target) {
            (None, Some(reference)) => store::find(tx, system, reference).await?,
            _ => None,
        };
        if let Some(target) = &target {
            asked.inherit(target);
        }
        let rules = if self.look_at_rules { store::rule::all(tx).await? } else { Vec::new() };
        let call = call_of(&asked, known.as_ref(), target.as_ref());
        let rule = first_match(&rules, &facts(asked.method.name(), &asked), call);
        let Decision { stored, answer } =
            decide(asked, known.as_ref(), target.as_ref(), rule, self.now)?;
        count_use(tx, rule).await?;
        match stored {
            None => {}
            Some(Stored::Settled(settled)) => {
                // A cancel has no reference of its own: what is stored of it is what became of the charge.
                if !self.asked.reference.is_empty() {
                    store::add(tx, &settled.operation, self.now);
                }
                store_settled(tx, &settled, &self.journal, self.now).await?;
            }
            Some(Stored::Late { operation, due, reports }) => {
                store::add(tx, &operation, self.now);
                let late = Late {
                    system,
                    reference: operation.reference,
                    due,
                    reports_left: reports,
                    attempts: 0,
                    trace_parent: self.trace_parent.clone(),
                };
                store::add_late(tx, &late);
            }
        }
        Ok(answer)
    }
}

/// Writes what an operation did to its target and to the world.
pub(crate) async fn store_settled(
    tx: &mut Tx,
    settled: &Settled,
    journal: &Journal,
    now: Instant,
) -> Result<(), Error> {
    match &settled.target {
        None => {}
        Some(TargetChange::Add(target)) => store::add(tx, target, now),
        Some(TargetChange::Update(target)) => {
            store::update(tx, target).await?;
            if target.state == State::Cancelled {
                store::forget_late(tx, target.method.system(), &target.reference).await?;
            }
        }
    }
    if let Some(effect) = &settled.effect {
        store::effect::add(tx, effect, journal.next(), now);
    }
    Ok(())
}

struct Ask {
    question: Question,
    look_at_rules: bool,
}

impl Change for Ask {
    type Output = Answer;

    async fn apply(&self, tx: &mut Tx) -> Result<Answer, Error> {
        let Question { system, method, reference } = &self.question;
        let known = store::find(tx, *system, reference).await?;
        let rules = if self.look_at_rules { store::rule::all(tx).await? } else { Vec::new() };
        let facts = known.as_ref().map_or_else(|| nothing_known(method), |op| facts(method, op));
        let rule = first_match(&rules, &facts, Call::Query);
        let answer = answer_question(known.as_ref(), rule).ok_or_else(|| {
            Refusal::ReferenceNotFound { system: *system, reference: reference.clone() }
        })?;
        count_use(tx, rule).await?;
        Ok(answer)
    }
}

async fn count_use(tx: &mut Tx, rule: Option<&Rule>) -> Result<(), Error> {
    match rule {
        Some(rule) if rule.max_uses > 0 => store::rule::count_use(tx, rule.number).await,
        Some(_) | None => Ok(()),
    }
}

fn facts<'a>(method: &'a str, operation: &'a Operation) -> Facts<'a> {
    Facts {
        method,
        offering_codes: &operation.offering_codes,
        customer_id: &operation.customer_id,
        order_id: &operation.order_id,
    }
}

fn nothing_known(method: &str) -> Facts<'_> {
    Facts { method, offering_codes: &[], customer_id: "", order_id: "" }
}
