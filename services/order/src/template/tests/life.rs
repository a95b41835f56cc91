//! A step from its request to what its answer means, against the contracts.

use prost::Message;
use throughline_proto::billing::v1 as billing;
use throughline_proto::logistics::v1 as logistics;
use throughline_proto::order::v1 as order;
use throughline_proto::prost_reflect::{DynamicMessage, MethodDescriptor};
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::r#type::v1::{Money, OperationOutcome};

use super::world::World;
use super::{business, compiled};
use crate::template::{
    Call, Change, Difference, FailedDelivery, FailurePolicy, Reading, SHIPPED, StepWork, Template,
    Wait, diff,
};

fn shipped(name: &str) -> Template {
    let found = SHIPPED.iter().find(|shipped| shipped.name == name);
    compiled(found.unwrap_or_else(|| panic!("{name} is shipped")).source)
}

fn call<'a>(template: &'a Template, id: &str) -> &'a Call {
    match template.steps.iter().find(|step| step.id == id).map(|step| &step.work) {
        Some(StepWork::Call(call)) => call,
        other => panic!("{id} is no call: {other:?}"),
    }
}

fn request<T: Message + Default>(call: &Call) -> T {
    let message = call.request(&World::default()).expect("the request can be made");
    message.transcode_to().expect("the request is of the contract")
}

fn answer(method: &MethodDescriptor, message: &impl Message) -> DynamicMessage {
    DynamicMessage::decode(method.output(), message.encode_to_vec().as_slice())
        .expect("of the contract")
}

#[test]
fn a_broadband_line_is_installed_charged_and_undone_with_the_values_of_its_order() {
    let template = shipped("telecom-broadband");
    let install = call(&template, "install");
    assert_eq!(
        request::<provisioning::ActivateServiceRequest>(install),
        provisioning::ActivateServiceRequest {
            reference: "stp_1".to_owned(),
            order_id: "ord_1".to_owned(),
            customer_id: "c-1".to_owned(),
            offering_code: "broadband-300m".to_owned(),
            resources: vec!["+4420".to_owned(), "dev-7".to_owned(), "ser-9".to_owned()],
        }
    );
    let account: billing::OpenAccountRequest = request(call(&template, "open-account"));
    let recurring = Money { currency_code: "GBP".to_owned(), minor_units: 2_500 };
    assert_eq!(account.recurring_charge, Some(recurring));
    let step = &template.steps[0];
    let undo: provisioning::DeactivateServiceRequest =
        request(step.undo.as_ref().expect("it is undone"));
    assert_eq!(undo.activation_reference, "stp_0");
    let ask: provisioning::GetOperationRequest =
        request(step.on_unknown.as_ref().expect("it is asked for"));
    assert_eq!(ask.reference, "stp_1");
}

#[test]
fn a_parcel_holds_every_line() {
    let template = shipped("retail-goods");
    let parcel: logistics::CreateShipmentRequest = request(call(&template, "ship"));
    assert_eq!(parcel.address, "1 High Street");
    let lines: Vec<_> =
        parcel.lines.iter().map(|l| (l.offering_code.as_str(), l.quantity)).collect();
    assert_eq!(lines, [("broadband-300m", 1), ("router", 2)]);
}

#[test]
fn an_absent_message_leaves_its_field_unset() {
    let template = shipped("telecom-plan");
    let mut world = World::default();
    world.business_order.recurring_charge = None;
    let message = call(&template, "open-account").request(&world).expect("it can be made");
    let account: billing::OpenAccountRequest = message.transcode_to().expect("of the contract");
    assert_eq!(account.recurring_charge, None);
}

