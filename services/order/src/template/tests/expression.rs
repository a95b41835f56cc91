//! What expressions yield, and what they are refused for.

use super::world::{NOW, World};
use super::{business, compile, compiled};
use crate::template::{Finding, Program, StepWork, Timer};

fn program(expression: &str) -> Program {
    let quoted = serde_json::to_string(expression).expect("a text is JSON");
    let steps = format!(
        "  - {{ id: first, wait: {{ event: e, save: {{ number: event.n, text: event.t }} }}, timeout: 1d }}\n  \
         - {{ id: a, when: {quoted}, timer: {{ for: 1s }} }}\n"
    );
    let mut template = compiled(&business(&steps));
    template.steps.pop().and_then(|step| step.when.clone()).expect("the step has a condition")
}

fn finding(expression: &str) -> Finding {
    let quoted = serde_json::to_string(expression).expect("a text is JSON");
    let steps = format!("  - {{ id: a, when: {quoted}, timer: {{ for: 1s }} }}\n");
    let findings = compile(&business(&steps)).expect_err(expression);
    assert_eq!(findings.len(), 1, "{expression}: {findings:#?}");
    findings.into_iter().next().expect("there is one")
}

#[test]
fn expressions_say_what_cel_says() {
    let mut world = World::default();
    world.saved.insert(("first".into(), "number".into()), serde_json::json!(7));
    let cases = [
        "order.order_id == 'ord_1'",
        "order['order_id'] == 'ord_1'",
        "order.state == 'ORDER_STATE_IN_PROGRESS'",
        "order.state != 'ORDER_STATE_FAILED'",
        "order.state in ['ORDER_STATE_IN_PROGRESS', 'ORDER_STATE_PENDING']",
        "items[0].characteristics['access'] == 'fiber'",
        "items[0].characteristics.access == 'fiber'",
        "has(items[0].characteristics.access) && !has(items[0].characteristics.speed)",
        "'access' in items[0].characteristics",
        "order.payment_order_id == '' && !has(order.payment_order_id)",
        "order.total == null && !has(order.total) && has(order.customer)",
        "order.total == null || order.total.minor_units > 0",
        "order.end_time == null",
        "order.create_time < now",
        "now - order.create_time == duration('1m')",
        "now == timestamp('2024-01-02T03:04:05Z')",
        "now + duration('1h30m') > timestamp('2024-01-02T04:34:04Z')",
        "string(now) == '2024-01-02T03:04:05Z' && string(duration('90s')) == '90s'",
        "int(now) == 1704164645",
        "items.map(i, i.assigned_items).flatten() == ['+4420', 'dev-7', 'ser-9']",
        "sum(items.map(i, i.charge.minor_units)) == 300",
        "items.map(i, i.quantity).sum() == 3",
        "items.map(i, i.quantity > 1, i.item_key) == ['b']",
        "items.filter(i, i.quantity > 1).size() == 1",
        "items.all(i, i.action == 'ITEM_ACTION_ADD')",
        "items.exists(i, i.offering_code.startsWith('broad') && i.offering_code.endsWith('300m'))",
        "items.exists_one(i, i.offering_code.contains('out'))",
        "!items.exists(i, i.quantity > 5) && size(items) == 2",
        "items.exists(i, i.assigned_items.exists(n, n == 'ser-9'))",
        "items.exists(i, i.assigned_items[5] == 'x' || true)",
        "true || items[9].quantity == 1",
        "items[9].quantity == 1 || true",
        "!(false && items[9].quantity == 1)",
        "steps.first.number == 7 && steps['first'].number + 1 == 8",
        "steps.first.text == null && !has(steps.first.text) && has(steps.first.number)",
        "step.reference == 'stp_1' && step.attempt == 2 && step.done_reference == 'stp_0'",
        "business_order.recurring_charge.minor_units / 100 == 25 && 7 % 4 == 3",
        "business_order.recurring_charge == {'a': business_order.recurring_charge}.a",
        "1 < 1.5 && 2 > 1.5 && 1 == 1.0 && -(-1) == 1",
        "9223372036854775807 < 9223372036854775808.0",
        "(1 > 2 ? 'a' : 'b') + 'c' == 'bc' && int('12') == 12 && double('1.5') == 1.5",
        "[1, 2] + [3] == [1, 2, 3] && {'a': 1}['a'] == 1 && 'a' in {'a': 1}",
        "[[1], [2, 3]].flatten() == [1, 2, 3] && [].size() == 0",
        "{'a': 1, 'b': 2}.all(k, k != 'c')",
        "size('größe') == 5 && b'ab' + b'c' == b'abc'",
        "r'\\d' == '\\\\d' && \"it's\" == 'it\\'s' // a remark",
    ];
    for expression in cases {
        assert_eq!(program(expression).bool(&world), Ok(true), "{expression}");
    }
}

