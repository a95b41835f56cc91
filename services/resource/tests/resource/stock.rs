//! Promises of `StockService` but for returns.

use throughline_kit::error::Kind;
use throughline_kit::id;
use throughline_kit::storage::{Database, Migration};
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::MovementKind as M;
use throughline_resource::Config;

use crate::center::{
    Center, answer, counted, demand, fixed_clock, paths, reason, seconds, serial, without_sweeper,
};

const SCHEMA: Migration = Migration {
    version: 1,
    description: "stock",
    sql: include_str!("../../migrations/0001_stock.sql"),
};

#[tokio::test]
async fn received_stock_makes_pools_and_fills_them() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        let pools = center
            .receive(&[counted("a", 5), serial("n", &["1", "2"]), counted("empty", 0)])
            .await
            .expect("receive");
        let told: Vec<_> = pools.iter().map(|p| (&*p.pool_code, p.kind(), p.total)).collect();
        let (units, items) = (proto::PoolKind::Counted, proto::PoolKind::Serial);
        assert_eq!(told, [("a", units, 5), ("n", items, 2), ("empty", units, 0)]);
        assert_eq!(pools[0].name, "name of a");
        let again = center.receive(&[counted("a", 2), serial("n", &["3"])]).await.expect("more");
        assert_eq!((again[0].available, again[1].available), (7, 3));
        for pool in ["a", "n", "empty"] {
            center.verify(pool).await;
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn stock_that_does_not_fit_is_refused_whole() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), serial("n", &["1", "2"])]).await.expect("receive");
        let refusal = center.receive(&[counted("new", 1), serial("a", &["1"])]).await;
        let refusal = refusal.expect_err("a is counted");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::Precondition, "POOL_KIND_MISMATCH"));
        assert_eq!(
            (&*refusal.metadata["kind"], &*refusal.metadata["needed"]),
            ("COUNTED", "SERIAL")
        );
        let refusal = center.receive(&[counted("a", 1), serial("n", &["3", "2"])]).await;
        let refusal = refusal.expect_err("2 is there");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::AlreadyExists, "ITEM_EXISTS"));
        assert_eq!(refusal.metadata["item_id"], "2");
        assert_eq!(center.buckets("a").await, [5, 0, 0, 0]);
        let none = proto::GetPoolRequest { pool_code: "new".to_owned() };
        assert_eq!(reason(answer(center.stock.clone().get_pool(none).await)), "POOL_NOT_FOUND");
        center.stop().await;
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_receipt_is_named() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let config =
            Config { max_receipts_per_request: 6, max_items_per_request: 3, ..without_sweeper() };
        let center = Center::start(&database, fixed_clock(), config).await;
        let receipts = [
            counted("a b", -1),
            proto::StockReceipt { quantity: 3, ..serial("n", &["1", "1", ""]) },
            proto::StockReceipt { kind: 0, name: "x".repeat(201), ..counted("c", 1) },
            counted("d", 1_000_000_001),
            counted("d", 1),
        ];
        let expected = [
            "receipts[0].pool_code",
            "receipts[0].quantity",
            "receipts[1].quantity",
            "receipts[1].item_ids[1]",
            "receipts[1].item_ids[2]",
            "receipts[2].name",
            "receipts[2].kind",
            "receipts[3].quantity",
            "receipts[4].pool_code",
        ];
        assert_eq!(paths(center.receive(&receipts).await), expected);
        assert_eq!(paths(center.receive(&[]).await), ["receipts"]);
        for (receipts, limit) in [
            (vec![counted("a", 1); 7], "max_receipts_per_request"),
            (vec![serial("n", &["1", "2", "3", "4"])], "max_items_per_request"),
        ] {
            let error = center.receive(&receipts).await.expect_err("too many");
            assert_eq!((error.kind, &*error.metadata["limit"]), (Kind::Exhausted, limit));
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn five_thousand_pools_are_received_and_reserved_in_one_request_each() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        let codes: Vec<String> = (0..5_000).map(|n| format!("pool-{n:04}")).collect();
        let receipts: Vec<_> = codes.iter().map(|code| counted(code, 2)).collect();
        assert_eq!(center.receive(&receipts).await.expect("receive").len(), 5_000);
        let demands: Vec<_> = codes.iter().map(|code| demand(code, code, 1)).collect();
        let held = center.reserve(&demands, seconds(60)).await.expect("reserve");
        assert_eq!(held.lines.len(), 5_000);
        center.confirm(&held.reservation_id).await.expect("confirm");
        assert_eq!(center.receive(&receipts).await.expect("again")[4_999].total, 4);
        for pool in ["pool-0000", "pool-4999"] {
            assert_eq!(center.buckets(pool).await, [3, 0, 1, 0]);
            center.verify(pool).await;
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn a_correction_changes_what_is_available_and_no_more() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), serial("n", &["1"])]).await.expect("receive");
        center.reserve(&[demand("1", "a", 2)], seconds(10)).await.expect("reserve");
        assert_eq!(center.adjust("a", -1).await.expect("lost one").total, 4);
        let refusal = center.adjust("a", -3).await.expect_err("2 are available");
        assert_eq!(
            (&*refusal.reason, &*refusal.metadata["available"]),
            ("INSUFFICIENT_STOCK", "2")
        );
        assert_eq!(reason(center.adjust("n", 1).await), "POOL_KIND_MISMATCH");
        assert_eq!(reason(center.adjust("none", 1).await), "POOL_NOT_FOUND");
        assert_eq!(paths(center.adjust("a b", 0).await), ["pool_code", "delta"]);
        assert_eq!(paths(center.adjust("a", i64::MIN).await), ["delta"]);
        let request = proto::AdjustPoolRequest {
            request_id: id::new_request_id(),
            pool_code: "a".to_owned(),
            delta: 1,
            reason: String::new(),
        };
        assert_eq!(paths(answer(center.stock.clone().adjust_pool(request).await)), ["reason"]);
        assert_eq!(center.buckets("a").await, [2, 2, 0, 0]);
        center.clock.advance(seconds(10));
        let emptied = center.adjust("a", -4).await.expect("the hold is over");
        assert_eq!((emptied.total, emptied.available, emptied.held), (0, 0, 0));
        center.verify("a").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn the_journal_tells_every_movement_by_pool_and_by_order() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5), counted("b", 5)]).await.expect("receive");
        let demands = [demand("1", "a", 1), demand("2", "b", 2), demand("3", "a", 1)];
        let held = center.reserve(&demands, seconds(10)).await.expect("reserve");
        center.release(&held.reservation_id).await.expect("release");
        center.adjust("b", -1).await.expect("adjust");

        let list = async |pool: &str, order: &str| {
            let mut request = proto::ListMovementsRequest {
                pool_code: pool.to_owned(),
                order_id: order.to_owned(),
                page_size: 2,
                page_token: String::new(),
            };
            let mut found = Vec::new();
            loop {
                let listed = answer(center.stock.clone().list_movements(request.clone()).await)
                    .expect("list");
                found.extend(listed.movements);
                if listed.next_page_token.is_empty() {
                    break;
                }
                request.page_token = listed.next_page_token;
            }
            assert!(found.is_sorted_by(|a, b| a.sequence < b.sequence), "oldest first");
            found
        };
        let told = |all: &[proto::Movement]| -> Vec<(String, M, i64)> {
            all.iter().map(|m| (m.pool_code.clone(), m.kind(), m.quantity)).collect()
        };
        let line = |pool: &str, kind, quantity| (pool.to_owned(), kind, quantity);
        let of_order = [
            line("a", M::Hold, 2),
            line("b", M::Hold, 2),
            line("a", M::Release, 2),
            line("b", M::Release, 2),
        ];
        let all = list("", "").await;
        assert_eq!(all.len(), 7);
        assert_eq!(told(&all)[2..6], of_order);
        assert_eq!(told(&list("", "ord_1").await), of_order);
        let of_both = [line("a", M::Hold, 2), line("a", M::Release, 2)];
        assert_eq!(told(&list("a", "ord_1").await), of_both);
        let of_b = list("b", "").await;
        assert_eq!(told(&of_b)[3], line("b", M::Adjust, -1));
        assert_eq!(of_b[3].reason, "counted again");
        assert_eq!(of_b[2].reason, "no longer wanted");
        assert_eq!(of_b[2].reservation_id, held.reservation_id);
        center.stop().await;
    }
}

