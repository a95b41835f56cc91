//! The gateway's own services: a tonic server on a loopback port that only the data plane may call.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use throughline_kit::CancellationToken;
use throughline_kit::error::{Error, Kind};
use throughline_kit::layer::RpcLayer;
use throughline_kit::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::Service;

use crate::caller::ApiKey;
use crate::error::DOMAIN;
use crate::reflection::Reflection;

/// Metadata key of the proof that a call passed the data plane: everything else on this machine is kept out.
pub(crate) const PASS_KEY: &str = "x-gateway-pass";
/// Paths that reflection answers.
const REFLECTION_PREFIX: &str = "/grpc.reflection.";
/// Calls of one connection that were cancelled before they were begun. The only client is the data plane, which carries the
/// calls of all on few connections: a lower number would let one caller's cancelled calls end everybody's.
const MAX_PENDING_RESETS: usize = 1 << 20;
/// How long running calls may take to finish when the data plane has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes the proof, new at each start.
pub(crate) fn new_pass() -> HeaderValue {
    let secret = ApiKey::generate();
    let mut pass = HeaderValue::from_str(secret.as_str()).expect("keys are letters and digits");
    pass.set_sensitive(true);
    pass
}

/// Sends a call to reflection or to the other services, if it brings the proof.
#[derive(Clone)]
struct OwnServices {
    pass: HeaderValue,
    routes: Routes,
    reflection: Reflection,
}

impl fmt::Debug for OwnServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnServices")
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for OwnServices {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routes are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        if request.headers().get(PASS_KEY) != Some(&self.pass) {
            let message = "call the gateway's own port, with a key";
            let error = Error::new(Kind::PermissionDenied, DOMAIN, "GATEWAY_BYPASSED", message);
            return Box::pin(std::future::ready(Ok(Status::from(error).into_http())));
        }
        let mut routes = if request.uri().path().starts_with(REFLECTION_PREFIX) {
            self.reflection.routes()
        } else {
            self.routes.clone()
        };
        Box::pin(async move { routes.call(request).await })
    }
}

/// Serves until the token is cancelled.
pub(crate) fn start(
    listener: TcpListener,
    routes: Routes,
    reflection: Reflection,
    pass: HeaderValue,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let serving = Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(crate::proxy::STREAM_WINDOW)
        .initial_connection_window_size(crate::proxy::CONNECTION_WINDOW)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .layer(RpcLayer::new(DOMAIN, metrics))
        .serve_with_incoming_shutdown(
            OwnServices { pass, routes, reflection },
            TcpListenerStream::new(listener),
            shutdown.clone().cancelled_owned(),
        );
    tokio::spawn(async move {
        let mut serving = std::pin::pin!(serving);
        let served = tokio::select! {
            served = &mut serving => served,
            () = shutdown.cancelled() => {
                match tokio::time::timeout(DRAIN_TIMEOUT, serving).await {
                    Ok(served) => served,
                    // Watches are cut: their clients read again.
                    Err(_) => return,
                }
            }
        };
        if let Err(cause) = served {
            tracing::error!(%cause, "serve the gateway's own services");
        }
    })
}
