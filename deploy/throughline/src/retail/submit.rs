//! Drives a day through the gateway: catalog and stock as the operator, then every sale and every return as the channel,
//! many in flight, each followed to its end.

use std::time::Duration;

use futures::StreamExt;
use throughline_kit::client::{CallContext, GatewayClient};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{CustomerOrder, OrderState};
use throughline_proto::product::v1::ImportCatalogRequest;
use throughline_proto::product::v1::catalog_service_client::CatalogServiceClient;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;
use tokio::time::Instant;

use crate::patience::PATIENCE;

use super::catalog::{import_requests, receive_requests};
use super::invoice::{Day, Invoice};
use super::order::submit_request;
use super::reconcile::{Outcome, summary};
use super::summary::{Durations, ImportSummary};

const DOMAIN: &str = "retail";
/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait before an order whose watch ended early is watched again.
const WATCH_AGAIN_DELAY: Duration = Duration::from_millis(50);
/// How long an order is followed.
const MAX_FOLLOW_TIME: Duration = Duration::from_secs(600);
/// How long a watch may be silent before the order is read instead.
const MAX_WATCH_SILENCE: Duration = Duration::from_secs(10);

/// Imports a day. The clients speak for the channel that sells and for an operator who may change catalog and stock.
///
/// `progress` is told how many orders have come to their end. An order that is refused, fails or does not end is in the
/// summary; the import itself fails only when catalog or stock cannot be brought in.
pub async fn import(
    client: &GatewayClient,
    operator: &GatewayClient,
    day: &Day,
    channel: &str,
    in_flight: usize,
    mut progress: impl FnMut(u64),
) -> Result<ImportSummary, Error> {
    let started = Instant::now();
    prepare(operator, day, channel).await?;
    let prepared = Instant::now();
    let seller = Seller { client, channel, in_flight: in_flight.max(1) };
    let mut outcomes = Vec::with_capacity(day.sales.len() + day.returns.len());
    seller.carry_out(&day.sales, &mut outcomes, &mut progress).await;
    let sold = Instant::now();
    // A return takes back what was delivered, so it waits for the sales.
    seller.carry_out(&day.returns, &mut outcomes, &mut progress).await;
    let durations = Durations {
        preparation: prepared - started,
        sales: sold - prepared,
        returns: sold.elapsed(),
    };
    summary(day, &outcomes, durations).map_err(|cause| {
        let message = format!("the money of the orders cannot be summed: {cause}");
        Error::new(Kind::Internal, DOMAIN, "TOTAL_UNREADABLE", message)
    })
}

/// Brings catalog and stock in.
async fn prepare(operator: &GatewayClient, day: &Day, channel: &str) -> Result<(), Error> {
    for request in import_requests(day) {
        let request = ImportCatalogRequest { request_id: new_request_id(), ..request };
        PATIENCE
            .repeat(|| {
                let mut catalog = CatalogServiceClient::new(operator.channel());
                let request = bounded(request.clone());
                async move { catalog.import_catalog(request).await }
            })
            .await?;
    }
    for request in receive_requests(day, channel) {
        PATIENCE
            .repeat(|| {
                let mut stock = StockServiceClient::new(operator.channel());
                let request = bounded(request.clone());
                async move { stock.receive_stock(request).await }
            })
            .await?;
    }
    Ok(())
}

/// The channel that sells.
struct Seller<'a> {
    client: &'a GatewayClient,
    channel: &'a str,
    in_flight: usize,
}