#[tokio::test]
async fn pools_and_items_are_listed_by_name_in_pages() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center
            .receive(&[counted("b", 1), counted("a", 1), counted("c", 1)])
            .await
            .expect("receive");
        center.receive(&[serial("n", &["2", "3", "1"])]).await.expect("receive");
        let mut request = proto::ListPoolsRequest { page_size: 3, page_token: String::new() };
        let first = answer(center.stock.clone().list_pools(request.clone()).await).expect("list");
        request.page_token = first.next_page_token;
        let last = answer(center.stock.clone().list_pools(request).await).expect("list");
        assert_eq!(last.next_page_token, "");
        let codes = first.pools.iter().chain(&last.pools).map(|p| p.pool_code.as_str());
        assert_eq!(codes.collect::<Vec<_>>(), ["a", "b", "c", "n"]);

        let mut request = proto::ListItemsRequest {
            pool_code: "n".to_owned(),
            page_size: 2,
            page_token: String::new(),
        };
        let first = answer(center.stock.clone().list_items(request.clone()).await).expect("list");
        request.page_token = first.next_page_token;
        let last = answer(center.stock.clone().list_items(request).await).expect("list");
        let names = first.items.iter().chain(&last.items).map(|i| i.item_id.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["1", "2", "3"]);
        let none = proto::ListItemsRequest { pool_code: "x".to_owned(), ..Default::default() };
        assert_eq!(reason(answer(center.stock.clone().list_items(none).await)), "POOL_NOT_FOUND");
        let none = proto::VerifyPoolRequest { pool_code: "x".to_owned() };
        assert_eq!(reason(answer(center.stock.clone().verify_pool(none).await)), "POOL_NOT_FOUND");
        center.stop().await;
    }
}

