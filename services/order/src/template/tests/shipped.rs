//! The templates that come with the order center.

use super::compiled;
use crate::template::{Kind, SHIPPED, StepWork, compile, diff};

#[test]
fn every_shipped_template_compiles_and_has_its_name() {
    for shipped in SHIPPED {
        let template = compiled(shipped.source);
        assert_eq!(template.name, shipped.name);
        assert!(diff(&template, &template).is_empty(), "{}", shipped.name);
    }
}

#[test]
fn shipped_steps_have_the_ids_that_channels_know() {
    let cases: [(&str, Kind, &[&str]); 6] = [
        ("standard", Kind::Order, &["prepare", "reserve", "pay", "allocate"]),
        ("group-buy", Kind::Order, &["prepare", "pay", "group", "reserve", "allocate"]),
        ("telecom-plan", Kind::Business, &["activate", "open-account"]),
        ("telecom-broadband", Kind::Business, &["install", "open-account"]),
        ("telecom-ip-phone", Kind::Business, &["activate", "open-account"]),
        ("retail-goods", Kind::Business, &["ship"]),
    ];
    for (name, kind, ids) in cases {
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name).expect("it is shipped");
        let template = compiled(shipped.source);
        let found: Vec<&str> = template.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!((template.kind, found.as_slice()), (kind, ids), "{name}");
    }
}

#[test]
fn every_shipped_call_can_be_asked_for_and_undone() {
    for shipped in SHIPPED {
        for step in compiled(shipped.source).steps {
            if matches!(step.work, StepWork::Call(_)) {
                let name = format!("{}/{}", shipped.name, step.id);
                assert!(step.on_unknown.is_some(), "{name}");
                let undo = step.undo.clone().unwrap_or_else(|| panic!("{name} is not undone"));
                assert!(undo.on_unknown.is_some(), "{name}");
            }
        }
    }
}

#[test]
fn the_document_of_the_manual_is_right() {
    let manual = include_str!("../../../templates/README.md");
    let document = manual.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let compiled = compile(document.expect("a document"), 1, throughline_proto::descriptors());
    let template = compiled.expect("the manual shows what works");
    assert_eq!((template.name.as_str(), template.steps.len()), ("line-with-survey", 3));
}
