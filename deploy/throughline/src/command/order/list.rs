//! `order list`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;

use super::order_state;
use crate::args::{OrderFilter, OrderList};
use crate::connection::{Session, bounded, refused};
use crate::console::{amount, date_time};
use crate::{given, pages};

pub(super) async fn run(session: &Session, wanted: OrderList) -> Result<ExitCode, Error> {
    let request = request(wanted.filter)?;
    let client = OrderServiceClient::new(session.operator()?);
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListOrdersRequest { page_size, page_token, ..request.clone() };
        let mut client = client.clone();
        async move {
            let page = client.list_orders(bounded(request)).await.map_err(refused)?.into_inner();
            Ok((page.orders, page.next_page_token))
        }
    })
    .await?;
    let heading = ["ORDER", "STATE", "!", "CHANNEL", "NUMBER", "ITEMS", "TOTAL", "ACCEPTED (UTC)"];
    session.console.list(&found, heading, row)
}

fn request(filter: OrderFilter) -> Result<proto::ListOrdersRequest, Error> {
    let state = filter.state.as_deref();
    Ok(proto::ListOrdersRequest {
        state: given::enum_value("throughline.order.v1.OrderState", "ORDER_STATE_", state)?,
        create_time_from: given::time("--from", filter.from.as_deref())?,
        create_time_before: given::time("--before", filter.before.as_deref())?,
        customer_id: filter.customer.unwrap_or_default(),
        phone: filter.phone.unwrap_or_default(),
        channel: filter.channel.unwrap_or_default(),
        channel_order_id: filter.number.unwrap_or_default(),
        template: filter.template.unwrap_or_default(),
        step_id: filter.step.unwrap_or_default(),
        exception: filter.exception.unwrap_or_default(),
        attention: filter.attention,
        jeopardy: filter.jeopardy,
        ..proto::ListOrdersRequest::default()
    })
}

fn row(order: &proto::CustomerOrder) -> [String; 8] {
    // What is not understood is asked about before what somebody should look at.
    let sign = match (&order.read_failure, order.attention) {
        (Some(_), _) => "?",
        (None, true) => "!",
        (None, false) => "",
    };
    [
        order.order_id.clone(),
        order_state(order).to_owned(),
        sign.to_owned(),
        order.channel.clone(),
        order.channel_order_id.clone(),
        order.items.len().to_string(),
        amount(order.total.as_ref()),
        date_time(order.create_time.as_ref()),
    ]
}
