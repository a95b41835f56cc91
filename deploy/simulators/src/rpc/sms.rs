//! `SmsService`.

use throughline_proto::sms::v1 as proto;
use throughline_proto::sms::v1::sms_service_server::SmsService;
use tonic::{Request, Response, Status};

use super::open;
use crate::convert;
use crate::perform::Engine;

/// Serves the contract over the common engine.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Engine);

#[tonic::async_trait]
impl SmsService for Rpc {
    async fn send_sms(
        &self,
        request: Request<proto::SendSmsRequest>,
    ) -> Result<Response<proto::SendSmsResponse>, Status> {
        let (message, trace_parent) = open(request);
        let asked = convert::sms::send_sms(message)?;
        let operation = self.0.perform(asked, trace_parent).await?;
        let outcome = convert::sms::outcome(&operation).into();
        Ok(Response::new(proto::SendSmsResponse { outcome, reason: operation.reason }))
    }

    async fn get_sms(
        &self,
        request: Request<proto::GetSmsRequest>,
    ) -> Result<Response<proto::GetSmsResponse>, Status> {
        let question = convert::sms::get_sms(request.into_inner())?;
        let operation = self.0.ask(question).await?;
        let outcome = convert::sms::outcome(&operation).into();
        Ok(Response::new(proto::GetSmsResponse { outcome, reason: operation.reason }))
    }
}
