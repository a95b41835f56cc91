//! `SimulatorControlService`.

use throughline_proto::simulator::v1 as proto;
use throughline_proto::simulator::v1::simulator_control_service_server::SimulatorControlService;
use tonic::{Request, Response, Status};

use crate::control::Control;
use crate::convert;

/// Serves the contract.
#[derive(Clone, Debug)]
pub(crate) struct Rpc(pub(crate) Control);

#[tonic::async_trait]
impl SimulatorControlService for Rpc {
    async fn add_rule(
        &self,
        request: Request<proto::AddRuleRequest>,
    ) -> Result<Response<proto::AddRuleResponse>, Status> {
        let rule = convert::control::rule(request.into_inner())?;
        self.0.add_rule(rule).await?;
        Ok(Response::new(proto::AddRuleResponse {}))
    }

    async fn clear_rules(
        &self,
        _: Request<proto::ClearRulesRequest>,
    ) -> Result<Response<proto::ClearRulesResponse>, Status> {
        self.0.clear_rules().await?;
        Ok(Response::new(proto::ClearRulesResponse {}))
    }

    async fn list_effects(
        &self,
        request: Request<proto::ListEffectsRequest>,
    ) -> Result<Response<proto::ListEffectsResponse>, Status> {
        let (system, page) = convert::control::effects_page(&request.into_inner())?;
        let entries = self.0.effects(system, &page).await?;
        Ok(Response::new(convert::control::effects(entries, &page)))
    }
}
