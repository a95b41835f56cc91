//! What happens around every call of a service: panics become INTERNAL, durations are measured.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::error::{Error, code_name};
use crate::metrics::Metrics;
use crate::telemetry;

/// Wraps a service's routes.
#[derive(Clone, Debug)]
pub struct RpcLayer {
    center: &'static str,
    metrics: Metrics,
}

impl RpcLayer {
    /// Measures under a center's name.
    pub fn new(center: &'static str, metrics: Metrics) -> Self {
        Self { center, metrics }
    }
}

impl<S> Layer<S> for RpcLayer {
    type Service = RpcService<S>;

    fn layer(&self, inner: S) -> RpcService<S> {
        RpcService { inner, layer: self.clone() }
    }
}

/// A service with the layer around it.
#[derive(Clone, Debug)]
pub struct RpcService<S> {
    inner: S,
    layer: RpcLayer,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for RpcService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let RpcLayer { center, metrics } = self.layer.clone();
        let span = telemetry::server_span(center, &method, request.headers());
        let started = tokio::time::Instant::now();
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let answered = async move {
            let response = match answer.await {
                Ok(response) => response?,
                Err(panic) => {
                    let error = Error::internal(center, panic_text(panic.as_ref()));
                    Status::from(error).into_http()
                }
            };
            let code = Status::from_header_map(response.headers())
                .map_or(tonic::Code::Ok, |status| status.code());
            metrics.record_call(center, &method, code_name(code), started.elapsed());
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}
