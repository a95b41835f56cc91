//! The gRPC services: decode, call, encode.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::clock::Clock;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::reservation_service_server::ReservationService;
use throughline_proto::resource::v1::stock_service_server::StockService;
use tonic::{Request, Response, Status};

use crate::convert::reservation::ReservationKey;
use crate::convert::stock::Correction;
use crate::error::{DOMAIN, Refusal};
use crate::receive::{Adjust, Receive};
use crate::reserve::Reserve;
use crate::resolve::{Confirm, Release};
use crate::takeback::TakeBack;
use crate::verify::verify;
use crate::{Config, convert, store};

type Answer<T> = Result<Response<T>, Status>;

/// Serves reservations and stock.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    /// Reads.
    pub(crate) database: Database,
    /// Writes.
    pub(crate) idempotency: Idempotency,
    /// Decides when it is.
    pub(crate) clock: Clock,
    /// Limits.
    pub(crate) config: Arc<Config>,
}

fn arrived<M>(request: Request<M>) -> (Caller, M) {
    (Caller::from_metadata(request.metadata()), request.into_inner())
}

#[tonic::async_trait]
impl ReservationService for Rpc {
    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Answer<proto::CreateReservationResponse> {
        const METHOD: &str = "throughline.resource.v1.ReservationService/CreateReservation";
        let (caller, request) = arrived(request);
        let (id, wish) = convert::reservation::wish(&request, &caller.trace_parent, &self.config)?;
        let key = RequestKey::new(&caller.name, id, METHOD, &request);
        let max_items_per_reservation = self.config.max_items_per_reservation;
        let reserve = Reserve { wish, max_items_per_reservation, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, reserve).await?))
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Answer<proto::GetReservationResponse> {
        let id = convert::reservation_id(&request.get_ref().reservation_id).map_err(not_found)?;
        let reservation = store::reservation::find(&self.database, &id)
            .await?
            .ok_or_else(|| not_found(Refusal::ReservationNotFound(id.to_string())))?
            .seen_at(self.clock.now());
        let reservation = Some(convert::reservation::to_proto(reservation));
        Ok(Response::new(proto::GetReservationResponse { reservation }))
    }

    async fn list_reservations(
        &self,
        request: Request<proto::ListReservationsRequest>,
    ) -> Answer<proto::ListReservationsResponse> {
        let (filter, page) = convert::reservation::list(request.get_ref())?;
        let (limit, now) = (page.fetch_limit(), self.clock.now());
        let found = store::reservation::list(&self.database, &filter, limit, now).await?;
        let (found, next_page_token) =
            page.cut(found, |r| -> ReservationKey { (r.created_at, r.id.to_string()) });
        let seen = found.into_iter().map(|r| r.seen_at(now));
        let reservations = seen.map(convert::reservation::to_proto).collect();
        Ok(Response::new(proto::ListReservationsResponse { reservations, next_page_token }))
    }

    async fn confirm_reservation(
        &self,
        request: Request<proto::ConfirmReservationRequest>,
    ) -> Answer<proto::ConfirmReservationResponse> {
        const METHOD: &str = "throughline.resource.v1.ReservationService/ConfirmReservation";
        let (caller, request) = arrived(request);
        let (request_id, id) = convert::reservation::confirm(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let confirm = Confirm { id, trace_parent: caller.trace_parent, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, confirm).await?))
    }

    async fn release_reservation(
        &self,
        request: Request<proto::ReleaseReservationRequest>,
    ) -> Answer<proto::ReleaseReservationResponse> {
        const METHOD: &str = "throughline.resource.v1.ReservationService/ReleaseReservation";
        let (caller, request) = arrived(request);
        let (request_id, id) = convert::reservation::release(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let (reason, trace_parent) = (request.reason, caller.trace_parent);
        let release = Release { id, reason, trace_parent, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, release).await?))
    }
}

