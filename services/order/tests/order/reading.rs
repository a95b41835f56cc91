//! Reading orders: by id, in lists, and as they change.

use throughline_kit::testing::eventually;
use throughline_order::Config;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, WatchOrderRequest};
use tonic::{Request, Streaming};

use crate::fixture::{Center, is_terminal};
use crate::outside::Behavior;
use crate::requests::{error, from_channel, hall, mugs, one_plan, operator, reason, wrong_fields};

const NOWHERE: &str = "ord_00000000000000000000000000";

on_each_database!(what_is_not_there_is_not_found, async |mut center: Center| {
    for id in [NOWHERE, "nonsense", "ord_", "bo_00000000000000000000000000", "a\0b"] {
        let order_id = id.to_owned();
        let get = proto::GetOrderRequest { order_id: order_id.clone(), ..Default::default() };
        let refused = error(center.orders.get_order(operator(get)).await);
        assert_eq!(refused.reason, "ORDER_NOT_FOUND");
        assert_eq!(refused.metadata["order"], order_id);
        let watch = WatchOrderRequest { order_id, version: 0 };
        assert_eq!(reason(center.orders.watch_order(operator(watch)).await), "ORDER_NOT_FOUND");
        assert_eq!(reason(center.preview(id).await), "ORDER_NOT_FOUND");
        assert_eq!(reason(center.cancel(id).await), "ORDER_NOT_FOUND");
    }
    for number in ["", "17", "a\0b"] {
        let channel_order_id = number.to_owned();
        let get = proto::GetOrderRequest { channel_order_id, ..Default::default() };
        assert_eq!(reason(center.orders.get_order(hall(get)).await), "ORDER_NOT_FOUND");
    }
    center
});

on_each_database!(
    a_channel_sees_its_own_orders_and_an_operator_sees_all,
    async |mut center: Center| {
        let id = center.submit(mugs(1)).await;
        center.ends(&id, OrderState::Completed).await;
        let elsewhere = |order_id: &String| {
            from_channel(
                "web",
                proto::GetOrderRequest { order_id: order_id.clone(), ..Default::default() },
            )
        };
        assert_eq!(reason(center.orders.get_order(elsewhere(&id)).await), "ORDER_NOT_FOUND");
        let watch = from_channel("web", WatchOrderRequest { order_id: id.clone(), version: 0 });
        assert_eq!(reason(center.orders.watch_order(watch).await), "ORDER_NOT_FOUND");
        let preview = from_channel(
            "web",
            proto::PreviewCancelRequest { order_id: id.clone(), ..Default::default() },
        );
        assert_eq!(reason(center.orders.preview_cancel(preview).await), "ORDER_NOT_FOUND");
        // Whatever a channel asks for, it is given its own.
        let list = proto::ListOrdersRequest { channel: "hall".to_owned(), ..Default::default() };
        assert!(list_of(&center, from_channel("web", list.clone())).await.is_empty());
        assert_eq!(
            list_of(&center, hall(proto::ListOrdersRequest::default())).await,
            [id.as_str()]
        );
        assert_eq!(list_of(&center, operator(list)).await, [id.as_str()]);
        assert_eq!(center.get(&id).await.channel, "hall");
        center
    }
);

async fn list_of(center: &Center, request: Request<proto::ListOrdersRequest>) -> Vec<String> {
    let answer = center.orders.clone().list_orders(request).await.expect("list").into_inner();
    answer.orders.into_iter().map(|order| order.order_id).collect()
}

on_each_database!(lists_are_filtered_by_every_field, async |mut center: Center| {
    let done = center.submit(mugs(1)).await;
    center.ends(&done, OrderState::Completed).await;
    center.advance(1);
    center.outside.sell_out("msisdn");
    let mut other = one_plan();
    other.customer.as_mut().expect("set").customer_id = "customer-2".to_owned();
    let rejected = center.submit(other).await;
    center.ends(&rejected, OrderState::Rejected).await;
    center.advance(1);
    let on_the_web = center.orders.submit_order(from_channel("web", mugs(1))).await;
    let web = on_the_web.expect("accepted").into_inner().order_id;
    center.ends(&web, OrderState::Completed).await;
    let (completed, none) = (OrderState::Completed, OrderState::Unspecified);
    let table: [(&str, &str, OrderState, &[&String]); 8] = [
        ("", "", none, &[&web, &rejected, &done]),
        ("customer-1", "", none, &[&web, &done]),
        ("customer-2", "", none, &[&rejected]),
        ("customer-3", "", none, &[]),
        ("", "hall", none, &[&rejected, &done]),
        ("", "", completed, &[&web, &done]),
        ("customer-1", "hall", completed, &[&done]),
        ("customer-2", "hall", completed, &[]),
    ];
    for (customer_id, channel, state, expected) in table {
        let request = proto::ListOrdersRequest {
            customer_id: customer_id.to_owned(),
            channel: channel.to_owned(),
            state: state.into(),
            ..Default::default()
        };
        let found = list_of(&center, operator(request)).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{customer_id} {channel} {state:?}");
    }
    center
});

