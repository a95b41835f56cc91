//! `BulkService`.

use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::bulk_service_server::BulkService;
use tonic::{Request, Response, Status};

use super::open;
use crate::bulk::{BulkQuery, Bulks, Turn, TurnTexts};

type Answer<T> = Result<Response<T>, Status>;

/// Serves `BulkService`.
#[derive(Clone, Debug)]
pub(crate) struct BulkRpc {
    /// Starts and turns.
    pub(crate) bulks: Bulks,
    /// Reads.
    pub(crate) query: BulkQuery,
}

/// Turns a bulk. Each turn has messages of its own with the same fields.
macro_rules! turn {
    ($this:expr, $request:expr, $method:literal, $turn:expr, $response:ident) => {{
        let (caller, request) = open($request);
        let method = concat!("throughline.order.v1.BulkService/", $method);
        let texts = TurnTexts {
            request_id: &request.request_id,
            bulk_id: &request.bulk_id,
            reason: &request.reason,
        };
        let answer = |bulk| proto::$response { bulk: Some(bulk) };
        let turned = $this.bulks.turn(&caller, method, &request, texts, $turn, answer).await?;
        Ok(Response::new(turned))
    }};
}

#[tonic::async_trait]
impl BulkService for BulkRpc {
    async fn preview_bulk_operation(
        &self,
        request: Request<proto::PreviewBulkOperationRequest>,
    ) -> Answer<proto::PreviewBulkOperationResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.bulks.preview(&caller, &request).await?))
    }

    async fn start_bulk_operation(
        &self,
        request: Request<proto::StartBulkOperationRequest>,
    ) -> Answer<proto::StartBulkOperationResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.bulks.start(&caller, request).await?))
    }

    async fn get_bulk_operation(
        &self,
        request: Request<proto::GetBulkOperationRequest>,
    ) -> Answer<proto::GetBulkOperationResponse> {
        Ok(Response::new(self.query.get(&request.get_ref().bulk_id).await?))
    }

    async fn list_bulk_operations(
        &self,
        request: Request<proto::ListBulkOperationsRequest>,
    ) -> Answer<proto::ListBulkOperationsResponse> {
        Ok(Response::new(self.query.list(request.get_ref()).await?))
    }

    async fn list_bulk_results(
        &self,
        request: Request<proto::ListBulkResultsRequest>,
    ) -> Answer<proto::ListBulkResultsResponse> {
        Ok(Response::new(self.query.results(request.get_ref()).await?))
    }

    async fn pause_bulk_operation(
        &self,
        request: Request<proto::PauseBulkOperationRequest>,
    ) -> Answer<proto::PauseBulkOperationResponse> {
        turn!(self, request, "PauseBulkOperation", Turn::Pause, PauseBulkOperationResponse)
    }

    async fn resume_bulk_operation(
        &self,
        request: Request<proto::ResumeBulkOperationRequest>,
    ) -> Answer<proto::ResumeBulkOperationResponse> {
        turn!(self, request, "ResumeBulkOperation", Turn::Resume, ResumeBulkOperationResponse)
    }

    async fn cancel_bulk_operation(
        &self,
        request: Request<proto::CancelBulkOperationRequest>,
    ) -> Answer<proto::CancelBulkOperationResponse> {
        turn!(self, request, "CancelBulkOperation", Turn::Cancel, CancelBulkOperationResponse)
    }
}
