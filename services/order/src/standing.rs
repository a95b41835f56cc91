//! Pauses of templates and capabilities, for all orders.

use std::sync::Arc;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::idempotency::Idempotency;
use throughline_kit::identity::Caller;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;
use tokio::sync::Mutex;

use crate::convert;
use crate::engine::Engine;
use crate::hold::{Hold, HoldId, HoldScope};
use crate::operations::{Asked, Fields};
use crate::store::hold::{self as store, EndHold, PlaceHold};

const HOLD: &str = "throughline.order.v1.HoldService/HoldCapability";
const RELEASE: &str = "throughline.order.v1.HoldService/ReleaseCapability";

/// Keeps what is paused for all orders.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where pauses are read.
    pub(crate) database: Database,
    /// Owns the orders that hear of it.
    pub(crate) engine: Engine,
    /// Time.
    pub(crate) clock: Clock,
    /// Whose turn it is to tell.
    pub(crate) telling: Arc<Mutex<()>>,
}

impl Standing {
    /// Pauses a template or a capability.
    pub(crate) async fn place(
        &self,
        caller: &Caller,
        request: proto::HoldCapabilityRequest,
    ) -> Result<proto::HoldCapabilityResponse, Error> {
        let fields = fields(&request.request_id, &request.reason);
        let (template, method) = (&request.template, &request.method);
        let asked = read(caller, HOLD, &request, fields, (template, method))?;
        let hold = Hold {
            id: HoldId::generate(),
            scope: scope(template, method),
            reason: asked.by.reason,
            operator: asked.by.actor,
            placed_at: self.clock.now(),
        };
        let placed = self.idempotency.once(asked.key, PlaceHold(hold)).await?;
        self.tell().await?;
        Ok(placed)
    }

    /// Lets it go on.
    pub(crate) async fn end(
        &self,
        caller: &Caller,
        request: proto::ReleaseCapabilityRequest,
    ) -> Result<proto::ReleaseCapabilityResponse, Error> {
        let fields = fields(&request.request_id, &request.reason);
        let (template, method) = (&request.template, &request.method);
        let asked = read(caller, RELEASE, &request, fields, (template, method))?;
        let ended = self.idempotency.once(asked.key, EndHold(scope(template, method))).await?;
        self.tell().await?;
        Ok(ended)
    }

    /// Lists all, oldest first.
    pub(crate) async fn list(&self) -> Result<proto::ListHoldsResponse, Error> {
        let holds = store::all(&self.database).await?;
        Ok(proto::ListHoldsResponse { holds: holds.iter().map(convert::standing_hold).collect() })
    }

    /// Every live order hears of it before the caller does. One tells after the other, so that the last to tell knows all.
    async fn tell(&self) -> Result<(), Error> {
        let _turn = self.telling.lock().await;
        self.engine.hold(store::all(&self.database).await?).await;
        Ok(())
    }
}

fn fields<'a>(request_id: &'a str, reason: &'a str) -> Fields<'a> {
    Fields { request_id, order_id: "", reason, needs_reason: true }
}

fn read<M: prost::Message>(
    caller: &Caller,
    rpc: &'static str,
    request: &M,
    fields: Fields<'_>,
    (template, method): (&str, &str),
) -> Result<Asked, Error> {
    Asked::read(caller, rpc, request, fields, |wrong| {
        wrong.length("template", template, 0, 64);
        wrong.length("method", method, 0, 256);
        if template.is_empty() == method.is_empty() {
            wrong.add("template", "give either a template or a method");
        }
    })
}

fn scope(template: &str, method: &str) -> HoldScope {
    if template.is_empty() {
        HoldScope::Capability(method.to_owned())
    } else {
        HoldScope::Template(template.to_owned())
    }
}
