//! Small centers that stand behind the gateway and do what a test asks.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use throughline_kit::error::{Error, Kind};
use throughline_kit::server::{Environment, Running, Server};
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_server::{OrderService, OrderServiceServer};
use throughline_proto::order::v1::step_callback_service_server::{
    StepCallbackService, StepCallbackServiceServer,
};
use throughline_proto::sms::v1 as sms;
use throughline_proto::sms::v1::sms_service_server::{SmsService, SmsServiceServer};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::platform::Platform;

/// What a backend saw and counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    metadata: Arc<Mutex<Vec<MetadataMap>>>,
    started: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    streamed: Arc<AtomicUsize>,
}

impl Seen {
    fn note(&self, metadata: &MetadataMap) -> UnderWay {
        self.metadata.lock().expect("not poisoned").push(metadata.clone());
        self.started.fetch_add(1, Ordering::SeqCst);
        UnderWay { dropped: Arc::clone(&self.dropped), finished: false }
    }

    /// Metadata of the last call.
    pub(crate) fn last(&self) -> MetadataMap {
        self.metadata.lock().expect("not poisoned").last().cloned().expect("a call")
    }

    /// Calls that arrived.
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// Calls that were dropped before they had finished.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Messages that were taken from a stream.
    pub(crate) fn streamed(&self) -> usize {
        self.streamed.load(Ordering::SeqCst)
    }
}

