//! Serves `CampaignService`.

use throughline_kit::clock::Clock;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::campaign_service_server::CampaignService;
use tonic::{Request, Response, Status};

use super::open;
use crate::campaign::change::{EndCampaign, SetCampaign};
use crate::campaign::query::CampaignQuery;
use crate::convert;

type Answer<T> = Result<Response<T>, Status>;

/// Serves `CampaignService`.
#[derive(Clone, Debug)]
pub(crate) struct Campaigns {
    idempotency: Idempotency,
    clock: Clock,
    query: CampaignQuery,
}

impl Campaigns {
    /// Serves the campaigns of a database.
    pub(crate) fn new(idempotency: &Idempotency, database: &Database, clock: &Clock) -> Self {
        let query = CampaignQuery { database: database.clone(), clock: clock.clone() };
        Self { idempotency: idempotency.clone(), clock: clock.clone(), query }
    }
}

#[tonic::async_trait]
impl CampaignService for Campaigns {
    async fn set_campaign(
        &self,
        request: Request<proto::SetCampaignRequest>,
    ) -> Answer<proto::SetCampaignResponse> {
        const METHOD: &str = "throughline.order.v1.CampaignService/SetCampaign";
        let (caller, request) = open(request);
        let (request_id, campaign) = convert::campaign::setting(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let set = SetCampaign { campaign, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, set).await?))
    }

    async fn get_campaign(
        &self,
        request: Request<proto::GetCampaignRequest>,
    ) -> Answer<proto::GetCampaignResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.get(&caller, &request.campaign).await?))
    }

    async fn list_campaigns(
        &self,
        request: Request<proto::ListCampaignsRequest>,
    ) -> Answer<proto::ListCampaignsResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.list(&caller, &request).await?))
    }

    async fn end_campaign(
        &self,
        request: Request<proto::EndCampaignRequest>,
    ) -> Answer<proto::EndCampaignResponse> {
        const METHOD: &str = "throughline.order.v1.CampaignService/EndCampaign";
        let (caller, request) = open(request);
        let (request_id, code) = convert::campaign::ending(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let end = EndCampaign { code, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, end).await?))
    }

    async fn get_buyer_group(
        &self,
        request: Request<proto::GetBuyerGroupRequest>,
    ) -> Answer<proto::GetBuyerGroupResponse> {
        Ok(Response::new(self.query.group(&request.get_ref().group).await?))
    }
}