impl Seller<'_> {
    async fn carry_out(
        &self,
        invoices: &[Invoice],
        outcomes: &mut Vec<Outcome>,
        progress: &mut impl FnMut(u64),
    ) {
        let mut ends = futures::stream::iter(invoices)
            .map(|invoice| Box::pin(self.order(invoice)))
            .buffer_unordered(self.in_flight);
        while let Some(outcome) = ends.next().await {
            outcomes.push(outcome);
            progress(u64::try_from(outcomes.len()).unwrap_or(u64::MAX));
        }
    }

    /// Submits an invoice and follows the order to its end.
    async fn order(&self, invoice: &Invoice) -> Outcome {
        let request = submit_request(invoice, self.channel);
        let submitted = PATIENCE
            .repeat(|| {
                let mut orders = OrderServiceClient::new(self.client.channel());
                let request = bounded(request.clone());
                async move { orders.submit_order(request).await }
            })
            .await;
        let mut seen = None;
        let failure = match submitted {
            Err(refusal) => refusal.to_string(),
            Ok(submitted) => self.follow(&submitted.order_id, &mut seen).await,
        };
        Outcome { invoice: invoice.number.clone(), order: seen, failure }
    }

    /// Follows an order until it is terminal, and keeps what was seen last. Says why it could not be followed.
    async fn follow(&self, order_id: &str, seen: &mut Option<Box<CustomerOrder>>) -> String {
        let end = tokio::time::timeout(MAX_FOLLOW_TIME, async {
            loop {
                self.watch(order_id, seen).await;
                if is_terminal(seen.as_deref()) {
                    return Ok(());
                }
                *seen = Some(self.read(order_id).await?);
                if is_terminal(seen.as_deref()) {
                    return Ok(());
                }
                tokio::time::sleep(WATCH_AGAIN_DELAY).await;
            }
        });
        match end.await {
            Ok(Ok(())) => String::new(),
            Ok(Err(refusal)) => Error::to_string(&refusal),
            Err(_) => format!("the order did not end within {MAX_FOLLOW_TIME:?}"),
        }
    }

    /// Takes the versions of an order as they come, until it is terminal or the stream ends, breaks or falls silent.
    async fn watch(&self, order_id: &str, seen: &mut Option<Box<CustomerOrder>>) {
        let request = proto::WatchOrderRequest {
            order_id: order_id.to_owned(),
            version: seen.as_ref().map_or(0, |order| order.version),
        };
        let mut orders = OrderServiceClient::new(self.client.channel());
        let opened = tokio::time::timeout(MAX_WATCH_SILENCE, orders.watch_order(request)).await;
        let Ok(Ok(stream)) = opened else { return };
        let mut stream = stream.into_inner();
        while let Ok(Ok(Some(message))) =
            tokio::time::timeout(MAX_WATCH_SILENCE, stream.message()).await
        {
            if let Some(order) = message.order {
                *seen = Some(Box::new(order));
            }
            if is_terminal(seen.as_deref()) {
                return;
            }
        }
    }

    async fn read(&self, order_id: &str) -> Result<Box<CustomerOrder>, Error> {
        let request =
            proto::GetOrderRequest { order_id: order_id.to_owned(), ..Default::default() };
        let answer = PATIENCE
            .repeat(|| {
                let mut orders = OrderServiceClient::new(self.client.channel());
                let request = bounded(request.clone());
                async move { orders.get_order(request).await }
            })
            .await?;
        answer.order.map(Box::new).ok_or_else(|| {
            let message = format!("order {order_id} was answered without its content");
            Error::new(Kind::Internal, DOMAIN, "ORDER_MISSING", message)
        })
    }
}

fn is_terminal(order: Option<&CustomerOrder>) -> bool {
    order.is_some_and(|order| match order.state() {
        OrderState::Rejected
        | OrderState::Completed
        | OrderState::Partial
        | OrderState::Failed
        | OrderState::Cancelled => true,
        OrderState::Unspecified
        | OrderState::Acknowledged
        | OrderState::Pending
        | OrderState::InProgress
        | OrderState::PendingCancellation
        | OrderState::AssessingChange
        | OrderState::Held => false,
    })
}

fn bounded<M>(message: M) -> tonic::Request<M> {
    CallContext { timeout: Some(CALL_TIMEOUT), ..CallContext::default() }.request(message)
}
