//! Following orders: the watch of one to its end, and the lists of many.

use std::time::Duration;

use throughline::connection::bounded;
use throughline_kit::client::{GatewayClient, GatewayConfig};
use throughline_kit::id;
use throughline_proto::gateway::v1::CreateChannelRequest;
use throughline_proto::gateway::v1::access_service_client::AccessServiceClient;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{
    CustomerOrder, ListOrdersRequest, OrderState, WatchOrderRequest, WatchOrderResponse,
};
use throughline_tests::actions::cny;
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::world::World;
use tonic::Streaming;

const LINES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];

async fn watch(desk: &Desk, order_id: &str, version: i64) -> Streaming<WatchOrderResponse> {
    let request = WatchOrderRequest { order_id: order_id.to_owned(), version };
    let mut service = OrderServiceClient::new(desk.channel.channel());
    service.watch_order(request).await.expect("watched").into_inner()
}

async fn next(versions: &mut Streaming<WatchOrderResponse>) -> Option<CustomerOrder> {
    versions.message().await.expect("a version").and_then(|message| message.order)
}

/// States without repetition.
fn way(versions: &[CustomerOrder]) -> Vec<OrderState> {
    let mut states: Vec<OrderState> = versions.iter().map(CustomerOrder::state).collect();
    states.dedup();
    states
}

#[tokio::test]
async fn a_watch_shows_the_states_in_their_order_and_ends_with_the_order() {
    let world = World::start().await;
    let desk = &world.desk;
    let request = at_the_counter(order("watched", &LINES), Duration::from_secs(600));
    let order_id = desk.submit(request).await;
    let mut stream = watch(desk, &order_id, 0).await;
    let mut seen = Vec::new();
    while let Some(version) = next(&mut stream).await {
        if version.state() == OrderState::Pending && !version.payment_order_id.is_empty() {
            let paid = desk.take_cash(&version.payment_order_id, cny(9_950), "R-1").await;
            paid.expect("taken");
        }
        seen.push(version);
    }
    assert!(seen.is_sorted_by(|a, b| a.version < b.version), "each version is newer");
    let last = seen.last().expect("a version");
    assert!(last.end_time.is_some(), "the stream ends when the order ended");
    assert_eq!(last, &desk.order(&order_id).await);
    // A version that is followed at once by another may be passed over, but never the wait for the payer.
    let whole = [
        OrderState::Acknowledged,
        OrderState::InProgress,
        OrderState::Pending,
        OrderState::InProgress,
        OrderState::Completed,
    ];
    let mut possible = whole.iter();
    let seen = way(&seen);
    assert!(seen.iter().all(|state| possible.any(|next| next == state)), "{seen:?}");
    assert!(seen.contains(&OrderState::Pending) && seen.ends_with(&[OrderState::Completed]));
    world.end().await;
}

#[tokio::test]
async fn a_watch_that_resumes_gets_only_what_is_newer() {
    let world = World::start().await;
    let desk = &world.desk;
    let done = desk.carry_out(order("resumed", &LINES)).await;
    let mut stream = watch(desk, &done.order_id, done.version - 1).await;
    assert_eq!(next(&mut stream).await.as_ref(), Some(&done));
    assert_eq!(next(&mut stream).await, None);
    let mut stream = watch(desk, &done.order_id, done.version).await;
    assert_eq!(next(&mut stream).await, None, "nothing is newer, and nothing will be");
    world.end().await;
}

async fn list(client: &GatewayClient, request: ListOrdersRequest) -> Vec<String> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        // Two on a page, so that every list here is turned over.
        let request = ListOrdersRequest { page_size: 2, page_token, ..request.clone() };
        let mut service = OrderServiceClient::new(client.channel());
        let page = service.list_orders(bounded(request)).await.expect("orders").into_inner();
        assert!(page.orders.len() <= 2);
        found.extend(page.orders.into_iter().map(|order| order.channel_order_id));
        if page.next_page_token.is_empty() {
            return found;
        }
        page_token = page.next_page_token;
    }
}

/// A desk whose channel is another one.
pub(crate) async fn other_channel(world: &World, name: &str) -> Desk {
    let (name, request_id) = (name.to_owned(), id::new_request_id());
    let request = CreateChannelRequest { name, request_id, ..Default::default() };
    let mut access = AccessServiceClient::new(world.desk.operator.channel());
    let made = access.create_channel(bounded(request)).await.expect("a channel").into_inner();
    let config = GatewayConfig { uri: world.gateway_uri().to_owned(), api_key: made.api_key };
    Desk { channel: GatewayClient::new(&config).expect("a client"), ..world.desk.clone() }
}

#[tokio::test]
async fn lists_are_newest_first_and_filter_by_customer_state_and_channel() {
    let world = World::start().await;
    let desk = &world.desk;
    let other = other_channel(&world, "palm-hall").await;
    let of = |customer: &str, number: &str, units: i64| {
        let mut request = order(number, &[("phone", "handset-a1", units)]);
        let customer_id = &mut request.customer.as_mut().expect("a customer").customer_id;
        customer.clone_into(customer_id);
        request
    };
    for (by, customer, number, units) in [
        (desk, "anna", "1", 1),
        (desk, "ben", "2", 1),
        (desk, "anna", "3", 51),
        (&other, "anna", "4", 1),
        (desk, "anna", "5", 1),
    ] {
        by.carry_out(of(customer, number, units)).await;
    }
    let all = ListOrdersRequest::default;
    let anna = ListOrdersRequest { customer_id: "anna".to_owned(), ..all() };
    let rejected = ListOrdersRequest { state: OrderState::Rejected.into(), ..all() };
    let palm_hall = ListOrdersRequest { channel: "palm-hall".to_owned(), ..all() };
    let both = ListOrdersRequest { state: OrderState::Completed.into(), ..anna.clone() };
    let nobody = ListOrdersRequest { customer_id: "nobody".to_owned(), ..all() };
    for (who, what, request, expected) in [
        (&desk.operator, "all", all(), vec!["5", "4", "3", "2", "1"]),
        (&desk.operator, "anna's", anna.clone(), vec!["5", "4", "3", "1"]),
        (&desk.operator, "rejected", rejected, vec!["3"]),
        (&desk.operator, "of the palm hall", palm_hall.clone(), vec!["4"]),
        (&desk.operator, "anna's that are complete", both, vec!["5", "4", "1"]),
        (&desk.operator, "nobody's", nobody, vec![]),
        (&desk.channel, "its own", all(), vec!["5", "3", "2", "1"]),
        (&desk.channel, "its own whatever it asks", palm_hall, vec!["5", "3", "2", "1"]),
        (&other.channel, "its own", all(), vec!["4"]),
        (&other.channel, "anna's", anna, vec!["4"]),
    ] {
        assert_eq!(list(who, request).await, expected, "{what}");
    }
    world.end().await;
}
