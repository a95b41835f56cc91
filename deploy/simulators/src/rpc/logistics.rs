//! `LogisticsService`.

use throughline_proto::logistics::v1 as proto;
use throughline_proto::logistics::v1::logistics_service_server::LogisticsService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::perform::Engine;

/// Serves the contract over the common engine.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Engine);

#[tonic::async_trait]
impl LogisticsService for Rpc {
    async fn create_shipment(
        &self,
        request: Request<proto::CreateShipmentRequest>,
    ) -> Result<Response<proto::CreateShipmentResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::logistics::create_shipment(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::CreateShipmentResponse { outcome, reason, message }))
    }

    async fn cancel_shipment(
        &self,
        request: Request<proto::CancelShipmentRequest>,
    ) -> Result<Response<proto::CancelShipmentResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::logistics::cancel_shipment(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::CancelShipmentResponse { outcome, reason, message }))
    }

    async fn get_operation(
        &self,
        request: Request<proto::GetOperationRequest>,
    ) -> Result<Response<proto::GetOperationResponse>, Status> {
        let question = convert::logistics::get_operation(request.into_inner())?;
        let operation = self.0.ask(question).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::GetOperationResponse { outcome, reason, message }))
    }
}
