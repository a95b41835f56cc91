//! Orders that stand still: pauses that keep what is left of every time, tasks that nobody does, and templates that change
//! meanwhile.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_proto::order::v1::{CustomerOrder, OrderState, Step, StepState, TaskKind};
use throughline_proto::payment::v1::PaymentOrderState;
use throughline_proto::simulator::v1::{Misbehavior, Rule};
use throughline_tests::actions::{always, cny};
use throughline_tests::desk::{Desk, span};
use throughline_tests::flows::{by_hand, offering, waiting};
use throughline_tests::operations::{step, whole_order};
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::traces::{moved, times_done, untouched};
use throughline_tests::world::World;

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
const PRICE: i64 = 9_950;

fn reason(order: &CustomerOrder) -> &str {
    order.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default()
}

/// The step that tells that real time goes on beside a pause: another order whose deadline passes.
async fn another_times_out(desk: &Desk, customer: &str, offering: &str) {
    let ended = desk.carry_out(order(customer, &[("line", offering, 1)])).await;
    assert_eq!((ended.state(), reason(&ended)), (OrderState::Failed, "WAIT_TIMED_OUT"));
}

fn deadline(step: &Step) -> Option<Instant> {
    step.deadline.as_ref().map(Instant::from_proto)
}

#[tokio::test]
async fn money_that_comes_after_a_cancel_goes_back() {
    let world = World::start().await;
    let desk = &world.desk;
    // The channel answers late: the money is taken, and nobody knows it yet when the customer cancels.
    let late = always("Charge", Misbehavior::AnswerLate);
    desk.misbehave(Rule { delay: span(Duration::from_millis(700)), ..late }).await;
    let mut captured = 0;
    for number in 0..3 {
        let order_id = desk.submit(order(&format!("late payer {number}"), &EARPHONES)).await;
        desk.until(&order_id, "its payer", |order| order.state() == OrderState::Pending).await;
        desk.cancel(&order_id, "thought better of it").await.expect("cancelled");
        let ended = desk.end_of(&order_id).await;
        assert_eq!((ended.state(), ended.paid.clone()), (OrderState::Cancelled, Some(cny(0))));
        desk.books_add_up().await;
        let effects = desk.effects_of(&order_id).await;
        assert_eq!(moved(&effects, "Charge"), moved(&effects, "Refund"), "{effects:#?}");
        assert_eq!(times_done(&effects, "CreateShipment"), 0);
        captured += moved(&effects, "Charge");
    }
    assert!(captured % PRICE == 0);
    assert_eq!(desk.units("earphones").await, untouched(200));
    world.end().await;
}

/// An order that waits at the counter, paused; the id of the order and of what is owed.
async fn paused_at_the_counter(desk: &Desk, customer: &str, ttl: Duration) -> (String, String) {
    let order_id = desk.submit(at_the_counter(order(customer, &EARPHONES), ttl)).await;
    let owes = |order: &CustomerOrder| order.state() == OrderState::Pending;
    let owed = desk.until(&order_id, "its payer", owes).await.payment_order_id;
    let paused = desk.pause(&order_id, whole_order()).await.expect("paused");
    assert_eq!((paused.state(), paused.holds.len()), (OrderState::Held, 1));
    let again = desk.pause(&order_id, whole_order()).await.expect("it is paused already");
    assert_eq!(again.version, paused.version, "pausing what is paused changes nothing");
    (order_id, owed)
}

#[tokio::test]
async fn a_payment_that_ends_during_a_pause_counts_when_the_order_goes_on() {
    let world = World::start().await;
    let desk = &world.desk;
    let (hour, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
    let (pays, owed) = paused_at_the_counter(desk, "pays", hour).await;
    let (misses, missed) = paused_at_the_counter(desk, "misses", second).await;
    desk.take_cash(&owed, cny(PRICE), "R-1").await.expect("taken");
    // The time to pay is promised to the payer by the payment center: a pause of the order does not change it.
    throughline_kit::testing::eventually("the payment is closed", || async {
        let closed = desk.payment_orders(&misses).await.remove(0).state();
        (closed == PaymentOrderState::Closed).then_some(())
    })
    .await;
    for order_id in [&pays, &misses] {
        let held = desk.order(order_id).await;
        assert_eq!(held.state(), OrderState::Held, "it stands still: {held:#?}");
        assert_eq!(times_done(&desk.effects_of(order_id).await, "CreateShipment"), 0);
    }
    for order_id in [&pays, &misses] {
        desk.resume(order_id, whole_order()).await.expect("resumed");
    }
    assert_eq!(desk.end_of(&pays).await.state(), OrderState::Completed);
    let late = desk.end_of(&misses).await;
    assert_eq!((late.state(), reason(&late)), (OrderState::Cancelled, "PAYMENT_EXPIRED"));
    let refusal = desk.take_cash(&missed, cny(PRICE), "R-2").await.expect_err("the time is over");
    assert_eq!(refusal.reason, "PAYMENT_ORDER_CLOSED");
    assert_eq!(desk.units("earphones").await.used, 1);
    world.end().await;
}

#[tokio::test]
async fn a_pause_lasts_beyond_the_timeout_of_a_wait_and_what_came_meanwhile_is_kept() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.publish(&waiting("short-wait", "2s")).await;
    desk.seed(&offering("word", "short-wait")).await;
    let lines = [("line", "word", 1)];
    let hears = |order: &CustomerOrder| {
        step(order, Some("line"), "hear").is_some_and(|step| step.state() == StepState::Waiting)
    };
    let mut paused = Vec::new();
    for customer in ["hears in time", "hears too late"] {
        let order_id = desk.submit(order(customer, &lines)).await;
        let seen = desk.until(&order_id, "its wait", hears).await;
        let begun = step(&seen, Some("line"), "hear").expect("a step");
        assert!(deadline(begun).is_some(), "it ends by itself: {begun:?}");
        let held = desk.pause(&order_id, whole_order()).await.expect("paused");
        let waits = step(&held, Some("line"), "hear").expect("a step");
        assert_eq!((waits.held, deadline(waits)), (true, None), "its time stands still");
        paused.push(order_id);
    }
    for number in 0..2 {
        another_times_out(desk, &format!("goes on {number}"), "word").await;
    }
    for order_id in &paused {
        let seen = desk.order(order_id).await;
        assert!(seen.end_time.is_none(), "more than its time has passed: {seen:#?}");
    }
    desk.signal(&paused[0], "word.given").await.expect("told");
    for order_id in &paused {
        assert_eq!(desk.order(order_id).await.state(), OrderState::Held, "it stands still");
        desk.resume(order_id, whole_order()).await.expect("resumed");
    }
    assert_eq!(desk.end_of(&paused[0]).await.state(), OrderState::Completed);
    let late = desk.end_of(&paused[1]).await;
    assert_eq!((late.state(), reason(&late)), (OrderState::Failed, "WAIT_TIMED_OUT"));
    world.end().await;
}

