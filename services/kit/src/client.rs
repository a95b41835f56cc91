//! Calls to other centers and to outside systems. The only address is the gateway's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::error::{Error, Kind};
use crate::identity::keys;

/// Connections to the gateway: one for each of its workers on a small machine.
const CONNECTIONS: usize = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent connection is asked whether it lives, and given up when it does not answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Flow-control windows, in bytes: a connection carries many streams.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 24;

/// How to reach the gateway, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// "http://127.0.0.1:7400".
    pub uri: String,
    /// This caller's own API key.
    pub api_key: String,
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A channel that says who calls.
pub type GatewayChannel = InterceptedService<Channel, Credentials>;

/// Connections to the gateway, made when first used and again when broken.
#[derive(Clone, Debug)]
pub struct GatewayClient {
    channels: Arc<[GatewayChannel]>,
    next: Arc<AtomicUsize>,
}

impl GatewayClient {
    /// Prepares the connections.
    pub fn new(config: &GatewayConfig) -> Result<Self, Error> {
        let invalid = |what: &str, cause: &dyn fmt::Display| {
            Error::new(Kind::Invalid, "client", "GATEWAY_INVALID", format!("{what}: {cause}"))
        };
        let authorization = MetadataValue::try_from(format!("Bearer {}", config.api_key))
            .map_err(|e| invalid("the API key cannot stand in a header", &e))?;
        let uri = parse_uri(&config.uri)
            .map_err(|cause| invalid(&format!("gateway address {:?}", config.uri), &cause))?;
        let endpoint = Endpoint::from(uri)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let channels = (0..CONNECTIONS)
            .map(|_| {
                let credentials = Credentials { authorization: authorization.clone() };
                InterceptedService::new(endpoint.connect_lazy(), credentials)
            })
            .collect();
        Ok(Self { channels, next: Arc::default() })
    }

    /// A connection to call on.
    pub fn channel(&self) -> GatewayChannel {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }
}

/// Reads the gateway's address strictly: a guess at what is missing would end as a connection that is refused elsewhere.
fn parse_uri(text: &str) -> Result<Uri, String> {
    const EXAMPLE: &str = "write it as http://HOST:PORT, for example http://127.0.0.1:7400";
    let uri: Uri = text.parse().map_err(|cause| format!("{cause}; {EXAMPLE}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(format!("https is not supported yet; {EXAMPLE}")),
        Some(other) => return Err(format!("{other} is no scheme of a gateway; {EXAMPLE}")),
        None => return Err(format!("the scheme is missing; {EXAMPLE}")),
    }
    if uri.host().unwrap_or_default().is_empty() {
        return Err(format!("the host is missing; {EXAMPLE}"));
    }
    if uri.port_u16().is_none_or(|port| port == 0) {
        return Err(format!("the port is missing or no number above 0; {EXAMPLE}"));
    }
    let more = uri.path() != "/" || uri.query().is_some();
    let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if more || user {
        return Err(format!("there is more than host and port; {EXAMPLE}"));
    }
    Ok(uri)
}

/// Adds the caller's key to each call.
#[derive(Clone)]
pub struct Credentials {
    authorization: MetadataValue<Ascii>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.authorization.clone());
        Ok(request)
    }
}

/// What goes with a call besides its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallContext {
    /// Order that the call belongs to.
    pub order_id: Option<String>,
    /// W3C traceparent to go on with.
    pub trace_parent: Option<String>,
    /// Center to call, for a service that several serve.
    pub center: Option<String>,
    /// How long the caller waits.
    pub timeout: Option<Duration>,
}

impl CallContext {
    /// A call for an order.
    pub fn for_order(order_id: &str, trace_parent: &str, timeout: Duration) -> Self {
        Self {
            order_id: Some(order_id.to_owned()).filter(|id| !id.is_empty()),
            trace_parent: Some(trace_parent.to_owned()).filter(|trace| !trace.is_empty()),
            center: None,
            timeout: Some(timeout),
        }
    }

    /// A call to one of the centers that serve the same service.
    pub fn to_center(center: &str) -> Self {
        Self { center: Some(center.to_owned()), ..Self::default() }
    }

    /// Puts the message and its metadata together.
    pub fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let entries = [
            (keys::ORDER_ID, &self.order_id),
            (keys::TRACE_PARENT, &self.trace_parent),
            (keys::CENTER, &self.center),
        ];
        for (key, value) in entries {
            if let Some(value) = value.as_deref().and_then(|v| MetadataValue::try_from(v).ok()) {
                request.metadata_mut().insert(key, value);
            }
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        request
    }
}

/// What became of a call that moves something. A timeout is never a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome<T> {
    /// Answered.
    Answered(T),
    /// Refused for good.
    Declined(Error),
    /// It did not happen; it may be repeated.
    NotAttempted(Error),
    /// It may have happened; ask, or repeat with the same request id.
    Unknown(Error),
}

impl<T> CallOutcome<T> {
    /// Reads a client's result.
    pub fn from_result(result: Result<tonic::Response<T>, Status>) -> Self {
        let status = match result {
            Ok(response) => return Self::Answered(response.into_inner()),
            Err(status) => status,
        };
        let error = Error::from_status(&status);
        match error.kind {
            Kind::Unavailable | Kind::Exhausted => Self::NotAttempted(error),
            // Stopped on the way, by a missing key, grant or provider: an operator can change that, and then it goes on.
            Kind::PermissionDenied | Kind::Unauthenticated | Kind::Unimplemented => {
                Self::NotAttempted(error)
            }
            // Another call with the same id is at it: how it ends is not known.
            Kind::OutcomeUnknown | Kind::Internal | Kind::Aborted => Self::Unknown(error),
            Kind::Invalid | Kind::NotFound | Kind::AlreadyExists | Kind::Precondition => {
                Self::Declined(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_address_is_read_strictly_and_what_is_wrong_is_named() {
        for good in ["http://127.0.0.1:7400", "http://gateway:7400/", "http://[::1]:7400"] {
            assert!(parse_uri(good).is_ok(), "{good}");
        }
        for (bad, named) in [
            ("", "empty"),
            ("https://gateway:7400", "https is not supported yet"),
            ("ftp://gateway:7400", "ftp is no scheme"),
            ("gateway:7400", "the scheme is missing"),
            ("127.0.0.1", "the scheme is missing"),
            ("http://gateway", "the port is missing"),
            ("http://gateway:0", "the port is missing"),
            ("http://:7400", "the host is missing"),
            ("http://gateway:7400/orders", "more than host and port"),
            ("http://me:secret@gateway:7400", "more than host and port"),
            ("http://gateway:port", "the port is missing or no number"),
        ] {
            let said = parse_uri(bad).expect_err(bad);
            assert!(said.contains(named) && said.contains("http://HOST:PORT"), "{bad}: {said}");
        }
    }

    #[tokio::test]
    async fn a_client_names_the_address_that_it_cannot_use() {
        let config = GatewayConfig { uri: "https://gateway:7400".into(), api_key: "key".into() };
        let error = GatewayClient::new(&config).expect_err("refused");
        assert_eq!(error.reason, "GATEWAY_INVALID");
        assert!(error.message.contains("https://gateway:7400"), "{error}");
    }
}
