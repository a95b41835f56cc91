//! `ProvisioningService`.

use throughline_proto::provisioning::v1 as proto;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::perform::Engine;

/// Serves the contract over the common engine.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Engine);

#[tonic::async_trait]
impl ProvisioningService for Rpc {
    async fn activate_service(
        &self,
        request: Request<proto::ActivateServiceRequest>,
    ) -> Result<Response<proto::ActivateServiceResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::provisioning::activate_service(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::ActivateServiceResponse { outcome, reason, message }))
    }

    async fn deactivate_service(
        &self,
        request: Request<proto::DeactivateServiceRequest>,
    ) -> Result<Response<proto::DeactivateServiceResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::provisioning::deactivate_service(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::DeactivateServiceResponse { outcome, reason, message }))
    }

    async fn get_operation(
        &self,
        request: Request<proto::GetOperationRequest>,
    ) -> Result<Response<proto::GetOperationResponse>, Status> {
        let question = convert::provisioning::get_operation(request.into_inner())?;
        let operation = self.0.ask(question).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::GetOperationResponse { outcome, reason, message }))
    }
}
