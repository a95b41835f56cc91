//! Carts: what is kept, what is refused, who sees them, and when they are over.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::clock::{Instant, span_to_proto};
use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::CartState;

use crate::fixture::Center;
use crate::requests::{error, from_channel, hall, item, operator, reason};

/// How long the carts of these tests live, in seconds.
const TTL_S: u64 = 3_600;

pub(crate) fn new_cart(customer: &str) -> proto::CreateCartRequest {
    proto::CreateCartRequest {
        request_id: new_request_id(),
        customer_id: customer.to_owned(),
        visitor_id: "visitor-7".to_owned(),
        currency_code: "GBP".to_owned(),
        ttl: Some(span_to_proto(Duration::from_secs(TTL_S))),
    }
}

/// Creates a cart of the channel "hall"; no customer stands for a guest.
pub(crate) async fn create(center: &mut Center, customer: &str) -> proto::Cart {
    let answer = center.carts.create_cart(hall(new_cart(customer))).await.expect("created");
    answer.into_inner().cart.expect("a cart")
}

pub(crate) fn line(offering: &str, quantity: i64) -> proto::OrderItem {
    item("", offering, quantity)
}

pub(crate) fn addition(cart: &proto::Cart, item: proto::OrderItem) -> proto::AddCartItemRequest {
    proto::AddCartItemRequest {
        request_id: new_request_id(),
        cart_id: cart.cart_id.clone(),
        item: Some(item),
        expected_version: 0,
    }
}

/// Adds a line as the channel "hall".
pub(crate) async fn add(
    center: &mut Center,
    cart: &proto::Cart,
    item: proto::OrderItem,
) -> proto::AddCartItemResponse {
    let answer = center.carts.add_cart_item(hall(addition(cart, item))).await;
    answer.expect("added").into_inner()
}

/// Reads a cart and its lines: key, offering, units.
pub(crate) async fn read(
    center: &mut Center,
    cart: &proto::Cart,
) -> (proto::Cart, Vec<(String, String, i64)>) {
    let request = proto::GetCartRequest { cart_id: cart.cart_id.clone() };
    let answer = center.carts.get_cart(operator(request)).await.expect("there").into_inner();
    let lines = answer.items.into_iter();
    let lines = lines.map(|line| (line.item_key, line.offering_code, line.quantity)).collect();
    (answer.cart.expect("a cart"), lines)
}

pub(crate) fn lines_of(lines: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    let owned = |(key, offering, units): &(&str, &str, i64)| {
        ((*key).to_owned(), (*offering).to_owned(), *units)
    };
    lines.iter().map(owned).collect()
}

fn in_red() -> BTreeMap<String, String> {
    [("color".to_owned(), "red".to_owned())].into()
}

pub(crate) fn update(cart: &proto::Cart, key: &str, quantity: i64) -> proto::UpdateCartItemRequest {
    proto::UpdateCartItemRequest {
        request_id: new_request_id(),
        cart_id: cart.cart_id.clone(),
        item_key: key.to_owned(),
        quantity: Some(quantity),
        choices: None,
        expected_version: 0,
    }
}

fn removal(cart: &proto::Cart, key: &str) -> proto::RemoveCartItemRequest {
    proto::RemoveCartItemRequest {
        request_id: new_request_id(),
        cart_id: cart.cart_id.clone(),
        item_key: key.to_owned(),
        expected_version: 0,
    }
}

pub(crate) fn deletion(cart: &proto::Cart) -> proto::DeleteCartRequest {
    let (request_id, cart_id) = (new_request_id(), cart.cart_id.clone());
    proto::DeleteCartRequest { request_id, cart_id, expected_version: 0 }
}

