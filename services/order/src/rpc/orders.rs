//! `OrderService`.

use throughline_kit::error::Error;
use throughline_kit::idempotency::RequestKey;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_server::OrderService;
use tonic::{Request, Response, Status};

use super::open;
use crate::acceptance::{Acceptance, check_agreed_prices};
use crate::change::change_plan;
use crate::convert;
use crate::duration::Measured;
use crate::event::Operation;
use crate::forecast::{CAUTIOUS, MEDIAN, remaining};
use crate::operations::{Asked, Fields, Operations};
use crate::order::Order;
use crate::plan::{Trigger, plan};
use crate::query::{OrderStream, Query};
use crate::rating::Ratings;
use crate::target;

const SUBMIT: &str = "throughline.order.v1.OrderService/SubmitOrder";
const CANCEL: &str = "throughline.order.v1.OrderService/CancelOrder";
const CHANGE: &str = "throughline.order.v1.OrderService/ChangeOrder";
const URGE: &str = "throughline.order.v1.OrderService/UrgeOrder";

/// Serves `OrderService`.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// Accepts.
    pub(crate) acceptance: Acceptance,
    /// Cancels, changes, urges.
    pub(crate) operations: Operations,
    /// Reads.
    pub(crate) query: Query,
    /// How long steps took.
    pub(crate) measured: Measured,
    /// Takes what customers say after the end.
    pub(crate) ratings: Ratings,
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn submit_order(
        &self,
        request: Request<proto::SubmitOrderRequest>,
    ) -> Result<Response<proto::SubmitOrderResponse>, Status> {
        let (caller, request) = open(request);
        let submission = convert::submission(&request)?;
        let key = RequestKey::new(&caller.name, submission.request_id.clone(), SUBMIT, &request);
        Ok(Response::new(self.acceptance.submit(&caller, key, submission, None).await?))
    }

    async fn get_order(
        &self,
        request: Request<proto::GetOrderRequest>,
    ) -> Result<Response<proto::GetOrderResponse>, Status> {
        let (caller, request) = open(request);
        let order = if request.order_id.is_empty() {
            let (channel, number) = (&request.channel, &request.channel_order_id);
            self.query.show_by_number(&caller, channel, number).await?
        } else {
            self.query.show(&caller, &request.order_id).await?
        };
        Ok(Response::new(proto::GetOrderResponse { order: Some(order) }))
    }

    async fn list_orders(
        &self,
        request: Request<proto::ListOrdersRequest>,
    ) -> Result<Response<proto::ListOrdersResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.list(&caller, request).await?))
    }

    type WatchOrderStream = OrderStream;

    async fn watch_order(
        &self,
        request: Request<proto::WatchOrderRequest>,
    ) -> Result<Response<OrderStream>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.watch(&caller, request).await?))
    }

    async fn cancel_order(
        &self,
        request: Request<proto::CancelOrderRequest>,
    ) -> Result<Response<proto::CancelOrderResponse>, Status> {
        let (caller, request) = open(request);
        let asked = Asked::read(&caller, CANCEL, &request, fields(&request), |wrong| {
            target::check_parts(&request.business_order_ids, &request.item_keys, wrong);
        })?;
        let parts = move |order: &Order| {
            target::parts(order, &request.business_order_ids, &request.item_keys)
        };
        let wanted = parts.clone();
        let make = move |order: &Order| {
            let parts = parts(order)?;
            Ok(if parts.is_empty() { Operation::Cancel } else { Operation::CancelParts(parts) })
        };
        let answer = move |before: &Order, after: &Order| {
            let trigger = match wanted(before) {
                Ok(parts) if !parts.is_empty() => Trigger::CancelParts(parts),
                Ok(_) | Err(_) => Trigger::CancelOrder,
            };
            proto::CancelOrderResponse {
                order: Some(convert::customer_order(after)),
                plan: Some(convert::plan(before, &plan(before, &trigger))),
            }
        };
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn preview_cancel(
        &self,
        request: Request<proto::PreviewCancelRequest>,
    ) -> Result<Response<proto::PreviewCancelResponse>, Status> {
        let (caller, request) = open(request);
        let plan = Some(self.query.preview_cancel(&caller, &request).await?);
        Ok(Response::new(proto::PreviewCancelResponse { plan }))
    }

    async fn change_order(
        &self,
        request: Request<proto::ChangeOrderRequest>,
    ) -> Result<Response<proto::ChangeOrderResponse>, Status> {
        let (caller, request) = open(request);
        let asked = Asked::read(&caller, CHANGE, &request, change_fields(&request), |_| {})?;
        // What was answered once is answered so, whatever the caller may do now.
        if let Some(first) = self.operations.first_answer(&asked).await? {
            return Ok(Response::new(first?));
        }
        let order = self.query.get(&caller, &request.order_id).await?;
        let change = convert::change(
            &order,
            &request.items,
            request.requested_start_time.as_ref(),
            request.reason.clone(),
        )?;
        check_agreed_prices(&caller, &change.items)?;
        let wanted = change.clone();
        let make =
            move |_: &Order| -> Result<Operation, Error> { Ok(Operation::Change(change.clone())) };
        let answer = move |before: &Order, after: &Order| proto::ChangeOrderResponse {
            order: Some(convert::customer_order(after)),
            plan: Some(change_plan(before, &wanted)),
        };
        Ok(Response::new(self.operations.operate(asked, make, answer).await?))
    }

    async fn preview_change(
        &self,
        request: Request<proto::PreviewChangeRequest>,
    ) -> Result<Response<proto::PreviewChangeResponse>, Status> {
        let (caller, request) = open(request);
        let order = self.query.get_changeable(&caller, &request.order_id).await?;
        let start = request.requested_start_time.as_ref();
        let change = convert::change(&order, &request.items, start, String::new())?;
        check_agreed_prices(&caller, &change.items)?;
        let plan = Some(change_plan(&order, &change));
        Ok(Response::new(proto::PreviewChangeResponse { plan }))
    }

    async fn rate_order(
        &self,
        request: Request<proto::RateOrderRequest>,
    ) -> Result<Response<proto::RateOrderResponse>, Status> {
        let (caller, request) = open(request);
        Ok(Response::new(self.ratings.rate(&caller, request).await?))
    }

    async fn urge_order(
        &self,
        request: Request<proto::UrgeOrderRequest>,
    ) -> Result<Response<proto::UrgeOrderResponse>, Status> {
        let (caller, request) = open(request);
        let fields = Fields {
            request_id: &request.request_id,
            order_id: &request.order_id,
            reason: &request.reason,
            needs_reason: false,
        };
        let asked = Asked::read(&caller, URGE, &request, fields, |_| {})?;
        let measured = self.measured.clone();
        let answer = move |_: &Order, after: &Order| {
            let now = after.updated_at;
            let at = |percent| {
                let left = remaining(after, &measured, percent, now)?;
                Some(now.plus(left).to_proto())
            };
            proto::UrgeOrderResponse {
                order: Some(convert::customer_order(after)),
                expected_completion_time: at(MEDIAN),
                latest_completion_time: at(CAUTIOUS),
            }
        };
        let urged = self.operations.operate(asked, |_| Ok(Operation::Urge), answer).await?;
        Ok(Response::new(urged))
    }
}

fn fields(request: &proto::CancelOrderRequest) -> Fields<'_> {
    Fields {
        request_id: &request.request_id,
        order_id: &request.order_id,
        reason: &request.reason,
        needs_reason: true,
    }
}

fn change_fields(request: &proto::ChangeOrderRequest) -> Fields<'_> {
    Fields {
        request_id: &request.request_id,
        order_id: &request.order_id,
        reason: &request.reason,
        needs_reason: true,
    }
}
