//! Promises of `ReservationService`: what time does, what is announced, and what is there after a restart.

use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::resource::v1::ReservationState;

use crate::center::{
    Center, answer, counted, demand, fixed_clock, reason, seconds, serial, wish, with_sweeper,
    without_sweeper,
};

#[tokio::test]
async fn a_hold_is_over_for_everyone_at_its_instant_without_a_sweeper() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), serial("n", &["1", "2"])]).await.expect("receive");
        let demands = [demand("1", "a", 4), demand("1", "n", 2)];
        let held = center.reserve(&demands, seconds(10)).await.expect("reserve");
        center.clock.advance(seconds(9));
        assert_eq!(
            reason(center.reserve(&[demand("1", "a", 2)], seconds(9)).await),
            "INSUFFICIENT_STOCK"
        );

        center.clock.advance(seconds(1));
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        let seen = center.reservation(&held.reservation_id).await.expect("found");
        assert_eq!(seen.state(), ReservationState::Expired);
        assert_eq!(seen.resolve_time, held.expire_time);
        let refusal = center.confirm(&held.reservation_id).await.expect_err("too late");
        assert_eq!(refusal.reason, "RESERVATION_EXPIRED");
        assert_eq!(refusal.metadata["time"], "2026-01-01T00:00:10Z");
        let refusal = center.reserve(&[demand("1", "a", 6)], seconds(9)).await.expect_err("6 of 5");
        assert_eq!(refusal.metadata["available"], "5");

        let next = center.reserve(&[demand("1", "n", 1)], seconds(9)).await.expect("free again");
        assert_eq!(next.lines[0].item_ids, ["1"]);
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        assert_eq!(center.buckets("n").await, [1, 1, 0, 0]);
        let released = center.release(&held.reservation_id).await.expect("it is over anyway");
        assert_eq!(released, seen);
        center.verify("a").await;
        center.verify("n").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn the_sweeper_tells_that_a_hold_is_over() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), with_sweeper()).await;
        center.receive(&[counted("a", 500)]).await.expect("receive");
        for _ in 0..200 {
            center.reserve(&[demand("1", "a", 1)], seconds(10)).await.expect("reserve");
        }
        center.clock.advance(seconds(10));
        let events = center.events(400).await;
        let expired = events.iter().filter(|(event, _)| event.r#type == "reservation.expired");
        assert_eq!(expired.count(), 200);
        let (event, reservation) = &events[399];
        assert_eq!((event.center.as_str(), event.order_id.as_str()), ("resource", "ord_1"));
        assert_eq!(event.subject, reservation.reservation_id);
        assert_eq!(event.occurred_time, reservation.expire_time);
        assert_eq!(reservation.state(), ReservationState::Expired);
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn every_change_of_a_reservation_is_announced_in_its_trace() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), with_sweeper()).await;
        center.receive(&[counted("a", 9)]).await.expect("receive");
        let mut ids = Vec::new();
        for _ in 0..3 {
            let mut request = tonic::Request::new(wish(&[demand("1", "a", 1)], seconds(10)));
            request.metadata_mut().insert("traceparent", TRACE.parse().expect("a value"));
            let created = answer(center.reservations.clone().create_reservation(request).await);
            ids.push(created.expect("create").reservation.expect("one").reservation_id);
        }
        center.confirm(&ids[0]).await.expect("confirm");
        center.release(&ids[1]).await.expect("release");
        center.clock.advance(seconds(10));
        let events = center.events(6).await;
        let told: Vec<_> = events
            .iter()
            .map(|(event, _)| (event.r#type.as_str(), event.trace_parent.as_str()))
            .collect();
        let expected = [
            ("reservation.created", TRACE),
            ("reservation.created", TRACE),
            ("reservation.created", TRACE),
            ("reservation.confirmed", ""),
            ("reservation.released", ""),
            ("reservation.expired", TRACE),
        ];
        assert_eq!(told, expected);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_center_that_starts_again_goes_on_where_it_was() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let clock = fixed_clock();
        let center = Center::start(&database, clock.clone(), without_sweeper()).await;
        center.receive(&[counted("a", 5), serial("n", &["1", "2"])]).await.expect("receive");
        let request = wish(&[demand("1", "a", 2), demand("2", "n", 1)], seconds(60));
        let held = center.create(request.clone()).await.expect("reserve");
        let left = center.reserve(&[demand("1", "a", 1)], seconds(10)).await.expect("reserve");
        center.stop().await;

        clock.advance(seconds(30));
        let center = Center::start(&database, clock, with_sweeper()).await;
        assert_eq!(center.create(request).await.expect("the first answer"), held);
        assert_eq!(center.reservation(&held.reservation_id).await.expect("found"), held);
        let confirmed = center.confirm(&held.reservation_id).await.expect("confirm");
        assert_eq!(confirmed.lines, held.lines);
        eventually("the sweeper writes what time did meanwhile", async || {
            let events = center.events(4).await;
            events.iter().any(|(e, _)| e.r#type == "reservation.expired").then_some(())
        })
        .await;
        assert_eq!(reason(center.confirm(&left.reservation_id).await), "RESERVATION_EXPIRED");
        assert_eq!(center.buckets("a").await, [3, 0, 2, 0]);
        assert_eq!(center.buckets("n").await, [1, 0, 1, 0]);
        center.verify("a").await;
        center.verify("n").await;
        center.stop().await;
    }
}