on_each_database!(a_cart_keeps_what_was_put_in_it, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    assert_eq!((cart.state(), cart.version, cart.line_count), (CartState::Active, 1, 0));
    add(&mut center, &cart, line("mug", 2)).await;
    add(&mut center, &cart, line("plan-4g", 1)).await;
    let same = add(&mut center, &cart, line("mug", 3)).await;
    let (key, units) = same.item.map(|line| (line.item_key, line.quantity)).expect("a line");
    assert_eq!((key.as_str(), units), ("1", 5));
    let red = proto::OrderItem { characteristics: in_red(), ..line("mug", 1) };
    add(&mut center, &cart, red).await;
    center.carts.update_cart_item(hall(update(&cart, "2", 7))).await.expect("updated");
    let choices = Some(proto::CartChoices { characteristics: in_red() });
    let like = proto::UpdateCartItemRequest { quantity: None, choices, ..update(&cart, "1", 0) };
    let joined = center.carts.update_cart_item(hall(like)).await.expect("updated").into_inner();
    assert_eq!(joined.item.map(|line| line.quantity), Some(6));
    let mut center = center.restart().await;
    let (now, lines) = read(&mut center, &cart).await;
    assert_eq!(lines, lines_of(&[("1", "mug", 6), ("2", "plan-4g", 7)]));
    assert_eq!((now.line_count, now.unit_count, now.version), (2, 13, 7));
    let gone = center.carts.remove_cart_item(hall(removal(&cart, "1"))).await.expect("removed");
    assert_eq!(gone.into_inner().item.map(|line| line.offering_code), Some("mug".to_owned()));
    let refused = center.carts.remove_cart_item(hall(removal(&cart, "1"))).await;
    assert_eq!(reason(refused), "CART_ITEM_NOT_FOUND");
    center
});

on_each_database!(a_repeated_change_is_made_once, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    let request = addition(&cart, line("mug", 1));
    let first = center.carts.add_cart_item(hall(request.clone())).await.expect("added");
    let again = center.carts.add_cart_item(hall(request.clone())).await.expect("the same");
    assert_eq!(first.into_inner(), again.into_inner());
    assert_eq!(read(&mut center, &cart).await.0.unit_count, 1);
    let other = proto::AddCartItemRequest { item: Some(line("mug", 2)), ..request };
    assert_eq!(reason(center.carts.add_cart_item(hall(other)).await), "REQUEST_ID_REUSED");
    let request = new_cart("ada");
    let first = center.carts.create_cart(hall(request.clone())).await.expect("created");
    let again = center.carts.create_cart(hall(request)).await.expect("the same");
    assert_eq!(first.into_inner(), again.into_inner());
    center
});

on_each_database!(additions_that_come_at_once_all_count, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    let sent = (0..40).map(|n| {
        let offering = if n % 2 == 0 { "mug" } else { "plan-4g" };
        let (mut carts, request) = (center.carts.clone(), hall(addition(&cart, line(offering, 1))));
        async move { carts.add_cart_item(request).await }
    });
    for answer in futures::future::join_all(sent).await {
        answer.expect("added");
    }
    let (now, lines) = read(&mut center, &cart).await;
    assert_eq!((now.unit_count, now.version, lines.len()), (40, 41, 2));
    center
});

on_each_database!(who_expects_another_version_hears_of_it, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    add(&mut center, &cart, line("mug", 1)).await;
    let mut request = addition(&cart, line("mug", 1));
    request.expected_version = cart.version;
    let refused = error(center.carts.add_cart_item(hall(request.clone())).await);
    assert_eq!((refused.reason.as_str(), &*refused.metadata["version"]), ("CART_CHANGED", "2"));
    // The refusal says to read again, so the same request id may come again.
    request.expected_version = 2;
    center.carts.add_cart_item(hall(request)).await.expect("added");
    let stale = proto::DeleteCartRequest { expected_version: 2, ..deletion(&cart) };
    assert_eq!(reason(center.carts.delete_cart(hall(stale)).await), "CART_CHANGED");
    let fresh = proto::DeleteCartRequest { expected_version: 3, ..deletion(&cart) };
    center.carts.delete_cart(hall(fresh)).await.expect("deleted");
    center
});

