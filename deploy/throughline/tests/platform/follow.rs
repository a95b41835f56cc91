//! An order is followed although who tells of it goes away in between.

use std::sync::{Arc, Mutex};

use futures::stream::{self, BoxStream};
use throughline::orders;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_server::{OrderService, OrderServiceServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

type Versions = BoxStream<'static, Result<proto::WatchOrderResponse, Status>>;

/// An order center whose first watch breaks after version 1, and whose first read does not arrive.
#[derive(Clone, Default)]
struct Restarting {
    /// Versions that watches were resumed with.
    resumed: Arc<Mutex<Vec<i64>>>,
    reads: Arc<Mutex<u32>>,
}

fn order(version: i64, state: proto::OrderState) -> proto::CustomerOrder {
    let end_time = (state == proto::OrderState::Completed).then(Default::default);
    proto::CustomerOrder { version, state: state.into(), end_time, ..Default::default() }
}

fn versions(messages: Vec<Result<proto::CustomerOrder, Status>>) -> Response<Versions> {
    let messages = messages
        .into_iter()
        .map(|message| message.map(|order| proto::WatchOrderResponse { order: Some(order) }));
    Response::new(Box::pin(stream::iter(messages.collect::<Vec<_>>())))
}

fn away() -> Status {
    Error::new(Kind::Unavailable, "gateway", "NO_INSTANCE", "away").into()
}

fn unused() -> Status {
    Error::new(Kind::Unimplemented, "order", "UNUSED", "nobody asks for this here").into()
}

#[tonic::async_trait]
impl OrderService for Restarting {
    type WatchOrderStream = Versions;

    async fn watch_order(
        &self,
        request: Request<proto::WatchOrderRequest>,
    ) -> Result<Response<Versions>, Status> {
        let mut resumed = self.resumed.lock().expect("unpoisoned");
        resumed.push(request.into_inner().version);
        Ok(match resumed.len() {
            1 => versions(vec![Ok(order(1, proto::OrderState::InProgress)), Err(away())]),
            2 => return Err(away()),
            _ => versions(vec![Ok(order(2, proto::OrderState::Completed))]),
        })
    }

    async fn get_order(
        &self,
        _: Request<proto::GetOrderRequest>,
    ) -> Result<Response<proto::GetOrderResponse>, Status> {
        let mut reads = self.reads.lock().expect("unpoisoned");
        *reads += 1;
        if *reads == 1 {
            return Err(away());
        }
        let order = Some(order(1, proto::OrderState::InProgress));
        Ok(Response::new(proto::GetOrderResponse { order }))
    }

    async fn submit_order(
        &self,
        _: Request<proto::SubmitOrderRequest>,
    ) -> Result<Response<proto::SubmitOrderResponse>, Status> {
        Err(unused())
    }

    async fn list_orders(
        &self,
        _: Request<proto::ListOrdersRequest>,
    ) -> Result<Response<proto::ListOrdersResponse>, Status> {
        Err(unused())
    }

    async fn cancel_order(
        &self,
        _: Request<proto::CancelOrderRequest>,
    ) -> Result<Response<proto::CancelOrderResponse>, Status> {
        Err(unused())
    }

    async fn preview_cancel(
        &self,
        _: Request<proto::PreviewCancelRequest>,
    ) -> Result<Response<proto::PreviewCancelResponse>, Status> {
        Err(unused())
    }

    async fn rate_order(
        &self,
        _: Request<proto::RateOrderRequest>,
    ) -> Result<Response<proto::RateOrderResponse>, Status> {
        Err(unused())
    }

    async fn change_order(
        &self,
        _: Request<proto::ChangeOrderRequest>,
    ) -> Result<Response<proto::ChangeOrderResponse>, Status> {
        Err(unused())
    }

    async fn preview_change(
        &self,
        _: Request<proto::PreviewChangeRequest>,
    ) -> Result<Response<proto::PreviewChangeResponse>, Status> {
        Err(unused())
    }

    async fn urge_order(
        &self,
        _: Request<proto::UrgeOrderRequest>,
    ) -> Result<Response<proto::UrgeOrderResponse>, Status> {
        Err(unused())
    }
}

#[tokio::test]
async fn a_watch_that_breaks_goes_on_behind_the_version_that_was_seen() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let center = Restarting::default();
    let service = OrderServiceServer::new(center.clone());
    let served = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(served);
    let client = GatewayClient::new(&GatewayConfig { uri, api_key: "key".to_owned() });
    let mut seen = Vec::new();
    let last =
        orders::follow(&client.expect("a client"), "ord_1", |order| seen.push(order.version))
            .await
            .expect("followed");
    assert_eq!(last.state(), proto::OrderState::Completed);
    assert_eq!(seen, [1, 2], "each version once");
    assert_eq!(*center.resumed.lock().expect("unpoisoned"), [0, 1, 1]);
    server.abort();
}
