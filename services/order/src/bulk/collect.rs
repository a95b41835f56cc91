//! Starts bulks: counts and shows what matches, fixes the orders, and lets persons turn a bulk.

use prost::Message;
use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind, Violations};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Database, Writer};
use throughline_proto::order::v1 as proto;

use super::change::{Begin, Collect, Forget, Launch, Turn, TurnBulk};
use super::preview::{Sampler, actor};
use super::{Bulk, BulkError, BulkId, BulkState, MAX_ORDERS_PER_BULK, MAX_RATE, Wanted, matching};
use crate::engine::Engine;
use crate::error::DOMAIN;
use crate::operations::{Asked, Fields};
use crate::store::OrderStore;

const START: &str = "throughline.order.v1.BulkService/StartBulkOperation";
/// Orders of a sample.
const SAMPLE: i64 = 20;
/// Orders that are written down, or forgotten, in one commit.
pub(super) const BATCH: i64 = 1_000;

/// Starts and turns bulks.
#[derive(Clone, Debug)]
pub(crate) struct Bulks {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where orders are looked for.
    pub(crate) database: Database,
    /// Where bulks are written.
    pub(crate) writer: Writer,
    /// Where orders are read.
    pub(crate) store: OrderStore,
    /// Knows what is paused for all orders.
    pub(crate) engine: Engine,
    /// Time.
    pub(crate) clock: Clock,
}

impl Bulks {
    /// Counts what matches now, and says of the oldest what would be done.
    pub(crate) async fn preview(
        &self,
        caller: &Caller,
        request: &proto::PreviewBulkOperationRequest,
    ) -> Result<proto::PreviewBulkOperationResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let wanted = Wanted::read(request.filter.as_ref(), request.operation.as_ref(), &mut wrong);
        let wanted = finish(wrong, wanted)?;
        let matched = matching::count(&self.database, &wanted.filter).await?;
        let oldest = matching::after(&self.database, &wanted.filter, "", SAMPLE).await?;
        let standing = self.engine.standing();
        let sampler = Sampler {
            action: &wanted.action,
            by: actor(caller),
            standing: &standing,
            now: self.clock.now(),
        };
        let mut samples = Vec::with_capacity(oldest.len());
        for order_id in oldest {
            if let Some(order) = self.store.by_id(&order_id).await? {
                samples.push(sampler.sample(&order));
            }
        }
        Ok(proto::PreviewBulkOperationResponse { matched, samples })
    }

    /// Fixes the orders that match now, and begins.
    pub(crate) async fn start(
        &self,
        caller: &Caller,
        request: proto::StartBulkOperationRequest,
    ) -> Result<proto::StartBulkOperationResponse, Error> {
        let fields = fields(&request.request_id, &request.reason);
        let mut wanted = None;
        let asked = Asked::read(caller, START, &request, fields, |wrong| {
            wrong.range("expected_count", request.expected_count, 1, MAX_ORDERS_PER_BULK);
            wrong.range("tolerance", request.tolerance, 0, MAX_ORDERS_PER_BULK);
            wrong.range("rate", i64::from(request.rate), 0, i64::from(MAX_RATE));
            let (filter, operation) = (request.filter.as_ref(), request.operation.as_ref());
            wanted = Wanted::read(filter, operation, wrong);
        })?;
        let wanted = finish(Violations::new(DOMAIN), wanted)?;
        // Beside the call: the request id stays claimed until all is written down, though the caller goes away.
        let this = self.clone();
        let done = tokio::spawn(async move { this.once(asked, wanted, request).await });
        done.await.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)))
    }

    async fn once(
        &self,
        asked: Asked,
        wanted: Wanted,
        request: proto::StartBulkOperationRequest,
    ) -> Result<proto::StartBulkOperationResponse, Error> {
        let Asked { key, by, .. } = asked;
        let _in_flight = self.idempotency.enter(&key)?;
        if let Some(first) = self.idempotency.recall(&self.database, &key).await? {
            return first;
        }
        let matched = matching::count(&self.database, &wanted.filter).await?;
        if let Err(refusal) = check_count(matched, &request) {
            if refusal.is_final() {
                self.idempotency.keep_refusal(key, &refusal).await?;
            }
            return Err(refusal);
        }
        let id = BulkId::generate();
        let begun = self.collect(&id, &by.actor, &wanted, &request).await;
        let launched = async {
            let launch = Launch { id: id.clone(), matched: begun?, now: self.clock.now() };
            self.writer.write(self.idempotency.wrap(key, launch)).await?
        };
        match launched.await {
            Ok(started) => Ok(started),
            // It may have been launched; if not, what was collected is forgotten at the next start.
            Err(error) if error.kind == Kind::OutcomeUnknown => Err(error),
            Err(error) => {
                forget(&self.writer, &id).await?;
                Err(error)
            }
        }
    }

    /// Writes the orders down; gives their number.
    async fn collect(
        &self,
        id: &BulkId,
        operator: &str,
        wanted: &Wanted,
        request: &proto::StartBulkOperationRequest,
    ) -> Result<i64, Error> {
        let now = self.clock.now();
        let bulk = Bulk {
            id: id.clone(),
            state: BulkState::Collecting,
            version: 1,
            created_at: now,
            ended_at: None,
            matched: 0,
            done: 0,
            refused: 0,
            operator: operator.to_owned(),
            changed_by: String::new(),
            change_reason: String::new(),
            request: request.clone(),
        };
        self.writer.write(Begin(bulk)).await?;
        let (mut after, mut matched) = (String::new(), 0);
        loop {
            let found = matching::after(&self.database, &wanted.filter, &after, BATCH).await?;
            let Some(last) = found.last() else { break };
            after.clone_from(last);
            matched += i64::try_from(found.len()).unwrap_or(BATCH);
            check_limit(matched)?;
            self.writer.write(Collect { id: id.clone(), order_ids: found }).await?;
        }
        // Orders came and went while they were written down.
        check_count(matched, request)?;
        Ok(matched)
    }

    /// Pauses, resumes or cancels a bulk.
    pub(crate) async fn turn<M, R>(
        &self,
        caller: &Caller,
        method: &'static str,
        request: &M,
        texts: TurnTexts<'_>,
        turn: Turn,
        answer: fn(proto::Bulk) -> R,
    ) -> Result<R, Error>
    where
        M: Message,
        R: Message + Default + 'static,
    {
        let fields = fields(texts.request_id, texts.reason);
        let asked = Asked::read(caller, method, request, fields, |_| {})?;
        let missing = || BulkError::NotFound(texts.bulk_id.to_owned());
        let id = BulkId::parse(texts.bulk_id).map_err(|_| missing())?;
        let clock = self.clock.clone();
        let turned = TurnBulk { id, turn, by: asked.by, clock, answer };
        self.idempotency.once(asked.key, turned).await
    }
}

