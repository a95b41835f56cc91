//! What callers ask, and what they are refused.

use super::*;

#[tokio::test]
async fn a_message_is_stored_answered_and_then_sent() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let mut center = Center::start(&database.config, &world).await;
        let queued = center.send(message()).await.expect("queued");
        assert_eq!(queued.state(), NotificationState::Queued);
        assert_eq!(delivery(&queued).state(), DeliveryState::Pending);
        assert_eq!((queued.source.as_str(), queued.locale.as_str()), ("direct", "zh"));
        assert_eq!(queued.create_time, Some(START.to_proto()));

        let sent = center.until(&queued.notification_id, DeliveryState::Accepted).await;
        assert_eq!(sent.state(), NotificationState::Completed);
        assert_eq!(sent.end_time, Some(START.to_proto()));
        assert_eq!((delivery(&sent).attempts, delivery(&sent).provider.as_str()), (1, "sms"));
        let heard = world.provider().sent.clone();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].reference, delivery(&queued).delivery_id);
        assert_eq!((heard[0].phone.as_str(), heard[0].order_id.as_str()), (PHONE, "ord_1"));
        assert!(heard[0].text.contains("王芳") && heard[0].text.contains("A-1"));
        assert_eq!(heard[0].text, delivery(&sent).body);

        let events = center.events(1).await;
        assert_eq!(
            (events[0].r#type.as_str(), events[0].order_id.as_str()),
            ("notification.sent", "ord_1")
        );
        assert_eq!(events[0].subject, queued.notification_id);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_repeated_request_has_its_first_answer_and_other_content_is_refused() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let mut center = Center::start(&database.config, &world).await;
        let request = message();
        let first = center.send(request.clone()).await.expect("queued");
        center.until(&first.notification_id, DeliveryState::Accepted).await;
        assert_eq!(center.send(request.clone()).await.expect("again"), first);
        assert_eq!(center.list(Default::default()).await.len(), 1);

        let other = proto::SendNotificationRequest { order_id: "ord_2".to_owned(), ..request };
        let refused = center.send(other).await.expect_err("reused");
        assert_eq!(refused.reason, "REQUEST_ID_REUSED");
        center.stop().await;
    }
}

/// Spoils a valid message.
type Spoil = fn(&mut proto::SendNotificationRequest);

const SPOILED: &[(Spoil, &str, &[&str])] = &[
    (|m| m.request_id = "1".into(), "FIELD_INVALID", &["request_id"]),
    (|m| m.template_code.clear(), "FIELD_INVALID", &["template_code"]),
    (|m| m.locale = "x".repeat(36), "FIELD_INVALID", &["locale"]),
    (|m| m.order_id = "x".repeat(65), "FIELD_INVALID", &["order_id"]),
    (
        |m| drop(m.variables.insert("name".into(), "x".repeat(501))),
        "FIELD_INVALID",
        &["variables[name]"],
    ),
    (
        |m| m.variables = (0..33).map(|n| (format!("v{n}"), String::new())).collect(),
        "FIELD_INVALID",
        &["variables"],
    ),
    (
        |m| {
            m.request_id.clear();
            m.locale = "x".repeat(36);
        },
        "FIELD_INVALID",
        &["request_id", "locale"],
    ),
    (|m| m.recipient_phone.clear(), "RECIPIENT_INVALID", &["recipient_phone"]),
    (|m| m.recipient_phone = "02071838750".into(), "RECIPIENT_INVALID", &["recipient_phone"]),
    (|m| m.template_code = "ghost".into(), "TEMPLATE_NOT_FOUND", &[]),
    (
        |m| m.variables.clear(),
        "TEMPLATE_VARIABLE_MISSING",
        &["variables[channel_order_id]", "variables[name]"],
    ),
];

#[tokio::test]
async fn each_wrong_field_of_a_message_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    let database = &each_database().await[0];
    let world = World::start().await;
    let mut center = Center::start(&database.config, &world).await;

    for (spoil, reason, expected) in SPOILED {
        let mut request = message();
        spoil(&mut request);
        let refused = center.send(request).await.expect_err("wrong");
        assert_eq!((refused.reason.as_str(), &paths(&refused)[..]), (*reason, *expected));
        assert!(!refused.to_string().contains("2071838750"), "a number stands in {refused}");
    }
    assert!(center.list(Default::default()).await.is_empty());
    assert!(world.references().is_empty());
    center.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_with_the_name_of_its_limit_until_there_is_room() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        world.script(&[Sms::Down, Sms::Down]);
        let config = Config { max_queued_notifications: 2, ..config() };
        let mut center = Center::start_with(&database.config, &world, config).await;
        let first = message();
        center.send(first.clone()).await.expect("queued");
        // A count that runs while the first is stored may take it for two, until the next count.
        let second = message();
        eventually("the second is queued", async || {
            center.notifications.clone().send_notification(second.clone()).await.ok()
        })
        .await;
        let refused = center.send(message()).await.expect_err("full");
        assert_eq!(refused.reason, "LIMIT_REACHED");
        assert_eq!(refused.metadata["limit"], "max_queued_notifications");
        center.send(first).await.expect("a repeated request has its first answer");

        eventually("both calls have failed", async || {
            (world.references().len() == 2).then_some(())
        })
        .await;
        let third = message();
        eventually("there is room again", async || {
            world.clock.advance(std::time::Duration::from_secs(1));
            center.notifications.clone().send_notification(third.clone()).await.ok()
        })
        .await;
        center.stop().await;
    }
}

