//! What is found in calls.

use super::{FIRST, assert_found};
use crate::template::tests::business;

/// A call that is whole; cases change one line of it.
const CALL: &str = "  - id: a
    call:
      method: throughline.logistics.v1.LogisticsService/CreateShipment
      request:
        reference: step.reference
        order_id: order.order_id
        lines: [{ offering_code: 'items[0].offering_code', quantity: 1 }]
    timeout: 10s
    undo: none
";

const METHOD: &str = "throughline.logistics.v1.LogisticsService/CreateShipment";

/// A change of one part; then what is found, how many lines below the step, and where in it.
type Case = (&'static str, &'static str, &'static str, u32, &'static str);

const CASES: &[Case] = &[
    ("    timeout: 10s\n", "", "TIMEOUT_MISSING", 0, ""),
    ("    timeout: 10s\n", "    timeout: 11m\n", "DURATION_INVALID", 7, "timeout"),
    ("    timeout: 10s\n", "    timeout: soon\n", "DURATION_INVALID", 7, "timeout"),
    ("    undo: none\n", "", "UNDO_MISSING", 0, ""),
    (
        METHOD,
        "throughline.logistics.v1.LogisticsService/Creat",
        "CAPABILITY_UNKNOWN",
        2,
        "call.method",
    ),
    (METHOD, "nonsense", "CAPABILITY_UNKNOWN", 2, "call.method"),
    (
        METHOD,
        "throughline.order.v1.OrderService/WatchOrder",
        "CAPABILITY_STREAMING",
        2,
        "call.method",
    ),
    ("        reference: step.reference\n", "", "IDENTITY_MISSING", 4, "call.request"),
    ("order_id:", "ordr_id:", "FIELD_UNKNOWN", 5, "call.request.ordr_id"),
    (
        "order_id: order.order_id",
        "order_id: order.version",
        "TYPE_MISMATCH",
        5,
        "call.request.order_id",
    ),
    ("order_id: order.order_id", "order_id: 7", "TYPE_MISMATCH", 5, "call.request.order_id"),
    ("order_id: order.order_id", "order_id:", "EXPRESSION_MISSING", 5, "call.request.order_id"),
    ("order_id: order.order_id", "order_id: [a]", "TYPE_INVALID", 5, "call.request.order_id"),
    ("order_id: order.order_id", "order_id: { a: b }", "TYPE_INVALID", 5, "call.request.order_id"),
    (
        "order_id: order.order_id",
        "order_id: order.customer.ids",
        "FIELD_UNKNOWN",
        5,
        "call.request.order_id",
    ),
    ("quantity: 1", "quantity: '1.5'", "TYPE_MISMATCH", 6, "call.request.lines[0].quantity"),
    ("quantity: 1", "amount: 1", "FIELD_UNKNOWN", 6, "call.request.lines[0].amount"),
    (
        "[{ offering_code: 'items[0].offering_code', quantity: 1 }]",
        "\"items.map(i, {'offering': i.offering_code})\"",
        "TYPE_MISMATCH",
        6,
        "call.request.lines",
    ),
    (
        "[{ offering_code: 'items[0].offering_code', quantity: 1 }]",
        "items",
        "TYPE_MISMATCH",
        6,
        "call.request.lines",
    ),
    (
        "    undo: none\n",
        "    undo: none\n    sla: { warn: 2h, breach: 1h }\n",
        "SLA_INVALID",
        9,
        "sla",
    ),
    (
        "    undo: none\n",
        "    undo: none\n    remind: { every: 1d, most: 3 }\n",
        "KEY_MISPLACED",
        9,
        "remind",
    ),
    (
        "    undo: none\n",
        "    undo: none\n    retry: { attempts: 0 }\n",
        "TYPE_INVALID",
        9,
        "retry.attempts",
    ),
    (
        "    undo: none\n",
        "    undo: none\n    on_failure: MANUAL\n",
        "KEY_MISSING",
        9,
        "on_failure",
    ),
];

