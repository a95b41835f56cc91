//! Moves messages and trailers of one call, both directions at once, untouched.
//!
//! What arrives is acknowledged to its sender only when the other side took it, so a slow reader slows its writer and
//! nothing gathers here.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use throughline_kit::error::Kind;
use tonic::Code;

use super::access::Admitted;
use super::deadline::Deadline;
use super::finish::Finish;
use super::frames::{Fault, Frames};
use super::order_id::OrderId;
use super::record::Hop;
use super::respond::Downstream;
use crate::contract::Method;
use crate::error::{BackendFailure, Refusal};

/// The caller's side of a call.
pub(super) struct Caller {
    /// What it sends.
    pub(super) body: RecvStream,
    /// What it is sent.
    pub(super) downstream: Downstream,
    /// Its messages.
    pub(super) requests: Frames,
    /// The backend's messages.
    pub(super) responses: Frames,
}

impl Caller {
    /// Begins after the headers.
    pub(super) fn new(body: RecvStream, respond: SendResponse<Bytes>, max_message: u32) -> Self {
        Self {
            body,
            downstream: Downstream::Fresh(respond),
            requests: Frames::new(max_message),
            responses: Frames::new(max_message),
        }
    }

    /// Looks for the order id in the first messages where the headers did not have it.
    pub(super) fn look_for_order_id(&mut self, known: &OrderId, method: &Method) {
        if known.is_empty() {
            self.requests.search(&method.request_path);
            self.responses.search(&method.response_path);
        }
    }

    /// Ends when the caller gives up before it was answered.
    pub(super) fn poll_cancelled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.downstream {
            Downstream::Fresh(respond) => respond.poll_reset(context).map(|_| ()),
            Downstream::Streaming(_) | Downstream::Ended => Poll::Pending,
        }
    }
}

/// The backend's side of a call.
pub(super) struct Backend {
    /// What it will answer.
    pub(super) response: ResponseFuture,
    /// What it is sent.
    pub(super) stream: SendStream<Bytes>,
    /// The headers were all that it is sent.
    pub(super) complete: bool,
    /// Until when it was asked to answer.
    pub(super) deadline: Deadline,
}

/// Why one direction ended early.
enum Broken {
    /// Its source: for requests the caller, for responses the backend.
    Source(Option<h2::Error>),
    /// Its destination.
    Destination,
    /// What is sent is not as it must be.
    Frames(Fault),
}

/// Carries a call to its end: the backend's, the caller's or the deadline's.
pub(super) async fn both(
    caller: &mut Caller,
    backend: Backend,
    admitted: &Admitted,
    hop: &mut Hop,
    mut timer: Pin<&mut impl Future<Output = ()>>,
) -> Result<Finish, Refusal> {
    let Caller { body, downstream, requests, responses } = caller;
    let Backend { response, mut stream, complete, deadline } = backend;
    let outcome = {
        let mut requests = std::pin::pin!(forward(body, &mut stream, requests, End::Checked));
        let mut responses = std::pin::pin!(answer(response, deadline, downstream, responses, hop));
        let mut sending = !complete;
        poll_fn(|context| {
            if sending && let Poll::Ready(sent) = requests.as_mut().poll(context) {
                sending = false;
                match sent {
                    Err(Broken::Source(_)) => return Poll::Ready(Err(Ended::ByCaller)),
                    Err(Broken::Frames(fault)) => return Poll::Ready(Err(Ended::Request(fault))),
                    // The backend wants no more; what it answers says why.
                    Ok(_) | Err(Broken::Destination) => {}
                }
            }
            if let Poll::Ready(answered) = responses.as_mut().poll(context) {
                return Poll::Ready(answered);
            }
            timer.as_mut().poll(context).map(|()| Err(Ended::InTime))
        })
        .await
    };
    outcome.map_err(|ended| {
        stream.send_reset(Reason::CANCEL);
        ended.refusal(admitted)
    })
}