#[tokio::test]
async fn a_pool_that_parted_from_its_journal_is_found() {
    let _log = no_unexpected_warnings(&[]);
    let tampered = [
        ("UPDATE pools SET available = available + 1, total = total + 1", "available 4"),
        ("DELETE FROM movements WHERE kind = 'HOLD'", "the journal gives"),
        ("UPDATE movements SET quantity = 1 WHERE kind = 'RECEIVE'", "HOLD of 2 cannot follow"),
        ("UPDATE reservation_lines SET held_until_us = NULL", "held lines"),
    ];
    for (statement, divergence) in tampered {
        for database in each_database().await {
            let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
            center.receive(&[counted("a", 5)]).await.expect("receive");
            center.reserve(&[demand("1", "a", 2)], seconds(60)).await.expect("reserve");
            center.verify("a").await;
            let store =
                Database::open("resource", &database.config, &[SCHEMA]).await.expect("open");
            let mut tx = store.begin().await.expect("begin");
            tx.execute(statement, []).await.expect("tamper");
            tx.commit().await.expect("commit");
            let request = proto::VerifyPoolRequest { pool_code: "a".to_owned() };
            let verdict = answer(center.stock.clone().verify_pool(request).await).expect("verify");
            assert!(!verdict.consistent);
            assert!(verdict.divergence.contains(divergence), "{}", verdict.divergence);
            center.stop().await;
        }
    }
}