#[test]
fn calls() {
    assert_found(&business(CALL), &[]);
    for (part, other, code, line, path) in CASES {
        assert!(CALL.contains(part), "{part}");
        let source = business(&CALL.replacen(part, other, 1));
        let path = if path.is_empty() { "steps[0]".to_owned() } else { format!("steps[0].{path}") };
        assert_found(&source, &[(*code, FIRST + line, &path)]);
    }
}

#[test]
fn undoing_and_asking() {
    let undo = "    undo:
      method: throughline.logistics.v1.LogisticsService/CancelShipment
      request: { reference: step.reference, shipment_reference: step.done_reference }
";
    let with = |more: &str| business(&CALL.replacen("    undo: none\n", more, 1));
    assert_found(&with(undo), &[]);
    assert_found(&with("    point_of_no_return: true\n"), &[]);
    let both = format!("{undo}    point_of_no_return: true\n");
    assert_found(&with(&both), &[("UNDO_BESIDE_NO_RETURN", 13, "steps[0].undo")]);
    let keeps = format!("{undo}      save: {{ a: answer.reason }}\n");
    assert_found(&with(&keeps), &[("KEY_UNKNOWN", 16, "steps[0].undo.save")]);
    let asks = "    undo: none\n    on_unknown: { method: x.Y/Z, request: {} }\n";
    assert_found(&with(asks), &[("CAPABILITY_UNKNOWN", 14, "steps[0].on_unknown.method")]);
}

#[test]
fn answers_and_what_is_kept() {
    let with =
        |more: &str| business(&CALL.replacen("    timeout", &format!("{more}    timeout"), 1));
    let at = "steps[0].call";
    let cases: [(&str, &'static str, u32, &str); 7] = [
        ("      answer: { reason: answer.reason }\n", "KEY_MISSING", 12, "answer"),
        ("      answer: { succeeded: answer.outcome }\n", "TYPE_MISMATCH", 12, "answer.succeeded"),
        (
            "      answer: { succeeded: answer.outcome == 'DONE' }\n",
            "ENUM_VALUE_UNKNOWN",
            12,
            "answer.succeeded",
        ),
        ("      answer: { succeeded: answer.done }\n", "FIELD_UNKNOWN", 12, "answer.succeeded"),
        (
            "      answer: { succeeded: 'true', failed: 'false' }\n",
            "KEY_UNKNOWN",
            12,
            "answer.failed",
        ),
        ("      save: { Number: answer.reason }\n", "NAME_INVALID", 12, "save.Number"),
        ("      save: { number: answer.nr }\n", "FIELD_UNKNOWN", 12, "save.number"),
    ];
    for (more, code, line, path) in cases {
        assert_found(&with(more), &[(code, line, &format!("{at}.{path}"))]);
    }
}

#[test]
fn names_of_enums() {
    let with = |policy: &str| {
        business(&format!(
            "  - id: a
    call:
      method: throughline.order.v1.OrderService/SubmitOrder
      request:
        request_id: step.request_id
        channel_order_id: order.channel_order_id
{policy}    timeout: 10s
    undo: none
"
        ))
    };
    let at = "steps[0].call.request";
    let fine = "        failure_policy: \"order.attention ? 'FAILURE_POLICY_WHOLE' : order.failure_policy\"\n";
    assert_found(&with(fine), &[]);
    let cases = [
        ("failure_policy", "'FAILURE_POLICY_ALL'"),
        ("failure_policy", "order.attention ? 'FAILURE_POLICY_ALL' : 'FAILURE_POLICY_WHOLE'"),
        ("items", "items.map(i, {'item_key': i.item_key, 'action': 'ITEM_ACTION_AD'})"),
    ];
    for (field, expression) in cases {
        let line = format!("        {field}: \"{expression}\"\n");
        let path = format!("{at}.{field}");
        assert_found(&with(&line), &[("ENUM_VALUE_UNKNOWN", FIRST + 6, &path)]);
    }
}
