//! `BillingService`.

use throughline_proto::billing::v1 as proto;
use throughline_proto::billing::v1::billing_service_server::BillingService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::perform::Engine;

/// Serves the contract over the common engine.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Engine);

#[tonic::async_trait]
impl BillingService for Rpc {
    async fn open_account(
        &self,
        request: Request<proto::OpenAccountRequest>,
    ) -> Result<Response<proto::OpenAccountResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::billing::open_account(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::OpenAccountResponse { outcome, reason, message }))
    }

    async fn close_account(
        &self,
        request: Request<proto::CloseAccountRequest>,
    ) -> Result<Response<proto::CloseAccountResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::billing::close_account(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::CloseAccountResponse { outcome, reason, message }))
    }

    async fn get_operation(
        &self,
        request: Request<proto::GetOperationRequest>,
    ) -> Result<Response<proto::GetOperationResponse>, Status> {
        let question = convert::billing::get_operation(request.into_inner())?;
        let operation = self.0.ask(question).await?;
        let (outcome, reason, message) = convert::step::answer(&operation);
        Ok(Response::new(proto::GetOperationResponse { outcome, reason, message }))
    }
}
