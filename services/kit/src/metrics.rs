//! Prometheus metrics of a process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the duration histograms, in seconds.
const DURATION_BUCKETS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Labels of a served call. An order id is never a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    center: &'static str,
    rpc_method: String,
    rpc_response_status_code: &'static str,
}

type Calls = Family<CallLabels, Histogram, fn() -> Histogram>;

/// The metrics of a process; clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    calls: Calls,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("throughline");
        let calls: Calls = Family::new_with_constructor(duration_histogram);
        registry.register(
            "rpc_server_call_duration_seconds",
            "Time from a call's headers to the headers of its answer, as the serving center measures it",
            calls.clone(),
        );
        Self { registry: Arc::new(Mutex::new(registry)), calls }
    }
}

/// Makes a histogram over the usual durations.
pub fn duration_histogram() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

impl Metrics {
    /// Adds metrics of a service's own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn record_call(
        &self,
        center: &'static str,
        method: &str,
        code: &'static str,
        took: Duration,
    ) {
        let labels =
            CallLabels { center, rpc_method: method.to_owned(), rpc_response_status_code: code };
        self.calls.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Writes all metrics in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match prometheus_client::encoding::text::encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