#[test]
fn what_no_contract_promises_fails_with_its_place() {
    let world = World::default();
    let cases = [
        ("items[2].quantity == 1", "finds no element 2 of 2"),
        ("order.total.minor_units > 0", "`minor_units` is read from null"),
        ("items[0].characteristics.speed == 'x'", "finds no `speed`"),
        ("9223372036854775807 + items[0].quantity > 0", "leaves the range"),
        ("1 / (items[0].quantity - 1) > 0", "divides by zero"),
        ("steps.first.number + 1 > 0", "calculates with null and int"),
        ("int(order.channel) == 1", "makes no int of this string"),
        ("timestamp(order.channel) < now", "reads no timestamp"),
        ("now + duration('300000d') + duration('3000000d') > now", "leaves the range"),
        ("steps.first.text == 'a' ? steps.first.text : steps.first.number", "is null, not bool"),
    ];
    for (expression, message) in cases {
        let failed = match program(expression).bool(&world) {
            Err(failed) => failed,
            Ok(value) => panic!("{expression} yields {value}"),
        };
        assert_eq!(failed.path, "steps[1].when", "{expression}");
        let said = failed.message.replace("yields null", "is null");
        assert!(said.contains(message), "{expression}: {said}");
    }
}

#[test]
fn expressions_that_cannot_work_are_found_before_they_run() {
    let cases = [
        ("ordr.order_id == ''", "VARIABLE_UNKNOWN", "did you mean `order`?"),
        ("answer.reason == ''", "VARIABLE_UNKNOWN", "use it only in `answer` and `save` of a call"),
        ("form.a", "VARIABLE_UNKNOWN", "use it only in `refused_when` and `save` of a manual step"),
        ("event.a == 1", "VARIABLE_UNKNOWN", "use it only in `save` of a wait step"),
        ("steps.b.c == 1", "STEP_UNKNOWN", "did you mean `a`?"),
        ("order.order == ''", "FIELD_UNKNOWN", "did you mean `order_id`?"),
        ("step.references == ''", "FIELD_UNKNOWN", "did you mean `reference`?"),
        ("items[0].quantity == '1'", "TYPE_MISMATCH", "convert one side"),
        ("items[0].quantity + 1.5 > 2.0", "TYPE_MISMATCH", "convert one side"),
        ("order.order_id == null", "TYPE_MISMATCH", "convert one side"),
        ("order.order_id", "TYPE_MISMATCH", "write an expression that yields bool"),
        ("items.all(i, i.quantity)", "TYPE_MISMATCH", "write something that yields bool"),
        ("order.all(i, true)", "TYPE_MISMATCH", "use the macro on a list or a mapping"),
        ("order.order_id.size > 1", "TYPE_MISMATCH", "read it from a message or a mapping"),
        ("size(1) == 1", "TYPE_MISMATCH", "give it what it takes"),
        ("[1].flatten() == []", "TYPE_MISMATCH", "give it what it takes"),
        ("order.state == 'IN_PROGRESS'", "ENUM_VALUE_UNKNOWN", "ORDER_STATE_"),
        ("'ORDER_STATE_DON' != order.state", "ENUM_VALUE_UNKNOWN", "ORDER_STATE_"),
        ("items[0].action in ['ITEM_ACTION_AD']", "ENUM_VALUE_UNKNOWN", "`ITEM_ACTION_ADD`?"),
        ("startswith('a', 'b')", "FUNCTION_UNKNOWN", "did you mean `startsWith`?"),
        ("order.order_id.matches('a')", "FUNCTION_UNKNOWN", "regular expressions are off"),
        ("a.b.C{d: 1} == 1", "EXPRESSION_UNSUPPORTED", "write a mapping"),
        ("{1: 2} == {}", "KEY_INVALID", "write the key in quotes"),
        ("{'a': 2, 'a': 3}.a == 2", "KEY_REPEATED", "keep one of them"),
        ("order.", "EXPRESSION_SYNTAX", "check operators"),
        ("order.?state == ''", "EXPRESSION_SYNTAX", "check operators"),
        ("", "EXPRESSION_MISSING", "write one"),
        ("has(order)", "TYPE_MISMATCH", "write has(message.field)"),
        ("items.all(i.a, true)", "EXPRESSION_SYNTAX", "write it like"),
        ("18446744073709551615u > 1", "NUMBER_TOO_LARGE", "use at most"),
        ("false", "STEP_UNREACHABLE", "remove the step"),
        ("1 > 2 && true", "STEP_UNREACHABLE", "remove the step"),
    ];
    for (expression, code, remedy) in cases {
        let found = finding(expression);
        assert_eq!(found.code, code, "{expression}: {found:?}");
        assert!(found.remedy.contains(remedy), "{expression}: {found:?}");
        assert_eq!(found.path, "steps[0].when", "{expression}");
    }
}

