//! Reads every page of what is compared.

use throughline_kit::client::GatewayClient;
use throughline_kit::error::Error;
use throughline_proto::order::v1 as order;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::resource::v1 as resource;
use throughline_proto::resource::v1::reservation_service_client::ReservationServiceClient;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;
use throughline_proto::simulator::v1 as simulator;
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use tonic::{Response, Status};

use super::Books;
use crate::connection::{bounded, refused};

/// Rows in one page.
const PAGE_SIZE: i32 = 500;
/// Orders carry all of their lines: smaller pages keep an answer within a message.
const ORDER_PAGE_SIZE: i32 = 20;

pub(super) async fn books(operator: &GatewayClient) -> Result<Books, Error> {
    Ok(Books {
        orders: orders(operator).await?,
        payment_orders: payment_orders(operator).await?,
        refunds: refunds(operator).await?,
        reservations: reservations(operator).await?,
        pools: pools(operator).await?,
        channel_effects: channel_effects(operator).await?,
    })
}

/// Asks for page after page. `ask` gives the rows of one page and the token of the next.
async fn all_pages<T, F>(mut ask: impl FnMut(String) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<(Vec<T>, String), Status>>,
{
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = ask(token).await.map_err(refused)?;
        rows.extend(page);
        if next.is_empty() {
            return Ok(rows);
        }
        token = next;
    }
}

async fn orders(
    operator: &GatewayClient,
) -> Result<std::collections::BTreeMap<String, order::CustomerOrder>, Error> {
    let rows = all_pages(|page_token| async move {
        let request = order::ListOrdersRequest {
            page_size: ORDER_PAGE_SIZE,
            page_token,
            ..Default::default()
        };
        let mut client = OrderServiceClient::new(operator.channel());
        let page = client.list_orders(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.orders, page.next_page_token))
    })
    .await?;
    Ok(rows.into_iter().map(|order| (order.order_id.clone(), order)).collect())
}

async fn payment_orders(operator: &GatewayClient) -> Result<Vec<payment::PaymentOrder>, Error> {
    all_pages(|page_token| async move {
        let request = payment::ListPaymentOrdersRequest {
            page_size: PAGE_SIZE,
            page_token,
            ..Default::default()
        };
        let mut client = PaymentServiceClient::new(operator.channel());
        let page = client.list_payment_orders(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.payment_orders, page.next_page_token))
    })
    .await
}

async fn refunds(operator: &GatewayClient) -> Result<Vec<payment::Refund>, Error> {
    all_pages(|page_token| async move {
        let request =
            payment::ListRefundsRequest { page_size: PAGE_SIZE, page_token, ..Default::default() };
        let mut client = PaymentServiceClient::new(operator.channel());
        let page = client.list_refunds(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.refunds, page.next_page_token))
    })
    .await
}

async fn reservations(operator: &GatewayClient) -> Result<Vec<resource::Reservation>, Error> {
    all_pages(|page_token| async move {
        let request = resource::ListReservationsRequest {
            page_size: ORDER_PAGE_SIZE,
            page_token,
            ..Default::default()
        };
        let mut client = ReservationServiceClient::new(operator.channel());
        let page = client.list_reservations(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.reservations, page.next_page_token))
    })
    .await
}

async fn pools(operator: &GatewayClient) -> Result<Vec<resource::VerifyPoolResponse>, Error> {
    let pools = all_pages(|page_token| async move {
        let request = resource::ListPoolsRequest { page_size: PAGE_SIZE, page_token };
        let mut client = StockServiceClient::new(operator.channel());
        let page = client.list_pools(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.pools, page.next_page_token))
    })
    .await?;
    let mut verified = Vec::with_capacity(pools.len());
    let mut client = StockServiceClient::new(operator.channel());
    for pool in pools {
        let request = resource::VerifyPoolRequest { pool_code: pool.pool_code };
        let answer = client.verify_pool(bounded(request)).await;
        verified.push(answer.map_err(refused)?.into_inner());
    }
    Ok(verified)
}

/// What the payment channel really did, where it is a simulator that tells.
async fn channel_effects(
    operator: &GatewayClient,
) -> Result<Option<Vec<simulator::Effect>>, Error> {
    let effects = all_pages(|page_token| async move {
        let request = simulator::ListEffectsRequest {
            system: "paychannel".to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let mut client = SimulatorControlServiceClient::new(operator.channel());
        let page = client.list_effects(bounded(request)).await.map(Response::into_inner)?;
        Ok((page.effects, page.next_page_token))
    })
    .await;
    match effects {
        Err(error) if error.reason == "METHOD_UNKNOWN" || error.reason == "NO_INSTANCE" => Ok(None),
        other => other.map(Some),
    }
}
