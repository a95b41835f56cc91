//! The first answer to a request is its answer forever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use throughline_kit::Row;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::{RequestId, new_request_id};
use throughline_kit::idempotency::RequestKey;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::r#type::v1::Money;

use crate::store::{CENTER, Store};

const COUNT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM notes";
const INSERT: &str = "INSERT INTO notes (name, number) VALUES ($1, 0)";
const METHOD: &str = "test.v1.TestService/Count";

/// Writes a note and answers how many there are; while there are too many it is refused.
struct Count {
    most: i64,
    /// Failures that are not final, before it works.
    failures: Arc<AtomicU32>,
}

impl Count {
    fn up_to(most: i64) -> Self {
        Self { most, failures: Arc::default() }
    }
}

impl Change for Count {
    type Output = Money;

    async fn apply(&self, tx: &mut Tx) -> Result<Money, Error> {
        let left = self.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.failures.store(left - 1, Ordering::SeqCst);
            return Err(Error::new(Kind::Unavailable, CENTER, "AWAY", "try again"));
        }
        let row = tx.fetch_optional(COUNT, []).await?.expect("a count");
        let before: i64 = row.get(0);
        if before >= self.most {
            return Err(Error::new(Kind::Precondition, CENTER, "TOO_MANY", "there are too many")
                .with("count", before));
        }
        tx.execute(INSERT, [new_request_id().into()]).await?;
        Ok(number(before + 1))
    }
}

fn number(minor_units: i64) -> Money {
    Money { currency_code: "XTS".to_owned(), minor_units }
}

fn key(caller: &str, request_id: &str, content: i64) -> RequestKey {
    let request_id = RequestId::parse(request_id).expect("a UUID");
    RequestKey::new(caller, request_id, METHOD, &number(content))
}

on_each_database!(a_repetition_is_told_the_first_answer, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    for _ in 0..3 {
        let answer = idempotency.once(key("hall", &id, 1), Count::up_to(9)).await;
        assert_eq!(answer, Ok(number(1)));
    }
    let other = idempotency.once(key("hall", &new_request_id(), 1), Count::up_to(9)).await;
    assert_eq!(other, Ok(number(2)), "another request");
    let other = idempotency.once(key("shop", &id, 1), Count::up_to(9)).await;
    assert_eq!(other, Ok(number(3)), "request ids are each caller's own");
    assert_eq!(store.count().await, 3);

    let again = Store::open(&store.config).await.idempotency();
    let answer = again.once(key("hall", &id, 1), Count::up_to(9)).await;
    assert_eq!(answer, Ok(number(1)), "after a restart");
    let recalled = again.recall::<Money>(&store.database, &key("shop", &id, 1)).await;
    assert_eq!(recalled, Ok(Some(Ok(number(3)))));
    let unknown = again.recall::<Money>(&store.database, &key("shop", &new_request_id(), 1)).await;
    assert_eq!(unknown, Ok(None));
});

on_each_database!(a_refusal_is_an_answer_too, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    let refused = idempotency.once(key("hall", &id, 1), Count::up_to(0)).await;
    let error = refused.clone().expect_err("refused");
    assert_eq!((error.reason.as_str(), error.metadata["count"].as_str()), ("TOO_MANY", "0"));
    // The cause is gone, but the same request was refused, whole with its metadata.
    assert_eq!(idempotency.once(key("hall", &id, 1), Count::up_to(9)).await, refused);
    let other = idempotency.once(key("hall", &new_request_id(), 1), Count::up_to(9)).await;
    assert_eq!(other, Ok(number(1)));
});

on_each_database!(an_id_is_not_used_for_something_else, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    idempotency.once(key("hall", &id, 1), Count::up_to(9)).await.expect("first");
    let error = idempotency.once(key("hall", &id, 2), Count::up_to(9)).await.expect_err("reused");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "REQUEST_ID_REUSED"));
    assert_eq!(error.metadata["request_id"], id);
    let other_method = RequestKey::new(
        "hall",
        RequestId::parse(&id).expect("a UUID"),
        "test.v1.TestService/Other",
        &number(1),
    );
    let error = idempotency.once(other_method, Count::up_to(9)).await.expect_err("reused");
    assert_eq!(error.reason, "REQUEST_ID_REUSED");
    assert_eq!(idempotency.once(key("hall", &id, 1), Count::up_to(9)).await, Ok(number(1)));
    assert_eq!(store.count().await, 1);
});