/// The texts that every request to turn a bulk has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TurnTexts<'a> {
    /// The client's id of the request.
    pub(crate) request_id: &'a str,
    /// Bulk.
    pub(crate) bulk_id: &'a str,
    /// Why.
    pub(crate) reason: &'a str,
}

fn fields<'a>(request_id: &'a str, reason: &'a str) -> Fields<'a> {
    Fields { request_id, order_id: "", reason, needs_reason: true }
}

fn finish(wrong: Violations, wanted: Option<Wanted>) -> Result<Wanted, Error> {
    wrong.finish()?;
    wanted.ok_or_else(|| Error::internal(DOMAIN, "a bulk without violation was not read"))
}

fn check_limit(matched: i64) -> Result<(), Error> {
    if matched <= MAX_ORDERS_PER_BULK {
        return Ok(());
    }
    Err(Error::limit(DOMAIN, "max_orders_per_bulk", MAX_ORDERS_PER_BULK))
}

fn check_count(matched: i64, request: &proto::StartBulkOperationRequest) -> Result<(), Error> {
    check_limit(matched)?;
    let (expected, tolerance) = (request.expected_count, request.tolerance);
    if (matched - expected).abs() <= tolerance {
        return Ok(());
    }
    Err(BulkError::FilterChanged { expected, matched, tolerance }.into())
}

/// Deletes a bulk with all its orders, some in each commit.
pub(super) async fn forget(writer: &Writer, id: &BulkId) -> Result<(), Error> {
    while !writer.write(Forget { id: id.clone(), batch: BATCH }).await? {}
    Ok(())
}
