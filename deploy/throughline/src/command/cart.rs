//! `cart …`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::cart_service_client::CartServiceClient;

use crate::args::{CartCommand, CartList};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, date_time, short};
use crate::{given, pages};

pub(super) async fn run(session: &Session, command: CartCommand) -> Result<ExitCode, Error> {
    match command {
        CartCommand::Show { id } => {
            let answer = CartServiceClient::new(session.operator()?)
                .get_cart(bounded(proto::GetCartRequest { cart_id: id }))
                .await
                .map_err(refused)?
                .into_inner();
            session.console.answer(&answer, |answer| show(session.console, answer))
        }
        CartCommand::List(wanted) => list(session, wanted).await,
    }
}

async fn list(session: &Session, wanted: CartList) -> Result<ExitCode, Error> {
    let client = CartServiceClient::new(session.operator()?);
    let state = wanted.state.as_deref();
    let request = proto::ListCartsRequest {
        customer_id: wanted.customer.unwrap_or_default(),
        visitor_id: wanted.visitor.unwrap_or_default(),
        state: given::enum_value("throughline.order.v1.CartState", "CART_STATE_", state)?,
        ..proto::ListCartsRequest::default()
    };
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListCartsRequest { page_size, page_token, ..request.clone() };
        let mut client = client.clone();
        async move {
            let page = client.list_carts(bounded(request)).await.map_err(refused)?.into_inner();
            Ok((page.carts, page.next_page_token))
        }
    })
    .await?;
    let heading = ["CART", "STATE", "CHANNEL", "LINES", "UNITS", "CHANGED (UTC)", "BECAME"];
    session.console.list(&found, heading, row)
}

fn row(cart: &proto::Cart) -> [String; 7] {
    [
        cart.cart_id.clone(),
        state(cart).to_owned(),
        cart.channel.clone(),
        cart.line_count.to_string(),
        cart.unit_count.to_string(),
        date_time(cart.update_time.as_ref()),
        became(cart),
    ]
}

fn state(cart: &proto::Cart) -> &'static str {
    short(cart.state().as_str_name(), "CART_STATE_")
}

/// The order or the cart that has the lines now.
fn became(cart: &proto::Cart) -> String {
    if cart.order_id.is_empty() { cart.merged_into.clone() } else { cart.order_id.clone() }
}

fn show(console: Console, answer: &proto::GetCartResponse) {
    let cart = answer.cart.clone().unwrap_or_default();
    let whose = match cart.customer_id.as_str() {
        "" => format!("visitor {}", cart.visitor_id),
        customer => format!("customer {customer}"),
    };
    console.line(format!("cart      {}  {}  {}", cart.cart_id, state(&cart), became(&cart)));
    console.line(format!("channel   {}, {whose}, version {}", cart.channel, cart.version));
    let (changed, expires) =
        (date_time(cart.update_time.as_ref()), date_time(cart.expire_time.as_ref()));
    console.line(format!("changed   {changed}, expires {expires}"));
    console.line("");
    let rows: Vec<[String; 5]> = answer.items.iter().map(line).collect();
    console.table(["LINE", "OFFERING", "UNITS", "ACTION", "CHOICES"], &rows);
}

fn line(item: &proto::OrderItem) -> [String; 5] {
    let mut choices: Vec<String> =
        item.characteristics.iter().map(|(name, value)| format!("{name}={value}")).collect();
    choices.sort_unstable();
    [
        item.item_key.clone(),
        item.offering_code.clone(),
        item.quantity.to_string(),
        short(item.action().as_str_name(), "ITEM_ACTION_").to_owned(),
        choices.join(" "),
    ]
}