/// Sends five messages for two orders in turn; the first is refused. Gives their ids, newest first.
async fn five(center: &mut Center, world: &World) -> Vec<String> {
    world.script(&[Sms::Reject]);
    let mut ids = Vec::new();
    for nth in 0..5 {
        world.clock.advance(std::time::Duration::from_millis(1));
        let order_id = format!("ord_{}", nth % 2);
        let request = proto::SendNotificationRequest { order_id, ..message() };
        let id = center.send(request).await.expect("queued").notification_id;
        let end = if nth == 0 { DeliveryState::Undeliverable } else { DeliveryState::Accepted };
        center.until(&id, end).await;
        ids.insert(0, id);
    }
    ids
}

#[tokio::test]
async fn notifications_are_listed_newest_first_in_pages() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let mut center = Center::start(&database.config, &world).await;
        let ids = five(&mut center, &world).await;
        let mut request = proto::ListNotificationsRequest { page_size: 2, ..Default::default() };
        let mut seen = Vec::new();
        loop {
            let list = center.notifications.list_notifications(request.clone()).await;
            let list = answer(list).expect("listed");
            seen.extend(list.notifications.into_iter().map(|n| n.notification_id));
            if list.next_page_token.is_empty() {
                break;
            }
            request.page_token = list.next_page_token;
        }
        assert_eq!(seen, ids);
        request.page_token = "not ours".to_owned();
        let refused = answer(center.notifications.list_notifications(request).await);
        assert_eq!(refused.expect_err("not ours").reason, "PAGE_TOKEN_INVALID");
        center.stop().await;
    }
}

#[tokio::test]
async fn notifications_are_listed_by_order_and_by_state() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let mut center = Center::start(&database.config, &world).await;
        let ids = five(&mut center, &world).await;
        let failed = NotificationState::Failed.into();
        for (order_id, state, expected) in [
            ("ord_0", 0, &[0, 2, 4][..]),
            ("ord_1", 0, &[1, 3]),
            ("", failed, &[4]),
            ("ord_0", failed, &[4]),
            ("ord_1", failed, &[]),
            ("ord_2", 0, &[]),
        ] {
            let order_id = order_id.to_owned();
            let request = proto::ListNotificationsRequest { order_id, state, ..Default::default() };
            let found: Vec<_> =
                center.list(request).await.into_iter().map(|n| n.notification_id).collect();
            let expected: Vec<_> = expected.iter().map(|nth: &usize| ids[*nth].clone()).collect();
            assert_eq!(found, expected);
        }
        let request = proto::ListNotificationsRequest { state: 9, ..Default::default() };
        let refused = answer(center.notifications.list_notifications(request).await);
        assert_eq!(paths(&refused.expect_err("no state")), ["state"]);
        center.stop().await;
    }
}

#[tokio::test]
async fn an_unknown_notification_is_not_found() {
    let database = &each_database().await[0];
    let world = World::start().await;
    let mut center = Center::start(&database.config, &world).await;
    for id in ["", "ntf_00000000000000000000000000", "x"] {
        let request = proto::GetNotificationRequest { notification_id: id.to_owned() };
        let refused = answer(center.notifications.get_notification(request).await);
        assert_eq!(refused.expect_err("not there").reason, "NOTIFICATION_NOT_FOUND");
    }
    center.stop().await;
}

#[tokio::test]
async fn templates_and_policies_are_listed_by_code() {
    let database = &each_database().await[0];
    let world = World::start().await;
    let mut center = Center::start(&database.config, &world).await;
    let templates = center.templates.list_templates(proto::ListTemplatesRequest {}).await;
    let templates = templates.expect("listed").into_inner().templates;
    assert!(templates.is_sorted_by_key(|t| t.code.clone()) && templates.len() >= 6);
    assert!(templates.iter().all(|t| t.bodies.contains_key("en") && t.bodies.contains_key("zh")));
    let policies = center.templates.list_policies(proto::ListPoliciesRequest {}).await;
    let policies = policies.expect("listed").into_inner().policies;
    assert!(policies.is_sorted_by_key(|p| p.code.clone()) && policies.len() >= 6);
    for policy in policies {
        assert!(templates.iter().any(|t| t.code == policy.template_code), "{policy:?}");
    }
    center.stop().await;
}
