//! The one place where refusals and failures become answers: status 200, Trailers-Only, with everything that a caller
//! needs to act on them.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use throughline_kit::error::Error;
use tonic::{Code, Status};

use super::finish::Finish;
use crate::error::{BackendFailure, Refusal};

const GRPC: &[u8] = b"application/grpc";

/// How far the answer to the caller is.
pub(super) enum Downstream {
    /// Nothing was sent.
    Fresh(SendResponse<Bytes>),
    /// Headers were sent.
    Streaming(SendStream<Bytes>),
    /// All was sent.
    Ended,
}

/// The call was answered.
pub(super) struct Answered;

/// Lets only gRPC through: the rest is answered in HTTP's own words.
pub(super) fn check_protocol(
    head: &Parts,
    mut respond: SendResponse<Bytes>,
) -> Result<SendResponse<Bytes>, Answered> {
    let content_type = head.headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let grpc = content_type
        .strip_prefix(GRPC)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')));
    let status = if head.method != Method::POST {
        StatusCode::METHOD_NOT_ALLOWED
    } else if !grpc {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else {
        return Ok(respond);
    };
    let mut response = Response::new(());
    *response.status_mut() = status;
    // It fails only where the caller is gone already.
    let _ = respond.send_response(response, true);
    Err(Answered)
}

/// Ends a call with a refusal.
pub(super) fn refuse(downstream: &mut Downstream, refusal: Refusal) -> Finish {
    let gone = refusal == Refusal::Cancelled;
    let status = status(refusal);
    let finish = Finish::refused(&status);
    match std::mem::replace(downstream, Downstream::Ended) {
        Downstream::Fresh(mut respond) if gone => respond.send_reset(Reason::CANCEL),
        Downstream::Streaming(mut stream) if gone => stream.send_reset(Reason::CANCEL),
        Downstream::Fresh(mut respond) => {
            // It fails only where the caller is gone already.
            let _ = respond.send_response(status.into_http(), true);
        }
        Downstream::Streaming(mut stream) => {
            let mut trailers = HeaderMap::new();
            let written = status.add_header(&mut trailers).is_ok();
            if !written || stream.send_trailers(trailers).is_err() {
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
        }
        Downstream::Ended => {}
    }
    finish
}

/// Codes that no error of a center has are ours alone: the time was over, somebody cancelled.
fn status(refusal: Refusal) -> Status {
    let code = match &refusal {
        Refusal::DeadlineExceeded { .. } => Some(Code::DeadlineExceeded),
        Refusal::Cancelled | Refusal::Backend { failure: BackendFailure::Cancelled, .. } => {
            Some(Code::Cancelled)
        }
        Refusal::Access(_)
        | Refusal::Route(_)
        | Refusal::Backend { .. }
        | Refusal::TimeoutMalformed { .. }
        | Refusal::FrameMalformed { .. }
        | Refusal::MessageTooLarge { .. } => None,
    };
    let status = Status::from(Error::from(refusal));
    match code {
        Some(code) => {
            let details = Bytes::copy_from_slice(status.details());
            Status::with_details(code, status.message(), details)
        }
        None => status,
    }
}
