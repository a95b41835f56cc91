//! `TemplateService`.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::template_service_server::TemplateService;
use tonic::{Request, Response, Status};

use super::open;
use crate::publishing::Publishing;
use crate::rehearsal::Rehearsal;

/// Serves `TemplateService`.
#[derive(Clone, Debug)]
pub(crate) struct TemplateRpc {
    /// What authors do.
    pub(crate) publishing: Publishing,
    /// Plays templates without calling anybody.
    pub(crate) rehearsal: Rehearsal,
}

#[tonic::async_trait]
impl TemplateService for TemplateRpc {
    async fn check_template(
        &self,
        request: Request<proto::CheckTemplateRequest>,
    ) -> Result<Response<proto::CheckTemplateResponse>, Status> {
        Ok(Response::new(self.publishing.check(request.get_ref()).await?))
    }

    async fn publish_template(
        &self,
        request: Request<proto::PublishTemplateRequest>,
    ) -> Result<Response<proto::PublishTemplateResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.publishing.publish(&caller, request).await?))
    }

    async fn rollback_template(
        &self,
        request: Request<proto::RollbackTemplateRequest>,
    ) -> Result<Response<proto::RollbackTemplateResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.publishing.rollback(&caller, request).await?))
    }

    async fn get_template(
        &self,
        request: Request<proto::GetTemplateRequest>,
    ) -> Result<Response<proto::GetTemplateResponse>, Status> {
        let proto::GetTemplateRequest { name, version } = request.into_inner();
        let template = Some(self.publishing.get(&name, version)?);
        Ok(Response::new(proto::GetTemplateResponse { template }))
    }

    async fn list_templates(
        &self,
        request: Request<proto::ListTemplatesRequest>,
    ) -> Result<Response<proto::ListTemplatesResponse>, Status> {
        Ok(Response::new(self.publishing.list(request.get_ref())?))
    }

    async fn diff_templates(
        &self,
        request: Request<proto::DiffTemplatesRequest>,
    ) -> Result<Response<proto::DiffTemplatesResponse>, Status> {
        Ok(Response::new(self.publishing.diff(request.get_ref())?))
    }

    async fn simulate_template(
        &self,
        request: Request<proto::SimulateTemplateRequest>,
    ) -> Result<Response<proto::SimulateTemplateResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.rehearsal.play(&caller, request).await?))
    }
}
