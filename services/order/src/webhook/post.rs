//! One attempt: an HTTP POST to an address that was checked, within one timeout, of which little is read back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use throughline_kit::error::{Error, Kind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::config::WebhookConfig;
use super::delivery::{Attempt, GONE};
use super::destination::Destination;
use super::network::Network;
use crate::failure::{Failure, printable};

/// Bytes of an answer's head.
const MAX_ANSWER_HEAD: usize = 16 << 10;
/// Headers of an answer.
const MAX_ANSWER_HEADERS: usize = 64;
/// Bytes of an answer's body that are read.
const MAX_ANSWER_BODY: usize = 1 << 10;
/// Characters of an answer's body that are kept where it says what is wrong.
const MAX_EXCERPT: usize = 200;
/// How long the body of an answer may take, whose status is known already.
const EXCERPT_TIMEOUT: Duration = Duration::from_secs(1);

const USER: &str = concat!("throughline/", env!("CARGO_PKG_VERSION"));
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The same over all repeats.
    pub(crate) id: String,
    /// Seconds of Unix time.
    pub(crate) timestamp: i64,
    /// One for each secret, separated by spaces.
    pub(crate) signature: String,
    /// JSON.
    pub(crate) body: String,
}

/// Sends letters.
#[derive(Clone)]
pub(crate) struct Post {
    tls: TlsConnector,
    network: Network,
    timeout: Duration,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Post {
    /// Reads the authorities that are trusted.
    pub(crate) fn new(config: &WebhookConfig) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if !config.ca_file.is_empty() {
            let file = &config.ca_file;
            let wrong = |cause: &dyn std::fmt::Display| {
                let message =
                    format!("key `order.webhook.ca_file`: must be a PEM file, {file}: {cause}");
                Error::new(Kind::Invalid, "config", "CONFIG_INVALID", message)
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))? {
                let certificate = certificate.map_err(|e| wrong(&e))?;
                roots.add(certificate).map_err(|e| wrong(&e))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::internal(crate::error::DOMAIN, cause))?;
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(tls)),
            network: config.network(),
            timeout: Duration::from_millis(config.attempt_timeout_ms),
        })
    }

    /// How long an attempt may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends once.
    pub(crate) async fn send(&self, url: &str, letter: Letter) -> Attempt {
        let destination = match Destination::parse(url, self.network) {
            Ok(destination) => destination,
            // It was allowed when it was set, and is no longer.
            Err(why) => return failed(None, "DESTINATION_REFUSED", &why),
        };
        match tokio::time::timeout(self.timeout, self.exchange(&destination, letter)).await {
            Ok(Ok((status, excerpt))) => judge(status, &excerpt),
            Ok(Err(failure)) => Attempt::Failed { code: None, failure },
            Err(_) => {
                let why = format!("no answer within {} ms", self.timeout.as_millis());
                failed(None, "TIMED_OUT", &why)
            }
        }
    }

    async fn exchange(
        &self,
        destination: &Destination,
        letter: Letter,
    ) -> Result<(StatusCode, String), Failure> {
        let request = request(destination, letter)?;
        // Not by name: what was checked is what is connected to.
        let addresses = destination.addresses().await?;
        let connected = TcpStream::connect(addresses.as_slice()).await;
        let stream = connected.map_err(|cause| failure("CONNECTION_FAILED", &cause))?;
        if !destination.is_secure() {
            return talk(stream, request).await;
        }
        let name = destination.server_name()?;
        let secured = self.tls.connect(name, stream).await;
        talk(secured.map_err(|cause| failure("TLS_FAILED", &cause))?, request).await
    }
}

fn request(destination: &Destination, letter: Letter) -> Result<Request<Full<Bytes>>, Failure> {
    let Letter { id, timestamp, signature, body } = letter;
    let built = Request::builder()
        .method(Method::POST)
        .uri(destination.path())
        .header(HOST, destination.authority())
        .header(USER_AGENT, USER)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(WEBHOOK_ID, id)
        .header(WEBHOOK_TIMESTAMP, timestamp)
        .header(WEBHOOK_SIGNATURE, signature)
        .body(Full::new(Bytes::from(body)));
    built.map_err(|cause| failure("DESTINATION_REFUSED", &cause))
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_ANSWER_HEAD).max_headers(MAX_ANSWER_HEADERS);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|cause| lost(&cause))?;
    let exchange = pin!(async {
        let answer = sender.send_request(request).await.map_err(|cause| lost(&cause))?;
        let status = answer.status();
        let said = if status.is_success() { None } else { excerpt(answer.into_body()).await };
        Ok((status, said.unwrap_or_default()))
    });
    // The connection has to be driven, and ends with the exchange.
    match select(exchange, pin!(connection)).await {
        Either::Left((exchanged, _)) => exchanged,
        Either::Right((_, exchange)) => exchange.await,
    }
}

/// Reads the beginning of what a receiver says; what it never says is not waited for.
async fn excerpt(mut body: Incoming) -> Option<String> {
    let mut read = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            let left = MAX_ANSWER_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(left)]);
            if read.len() == MAX_ANSWER_BODY {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(EXCERPT_TIMEOUT, reading).await;
    let text = String::from_utf8_lossy(&read);
    Some(printable(text.trim(), MAX_EXCERPT)).filter(|text| !text.is_empty())
}

fn judge(status: StatusCode, excerpt: &str) -> Attempt {
    let code = status.as_u16();
    if status.is_success() {
        return Attempt::Taken { code };
    }
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    let message = format!("the receiver answered {code}{said}");
    if code == GONE {
        return Attempt::Gone { failure: failure("GONE", &message) };
    }
    failed(Some(code), "ANSWER_NOT_SUCCESS", &message)
}

fn failed(code: Option<u16>, reason: &str, message: &str) -> Attempt {
    Attempt::Failed { code, failure: failure(reason, &message) }
}

fn failure(reason: &str, message: &dyn std::fmt::Display) -> Failure {
    Failure::heard(reason, super::DOMAIN, &message.to_string())
}

/// The connection broke, or what came over it was no HTTP.
fn lost(cause: &hyper::Error) -> Failure {
    let reason = if cause.is_parse() { "ANSWER_INVALID" } else { "CONNECTION_FAILED" };
    failure(reason, cause)
}
