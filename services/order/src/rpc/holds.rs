//! `HoldService`.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::hold_service_server::HoldService;
use tonic::{Request, Response, Status};

use super::open;
use crate::standing::Standing;

/// Serves `HoldService`.
#[derive(Clone, Debug)]
pub(crate) struct HoldRpc {
    /// Keeps what is paused for all orders.
    pub(crate) standing: Standing,
}

#[tonic::async_trait]
impl HoldService for HoldRpc {
    async fn hold_capability(
        &self,
        request: Request<proto::HoldCapabilityRequest>,
    ) -> Result<Response<proto::HoldCapabilityResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.standing.place(&caller, request).await?))
    }

    async fn release_capability(
        &self,
        request: Request<proto::ReleaseCapabilityRequest>,
    ) -> Result<Response<proto::ReleaseCapabilityResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.standing.end(&caller, request).await?))
    }

    async fn list_holds(
        &self,
        _request: Request<proto::ListHoldsRequest>,
    ) -> Result<Response<proto::ListHoldsResponse>, Status> {
        Ok(Response::new(self.standing.list().await?))
    }
}
