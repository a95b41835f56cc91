//! A service to serve: it answers, waits, or panics.

use std::sync::Arc;

use throughline_kit::error::{Error, Kind};
use throughline_proto::provisioning::v1 as proto;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningService;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

/// An activation answers, a deactivation waits until it may go on, a question panics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    pub(crate) begun: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
}

#[tonic::async_trait]
impl ProvisioningService for Slow {
    async fn activate_service(
        &self,
        request: Request<proto::ActivateServiceRequest>,
    ) -> Result<Response<proto::ActivateServiceResponse>, Status> {
        let request = request.into_inner();
        if request.reference.is_empty() {
            let error = Error::new(Kind::Invalid, "test", "EMPTY", "no reference");
            return Err(error.with("offering", request.offering_code).into());
        }
        let message = request.reference;
        Ok(Response::new(proto::ActivateServiceResponse { message, ..Default::default() }))
    }

    async fn deactivate_service(
        &self,
        _: Request<proto::DeactivateServiceRequest>,
    ) -> Result<Response<proto::DeactivateServiceResponse>, Status> {
        self.begun.notify_one();
        self.go_on.notified().await;
        Ok(Response::new(proto::DeactivateServiceResponse::default()))
    }

    async fn get_operation(
        &self,
        request: Request<proto::GetOperationRequest>,
    ) -> Result<Response<proto::GetOperationResponse>, Status> {
        panic!("no operation {} on purpose", request.into_inner().reference);
    }
}
