//! Reads orders for callers: a channel sees its own, operators and centers see all.

use std::pin::Pin;

use futures::Stream;
use throughline_kit::CancellationToken;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::{Caller, CallerKind};
use throughline_kit::paging::Page;
use throughline_proto::order::v1 as proto;

use crate::convert;
use crate::decide::Refusal;
use crate::engine::Engine;
use crate::error::{DOMAIN, OrderError};
use crate::operate::plan_parts;
use crate::order::{Order, OrderId};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::store::{Listed, OrderStore, TaskFilter};
use crate::target;
use crate::task::TaskId;

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

    /// Reads one order whose lines may still be changed.
    pub(crate) async fn get_changeable(
        &self,
        caller: &Caller,
        order_id: &str,
    ) -> Result<Order, Error> {
        let order = self.get(caller, order_id).await?;
        let state = rollup(&order);
        if state.is_terminal() {
            return Err(OrderError::Terminal(state).into());
        }
        if order.can_change() { Ok(order) } else { Err(Refusal::ChangeTooLate.into()) }
    }

    /// Shows one order that the caller may see, as far as it is understood.
    pub(crate) async fn show(
        &self,
        caller: &Caller,
        order_id: &str,
    ) -> Result<proto::CustomerOrder, Error> {
        let missing = || OrderError::NotFound(order_id.to_owned());
        if OrderId::parse(order_id).is_err() {
            return Err(missing().into());
        }
        let listed = self.store.shown(order_id).await?.ok_or_else(missing)?;
        if !sees_channel(caller, &listed.head.channel) {
            return Err(missing().into());
        }
        self.show_one(listed).await
    }

    /// Shows one order by the channel's own number.
    pub(crate) async fn show_by_number(
        &self,
        caller: &Caller,
        channel: &str,
        number: &str,
    ) -> Result<proto::CustomerOrder, Error> {
        let channel = caller.channel().unwrap_or(channel);
        let missing = || OrderError::NotFound(number.to_owned());
        // No database keeps such a text, and some refuse to look for it.
        if [channel, number].iter().any(|text| text.contains('\0')) {
            return Err(missing().into());
        }
        let found = self.store.shown_by_channel(channel, number).await?;
        self.show_one(found.ok_or_else(missing)?).await
    }

    /// Lists orders, newest first.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: proto::ListOrdersRequest,
    ) -> Result<proto::ListOrdersResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let filter = convert::filter(caller.channel(), &request)?;
        let orders = self.store.page(&filter, &page).await?;
        let (orders, next_page_token) = page.cut(orders, Listed::place);
        let orders = self.show_all(&orders).await?;
        Ok(proto::ListOrdersResponse { orders, next_page_token })
    }

    async fn show_one(&self, listed: Listed) -> Result<proto::CustomerOrder, Error> {
        let shown = self.show_all(&[listed]).await?.pop();
        shown.ok_or_else(|| Error::internal(DOMAIN, "an order was read and not shown"))
    }

    /// Orders as callers see them, with what their customers said.
    async fn show_all(&self, orders: &[Listed]) -> Result<Vec<proto::CustomerOrder>, Error> {
        let known = orders.iter().filter_map(|listed| listed.order.as_ref());
        let mut ratings = self.store.ratings_of(known).await?;
        let mut show = |listed: &Listed| {
            let rating = ratings.remove(&listed.head.order_id).map(|rating| rating.to_proto());
            proto::CustomerOrder { rating, ..convert::listed(listed) }
        };
        Ok(orders.iter().map(&mut show).collect())
    }

    /// Says what a cancel would do now.
    pub(crate) async fn preview_cancel(
        &self,
        caller: &Caller,
        request: &proto::PreviewCancelRequest,
    ) -> Result<proto::CancelPlan, Error> {
        let mut wrong = Violations::new(DOMAIN);
        target::check_parts(&request.business_order_ids, &request.item_keys, &mut wrong);
        wrong.finish()?;
        let order = self.get(caller, &request.order_id).await?;
        let state = rollup(&order);
        if state.is_terminal() {
            return Err(OrderError::Terminal(state).into());
        }
        let parts = target::parts(&order, &request.business_order_ids, &request.item_keys)?;
        let plan = match parts.as_slice() {
            [] => plan(&order, &Trigger::CancelOrder),
            parts => plan_parts(&order, parts)?,
        };
        Ok(convert::plan(&order, &plan))
    }

    /// Lists open tasks, the most urgent first.
    pub(crate) async fn tasks(
        &self,
        request: proto::ListTasksRequest,
    ) -> Result<proto::ListTasksResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("group", &request.group, 0, 64);
        wrong.length("claimed_by", &request.claimed_by, 0, 128);
        wrong.length("order_id", &request.order_id, 0, 64);
        wrong.finish()?;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let filter = TaskFilter {
            group: some(request.group),
            claimed_by: some(request.claimed_by),
            order_id: some(request.order_id),
        };
        let rows = self.store.task_page(&filter, &page).await?;
        let (rows, next_page_token) = page.cut(rows, |row| (row.deadline, row.task_id.clone()));
        let mut tasks = Vec::with_capacity(rows.len());
        for row in rows {
            // One that was done since the page was read is left out.
            tasks.extend(self.task_of(&row.order_id, &row.task_id).await?);
        }
        Ok(proto::ListTasksResponse { tasks, next_page_token })
    }

    /// Reads one open task.
    pub(crate) async fn task(&self, task_id: &str) -> Result<proto::Task, Error> {
        let order_id = self.order_of_task(task_id).await?;
        let missing = || Refusal::TaskNotFound(task_id.to_owned());
        Ok(self.task_of(&order_id, task_id).await?.ok_or_else(missing)?)
    }

    /// The order of an open task.
    pub(crate) async fn order_of_task(&self, task_id: &str) -> Result<String, Error> {
        let missing = || Refusal::TaskNotFound(task_id.to_owned());
        if TaskId::parse(task_id).is_err() {
            return Err(missing().into());
        }
        Ok(self.store.order_of_task(task_id).await?.ok_or_else(missing)?)
    }

    async fn task_of(&self, order_id: &str, task_id: &str) -> Result<Option<proto::Task>, Error> {
        let order = self.store.by_id(order_id).await?;
        let found = order.as_ref().and_then(|order| {
            let (place, task) = order.task(&TaskId::parse(task_id).ok()?)?;
            Some(convert::task(order, place, task))
        });
        Ok(found)
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
    sees_channel(caller, &order.channel)
}

fn sees_channel(caller: &Caller, channel: &str) -> bool {
    match caller.kind {
        CallerKind::Channel => caller.name == channel,
        CallerKind::Operator | CallerKind::Center | CallerKind::System => true,
    }
}
