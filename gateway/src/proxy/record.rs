//! What is remembered of a call: a record with a fixed layout for each call of an order, and numbers for all.
//!
//! Records gather in the worker and go to the store in batches. When the store cannot keep up, the oldest stay, and what
//! does not fit is counted and warned about: `hops_handled` minus `hops_recorded` is what is missing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use throughline_kit::clock::Instant;
use throughline_kit::error::code_name;
use throughline_kit::identity::CallerKind;
use throughline_kit::metrics::{Metrics, duration_histogram};
use tokio::sync::{Notify, mpsc};
use tonic::Code;

use super::finish::Finish;
use super::pump::Caller;
use super::trace::TraceContext;
use super::{OrderId, trace};
use crate::config::{Config, milliseconds};
use crate::contract::Method;
use crate::registry::Endpoint;
use crate::snapshot::CallerAccess;

/// Stands for who or what is not known, for example of a call that was refused: a label must not be chosen by callers.
const UNKNOWN: &str = "unknown";

/// A call attempt of an order, complete.
#[derive(Clone, Debug)]
pub(crate) struct HopRecord {
    /// Order.
    pub(crate) order_id: OrderId,
    /// Place in its trace.
    pub(crate) trace: TraceContext,
    /// Who called.
    pub(crate) caller: Option<Arc<CallerAccess>>,
    /// Who was called; `None` when nobody offers the method.
    pub(crate) callee: Option<Arc<str>>,
    /// What.
    pub(crate) method: Arc<Method>,
    /// Which instance; `None` when none was reached.
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    /// When the headers arrived.
    pub(crate) started_at: Instant,
    /// Until the first byte of the answer; zero where there was none.
    pub(crate) first_byte: Duration,
    /// Until the end.
    pub(crate) duration: Duration,
    /// Status.
    pub(crate) code: Code,
    /// Its message.
    pub(crate) message: Box<str>,
    /// Bytes from the caller.
    pub(crate) request_bytes: u64,
    /// Bytes to the caller.
    pub(crate) response_bytes: u64,
}

/// A call under way.
pub(super) struct Hop {
    started: Moment,
    started_at: Instant,
    first_byte: Option<Moment>,
    /// Who calls, once it is known.
    pub(super) caller: Option<Arc<CallerAccess>>,
    /// Who is called, once it is known.
    pub(super) callee: Option<Arc<str>>,
    /// What is called, once it is known.
    pub(super) method: Option<Arc<Method>>,
    /// Order id that the headers named.
    pub(super) order_id: OrderId,
    /// Place in its trace.
    pub(super) trace: trace::TraceContext,
    /// Instance that serves it.
    pub(super) endpoint: Option<Arc<Endpoint>>,
}

impl Hop {
    /// Begins when the headers arrived.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            started: Moment::now(),
            started_at: now,
            first_byte: None,
            caller: None,
            callee: None,
            method: None,
            order_id: OrderId::default(),
            trace: TraceContext::default(),
            endpoint: None,
        }
    }

    /// Notes that the backend answers.
    pub(super) fn first_byte(&mut self) {
        self.first_byte = Some(Moment::now());
    }
}

/// The order that a call belongs to. What a channel writes into a request is a claim, which counts only when the center let
/// the call through, with an answer or a good end: nobody writes into the way of an order that they may not see.
fn order_of(hop: &Hop, call: &Caller, code: Code) -> Option<OrderId> {
    let (asked, answered) = (call.requests.order_id, call.responses.order_id);
    let channel = hop.caller.as_ref().is_none_or(|caller| caller.kind() == CallerKind::Channel);
    let let_through = code == Code::Ok || call.responses.bytes > 0;
    let ids = match (channel, let_through) {
        (false, _) => [hop.order_id, asked, answered],
        (true, true) => [hop.order_id, answered, asked],
        (true, false) => [hop.order_id, answered, OrderId::default()],
    };
    ids.into_iter().find(|id| !id.is_empty())
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    caller: String,
    callee: String,
    rpc_method: String,
    rpc_response_status_code: &'static str,
}

/// Numbers of all workers. An order id is never a label.
#[derive(Clone, Debug)]
pub(crate) struct HopMetrics {
    calls: Family<CallLabels, Counter>,
    durations: Family<CallLabels, Histogram, fn() -> Histogram>,
    /// Calls of orders that ended.
    pub(crate) handled: Counter,
    /// Calls of orders that are stored.
    pub(crate) recorded: Counter,
}

impl HopMetrics {
    /// Registers the numbers.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let this = Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
            handled: Counter::default(),
            recorded: Counter::default(),
        };
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("gateway");
            registry.register(
                "calls",
                "Calls by caller, callee, method and status",
                this.calls.clone(),
            );
            registry.register(
                "call_duration_seconds",
                "Time from a call's headers to its end",
                this.durations.clone(),
            );
            registry.register("hops_handled", "Calls of orders that ended", this.handled.clone());
            registry.register(
                "hops_recorded",
                "Calls of orders that are stored in trajectories",
                this.recorded.clone(),
            );
        });
        this
    }
}

