//! What happens around every call of a service: panics become INTERNAL, requests that cannot be read are refused in our
//! words, durations are measured.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;

use crate::error::{Error, Kind, code_name};
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
            let mut status = Status::from_header_map(response.headers());
            let refusal = status.as_ref().and_then(|status| unreadable(center, status));
            let response = match refusal {
                Some(refusal) => {
                    let refused = Status::from(refusal);
                    let response = refused.clone().into_http();
                    status = Some(refused);
                    response
                }
                None => response,
            };
            let code = status.map_or(Code::Ok, |status| status.code());
            metrics.record_call(center, &method, code_name(code), started.elapsed());
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

/// Says in our words what the gRPC library answers by itself for a request that it cannot read; no handler was called.
/// What handlers answer has details, and stays as it is.
fn unreadable(center: &str, status: &Status) -> Option<Error> {
    let said = status.message();
    match status.code() {
        _ if !status.details().is_empty() => None,
        Code::OutOfRange if said.contains("message length too large") => {
            let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
            let (bytes, limit) = (numbers.next()?, numbers.next()?);
            Some(Error::limit(center, "max_message_bytes", limit).with("bytes", bytes))
        }
        Code::Internal if said.starts_with("failed to decode Protobuf message") => {
            let message = format!("the request is no message of this method: {said}");
            Some(
                Error::new(Kind::Invalid, center, "MESSAGE_MALFORMED", message).with("cause", said),
            )
        }
        _ => None,
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_with_a_reason_and_what_handlers_say_stays() {
        let too_large =
            "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes";
        let limit = unreadable("order", &Status::out_of_range(too_large)).expect("refused");
        assert_eq!((limit.kind, limit.reason.as_str()), (Kind::Exhausted, "LIMIT_REACHED"));
        assert_eq!(limit.metadata["limit"], "max_message_bytes");
        assert_eq!(
            (limit.metadata["value"].as_str(), limit.metadata["bytes"].as_str()),
            ("4", "9")
        );

        let garbage = "failed to decode Protobuf message: buffer underflow";
        let malformed = unreadable("order", &Status::internal(garbage)).expect("refused");
        assert_eq!((malformed.kind, malformed.domain.as_str()), (Kind::Invalid, "order"));
        assert_eq!(malformed.reason, "MESSAGE_MALFORMED");

        for said in [
            Status::from(Error::new(Kind::Internal, "order", "INTERNAL", garbage)),
            Status::internal("something else"),
            Status::out_of_range("something else"),
        ] {
            assert_eq!(unreadable("order", &said), None, "{said}");
        }
    }
}
