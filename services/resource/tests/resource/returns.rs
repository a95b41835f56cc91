//! Promises of `ReturnUnits`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Kind;
use throughline_kit::id;
use throughline_kit::testing::{each_database, eventually, no_unexpected_warnings};
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::ReturnDisposition::{self, Quarantine, Restock};

use crate::center::{
    Center, START, answer, counted, demand, fixed_clock, paths, reason, seconds, serial,
    with_sweeper, without_sweeper,
};

fn linked(
    reservation_id: &str,
    line_key: &str,
    quantity: i64,
    disposition: ReturnDisposition,
) -> proto::ReturnLine {
    proto::ReturnLine {
        reservation_id: reservation_id.to_owned(),
        line_key: line_key.to_owned(),
        pool_code: String::new(),
        quantity,
        disposition: disposition.into(),
    }
}

fn unlinked(pool_code: &str, quantity: i64) -> proto::ReturnLine {
    proto::ReturnLine { pool_code: pool_code.to_owned(), ..linked("", "", quantity, Restock) }
}

fn of_pool(pool_code: &str, line: proto::ReturnLine) -> proto::ReturnLine {
    proto::ReturnLine { pool_code: pool_code.to_owned(), ..line }
}

async fn bought(center: &Center, demands: &[proto::Demand]) -> String {
    let held = center.reserve(demands, seconds(60)).await.expect("reserve");
    center.confirm(&held.reservation_id).await.expect("confirm");
    held.reservation_id
}