/// Why a call did not end by its backend's word.
enum Ended {
    ByCaller,
    InTime,
    Request(Fault),
    Response(Fault),
    Backend(Option<h2::Error>),
}

impl Ended {
    fn refusal(self, admitted: &Admitted) -> Refusal {
        let endpoint = || admitted.endpoint.address().to_owned();
        match self {
            Self::ByCaller => Refusal::Cancelled,
            Self::InTime => Refusal::DeadlineExceeded { method: admitted.method.name.to_string() },
            Self::Request(Fault::Malformed(what)) => Refusal::FrameMalformed { what },
            Self::Request(Fault::TooLarge { bytes, limit }) => {
                Refusal::MessageTooLarge { bytes, limit }
            }
            Self::Response(Fault::TooLarge { bytes, limit }) => Refusal::Backend {
                endpoint: endpoint(),
                failure: BackendFailure::ResponseTooLarge { bytes, limit },
            },
            Self::Response(Fault::Malformed(what)) => Refusal::Backend {
                endpoint: endpoint(),
                failure: BackendFailure::FrameMalformed { what },
            },
            Self::Backend(cause) => Refusal::Backend {
                endpoint: endpoint(),
                failure: backend_failure(cause.as_ref(), &admitted.method),
            },
        }
    }
}

/// Reads a backend's failure by the table of the gRPC protocol. After the request was sent, a broken connection says
/// nothing about whether it happened.
fn backend_failure(cause: Option<&h2::Error>, method: &Method) -> BackendFailure {
    let remote = cause.filter(|cause| cause.is_remote());
    let reset = remote.filter(|cause| cause.is_reset()).and_then(h2::Error::reason);
    let goodbye = remote.filter(|cause| cause.is_go_away()).and_then(h2::Error::reason);
    let failed = |reason: Reason, kind| BackendFailure::Reset { reason: reason.to_string(), kind };
    match (reset, goodbye) {
        (Some(Reason::REFUSED_STREAM), _) | (_, Some(Reason::NO_ERROR)) => BackendFailure::NotTaken,
        (Some(Reason::CANCEL), _) => BackendFailure::Cancelled,
        (Some(reason @ Reason::ENHANCE_YOUR_CALM), _) => failed(reason, Kind::Exhausted),
        (Some(reason @ Reason::INADEQUATE_SECURITY), _) => failed(reason, Kind::PermissionDenied),
        (Some(reason), _) => failed(reason, Kind::Internal),
        (None, _) if method.streaming => {
            BackendFailure::StreamBroken { method: method.name.to_string() }
        }
        (None, _) => BackendFailure::OutcomeUnknown { method: method.name.to_string() },
    }
}

/// Waits for the backend's headers and sends them and all that follows.
async fn answer(
    mut response: ResponseFuture,
    deadline: Deadline,
    downstream: &mut Downstream,
    frames: &mut Frames,
    hop: &mut Hop,
) -> Result<Finish, Ended> {
    let Downstream::Fresh(respond) = downstream else {
        return Err(Ended::ByCaller);
    };
    let answered = poll_fn(|context| {
        if let Poll::Ready(answered) = Pin::new(&mut response).poll(context) {
            return Poll::Ready(answered.map_err(|cause| Ended::Backend(Some(cause))));
        }
        respond.poll_reset(context).map(|_| Err(Ended::ByCaller))
    });
    let (head, mut body) = answered.await?.into_parts();
    hop.first_byte();
    let trailers_only = body.is_end_stream();
    let finish = trailers_only.then(|| Finish::read(&head.headers));
    // A server whose own timer rang first cancels; the caller hears the same whichever it was.
    if finish.as_ref().is_some_and(|f| f.code == Code::Cancelled) && deadline.is_near() {
        return Err(Ended::InTime);
    }
    let sent = respond.send_response(Response::from_parts(head, ()), trailers_only);
    let stream = sent.map_err(|_| Ended::ByCaller)?;
    if let Some(finish) = finish {
        *downstream = Downstream::Ended;
        return Ok(finish);
    }
    // Kept where a refusal finds it when this future is dropped halfway.
    *downstream = Downstream::Streaming(stream);
    let Downstream::Streaming(stream) = downstream else {
        return Err(Ended::ByCaller);
    };
    match forward(&mut body, stream, frames, End::AsItIs).await {
        Ok(finish) => {
            *downstream = Downstream::Ended;
            Ok(finish)
        }
        Err(Broken::Source(cause)) => Err(Ended::Backend(cause)),
        Err(Broken::Destination) => Err(Ended::ByCaller),
        Err(Broken::Frames(fault)) => Err(Ended::Response(fault)),
    }
}

