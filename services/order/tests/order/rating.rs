//! What customers say of their orders after the end.

use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::OrderState;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{
    changed, error, from_channel, hall, mugs, one_plan, operator, reason, wrong_fields,
};

fn rating(order_id: &str, score: i32) -> proto::RateOrderRequest {
    proto::RateOrderRequest {
        request_id: new_request_id(),
        order_id: order_id.to_owned(),
        score,
        comment: "快 and friendly".to_owned(),
    }
}

async fn list(center: &Center, request: proto::ListRatingsRequest) -> proto::ListRatingsResponse {
    let mut operations = OperationServiceClient::new(center.channel().await);
    operations.list_ratings(operator(request)).await.expect("listed").into_inner()
}

fn orders_of(listed: &proto::ListRatingsResponse) -> Vec<&str> {
    listed.ratings.iter().map(|one| one.order_id.as_str()).collect()
}

on_each_database!(an_order_is_rated_once_after_its_end, async |mut center: Center| {
    center.outside.next("StartAttempt", &[Behavior::Pending]);
    let id = center.submit(mugs(1)).await;
    let order = center.becomes(&id, OrderState::Pending).await;
    let early = rating(&id, 5);
    let refused = error(center.orders.rate_order(hall(early.clone())).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["state"].as_str()),
        ("ORDER_NOT_ENDED", "PENDING")
    );
    center.outside.payer_pays(&order.payment_order_id);
    center.becomes(&id, OrderState::Completed).await;
    // A request keeps its first answer.
    assert_eq!(reason(center.orders.rate_order(hall(early)).await), "ORDER_NOT_ENDED");
    assert_eq!(
        reason(center.orders.rate_order(from_channel("web", rating(&id, 5))).await),
        "ORDER_NOT_FOUND"
    );
    let good = rating(&id, 4);
    for _ in 0..2 {
        let given = center.orders.rate_order(hall(good.clone())).await.expect("rated");
        assert_eq!(given.into_inner().rating.expect("a rating").score, 4);
    }
    let again = error(center.orders.rate_order(hall(rating(&id, 1))).await);
    assert_eq!((again.reason.as_str(), &again.metadata["order"]), ("RATED_ALREADY", &id));
    let shown = center.get(&id).await.rating.expect("shown with the order");
    assert_eq!((shown.score, shown.comment.as_str()), (4, "快 and friendly"));
    let told = center.events_until("order.rated").await;
    let told = changed(told.last().expect("the event"));
    assert_eq!((told.score, told.note.as_str()), (4, "快 and friendly"));
    center
});

on_each_database!(ratings_are_listed_with_the_averages_of_templates, async |mut center: Center| {
    let mut ids = Vec::new();
    for (request, score) in [(mugs(1), 5), (mugs(1), 2), (one_plan(), 3)] {
        let id = center.submit(request).await;
        center.ends(&id, OrderState::Completed).await;
        center.orders.rate_order(hall(rating(&id, score))).await.expect("rated");
        center.advance(60);
        ids.push(id);
    }
    let unrated = center.submit(mugs(1)).await;
    center.ends(&unrated, OrderState::Completed).await;
    let shown = center.orders.list_orders(hall(proto::ListOrdersRequest::default())).await;
    let shown = shown.expect("listed").into_inner().orders;
    let scores: Vec<_> =
        shown.iter().map(|order| order.rating.as_ref().map(|rating| rating.score)).collect();
    assert_eq!(scores, [None, Some(3), Some(2), Some(5)]);

    let all = list(&center, proto::ListRatingsRequest::default()).await;
    assert_eq!(orders_of(&all), [&ids[2], &ids[1], &ids[0]]);
    let averages: Vec<_> = all
        .averages
        .iter()
        .map(|one| (one.template.as_str(), one.rating_count, one.average_hundredths))
        .collect();
    let expected = [("retail-goods", 2, 350), ("standard", 3, 333), ("telecom-plan", 1, 300)];
    assert_eq!(averages, expected);

    let of = |template: &str, score| proto::ListRatingsRequest {
        template: template.to_owned(),
        score,
        ..Default::default()
    };
    let cases = [
        (of("retail-goods", 0), vec![&ids[1], &ids[0]]),
        (of("retail-goods", 5), vec![&ids[0]]),
        (of("", 3), vec![&ids[2]]),
        (of("", 1), vec![]),
        (of("nobody's", 0), vec![]),
    ];
    for (request, expected) in cases {
        assert_eq!(orders_of(&list(&center, request).await), expected);
    }
    let second = &all.ratings[1].rating.as_ref().expect("a rating").create_time;
    let since = proto::ListRatingsRequest { create_time_from: *second, ..of("", 0) };
    assert_eq!(orders_of(&list(&center, since).await), [&ids[2], &ids[1]]);
    let before = proto::ListRatingsRequest { create_time_before: *second, ..of("standard", 0) };
    assert_eq!(orders_of(&list(&center, before).await), [&ids[0]]);
    let page = proto::ListRatingsRequest { page_size: 2, ..of("standard", 0) };
    let first = list(&center, page.clone()).await;
    let page_token = first.next_page_token.clone();
    let rest = list(&center, proto::ListRatingsRequest { page_token, ..page }).await;
    assert_eq!([orders_of(&first), orders_of(&rest)].concat(), [&ids[2], &ids[1], &ids[0]]);
    center
});

on_each_database!(hostile_ratings_are_refused, async |mut center: Center| {
    let good = rating("ord_00000000000000000000000000", 5);
    let cases = [
        ("score", proto::RateOrderRequest { score: 0, ..good.clone() }),
        ("score", proto::RateOrderRequest { score: 6, ..good.clone() }),
        ("comment", proto::RateOrderRequest { comment: "x".repeat(1_001), ..good.clone() }),
        ("comment", proto::RateOrderRequest { comment: "a\0b".to_owned(), ..good.clone() }),
        ("request_id", proto::RateOrderRequest { request_id: "1".to_owned(), ..good.clone() }),
    ];
    for (field, request) in cases {
        assert_eq!(wrong_fields(center.orders.rate_order(hall(request)).await), [field]);
    }
    assert_eq!(reason(center.orders.rate_order(hall(good)).await), "ORDER_NOT_FOUND");
    center
});