on_each_database!(
    pages_join_without_gap_or_overlap_though_orders_come_in,
    async |mut center: Center| {
        let mut made = Vec::new();
        for number in 0..5 {
            // Two of the same instant are told apart by their ids.
            center.advance(u64::from(number != 2));
            made.push(center.submit(mugs(1)).await);
        }
        made[1..3].sort();
        made.reverse();
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                proto::ListOrdersRequest { page_size: 2, page_token, ..Default::default() };
            let page = center.orders.list_orders(hall(request)).await.expect("list").into_inner();
            assert!(page.orders.len() <= 2);
            seen.extend(page.orders.into_iter().map(|order| order.order_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            center.advance(1);
            center.submit(mugs(1)).await;
        }
        assert_eq!(seen, made);
        center
    }
);

on_each_database!(list_requests_that_make_no_sense_are_refused, async |mut center: Center| {
    let list = proto::ListOrdersRequest::default;
    let wrong = proto::ListOrdersRequest { page_size: -1, ..list() };
    assert_eq!(wrong_fields(center.orders.list_orders(hall(wrong)).await), ["page_size"]);
    let wrong = proto::ListOrdersRequest {
        state: 99,
        customer_id: "x".repeat(65),
        channel: "a\0b".to_owned(),
        ..list()
    };
    let named = wrong_fields(center.orders.list_orders(hall(wrong)).await);
    assert_eq!(named, ["customer_id", "state", "channel"]);
    for page_token in ["x", "zz", "00ff"].map(str::to_owned) {
        let wrong = proto::ListOrdersRequest { page_token, ..list() };
        assert_eq!(reason(center.orders.list_orders(hall(wrong)).await), "PAGE_TOKEN_INVALID");
    }
    let large = proto::ListOrdersRequest { page_size: i32::MAX, ..list() };
    center.orders.list_orders(hall(large)).await.expect("clamped");
    center
});

async fn watch(
    center: &Center,
    order_id: &str,
    version: i64,
) -> Streaming<proto::WatchOrderResponse> {
    let request = WatchOrderRequest { order_id: order_id.to_owned(), version };
    center.orders.clone().watch_order(hall(request)).await.expect("watch").into_inner()
}

async fn next(stream: &mut Streaming<proto::WatchOrderResponse>) -> Option<proto::CustomerOrder> {
    let patience = std::time::Duration::from_secs(30);
    let message = tokio::time::timeout(patience, stream.message()).await.expect("news in time");
    message.expect("no failure").map(|message| message.order.expect("an order"))
}

on_each_database!(
    a_watch_begins_with_a_snapshot_and_follows_to_the_end,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let id = center.submit(mugs(1)).await;
        let pending = center.becomes(&id, OrderState::Pending).await;
        let mut stream = watch(&center, &id, 0).await;
        assert_eq!(next(&mut stream).await.as_ref(), Some(&pending), "the snapshot");
        center.outside.payer_pays(&pending.payment_order_id);
        let mut seen = vec![pending];
        while let Some(order) = next(&mut stream).await {
            assert!(order.version > seen.last().expect("one").version);
            seen.push(order);
        }
        let last = seen.last().expect("one");
        assert_eq!((last.state(), last), (OrderState::Completed, &center.get(&id).await));
        assert!(seen[..seen.len() - 1].iter().all(|order| !is_terminal(order.state())));
        center
    }
);

on_each_database!(
    a_watch_resumes_with_what_is_newer_and_ends_at_once_when_all_is_known,
    async |mut center: Center| {
        let id = center.submit(mugs(1)).await;
        let order = center.ends(&id, OrderState::Completed).await;
        let mut stream = watch(&center, &id, order.version - 1).await;
        assert_eq!(next(&mut stream).await.as_ref(), Some(&order));
        assert_eq!(next(&mut stream).await, None);
        let mut stream = watch(&center, &id, order.version).await;
        assert_eq!(next(&mut stream).await, None);
        center
    }
);

on_each_database!(watches_are_limited_and_a_watch_that_ends_makes_room, async |center: Center| {
    let config = Config { max_watches: 1, ..Config::default() };
    let mut center = center.restart_with(config).await;
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    center.becomes(&id, OrderState::Pending).await;
    let mut first = watch(&center, &id, 0).await;
    next(&mut first).await.expect("the snapshot");
    let request = WatchOrderRequest { order_id: id.clone(), version: 0 };
    let refused = error(center.orders.watch_order(hall(request.clone())).await);
    assert_eq!(refused.reason, "LIMIT_REACHED");
    assert_eq!(refused.metadata["limit"], "max_watches");
    drop(first);
    eventually("the first watch is gone", async || {
        center.orders.clone().watch_order(hall(request.clone())).await.ok()
    })
    .await;
    center
});

on_each_database!(a_watch_is_told_when_the_center_stops, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    center.becomes(&id, OrderState::Pending).await;
    let mut stream = watch(&center, &id, 0).await;
    let seen = next(&mut stream).await.expect("the snapshot");
    let center = center.restart().await;
    assert_eq!(reason(stream.message().await), "STOPPING");
    let mut stream = watch(&center, &id, seen.version).await;
    center.outside.payer_pays(&seen.payment_order_id);
    assert!(next(&mut stream).await.expect("newer").version > seen.version);
    center
});
