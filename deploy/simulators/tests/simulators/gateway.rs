//! Stands where the gateway would: takes registrations and the simulators' callbacks, and remembers them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use throughline_proto::gateway::v1 as registry;
use throughline_proto::gateway::v1::registry_service_server::{
    RegistryService, RegistryServiceServer,
};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::step_callback_service_server::{
    StepCallbackService, StepCallbackServiceServer,
};
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_server::{
    PaymentService, PaymentServiceServer,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What the simulators said to the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) registered: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) steps: Arc<Mutex<Vec<order::ReportStepResultRequest>>>,
    pub(crate) channel_events: Arc<Mutex<Vec<payment::HandleChannelEventRequest>>>,
    /// Metadata of the last callback: key of the caller, order, trace.
    pub(crate) identity: Arc<Mutex<Vec<String>>>,
    /// Callbacks still to be refused as if nobody were there.
    pub(crate) failures: Arc<AtomicUsize>,
}

pub(crate) fn push<T>(list: &Mutex<Vec<T>>, value: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(value);
}

pub(crate) fn all<T: Clone>(list: &Mutex<Vec<T>>) -> Vec<T> {
    list.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Gateway {
    /// Serves on any port of loopback until the test ends.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let gateway = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let server = tonic::transport::Server::builder()
            .add_service(RegistryServiceServer::new(gateway.clone()))
            .add_service(StepCallbackServiceServer::new(gateway.clone()))
            .add_service(PaymentServiceServer::new(gateway.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (gateway, address)
    }

    fn callback<M>(&self, request: Request<M>) -> Result<M, Status> {
        let metadata = request.metadata().clone();
        let text = |key: &str| {
            metadata.get(key).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(Status::unavailable("nobody there"));
        }
        let said = [text("authorization"), text("x-order-id"), text("traceparent")];
        push(&self.identity, said.join(" "));
        Ok(request.into_inner())
    }
}

#[tonic::async_trait]
impl RegistryService for Gateway {
    async fn register_instance(
        &self,
        request: Request<registry::RegisterInstanceRequest>,
    ) -> Result<Response<registry::RegisterInstanceResponse>, Status> {
        let key = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        push(&self.registered, (request.into_inner().center, key));
        Ok(Response::new(registry::RegisterInstanceResponse::default()))
    }

    async fn renew_lease(
        &self,
        _: Request<registry::RenewLeaseRequest>,
    ) -> Result<Response<registry::RenewLeaseResponse>, Status> {
        Ok(Response::new(registry::RenewLeaseResponse::default()))
    }

    async fn deregister_instance(
        &self,
        _: Request<registry::DeregisterInstanceRequest>,
    ) -> Result<Response<registry::DeregisterInstanceResponse>, Status> {
        Ok(Response::new(registry::DeregisterInstanceResponse::default()))
    }

    async fn list_services(
        &self,
        _: Request<registry::ListServicesRequest>,
    ) -> Result<Response<registry::ListServicesResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}

#[tonic::async_trait]
impl StepCallbackService for Gateway {
    async fn signal_order(
        &self,
        _: Request<order::SignalOrderRequest>,
    ) -> Result<Response<order::SignalOrderResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn report_step_result(
        &self,
        request: Request<order::ReportStepResultRequest>,
    ) -> Result<Response<order::ReportStepResultResponse>, Status> {
        let report = self.callback(request)?;
        push(&self.steps, report);
        Ok(Response::new(order::ReportStepResultResponse {}))
    }
}

#[tonic::async_trait]
impl PaymentService for Gateway {
    async fn handle_channel_event(
        &self,
        request: Request<payment::HandleChannelEventRequest>,
    ) -> Result<Response<payment::HandleChannelEventResponse>, Status> {
        let event = self.callback(request)?;
        push(&self.channel_events, event);
        Ok(Response::new(payment::HandleChannelEventResponse {}))
    }

    async fn create_payment_order(
        &self,
        _: Request<payment::CreatePaymentOrderRequest>,
    ) -> Result<Response<payment::CreatePaymentOrderResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_payment_order(
        &self,
        _: Request<payment::GetPaymentOrderRequest>,
    ) -> Result<Response<payment::GetPaymentOrderResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_payment_orders(
        &self,
        _: Request<payment::ListPaymentOrdersRequest>,
    ) -> Result<Response<payment::ListPaymentOrdersResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn start_attempt(
        &self,
        _: Request<payment::StartAttemptRequest>,
    ) -> Result<Response<payment::StartAttemptResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn capture_payment(
        &self,
        _: Request<payment::CapturePaymentRequest>,
    ) -> Result<Response<payment::CapturePaymentResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn close_payment_order(
        &self,
        _: Request<payment::ClosePaymentOrderRequest>,
    ) -> Result<Response<payment::ClosePaymentOrderResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn resolve_attempt(
        &self,
        _: Request<payment::ResolveAttemptRequest>,
    ) -> Result<Response<payment::ResolveAttemptResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn create_refund(
        &self,
        _: Request<payment::CreateRefundRequest>,
    ) -> Result<Response<payment::CreateRefundResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_refund(
        &self,
        _: Request<payment::GetRefundRequest>,
    ) -> Result<Response<payment::GetRefundResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_refunds(
        &self,
        _: Request<payment::ListRefundsRequest>,
    ) -> Result<Response<payment::ListRefundsResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn record_receipt(
        &self,
        _: Request<payment::RecordReceiptRequest>,
    ) -> Result<Response<payment::RecordReceiptResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}
