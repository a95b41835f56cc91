//! Reads orders for callers: a channel sees its own, operators and centers see all.

use std::pin::Pin;

use futures::Stream;
use throughline_kit::CancellationToken;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::paging::Page;
use throughline_proto::order::v1 as proto;

use crate::convert;
use crate::engine::Engine;
use crate::error::{DOMAIN, OrderError};
use crate::order::{Order, OrderId};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::store::{Filter, OrderStore};

/// A stream of versions of one order.
pub(crate) type OrderStream =
    Pin<Box<dyn Stream<Item = Result<proto::WatchOrderResponse, tonic::Status>> + Send>>;

/// Reads orders.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    store: OrderStore,
    engine: Engine,
    shutdown: CancellationToken,
}

impl Query {
    /// Reads from the store, follows at the engine.
    pub(crate) fn new(store: OrderStore, engine: Engine, shutdown: CancellationToken) -> Self {
        Self { store, engine, shutdown }
    }

    /// Reads one order that the caller may see.
    pub(crate) async fn get(&self, caller: &Caller, order_id: &str) -> Result<Order, Error> {
        let missing = || OrderError::NotFound(order_id.to_owned());
        if OrderId::parse(order_id).is_err() {
            return Err(missing().into());
        }
        let order = self.store.by_id(order_id).await?.ok_or_else(missing)?;
        if sees(caller, &order) { Ok(order) } else { Err(missing().into()) }
    }

    /// Reads one order by the channel's own number.
    pub(crate) async fn get_by_number(
        &self,
        caller: &Caller,
        channel: &str,
        number: &str,
    ) -> Result<Order, Error> {
        let channel = caller.channel().unwrap_or(channel);
        let missing = || OrderError::NotFound(number.to_owned());
        // No database keeps such a text, and some refuse to look for it.
        if [channel, number].iter().any(|text| text.contains('\0')) {
            return Err(missing().into());
        }
        let found = self.store.by_channel(channel, number).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Lists orders, newest first.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: proto::ListOrdersRequest,
    ) -> Result<proto::ListOrdersResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("customer_id", &request.customer_id, 0, 64);
        let state = wrong.take("state", convert::state_filter(request.state)).flatten();
        wrong.length("channel", &request.channel, 0, 64);
        wrong.finish()?;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let filter = Filter {
            channel: caller.channel().map(str::to_owned).or_else(|| some(&request.channel)),
            customer_id: some(&request.customer_id),
            state,
        };
        let orders = self.store.page(&filter, &page).await?;
        let (orders, next_page_token) =
            page.cut(orders, |order| (order.created_at, order.id.to_string()));
        let orders = orders.iter().map(convert::customer_order).collect();
        Ok(proto::ListOrdersResponse { orders, next_page_token })
    }

    /// Says what a cancel would do now.
    pub(crate) async fn preview_cancel(
        &self,
        caller: &Caller,
        order_id: &str,
    ) -> Result<proto::CancelPlan, Error> {
        let order = self.get(caller, order_id).await?;
        let state = rollup(&order);
        if state.is_terminal() {
            return Err(OrderError::Terminal(state).into());
        }
        Ok(convert::plan(&order, &plan(&order, Trigger::CancelOrder)))
    }

    /// Streams the order and each newer version until it is terminal.
    pub(crate) async fn watch(
        &self,
        caller: &Caller,
        request: proto::WatchOrderRequest,
    ) -> Result<OrderStream, Error> {
        let order_id = OrderId::parse(&request.order_id)
            .map_err(|_| OrderError::NotFound(request.order_id.clone()))?;
        // Follow first, then read: no version in between is missed.
        let mut watch = self.engine.watch(&order_id)?;
        let order = self.get(caller, order_id.as_str()).await?;
        let known = request.version;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async_stream(move |versions| async move {
            let mut version = known;
            let mut latest = std::sync::Arc::new(order);
            loop {
                if latest.version > version {
                    version = latest.version;
                    let order = Some(convert::customer_order(&latest));
                    if versions.send(Ok(proto::WatchOrderResponse { order })).await.is_err() {
                        return;
                    }
                }
                if latest.ended_at.is_some() {
                    return;
                }
                let newer = tokio::select! {
                    newer = watch.newer_than(version) => newer,
                    () = versions.closed() => None,
                    () = shutdown.cancelled() => {
                        let _ = versions.send(Err(crate::engine::stopping().into())).await;
                        return;
                    }
                };
                match newer {
                    Some(newer) => latest = newer,
                    None => return,
                }
            }
        })))
    }
}

type Versions = tokio::sync::mpsc::Sender<Result<proto::WatchOrderResponse, tonic::Status>>;

/// Runs a producer beside the stream that it fills, one version ahead of a slow reader.
fn async_stream<F>(
    producer: impl FnOnce(Versions) -> F,
) -> tokio_stream::wrappers::ReceiverStream<Result<proto::WatchOrderResponse, tonic::Status>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (versions, stream) = tokio::sync::mpsc::channel(1);
    tokio::spawn(producer(versions));
    tokio_stream::wrappers::ReceiverStream::new(stream)
}

fn sees(caller: &Caller, order: &Order) -> bool {
    match caller.kind {
        CallerKind::Channel => caller.name == order.channel,
        CallerKind::Operator | CallerKind::Center | CallerKind::System => true,
    }
}
