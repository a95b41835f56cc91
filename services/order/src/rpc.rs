//! The gRPC face of the order center: decode, call, encode. One file for each service.

use throughline_kit::identity::Caller;
use tonic::Request;

mod bulk;
mod callbacks;
mod campaign;
mod cart;
mod holds;
mod monitors;
mod operations;
mod orders;
mod tasks;
mod templates;

pub(crate) use bulk::BulkRpc;
pub(crate) use callbacks::StepCallbacks;
pub(crate) use campaign::Campaigns;
pub(crate) use cart::Carts;
pub(crate) use holds::HoldRpc;
pub(crate) use monitors::MonitorRpc;
pub(crate) use operations::OperationRpc;
pub(crate) use orders::Orders;
pub(crate) use tasks::TaskRpc;
pub(crate) use templates::TemplateRpc;

/// Takes a request apart: who asks, and what.
pub(crate) fn open<M>(request: Request<M>) -> (Caller, M) {
    (Caller::from_metadata(request.metadata()), request.into_inner())
}
