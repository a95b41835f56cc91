//! Ended orders: they leave the table of live ones, and everything that is asked of them finds them.

use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{OrderState, StepKind, StepState};

use crate::fixture::{Center, NO_REGISTRY};
use crate::flows::{ACTIVATE, WAIT, business};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::{
    from_channel, hall, mugs, of_order, one_plan, operator, reason, returned, submission,
};

const LIVE: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM orders";
const ENDED: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM orders_archive";
const LIVE_MARKS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM order_marks";
/// Ended orders as an earlier version left them: among the live ones, without phone and marks.
const LEAVE_BEHIND: [&str; 4] = [
    "INSERT INTO orders (order_id, channel, channel_order_id, customer_id, phone, state, version, created_at_us, document) \
     SELECT order_id, channel, channel_order_id, customer_id, '', state, version, created_at_us, document \
     FROM orders_archive",
    "DELETE FROM orders_archive",
    "DELETE FROM archive_marks",
    "DELETE FROM order_marks",
];
/// Orders like the one that is there, each a microsecond younger than the one before.
const MANY: &str = "INSERT INTO orders (order_id, channel, channel_order_id, customer_id, phone, state, version, \
     created_at_us, document) \
     WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200), \
     ids (n, id) AS (SELECT n, SUBSTR('ord_00000000000000000000000000', 1, 30 - LENGTH(CAST(n AS TEXT))) \
         || CAST(n AS TEXT) FROM numbers) \
     SELECT ids.id, o.channel, CAST(ids.n AS TEXT), o.customer_id, '', o.state, o.version, o.created_at_us + ids.n, \
         REPLACE(o.document, o.order_id, ids.id) FROM orders o CROSS JOIN ids";
const PHONE: &str = "+442079460000";

fn all() -> proto::ListOrdersRequest {
    proto::ListOrdersRequest::default()
}

async fn list(center: &Center, request: proto::ListOrdersRequest) -> proto::ListOrdersResponse {
    center.orders.clone().list_orders(operator(request)).await.expect("list").into_inner()
}

async fn found(center: &Center, request: proto::ListOrdersRequest) -> Vec<String> {
    list(center, request).await.orders.into_iter().map(|order| order.order_id).collect()
}

/// Ids on all pages of a list.
async fn walk(center: &Center, request: proto::ListOrdersRequest) -> Vec<String> {
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = list(center, proto::ListOrdersRequest { page_token, ..request.clone() }).await;
        ids.extend(page.orders.into_iter().map(|order| order.order_id));
        if page.next_page_token.is_empty() {
            return ids;
        }
        page_token = page.next_page_token;
    }
}

/// Mugs for somebody with a phone.
fn phoned(number: &str) -> proto::SubmitOrderRequest {
    let mut request = proto::SubmitOrderRequest { channel_order_id: number.to_owned(), ..mugs(5) };
    request.customer.as_mut().expect("set").phone = PHONE.to_owned();
    request
}

