//! Group commit: what is stored together, what is refused alone, and what has a limit.

use std::sync::Arc;

use futures::future::join_all;
use throughline_kit::Row;
use throughline_kit::error::Kind;
use throughline_kit::storage::{Database, StorageConfig, WriterLimits};
use throughline_kit::testing::each_database;
use tokio::sync::Notify;

use crate::store::{CENTER, MIGRATIONS, Note, Notes, Store, Wait, Way, refusal};

fn name(number: usize) -> String {
    format!("note {number:03}")
}

on_each_database!(many_changes_share_few_commits, async |store: Store| {
    let changes = (0..600).map(|n| {
        let way = if n % 2 == 0 { Way::Append } else { Way::AtOnce };
        Note::new(&name(n), way)
    });
    for outcome in store.together(changes).await {
        outcome.expect("stored");
    }
    assert_eq!(store.count().await, 600);
    let commits = store.commits().await;
    assert!((3..=10).contains(&commits), "600 changes of at most 256 each in {commits} commits");
});

on_each_database!(a_change_that_fails_after_writing_takes_nobody_with_it, async |store: Store| {
    let changes = (0..50).map(|n| {
        let way = if n % 10 == 3 { Way::WriteAndRefuse } else { Way::Append };
        Note::new(&name(n), way)
    });
    for (number, outcome) in store.together(changes).await.into_iter().enumerate() {
        if number % 10 == 3 {
            assert_eq!(outcome, Err(refusal()), "its own error, whole");
        } else {
            assert_eq!(outcome, Ok(()), "{number}");
        }
    }
    let expected: Vec<String> = (0..50).filter(|n| n % 10 != 3).map(name).collect();
    assert_eq!(store.notes().await, expected);
});

on_each_database!(a_refusal_before_writing_costs_the_others_nothing, async |store: Store| {
    let changes = (0..100).map(|n| {
        let way = if n % 2 == 0 { Way::Refuse } else { Way::Append };
        Note::new(&name(n), way)
    });
    let outcomes = store.together(changes).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(refusal())).count(), 50);
    assert_eq!((store.count().await, store.commits().await), (50, 1), "one commit for all");
});

on_each_database!(two_changes_that_collide_hurt_only_the_second, async |store: Store| {
    let names = ["one", "same", "same", "two"];
    let changes = names.into_iter().map(|name| Note::new(name, Way::Append));
    let outcomes = store.together(changes).await;
    let reasons: Vec<_> = outcomes.into_iter().map(|o| o.map_err(|e| (e.kind, e.reason))).collect();
    let unavailable = Err((Kind::Unavailable, "STORE_UNAVAILABLE".to_owned()));
    assert_eq!(reasons, [Ok(()), Ok(()), unavailable, Ok(())]);
    assert_eq!(store.notes().await, ["one", "same", "two"]);
});

on_each_database!(
    a_change_that_panics_takes_nobody_with_it,
    expecting "panicked",
    async |store: Store| {
        let changes = (0..20).map(|n| {
            let way = if n == 7 { Way::WriteAndPanic } else { Way::Append };
            Note::new(&name(n), way)
        });
        for (number, outcome) in store.together(changes).await.into_iter().enumerate() {
            let expected = if number == 7 { Err(Kind::Internal) } else { Ok(()) };
            assert_eq!(outcome.map_err(|error| error.kind), expected, "{number}");
        }
        assert_eq!(store.count().await, 19);
        store.note("after").await.expect("the writer lives");
    }
);

on_each_database!(rows_beyond_one_statement_are_all_added, async |store: Store| {
    for rows in [1_000, 75, 1, 0] {
        assert_eq!(store.writer.write(Notes(rows)).await.expect("stored"), rows);
        assert_eq!(store.count().await, rows);
        let mut tx = store.database.begin().await.expect("begin");
        let deleted = tx.execute("DELETE FROM notes", []).await.expect("delete");
        assert_eq!(i64::try_from(deleted), Ok(rows));
        tx.commit().await.expect("commit");
    }
});

on_each_database!(a_transaction_that_is_rolled_back_leaves_nothing, async |store: Store| {
    let mut tx = store.database.begin().await.expect("begin");
    tx.execute("INSERT INTO notes (name, number) VALUES ('x', 1)", []).await.expect("insert");
    tx.announce(crate::store::announcement("note.written", "x", 1));
    tx.rollback().await.expect("roll back");
    assert_eq!(store.count().await, 0);
    assert_eq!(store.writer.write(Notes(1)).await.expect("the lock is free"), 1);
});

