//! `MonitorService`.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::monitor_service_server::MonitorService;
use tonic::{Request, Response, Status};

use crate::monitor::Monitors;

/// Serves `MonitorService`.
#[derive(Clone, Debug)]
pub(crate) struct MonitorRpc {
    /// Reads.
    pub(crate) monitors: Monitors,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl MonitorService for MonitorRpc {
    async fn list_load(
        &self,
        request: Request<proto::ListLoadRequest>,
    ) -> Answer<proto::ListLoadResponse> {
        Ok(Response::new(self.monitors.load(request.into_inner()).await?))
    }

    async fn list_timeouts(
        &self,
        request: Request<proto::ListTimeoutsRequest>,
    ) -> Answer<proto::ListTimeoutsResponse> {
        Ok(Response::new(self.monitors.timeouts(request.into_inner()).await?))
    }

    async fn list_cancellations(
        &self,
        request: Request<proto::ListCancellationsRequest>,
    ) -> Answer<proto::ListCancellationsResponse> {
        Ok(Response::new(self.monitors.cancellations(request.into_inner()).await?))
    }

    async fn list_urges(
        &self,
        request: Request<proto::ListUrgesRequest>,
    ) -> Answer<proto::ListUrgesResponse> {
        Ok(Response::new(self.monitors.urges(request.into_inner()).await?))
    }

    async fn list_exceptions(
        &self,
        _request: Request<proto::ListExceptionsRequest>,
    ) -> Answer<proto::ListExceptionsResponse> {
        Ok(Response::new(self.monitors.exceptions().await?))
    }

    async fn list_fee_differences(
        &self,
        request: Request<proto::ListFeeDifferencesRequest>,
    ) -> Answer<proto::ListFeeDifferencesResponse> {
        Ok(Response::new(self.monitors.fee_differences(request.get_ref()).await?))
    }
}
