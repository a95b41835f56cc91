//! Carries bulks out: some orders at a time, each once, at the rate of its bulk.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::{RequestId, derived_uuid};
use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::storage::{Database, Writer};

use super::action::Action;
use super::change::Settle;
use super::collect::forget;
use super::pace::Pace;
use super::preview::refusal;
use super::store::{self, Item};
use super::{Bulk, BulkId, Outcome, Wanted};
use crate::error::DOMAIN;
use crate::event::{By, Command};
use crate::hold::HoldId;
use crate::operations::{Asked, Operations};
use crate::order::Order;

const OPERATE: &str = "throughline.order.v1.BulkService/StartBulkOperation";
/// How often orders are operated on while a bulk runs.
const TICK: Duration = Duration::from_millis(100);
/// How often to look for a bulk while none runs.
const IDLE: Duration = Duration::from_millis(500);
/// Orders of one bulk that are operated on at the same time.
const MAX_AT_A_TIME: usize = 32;
/// How long a bulk and its results are kept after its end.
const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

/// Carries bulks out.
#[derive(Debug)]
pub(crate) struct Runner {
    /// Where bulks are read.
    pub(crate) database: Database,
    /// Where results are written.
    pub(crate) writer: Writer,
    /// Operates on orders, once for each request.
    pub(crate) operations: Operations,
    /// Time.
    pub(crate) clock: Clock,
    paces: HashMap<BulkId, Pace>,
    /// Bulks whose start was never answered.
    abandoned: Vec<BulkId>,
}

impl Runner {
    /// Prepares to carry out what is stored. Nobody may start a bulk before.
    pub(crate) async fn new(
        database: Database,
        writer: Writer,
        operations: Operations,
        clock: Clock,
    ) -> Result<Self, Error> {
        let abandoned = store::abandoned(&database).await?;
        Ok(Self { database, writer, operations, clock, paces: HashMap::new(), abandoned })
    }

    /// Carries out until the token is cancelled.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let round = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                round = self.round() => round,
            };
            if let Err(cause) = &round {
                tracing::warn!(%cause, "carry out bulk operations; trying again");
            }
            let wait = if matches!(round, Ok(0)) { IDLE } else { TICK };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Gives every running bulk its turn; says how many there are.
    async fn round(&mut self) -> Result<usize, Error> {
        let now = self.clock.now();
        let running = store::running(&self.database).await?;
        // One that was paused begins slowly again.
        self.paces.retain(|id, _| running.iter().any(|bulk| bulk.id == *id));
        let mut turns = Vec::new();
        for bulk in &running {
            let pace = self.paces.entry(bulk.id.clone());
            let orders = pace.or_insert_with(|| Pace::begin(bulk.rate(), now)).take(now);
            if orders > 0 {
                turns.push((bulk, orders));
            }
        }
        // One that meets an error does not keep the others from storing what they did.
        let taken = join_all(turns.iter().map(|(bulk, orders)| self.turn(bulk, *orders))).await;
        for ((bulk, _), taken) in turns.iter().zip(taken) {
            if let Err(cause) = taken {
                tracing::warn!(bulk = %bulk.id, %cause, "carry out a bulk operation; trying again");
            }
        }
        if running.is_empty() {
            self.forget_old(now).await?;
        }
        Ok(running.len())
    }

    /// Operates on so many orders of a bulk, and stores what became of them.
    async fn turn(&self, bulk: &Bulk, orders: u32) -> Result<(), Error> {
        let mut wrong = throughline_kit::error::Violations::new(DOMAIN);
        let (filter, operation) = (bulk.request.filter.as_ref(), bulk.request.operation.as_ref());
        let wanted = Wanted::read(filter, operation, &mut wrong);
        wrong.finish()?;
        let action = &wanted
            .ok_or_else(|| Error::internal(DOMAIN, format!("{} cannot be read", bulk.id)))?
            .action;
        let left = store::left(&self.database, &bulk.id, orders).await?;
        let operated = futures::stream::iter(left)
            .map(|order_id| self.operate(bulk, action, order_id))
            .buffer_unordered(MAX_AT_A_TIME)
            .collect::<Vec<Result<Item, Error>>>()
            .await;
        let mut failed = None;
        let mut items = Vec::with_capacity(operated.len());
        for result in operated {
            match result {
                Ok(item) => items.push(item),
                Err(error) => failed = Some(error),
            }
        }
        if !items.is_empty() {
            let settled = Settle { id: bulk.id.clone(), items, now: self.clock.now() };
            self.writer.write(settled).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Operates on one order; an error leaves it for later.
    async fn operate(&self, bulk: &Bulk, action: &Action, order_id: String) -> Result<Item, Error> {
        let asked = asked(bulk, &order_id)?;
        let by = asked.by.clone();
        let hold = HoldId::derive(&[bulk.id.as_str(), &order_id]);
        let action = action.clone();
        let make = move |order: &Order| {
            let operations = action.operations(order, &hold)?;
            Ok(Command::OperateEach { operations, by: by.clone() })
        };
        let done = self.operations.command(asked, make, |_: &Order, _: &Order| ()).await;
        let settled_at = Some(self.clock.now());
        match done {
            Ok(()) => Ok(Item { order_id, outcome: Outcome::Done, refusal: None, settled_at }),
            Err(error) if passes(&error) => Err(error),
            Err(error) => {
                let refusal = Some(refusal(&error));
                Ok(Item { order_id, outcome: Outcome::Refused, refusal, settled_at })
            }
        }
    }

    /// Deletes what nobody needs any more.
    async fn forget_old(&mut self, now: Instant) -> Result<(), Error> {
        while let Some(id) = self.abandoned.last() {
            forget(&self.writer, id).await?;
            self.abandoned.pop();
        }
        let keep = i64::try_from(KEPT_FOR.as_micros()).expect("90 days fit");
        let before = Instant(now.0.saturating_sub(keep));
        while let Some(id) = store::ended_before(&self.database, before).await? {
            forget(&self.writer, &id).await?;
        }
        Ok(())
    }
}

/// The request for one order: the same whenever it is repeated.
fn asked(bulk: &Bulk, order_id: &str) -> Result<Asked, Error> {
    let name = bulk.operator.split_once(':').map_or("", |(_, name)| name);
    let id = derived_uuid(&[bulk.id.as_str(), order_id]).to_string();
    let request_id = RequestId::parse(&id)
        .map_err(|cause| Error::internal(DOMAIN, format!("a derived request id: {cause}")))?;
    let caller = Caller {
        name: name.to_owned(),
        kind: CallerKind::Operator,
        rights: Vec::new(),
        trace_parent: String::new(),
    };
    Ok(Asked {
        order_id: order_id.to_owned(),
        key: RequestKey::new(name, request_id, OPERATE, &bulk.request),
        by: By {
            actor: bulk.operator.clone(),
            reason: format!("{} ({})", bulk.request.reason, bulk.id),
        },
        caller,
    })
}

/// Trying again helps: the center stops, the store is away, or too much waits for it.
fn passes(error: &Error) -> bool {
    match error.kind {
        Kind::Unavailable | Kind::Aborted | Kind::OutcomeUnknown => true,
        Kind::Exhausted => {
            error.metadata.get("limit").is_some_and(|limit| limit == "max_queued_changes")
        }
        Kind::Invalid
        | Kind::NotFound
        | Kind::AlreadyExists
        | Kind::Precondition
        | Kind::PermissionDenied
        | Kind::Unauthenticated
        | Kind::Unimplemented
        | Kind::Internal => false,
    }
}
