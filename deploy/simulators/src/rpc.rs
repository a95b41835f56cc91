//! The six services: decode, call, encode.

pub(crate) mod billing;
pub(crate) mod control;
pub(crate) mod logistics;
pub(crate) mod paychannel;
pub(crate) mod provisioning;
pub(crate) mod sms;

use throughline_kit::identity::Caller;
use tonic::Request;

/// Takes the message and the trace that the call belongs to.
fn open<M>(request: Request<M>) -> (M, String) {
    let trace_parent = Caller::from_metadata(request.metadata()).trace_parent;
    (request.into_inner(), trace_parent)
}