#[tokio::test]
async fn a_task_that_nobody_does_goes_to_the_supervisors_and_fails_where_there_are_none() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.publish(&by_hand("look-twice", "1s")).await;
    desk.seed(&offering("look", "look-twice")).await;
    let lines = [("line", "look", 1)];
    let rescued = desk.submit(order("rescued", &lines)).await;
    let first = desk.task(&rescued, "look").await;
    assert_eq!(
        (first.kind(), first.group.as_str(), first.escalated),
        (TaskKind::Step, "field-survey", false)
    );
    let escalated = throughline_kit::testing::eventually("the supervisors", || async {
        desk.tasks(&rescued).await.into_iter().find(|task| task.escalated)
    });
    let escalated = escalated.await;
    assert_eq!((escalated.group.as_str(), &escalated.task_id), ("supervisors", &first.task_id));
    assert_eq!(escalated.deadline, None, "they have the time that they need");
    assert!(desk.order(&rescued).await.attention, "a person should look at it");
    desk.complete(&escalated.task_id, &[("fine", "true")]).await.expect("done");
    let ended = desk.end_of(&rescued).await;
    assert_eq!((ended.state(), ended.attention), (OrderState::Completed, false));

    let without_supervisors = by_hand("look-once", "1s").replace("escalate_to: supervisors", "");
    desk.publish(&without_supervisors.replace("      \n", "")).await;
    desk.seed(&offering("glance", "look-once")).await;
    let forgotten = desk.carry_out(order("forgotten", &[("line", "glance", 1)])).await;
    assert_eq!((forgotten.state(), reason(&forgotten)), (OrderState::Failed, "TASK_TIMED_OUT"));
    assert_eq!(desk.tasks("").await, []);
    world.end().await;
}

#[tokio::test]
async fn orders_keep_the_template_that_they_began_with_when_it_is_published_anew() {
    let world = World::start().await;
    let desk = &world.desk;
    assert_eq!(desk.publish(&waiting("changing", "1h")).await, 1);
    desk.seed(&offering("word", "changing")).await;
    let lines = [("line", "word", 1)];
    let hears = |order: &CustomerOrder| step(order, Some("line"), "hear").is_some();
    let looks = |order: &CustomerOrder| step(order, Some("line"), "look").is_some();
    let before = desk.submit(order("before", &lines)).await;
    let seen = desk.until(&before, "its wait", hears).await;
    assert_eq!(seen.business_orders[0].template_version, 1);

    assert_eq!(desk.publish(&by_hand("changing", "1h")).await, 2);
    let same = desk.publish(&by_hand("changing", "1h")).await;
    assert_eq!(same, 2, "the text that is in force is no new version");
    let after = desk.submit(order("after", &lines)).await;
    let seen = desk.until(&after, "its task", looks).await;
    assert_eq!(seen.business_orders[0].template_version, 2);
    let kept = desk.order(&before).await;
    assert!(hears(&kept) && !looks(&kept), "it runs as it began: {kept:#?}");
    assert_eq!(kept.business_orders[0].template_version, 1);

    desk.signal(&before, "word.given").await.expect("told");
    assert_eq!(desk.end_of(&before).await.state(), OrderState::Completed);
    let task = desk.task(&after, "look").await;
    desk.complete(&task.task_id, &[("fine", "true")]).await.expect("done");
    assert_eq!(desk.end_of(&after).await.state(), OrderState::Completed);
    world.end().await;
}
