//! Merging carts: the guest who signs in takes the lines along, once.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::CartState;

use crate::carts::{add, addition, create, line, lines_of, new_cart, read};
use crate::fixture::Center;
use crate::requests::{error, hall, reason, wrong_fields};

fn merge(into: &proto::Cart, from: &proto::Cart) -> proto::MergeCartsRequest {
    proto::MergeCartsRequest {
        request_id: new_request_id(),
        cart_id: into.cart_id.clone(),
        from_cart_id: from.cart_id.clone(),
        expected_version: 0,
    }
}

on_each_database!(a_guests_cart_goes_into_the_customers_once, async |mut center: Center| {
    let guest = create(&mut center, "").await;
    let own = create(&mut center, "ada").await;
    add(&mut center, &guest, line("mug", 2)).await;
    add(&mut center, &guest, line("plan-4g", 1)).await;
    add(&mut center, &own, line("mug", 1)).await;
    let request = merge(&own, &guest);
    let first = center.carts.merge_carts(hall(request.clone())).await.expect("merged");
    let again = center.carts.merge_carts(hall(request)).await.expect("the same");
    assert_eq!(first.into_inner(), again.into_inner());
    center.carts.merge_carts(hall(merge(&own, &guest))).await.expect("merged already");
    let (now, lines) = read(&mut center, &own).await;
    assert_eq!(lines, lines_of(&[("1", "mug", 3), ("2", "plan-4g", 1)]));
    assert_eq!(now.version, 3);
    let (ended, lines) = read(&mut center, &guest).await;
    assert_eq!(
        (ended.state(), ended.merged_into, lines.len()),
        (CartState::Merged, own.cart_id, 0)
    );
    let refused = error(center.carts.add_cart_item(hall(addition(&guest, line("mug", 1)))).await);
    assert_eq!(
        (refused.reason.as_str(), &*refused.metadata["state"]),
        ("CART_NOT_ACTIVE", "MERGED")
    );
    center
});

on_each_database!(carts_of_different_owners_stay_apart, async |mut center: Center| {
    let (adas, bobs) = (create(&mut center, "ada").await, create(&mut center, "bob").await);
    let refused = center.carts.merge_carts(hall(merge(&adas, &bobs))).await;
    assert_eq!(reason(refused), "CART_CUSTOMER_DIFFERS");
    let in_euro = proto::CreateCartRequest { currency_code: "EUR".to_owned(), ..new_cart("") };
    let in_euro = center.carts.create_cart(hall(in_euro)).await.expect("created").into_inner();
    let refused =
        center.carts.merge_carts(hall(merge(&adas, &in_euro.cart.expect("a cart")))).await;
    assert_eq!(reason(refused), "CART_CURRENCY_DIFFERS");
    let refused = center.carts.merge_carts(hall(merge(&adas, &adas))).await;
    assert_eq!(wrong_fields(refused), ["from_cart_id"]);
    assert_eq!(read(&mut center, &bobs).await.0.state(), CartState::Active);
    center
});