#[test]
fn the_outcome_of_outside_systems_decides() {
    let template = shipped("telecom-plan");
    let call = call(&template, "activate");
    let read = |outcome: OperationOutcome, reason: &str| {
        let message = provisioning::ActivateServiceResponse {
            outcome: outcome.into(),
            reason: reason.to_owned(),
            message: "as said".to_owned(),
        };
        call.read(&World::default(), answer(&call.descriptor, &message))
    };
    let done = Reading::Succeeded { saved: [].into() };
    assert_eq!(read(OperationOutcome::Succeeded, ""), Ok(done));
    assert_eq!(read(OperationOutcome::Pending, ""), Ok(Reading::Pending));
    for (said, reason) in [("LINE_BUSY", "LINE_BUSY"), ("", "DECLINED")] {
        let declined =
            Reading::Declined { reason: reason.to_owned(), message: "as said".to_owned() };
        assert_eq!(read(OperationOutcome::Declined, said), Ok(declined));
    }
    let unreadable = read(OperationOutcome::Unspecified, "").expect_err("it says nothing");
    assert_eq!(unreadable.path, "steps[0].call.answer");
}

const LOOK_UP: &str = "  - id: look
    call:
      method: throughline.order.v1.OrderService/GetOrder
      request: { order_id: order.order_id }
      answer:
        succeeded: answer.order.state == 'ORDER_STATE_COMPLETED'
        pending: answer.order.state == 'ORDER_STATE_IN_PROGRESS'
        reason: \"answer.order.failure == null ? 'NOT_COMPLETE' : answer.order.failure.reason\"
        message: \"'the order is ' + answer.order.state\"
      save:
        number: answer.order.channel_order_id
        items: answer.order.items.map(i, i.item_key)
        created: answer.order.create_time
        total: answer.order.total
    timeout: 10s
    undo: none
";

fn look_up(order: order::CustomerOrder) -> Result<Reading, crate::template::EvaluationFailed> {
    let template = compiled(&business(LOOK_UP));
    let call = call(&template, "look");
    let message = order::GetOrderResponse { order: Some(order) };
    call.read(&World::default(), answer(&call.descriptor, &message))
}

#[test]
fn expressions_decide_about_an_answer_and_keep_of_it_what_later_steps_read() {
    let completed = order::CustomerOrder {
        state: order::OrderState::Completed.into(),
        channel_order_id: "web-7".to_owned(),
        ..World::default().order
    };
    let Ok(Reading::Succeeded { saved }) = look_up(completed) else { panic!("it is completed") };
    let saved = serde_json::to_value(saved).expect("it is JSON");
    assert_eq!(
        saved,
        serde_json::json!({
            "number": "web-7",
            "items": ["a", "b"],
            "created": "2024-01-02T03:03:05Z",
            "total": null,
        })
    );
    assert_eq!(look_up(World::default().order), Ok(Reading::Pending));
    let failed = order::OrderState::Failed.into();
    let refused = look_up(order::CustomerOrder { state: failed, ..World::default().order });
    let message = "the order is ORDER_STATE_FAILED".to_owned();
    assert_eq!(refused, Ok(Reading::Declined { reason: "NOT_COMPLETE".to_owned(), message }));
}

#[test]
fn a_step_keeps_no_more_than_its_limit() {
    let mut large = World::default().order;
    large.state = order::OrderState::Completed.into();
    large.channel_order_id = "x".repeat(5_000);
    let failed = look_up(large).expect_err("it is too much");
    assert_eq!(failed.path, "steps[0].call.save.number");
    assert!(failed.message.contains("keep more than 4096 bytes"), "{failed}");
}

#[test]
fn a_small_expression_fills_no_memory_and_no_request() {
    let mut world = World::default();
    let item = world.order.items[0].clone();
    world.order.items = vec![item; 1_000];
    let cases = [
        ("save: { a: \"items.map(a, items.map(b, b.quantity))\" }", "makes more than 100000"),
        ("save: { a: \"items.map(a, items)\" }", "keep more than 4096 bytes"),
        ("save: { a: \"items.map(a, items) == items.map(b, items)\" }", "takes more than"),
        ("save: { a: \"items.map(a, a.characteristics).map(b, [b, b]).flatten().size()\" }", ""),
    ];
    for (save, expected) in cases {
        let wait = format!("  - id: a\n    wait: {{ event: e, {save} }}\n    timeout: 1d\n");
        let template = compiled(&business(&wait));
        let StepWork::Wait(wait) = &template.steps[0].work else { panic!("the step waits") };
        match wait.read(&world, &serde_json::Map::new()) {
            Ok(_) => assert_eq!(expected, "", "{save}"),
            Err(failed) => assert!(
                !expected.is_empty() && failed.message.contains(expected),
                "{save}: {failed}"
            ),
        }
    }
    let ship = shipped("retail-goods");
    for item in &mut world.order.items {
        item.offering_code = "x".repeat(10_000);
    }
    let failed = call(&ship, "ship").request(&world).expect_err("it is too large");
    assert_eq!(failed.path, "steps[0].call.request.lines");
    assert!(failed.message.contains("holds more than 100000 values"), "{failed}");
}

