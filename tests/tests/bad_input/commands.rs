//! Commands that the state of an order forbids, that mean what is not there, or that come from two at once.

use serde_json::{Value, json};
use throughline_kit::error::Kind;
use throughline_kit::id::new_request_id;
use throughline_proto::gateway::v1 as gateway;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::OrderState;
use throughline_proto::order::v1::task_service_client::TaskServiceClient;
use throughline_tests::desk::Desk;
use throughline_tests::flows::{by_hand, offering, waiting};
use throughline_tests::operations::step_of;
use throughline_tests::shopping::order;
use throughline_tests::world::World;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::wire::{call, refusal};

/// Everything that a back office does with an order, its fields but request id and order.
fn operations() -> Vec<(&'static str, Value)> {
    let target = json!({ "stepId": "pay" });
    vec![
        ("order.OperationService/PauseOrder", json!({ "reason": "r" })),
        ("order.OperationService/ResumeOrder", json!({ "reason": "r" })),
        ("order.OperationService/RetryStep", json!({ "reason": "r", "target": target })),
        ("order.OperationService/SkipStep", json!({ "reason": "r", "target": target })),
        ("order.OperationService/SubstituteStep", json!({ "reason": "r", "target": target })),
        ("order.OperationService/RerunStep", json!({ "reason": "r", "target": target })),
        ("order.OperationService/ProveUndone", json!({ "reason": "r", "target": target })),
        ("order.OperationService/SetPriority", json!({ "reason": "r", "priority": 9 })),
        ("order.OrderService/UrgeOrder", json!({ "reason": "r" })),
        ("order.OrderService/CancelOrder", json!({ "reason": "r" })),
        ("order.OrderService/ChangeOrder", json!({ "reason": "r", "items": [line(1)] })),
    ]
}

fn line(number: usize) -> Value {
    json!({ "itemKey": format!("n-{number}"), "offeringCode": "earphones", "quantity": "1" })
}

fn about(order_id: &str, mut message: Value) -> Value {
    message["requestId"] = json!(new_request_id());
    message["orderId"] = json!(order_id);
    message
}

/// Goods that a person looks at before they are sent, and an order of them.
async fn waits_for_a_person(desk: &Desk, customer: &str) -> String {
    desk.publish(&by_hand("looked-at", "1h")).await;
    desk.seed(&offering("look", "looked-at")).await;
    let order_id = desk.submit(order(customer, &[("line", "look", 1)])).await;
    desk.task(&order_id, "look").await;
    order_id
}

#[tokio::test]
async fn an_order_that_has_ended_takes_no_command_and_says_its_state() {
    let world = World::start().await;
    let desk = &world.desk;
    let done = desk.carry_out(order("done", &[("ears", "earphones", 1)])).await;
    for (method, message) in operations() {
        let error = refusal(&desk.operator, method, about(&done.order_id, message)).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Precondition, "ORDER_TERMINAL"), "{method}");
        assert_eq!(error.metadata["state"], "COMPLETED", "{method}");
    }
    let signal = about(&done.order_id, json!({ "event": "word.given" }));
    let error = refusal(&desk.system, "order.StepCallbackService/SignalOrder", signal).await;
    assert_eq!(error.reason, "ORDER_TERMINAL");
    assert_eq!(desk.order(&done.order_id).await, done, "nothing changed");
    world.end().await;
}