#[test]
fn a_finding_names_the_column_inside_the_expression() {
    let source = business(
        "  - id: a\n    when: order.order_id == '' && ordr.x == 1\n    timer: { for: 1s }\n",
    );
    let findings = compile(&source).expect_err("`ordr` is no variable");
    let found: Vec<_> = findings.iter().map(|f| (f.line, f.column, f.code)).collect();
    assert_eq!(found, [(6, 35, "VARIABLE_UNKNOWN")]);
}

#[test]
fn every_problem_of_an_expression_is_found_at_once() {
    let steps = "  - { id: a, when: \"ordr.x && items[0].quantty > 1 && size(1) > 0\", timer: { for: 1s } }\n";
    let findings = compile(&business(steps)).expect_err("three things are wrong");
    let found: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, ["VARIABLE_UNKNOWN", "FIELD_UNKNOWN", "TYPE_MISMATCH"]);
}

#[test]
fn the_order_is_only_made_when_an_expression_reads_it() {
    let world = World::default();
    assert_eq!(program("items.size() == 2").bool(&world), Ok(true));
    assert_eq!(program("true || order.channel == 'x'").bool(&world), Ok(true));
    assert_eq!(world.asked.get(), 0);
    assert_eq!(
        program("order.channel == 'web' && order.attention == false").bool(&world),
        Ok(true)
    );
    assert_eq!(world.asked.get(), 1);
}

#[test]
fn evaluation_ends_when_data_is_larger_than_the_checker_reckons() {
    let mut world = World::default();
    let item = world.order.items[0].clone();
    world.order.items = vec![item; 4_000];
    let failed = program("items.all(a, items.all(b, true))").bool(&world).expect_err("too much");
    assert!(failed.message.contains("takes more than"), "{failed}");
}

#[test]
fn a_timer_yields_the_requested_time_or_none() {
    let source = "template: t\nkind: ORDER\ntitle: T\nsteps:\n  - { id: a, timer: { until: order.requested_start_time } }\n";
    let template = compiled(source);
    let StepWork::Timer(Timer::Until(until)) = &template.steps[0].work else {
        panic!("the step is a timer")
    };
    let mut world = World::default();
    assert_eq!(until.timestamp(&world), Ok(None));
    world.order.requested_start_time = Some(NOW.to_proto());
    assert_eq!(until.timestamp(&world), Ok(Some(NOW)));
}