on_each_database!(a_cart_that_nobody_changes_is_over, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    center.advance(TTL_S - 1);
    let moved = add(&mut center, &cart, line("mug", 1)).await.cart.expect("a cart");
    let expires = Instant::from_proto(&moved.expire_time.expect("set"));
    assert_eq!(expires, center.clock.now().plus(Duration::from_secs(TTL_S)));
    center.advance(TTL_S - 1);
    assert_eq!(read(&mut center, &cart).await.0.state(), CartState::Active);
    // To read moves nothing.
    center.advance(1);
    let (over, lines) = read(&mut center, &cart).await;
    assert_eq!((over.state(), lines.len()), (CartState::Expired, 1));
    let refused = error(center.carts.add_cart_item(hall(addition(&cart, line("mug", 1)))).await);
    assert_eq!(
        (refused.reason.as_str(), &*refused.metadata["state"]),
        ("CART_NOT_ACTIVE", "EXPIRED")
    );
    assert_eq!(listed(&mut center, "ada", CartState::Expired).await.len(), 1);
    assert!(listed(&mut center, "ada", CartState::Active).await.is_empty());
    eventually("the sweeper notes it", async || {
        let request = proto::GetCartRequest { cart_id: cart.cart_id.clone() };
        let answer = center.carts.clone().get_cart(hall(request)).await.expect("there");
        answer.into_inner().cart.filter(|cart| cart.version == 3)
    })
    .await;
    assert_eq!(listed(&mut center, "ada", CartState::Expired).await.len(), 1);
    center.advance(31 * 24 * 3600);
    eventually("the row goes", async || {
        let request = proto::GetCartRequest { cart_id: cart.cart_id.clone() };
        center.carts.clone().get_cart(hall(request)).await.err()
    })
    .await;
    center
});

async fn listed(center: &mut Center, customer: &str, state: CartState) -> Vec<proto::Cart> {
    let request = proto::ListCartsRequest {
        customer_id: customer.to_owned(),
        state: state.into(),
        ..Default::default()
    };
    center.carts.list_carts(hall(request)).await.expect("listed").into_inner().carts
}

on_each_database!(a_channel_sees_its_own_carts_and_an_operator_all, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    let web = |message| from_channel("web", message);
    let get = proto::GetCartRequest { cart_id: cart.cart_id.clone() };
    assert_eq!(reason(center.carts.get_cart(web(get.clone())).await), "CART_NOT_FOUND");
    let refused = center.carts.add_cart_item(from_channel("web", addition(&cart, line("mug", 1))));
    assert_eq!(reason(refused.await), "CART_NOT_FOUND");
    center.carts.create_cart(from_channel("web", new_cart("ada"))).await.expect("created");
    let list = proto::ListCartsRequest { customer_id: "ada".to_owned(), ..Default::default() };
    let all = center.carts.list_carts(operator(list.clone())).await.expect("listed").into_inner();
    assert_eq!(all.carts.len(), 2);
    assert_eq!(listed(&mut center, "ada", CartState::Unspecified).await.len(), 1);
    let transfer = proto::TransferCartRequest {
        request_id: new_request_id(),
        cart_id: cart.cart_id.clone(),
        channel: "web".to_owned(),
        expected_version: 0,
    };
    center.carts.transfer_cart(hall(transfer.clone())).await.expect("transferred");
    assert_eq!(reason(center.carts.get_cart(hall(get.clone())).await), "CART_NOT_FOUND");
    center.carts.get_cart(web(get)).await.expect("the web has it");
    let guest = create(&mut center, "").await;
    let refused = proto::TransferCartRequest {
        request_id: new_request_id(),
        cart_id: guest.cart_id.clone(),
        ..transfer
    };
    assert_eq!(reason(center.carts.transfer_cart(hall(refused)).await), "CART_CUSTOMER_MISSING");
    let of_guest =
        proto::ListCartsRequest { visitor_id: "visitor-7".to_owned(), ..Default::default() };
    let found = center.carts.list_carts(hall(of_guest)).await.expect("listed").into_inner();
    assert_eq!(found.carts, [guest]);
    center
});

on_each_database!(pages_of_carts_join_without_gap_or_overlap, async |mut center: Center| {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(create(&mut center, "ada").await.cart_id);
    }
    let mut request = proto::ListCartsRequest {
        page_size: 2,
        customer_id: "ada".to_owned(),
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = center.carts.list_carts(hall(request.clone())).await.expect("listed");
        let page = page.into_inner();
        seen.extend(page.carts.into_iter().map(|cart| cart.cart_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    made.reverse();
    assert_eq!(seen, made);
    center
});
