//! Forms that people fill in.

use std::collections::BTreeMap;

use serde_json::json;

use super::world::World;
use super::{business, compiled};
use crate::template::manual::Filled;
use crate::template::{Manual, Reading, StepWork};

const FORM: &str = "  - id: review
    manual:
      group: back-office
      form:
        - { field: approved, type: BOOL, required: true, title: Approved }
        - { field: note, type: TEXT }
        - { field: weight, type: NUMBER }
        - { field: day, type: DATE }
        - { field: access, type: CHOICE, options: [fiber, microwave] }
      refused_when: \"!form.approved || form.weight > 10.5 || has(form.day) && form.day < '2024'\"
      reason: AUDIT_REFUSED
      escalate_to: supervisors
      save: { note: form.note, access: form.access }
    timeout: 1d
";

fn review() -> Manual {
    let template = compiled(&business(FORM));
    match template.steps.into_iter().next().map(|step| step.work.clone()) {
        Some(StepWork::Manual(manual)) => manual,
        other => panic!("the step is no task: {other:?}"),
    }
}

fn filled(form: serde_json::Value) -> Filled {
    let entries = form.as_object().expect("a form is a mapping").clone();
    entries.into_iter().collect::<BTreeMap<_, _>>()
}

#[test]
fn a_form_says_which_fields_are_wrong_and_what_to_write() {
    let review = review();
    assert_eq!(review.check(&filled(json!({ "approved": true }))), Ok(()));
    let all = json!({
        "approved": false, "note": "n", "weight": 1, "day": "2024-02-29", "access": "fiber",
    });
    assert_eq!(review.check(&filled(all)), Ok(()));
    let cases = [
        (json!({}), "approved", "fill it in"),
        (json!({ "approved": null }), "approved", "fill it in"),
        (json!({ "approved": "yes" }), "approved", "say true or false"),
        (json!({ "approved": true, "note": "x".repeat(1_001) }), "note", "at most 1000"),
        (json!({ "approved": true, "weight": "1" }), "weight", "write a number"),
        (json!({ "approved": true, "day": "2023-02-29" }), "day", "a day that exists"),
        (json!({ "approved": true, "day": "2023-2-1" }), "day", "a day that exists"),
        (json!({ "approved": true, "access": "smoke" }), "access", "fiber, microwave"),
        (json!({ "approved": true, "x": 1 }), "x", "leave it out"),
    ];
    for (form, field, what) in cases {
        let wrong = review.check(&filled(form.clone())).expect_err("something is wrong");
        assert_eq!(wrong.len(), 1, "{form}");
        assert_eq!(wrong[0].0, field, "{form}");
        assert!(wrong[0].1.contains(what), "{form}: {wrong:?}");
    }
}

#[test]
fn a_form_refuses_the_step_or_is_kept() {
    let read = |form| review().read(&World::default(), &filled(form));
    let refused = Reading::Declined {
        reason: "AUDIT_REFUSED".to_owned(),
        message: "refused by back-office".to_owned(),
    };
    assert_eq!(read(json!({ "approved": false })), Ok(refused.clone()));
    assert_eq!(read(json!({ "approved": true, "weight": 11 })), Ok(refused.clone()));
    assert_eq!(read(json!({ "approved": true, "day": "2023-01-01" })), Ok(refused));
    let saved = [("note".to_owned(), json!("")), ("access".to_owned(), json!("fiber"))].into();
    let done = Reading::Succeeded { saved };
    assert_eq!(read(json!({ "approved": true, "access": "fiber" })), Ok(done));
}
