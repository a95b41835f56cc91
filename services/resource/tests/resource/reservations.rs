//! Promises of `ReservationService`: what is held, confirmed and released.

use throughline_kit::clock::Instant;
use throughline_kit::error::Kind;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::ReservationState;

use crate::center::{
    Center, START, counted, demand, fixed_clock, seconds, serial, without_sweeper,
};

fn instant(time: Option<prost_types::Timestamp>) -> Instant {
    Instant::from_proto(&time.expect("a time"))
}

#[tokio::test]
async fn a_reservation_holds_all_demands_or_none() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), counted("b", 1)]).await.expect("receive");

        let demands = [demand("1", "a", 2), demand("1", "b", 1), demand("2", "a", 2)];
        let held = center.reserve(&demands, seconds(60)).await.expect("reserve");
        assert_eq!(held.state(), ReservationState::Held);
        assert_eq!(held.order_id, "ord_1");
        assert_eq!(instant(held.create_time), START);
        assert_eq!(instant(held.expire_time), START.plus(seconds(60)));
        assert_eq!(held.resolve_time, None);
        let lines: Vec<_> = held
            .lines
            .iter()
            .map(|l| (l.line_key.as_str(), l.pool_code.as_str(), l.quantity))
            .collect();
        assert_eq!(lines, [("1", "a", 2), ("1", "b", 1), ("2", "a", 2)]);
        assert_eq!(center.buckets("a").await, [1, 4, 0, 0]);
        assert_eq!(center.buckets("b").await, [0, 1, 0, 0]);

        let demands = [demand("1", "a", 1), demand("2", "b", 1)];
        let refusal = center.reserve(&demands, seconds(60)).await.expect_err("b is empty");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::Precondition, "INSUFFICIENT_STOCK"));
        assert_eq!(refusal.domain, "resource");
        assert_eq!(center.buckets("a").await, [1, 4, 0, 0]);
        assert_eq!(center.reservation(&held.reservation_id).await.expect("found"), held);
        center.stop().await;
    }
}

#[tokio::test]
async fn demands_on_one_pool_are_summed_before_they_are_checked() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let demands = [demand("1", "a", 3), demand("2", "a", 3)];
        let refusal = center.reserve(&demands, seconds(60)).await.expect_err("6 of 5");
        let variables: Vec<_> =
            refusal.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(variables, [("available", "5"), ("pool", "a"), ("requested", "6")]);
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_confirm_repeated_is_a_success_and_a_release_after_it_is_refused() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let held = center.reserve(&[demand("1", "a", 2)], seconds(60)).await.expect("reserve");
        center.clock.advance(seconds(1));
        let confirmed = center.confirm(&held.reservation_id).await.expect("confirm");
        assert_eq!(confirmed.state(), ReservationState::Confirmed);
        assert_eq!(instant(confirmed.resolve_time), START.plus(seconds(1)));
        center.clock.advance(seconds(1_000));
        assert_eq!(center.confirm(&held.reservation_id).await.expect("again"), confirmed);
        let refusal = center.release(&held.reservation_id).await.expect_err("it is used");
        assert_eq!(refusal.reason, "RESERVATION_RESOLVED");
        assert_eq!(refusal.metadata["state"], "CONFIRMED");
        assert_eq!(refusal.metadata["time"], "2026-01-01T00:00:01Z");
        assert_eq!(center.buckets("a").await, [3, 0, 2, 0]);
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn a_release_gives_the_units_back_once() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let held = center.reserve(&[demand("1", "a", 2)], seconds(60)).await.expect("reserve");
        let released = center.release(&held.reservation_id).await.expect("release");
        assert_eq!(released.state(), ReservationState::Released);
        assert_eq!(center.release(&held.reservation_id).await.expect("again"), released);
        let refusal = center.confirm(&held.reservation_id).await.expect_err("it is gone");
        assert_eq!(refusal.reason, "RESERVATION_RESOLVED");
        assert_eq!(refusal.metadata["state"], "RELEASED");
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn serial_items_are_given_out_in_order_and_named_in_the_lines() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[serial("n", &["3", "1", "5", "2", "4"])]).await.expect("receive");
        let demands = [demand("1", "n", 2), demand("2", "n", 1)];
        let first = center.reserve(&demands, seconds(60)).await.expect("reserve");
        assert_eq!(first.lines[0].item_ids, ["1", "2"]);
        assert_eq!(first.lines[1].item_ids, ["3"]);
        let second = center.reserve(&[demand("1", "n", 1)], seconds(60)).await.expect("reserve");
        assert_eq!(second.lines[0].item_ids, ["4"]);
        center.release(&first.reservation_id).await.expect("release");
        center.confirm(&second.reservation_id).await.expect("confirm");
        let third = center.reserve(&[demand("1", "n", 3)], seconds(60)).await.expect("reserve");
        assert_eq!(third.lines[0].item_ids, ["1", "2", "3"]);

        use proto::ItemState::{Assigned, Available, Held};
        let states: Vec<_> = center.items("n").await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, [Held, Held, Held, Assigned, Available]);
        center.verify("n").await;
        center.stop().await;
    }
}
