//! What is found in a document: a part of it, then code, line and path.

use super::{business, compile};

mod calls;

/// What is found: code, line, path.
type Expected = (&'static str, u32, &'static str);

/// Steps begin on this line of a document made by `business`.
const FIRST: u32 = 5;

fn found(source: &str) -> Vec<(&'static str, u32, String)> {
    let findings = compile(source).err().unwrap_or_default();
    findings.into_iter().map(|finding| (finding.code, finding.line, finding.path)).collect()
}

fn assert_found(source: &str, expected: &[(&'static str, u32, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(code, line, path)| (*code, *line, (*path).to_owned())).collect();
    assert_eq!(found(source), expected, "{source}");
}

#[test]
fn documents() {
    let whole = "template: t\nkind: ORDER\ntitle: T\nsteps: [{ id: a, timer: { for: 1s } }]\n";
    assert_found(whole, &[]);
    let cases: [(&str, &str, &[Expected]); 14] = [
        ("title: T", "title: 'T", &[("YAML_INVALID", 3, "")]),
        ("title: T", "title: &t T", &[("YAML_REFERENCE", 3, "")]),
        ("title: T", "title: T\ntitle: U", &[("KEY_REPEATED", 4, "title")]),
        ("title: T", "titel: T", &[("KEY_MISSING", 1, ""), ("KEY_UNKNOWN", 3, "titel")]),
        ("title: T", "title: [T]", &[("TYPE_INVALID", 3, "title")]),
        ("title: T", "title: ''", &[("TEXT_INVALID", 3, "title")]),
        ("template: t", "template: T", &[("NAME_INVALID", 1, "template")]),
        ("kind: ORDER", "kind: ORDERS", &[("CHOICE_INVALID", 2, "kind")]),
        ("kind: ORDER", "kind: ORDER\npolicy: ALL", &[("CHOICE_INVALID", 3, "policy")]),
        ("steps: [{ id: a, timer: { for: 1s } }]", "steps: []", &[("STEPS_MISSING", 4, "steps")]),
        ("steps: [{ id: a, timer: { for: 1s } }]", "steps: 1", &[("TYPE_INVALID", 4, "steps")]),
        (
            "title: T",
            "title: T\noverrides: [{ policy: ASK }]",
            &[("OVERRIDE_EMPTY", 4, "overrides[0]")],
        ),
        (
            "title: T",
            "title: T\noverrides: [{ channel: web, policy: NEVER, reason: line busy }]",
            &[
                ("NAME_INVALID", 4, "overrides[0].reason"),
                ("CHOICE_INVALID", 4, "overrides[0].policy"),
            ],
        ),
        ("title: T", "title: T\n---\na: b", &[("DOCUMENT_SECOND", 4, "")]),
    ];
    for (part, other, expected) in cases {
        let mut found = found(&whole.replace(part, other));
        let mut expected: Vec<_> =
            expected.iter().map(|(code, line, path)| (*code, *line, (*path).to_owned())).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{other}");
    }
    assert_found("", &[("DOCUMENT_EMPTY", 1, "")]);
    assert_found("[]", &[("TYPE_INVALID", 1, "")]);
}

#[test]
fn steps_and_what_they_wait_for() {
    let timer = "timer: { for: 1s }";
    let cases: [(String, &[Expected]); 9] = [
        (
            format!("  - {{ id: a, {timer} }}\n  - {{ id: a, {timer} }}\n"),
            &[("STEP_REPEATED", 6, "steps[1].id")],
        ),
        (format!("  - {{ id: A, {timer} }}\n"), &[("NAME_INVALID", 5, "steps[0].id")]),
        (format!("  - {{ {timer} }}\n"), &[("KEY_MISSING", 5, "steps[0]")]),
        (
            format!("  - {{ id: a, after: [b], {timer} }}\n"),
            &[("AFTER_UNKNOWN", 5, "steps[0].after[0]")],
        ),
        (
            format!("  - {{ id: a, after: [a], {timer} }}\n"),
            &[("AFTER_CYCLE", 5, "steps[0].after[0]")],
        ),
        (
            format!(
                "  - {{ id: a, after: [b], {timer} }}\n  - {{ id: b, {timer} }}\n  - {{ id: c, {timer} }}\n"
            ),
            &[("AFTER_CYCLE", 5, "steps[0].after"), ("AFTER_CYCLE", 6, "steps[1]")],
        ),
        ("  - { id: a }\n".to_owned(), &[("WORK_INVALID", 5, "steps[0]")]),
        (
            format!("  - {{ id: a, {timer}, activity: restock }}\n"),
            &[("WORK_INVALID", 5, "steps[0]")],
        ),
        (
            "  - text\n".to_owned(),
            &[("TYPE_INVALID", 5, "steps[0]"), ("WORK_INVALID", 5, "steps[0]")],
        ),
    ];
    for (steps, expected) in cases {
        assert_found(&business(&steps), expected);
    }
}

#[test]
fn values_of_other_steps() {
    let saving =
        "  - { id: first, after: [], wait: { event: e, save: { n: event.n } }, timeout: 1d }\n";
    let reading = |after: &str, when: &str| {
        business(&format!("{saving}  - {{ id: b, {after}when: {when}, timer: {{ for: 1s }} }}\n"))
    };
    assert_found(&reading("", "steps.first.n == 1"), &[]);
    assert_found(
        &reading("after: [], ", "steps.first.n == 1"),
        &[("STEP_NOT_BEFORE", 6, "steps[1].when")],
    );
    assert_found(&reading("", "steps.first.m == 1"), &[("SAVED_UNKNOWN", 6, "steps[1].when")]);
    assert_found(&reading("", "steps.frist.n == 1"), &[("STEP_UNKNOWN", 6, "steps[1].when")]);
    assert_found(&reading("", "steps.b.n == 1"), &[("STEP_NOT_BEFORE", 6, "steps[1].when")]);
}

#[test]
fn waits_timers_tasks_and_activities() {
    let cases: [(&str, &'static str, &str); 18] = [
        ("wait: { event: a b }, timeout: 1d", "NAME_INVALID", "wait.event"),
        ("wait: {}, timeout: 1d", "KEY_MISSING", "wait"),
        ("wait: { event: a }", "TIMEOUT_MISSING", ""),
        ("wait: { event: a }, timeout: 401d", "DURATION_INVALID", "timeout"),
        ("wait: { event: a }, timeout: 1d, retry: {}", "KEY_MISPLACED", "retry"),
        ("timer: {}", "TIMER_INVALID", "timer"),
        ("timer: { for: 1s, until: now }", "TIMER_INVALID", "timer"),
        ("timer: { until: '1 + 1' }", "TYPE_MISMATCH", "timer.until"),
        ("timer: { for: 1s }, timeout: 1s", "KEY_MISPLACED", "timeout"),
        ("manual: { form: [] }, timeout: 1d", "KEY_MISSING", "manual"),
        ("manual: { group: g, refused_when: 'true' }, timeout: 1d", "KEY_MISSING", "manual"),
        (
            "manual: { group: g, save: { a: form.b } }, timeout: 1d",
            "FIELD_UNKNOWN",
            "manual.save.a",
        ),
        (
            "manual: { group: g, form: [{ field: a, type: BOOLEAN }] }, timeout: 1d",
            "CHOICE_INVALID",
            "manual.form[0].type",
        ),
        (
            "manual: { group: g, form: [{ field: a, type: CHOICE }] }, timeout: 1d",
            "KEY_MISSING",
            "manual.form[0]",
        ),
        (
            "manual: { group: g, form: [{ field: a, type: TEXT, options: [b] }] }, timeout: 1d",
            "KEY_MISPLACED",
            "manual.form[0].options",
        ),
        (
            "manual: { group: g, form: [{ field: a, type: TEXT }, { field: a, type: DATE }] }, timeout: 1d",
            "FIELD_REPEATED",
            "manual.form[1]",
        ),
        ("activity: pay", "ACTIVITY_MISPLACED", "activity"),
        ("activity: dance", "CHOICE_INVALID", "activity"),
    ];
    for (work, code, path) in cases {
        let path = if path.is_empty() { "steps[0]".to_owned() } else { format!("steps[0].{path}") };
        assert_found(&business(&format!("  - {{ id: a, {work} }}\n")), &[(code, FIRST, &path)]);
    }
    let of_order = "template: t
kind: ORDER
title: T
steps:
  - { id: a, activity: refund }
  - { id: b, when: business_order.charge == null, activity: prepare }
";
    assert_found(
        of_order,
        &[("ACTIVITY_MISPLACED", 5, "steps[0].activity"), ("VARIABLE_UNKNOWN", 6, "steps[1].when")],
    );
}

#[test]
fn an_activity_comes_after_what_it_works_with() {
    let order = |steps: &str| format!("template: t\nkind: ORDER\ntitle: T\nsteps:\n{steps}");
    let early = |path| [("ACTIVITY_TOO_EARLY", 5, path)];
    let path = "steps[0].activity";
    for activity in ["pay", "reserve", "allocate"] {
        let alone = order(&format!("  - {{ id: a, activity: {activity} }}\n"));
        assert_found(&alone, &early(path));
    }
    let beside =
        "  - { id: a, activity: pay, after: [] }\n  - { id: b, activity: prepare, after: [] }\n";
    assert_found(&order(beside), &early(path));
    let behind = "  - { id: a, activity: prepare }\n  - { id: b, activity: pay }\n";
    assert_found(&order(behind), &[]);
}

#[test]
fn a_step_of_a_business_is_not_one_that_every_business_has() {
    for id in ["allocation", "charge", "stock-back", "money-back"] {
        let step = format!("  - {{ id: {id}, timer: {{ for: 1h }} }}\n");
        assert_found(&business(&step), &[("STEP_RESERVED", FIRST, "steps[0].id")]);
        let order = "template: t\nkind: ORDER\ntitle: T\nsteps:\n";
        assert_found(&format!("{order}{step}"), &[]);
    }
}

#[test]
fn everything_is_found_at_once_by_line() {
    let source = "template: T
kind: SOME
titel: x
steps:
  - id: a
    call: { method: x.Y/Z }
  - id: a
    after: [c]
    when: ordr == 1
    timer: { for: soon }
";
    let codes: Vec<_> = found(source).into_iter().map(|(code, line, _)| (line, code)).collect();
    assert_eq!(
        codes,
        [
            (1, "KEY_MISSING"),
            (1, "NAME_INVALID"),
            (2, "CHOICE_INVALID"),
            (3, "KEY_UNKNOWN"),
            (5, "TIMEOUT_MISSING"),
            (5, "UNDO_MISSING"),
            (6, "CAPABILITY_UNKNOWN"),
            (7, "STEP_REPEATED"),
            (8, "AFTER_UNKNOWN"),
            (9, "VARIABLE_UNKNOWN"),
            (10, "DURATION_INVALID"),
        ]
    );
}
