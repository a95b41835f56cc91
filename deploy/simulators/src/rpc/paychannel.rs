//! `PaymentChannelService`.

use throughline_proto::paychannel::v1 as proto;
use throughline_proto::paychannel::v1::payment_channel_service_server::PaymentChannelService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::perform::Engine;

/// Serves the contract over the common engine.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Engine);

#[tonic::async_trait]
impl PaymentChannelService for Rpc {
    async fn charge(
        &self,
        request: Request<proto::ChargeRequest>,
    ) -> Result<Response<proto::ChargeResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::paychannel::charge(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let outcome = convert::paychannel::outcome(&operation).into();
        Ok(Response::new(proto::ChargeResponse { outcome, reason: operation.reason }))
    }

    async fn capture(
        &self,
        request: Request<proto::CaptureRequest>,
    ) -> Result<Response<proto::CaptureResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::paychannel::capture(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let outcome = convert::paychannel::outcome(&operation).into();
        Ok(Response::new(proto::CaptureResponse { outcome, reason: operation.reason }))
    }

    async fn cancel_charge(
        &self,
        request: Request<proto::CancelChargeRequest>,
    ) -> Result<Response<proto::CancelChargeResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::paychannel::cancel_charge(message)?;
        let charge = self.0.perform(asked, trace_parent).await?;
        let outcome = convert::paychannel::outcome(&charge).into();
        Ok(Response::new(proto::CancelChargeResponse { outcome }))
    }

    async fn refund(
        &self,
        request: Request<proto::RefundRequest>,
    ) -> Result<Response<proto::RefundResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::paychannel::refund(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let outcome = convert::paychannel::outcome(&operation).into();
        Ok(Response::new(proto::RefundResponse { outcome, reason: operation.reason }))
    }

    async fn get_transaction(
        &self,
        request: Request<proto::GetTransactionRequest>,
    ) -> Result<Response<proto::GetTransactionResponse>, Status> {
        let question = convert::paychannel::get_transaction(request.into_inner())?;
        let operation = self.0.ask(question).await?;
        Ok(Response::new(convert::paychannel::transaction(operation)))
    }
}
