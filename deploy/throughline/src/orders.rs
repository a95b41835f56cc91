//! Submits orders and follows them to their end, as a channel app does.

use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use crate::connection::{bounded, refused, unbounded};
use crate::console::from_yaml;

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
        .map(tonic::Response::into_inner)
        .map_err(refused)
}

/// Reads an order.
pub async fn get(client: &GatewayClient, order_id: &str) -> Result<proto::CustomerOrder, Error> {
    let request = proto::GetOrderRequest { order_id: order_id.to_owned(), ..Default::default() };
    let answer = OrderServiceClient::new(client.channel())
        .get_order(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    answer.order.ok_or_else(|| Error::internal("order", "the answer has no order"))
}

/// Follows an order to its end; `each` sees every version on the way. Gives the last one.
pub async fn follow(
    client: &GatewayClient,
    order_id: &str,
    mut each: impl FnMut(&proto::CustomerOrder),
) -> Result<proto::CustomerOrder, Error> {
    let request = proto::WatchOrderRequest { order_id: order_id.to_owned(), version: 0 };
    let mut versions = OrderServiceClient::new(client.channel())
        .watch_order(unbounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    let mut last = None;
    while let Some(version) = versions.message().await.map_err(refused)? {
        if let Some(order) = version.order {
            each(&order);
            last = Some(order);
        }
    }
    match last {
        Some(order) if order.end_time.is_some() => Ok(order),
        Some(_) | None => get(client, order_id).await,
    }
}
