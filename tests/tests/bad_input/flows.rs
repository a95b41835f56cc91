//! Templates that must not be published, and expressions that explode on an order: said with its place, nothing is harmed.

use serde_json::json;
use throughline::connection::bounded;
use throughline_kit::error::Kind;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;
use throughline_proto::order::v1::{CheckTemplateRequest, OrderState};
use throughline_tests::flows::offering;
use throughline_tests::shopping::order;
use throughline_tests::world::World;

use crate::wire::refusal;

const REQUEST: &str = "0191d7a0-0000-7000-8000-000000000001";
const CHECK: &str = "order.TemplateService/CheckTemplate";
const PUBLISH: &str = "order.TemplateService/PublishTemplate";

/// A template of steps that are written out.
fn template(steps: &str) -> String {
    format!("template: bad\nkind: BUSINESS\ntitle: Bad\nsteps:\n{steps}")
}

/// A call that is right, but for what is changed in it.
fn call(from: &str, to: &str) -> String {
    let step = "  - id: activate
    call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request:
        reference: step.reference
        order_id: order.order_id
        customer_id: order.customer.customer_id
        offering_code: items[0].offering_code
    timeout: 10s
    undo: none
";
    assert!(from.is_empty() || step.contains(from), "{from}");
    template(&step.replace(from, to))
}

/// A step that runs when something holds.
fn when(condition: &str) -> String {
    template(&format!("  - id: rest\n    when: \"{condition}\"\n    timer: {{ for: 1s }}\n"))
}

/// What is wrong, the finding that must name it, and what its message or remedy must say.
fn bad_templates() -> Vec<(String, &'static str)> {
    let timer = |id: &str, after: &str| {
        format!("  - id: {id}\n    after: [{after}]\n    timer: {{ for: 1s }}\n")
    };
    let circle = template(&[timer("a", "c"), timer("b", "a"), timer("c", "b")].concat());
    let deep = format!("{}1{} > 0", "(".repeat(200), ")".repeat(200));
    vec![
        (circle, "AFTER_CYCLE"),
        (template(&timer("a", "a")), "AFTER_CYCLE"),
        (template(&timer("a", "b")), "AFTER_UNKNOWN"),
        (call("ActivateService", "ActivateEverything"), "CAPABILITY_UNKNOWN"),
        (call("throughline.provisioning", "nowhere.provisioning"), "CAPABILITY_UNKNOWN"),
        (call("reference: step.reference", "reference: 1 + 1"), "TYPE_MISMATCH"),
        (call("order_id: order.order_id", "order_id: items"), "TYPE_MISMATCH"),
        (call("order_id: order.order_id", "order_number: order.order_id"), "FIELD_UNKNOWN"),
        (call("    undo: none\n", ""), "UNDO_MISSING"),
        (call("    timeout: 10s\n", ""), "TIMEOUT_MISSING"),
        (call("undo: none", "undo: none\n    point_of_no_return: maybe"), "TYPE_INVALID"),
        (call("step.reference", "nobody.reference"), "VARIABLE_UNKNOWN"),
        (call("step.reference", "step.secret"), "FIELD_UNKNOWN"),
        (call("step.reference", "steps.later.number"), "STEP_UNKNOWN"),
        (call("step.reference", "order.password"), "FIELD_UNKNOWN"),
        (when("items.all(a, items.all(b, items.all(c, a.quantity > 0)))"), "EXPRESSION_TOO_COSTLY"),
        (when("order.order_id.matches('(a+)+$')"), ""),
        (when(&deep), ""),
        (when("order.order_id"), "TYPE_MISMATCH"),
        (when("1 +"), "EXPRESSION_SYNTAX"),
        (when("false"), "STEP_UNREACHABLE"),
        ("a: &a [1]\nb: *a\n".to_owned(), "YAML_REFERENCE"),
        ("a: [1\n".to_owned(), "YAML_INVALID"),
        (String::new(), "DOCUMENT_EMPTY"),
        ("[".repeat(5_000), ""),
        ("x".repeat(64 * 1024 + 1), "TEMPLATE_TOO_LARGE"),
    ]
}

#[tokio::test]
async fn a_template_that_is_wrong_is_told_where_and_is_not_published() {
    let world = World::start().await;
    let operator = &world.desk.operator;
    for (source, code) in bad_templates() {
        let shown: String = source.chars().take(400).collect();
        let mut service = TemplateServiceClient::new(operator.channel());
        let request = CheckTemplateRequest { source: source.clone() };
        let answer = service.check_template(bounded(request)).await.expect("an answer");
        let findings = answer.into_inner().findings;
        let named = findings.iter().any(|found| code.is_empty() || found.code == code);
        assert!(named, "{code} of {shown}: {findings:#?}");
        for finding in &findings {
            assert!(finding.line >= 1 && !finding.remedy.is_empty(), "{finding:?}");
        }
        let publish = json!({ "requestId": REQUEST, "source": source, "reason": "r" });
        let error = refusal(operator, PUBLISH, publish).await;
        let found = (error.kind, error.reason.as_str());
        assert_eq!(found, (Kind::Invalid, "TEMPLATE_INVALID"), "{shown}: {error}");
        assert!(!error.fields.is_empty(), "{shown}: {error}");
    }
    for client in [&world.desk.channel] {
        let error = refusal(client, CHECK, json!({ "source": "" })).await;
        assert_eq!(error.reason, "EXPOSURE_DENIED");
    }
    world.end().await;
}

#[tokio::test]
async fn an_expression_that_meets_what_it_cannot_work_with_fails_its_order_and_no_other() {
    let world = World::start().await;
    let desk = &world.desk;
    let conditions = [
        "items[5].quantity > 0",
        "1 / (size(items) - 1) > 0",
        "int(order.customer.name) > 0",
        "items[0].quantity * 9223372036854775807 + 1 > 0",
        "items[0].characteristics['no such key'] == ''",
    ];
    for (number, condition) in conditions.into_iter().enumerate() {
        let name = format!("explodes-{number}");
        let source = when(condition).replace("template: bad", &format!("template: {name}"));
        desk.publish(&source).await;
        desk.seed(&offering(&name, &name)).await;
        let ended = desk
            .carry_out(order(&name, &[("line", name.as_str(), 2 - i64::from(number == 1))]))
            .await;
        let failure = ended.failure.clone().expect("a reason");
        assert_eq!(
            (ended.state(), failure.reason.as_str()),
            (OrderState::Failed, "EXPRESSION_FAILED"),
            "{condition}"
        );
        assert!(failure.message.len() > 10, "{condition}: {}", failure.message);
    }
    let done = desk.carry_out(order("undisturbed", &[("ears", "earphones", 1)])).await;
    assert_eq!(done.state(), OrderState::Completed);
    world.end().await;
}
