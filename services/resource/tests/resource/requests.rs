//! Promises of `ReservationService`: repeated, wrong and listed requests.

use throughline_kit::error::Kind;
use throughline_kit::id;
use throughline_kit::testing::{each_database, no_unexpected_warnings};
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::ReservationState;
use throughline_resource::Config;

use crate::center::{
    Center, answer, counted, demand, fixed_clock, paths, reason, seconds, serial, wish,
    without_sweeper,
};

#[tokio::test]
async fn a_repeated_request_gets_its_first_answer_refusals_included() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 5)]).await.expect("receive");
        let request = wish(&[demand("1", "a", 4)], seconds(60));
        let first = center.create(request.clone()).await.expect("reserve");
        assert_eq!(center.create(request.clone()).await.expect("again"), first);
        assert_eq!(center.buckets("a").await, [1, 4, 0, 0]);

        let mut other = request.clone();
        other.demands[0].quantity = 1;
        let error = center.create(other).await.expect_err("other content");
        assert_eq!((error.kind, &*error.reason), (Kind::Invalid, "REQUEST_ID_REUSED"));

        let request = wish(&[demand("1", "a", 4)], seconds(60));
        let refusal = center.create(request.clone()).await.expect_err("4 of 1");
        center.receive(&[counted("a", 100)]).await.expect("receive");
        assert_eq!(center.create(request).await.expect_err("the first answer"), refusal);
        center.stop().await;
    }
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        let refusal =
            center.reserve(&[demand("1", "none", 1)], seconds(60)).await.expect_err("no pool");
        assert_eq!((refusal.kind, &*refusal.reason), (Kind::NotFound, "POOL_NOT_FOUND"));
        assert_eq!(refusal.metadata["pool"], "none");
        let unknown = format!("res_{}", id::new_body());
        for id in [unknown.as_str(), "res_1", ""] {
            assert_eq!(reason(center.reservation(id).await), "RESERVATION_NOT_FOUND");
            assert_eq!(reason(center.confirm(id).await), "RESERVATION_NOT_FOUND");
            let refusal = center.release(id).await.expect_err("unknown");
            assert_eq!(refusal.kind, Kind::NotFound);
            assert_eq!(refusal.metadata["reservation_id"], id);
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn wrong_fields_are_all_named_and_limits_have_names() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let config = Config {
            max_demands_per_reservation: 3,
            max_items_per_reservation: 1,
            ..without_sweeper()
        };
        let center = Center::start(&database, fixed_clock(), config).await;
        let mut request = wish(&[demand("", "a b", 0), demand("1", "a", 1)], seconds(0));
        request.request_id = "1".to_owned();
        let named = paths(center.create(request).await);
        let expected = [
            "demands[0].line_key",
            "demands[0].quantity",
            "demands[0].pool_code",
            "ttl",
            "request_id",
        ];
        assert_eq!(named, expected);
        assert_eq!(paths(center.reserve(&[], seconds(1)).await), ["demands"]);

        let error = center.reserve(&vec![demand("1", "a", 1); 4], seconds(1)).await;
        let error = error.expect_err("4 of 3");
        assert_eq!((error.kind, &*error.reason), (Kind::Exhausted, "LIMIT_REACHED"));
        assert_eq!(error.metadata["limit"], "max_demands_per_reservation");
        center.receive(&[serial("n", &["1", "2"])]).await.expect("receive");
        let error = center.reserve(&[demand("1", "n", 2)], seconds(1)).await.expect_err("2 of 1");
        assert_eq!(error.metadata["limit"], "max_items_per_reservation");

        let request = proto::ReleaseReservationRequest {
            request_id: String::new(),
            reservation_id: String::new(),
            reason: "x".repeat(201),
        };
        let released = answer(center.reservations.clone().release_reservation(request).await);
        assert_eq!(paths(released), ["reason", "request_id"]);
        center.stop().await;
    }
}

/// All reservations of a list and how many pages they came in.
async fn list(
    center: &Center,
    mut request: proto::ListReservationsRequest,
) -> (Vec<String>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let listed = center.reservations.clone().list_reservations(request.clone()).await;
        let listed = answer(listed).expect("list");
        pages += 1;
        for reservation in listed.reservations {
            assert_eq!(reservation.lines.len(), 2);
            found.push(reservation.reservation_id);
        }
        if listed.next_page_token.is_empty() {
            return (found, pages);
        }
        request.page_token = listed.next_page_token;
    }
}

#[tokio::test]
async fn reservations_are_listed_newest_first_in_the_state_that_they_have_now() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        center.receive(&[counted("a", 100)]).await.expect("receive");
        let mut ids = Vec::new();
        for n in 0..7_u64 {
            center.clock.advance(seconds(1));
            let demands = [demand("1", "a", 1), demand("2", "a", 2)];
            let mut request = wish(&demands, seconds(10 * (n + 1)));
            request.order_id = format!("ord_{}", n % 2);
            ids.push(center.create(request).await.expect("reserve").reservation_id);
        }
        center.confirm(&ids[3]).await.expect("confirm");
        // Now at 22 s; the first was over at 11 s, the second is at 22 s, the third will be at 33 s.
        center.clock.advance(seconds(15));
        ids.reverse();

        let all = proto::ListReservationsRequest { page_size: 3, ..Default::default() };
        assert_eq!(list(&center, all.clone()).await, (ids.clone(), 3));
        let mut of_order = all.clone();
        of_order.order_id = "ord_1".to_owned();
        assert_eq!(list(&center, of_order).await.0, [&*ids[1], &*ids[3], &*ids[5]]);
        let table: [(ReservationState, &[usize]); 4] = [
            (ReservationState::Expired, &[5, 6]),
            (ReservationState::Held, &[0, 1, 2, 4]),
            (ReservationState::Confirmed, &[3]),
            (ReservationState::Released, &[]),
        ];
        for (state, expected) in table {
            let mut in_state = all.clone();
            in_state.set_state(state);
            let expected: Vec<&str> = expected.iter().map(|n| ids[*n].as_str()).collect();
            assert_eq!(list(&center, in_state).await.0, expected, "{state:?}");
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_list_request_is_refused() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let center = Center::start(&database, fixed_clock(), without_sweeper()).await;
        let plain = proto::ListReservationsRequest::default();
        let token = "?".to_owned();
        let table = [
            (proto::ListReservationsRequest { page_size: -1, ..plain.clone() }, "FIELD_INVALID"),
            (proto::ListReservationsRequest { state: 99, ..plain.clone() }, "FIELD_INVALID"),
            (proto::ListReservationsRequest { page_token: token, ..plain }, "PAGE_TOKEN_INVALID"),
        ];
        for (request, wrong) in table {
            let listed = answer(center.reservations.clone().list_reservations(request).await);
            assert_eq!(reason(listed), wrong);
        }
        center.stop().await;
    }
}
