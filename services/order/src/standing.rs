//! Pauses of templates and capabilities, for all orders, now or for a planned time.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant, span_from_proto};
use throughline_kit::error::{Error, Violations};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::identity::Caller;
use throughline_kit::storage::{Database, Writer};
use throughline_proto::order::v1 as proto;
use tokio::sync::Mutex;

use crate::convert;
use crate::engine::Engine;
use crate::hold::{Hold, HoldId, HoldScope, Window};
use crate::operations::{Asked, Fields};
use crate::store::hold::{self as store, EndHold, ForgetHolds, PlaceHold};

const HOLD: &str = "throughline.order.v1.HoldService/HoldCapability";
const RELEASE: &str = "throughline.order.v1.HoldService/ReleaseCapability";

/// How often to look whether a planned pause begins or is over.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest time over which orders go on after a pause.
const MAX_RAMP: Duration = Duration::from_secs(24 * 3_600);

/// Keeps what is paused for all orders.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where pauses are read.
    pub(crate) database: Database,
    /// Owns the orders that hear of it.
    pub(crate) engine: Engine,
    /// Keeps what time has done.
    pub(crate) writer: Writer,
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
        let now = self.clock.now();
        let mut window = Window::default();
        let asked = read(caller, HOLD, &request, fields, (template, method), |wrong| {
            window = read_window(&request, now, wrong);
        })?;
        let hold = Hold {
            id: HoldId::generate(),
            scope: scope(template, method),
            reason: asked.by.reason,
            operator: asked.by.actor,
            placed_at: now,
            window,
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
        let asked = read(caller, RELEASE, &request, fields, (template, method), |_| {})?;
        let ended = self.idempotency.once(asked.key, EndHold(scope(template, method))).await?;
        self.tell().await?;
        Ok(ended)
    }

    /// Lists all, oldest first.
    pub(crate) async fn list(&self) -> Result<proto::ListHoldsResponse, Error> {
        let holds = store::all(&self.database).await?;
        Ok(proto::ListHoldsResponse { holds: holds.iter().map(convert::standing_hold).collect() })
    }

    /// Lets planned pauses begin and forgets those that are over, until the center ends. Orders leave a pause by
    /// themselves, each at its own time.
    pub(crate) async fn keep(self, shutdown: CancellationToken) {
        let mut looked_at = Instant(0);
        loop {
            let now = self.clock.now();
            match self.turn(looked_at, now).await {
                Ok(()) => looked_at = now,
                Err(cause) => tracing::warn!(%cause, "begin and end planned pauses"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn turn(&self, before: Instant, now: Instant) -> Result<(), Error> {
        let standing = self.engine.standing();
        let over = standing.iter().filter(|hold| hold.window.is_over(now));
        let over: Vec<HoldId> = over.map(|hold| hold.id.clone()).collect();
        let begins = standing.iter().any(|hold| hold.window.begins_within(before, now));
        if !over.is_empty() {
            self.writer.write(ForgetHolds(over)).await?;
        } else if !begins {
            return Ok(());
        }
        self.tell().await
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
    check: impl FnOnce(&mut Violations),
) -> Result<Asked, Error> {
    Asked::read(caller, rpc, request, fields, |wrong| {
        wrong.length("template", template, 0, 64);
        wrong.length("method", method, 0, 256);
        if template.is_empty() == method.is_empty() {
            wrong.add("template", "give either a template or a method");
        }
        check(wrong);
    })
}

fn read_window(
    request: &proto::HoldCapabilityRequest,
    now: Instant,
    wrong: &mut Violations,
) -> Window {
    let starts_at = convert::time("start_time", request.start_time.as_ref(), wrong);
    let ends_at = convert::time("end_time", request.end_time.as_ref(), wrong);
    if ends_at.is_some_and(|end| end <= starts_at.unwrap_or(now).max(now)) {
        wrong.add("end_time", "must be after start_time and in the future");
    }
    let ramp =
        request.ramp.as_ref().map_or(Some(Duration::ZERO), |span| span_from_proto(Some(span)));
    let Some(ramp) = ramp.filter(|ramp| *ramp <= MAX_RAMP) else {
        wrong.add("ramp", format!("must be 0 to {} s", MAX_RAMP.as_secs()));
        return Window::default();
    };
    if !ramp.is_zero() && ends_at.is_none() {
        wrong.add("ramp", "needs an end_time");
    }
    Window { starts_at: starts_at.unwrap_or_default(), ends_at, ramp }
}

fn scope(template: &str, method: &str) -> HoldScope {
    if template.is_empty() {
        HoldScope::Capability(method.to_owned())
    } else {
        HoldScope::Template(template.to_owned())
    }
}
