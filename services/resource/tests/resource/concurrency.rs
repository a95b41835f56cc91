//! Many at a time: nothing is given twice.

use std::collections::BTreeSet;

use futures::future::join_all;
use throughline_kit::error::{Error, Kind};
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::resource::v1 as proto;

use crate::center::{Center, counted, demand, fixed_clock, seconds, serial, wish, without_sweeper};

#[tokio::test]
async fn of_four_hundred_buyers_exactly_as_many_get_one_as_there_are() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("hot", 100)]).await.expect("receive");
        let demands = [demand("1", "hot", 1)];
        let buyers = (0..400).map(|_| center.reserve(&demands, seconds(60)));
        let (got, refused): (Vec<_>, Vec<_>) =
            join_all(buyers).await.into_iter().partition(Result::is_ok);
        assert_eq!(got.len(), 100);
        for refusal in refused {
            let refusal = refusal.expect_err("partitioned");
            assert_eq!(refusal.reason, "INSUFFICIENT_STOCK");
            assert_eq!(refusal.metadata["available"], "0");
        }
        assert_eq!(center.buckets("hot").await, [0, 100, 0, 0]);

        let settled = got.iter().flatten().enumerate().map(async |(n, held)| {
            if n % 2 == 0 {
                center.confirm(&held.reservation_id).await
            } else {
                center.release(&held.reservation_id).await
            }
        });
        assert!(join_all(settled).await.iter().all(Result::is_ok));
        assert_eq!(center.buckets("hot").await, [50, 0, 50, 0]);
        center.verify("hot").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn units_of_holds_that_are_over_are_sold_once() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("hot", 100)]).await.expect("receive");
        let demands = [demand("1", "hot", 1)];
        let first = join_all((0..100).map(|_| center.reserve(&demands, seconds(10)))).await;
        assert!(first.iter().all(Result::is_ok));
        center.clock.advance(seconds(10));
        let second = join_all((0..150).map(|_| center.reserve(&demands, seconds(10)))).await;
        assert_eq!(second.iter().filter(|outcome| outcome.is_ok()).count(), 100);
        let refused = second.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(refused.into_iter().all(|refusal| refusal.reason == "INSUFFICIENT_STOCK"));
        assert_eq!(center.buckets("hot").await, [0, 100, 0, 0]);
        center.verify("hot").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn no_item_is_given_twice_even_while_items_arrive() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[serial("n", &[])]).await.expect("receive");
        let names: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let receipts: Vec<_> = names.chunks(10).map(|ten| [serial("n", ten)]).collect();
        let arrivals = join_all(receipts.iter().map(|receipt| center.receive(receipt)));
        let demands = [demand("1", "n", 2)];
        let buyers = join_all((0..60).map(|_| center.reserve(&demands, seconds(60))));
        let (arrived, bought) = futures::future::join(arrivals, buyers).await;
        assert!(arrived.iter().all(Result::is_ok), "{arrived:?}");
        let (got, refused): (Vec<_>, Vec<_>) = bought.into_iter().partition(Result::is_ok);
        let lines: Vec<_> = got.into_iter().flatten().flat_map(|r| r.lines).collect();
        let items: Vec<_> = lines.iter().flat_map(|line| &line.item_ids).collect();
        assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
        assert_eq!(items.len(), lines.len() * 2);
        let refused_for = |r: Result<_, Error>| r.expect_err("partitioned").reason;
        assert!(refused.into_iter().map(refused_for).all(|r| r == "INSUFFICIENT_STOCK"));
        center.verify("n").await;
        center.stop().await;
    }
}

#[tokio::test]
async fn the_same_request_sent_by_many_at_once_reserves_once() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 10)]).await.expect("receive");
        let request = wish(&[demand("1", "a", 1)], seconds(60));
        let answers = join_all((0..20).map(|_| center.create(request.clone()))).await;
        let mut ids = BTreeSet::new();
        for answer in answers {
            match answer {
                Ok(reservation) => drop(ids.insert(reservation.reservation_id)),
                Err(error) => assert_eq!(error.reason, "REQUEST_IN_PROGRESS"),
            }
        }
        assert_eq!(ids.len(), 1);
        assert_eq!(center.buckets("a").await, [9, 1, 0, 0]);
        center.stop().await;
    }
}

/// Repeats a request that did not happen, as a client does.
async fn insist(
    center: &Center,
    request: proto::CreateReservationRequest,
) -> Result<proto::Reservation, Error> {
    loop {
        match center.create(request.clone()).await {
            Err(error) if error.kind == Kind::Unavailable => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
}

#[tokio::test]
async fn two_instances_on_one_store_sell_no_unit_twice() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let clock = fixed_clock();
        let one = Center::start(&database, clock.clone(), without_sweeper()).await;
        let two = Center::start(&database, clock, without_sweeper()).await;
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        one.receive(&[counted("hot", 30), serial("n", &names)]).await.expect("receive");
        let buyers = (0..80).map(|n| {
            let center = if n % 2 == 0 { &one } else { &two };
            let pool = if n % 4 < 2 { "hot" } else { "n" };
            insist(center, wish(&[demand("1", pool, 1)], seconds(60)))
        });
        let got: Vec<_> = join_all(buyers).await.into_iter().flatten().collect();
        assert_eq!(got.len(), 40);
        let items: BTreeSet<_> =
            got.iter().flat_map(|r| &r.lines).flat_map(|l| &l.item_ids).collect();
        assert_eq!(items.len(), 10);
        for pool in ["hot", "n"] {
            assert_eq!(two.buckets(pool).await[0], 0);
            one.verify(pool).await;
        }
        one.stop().await;
        two.stop().await;
    }
}