/// A call under way: dropped unfinished when it is cancelled.
struct UnderWay {
    dropped: Arc<AtomicUsize>,
    finished: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.finished {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Does what the text of a message says: "wait", "wait 50", "decline", "answer 1000".
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeSms {
    pub(crate) seen: Seen,
    name: String,
}

#[tonic::async_trait]
impl SmsService for FakeSms {
    async fn send_sms(
        &self,
        request: Request<sms::SendSmsRequest>,
    ) -> Result<Response<sms::SendSmsResponse>, Status> {
        let mut running = self.seen.note(request.metadata());
        let text = request.into_inner().text;
        let (verb, number) = text.split_once(' ').unwrap_or((&text, ""));
        let number: u64 = number.parse().unwrap_or(0);
        let mut reason = self.name.clone();
        match verb {
            "wait" if number == 0 => std::future::pending().await,
            "wait" => tokio::time::sleep(Duration::from_millis(number)).await,
            "answer" => reason = "x".repeat(usize::try_from(number).expect("small")),
            "decline" => {
                running.finished = true;
                let mut error =
                    Error::new(Kind::Precondition, "sms", "NUMBER_BARRED", "no “sms” ✗")
                        .with("number", "+4420")
                        .retry_after(Duration::from_secs(3));
                error.fields.push(("phone".to_owned(), "is barred".to_owned()));
                return Err(error.into());
            }
            _ => {}
        }
        running.finished = true;
        let outcome = sms::SmsOutcome::Accepted.into();
        Ok(Response::new(sms::SendSmsResponse { outcome, reason }))
    }

    async fn get_sms(
        &self,
        request: Request<sms::GetSmsRequest>,
    ) -> Result<Response<sms::GetSmsResponse>, Status> {
        self.seen.note(request.metadata()).finished = true;
        Ok(Response::new(sms::GetSmsResponse::default()))
    }
}

/// Answers with fixed order ids; watches send what the test sends.
#[derive(Debug, Default)]
pub(crate) struct FakeOrders {
    pub(crate) seen: Seen,
    pub(crate) watched: Mutex<Option<mpsc::Receiver<order::WatchOrderResponse>>>,
}

/// Order that every submission gets.
pub(crate) const SUBMITTED: &str = "ord_01hzy3v9k2m4n6p8q0r2s4t6v8";

type WatchOrderStream =
    Pin<Box<dyn Stream<Item = Result<order::WatchOrderResponse, Status>> + Send>>;

#[tonic::async_trait]
impl OrderService for FakeOrders {
    async fn submit_order(
        &self,
        request: Request<order::SubmitOrderRequest>,
    ) -> Result<Response<order::SubmitOrderResponse>, Status> {
        self.seen.note(request.metadata()).finished = true;
        let order_id = SUBMITTED.to_owned();
        Ok(Response::new(order::SubmitOrderResponse { order_id, ..Default::default() }))
    }

    async fn get_order(
        &self,
        request: Request<order::GetOrderRequest>,
    ) -> Result<Response<order::GetOrderResponse>, Status> {
        self.seen.note(request.metadata()).finished = true;
        let error = Error::new(Kind::NotFound, "order", "ORDER_NOT_FOUND", "no such order");
        Err(error.into())
    }

    async fn list_orders(
        &self,
        _: Request<order::ListOrdersRequest>,
    ) -> Result<Response<order::ListOrdersResponse>, Status> {
        Ok(Response::new(order::ListOrdersResponse::default()))
    }

    type WatchOrderStream = WatchOrderStream;

    async fn watch_order(
        &self,
        request: Request<order::WatchOrderRequest>,
    ) -> Result<Response<WatchOrderStream>, Status> {
        use tokio_stream::StreamExt;
        self.seen.note(request.metadata()).finished = true;
        let watched = self.watched.lock().expect("not poisoned").take();
        let messages = watched.ok_or_else(|| Status::internal("nothing to watch"))?;
        let streamed = Arc::clone(&self.seen.streamed);
        let counted = ReceiverStream::new(messages).map(move |message| {
            streamed.fetch_add(1, Ordering::SeqCst);
            Ok(message)
        });
        Ok(Response::new(Box::pin(counted)))
    }

    async fn cancel_order(
        &self,
        _: Request<order::CancelOrderRequest>,
    ) -> Result<Response<order::CancelOrderResponse>, Status> {
        Ok(Response::new(order::CancelOrderResponse::default()))
    }

    async fn preview_cancel(
        &self,
        _: Request<order::PreviewCancelRequest>,
    ) -> Result<Response<order::PreviewCancelResponse>, Status> {
        Ok(Response::new(order::PreviewCancelResponse::default()))
    }

    async fn rate_order(
        &self,
        _: Request<order::RateOrderRequest>,
    ) -> Result<Response<order::RateOrderResponse>, Status> {
        Ok(Response::new(order::RateOrderResponse::default()))
    }

    async fn change_order(
        &self,
        _: Request<order::ChangeOrderRequest>,
    ) -> Result<Response<order::ChangeOrderResponse>, Status> {
        Ok(Response::new(order::ChangeOrderResponse::default()))
    }

    async fn preview_change(
        &self,
        _: Request<order::PreviewChangeRequest>,
    ) -> Result<Response<order::PreviewChangeResponse>, Status> {
        Ok(Response::new(order::PreviewChangeResponse::default()))
    }

    async fn urge_order(
        &self,
        _: Request<order::UrgeOrderRequest>,
    ) -> Result<Response<order::UrgeOrderResponse>, Status> {
        Ok(Response::new(order::UrgeOrderResponse::default()))
    }
}

/// Takes whatever outside systems report.
#[derive(Debug)]
struct FakeCallbacks {
    seen: Seen,
}

#[tonic::async_trait]
impl StepCallbackService for FakeCallbacks {
    async fn report_step_result(
        &self,
        request: Request<order::ReportStepResultRequest>,
    ) -> Result<Response<order::ReportStepResultResponse>, Status> {
        self.seen.note(request.metadata()).finished = true;
        Ok(Response::new(order::ReportStepResultResponse::default()))
    }

    async fn signal_order(
        &self,
        request: Request<order::SignalOrderRequest>,
    ) -> Result<Response<order::SignalOrderResponse>, Status> {
        self.seen.note(request.metadata()).finished = true;
        Ok(Response::new(order::SignalOrderResponse::default()))
    }
}

/// A center behind the gateway.
pub(crate) struct Backend {
    pub(crate) seen: Seen,
    pub(crate) running: Running,
    pub(crate) environment: Environment,
}

impl Backend {
    /// Ends it and waits: it deregisters.
    pub(crate) async fn stop(self) {
        self.environment.shutdown.cancel();
        self.running.stopped().await;
    }
}

/// Starts an SMS system and waits until it gets calls.
pub(crate) async fn start_sms(platform: &Platform) -> Backend {
    start_named_sms(platform, "").await
}

/// Starts one of several SMS systems: it answers with its name.
pub(crate) async fn start_named_sms(platform: &Platform, name: &str) -> Backend {
    let seen = Seen::default();
    let service = FakeSms { seen: seen.clone(), name: name.to_owned() };
    let service = SmsServiceServer::new(service).max_decoding_message_size(64 << 20);
    let before = platform.instances("sms").await.len();
    let environment = platform.environment_of("sms");
    let listener = environment.bind("sms").await.expect("bind");
    let running = Server::new("sms").service(service).start(&environment, listener).await;
    platform.wait_for_instances("sms", before + 1).await;
    Backend { seen, running: running.expect("start"), environment }
}

/// Starts an order center; gives the sender of what its one watch sends.
pub(crate) async fn start_orders(
    platform: &Platform,
) -> (Backend, mpsc::Sender<order::WatchOrderResponse>) {
    let (sender, receiver) = mpsc::channel(1);
    let service = FakeOrders { watched: Mutex::new(Some(receiver)), ..FakeOrders::default() };
    let seen = service.seen.clone();
    let environment = platform.environment_of("order");
    let listener = environment.bind("order").await.expect("bind");
    let callbacks = StepCallbackServiceServer::new(FakeCallbacks { seen: seen.clone() });
    let server = Server::new("order").service(OrderServiceServer::new(service)).service(callbacks);
    let running = server.start(&environment, listener).await.expect("start");
    platform.wait_for_instances("order", 1).await;
    (Backend { seen, running, environment }, sender)
}
