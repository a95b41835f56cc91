//! The gRPC face of webhooks: decode, call, encode.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::webhook_service_server::WebhookService;
use tonic::{Request, Response, Status};

use super::convert;
use super::query::WebhookQuery;
use super::registrar::Registrar;
use crate::rpc::open;

/// Serves `WebhookService`.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    /// Changes.
    pub(crate) registrar: Registrar,
    /// Reads.
    pub(crate) query: WebhookQuery,
}

#[tonic::async_trait]
impl WebhookService for Webhooks {
    async fn set_webhook(
        &self,
        request: Request<proto::SetWebhookRequest>,
    ) -> Result<Response<proto::SetWebhookResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.set(&caller, request).await?))
    }

    async fn get_webhook(
        &self,
        request: Request<proto::GetWebhookRequest>,
    ) -> Result<Response<proto::GetWebhookResponse>, Status> {
        let (caller, request) = open(request);
        let webhook = self.query.get(&caller, &request.webhook_id).await?;
        let webhook = Some(convert::webhook(&webhook));
        Ok(Response::new(proto::GetWebhookResponse { webhook }))
    }

    async fn list_webhooks(
        &self,
        request: Request<proto::ListWebhooksRequest>,
    ) -> Result<Response<proto::ListWebhooksResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.list(&caller, request).await?))
    }

    async fn delete_webhook(
        &self,
        request: Request<proto::DeleteWebhookRequest>,
    ) -> Result<Response<proto::DeleteWebhookResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.delete(&caller, request).await?))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<proto::RotateWebhookSecretRequest>,
    ) -> Result<Response<proto::RotateWebhookSecretResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.rotate(&caller, request).await?))
    }

    async fn pause_webhook(
        &self,
        request: Request<proto::PauseWebhookRequest>,
    ) -> Result<Response<proto::PauseWebhookResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.pause(&caller, request).await?))
    }

    async fn resume_webhook(
        &self,
        request: Request<proto::ResumeWebhookRequest>,
    ) -> Result<Response<proto::ResumeWebhookResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.resume(&caller, request).await?))
    }

    async fn list_deliveries(
        &self,
        request: Request<proto::ListDeliveriesRequest>,
    ) -> Result<Response<proto::ListDeliveriesResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.deliveries(&caller, request).await?))
    }

    async fn get_delivery(
        &self,
        request: Request<proto::GetDeliveryRequest>,
    ) -> Result<Response<proto::GetDeliveryResponse>, Status> {
        let (caller, request) = open(request);
        let delivery = self.query.delivery(&caller, &request.delivery_id).await?;
        Ok(Response::new(proto::GetDeliveryResponse {
            delivery: Some(convert::delivery(&delivery)),
            payload: delivery.payload,
        }))
    }

    async fn redeliver_webhook(
        &self,
        request: Request<proto::RedeliverWebhookRequest>,
    ) -> Result<Response<proto::RedeliverWebhookResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.registrar.redeliver(&caller, request).await?))
    }
}