on_each_database!(a_transaction_that_is_dropped_leaves_nothing, async |store: Store| {
    let mut tx = store.database.begin().await.expect("begin");
    tx.execute("INSERT INTO notes (name, number) VALUES ('x', 1)", []).await.expect("insert");
    drop(tx);
    assert_eq!(store.writer.write(Notes(1)).await.expect("the lock is free"), 1);
    assert_eq!(store.count().await, 1);
});

on_each_database!(a_value_stands_wherever_its_number_does, async |store: Store| {
    const SELECT: &str = "SELECT CAST($2 AS TEXT) AS second, CAST($1 AS BIGINT) AS first, \
         CAST($2 AS TEXT) AS again WHERE CAST($3 AS TEXT) IS NULL";
    let values = || [7_i64.into(), "two".into(), None::<String>.into()];
    let outside = store.database.fetch_optional(SELECT, values()).await.expect("read");
    let mut tx = store.database.begin().await.expect("begin");
    let inside = tx.fetch_all(SELECT, values()).await.expect("read").pop();
    for row in [outside, inside] {
        let row = row.expect("one row");
        assert_eq!((row.get::<String, _>(0), row.get::<i64, _>("first")), ("two".to_owned(), 7));
        assert_eq!(row.get::<Option<String>, _>("again").as_deref(), Some("two"));
    }
});

#[tokio::test]
async fn a_full_queue_is_a_named_limit() {
    for database in each_database().await {
        let limits = WriterLimits { max_changes_per_commit: 1, max_queued_changes: 2 };
        let store = Store::open_with(&database.config, limits).await;
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wait = Wait { begun: Arc::clone(&begun), go_on: Arc::clone(&go_on) };
        let writer = store.writer.clone();
        let waiting = tokio::spawn(async move { writer.write(wait).await });
        begun.notified().await;
        // Two wait behind it, the third finds no place.
        let more = join_all(["one", "two", "three"].map(|name| store.note(name)));
        let (outcomes, ()) = tokio::join!(more, async { go_on.notify_one() });
        let refused = outcomes[2].clone().expect_err("refused");
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Exhausted, "LIMIT_REACHED"));
        assert_eq!(refused.metadata["limit"], "max_queued_changes");
        assert_eq!(refused.metadata["value"], "2");
        assert_eq!(outcomes[..2], [Ok(()), Ok(())]);
        waiting.await.expect("no panic").expect("stored");
        store.note("three").await.expect("there is room again");
        assert_eq!(store.count().await, 3);
    }
}

on_each_database!(what_was_answered_is_there_after_a_restart, async |store: Store| {
    store.note("kept").await.expect("stored");
    let Store { config, database, writer, .. } = store;
    drop(writer);
    database.close().await;
    let again = Store::open(&config).await;
    assert_eq!(again.notes().await, ["kept"]);
});

on_each_database!(
    a_store_that_is_gone_is_unavailable_and_nothing_is_changed,
    async |store: Store| {
        store.database.close().await;
        let error = store.note("lost").await.expect_err("refused");
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Unavailable, "STORE_UNAVAILABLE"));
        assert!(error.retry_after.is_some());
        assert_eq!(Store::open(&store.config).await.count().await, 0);
    }
);

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_where_it_is() {
    let nowhere = StorageConfig::Sqlite("/nowhere/at/all.db".into());
    let error = Database::open(CENTER, &nowhere, MIGRATIONS).await.expect_err("refused");
    assert_eq!(error.reason, "STORE_UNAVAILABLE");
    assert!(error.message.contains("/nowhere/at/all.db"), "{}", error.message);
    let secret = StorageConfig::Postgres {
        url: "postgres://ann:secret@127.0.0.1:1/test".to_owned(),
        schema: "Robert'); DROP TABLE".to_owned(),
    };
    let error = Database::open(CENTER, &secret, MIGRATIONS).await.expect_err("refused");
    assert!(error.message.contains("schema name"), "{}", error.message);
    assert!(!error.message.contains("secret"), "{}", error.message);
}

/// Every table of the kit, with all of its columns.
const TABLES: [&str; 3] = [
    "SELECT sequence, event_id, type, subject, order_id, occurred_at_us, trace_parent, \
     payload_type, payload FROM outbox",
    "SELECT caller, request_id, fingerprint, outcome, answer, created_at_us FROM requests",
    "SELECT consumer, center, sequence FROM cursors",
];

on_each_database!(every_store_has_the_tables_of_the_kit, async |store: Store| {
    for statement in TABLES {
        let rows = store.database.fetch_all(statement, []).await.expect(statement);
        assert!(rows.is_empty());
    }
    // Opening again finds the schema as it is.
    let again = Store::open(&store.config).await;
    assert_eq!(again.database.backend(), store.database.backend());
    assert_eq!((again.count().await, again.commits().await), (0, 0));
});
