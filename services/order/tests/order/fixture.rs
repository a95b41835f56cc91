//! The center on a real socket, and what tests do with it.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::client::GatewayConfig;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::id::new_request_id;
use throughline_kit::server::Running;
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{environment, eventually, number_in, tamper};
use throughline_order::Config;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::event::v1::{Event, SubscribeRequest};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::campaign_service_client::CampaignServiceClient;
use throughline_proto::order::v1::cart_service_client::CartServiceClient;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::step_callback_service_client::StepCallbackServiceClient;
use throughline_proto::order::v1::webhook_service_client::WebhookServiceClient;
use throughline_proto::order::v1::{OrderState, StepOutcome, StepState};
use tonic::transport::Channel;

use crate::outside::Outside;
use crate::requests::{hall, operator, steps};

/// The stand-in serves no registry, so registration goes on trying.
pub(crate) const NO_REGISTRY: &str = "register at the gateway";
/// How long a stream may keep a test waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far the clock goes at a time while nothing tells what is waited for.
const TICK: Duration = Duration::from_millis(20);

/// A running center and all that it calls.
pub(crate) struct Center {
    pub(crate) orders: OrderServiceClient<Channel>,
    /// Boxed, as is the next: the futures of tests that hold a center are large already.
    pub(crate) carts: Box<CartServiceClient<Channel>>,
    pub(crate) campaigns: Box<CampaignServiceClient<Channel>>,
    pub(crate) webhooks: WebhookServiceClient<Channel>,
    pub(crate) outside: Outside,
    pub(crate) clock: Clock,
    /// The way to the center, for services that few tests call.
    pub(crate) channel: Channel,
    callbacks: StepCallbackServiceClient<Channel>,
    config: Config,
    gateway: GatewayConfig,
    storage: StorageConfig,
    shutdown: CancellationToken,
    running: Running,
}

pub(crate) fn is_terminal(state: OrderState) -> bool {
    use OrderState::{Cancelled, Completed, Failed, Partial, Rejected};
    [Cancelled, Completed, Failed, Partial, Rejected].contains(&state)
}

async fn connect(running: &Running) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", running.address)).expect("a URI");
    endpoint.connect().await.expect("connect")
}

impl Center {
    pub(crate) async fn start(storage: &StorageConfig) -> Self {
        Self::start_limited(storage, Config::default()).await
    }

    pub(crate) async fn start_limited(storage: &StorageConfig, config: Config) -> Self {
        let clock = Clock::fixed(Instant(1_700_000_000_000_000));
        let outside = Outside::new(clock.clone());
        let uri = format!("http://{}", outside.serve().await);
        let gateway = GatewayConfig { uri, api_key: "order-key".to_owned() };
        Self::start_with(config, storage.clone(), outside, gateway, clock).await
    }

    async fn start_with(
        config: Config,
        storage: StorageConfig,
        outside: Outside,
        gateway: GatewayConfig,
        clock: Clock,
    ) -> Self {
        let mut environment = environment(&storage, clock.clone());
        environment.gateway = Some(gateway.clone());
        let shutdown = environment.shutdown.clone();
        let starting = Box::pin(throughline_order::start(config.clone(), environment));
        let running = starting.await.expect("start");
        let channel = connect(&running).await;
        let orders = OrderServiceClient::new(channel.clone());
        let carts = Box::new(CartServiceClient::new(channel.clone()));
        let campaigns = Box::new(CampaignServiceClient::new(channel.clone()));
        let webhooks = WebhookServiceClient::new(channel.clone());
        let callbacks = StepCallbackServiceClient::new(channel.clone());
        Self {
            orders,
            carts,
            campaigns,
            webhooks,
            outside,
            clock,
            channel,
            callbacks,
            config,
            gateway,
            storage,
            shutdown,
            running,
        }
    }

    /// A connection for the clients of services that few tests call.
    pub(crate) async fn channel(&self) -> Channel {
        connect(&self.running).await
    }

