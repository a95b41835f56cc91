//! What becomes of deliveries when the provider, or the center, fails.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn what_the_provider_refuses_for_good_is_failed_and_not_repeated() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::Reject, Sms::Invalid]);
        let mut center = Center::start(&database.config, &world).await;
        for reason in ["NUMBER_BLOCKED", "FIELD_INVALID"] {
            let id = center.send(message()).await.expect("queued").notification_id;
            let failed = center.until(&id, DeliveryState::Undeliverable).await;
            assert_eq!(failed.state(), NotificationState::Failed);
            assert_eq!(delivery(&failed).failure_reason, reason);
            assert_eq!(delivery(&failed).next_attempt_time, None);
        }
        let events = center.events(2).await;
        assert!(events.iter().all(|e| e.r#type == "notification.failed"));
        let payload: proto::NotificationChanged =
            events[0].payload.as_ref().expect("a payload").to_msg().expect("a change");
        assert_eq!(payload.failure_reason, "NUMBER_BLOCKED");
        assert_eq!(world.references().len(), 2);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_provider_that_is_down_is_tried_again_with_the_same_reference() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::Down, Sms::Down]);
        let mut center = Center::start(&database.config, &world).await;
        let id = center.send(message()).await.expect("queued").notification_id;
        for attempts in 1..=2 {
            let waiting = eventually("the call has failed", async || {
                let read = center.get(&id).await;
                let ours = delivery(&read);
                (ours.state() == DeliveryState::Pending && ours.attempts == attempts)
                    .then_some(read)
            })
            .await;
            assert_eq!(waiting.state(), NotificationState::Queued);
            assert_eq!(delivery(&waiting).failure_reason, "SYSTEM_DOWN");
            let due = delivery(&waiting).next_attempt_time.as_ref().expect("due again");
            let wait = Instant::from_proto(due).since(world.clock.now());
            assert!(wait > Duration::from_millis(300), "{wait:?}");
            world.clock.advance(wait);
        }
        let sent = center.until(&id, DeliveryState::Accepted).await;
        assert_eq!((delivery(&sent).attempts, delivery(&sent).failure_reason.as_str()), (3, ""));
        let references = world.references();
        assert_eq!(references, vec![delivery(&sent).delivery_id.clone(); 3]);
        assert!(
            world.provider().asked.is_empty(),
            "what is known not to have arrived is not asked"
        );
        center.stop().await;
    }
}

#[tokio::test]
async fn a_provider_that_stays_down_is_given_up_after_a_bounded_number_of_calls() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    let database = &each_database().await[0];
    let world = World::start().await;
    world.provider().then = Some(Sms::Down);
    let config = Config { max_attempts: 3, ..config() };
    let mut center = Center::start_with(&database.config, &world, config).await;
    let id = center.send(message()).await.expect("queued").notification_id;
    let failed = eventually("it is given up", async || {
        let read = center.get(&id).await;
        if delivery(&read).state() == DeliveryState::Pending {
            world.clock.advance(Duration::from_secs(1));
        }
        Some(read).filter(|n| n.state() == NotificationState::Failed)
    })
    .await;
    assert_eq!(delivery(&failed).state(), DeliveryState::Undeliverable);
    assert_eq!((delivery(&failed).attempts, world.references().len()), (3, 3));
    center.stop().await;
}

