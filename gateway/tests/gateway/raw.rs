//! HTTP/2 by hand: for what no gRPC library would send.

use std::any::Any;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A message with its prefix.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("small").to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

/// Opens a connection.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.expect("connect");
    let (sender, connection) = h2::client::handshake(stream).await.expect("shake hands");
    tokio::spawn(connection);
    sender.ready().await.expect("ready")
}

/// The headers of a call.
pub(crate) fn call(address: SocketAddr, method: &str, key: &str) -> Request<()> {
    Request::post(format!("http://{address}/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {key}"))
        .body(())
        .expect("a request")
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Headers were all there was: one HEADERS frame with END_STREAM.
    pub(crate) headers_only: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    /// The gRPC status, wherever it stands.
    pub(crate) fn grpc_status(&self) -> &str {
        let place = self.trailers.as_ref().unwrap_or(&self.headers);
        place.get("grpc-status").expect("a status").to_str().expect("digits")
    }

    /// Reads to the end.
    pub(crate) async fn read(response: Response<RecvStream>) -> Result<Self, h2::Error> {
        let (head, mut stream) = response.into_parts();
        let headers_only = stream.is_end_stream();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            stream.flow_control().release_capacity(data.len()).expect("open");
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await?;
        let status = head.status.as_u16();
        Ok(Self { status, headers: head.headers, headers_only, body, trailers })
    }
}

/// Sends headers and body as they are and reads the answer.
pub(crate) async fn exchange(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &[&[u8]],
) -> Result<Answer, h2::Error> {
    let (response, mut stream) = sender.send_request(request, body.is_empty())?;
    for (index, piece) in body.iter().enumerate() {
        let end = index + 1 == body.len();
        // An early answer may close the stream under our hands.
        if stream.send_data(Bytes::copy_from_slice(piece), end).is_err() {
            break;
        }
    }
    Answer::read(response.await?).await
}

/// A backend that does by hand what the test says with each call.
pub(crate) struct RawBackend {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for RawBackend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RawBackend {
    /// Answers each call with `handle`; at most so many at a time on one connection. A connection breaks when `handle` says so.
    pub(crate) async fn start<H, F>(max_streams: u32, handle: H) -> Self
    where
        H: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Clone + Send + 'static,
        F: Future<Output = Then> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, max_streams, handle.clone()));
            }
        });
        Self { address, task }
    }
}

/// What becomes of the connection after a call.
pub(crate) enum Then {
    GoOn,
    /// It breaks, and what is kept here is dropped only then: a dropped stream would be reset in good order.
    Break(Box<dyn Any + Send>),
}

async fn serve<H, F>(stream: TcpStream, max_streams: u32, handle: H)
where
    H: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + 'static,
    F: Future<Output = Then> + Send + 'static,
{
    let mut builder = h2::server::Builder::new();
    let handshake = builder.max_concurrent_streams(max_streams).handshake(stream);
    let Ok(mut connection) = handshake.await else {
        return;
    };
    let (break_it, mut broken) = tokio::sync::mpsc::channel(1);
    loop {
        tokio::select! {
            kept = broken.recv() => {
                drop(connection);
                drop(kept);
                return;
            }
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (handled, break_it) = (handle(request, respond), break_it.clone());
                tokio::spawn(async move {
                    if let Then::Break(kept) = handled.await {
                        let _ = break_it.send(kept).await;
                    }
                });
            }
        }
    }
}

/// Headers of a gRPC answer.
pub(crate) fn grpc_headers() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).expect("a response")
}

/// Trailers of a call that went well.
pub(crate) fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    trailers
}

/// Reads a request to its end.
pub(crate) async fn read_all(stream: &mut RecvStream) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
    }
    body
}

/// Sends an empty message and ends well.
pub(crate) fn finish(stream: &mut SendStream<Bytes>) {
    stream.send_data(framed(&[]), false).expect("send");
    stream.send_trailers(ok_trailers()).expect("send");
}
