//! How fast a bulk goes, and how persons pause, resume and end it.

use throughline_kit::id::new_request_id;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::{BulkOutcome, BulkState};

use crate::bulk::{begun, client, completed, of_hall, priority, read, results, start, troubled};
use crate::fixture::Center;
use crate::requests::{error, operator, reason};

fn at_rate(rate: i32, expected_count: i64) -> proto::StartBulkOperationRequest {
    proto::StartBulkOperationRequest { rate, ..start(of_hall(), priority(7), expected_count) }
}

async fn until_done(center: &Center, bulk_id: &str, done: i64) {
    eventually(&format!("{done} are done"), async || {
        (read(center, bulk_id).await.done == done).then_some(())
    })
    .await;
}

async fn pause(center: &Center, bulk_id: &str) -> Result<proto::Bulk, tonic::Status> {
    let request = proto::PauseBulkOperationRequest {
        request_id: new_request_id(),
        bulk_id: bulk_id.to_owned(),
        reason: "too many calls".to_owned(),
    };
    let answer = client(center).await.pause_bulk_operation(operator(request)).await?;
    Ok(answer.into_inner().bulk.expect("a bulk"))
}

async fn resume(center: &Center, bulk_id: &str) -> Result<proto::Bulk, tonic::Status> {
    let request = proto::ResumeBulkOperationRequest {
        request_id: new_request_id(),
        bulk_id: bulk_id.to_owned(),
        reason: "calm again".to_owned(),
    };
    let answer = client(center).await.resume_bulk_operation(operator(request)).await?;
    Ok(answer.into_inner().bulk.expect("a bulk"))
}

async fn cancel(center: &Center, bulk_id: &str) -> Result<proto::Bulk, tonic::Status> {
    let request = proto::CancelBulkOperationRequest {
        request_id: new_request_id(),
        bulk_id: bulk_id.to_owned(),
        reason: "the wrong orders".to_owned(),
    };
    let answer = client(center).await.cancel_bulk_operation(operator(request)).await?;
    Ok(answer.into_inner().bulk.expect("a bulk"))
}

on_each_database!(a_bulk_keeps_its_rate, async |mut center: Center| {
    troubled(&mut center, 14).await;
    let bulk = begun(&center, at_rate(4, 14)).await;
    // One at once, then the rate grows to 4 in a second within 5 s.
    until_done(&center, &bulk.bulk_id, 1).await;
    for done in [1, 2, 4, 7, 11] {
        center.advance(1);
        until_done(&center, &bulk.bulk_id, done).await;
    }
    center.advance(1);
    until_done(&center, &bulk.bulk_id, 14).await;
    assert_eq!(read(&center, &bulk.bulk_id).await.state(), BulkState::Completed);
    center
});

on_each_database!(a_paused_bulk_begins_nothing_until_it_is_resumed, async |mut center: Center| {
    troubled(&mut center, 3).await;
    let bulk = begun(&center, at_rate(1, 3)).await;
    until_done(&center, &bulk.bulk_id, 1).await;
    for _ in 0..2 {
        let paused = pause(&center, &bulk.bulk_id).await.expect("paused");
        assert_eq!(paused.state(), BulkState::Paused);
        let said = (paused.changed_by.as_str(), paused.change_reason.as_str());
        assert_eq!(said, ("operator:olga", "too many calls"));
    }
    center.advance(3_600);
    center = center.restart().await;
    center.advance(3_600);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert_eq!(read(&center, &bulk.bulk_id).await.done, 1);
    for _ in 0..2 {
        let running = resume(&center, &bulk.bulk_id).await.expect("resumed");
        assert_eq!(running.state(), BulkState::Running);
    }
    let done = completed(&center, &bulk.bulk_id).await;
    assert_eq!((done.done, done.left), (3, 0));
    for refused in [
        error(pause(&center, &bulk.bulk_id).await),
        error(resume(&center, &bulk.bulk_id).await),
        error(cancel(&center, &bulk.bulk_id).await),
    ] {
        assert_eq!(refused.reason, "BULK_ENDED");
        assert_eq!(refused.metadata["state"], "COMPLETED");
    }
    assert_eq!(reason(pause(&center, "blk_1").await), "BULK_NOT_FOUND");
    center
});

on_each_database!(a_cancelled_bulk_leaves_the_rest_as_it_is, async |mut center: Center| {
    let ids = troubled(&mut center, 4).await;
    let bulk = begun(&center, at_rate(1, 4)).await;
    until_done(&center, &bulk.bulk_id, 1).await;
    for _ in 0..2 {
        let ended = cancel(&center, &bulk.bulk_id).await.expect("cancelled");
        assert_eq!((ended.state(), ended.done, ended.left), (BulkState::Cancelled, 1, 3));
        assert!(ended.end_time.is_some());
    }
    assert_eq!(reason(resume(&center, &bulk.bulk_id).await), "BULK_ENDED");
    center.advance(3_600);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let left = results(&center, &bulk.bulk_id, BulkOutcome::Left).await;
    assert_eq!(
        left.iter().map(|result| &result.order_id).collect::<Vec<_>>(),
        [&ids[1], &ids[2], &ids[3]]
    );
    for id in &ids[1..] {
        assert_eq!(center.get(id).await.priority, 5);
    }
    center
});

on_each_database!(bulks_that_have_not_ended_are_limited, async |mut center: Center| {
    troubled(&mut center, 2).await;
    let mut all = Vec::new();
    for _ in 0..8 {
        let bulk = begun(&center, at_rate(1, 2)).await;
        pause(&center, &bulk.bulk_id).await.expect("paused");
        all.push(bulk.bulk_id);
    }
    let mut client = client(&center).await;
    let ninth = at_rate(1, 2);
    let refused = error(client.start_bulk_operation(operator(ninth.clone())).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["limit"].as_str()),
        ("LIMIT_REACHED", "max_running_bulks")
    );
    cancel(&center, &all[0]).await.expect("cancelled");
    // The refusal was not final: the same request is now carried out.
    let bulk = begun(&center, ninth).await;
    completed(&center, &bulk.bulk_id).await;
    let list = |state: BulkState| proto::ListBulkOperationsRequest {
        state: state.into(),
        page_size: 5,
        ..Default::default()
    };
    let paused = client.list_bulk_operations(operator(list(BulkState::Paused))).await;
    let paused = paused.expect("listed").into_inner();
    assert_eq!((paused.bulks.len(), paused.next_page_token.is_empty()), (5, false));
    center
});