#[tokio::test]
async fn a_text_whose_answer_was_lost_is_asked_about_and_not_sent_again() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::LoseAnswer]);
        let mut center = Center::start(&database.config, &world).await;
        let queued = center.send(message()).await.expect("queued");
        let id = queued.notification_id.clone();
        let unknown = center.until(&id, DeliveryState::Unknown).await;
        assert_eq!(unknown.state(), NotificationState::Queued);
        world.clock.advance(Duration::from_secs(1));
        center.until(&id, DeliveryState::Accepted).await;
        assert_eq!(world.references().len(), 1);
        assert_eq!(world.provider().asked, [delivery(&queued).delivery_id.clone()]);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_text_that_never_arrived_is_sent_again_after_asking() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::LoseRequest]);
        let mut center = Center::start(&database.config, &world).await;
        let queued = center.send(message()).await.expect("queued");
        let id = queued.notification_id.clone();
        center.until(&id, DeliveryState::Unknown).await;
        world.clock.advance(Duration::from_secs(1));
        center.until(&id, DeliveryState::Accepted).await;
        let reference = delivery(&queued).delivery_id.clone();
        assert_eq!(world.references(), [reference.clone(), reference.clone()]);
        assert_eq!(world.provider().asked, [reference]);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_text_that_was_on_the_way_at_a_restart_is_asked_about_and_not_sent_again() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::LoseAnswer]);
        // The call stays on the way for longer than the test: the first center never hears of it again.
        let patient = Config { call_timeout_ms: 600_000, ..config() };
        let mut center = Center::start_with(&database.config, &world, patient).await;
        let id = center.send(message()).await.expect("queued").notification_id;
        center.until(&id, DeliveryState::Dispatching).await;
        eventually("the provider has heard it", async || {
            (!world.references().is_empty()).then_some(())
        })
        .await;
        center.stop().await;

        let center = Center::start(&database.config, &world).await;
        assert_eq!(delivery(&center.get(&id).await).state(), DeliveryState::Dispatching);
        world.clock.advance(Duration::from_secs(700));
        center.until(&id, DeliveryState::Accepted).await;
        assert_eq!((world.references().len(), world.provider().asked.len()), (1, 1));
        center.stop().await;
    }
}

#[tokio::test]
async fn what_waits_at_a_restart_is_sent_after_it() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.provider().then = Some(Sms::Down);
        let mut center = Center::start(&database.config, &world).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(center.send(message()).await.expect("queued").notification_id);
        }
        center.stop().await;
        world.provider().then = None;
        let center = Center::start(&database.config, &world).await;
        world.clock.advance(Duration::from_secs(60));
        for id in ids {
            let sent = eventually("it is sent", async || {
                world.clock.advance(Duration::from_secs(1));
                Some(center.get(&id).await).filter(|n| n.state() == NotificationState::Completed)
            })
            .await;
            assert_eq!(delivery(&sent).state(), DeliveryState::Accepted);
        }
        center.stop().await;
    }
}

#[tokio::test]
async fn many_messages_at_once_are_each_sent_once_and_only_so_many_at_a_time() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        // The first eight are answered only when all eight are there: they go out together.
        world.script(&[Sms::Gather(8); 8]);
        let config = Config { max_concurrent_dispatches: 8, call_timeout_ms: 30_000, ..config() };
        let mut center = Center::start_with(&database.config, &world, config).await;
        let sends: Vec<_> = (0..200)
            .map(|_| {
                let mut notifications = center.notifications.clone();
                tokio::spawn(async move { notifications.send_notification(message()).await })
            })
            .collect();
        for send in sends {
            send.await.expect("ran").expect("queued");
        }
        let events = center.events(200).await;
        assert!(events.iter().all(|e| e.r#type == "notification.sent"));
        let mut references = world.references();
        assert_eq!((references.len(), world.provider().most_at_a_time), (200, 8));
        references.sort_unstable();
        references.dedup();
        assert_eq!(references.len(), 200);
        center.stop().await;
    }
}

#[tokio::test]
async fn two_instances_on_one_store_send_each_message_once() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let mut one = Center::start(&database.config, &world).await;
        let mut other = Center::start(&database.config, &world).await;
        for _ in 0..20 {
            one.send(message()).await.expect("queued");
            other.send(message()).await.expect("queued");
        }
        eventually("all are sent", async || {
            let all = one.list(proto::ListNotificationsRequest::default()).await;
            let sent = all.iter().filter(|n| n.state() == NotificationState::Completed);
            (sent.count() == 40).then_some(())
        })
        .await;
        assert_eq!(world.references().len(), 40);
        one.stop().await;
        other.stop().await;
    }
}
