//! `PaymentService`: decode, call, encode.

use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_proto::payment::v1 as proto;
use throughline_proto::payment::v1::payment_service_server::PaymentService;
use tonic::{Request, Response, Status};

use crate::center::{Asked, Center};
use crate::convert;
use crate::error::DOMAIN;
use crate::store;

/// Takes the caller, the key and the checked content of a request.
macro_rules! asked {
    ($request:expr, $method:literal, $parse:expr) => {{
        let caller = Caller::from_metadata($request.metadata());
        let message = $request.into_inner();
        let what = $parse(&message)?;
        let method = concat!("throughline.payment.v1.PaymentService/", $method);
        let key = RequestKey::new(&caller.name, what.request_id.clone(), method, &message);
        Asked { caller, key, what }
    }};
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl PaymentService for Center {
    async fn create_payment_order(
        &self,
        request: Request<proto::CreatePaymentOrderRequest>,
    ) -> Answer<proto::CreatePaymentOrderResponse> {
        let asked = asked!(request, "CreatePaymentOrder", convert::creation);
        let payment_order = Some(self.create_payment_order(asked).await?);
        Ok(Response::new(proto::CreatePaymentOrderResponse { payment_order }))
    }

    async fn get_payment_order(
        &self,
        request: Request<proto::GetPaymentOrderRequest>,
    ) -> Answer<proto::GetPaymentOrderResponse> {
        let id = convert::payment_order_id(&request.get_ref().payment_order_id)?;
        let order = store::read(&self.database, &id).await?;
        let payment_order = Some(convert::payment_order(&order));
        Ok(Response::new(proto::GetPaymentOrderResponse { payment_order }))
    }

    async fn list_payment_orders(
        &self,
        request: Request<proto::ListPaymentOrdersRequest>,
    ) -> Answer<proto::ListPaymentOrdersResponse> {
        let request = request.into_inner();
        let state = convert::state_filter(request.state)?;
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let filter = store::Filter { order_id: request.order_id, state, page };
        let (orders, next_page_token) = self.list_payment_orders(filter).await?;
        let payment_orders = orders.iter().map(convert::payment_order).collect();
        Ok(Response::new(proto::ListPaymentOrdersResponse { payment_orders, next_page_token }))
    }

    async fn start_attempt(
        &self,
        request: Request<proto::StartAttemptRequest>,
    ) -> Answer<proto::StartAttemptResponse> {
        let asked = asked!(request, "StartAttempt", convert::start_attempt);
        let tried = self.start_attempt(asked).await?;
        let payment_order = Some(convert::payment_order(&tried.order));
        let next_action = tried.next_action;
        Ok(Response::new(proto::StartAttemptResponse { payment_order, next_action }))
    }

    async fn capture_payment(
        &self,
        request: Request<proto::CapturePaymentRequest>,
    ) -> Answer<proto::CapturePaymentResponse> {
        let asked = asked!(request, "CapturePayment", convert::capture);
        let payment_order = Some(convert::payment_order(&self.capture_payment(asked).await?));
        Ok(Response::new(proto::CapturePaymentResponse { payment_order }))
    }

    async fn close_payment_order(
        &self,
        request: Request<proto::ClosePaymentOrderRequest>,
    ) -> Answer<proto::ClosePaymentOrderResponse> {
        let asked = asked!(request, "ClosePaymentOrder", convert::close);
        let payment_order = Some(convert::payment_order(&self.close_payment_order(asked).await?));
        Ok(Response::new(proto::ClosePaymentOrderResponse { payment_order }))
    }

    async fn resolve_attempt(
        &self,
        request: Request<proto::ResolveAttemptRequest>,
    ) -> Answer<proto::ResolveAttemptResponse> {
        let id = convert::attempt_id(&request.get_ref().attempt_id)?;
        let payment_order = Some(convert::payment_order(&self.resolve_attempt(&id).await?));
        Ok(Response::new(proto::ResolveAttemptResponse { payment_order }))
    }

    async fn create_refund(
        &self,
        request: Request<proto::CreateRefundRequest>,
    ) -> Answer<proto::CreateRefundResponse> {
        let asked = asked!(request, "CreateRefund", convert::refund_wish);
        let refund = Some(convert::refund(&self.create_refund(asked).await?));
        Ok(Response::new(proto::CreateRefundResponse { refund }))
    }

    async fn get_refund(
        &self,
        request: Request<proto::GetRefundRequest>,
    ) -> Answer<proto::GetRefundResponse> {
        let id = convert::refund_id(&request.get_ref().refund_id)?;
        let refund = store::refund::read(&self.database, &id).await?;
        Ok(Response::new(proto::GetRefundResponse { refund: Some(convert::refund(&refund)) }))
    }

    async fn list_refunds(
        &self,
        request: Request<proto::ListRefundsRequest>,
    ) -> Answer<proto::ListRefundsResponse> {
        let request = request.into_inner();
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let filter = store::refund::Filter { order_id: request.order_id, page };
        let (refunds, next_page_token) = self.list_refunds(filter).await?;
        let refunds = refunds.iter().map(convert::refund).collect();
        Ok(Response::new(proto::ListRefundsResponse { refunds, next_page_token }))
    }

    async fn record_receipt(
        &self,
        request: Request<proto::RecordReceiptRequest>,
    ) -> Answer<proto::RecordReceiptResponse> {
        let asked = asked!(request, "RecordReceipt", convert::receipt);
        let payment_order = Some(self.record_receipt(asked).await?);
        Ok(Response::new(proto::RecordReceiptResponse { payment_order }))
    }

    async fn handle_channel_event(
        &self,
        request: Request<proto::HandleChannelEventRequest>,
    ) -> Answer<proto::HandleChannelEventResponse> {
        let reference = convert::reference(request.get_ref())?;
        self.handle_channel_event(reference).await?;
        Ok(Response::new(proto::HandleChannelEventResponse {}))
    }
}