#[tokio::test]
async fn a_step_in_another_state_refuses_and_names_the_states_that_allow_it() {
    let world = World::start().await;
    let desk = &world.desk;
    let order_id = waits_for_a_person(desk, "waits").await;
    let seen = desk.order(&order_id).await;
    let part = step_of(&seen, "line", "look");
    let own = |step: &str| json!({ "stepId": step });
    let theirs = json!({ "businessOrderId": part.business_order_id, "stepId": "look" });
    let nobody = json!({ "businessOrderId": "bo_01jzzzzzzzzzzzzzzzzzzzzzzz", "stepId": "look" });
    for (method, target, kind, reason) in [
        ("RetryStep", own("prepare"), Kind::Precondition, "STATE_FORBIDS"),
        ("RetryStep", theirs.clone(), Kind::Precondition, "STATE_FORBIDS"),
        ("SkipStep", own("prepare"), Kind::Precondition, "STATE_FORBIDS"),
        ("ProveUndone", own("prepare"), Kind::Precondition, "STATE_FORBIDS"),
        ("RerunStep", own("prepare"), Kind::Precondition, "STATE_FORBIDS"),
        ("SubstituteStep", theirs, Kind::Precondition, "SUBSTITUTE_MISSING"),
        ("SkipStep", own("no-step"), Kind::NotFound, "STEP_NOT_FOUND"),
        ("RetryStep", nobody.clone(), Kind::NotFound, "BUSINESS_ORDER_NOT_FOUND"),
        ("PauseOrder", nobody, Kind::NotFound, "BUSINESS_ORDER_NOT_FOUND"),
        ("SkipStep", json!({}), Kind::Invalid, "FIELD_INVALID"),
    ] {
        let method = format!("order.OperationService/{method}");
        let message = about(&order_id, json!({ "reason": "r", "target": target.clone() }));
        let error = refusal(&desk.operator, &method, message).await;
        assert_eq!((error.kind, error.reason.as_str()), (kind, reason), "{method} {target}");
        if reason == "STATE_FORBIDS" {
            assert!(error.metadata.contains_key("allowed"), "{method}: {error}");
        }
    }
    let change = about(&order_id, json!({ "reason": "r", "items": [line(1)] }));
    let error = refusal(&desk.channel, "order.OrderService/ChangeOrder", change).await;
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Precondition, "CHANGE_TOO_LATE"));
    desk.cancel(&order_id, "the test is over").await.expect("cancelled");
    assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Cancelled);
    world.end().await;
}

#[tokio::test]
async fn forms_signals_and_changes_that_are_too_large_or_wrong_are_refused_field_by_field() {
    let world = World::start().await;
    let desk = &world.desk;
    let order_id = waits_for_a_person(desk, "large").await;
    let task = desk.task(&order_id, "look").await.task_id;
    let many: serde_json::Map<String, Value> =
        (0..65).map(|n| (format!("field-{n}"), json!("x"))).collect();
    for (form, reason) in [
        (json!({}), "FORM_INVALID"),
        (json!({ "fine": "perhaps" }), "FORM_INVALID"),
        (json!({ "fine": "true", "other": "x" }), "FORM_INVALID"),
        (json!({ "fine": "true", "note": "x".repeat(1_001) }), "FORM_INVALID"),
        (Value::Object(many), "FORM_INVALID"),
    ] {
        let message =
            json!({ "requestId": new_request_id(), "taskId": task, "form": form.clone() });
        let error = refusal(&desk.operator, "order.TaskService/CompleteTask", message).await;
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, reason), "{form}");
        assert!(!error.fields.is_empty(), "{error}");
    }
    let many: serde_json::Map<String, Value> =
        (0..33).map(|n| (n.to_string(), json!("x"))).collect();
    for (event, data) in [
        ("", json!({})),
        (&*"e".repeat(65), json!({})),
        ("word.given", json!({ "k": "x".repeat(201) })),
        ("word.given", json!({ "": "x" })),
        ("word.given", Value::Object(many)),
    ] {
        let message = about(&order_id, json!({ "event": event, "data": data }));
        let error = refusal(&desk.system, "order.StepCallbackService/SignalOrder", message).await;
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "FIELD_INVALID"));
    }
    let lines: Vec<Value> = (0..1_001).map(line).collect();
    let change = about(&order_id, json!({ "reason": "r", "items": lines }));
    let error = refusal(&desk.channel, "order.OrderService/ChangeOrder", change).await;
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "ORDER_TOO_LARGE"));
    assert_eq!(error.metadata["limit"], "max_items_per_order");
    desk.complete(&task, &[("fine", "true")]).await.expect("it is as good as before");
    assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Completed);
    world.end().await;
}

#[tokio::test]
async fn events_that_nobody_waits_for_are_kept_up_to_a_limit() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.publish(&waiting("hears", "1h")).await;
    desk.seed(&offering("word", "hears")).await;
    let order_id = desk.submit(order("talked to", &[("line", "word", 1)])).await;
    for number in 0..64 {
        desk.signal(&order_id, &format!("other.{number}")).await.expect("kept");
    }
    let error = desk.signal(&order_id, "other.65").await.expect_err("one too many");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Exhausted, "LIMIT_REACHED"));
    assert_eq!(error.metadata["limit"], "max_kept_events");
    let waits = |order: &proto::CustomerOrder| {
        order.business_orders.iter().flat_map(|bo| &bo.steps).any(|s| s.deadline.is_some())
    };
    desk.until(&order_id, "its wait", waits).await;
    desk.signal(&order_id, "word.given").await.expect("what is waited for is always heard");
    assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Completed);
    world.end().await;
}

