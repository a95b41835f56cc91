//! The resource center: pools without end, unless a test sells one out.

use throughline_kit::error::Error;
use throughline_kit::id::new_body;
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::ReservationState;
use throughline_proto::resource::v1::reservation_service_server::ReservationService;
use throughline_proto::resource::v1::stock_service_server::StockService;
use tonic::{Request, Response, Status};

use super::{Books, Outside, missing, refused, unused};

impl Books {
    fn reserve(&mut self, request: &proto::CreateReservationRequest) -> Result<String, Error> {
        if request.demands.iter().any(|demand| self.empty_pools.contains(&demand.pool_code)) {
            return Err(refused("INSUFFICIENT_STOCK"));
        }
        let mut lines = Vec::new();
        for demand in &request.demands {
            let taken = self.taken.entry(demand.pool_code.clone()).or_default();
            *taken += demand.quantity;
            let is_serial = demand.pool_code != "mug";
            let item = format!("{}-{}", demand.pool_code, *taken);
            lines.push(proto::ReservationLine {
                line_key: demand.line_key.clone(),
                pool_code: demand.pool_code.clone(),
                quantity: demand.quantity,
                returned_quantity: 0,
                item_ids: is_serial.then_some(item).into_iter().collect(),
            });
        }
        let reservation_id = format!("res_{}", new_body());
        let reservation = proto::Reservation {
            reservation_id: reservation_id.clone(),
            state: ReservationState::Held.into(),
            order_id: request.order_id.clone(),
            lines,
            ..Default::default()
        };
        self.reservations.insert(reservation_id.clone(), reservation);
        self.effects.push("reserve".to_owned());
        Ok(reservation_id)
    }

    fn reservation(&mut self, id: &str) -> Result<&mut proto::Reservation, Error> {
        self.reservations.get_mut(id).ok_or_else(|| missing("RESERVATION_NOT_FOUND"))
    }

    fn resolve(&mut self, id: &str, to: ReservationState) -> Result<(), Error> {
        let reservation = self.reservation(id)?;
        let state = reservation.state();
        if state == to {
            return Ok(());
        }
        if state != ReservationState::Held {
            return Err(refused("RESERVATION_RESOLVED"));
        }
        reservation.state = to.into();
        let lines = reservation.lines.clone();
        if to == ReservationState::Confirmed {
            self.effects.push("confirm".to_owned());
            return Ok(());
        }
        self.effects.push("release".to_owned());
        for line in lines {
            *self.taken.entry(line.pool_code).or_default() -= line.quantity;
        }
        Ok(())
    }

    fn take_back(&mut self, line: &proto::ReturnLine) -> Result<(), Error> {
        if line.reservation_id.is_empty() {
            *self.taken.entry(line.pool_code.clone()).or_default() -= line.quantity;
            self.effects.push(format!("return {} {}", line.quantity, line.pool_code));
            return Ok(());
        }
        let reservation = self.reservation(&line.reservation_id)?;
        if reservation.state() != ReservationState::Confirmed {
            return Err(refused("RESERVATION_RESOLVED"));
        }
        let mut lines = reservation.lines.iter_mut();
        let taken = lines.find(|taken| taken.line_key == line.line_key);
        let taken = taken.ok_or_else(|| refused("LINE_UNKNOWN"))?;
        let left = taken.quantity - taken.returned_quantity;
        let units = if line.quantity == 0 { left } else { line.quantity };
        if units > left || units == 0 {
            return Err(refused("QUANTITY_EXCEEDS_USED"));
        }
        taken.returned_quantity += units;
        let pool = taken.pool_code.clone();
        let quarantined = line.disposition() == proto::ReturnDisposition::Quarantine;
        let to = if quarantined { " to quarantine" } else { "" };
        self.effects.push(format!("return {units} {pool}{to}"));
        *self.taken.entry(pool).or_default() -= units;
        Ok(())
    }
}

#[tonic::async_trait]
impl ReservationService for Outside {
    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::CreateReservationResponse>, Status> {
        let id = request.get_ref().request_id.clone();
        self.once("CreateReservation", id, request, |books, request, behavior| {
            behavior.refusal()?;
            let id = books.reserve(request)?;
            let reservation = Some(books.reservation(&id)?.clone());
            Ok(proto::CreateReservationResponse { reservation })
        })
        .await
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::GetReservationResponse>, Status> {
        let id = request.get_ref().reservation_id.clone();
        self.meet("GetReservation".to_owned(), &id, request, |books, request, _| {
            let reservation = Some(books.reservation(&request.reservation_id)?.clone());
            Ok(proto::GetReservationResponse { reservation })
        })
        .await
    }

    async fn confirm_reservation(
        &self,
        request: Request<proto::ConfirmReservationRequest>,
    ) -> Result<Response<proto::ConfirmReservationResponse>, Status> {
        let id = request.get_ref().request_id.clone();
        self.once("ConfirmReservation", id, request, |books, request, behavior| {
            behavior.refusal()?;
            books.resolve(&request.reservation_id, ReservationState::Confirmed)?;
            Ok(proto::ConfirmReservationResponse::default())
        })
        .await
    }

    async fn release_reservation(
        &self,
        request: Request<proto::ReleaseReservationRequest>,
    ) -> Result<Response<proto::ReleaseReservationResponse>, Status> {
        let id = request.get_ref().request_id.clone();
        self.once("ReleaseReservation", id, request, |books, request, behavior| {
            behavior.refusal()?;
            books.resolve(&request.reservation_id, ReservationState::Released)?;
            Ok(proto::ReleaseReservationResponse::default())
        })
        .await
    }

    async fn list_reservations(
        &self,
        _: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        unused("ListReservations")
    }
}

/// Refuses the methods that the order center never calls.
macro_rules! never_called {
    ($($method:ident($question:ident) -> $answer:ident;)*) => {
        #[tonic::async_trait]
        impl StockService for Outside {
            $(async fn $method(
                &self,
                _: Request<proto::$question>,
            ) -> Result<Response<proto::$answer>, Status> {
                unused(stringify!($method))
            })*

            async fn return_units(
                &self,
                request: Request<proto::ReturnUnitsRequest>,
            ) -> Result<Response<proto::ReturnUnitsResponse>, Status> {
                let id = request.get_ref().request_id.clone();
                self.once("ReturnUnits", id, request, |books, request, behavior| {
                    behavior.refusal()?;
                    request.lines.iter().try_for_each(|line| books.take_back(line))?;
                    Ok(proto::ReturnUnitsResponse::default())
                })
                .await
            }
        }
    };
}

never_called! {
    receive_stock(ReceiveStockRequest) -> ReceiveStockResponse;
    get_pool(GetPoolRequest) -> GetPoolResponse;
    list_pools(ListPoolsRequest) -> ListPoolsResponse;
    list_items(ListItemsRequest) -> ListItemsResponse;
    adjust_pool(AdjustPoolRequest) -> AdjustPoolResponse;
    list_movements(ListMovementsRequest) -> ListMovementsResponse;
    verify_pool(VerifyPoolRequest) -> VerifyPoolResponse;
}