    /// Stops, and checks what must hold after every test.
    pub(crate) async fn stop(self) {
        self.outside.check();
        self.shutdown.cancel();
        self.running.stopped().await;
    }

    /// Stops, and starts another on the same store.
    pub(crate) async fn restart(self) -> Self {
        let again = self.again();
        self.stop().await;
        again.await
    }

    /// Stops, and starts another with other limits on the same store.
    pub(crate) async fn restart_with(mut self, config: Config) -> Self {
        self.config = config;
        self.restart().await
    }

    /// Stops, changes the store past the center, and starts another on it.
    pub(crate) async fn restart_after(self, statements: &[&'static str]) -> Self {
        let (again, storage) = (self.again(), self.storage.clone());
        self.stop().await;
        tamper(&storage, statements).await;
        again.await
    }

    /// Reads a number from the store.
    pub(crate) async fn number_in(&self, statement: &'static str) -> i64 {
        number_in(&self.storage, statement).await
    }

    fn again(&self) -> impl Future<Output = Self> + use<> {
        let (config, storage) = (self.config.clone(), self.storage.clone());
        let (outside, gateway) = (self.outside.clone(), self.gateway.clone());
        Self::start_with(config, storage, outside, gateway, self.clock.clone())
    }

    /// Goes on in a process of its own, which may get a submission, and which dies when a name was
    /// called once more.
    pub(crate) async fn crash_during(
        self,
        name: &str,
        request: Option<proto::SubmitOrderRequest>,
    ) -> Self {
        let (outside, clock) = (self.outside.clone(), self.clock.clone());
        let (dying_center, next) = (self.again(), self.again());
        self.stop().await;
        let before = outside.calls_of(name).len();
        let dying = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        dying.spawn(async move {
            let mut center = dying_center.await;
            if let Some(request) = request {
                center.orders.submit_order(hall(request)).await.expect("accepted");
            }
            std::future::pending::<()>().await;
        });
        eventually(name, async || {
            // What was put off comes due.
            clock.advance(TICK);
            (outside.calls_of(name).len() > before).then_some(())
        })
        .await;
        dying.shutdown_background();
        next.await
    }

    /// Submits as the channel "hall".
    pub(crate) async fn submit(&mut self, request: proto::SubmitOrderRequest) -> String {
        let answer = self.orders.submit_order(hall(request)).await.expect("accepted").into_inner();
        assert_eq!(answer.state(), OrderState::Acknowledged);
        answer.order_id
    }

    pub(crate) async fn get(&self, order_id: &str) -> proto::CustomerOrder {
        let request =
            proto::GetOrderRequest { order_id: order_id.to_owned(), ..Default::default() };
        let answer = self.orders.clone().get_order(operator(request)).await.expect("get");
        answer.into_inner().order.expect("an order")
    }

    /// Waits until an order is as wanted, while the clock stands still.
    pub(crate) async fn until(
        &self,
        order_id: &str,
        what: &str,
        wanted: impl Fn(&proto::CustomerOrder) -> bool,
    ) -> proto::CustomerOrder {
        eventually(what, async || Some(self.get(order_id).await).filter(|order| wanted(order)))
            .await
    }

    pub(crate) async fn becomes(&self, order_id: &str, state: OrderState) -> proto::CustomerOrder {
        self.until(order_id, state.as_str_name(), |order| order.state() == state).await
    }

    /// Waits until an order ends as wanted, while the clock goes on to what the order waits for.
    pub(crate) async fn ends(&self, order_id: &str, state: OrderState) -> proto::CustomerOrder {
        let order = self.end(order_id).await;
        assert_eq!(order.state(), state, "{order:#?}");
        order
    }

    /// Waits until an order has ended, while the clock goes on to what the order waits for.
    pub(crate) async fn end(&self, order_id: &str) -> proto::CustomerOrder {
        eventually("the order ends", async || {
            let order = self.get(order_id).await;
            if is_terminal(order.state()) {
                return Some(order);
            }
            self.pass_time(&order).await;
            None
        })
        .await
    }

    /// Moves the clock to the next instant at which something of an order is due, or a little while
    /// a call is under way.
    pub(crate) async fn pass_time(&self, order: &proto::CustomerOrder) {
        let now = self.clock.now();
        let all = steps(order).into_iter().map(|(_, step)| step);
        let is_out = |step: &proto::Step| {
            let calls = [StepState::Running, StepState::Undoing].contains(&step.state());
            calls && step.next_attempt_time.is_none()
        };
        if all.clone().any(is_out) {
            self.clock.advance(TICK);
            return;
        }
        let due = all.filter_map(|step| step.next_attempt_time.as_ref()).map(Instant::from_proto);
        if let Some(at) = due.filter(|at| *at > now).min() {
            self.clock.advance(at.since(now));
            self.report_to_nobody(&order.order_id).await;
        }
    }

    /// Makes the owner of an order look at the clock, which it does whenever it hears something, and
    /// else only now and then.
    pub(crate) async fn report_to_nobody(&self, order_id: &str) {
        let refused = self.report(order_id, "nobody's", StepOutcome::Succeeded).await;
        refused.expect_err("nobody has this reference");
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Waits until a name was called a number of times, while the clock stands still.
    pub(crate) async fn called(&self, name: &str, times: usize) {
        eventually(name, async || (self.outside.calls_of(name).len() >= times).then_some(())).await;
    }

    pub(crate) async fn cancel(
        &mut self,
        order_id: &str,
    ) -> Result<proto::CancelOrderResponse, tonic::Status> {
        self.cancel_with(new_request_id(), order_id).await
    }

    pub(crate) async fn cancel_with(
        &mut self,
        request_id: String,
        order_id: &str,
    ) -> Result<proto::CancelOrderResponse, tonic::Status> {
        let (order_id, reason) = (order_id.to_owned(), "changed my mind".to_owned());
        let request =
            proto::CancelOrderRequest { request_id, order_id, reason, ..Default::default() };
        self.orders.cancel_order(hall(request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn preview(&self, order_id: &str) -> Result<proto::CancelPlan, tonic::Status> {
        let request =
            proto::PreviewCancelRequest { order_id: order_id.to_owned(), ..Default::default() };
        let answer = self.orders.clone().preview_cancel(hall(request)).await?;
        Ok(answer.into_inner().plan.expect("a plan"))
    }

    pub(crate) fn callbacks(&self) -> StepCallbackServiceClient<Channel> {
        self.callbacks.clone()
    }

    /// Reports the result of a step as an outside system does.
    pub(crate) async fn report(
        &self,
        order_id: &str,
        reference: &str,
        outcome: StepOutcome,
    ) -> Result<(), tonic::Status> {
        let declined = outcome == StepOutcome::Declined;
        let request = proto::ReportStepResultRequest {
            order_id: order_id.to_owned(),
            reference: reference.to_owned(),
            outcome: outcome.into(),
            reason: if declined { "NO_LINE_AT_ADDRESS".to_owned() } else { String::new() },
            message: String::new(),
        };
        self.callbacks.clone().report_step_result(request).await.map(|_| ())
    }

    /// Reads the feed from its beginning up to the first event of a type.
    pub(crate) async fn events_until(&self, kind: &str) -> Vec<Event> {
        let mut feed = EventFeedServiceClient::new(connect(&self.running).await);
        let stream = feed.subscribe(SubscribeRequest { cursor: 0 }).await.expect("subscribe");
        let mut stream = stream.into_inner();
        let mut events: Vec<Event> = Vec::new();
        let read = async {
            while !events.iter().any(|event| event.r#type == kind) {
                let message = stream.message().await.expect("the feed goes on");
                events.extend(message.expect("the feed has no end").events);
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the event was announced");
        events
    }
}