on_each_database!(
    an_ended_order_leaves_the_live_ones_and_everything_still_finds_it,
    async |mut center: Center| {
        let request = phoned("sold-1");
        let id = center.submit(request.clone()).await;
        center.ends(&id, OrderState::Completed).await;
        center.advance(60);
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let live = center.submit(phoned("sold-2")).await;
        center.becomes(&live, OrderState::Pending).await;
        assert_eq!((center.number_in(LIVE).await, center.number_in(ENDED).await), (1, 1));
        assert_eq!(center.number_in("SELECT CAST(COUNT(*) AS BIGINT) FROM archive_marks").await, 2);

        let customer_id = "customer-1".to_owned();
        let both = [live.clone(), id.clone()];
        let filters: [(proto::ListOrdersRequest, &[String]); 10] = [
            (all(), &both),
            (proto::ListOrdersRequest { channel: "hall".to_owned(), ..all() }, &both),
            (proto::ListOrdersRequest { phone: PHONE.to_owned(), ..all() }, &both),
            (proto::ListOrdersRequest { customer_id: customer_id.clone(), ..all() }, &both),
            (proto::ListOrdersRequest { template: "standard".to_owned(), ..all() }, &both),
            (
                proto::ListOrdersRequest {
                    template: "standard".to_owned(),
                    customer_id,
                    phone: PHONE.to_owned(),
                    ..all()
                },
                &both,
            ),
            (
                proto::ListOrdersRequest { channel_order_id: "sold-1".to_owned(), ..all() },
                &both[1..],
            ),
            (proto::ListOrdersRequest { state: OrderState::Completed.into(), ..all() }, &both[1..]),
            (
                proto::ListOrdersRequest {
                    state: OrderState::Completed.into(),
                    channel: "hall".to_owned(),
                    ..all()
                },
                &both[1..],
            ),
            (proto::ListOrdersRequest { state: OrderState::Pending.into(), ..all() }, &both[..1]),
        ];
        for (filter, expected) in filters {
            assert_eq!(found(&center, filter.clone()).await, expected, "{filter:?}");
            let pages = walk(&center, proto::ListOrdersRequest { page_size: 1, ..filter }).await;
            assert_eq!(pages, expected, "one on each page");
        }

        let by_number =
            proto::GetOrderRequest { channel_order_id: "sold-1".to_owned(), ..Default::default() };
        let read = center.orders.get_order(hall(by_number)).await.expect("read").into_inner();
        assert_eq!(read.order.expect("an order").order_id, id);
        // The same request is answered the same, and another one does not get the number.
        let again = center.orders.submit_order(hall(request)).await.expect("answered").into_inner();
        assert_eq!(again.order_id, id);
        let taken = center.orders.submit_order(hall(phoned("sold-1"))).await;
        assert_eq!(reason(taken), "CHANNEL_ORDER_ID_TAKEN");
        center
            .orders
            .submit_order(from_channel("web", phoned("sold-1")))
            .await
            .expect("numbers of channels are their own");
        assert_eq!(reason(center.cancel(&id).await), "ORDER_TERMINAL");
        center
    }
);

on_each_database!(an_archived_order_is_returned_against_and_rated, async |mut center: Center| {
    let id = center.submit(phoned("sold")).await;
    center.ends(&id, OrderState::Completed).await;
    let line = returned("back", "mug", 2, of_order("sold"));
    let back = center.submit(submission(vec![line])).await;
    center.ends(&back, OrderState::Completed).await;
    assert_eq!((center.number_in(LIVE).await, center.number_in(LIVE_MARKS).await), (0, 0));
    let rating = proto::RateOrderRequest {
        request_id: throughline_kit::id::new_request_id(),
        order_id: id.clone(),
        score: 4,
        comment: String::new(),
    };
    center.orders.rate_order(hall(rating)).await.expect("rated");
    assert_eq!(center.get(&id).await.rating.expect("shown").score, 4);
    // What is left to return is known after a restart, too.
    let mut center = center.restart().await;
    let line = returned("back", "mug", 4, of_order("sold"));
    let more = center.submit(submission(vec![line])).await;
    let refused = center.ends(&more, OrderState::Rejected).await;
    assert_eq!(refused.failure.expect("a failure").reason, "ORIGINAL_LINE_NOT_FOUND");
    center
});

on_each_database!(
    pages_lose_and_double_nothing_while_orders_are_moved,
    async |mut center: Center| {
        let id = center.submit(phoned("first")).await;
        center.ends(&id, OrderState::Completed).await;
        let statements = [LEAVE_BEHIND.as_slice(), &[MANY]].concat();
        let center = center.restart_after(&statements).await;
        let request = proto::ListOrdersRequest { page_size: 50, ..all() };
        let expected: Vec<String> =
            (1..=200).rev().map(|n| format!("ord_{n:026}")).chain([id]).collect();
        eventually("all are moved", async || {
            let before = center.number_in(LIVE).await;
            assert_eq!(
                walk(&center, request.clone()).await,
                expected,
                "{before} are not moved yet"
            );
            (before == 0).then_some(())
        })
        .await;
        assert_eq!(center.number_in(ENDED).await, 201);
        for filter in [
            proto::ListOrdersRequest { phone: PHONE.to_owned(), ..request.clone() },
            proto::ListOrdersRequest { template: "retail-goods".to_owned(), ..request },
        ] {
            assert_eq!(found(&center, filter).await, expected[..50]);
        }
        center
    }
);