/// One line of numbers, looked up once for all calls of its kind.
struct Series {
    calls: Counter,
    durations: Histogram,
    /// Keeps the address that the key names from being used again.
    _caller: Option<Arc<str>>,
}

/// Who called whom for what and how it ended: names by their address, which is quicker than by their letters.
type SeriesKey = (usize, usize, u32, i32);

/// Remembers the calls of one worker.
pub(super) struct Recorder {
    buffer: RefCell<Vec<HopRecord>>,
    max_buffered: usize,
    flush_interval: Duration,
    filled: Notify,
    full: Cell<bool>,
    store: mpsc::Sender<Vec<HopRecord>>,
    metrics: HopMetrics,
    series: RefCell<HashMap<SeriesKey, Series>>,
}

impl Recorder {
    /// Starts with nothing; batches go to `store`.
    pub(super) fn new(
        config: &Config,
        metrics: HopMetrics,
        store: mpsc::Sender<Vec<HopRecord>>,
    ) -> Self {
        Self {
            buffer: RefCell::default(),
            max_buffered: config.max_buffered_hops,
            flush_interval: milliseconds(config.hop_flush_interval_ms),
            filled: Notify::new(),
            full: Cell::new(false),
            store,
            metrics,
            series: RefCell::default(),
        }
    }

    /// Remembers a call that ended.
    pub(super) fn record(&self, hop: Hop, call: &Caller, finish: Finish) {
        let duration = hop.started.elapsed();
        self.count(&hop, finish.code, duration);
        let (Some(order_id), Some(method)) = (order_of(&hop, call, finish.code), hop.method) else {
            return;
        };
        self.metrics.handled.inc();
        let since = |moment: Moment| moment.duration_since(hop.started);
        self.keep(HopRecord {
            order_id,
            trace: hop.trace,
            caller: hop.caller,
            callee: hop.callee,
            method,
            endpoint: hop.endpoint,
            started_at: hop.started_at,
            first_byte: hop.first_byte.map(since).unwrap_or_default(),
            duration,
            code: finish.code,
            message: finish.message,
            request_bytes: call.requests.bytes,
            response_bytes: call.responses.bytes,
        });
    }

    fn keep(&self, record: HopRecord) {
        let mut buffer = self.buffer.borrow_mut();
        if buffer.len() >= self.max_buffered {
            if !self.full.replace(true) {
                let max_buffered_hops = self.max_buffered;
                tracing::warn!(
                    max_buffered_hops,
                    "calls are missing in trajectories: the store lags"
                );
            }
            return;
        }
        if buffer.is_empty() {
            self.filled.notify_one();
        }
        buffer.push(record);
    }

    fn count(&self, hop: &Hop, code: Code, duration: Duration) {
        let address = |name: &Arc<str>| Arc::as_ptr(name).cast::<u8>() as usize;
        let key = (
            hop.caller.as_ref().map_or(0, |caller| address(&caller.caller.name)),
            hop.callee.as_ref().map_or(0, address),
            hop.method.as_ref().map_or(0, |method| method.id),
            i32::from(code),
        );
        let mut all = self.series.borrow_mut();
        let series = all.entry(key).or_insert_with(|| self.series(hop, code));
        series.calls.inc();
        series.durations.observe(duration.as_secs_f64());
    }

    fn series(&self, hop: &Hop, code: Code) -> Series {
        let caller = hop.caller.as_ref().map(|caller| Arc::clone(&caller.caller.name));
        let name = |name: Option<&Arc<str>>| name.map_or(UNKNOWN, |name| name).to_owned();
        let labels = CallLabels {
            caller: name(caller.as_ref()),
            callee: name(hop.callee.as_ref()),
            rpc_method: name(hop.method.as_ref().map(|method| &method.name)),
            rpc_response_status_code: code_name(code),
        };
        let calls = self.metrics.calls.get_or_create_owned(&labels);
        let durations = self.metrics.durations.get_or_create_owned(&labels);
        Series { calls, durations, _caller: caller }
    }

    /// Sends batches to the store until its worker ends.
    pub(super) async fn flush_forever(&self) {
        loop {
            self.filled.notified().await;
            tokio::time::sleep(self.flush_interval).await;
            self.flush().await;
        }
    }

    /// Sends what is left at the end of the worker, if the store takes it in time.
    pub(super) async fn flush_at_end(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.flush()).await.is_err() {
            let hops = self.buffer.borrow().len();
            tracing::error!(
                hops,
                "give up storing calls of trajectories: the store lags at the end"
            );
        }
    }

    /// Sends what there is, as soon as the store takes it.
    pub(super) async fn flush(&self) {
        // Only one batch waits outside of the buffer: the rest stays where it is bounded.
        let Ok(permit) = self.store.reserve().await else {
            return;
        };
        let batch = self.buffer.take();
        self.full.set(false);
        if !batch.is_empty() {
            permit.send(batch);
        }
    }
}
