//! Structured logs, and OTLP traces where an endpoint is configured. Off costs nothing: no layer, no exporter.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::error::{Error, Kind};

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is told about a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// `tracing` filter: "info", "throughline_order=debug,warn".
    pub log: String,
    /// Look of the log.
    pub log_format: LogFormat,
    /// OTLP/gRPC endpoint of a collector ("http://127.0.0.1:4317"); empty sends nothing.
    pub otlp_endpoint: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "warn".to_owned(), log_format: LogFormat::Text, otlp_endpoint: String::new() }
    }
}

/// Sends what is still to be sent when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Installs log and traces for the process. Logs go to standard error.
    pub fn install(config: &TelemetryConfig) -> Result<Self, Error> {
        let invalid =
            |cause: String| Error::new(Kind::Invalid, "telemetry", "CONFIG_INVALID", cause);
        let filter = EnvFilter::try_new(&config.log)
            .map_err(|e| invalid(format!("telemetry.log = {:?}: {e}", config.log)))?;
        let lines = match config.log_format {
            LogFormat::Text => {
                tracing_subscriber::fmt::layer().with_writer(std::io::stderr).boxed()
            }
            LogFormat::Json => {
                tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).boxed()
            }
        };
        let traces = (!config.otlp_endpoint.is_empty())
            .then(|| otlp(&config.otlp_endpoint).map_err(invalid))
            .transpose()?;
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer().with_tracer(provider.tracer("throughline"))
        });
        // A second installation in one process (tests) keeps the first.
        let _ =
            tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init();
        Ok(Self { traces })
    }
}

/// Opens the span of a served call, in the trace that the caller sent. Costs one disabled call site where nothing is exported.
pub(crate) fn server_span(center: &'static str, method: &str, headers: &http::HeaderMap) -> Span {
    let span = tracing::info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        rpc.system = "grpc",
        throughline.center = center
    );
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Without an exporter the span has no place for a parent, which is no error.
        let _ = span.set_parent(parent);
    }
    span
}

struct Headers<'a>(&'a http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

fn otlp(endpoint: &str) -> Result<SdkTracerProvider, String> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|e| format!("telemetry.otlp_endpoint = {endpoint:?}: {e}"))?;
    let resource = Resource::builder().with_service_name("throughline").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take()
            && let Err(cause) = traces.shutdown()
        {
            tracing::warn!(%cause, "send the last traces");
        }
    }
}
