//! The data plane: what happens to one call, stage by stage.
//!
//! ```text
//! caller ══h2══► serve ──► access ──► deadline ──► trace ──► upstream ══h2══► instance
//!                            │           │                      │
//!                            └───────────┴── refusal ───────────┴──► respond
//!                pump: messages and trailers, both directions, untouched ──► record
//! ```
//!
//! A worker is one thread with one runtime, its own listener and its own connections to instances: nothing on the way
//! of a call is shared with another thread but counters.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use http::request::Parts;
use throughline_kit::clock::Clock;

use crate::config::Config;
use crate::error::Refusal;
use crate::snapshot::Snapshot;

mod access;
mod deadline;
mod finish;
mod frames;
mod order_id;
mod pool;
mod pump;
mod record;
mod respond;
mod serve;
mod trace;
mod turned_away;
mod upstream;

pub(crate) use order_id::OrderId;
pub(crate) use record::{HopMetrics, HopRecord};
pub(crate) use serve::{CONNECTION_WINDOW, DataPlane, STREAM_WINDOW, bind};
pub(crate) use trace::parse as parse_trace_parent;

use access::KnownCaller;
use deadline::Deadline;
use finish::Finish;
use pool::Pools;
use pump::Caller;
use record::{Hop, Recorder};

/// What every call of one thread uses.
struct Worker {
    snapshots: Arc<ArcSwap<Snapshot>>,
    pools: Pools,
    recorder: Recorder,
    clock: Clock,
    chance: Chance,
    config: Arc<Config>,
}

/// One connection of a caller.
struct Line {
    worker: Rc<Worker>,
    known: KnownCaller,
}

/// Carries one call from its headers to its hop record.
async fn carry(line: Rc<Line>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    let respond = match respond::check_protocol(&head, respond) {
        Ok(respond) => respond,
        Err(respond::Answered) => return,
    };
    let worker = &line.worker;
    let mut hop = Hop::begin(worker.clock.now());
    let mut caller = Caller::new(body, respond, worker.config.max_message_bytes);
    let finish = match pass(&line, head, &mut caller, &mut hop).await {
        Ok(finish) => finish,
        Err(refusal) => respond::refuse(&mut caller.downstream, refusal),
    };
    worker.recorder.record(hop, &caller, finish);
}

/// The way of a call: one line for each stage.
async fn pass(
    line: &Line,
    mut head: Parts,
    caller: &mut Caller,
    hop: &mut Hop,
) -> Result<Finish, Refusal> {
    let worker = &line.worker;
    hop.trace = trace::go_on(&mut head.headers, &worker.chance);
    let mut admitted = access::admit(line, &head, hop)?;
    let deadline = Deadline::read(&head.headers, &admitted.method, &worker.config)?;
    access::rewrite_identity(&mut head.headers, &admitted);
    caller.look_for_order_id(&hop.order_id, &admitted.method);
    let mut timer = pin!(deadline.over());
    let mut place = upstream::place(worker, &mut admitted, caller, timer.as_mut()).await?;
    hop.endpoint = Some(Arc::clone(&admitted.endpoint));
    let complete = caller.body.is_end_stream();
    let backend = upstream::send(&mut place, head, &admitted, deadline, complete)?;
    pump::both(caller, backend, &admitted, hop, timer).await
}

/// Random numbers that need not be secret: spans, and which instance gets a call.
struct Chance(Cell<u64>);

impl Chance {
    fn new() -> Self {
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self(Cell::new(seed | 1))
    }

    /// xorshift64*: never zero.
    fn next(&self) -> u64 {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
