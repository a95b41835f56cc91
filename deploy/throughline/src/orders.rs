//! Submits orders and follows them to their end, as a channel app does.

use std::time::Duration;

use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use tonic::{Response, Status};

use crate::connection::{bounded, refused, unbounded};
use crate::console::from_yaml;
use crate::patience::PATIENCE;

/// Wait before an order whose watch ended early is watched again.
const WATCH_AGAIN_DELAY: Duration = Duration::from_millis(100);

type Versions = tonic::Streaming<proto::WatchOrderResponse>;

/// Reads an order from a file's text. Without a request id one follows from the content, so that submitting the same
/// file twice is the same order.
pub fn parse(text: &str) -> Result<proto::SubmitOrderRequest, Error> {
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)
        .map_err(|e| Error::new(Kind::Invalid, "order", "FILE_INVALID", e.to_string()))?;
    let mut request: proto::SubmitOrderRequest = from_yaml("order", document)?;
    if request.request_id.is_empty() {
        request.request_id = derived_uuid(&["submit order", text]).to_string();
    }
    Ok(request)
}

/// Submits an order.
pub async fn submit(
    channel: &GatewayClient,
    request: proto::SubmitOrderRequest,
) -> Result<proto::SubmitOrderResponse, Error> {
    OrderServiceClient::new(channel.channel())
        .submit_order(bounded(request))
        .await
        .map(Response::into_inner)
        .map_err(refused)
}

/// Reads an order.
pub async fn get(client: &GatewayClient, order_id: &str) -> Result<proto::CustomerOrder, Error> {
    let answer = read(client, order_id).await.map_err(refused)?.into_inner();
    answer.order.ok_or_else(|| Error::internal("order", "the answer has no order"))
}

async fn read(
    client: &GatewayClient,
    order_id: &str,
) -> Result<Response<proto::GetOrderResponse>, Status> {
    let request = proto::GetOrderRequest { order_id: order_id.to_owned(), ..Default::default() };
    OrderServiceClient::new(client.channel()).get_order(bounded(request)).await
}

/// Follows an order to its end; `each` sees every version on the way. Gives the last one.
///
/// A center or a gateway that goes away in between is waited for, and the watch goes on behind the version that was seen last.
pub async fn follow(
    client: &GatewayClient,
    order_id: &str,
    mut each: impl FnMut(&proto::CustomerOrder),
) -> Result<proto::CustomerOrder, Error> {
    let mut last = proto::CustomerOrder::default();
    let mut versions = watch(client, order_id, last.version).await?;
    loop {
        while let Ok(Some(version)) = versions.message().await {
            if let Some(order) = version.order {
                each(&order);
                last = order;
            }
        }
        if last.end_time.is_some() {
            return Ok(last);
        }
        let now = PATIENCE.repeat(|| read(client, order_id)).await?.order.unwrap_or_default();
        if now.version > last.version {
            each(&now);
            last = now;
        }
        if last.end_time.is_some() {
            return Ok(last);
        }
        tokio::time::sleep(WATCH_AGAIN_DELAY).await;
        versions = PATIENCE.repeat(|| open(client, order_id, last.version)).await?;
    }
}

async fn watch(client: &GatewayClient, order_id: &str, version: i64) -> Result<Versions, Error> {
    open(client, order_id, version).await.map(Response::into_inner).map_err(refused)
}

async fn open(
    client: &GatewayClient,
    order_id: &str,
    version: i64,
) -> Result<Response<Versions>, Status> {
    let request = proto::WatchOrderRequest { order_id: order_id.to_owned(), version };
    OrderServiceClient::new(client.channel()).watch_order(unbounded(request)).await
}
