//! What customers are told because of events of their orders.

use throughline_proto::order::v1::{Customer, OrderChanged};
use throughline_proto::r#type::v1::Money;

use super::*;

/// An event of the order center, for an order of its own.
fn event(sequence: i64, kind: &str, phone: &str) -> Event {
    let order = OrderChanged {
        order_id: format!("ord_{sequence}"),
        channel_order_id: format!("A-{sequence}"),
        customer: Some(Customer {
            name: "Ada".to_owned(),
            phone: phone.to_owned(),
            ..Customer::default()
        }),
        total: Some(Money { currency_code: "GBP".to_owned(), minor_units: 1_530 }),
        ..OrderChanged::default()
    };
    Event {
        event_id: format!("evt_{sequence}"),
        center: "order".to_owned(),
        r#type: kind.to_owned(),
        subject: order.order_id.clone(),
        order_id: order.order_id.clone(),
        sequence,
        payload: Some(prost_types::Any::from_msg(&order).expect("encoded")),
        ..Event::default()
    }
}

/// Waits until so many texts were sent, and gives them.
async fn texts(world: &World, count: usize) -> Vec<String> {
    eventually("texts are sent", async || {
        let sent: Vec<_> = world.provider().sent.iter().map(|sms| sms.text.clone()).collect();
        (sent.len() >= count).then_some(sent)
    })
    .await
}

#[tokio::test]
async fn a_customer_is_told_once_what_became_of_the_order() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let center = Center::start(&database.config, &world).await;
        let completed = event(3, "order.completed", PHONE);
        world.announce([event(1, "order.step_started", PHONE), event(2, "order.accepted", "")]);
        world.announce([completed.clone()]);
        let told = texts(&world, 1).await;
        assert!(told[0].starts_with("Dear Ada, your order A-3 is complete. Total: 15.30 GBP."));

        // The same event once more, and then one of another order.
        world.announce([Event { sequence: 4, ..completed }, event(5, "order.cancelled", PHONE)]);
        let told = texts(&world, 2).await;
        assert!(told[1].contains("A-5 has been cancelled"), "{told:?}");

        let list = center.list(Default::default()).await;
        let told: Vec<_> = list
            .iter()
            .map(|n| (n.source.as_str(), n.template_code.as_str(), n.order_id.as_str()))
            .collect();
        assert_eq!(told.len(), 2, "whoever has no phone is not told: {told:?}");
        assert!(told.contains(&("policy:tell-completed", "order.completed", "ord_3")));
        assert!(told.contains(&("policy:tell-cancelled", "order.cancelled", "ord_5")));
        center.stop().await;
    }
}

#[tokio::test]
async fn events_are_followed_from_where_they_were_left_at_a_restart() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let center = Center::start(&database.config, &world).await;
        world.announce((1..=10).map(|n| event(n, "order.accepted", PHONE)));
        texts(&world, 10).await;
        center.stop().await;

        world.announce((11..=15).map(|n| event(n, "order.completed", PHONE)));
        let center = Center::start(&database.config, &world).await;
        let told = texts(&world, 15).await;
        assert_eq!(told.len(), 15);
        assert_eq!(center.list(Default::default()).await.len(), 15);
        center.stop().await;
    }
}

#[tokio::test]
async fn two_instances_that_follow_the_same_feed_tell_each_customer_once() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    for database in each_database().await {
        let world = World::start().await;
        let one = Center::start(&database.config, &world).await;
        let other = Center::start(&database.config, &world).await;
        for n in 1..=20 {
            world.announce([event(n, "order.accepted", PHONE)]);
        }
        let last = || async {
            let all = one.list(proto::ListNotificationsRequest::default()).await;
            let done = all.iter().filter(|n| n.state() == NotificationState::Completed).count();
            (done == 20).then_some(all.len())
        };
        assert_eq!(eventually("all are told", last).await, 20);
        assert_eq!(world.references().len(), 20);
        one.stop().await;
        other.stop().await;
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_does_not_hold_up_the_others() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY, "read the payload of an event"]);
    let database = &each_database().await[0];
    let world = World::start().await;
    let center = Center::start(&database.config, &world).await;
    let mut broken = event(1, "order.accepted", PHONE);
    broken.payload = Some(prost_types::Any { type_url: String::new(), value: vec![0xff] });
    let empty = Event { payload: None, ..event(2, "order.accepted", PHONE) };
    world.announce([broken, empty, event(3, "order.accepted", "not a number")]);
    world.announce([event(4, "order.accepted", PHONE)]);
    let told = texts(&world, 1).await;
    assert!(told[0].contains("A-4"), "{told:?}");
    center.stop().await;
}

#[tokio::test]
async fn a_full_queue_holds_the_feed_up_and_loses_nothing() {
    let _log = no_unexpected_warnings(&[NO_REGISTRY]);
    let database = &each_database().await[0];
    let world = World::start().await;
    world.provider().then = Some(Sms::Down);
    let config = Config { max_queued_notifications: 2, ..config() };
    let center = Center::start_with(&database.config, &world, config).await;
    world.announce([event(1, "order.accepted", PHONE), event(2, "order.accepted", PHONE)]);
    texts(&world, 2).await;
    world.announce([event(3, "order.accepted", PHONE)]);
    world.provider().then = None;
    eventually("the third is told as well", async || {
        world.clock.advance(std::time::Duration::from_secs(1));
        let all = center.list(proto::ListNotificationsRequest::default()).await;
        let done = all.iter().filter(|n| n.state() == NotificationState::Completed).count();
        (done == 3).then_some(())
    })
    .await;
    center.stop().await;
}
