//! Somebody is reminded of what an order waits for: so often, and not while it is paused.

use throughline_kit::id::new_request_id;
use throughline_proto::event::v1::Event;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::OrderState;
use throughline_proto::order::v1::operation_service_client::OperationServiceClient;

use crate::fixture::Center;
use crate::outside::Behavior;
use crate::requests::{changed, mugs, operator, step};

const HOUR: u64 = 3_600;

async fn until_reminded(center: &Center, id: &str, of: &str, count: i32) {
    let what = format!("reminder {count} of {of}");
    center.until(id, &what, |order| step(order, "", of).reminder_count == count).await;
}

fn reminders(events: &[Event]) -> Vec<proto::OrderChanged> {
    events.iter().filter(|event| event.r#type == "step.reminder_due").map(changed).collect()
}

on_each_database!(
    the_person_who_audits_is_reminded_three_times_but_not_during_a_pause,
    async |mut center: Center| {
        let template = "audited".to_owned();
        let id = center.submit(proto::SubmitOrderRequest { template, ..mugs(1) }).await;
        center.until(&id, "the audit waits", |order| order.state() == OrderState::Pending).await;
        center.advance(12 * HOUR);
        until_reminded(&center, &id, "audit", 1).await;
        center.advance(6 * HOUR);
        let mut operations = OperationServiceClient::new(center.channel().await);
        let pause = proto::PauseOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            reason: "the auditor is away".to_owned(),
            ..Default::default()
        };
        operations.pause_order(operator(pause)).await.expect("paused");
        center.advance(30 * 24 * HOUR);
        center = center.restart().await;
        let mut operations = OperationServiceClient::new(center.channel().await);
        let resume = proto::ResumeOrderRequest {
            request_id: new_request_id(),
            order_id: id.clone(),
            reason: "back again".to_owned(),
            ..Default::default()
        };
        operations.resume_order(operator(resume)).await.expect("resumed");
        // What was left of the time to the second reminder, 6 h, goes on.
        center.advance(6 * HOUR - 1);
        assert_eq!(step(&center.get(&id).await, "", "audit").reminder_count, 1);
        center.advance(1);
        until_reminded(&center, &id, "audit", 2).await;
        center.advance(12 * HOUR);
        until_reminded(&center, &id, "audit", 3).await;
        // The time for the audit runs out; nobody is reminded a fourth time.
        center.advance(12 * HOUR);
        let told = center.events_until("task.escalated").await;
        let told = reminders(&told);
        let numbers: Vec<_> = told.iter().map(|told| (told.reminder, told.reminders)).collect();
        assert_eq!(numbers, [(1, 3), (2, 3), (3, 3)]);
        assert!(told.iter().all(|told| told.step_id == "audit" && told.customer.is_none()));
        center.cancel(&id).await.expect("cancelled");
        center.becomes(&id, OrderState::Cancelled).await;
        center
    }
);

on_each_database!(
    the_payer_is_reminded_and_a_reminder_that_comes_late_comes_once,
    async |mut center: Center| {
        center.outside.next("StartAttempt", &[Behavior::Pending]);
        let id = center.submit(mugs(1)).await;
        let order = center.becomes(&id, OrderState::Pending).await;
        // Both are due by now, but two at once help nobody.
        center.advance(610);
        until_reminded(&center, &id, "pay", 1).await;
        center.outside.payer_pays(&order.payment_order_id);
        center.becomes(&id, OrderState::Completed).await;
        center.advance(HOUR);
        let told = reminders(&center.events_until("order.completed").await);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].reminder, told[0].reminders), (1, 2));
        let customer = told[0].customer.as_ref().expect("the customer is reminded");
        assert_eq!(customer.customer_id, "customer-1");
        assert!(told[0].total.is_some());
        center
    }
);
