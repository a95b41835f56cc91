//! A channel app, an operator and an outside system, who call the gateway like anybody else.

use std::path::Path;
use std::time::Duration;

use throughline::audit::{self, Report};
use throughline::connection::bounded;
use throughline::orders;
use throughline::seed::Seed;
use throughline_gateway::load_key;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::Error;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{CustomerOrder, ListOrdersRequest, SubmitOrderRequest};
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::resource::v1 as resource;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;
use throughline_proto::simulator::v1 as simulator;
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use tokio::time::Instant;

use crate::shopping::TELECOM;

/// How long an order may take to its end, a killed process to be there again, and the books to add up.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// Wait between looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Rows of one page.
const PAGE_SIZE: i32 = 500;

/// All of them.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The channel "demo-channel".
    pub channel: GatewayClient,
    /// The operator.
    pub operator: GatewayClient,
    /// The outside system "provisioning", which tells orders what happened.
    pub system: GatewayClient,
}

impl Desk {
    /// Calls a gateway under the keys of a directory.
    pub fn open(gateway_uri: &str, keys: &Path) -> Self {
        let client = |caller: &str| {
            let api_key = load_key(&keys.join(format!("{caller}.key"))).expect("a key");
            let config = GatewayConfig { uri: gateway_uri.to_owned(), api_key };
            GatewayClient::new(&config).expect("a client")
        };
        Self {
            channel: client("demo-channel"),
            operator: client("operator"),
            system: client("provisioning"),
        }
    }

    /// Loads the telecom catalog and its stock.
    pub async fn seed_telecom(&self) {
        let seed = Seed::parse(TELECOM).expect("the sample reads");
        self.repeated("load the telecom sample", || seed.clone().load(&self.operator)).await;
    }

    /// Submits an order.
    pub async fn submit(&self, request: SubmitOrderRequest) -> String {
        orders::submit(&self.channel, request).await.expect("accepted").order_id
    }

    /// Reads an order.
    pub async fn order(&self, order_id: &str) -> CustomerOrder {
        orders::get(&self.operator, order_id).await.expect("an order")
    }

    /// Submits an order and follows it to its end.
    pub async fn carry_out(&self, request: SubmitOrderRequest) -> CustomerOrder {
        let order_id = self.submit(request).await;
        self.end_of(&order_id).await
    }

    /// Waits for the end of an order, whatever happens to those who answer.
    pub async fn end_of(&self, order_id: &str) -> CustomerOrder {
        self.until(order_id, "its end", |order| order.end_time.is_some()).await
    }

    /// Waits until an order is as wanted.
    pub async fn until(
        &self,
        order_id: &str,
        what: &str,
        wanted: impl Fn(&CustomerOrder) -> bool,
    ) -> CustomerOrder {
        let patience = Instant::now() + MAX_WAIT;
        loop {
            let seen = orders::get(&self.operator, order_id).await;
            match seen {
                Ok(order) if wanted(&order) => return order,
                seen => assert!(
                    Instant::now() < patience,
                    "waited {MAX_WAIT:?} for {what} of order {order_id}: {seen:#?}"
                ),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Calls until there is an answer: for processes that are just starting. What is called may be repeated.
    pub async fn repeated<T, F>(&self, what: &str, mut call: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, Error>>,
    {
        let patience = Instant::now() + MAX_WAIT;
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(error) => assert!(Instant::now() < patience, "{what}: {error}"),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Makes the simulators misbehave.
    pub async fn misbehave(&self, rule: simulator::Rule) {
        let request = simulator::AddRuleRequest { rule: Some(rule) };
        SimulatorControlServiceClient::new(self.operator.channel())
            .add_rule(bounded(request))
            .await
            .expect("a rule");
    }

    /// Everything that one of the simulated systems really did.
    pub async fn effects(&self, system: &str) -> Vec<simulator::Effect> {
        let mut control = SimulatorControlServiceClient::new(self.operator.channel());
        let (mut effects, mut page_token) = (Vec::new(), String::new());
        loop {
            let system = system.to_owned();
            let request =
                simulator::ListEffectsRequest { system, page_size: PAGE_SIZE, page_token };
            let page = control.list_effects(bounded(request)).await.expect("effects").into_inner();
            effects.extend(page.effects);
            if page.next_page_token.is_empty() {
                return effects;
            }
            page_token = page.next_page_token;
        }
    }

    /// Reads a pool as a channel sees it.
    pub async fn pool(&self, pool_code: &str) -> resource::Pool {
        let request = resource::GetPoolRequest { pool_code: pool_code.to_owned() };
        let answer =
            StockServiceClient::new(self.channel.channel()).get_pool(bounded(request)).await;
        answer.expect("a pool").into_inner().pool.expect("a pool")
    }

    /// Every pool.
    pub async fn pools(&self) -> Vec<resource::Pool> {
        let mut stock = StockServiceClient::new(self.operator.channel());
        let (mut pools, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = resource::ListPoolsRequest { page_size: PAGE_SIZE, page_token };
            let page = stock.list_pools(bounded(request)).await.expect("pools").into_inner();
            pools.extend(page.pools);
            if page.next_page_token.is_empty() {
                return pools;
            }
            page_token = page.next_page_token;
        }
    }

    /// Every order, newest first.
    pub async fn orders(&self) -> Vec<CustomerOrder> {
        let mut service = OrderServiceClient::new(self.operator.channel());
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            // Large orders: a page must fit in a message.
            let request = ListOrdersRequest { page_size: 20, page_token, ..Default::default() };
            let page = service.list_orders(bounded(request)).await.expect("orders").into_inner();
            found.extend(page.orders);
            if page.next_page_token.is_empty() {
                return found;
            }
            page_token = page.next_page_token;
        }
    }

    /// Payment orders of one order, or of all where it is empty.
    pub async fn payment_orders(&self, order_id: &str) -> Vec<payment::PaymentOrder> {
        let mut service = PaymentServiceClient::new(self.operator.channel());
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = payment::ListPaymentOrdersRequest {
                order_id: order_id.to_owned(),
                page_size: PAGE_SIZE,
                page_token,
                ..Default::default()
            };
            let page = service.list_payment_orders(bounded(request)).await;
            let page = page.expect("payment orders").into_inner();
            found.extend(page.payment_orders);
            if page.next_page_token.is_empty() {
                return found;
            }
            page_token = page.next_page_token;
        }
    }

    /// Refunds of one order, or of all where it is empty.
    pub async fn refunds(&self, order_id: &str) -> Vec<payment::Refund> {
        let mut service = PaymentServiceClient::new(self.operator.channel());
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let order_id = order_id.to_owned();
            let request =
                payment::ListRefundsRequest { order_id, page_size: PAGE_SIZE, page_token };
            let page = service.list_refunds(bounded(request)).await.expect("refunds").into_inner();
            found.extend(page.refunds);
            if page.next_page_token.is_empty() {
                return found;
            }
            page_token = page.next_page_token;
        }
    }

    /// Audits until nothing is live and nothing differs.
    pub async fn books_add_up(&self) -> Report {
        let patience = Instant::now() + MAX_WAIT;
        loop {
            let looked = audit::audit(&self.operator).await;
            match looked {
                Ok(report) if report.differences.is_empty() && report.live == 0 => return report,
                looked => assert!(
                    Instant::now() < patience,
                    "the books do not add up after {MAX_WAIT:?}: {looked:#?}"
                ),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// A span for a rule.
pub fn span(duration: Duration) -> Option<prost_types::Duration> {
    Some(throughline_kit::clock::span_to_proto(duration))
}
