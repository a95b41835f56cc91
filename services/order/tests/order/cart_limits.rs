//! What carts refuse: too much, wrong fields, prices without a right to them.

use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::r#type::v1::UnitPrice;

use crate::carts::{add, addition, create, deletion, line, new_cart, update};
use crate::fixture::Center;
use crate::requests::{error, from_channel, hall, reason, with_rights, wrong_fields};

on_each_database!(limits_of_carts_are_named, async |mut center: Center| {
    let limit = |refused: Error| {
        assert_eq!(refused.reason, "LIMIT_REACHED");
        refused.metadata["limit"].clone()
    };
    let cart = create(&mut center, "ada").await;
    add(&mut center, &cart, line("mug", 1_000_000)).await;
    let refused = center.carts.add_cart_item(hall(addition(&cart, line("mug", 1)))).await;
    assert_eq!(limit(error(refused)), "max_units_per_line");
    for n in 1..100 {
        let request = proto::CreateCartRequest { ..new_cart("ada") };
        center.carts.create_cart(hall(request)).await.unwrap_or_else(|e| panic!("cart {n}: {e}"));
    }
    let refused = center.carts.create_cart(from_channel("web", new_cart("ada"))).await;
    assert_eq!(limit(error(refused)), "max_active_carts");
    create(&mut center, "bob").await;
    center.carts.delete_cart(hall(deletion(&cart))).await.expect("deleted");
    center.carts.delete_cart(hall(deletion(&cart))).await.expect("deleted already");
    create(&mut center, "ada").await;
    for _ in 0..100 {
        create(&mut center, "").await;
    }
    let refused = center.carts.create_cart(hall(new_cart(""))).await;
    assert_eq!(limit(error(refused)), "max_active_carts");
    let elsewhere = center.carts.create_cart(from_channel("web", new_cart(""))).await;
    elsewhere.expect("another channel's visitor");
    center
});

type Spoil = fn(&mut proto::AddCartItemRequest);

/// What is wrong with an addition, and the paths that the refusal names.
const WRONG: &[(Spoil, &[&str])] = &[
    (|r| r.request_id = "1".to_owned(), &["request_id"]),
    (|r| r.item = None, &["item"]),
    (|r| r.expected_version = -1, &["expected_version"]),
    (|r| the(r).item_key = "a".to_owned(), &["item.item_key"]),
    (|r| the(r).offering_code.clear(), &["item.offering_code"]),
    (|r| the(r).offering_code = "a\0b".to_owned(), &["item.offering_code"]),
    (|r| the(r).quantity = 0, &["item.quantity"]),
    (|r| the(r).quantity = 1_000_001, &["item.quantity"]),
    (|r| the(r).action = 9, &["item.action"]),
    (
        |r| the(r).characteristics = [("grade".to_owned(), "x".repeat(201))].into(),
        &["item.characteristics[grade]"],
    ),
];

fn the(request: &mut proto::AddCartItemRequest) -> &mut proto::OrderItem {
    request.item.as_mut().expect("set")
}

on_each_database!(every_wrong_field_of_a_cart_is_named, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    for (row, (spoil, paths)) in WRONG.iter().enumerate() {
        let mut request = addition(&cart, line("mug", 1));
        spoil(&mut request);
        let named = wrong_fields(center.carts.add_cart_item(hall(request)).await);
        assert_eq!(named, *paths, "row {row}");
    }
    let nobodys = proto::CreateCartRequest { visitor_id: String::new(), ..new_cart("") };
    let named = wrong_fields(center.carts.create_cart(hall(nobodys)).await);
    assert_eq!(named, ["visitor_id"]);
    for seconds in [59, 90 * 24 * 3600 + 1] {
        let ttl = Some(span_to_proto(Duration::from_secs(seconds)));
        let request = proto::CreateCartRequest { ttl, ..new_cart("ada") };
        assert_eq!(wrong_fields(center.carts.create_cart(hall(request)).await), ["ttl"]);
    }
    let nothing = proto::UpdateCartItemRequest { quantity: None, ..update(&cart, "1", 1) };
    let named = wrong_fields(center.carts.update_cart_item(hall(nothing)).await);
    assert_eq!(named, ["quantity"]);
    let anybodys = proto::ListCartsRequest::default();
    let named = wrong_fields(center.carts.list_carts(hall(anybodys)).await);
    assert_eq!(named, ["customer_id"]);
    for cart_id in ["", "cart_1", "a\0b"] {
        let request = proto::GetCartRequest { cart_id: cart_id.to_owned() };
        assert_eq!(reason(center.carts.get_cart(hall(request)).await), "CART_NOT_FOUND");
    }
    center
});

on_each_database!(a_price_in_a_cart_needs_the_right_to_it, async |mut center: Center| {
    let cart = create(&mut center, "ada").await;
    let priced = |currency: &str| {
        let price = UnitPrice { currency_code: currency.to_owned(), micro_units: 85_000 };
        addition(&cart, proto::OrderItem { agreed_unit_price: Some(price), ..line("mug", 1) })
    };
    let refused = center.carts.add_cart_item(hall(priced("GBP"))).await;
    assert_eq!(reason(refused), "AGREED_PRICE_NOT_GRANTED");
    let granted = with_rights("hall", "agreed-price", priced("GBP"));
    center.carts.add_cart_item(granted).await.expect("granted");
    let in_euro = with_rights("hall", "agreed-price", priced("EUR"));
    assert_eq!(reason(center.carts.add_cart_item(in_euro).await), "CART_CURRENCY_DIFFERS");
    center
});