#[tonic::async_trait]
impl StockService for Rpc {
    async fn receive_stock(
        &self,
        request: Request<proto::ReceiveStockRequest>,
    ) -> Answer<proto::ReceiveStockResponse> {
        const METHOD: &str = "throughline.resource.v1.StockService/ReceiveStock";
        let (caller, request) = arrived(request);
        let (request_id, receipts) = convert::stock::receipts(&request, &self.config)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let receive = Receive { receipts, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, receive).await?))
    }

    async fn get_pool(
        &self,
        request: Request<proto::GetPoolRequest>,
    ) -> Answer<proto::GetPoolResponse> {
        let code = convert::pool_code(&request.get_ref().pool_code).map_err(not_found)?;
        let account = store::pool::find(&self.database, &code, self.clock.now())
            .await?
            .ok_or_else(|| not_found(Refusal::PoolNotFound(code.to_string())))?;
        let pool = Some(convert::stock::pool_to_proto(account.seen()));
        Ok(Response::new(proto::GetPoolResponse { pool }))
    }

    async fn list_pools(
        &self,
        request: Request<proto::ListPoolsRequest>,
    ) -> Answer<proto::ListPoolsResponse> {
        let request = request.get_ref();
        let page: Page<String> = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let (after, limit) = (page.after.as_deref(), page.fetch_limit());
        let found = store::pool::list(&self.database, after, limit, self.clock.now()).await?;
        let (found, next_page_token) = page.cut(found, |account| account.pool.code.to_string());
        let pools = found.into_iter().map(|a| convert::stock::pool_to_proto(a.seen())).collect();
        Ok(Response::new(proto::ListPoolsResponse { pools, next_page_token }))
    }

    async fn list_items(
        &self,
        request: Request<proto::ListItemsRequest>,
    ) -> Answer<proto::ListItemsResponse> {
        let request = request.get_ref();
        let pool = convert::pool_code(&request.pool_code).map_err(not_found)?;
        let page: Page<String> = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        store::pool::find(&self.database, &pool, self.clock.now())
            .await?
            .ok_or_else(|| not_found(Refusal::PoolNotFound(pool.to_string())))?;
        let (after, limit) = (page.after.as_deref(), page.fetch_limit());
        let found = store::item::list(&self.database, &pool, after, limit).await?;
        let (found, next_page_token) = page.cut(found, |item| item.id.as_str().to_owned());
        let items = found.into_iter().map(convert::stock::item_to_proto).collect();
        Ok(Response::new(proto::ListItemsResponse { items, next_page_token }))
    }

    async fn return_units(
        &self,
        request: Request<proto::ReturnUnitsRequest>,
    ) -> Answer<proto::ReturnUnitsResponse> {
        const METHOD: &str = "throughline.resource.v1.StockService/ReturnUnits";
        let (caller, request) = arrived(request);
        let (request_id, returns) = convert::giveback::returns(&request, &self.config)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let quarantine = Duration::from_secs(self.config.quarantine_seconds);
        let (trace_parent, clock) = (caller.trace_parent, self.clock.clone());
        let take_back = TakeBack { returns, trace_parent, quarantine, clock };
        Ok(Response::new(self.idempotency.once(key, take_back).await?))
    }

    async fn adjust_pool(
        &self,
        request: Request<proto::AdjustPoolRequest>,
    ) -> Answer<proto::AdjustPoolResponse> {
        const METHOD: &str = "throughline.resource.v1.StockService/AdjustPool";
        let (caller, request) = arrived(request);
        let (request_id, correction) = convert::stock::correction(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let Correction { pool, delta, reason } = correction;
        let adjust = Adjust { pool, delta, reason, clock: self.clock.clone() };
        Ok(Response::new(self.idempotency.once(key, adjust).await?))
    }

    async fn list_movements(
        &self,
        request: Request<proto::ListMovementsRequest>,
    ) -> Answer<proto::ListMovementsResponse> {
        let request = request.get_ref();
        let filter = convert::stock::movements(request)?;
        let page: Page<i64> = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let (after, limit) = (page.after.unwrap_or(0), page.fetch_limit());
        let found = store::movement::list(&self.database, &filter, after, limit).await?;
        let (found, next_page_token) = page.cut(found, |movement| movement.sequence);
        let movements = found.into_iter().map(convert::stock::movement_to_proto).collect();
        Ok(Response::new(proto::ListMovementsResponse { movements, next_page_token }))
    }

    async fn verify_pool(
        &self,
        request: Request<proto::VerifyPoolRequest>,
    ) -> Answer<proto::VerifyPoolResponse> {
        let code = convert::pool_code(&request.get_ref().pool_code).map_err(not_found)?;
        let verdict = verify(&self.database, &code).await?;
        Ok(Response::new(proto::VerifyPoolResponse {
            consistent: verdict.divergence.is_none(),
            divergence: verdict.divergence.unwrap_or_default(),
            pool: Some(convert::stock::pool_to_proto(verdict.pool)),
        }))
    }
}

fn not_found(refusal: Refusal) -> throughline_kit::error::Error {
    refusal.into()
}