#[test]
fn a_template_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Template>();
}

#[test]
fn an_event_keeps_of_it_what_later_steps_read() {
    let source = business(
        "  - id: built\n    wait: { event: construction.finished, save: { crew: event.crew } }\n    timeout: 30d\n",
    );
    let template = compiled(&source);
    let StepWork::Wait(wait) = &template.steps[0].work else { panic!("the step waits") };
    let Wait { event, refused_by, .. } = wait;
    assert_eq!((event.as_str(), refused_by.len()), ("construction.finished", 0));
    let arrived = serde_json::json!({ "crew": "north", "other": [1] });
    let arrived = arrived.as_object().expect("it is a mapping");
    let saved = [("crew".to_owned(), serde_json::json!("north"))].into();
    assert_eq!(wait.read(&World::default(), arrived), Ok(Reading::Succeeded { saved }));
    assert!(wait.read(&World::default(), &serde_json::Map::new()).is_err());
}

#[test]
fn the_first_override_that_matches_decides() {
    let source = "template: t
kind: BUSINESS
title: T
policy: BRANCH
overrides:
  - { offering: broadband, channel: call-center, reason: NO_LINE_AT_ADDRESS, policy: ASK }
  - { channel: call-center, policy: FORWARD }
steps:
  - { id: a, timer: { for: 1s } }
";
    let template = compiled(source);
    let policy = |offerings: &[&str], channel, reason| {
        template.policy_for(&FailedDelivery { offerings, channel, reason })
    };
    let lines = ["router", "broadband"];
    assert_eq!(policy(&lines, "call-center", "NO_LINE_AT_ADDRESS"), Some(FailurePolicy::Ask));
    assert_eq!(policy(&lines, "call-center", "LINE_BUSY"), Some(FailurePolicy::Forward));
    assert_eq!(policy(&lines, "web", "NO_LINE_AT_ADDRESS"), Some(FailurePolicy::Branch));
}

#[test]
fn steps_stand_behind_all_that_they_wait_for() {
    let source = business(
        "  - { id: last, after: [b, a], timer: { for: 1s } }
  - { id: a, after: [], timer: { for: 1s } }
  - { id: b, timer: { for: 1s } }
",
    );
    let template = compiled(&source);
    let steps: Vec<_> = template.steps.iter().map(|s| (s.id.as_str(), s.after.clone())).collect();
    assert_eq!(steps, [("a", vec![]), ("b", vec![0]), ("last", vec![0, 1])]);
}

#[test]
fn a_reviewer_sees_what_changed_in_the_words_of_the_documents() {
    let old = compiled(&business(
        "  - { id: a, timer: { for: 1s } }\n  - { id: b, title: B, timer: { for: 1s } }\n  - { id: c, timer: { for: 1s } }\n",
    ));
    let new = compiled(&business(
        "  - { id: b, title: B, timer: { for: 2s } }\n  - { id: a, timer: { for: 1s } }\n  - { id: d, activity: restock }\n",
    ));
    let text = |text: &str| text.to_owned();
    let expected = [
        ("steps[b].timer.for", Change::Changed { old: text("1s"), new: text("2s") }),
        ("steps[d].id", Change::Added { new: text("d") }),
        ("steps[d].activity", Change::Added { new: text("restock") }),
        ("steps[c].id", Change::Removed { old: text("c") }),
        ("steps[c].timer.for", Change::Removed { old: text("1s") }),
        ("steps", Change::Moved { old: text("a, b"), new: text("b, a") }),
    ];
    let expected = expected.map(|(path, change)| Difference { path: text(path), change });
    assert_eq!(diff(&old, &new), expected);
}