on_each_database!(
    live_orders_of_an_earlier_version_are_found_and_watched,
    async |mut center: Center| {
        center.publish(&business("home-visit", &[WAIT, ACTIVATE])).await;
        let mut request = one_visit();
        request.customer.as_mut().expect("set").phone = PHONE.to_owned();
        let id = center.submit(request).await;
        center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let forget = [
            "UPDATE orders SET phone = '', document = REPLACE(document, '\"marks\":', '\"forgotten\":')",
            "DELETE FROM order_marks",
            "DELETE FROM positions",
            "DELETE FROM upkeep",
        ];
        let center = center.restart_after(&forget).await;
        let load = center.monitors().list_load(operator(proto::ListLoadRequest::default())).await;
        let groups = load.expect("listed").into_inner().groups;
        let standing: Vec<_> = groups.iter().map(|group| group.step_id.as_str()).collect();
        assert_eq!(standing, ["visited"]);
        let filters = [
            proto::ListOrdersRequest { phone: PHONE.to_owned(), ..all() },
            proto::ListOrdersRequest { template: "home-visit".to_owned(), ..all() },
            proto::ListOrdersRequest { step_id: "visited".to_owned(), ..all() },
        ];
        for filter in filters.clone() {
            assert_eq!(found(&center, filter.clone()).await, [id.as_str()], "{filter:?}");
        }
        center.signal(&id, "visit.done").await.expect("taken");
        center.ends(&id, OrderState::Completed).await;
        let [phone, template, step] = filters;
        assert_eq!(found(&center, phone).await, [id.as_str()]);
        assert_eq!(found(&center, template).await, [id.as_str()]);
        assert!(found(&center, step).await.is_empty());
        center
    }
);

#[tokio::test]
async fn an_order_that_is_not_understood_any_more_is_told_of_and_hides_no_other() {
    let expected = [NO_REGISTRY, "read a published template", "read an order"];
    let _log = no_unexpected_warnings(&expected);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let mut ids = Vec::new();
        for request in [one_plan(), phoned("damaged"), phoned("sound")] {
            let id = center.submit(request).await;
            center.ends(&id, OrderState::Completed).await;
            center.advance(60);
            ids.push(id);
        }
        let damage = [
            "UPDATE templates SET source = 'not a template' WHERE name = 'telecom-plan'",
            "UPDATE orders_archive SET document = '{}' WHERE channel_order_id = 'damaged'",
        ];
        let center = center.restart_after(&damage).await;
        let shown = list(&center, all()).await.orders;
        let told = shown.iter().map(|order| {
            let failure = order.read_failure.as_ref().map_or("", |failure| &failure.reason);
            (order.order_id.as_str(), order.state(), failure)
        });
        let completed = OrderState::Completed;
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (ids[2].as_str(), completed, ""),
                (ids[1].as_str(), completed, "ORDER_UNREADABLE"),
                (ids[0].as_str(), completed, "TEMPLATE_MISSING"),
            ]
        );
        let [_, unreadable, unresolved] = shown.as_slice() else { panic!("three orders") };
        assert_eq!(unreadable.channel_order_id, "damaged");
        assert_eq!(unreadable.customer.as_ref().expect("known").phone, PHONE);
        let steps = &unresolved.business_orders[0].steps;
        assert!(steps.iter().all(|step| step.state() == StepState::Succeeded), "{steps:#?}");
        assert!(steps.iter().all(|step| step.kind() == StepKind::Unspecified));
        for order in &shown {
            assert_eq!(&center.get(&order.order_id).await, order, "alone as in the list");
        }
        center.stop().await;
    }
}
