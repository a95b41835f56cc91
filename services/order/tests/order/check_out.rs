//! Checking out: a cart and its order begin and end together.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{CartState, CheckOutCartRequest, FailurePolicy, OrderState};

use crate::carts::{add, addition, create, line, read};
use crate::fixture::Center;
use crate::requests::{error, from_channel, hall, mugs, operator, reason, wrong_fields};

fn check_out(cart: &proto::Cart) -> CheckOutCartRequest {
    let like = mugs(1);
    CheckOutCartRequest {
        request_id: new_request_id(),
        cart_id: cart.cart_id.clone(),
        channel_order_id: like.channel_order_id,
        customer: like.customer,
        payment: like.payment,
        failure_policy: FailurePolicy::Branch.into(),
        ..Default::default()
    }
}

/// A guest's cart with two mugs and a plan.
async fn filled(center: &mut Center) -> proto::Cart {
    let cart = create(center, "").await;
    add(center, &cart, line("mug", 2)).await;
    add(center, &cart, line("plan-4g", 1)).await;
    cart
}

async fn orders(center: &Center) -> usize {
    let request = proto::ListOrdersRequest::default();
    let answer = center.orders.clone().list_orders(hall(request)).await.expect("listed");
    answer.into_inner().orders.len()
}

on_each_database!(a_cart_becomes_an_order_of_all_its_lines, async |mut center: Center| {
    let cart = filled(&mut center).await;
    let request = check_out(&cart);
    let first = center.carts.check_out_cart(hall(request.clone())).await.expect("checked out");
    let first = first.into_inner();
    assert_eq!((first.state(), first.group.as_str()), (OrderState::Acknowledged, ""));
    let order = center.ends(&first.order_id, OrderState::Completed).await;
    let lines = order.items.iter().map(|line| (line.offering_code.as_str(), line.quantity));
    assert_eq!(lines.collect::<Vec<_>>(), [("mug", 2), ("plan-4g", 1)]);
    let (ended, lines) = read(&mut center, &cart).await;
    assert_eq!((ended.state(), ended.order_id.as_str()), (CartState::CheckedOut, &*first.order_id));
    // The guest has a name now.
    assert_eq!((ended.customer_id.as_str(), lines.len()), ("customer-1", 2));
    let again = center.carts.check_out_cart(hall(request.clone())).await.expect("the same");
    assert_eq!(again.into_inner(), first);
    let mut center = center.restart().await;
    let again = center.carts.check_out_cart(hall(request.clone())).await.expect("the same");
    assert_eq!(again.into_inner(), first);
    let other = CheckOutCartRequest { channel_order_id: "another".to_owned(), ..request };
    assert_eq!(reason(center.carts.check_out_cart(hall(other)).await), "REQUEST_ID_REUSED");
    let refused = error(center.carts.check_out_cart(hall(check_out(&cart))).await);
    assert_eq!(
        (refused.reason.as_str(), &*refused.metadata["state"]),
        ("CART_NOT_ACTIVE", "CHECKED_OUT")
    );
    let late = center.carts.add_cart_item(hall(addition(&cart, line("mug", 1)))).await;
    assert_eq!(reason(late), "CART_NOT_ACTIVE");
    assert_eq!(orders(&center).await, 1);
    center
});

on_each_database!(
    a_cart_checked_out_many_times_at_once_is_one_order,
    async |mut center: Center| {
        let cart = filled(&mut center).await;
        let repeated = check_out(&cart);
        let sent = (0..16).map(|n| {
            let request = if n % 2 == 0 { repeated.clone() } else { check_out(&cart) };
            let mut carts = center.carts.clone();
            async move { carts.check_out_cart(hall(request)).await }
        });
        let mut ids = Vec::new();
        for answer in futures::future::join_all(sent).await {
            match answer {
                Ok(answer) => ids.push(answer.into_inner().order_id),
                Err(status) => {
                    let reason = reason(Err::<(), _>(status));
                    let allowed = ["REQUEST_IN_PROGRESS", "CART_NOT_ACTIVE", "CART_CHANGED"];
                    assert!(allowed.contains(&reason.as_str()), "{reason}");
                }
            }
        }
        ids.dedup();
        assert_eq!((ids.len(), orders(&center).await), (1, 1));
        assert_eq!(read(&mut center, &cart).await.0.order_id, ids[0]);
        center.ends(&ids[0], OrderState::Completed).await;
        center
    }
);

on_each_database!(what_is_refused_leaves_the_cart_as_it_was, async |mut center: Center| {
    let taken = mugs(1);
    let id = center.submit(taken.clone()).await;
    center.ends(&id, OrderState::Completed).await;
    let cart = filled(&mut center).await;
    let (before, _) = read(&mut center, &cart).await;
    let number =
        CheckOutCartRequest { channel_order_id: taken.channel_order_id, ..check_out(&cart) };
    for _ in 0..2 {
        let refused = center.carts.check_out_cart(hall(number.clone())).await;
        assert_eq!(reason(refused), "CHANNEL_ORDER_ID_TAKEN");
    }
    let elsewhere = center.carts.check_out_cart(from_channel("web", check_out(&cart))).await;
    assert_eq!(reason(elsewhere), "CART_NOT_FOUND");
    let stale = CheckOutCartRequest { expected_version: 1, ..check_out(&cart) };
    assert_eq!(reason(center.carts.check_out_cart(hall(stale)).await), "CART_CHANGED");
    let of_campaign = CheckOutCartRequest { campaign: "spring".to_owned(), ..check_out(&cart) };
    let refused = center.carts.check_out_cart(hall(of_campaign)).await;
    assert_eq!(reason(refused), "CAMPAIGN_NOT_FOUND");
    let nobodys = CheckOutCartRequest { customer: None, payment: None, ..check_out(&cart) };
    assert_eq!(wrong_fields(center.carts.check_out_cart(hall(nobodys)).await), ["customer"]);
    assert_eq!(read(&mut center, &cart).await.0, before);
    assert_eq!(orders(&center).await, 1);
    let adas = create(&mut center, "ada").await;
    let refused = center.carts.check_out_cart(hall(check_out(&adas))).await;
    assert_eq!(reason(refused), "CART_EMPTY");
    add(&mut center, &adas, line("mug", 1)).await;
    let refused = center.carts.check_out_cart(hall(check_out(&adas))).await;
    assert_eq!(reason(refused), "CART_CUSTOMER_DIFFERS");
    center.advance(3_600);
    let refused = center.carts.check_out_cart(hall(check_out(&cart))).await;
    assert_eq!(reason(refused), "CART_NOT_ACTIVE");
    center
});

on_each_database!(
    what_an_operator_checks_out_belongs_to_the_channel_of_the_cart,
    async |mut center: Center| {
        let cart = filled(&mut center).await;
        let request = check_out(&cart);
        let number = request.channel_order_id.clone();
        let answer = center.carts.check_out_cart(operator(request.clone())).await;
        let answer = answer.expect("checked out").into_inner();
        let order = center.ends(&answer.order_id, OrderState::Completed).await;
        assert_eq!((order.channel.as_str(), order.channel_order_id), ("hall", number));
        assert_eq!(orders(&center).await, 1, "its channel sees it");
        let again = center.carts.check_out_cart(operator(request)).await.expect("the same");
        assert_eq!(again.into_inner(), answer);
        center
    }
);