#[tokio::test]
async fn units_come_back_in_parts_but_never_more_than_are_used() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let id = bought(&center, &[demand("1", "a", 4)]).await;
        assert_eq!(center.give_back(&[linked(&id, "1", 1, Restock)]).await, Ok(1));
        assert_eq!(center.buckets("a").await, [2, 0, 3, 0]);
        let lines = [linked(&id, "1", 2, Restock), linked(&id, "1", 2, Restock)];
        let refusal = center.give_back(&lines).await.expect_err("4 of 3");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::Precondition, "QUANTITY_EXCEEDS_USED"));
        assert_eq!((&*refusal.metadata["requested"], &*refusal.metadata["used"]), ("2", "1"));
        assert_eq!(center.buckets("a").await, [2, 0, 3, 0]);
        assert_eq!(center.give_back(&[linked(&id, "1", 0, Restock)]).await, Ok(3));
        assert_eq!(center.give_back(&[linked(&id, "1", 0, Restock)]).await, Ok(0));
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        let reservation = center.reservation(&id).await.expect("found");
        assert_eq!((reservation.lines[0].quantity, reservation.lines[0].returned_quantity), (4, 4));
        let events = center.events(4).await;
        let (event, told) = &events[3];
        assert_eq!((&*event.r#type, &*event.order_id), ("reservation.returned", "ord_1"));
        assert_eq!(*told, reservation);
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn units_at_rest_may_be_reserved_when_their_time_is_over() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), with_sweeper()).await;
        center.receive(&[counted("a", 5), serial("n", &["1", "2", "3"])]).await.expect("receive");
        let id = bought(&center, &[demand("1", "n", 2), demand("1", "a", 3)]).await;
        assert_eq!(center.give_back(&[linked(&id, "1", 0, Quarantine)]).await, Ok(5));
        assert_eq!(center.buckets("a").await, [2, 0, 0, 3]);
        assert_eq!(center.buckets("n").await, [1, 0, 0, 2]);
        let request = proto::ListItemsRequest { pool_code: "n".to_owned(), ..Default::default() };
        let items = answer(center.stock.clone().list_items(request).await).expect("list").items;
        assert_eq!(items[0].state(), proto::ItemState::Quarantined);
        assert_eq!(items[0].reservation_id, "");
        let end = items[0].quarantine_end_time.map(|t| Instant::from_proto(&t));
        assert_eq!(end, Some(START.plus(seconds(60))));
        let next = center.reserve(&[demand("1", "n", 1)], seconds(600)).await.expect("reserve");
        assert_eq!(next.lines[0].item_ids, ["3"]);
        for pool in ["a", "n"] {
            center.verify(pool).await;
        }
        center.clock.advance(seconds(60));
        eventually("what rested is available", async || {
            let rested = center.buckets("a").await == [5, 0, 0, 0];
            (rested && center.buckets("n").await == [2, 1, 0, 0]).then_some(())
        })
        .await;
        let next = center.reserve(&[demand("1", "n", 2)], seconds(600)).await.expect("reserve");
        assert_eq!(next.lines[0].item_ids, ["1", "2"]);
        for pool in ["a", "n"] {
            center.verify(pool).await;
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn serial_items_come_back_by_line_and_at_once() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[serial("n", &["1", "2", "3"])]).await.expect("receive");
        let id = bought(&center, &[demand("1", "n", 2), demand("2", "n", 1)]).await;
        assert_eq!(
            reason(center.give_back(&[linked(&id, "1", 1, Restock)]).await),
            "POOL_KIND_MISMATCH"
        );
        assert_eq!(center.give_back(&[linked(&id, "1", 2, Restock)]).await, Ok(2));
        use proto::ItemState::{Assigned, Available};
        let states: Vec<_> = center.items("n").await.into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, [Available, Available, Assigned]);
        let lines = center.reservation(&id).await.expect("found").lines;
        assert_eq!(lines[0].item_ids, ["1", "2"]);
        center.verify("n").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn a_part_of_a_line_comes_back_to_the_pool_that_it_names() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), counted("b", 5)]).await.expect("receive");
        let id = bought(&center, &[demand("1", "a", 2), demand("1", "b", 2)]).await;
        let unsaid = center.give_back(&[linked(&id, "1", 1, Restock)]).await;
        let refusal = unsaid.expect_err("of which pool");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::Invalid, "POOL_CODE_NEEDED"));
        assert_eq!(refusal.metadata["pools"], "a,b");
        assert_eq!(refusal.fields[0].0, "lines[0].pool_code");
        let of_b = of_pool("b", linked(&id, "1", 1, Restock));
        assert_eq!(center.give_back(&[of_b]).await, Ok(1));
        assert_eq!(center.buckets("a").await, [3, 0, 2, 0]);
        assert_eq!(center.buckets("b").await, [4, 0, 1, 0]);
        assert_eq!(center.give_back(&[linked(&id, "1", 0, Restock)]).await, Ok(3));
        for pool in ["a", "b"] {
            assert_eq!(center.buckets(pool).await, [5, 0, 0, 0]);
            center.verify(pool).await;
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn goods_that_no_reservation_knows_are_new_stock() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 1), serial("n", &["1"])]).await.expect("receive");
        assert_eq!(center.give_back(&[unlinked("a", 3), unlinked("a", 2)]).await, Ok(5));
        assert_eq!(center.buckets("a").await, [6, 0, 0, 0]);
        let lines = [unlinked("a", 1), unlinked("n", 1)];
        assert_eq!(reason(center.give_back(&lines).await), "POOL_KIND_MISMATCH");
        assert_eq!(reason(center.give_back(&[unlinked("none", 1)]).await), "POOL_NOT_FOUND");
        assert_eq!(center.buckets("a").await, [6, 0, 0, 0]);
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_come_back_is_named() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let held = center.reserve(&[demand("1", "a", 2)], seconds(60)).await.expect("reserve");
        let id = held.reservation_id.as_str();
        assert_eq!(
            reason(center.give_back(&[linked(id, "1", 1, Restock)]).await),
            "QUANTITY_EXCEEDS_USED"
        );
        assert_eq!(
            paths(center.give_back(&[linked(id, "9", 0, Restock)]).await),
            ["lines[0].line_key"]
        );
        let elsewhere = of_pool("none", linked(id, "1", 0, Restock));
        assert_eq!(paths(center.give_back(&[elsewhere]).await), ["lines[0].pool_code"]);
        let unknown = format!("res_{}", id::new_body());
        let returned = center.give_back(&[linked(&unknown, "1", 0, Restock)]).await;
        assert_eq!(reason(returned), "RESERVATION_NOT_FOUND");
        let bad = [
            linked("", "1", 1, Restock),
            proto::ReturnLine { pool_code: "a b".to_owned(), ..linked(id, "1", 1, Restock) },
            linked("res_1", "", -1, Restock),
            proto::ReturnLine { disposition: 9, ..linked(id, "1", 1, Restock) },
            unlinked("a b", 0),
            proto::ReturnLine { disposition: Quarantine.into(), ..unlinked("a", 1) },
        ];
        let expected = [
            "lines[0]",
            "lines[1].pool_code",
            "lines[2].reservation_id",
            "lines[2].line_key",
            "lines[2].quantity",
            "lines[3].disposition",
            "lines[4].pool_code",
            "lines[4].quantity",
            "lines[5].disposition",
        ];
        assert_eq!(paths(center.give_back(&bad).await), expected);
        assert_eq!(paths(center.give_back(&[]).await), ["lines"]);
        assert_eq!(center.buckets("a").await, [3, 2, 0, 0]);
        center.stop().await;
    }
}