/// A connection to the order center itself, where it serves.
async fn order_center(desk: &Desk) -> Channel {
    let mut registry = RegistryServiceClient::new(desk.operator.channel());
    let request = gateway::ListServicesRequest::default();
    let services = registry.list_services(request).await.expect("services").into_inner().services;
    let order = services.iter().find(|service| service.center == "order");
    let instance = order.and_then(|service| service.instances.first()).expect("an order center");
    let uri = format!("http://{}", instance.endpoint.trim_start_matches("http://"));
    Endpoint::from_shared(uri).expect("an address").connect().await.expect("connected")
}

/// Says that a request comes from an operator, as the gateway does.
fn by<M>(operator: &'static str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    for (key, value) in [("x-caller", operator), ("x-caller-kind", "OPERATOR")] {
        request.metadata_mut().insert(key, value.parse().expect("ASCII"));
    }
    request
}

#[tokio::test]
async fn of_two_operators_one_has_the_task_and_the_other_is_told_who() {
    let world = World::start().await;
    let desk = &world.desk;
    let order_id = waits_for_a_person(desk, "contested").await;
    let task_id = desk.task(&order_id, "look").await.task_id;
    let mut tasks = TaskServiceClient::new(order_center(desk).await);
    let claim = |operator| {
        let request_id = new_request_id();
        by(operator, proto::ClaimTaskRequest { request_id, task_id: task_id.clone() })
    };
    let (mut also, mut first) = (tasks.clone(), tasks.clone());
    let (anna, bert) =
        tokio::join!(first.claim_task(claim("anna")), also.claim_task(claim("bert")));
    let (owner, other) = match (&anna, &bert) {
        (Ok(_), Err(_)) => ("anna", "bert"),
        (Err(_), Ok(_)) => ("bert", "anna"),
        both => panic!("just one has it: {both:?}"),
    };
    tasks.claim_task(claim(owner)).await.expect("who has it already has it still");
    let complete = |operator| {
        let request_id = new_request_id();
        let form = [("fine".to_owned(), "true".to_owned())].into();
        let (task_id, reason) = (task_id.clone(), String::new());
        by(operator, proto::CompleteTaskRequest { request_id, task_id, form, reason })
    };
    for refused in [
        tasks.claim_task(claim(other)).await.map(|_| ()),
        tasks.complete_task(complete(other)).await.map(|_| ()),
    ] {
        let error = throughline_kit::error::Error::from_status(&refused.expect_err("claimed"));
        assert_eq!((error.kind, error.reason.as_str()), (Kind::Precondition, "TASK_CLAIMED"));
        assert!(error.metadata["claimed_by"].contains(owner), "{error}");
    }
    let (mut also, mut first) = (tasks.clone(), tasks.clone());
    let twice =
        tokio::join!(first.complete_task(complete(owner)), also.complete_task(complete(owner)),);
    let done = [twice.0.is_ok(), twice.1.is_ok()];
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{twice:?}");
    assert_eq!(desk.end_of(&order_id).await.state(), OrderState::Completed);
    let gone = json!({ "requestId": new_request_id(), "taskId": task_id });
    let error = refusal(&desk.operator, "order.TaskService/ClaimTask", gone).await;
    assert_eq!(error.reason, "TASK_NOT_FOUND");
    world.end().await;
}

#[tokio::test]
async fn webhooks_to_addresses_inside_are_refused() {
    let world = World::start().await;
    let set = "order.WebhookService/SetWebhook";
    let webhook = |url: &str| json!({ "requestId": new_request_id(), "url": url });
    for url in [
        "http://127.0.0.1/hook",
        "http://127.9.9.9:8080/hook",
        "https://10.0.0.1/hook",
        "https://172.16.0.1/hook",
        "https://192.168.1.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/hook",
        "http://0.0.0.0/hook",
        "http://[::1]/hook",
        "http://[fd00::1]/hook",
        "http://[fe80::1]/hook",
        "http://[::ffff:127.0.0.1]/hook",
        "http://2130706433/hook",
        "http://0x7f000001/hook",
    ] {
        let error = refusal(&world.desk.channel, set, webhook(url)).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Invalid, "WEBHOOK_URL_REFUSED"), "{url}: {error}");
    }
    for url in [
        "ftp://example.com/hook",
        "https://user:secret@example.com/hook",
        "https://example.com:22/hook",
        "https://example.com/#part",
        "example.com",
        "",
    ] {
        let error = refusal(&world.desk.channel, set, webhook(url)).await;
        assert_eq!(error.kind, Kind::Invalid, "{url}: {error}");
    }
    call(&world.desk.channel, set, webhook("https://example.com/hook")).await.expect("outside");
    world.end().await;
}
