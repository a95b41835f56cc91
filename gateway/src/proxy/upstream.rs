//! From an admitted call to a backend that has its headers.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http::header::TE;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Uri, Version};

use super::Worker;
use super::access::{self, Admitted};
use super::deadline::Deadline;
use super::pool::Place;
use super::pump::{Backend, Caller};
use crate::error::{BackendFailure, Refusal};

/// Instances that one call looks for at most.
const MAX_INSTANCES_TRIED: u32 = 5;

/// Finds a place for a call, at another instance when the chosen one cannot be reached.
pub(super) async fn place(
    worker: &Worker,
    admitted: &mut Admitted,
    caller: &mut Caller,
    mut timer: Pin<&mut impl Future<Output = ()>>,
) -> Result<Place, Refusal> {
    let mut tries = 0;
    loop {
        let pool = worker.pools.get(&admitted.endpoint);
        if let Some(place) = pool.free_place() {
            return Ok(place);
        }
        let mut wait = std::pin::pin!(pool.wait_for_place());
        let waited = poll_fn(|context| {
            if let Poll::Ready(found) = wait.as_mut().poll(context) {
                return Poll::Ready(found.map_err(|failure| Refusal::Backend {
                    endpoint: admitted.endpoint.address().to_owned(),
                    failure,
                }));
            }
            if caller.poll_cancelled(context).is_ready() {
                return Poll::Ready(Err(Refusal::Cancelled));
            }
            let method = || admitted.method.name.to_string();
            timer
                .as_mut()
                .poll(context)
                .map(|()| Err(Refusal::DeadlineExceeded { method: method() }))
        });
        match waited.await {
            Err(Refusal::Backend { failure: BackendFailure::Unreachable { cause }, endpoint }) => {
                tries += 1;
                let again = tries < MAX_INSTANCES_TRIED;
                let other = again.then(|| access::choose_again(worker, admitted)).flatten();
                let Some(other) = other else {
                    let failure = BackendFailure::Unreachable { cause };
                    return Err(Refusal::Backend { endpoint, failure });
                };
                admitted.endpoint = other;
            }
            outcome => return outcome,
        }
    }
}

/// Sends the headers of a call, at once after its place was taken.
pub(super) fn send(
    place: &mut Place,
    mut head: Parts,
    admitted: &Admitted,
    deadline: Deadline,
    complete: bool,
) -> Result<Backend, Refusal> {
    let endpoint = &admitted.endpoint;
    let failed = |failure| Refusal::Backend { endpoint: endpoint.address().to_owned(), failure };
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(endpoint.authority.clone());
    head.uri = Uri::from_parts(uri).map_err(|_| failed(BackendFailure::NotTaken))?;
    head.version = Version::HTTP_2;
    deadline.forward(&mut head.headers);
    head.headers.insert(TE, HeaderValue::from_static("trailers"));
    let request = Request::from_parts(head, ());
    let sent = place.send(request, complete);
    let (response, stream) = sent.map_err(|_| failed(BackendFailure::NotTaken))?;
    Ok(Backend { response, stream, complete, deadline })
}