on_each_database!(a_request_in_flight_is_not_begun_again, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    let in_flight = idempotency.enter(&key("hall", &id, 1)).expect("free");
    let error = idempotency.once(key("hall", &id, 1), Count::up_to(9)).await.expect_err("busy");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Aborted, "REQUEST_IN_PROGRESS"));
    assert!(error.retry_after.is_some());
    idempotency.once(key("shop", &id, 1), Count::up_to(9)).await.expect("another caller");
    drop(in_flight);
    assert_eq!(idempotency.once(key("hall", &id, 1), Count::up_to(9)).await, Ok(number(2)));

    // Many at once: one does it, the others are told that it is being done.
    let id = new_request_id();
    let calls = (0..20).map(|_| idempotency.once(key("hall", &id, 1), Count::up_to(9)));
    let outcomes = join_all(calls).await;
    let (answers, refusals): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(answers, [Ok(number(3))]);
    let in_progress = |r: &Result<Money, Error>| {
        r.as_ref().is_err_and(|error| error.reason == "REQUEST_IN_PROGRESS")
    };
    assert!(refusals.iter().all(in_progress), "{refusals:?}");
});

on_each_database!(what_did_not_happen_is_tried_again, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    let failures = Arc::new(AtomicU32::new(2));
    for _ in 0..2 {
        // The writer may apply a change twice, so each call has one failure of its own.
        failures.store(2, Ordering::SeqCst);
        let change = Count { most: 9, failures: Arc::clone(&failures) };
        let error = idempotency.once(key("hall", &id, 1), change).await.expect_err("away");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Unavailable, "AWAY"));
        assert_eq!(store.count().await, 0);
    }
    let answer = idempotency.once(key("hall", &id, 1), Count::up_to(9)).await;
    assert_eq!(answer, Ok(number(1)));
});

on_each_database!(a_failure_is_not_kept_and_its_neighbours_are_stored, async |store: Store| {
    let idempotency = store.idempotency();
    let ids: Vec<String> = (0..10).map(|_| new_request_id()).collect();
    let calls = ids.iter().enumerate().map(|(index, id)| {
        let failures = Arc::new(AtomicU32::new(if index == 4 { 2 } else { 0 }));
        idempotency.once(key("hall", id, 1), Count { most: 99, failures })
    });
    let outcomes = join_all(calls).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 9);
    assert_eq!(outcomes[4].clone().expect_err("away").reason, "AWAY");
    assert_eq!(store.count().await, 9);
});

on_each_database!(a_refusal_that_was_made_elsewhere_can_be_kept, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    let refusal = Error::new(Kind::NotFound, CENTER, "NOTHING", "there is nothing");
    idempotency.keep_refusal(key("hall", &id, 1), &refusal).await.expect("kept");
    let answer = idempotency.once(key("hall", &id, 1), Count::up_to(9)).await;
    assert_eq!(answer, Err(refusal));
});

on_each_database!(answers_are_kept_for_a_week, async |store: Store| {
    let id = new_request_id();
    let idempotency = store.idempotency();
    idempotency.once(key("hall", &id, 1), Count::up_to(9)).await.expect("first");
    store.clock.advance(Duration::from_secs(6 * 24 * 3600));
    idempotency.once(key("hall", &new_request_id(), 1), Count::up_to(9)).await.expect("second");
    assert_eq!(idempotency.forget_old().await, Ok(0));
    store.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(idempotency.once(key("hall", &id, 1), Count::up_to(9)).await, Ok(number(1)));
    store.clock.advance(Duration::from_secs(1));
    assert_eq!(idempotency.forget_old().await, Ok(1), "only the old one");
    assert_eq!(idempotency.once(key("hall", &id, 1), Count::up_to(9)).await, Ok(number(3)));
});

on_each_database!(two_instances_have_one_effect, async |store: Store| {
    let other = Store::open(&store.config).await;
    let (ours, theirs) = (store.idempotency(), other.idempotency());
    for round in 1..=10 {
        let id = new_request_id();
        let (a, b) = tokio::join!(
            ours.once(key("hall", &id, round), Count::up_to(99)),
            theirs.once(key("hall", &id, round), Count::up_to(99)),
        );
        assert!(a.is_ok() || b.is_ok(), "one of them did it: {a:?} {b:?}");
        let first = ours.once(key("hall", &id, round), Count::up_to(99)).await;
        assert_eq!(first, theirs.once(key("hall", &id, round), Count::up_to(99)).await);
        for answer in [a, b].into_iter().filter(Result::is_ok) {
            assert_eq!(answer, first);
        }
        assert_eq!(store.count().await, round);
    }
});