/// What to make of an end inside of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is refused.
    Checked,
    /// It passes: the trailers say what happened.
    AsItIs,
}

enum Arrived {
    Data(Option<Result<Bytes, h2::Error>>),
    DestinationGone,
}

/// Moves one direction to its end.
async fn forward(
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    frames: &mut Frames,
    end: End,
) -> Result<Finish, Broken> {
    let check = |frames: &Frames| match end {
        End::Checked => frames.end().map_err(Broken::Frames),
        End::AsItIs => Ok(()),
    };
    loop {
        let arrived = poll_fn(|context| {
            if let Poll::Ready(data) = from.poll_data(context) {
                return Poll::Ready(Arrived::Data(data));
            }
            to.poll_reset(context).map(|_| Arrived::DestinationGone)
        });
        match arrived.await {
            Arrived::DestinationGone => return Err(Broken::Destination),
            Arrived::Data(Some(Err(cause))) => return Err(Broken::Source(Some(cause))),
            Arrived::Data(Some(Ok(chunk))) => {
                frames.take(&chunk).map_err(Broken::Frames)?;
                let last = from.is_end_stream();
                if last {
                    check(frames)?;
                }
                send(from, to, chunk, last).await?;
                if last {
                    return Ok(Finish::unknown());
                }
            }
            Arrived::Data(None) => {
                check(frames)?;
                let trailers = poll_fn(|context| from.poll_trailers(context)).await;
                return finish(to, trailers.map_err(|cause| Broken::Source(Some(cause)))?);
            }
        }
    }
}

fn finish(to: &mut SendStream<Bytes>, trailers: Option<HeaderMap>) -> Result<Finish, Broken> {
    let trailers = trailers.unwrap_or_default();
    let finish = Finish::read(&trailers);
    let sent = if trailers.is_empty() {
        to.send_data(Bytes::new(), true)
    } else {
        to.send_trailers(trailers)
    };
    sent.map(|()| finish).map_err(|_| Broken::Destination)
}

/// Sends as much as the destination takes at a time, and acknowledges that much to the source.
async fn send(
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    mut chunk: Bytes,
    last: bool,
) -> Result<(), Broken> {
    if chunk.is_empty() && last {
        return to.send_data(chunk, true).map_err(|_| Broken::Destination);
    }
    while !chunk.is_empty() {
        to.reserve_capacity(chunk.len());
        let mut room = to.capacity();
        if room == 0 {
            room = poll_fn(|context| poll_room(to, context)).await?;
        }
        let part = chunk.split_to(room.min(chunk.len()));
        let length = part.len();
        to.send_data(part, last && chunk.is_empty()).map_err(|_| Broken::Destination)?;
        // It fails only where the stream is closed, which the next read tells.
        let _ = from.flow_control().release_capacity(length);
    }
    Ok(())
}

fn poll_room(to: &mut SendStream<Bytes>, context: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
    loop {
        match ready!(to.poll_capacity(context)) {
            Some(Ok(0)) => {}
            Some(Ok(room)) => return Poll::Ready(Ok(room)),
            Some(Err(_)) | None => return Poll::Ready(Err(Broken::Destination)),
        }
    }
}
