//! What the contracts promise about themselves, read from the compiled descriptor set.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, Kind, MethodDescriptor, Value};
use throughline_proto::descriptors;

const OURS: &str = "throughline.";

fn option(method: &MethodDescriptor, name: &str) -> Option<Value> {
    let extension =
        descriptors().get_extension_by_name(&format!("throughline.options.v1.{name}"))?;
    let options = method.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn methods(pool: &DescriptorPool) -> impl Iterator<Item = MethodDescriptor> + '_ {
    pool.services()
        .filter(|service| service.full_name().starts_with(OURS))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}

fn check(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

#[test]
fn every_rpc_says_who_may_call_it_and_how_large_a_capability_it_is() {
    let mut wrong = Vec::new();
    for method in methods(descriptors()) {
        for name in ["exposure", "capability_level"] {
            let set =
                matches!(option(&method, name), Some(Value::EnumNumber(number)) if number > 0);
            if !set {
                wrong.push(format!("{} has no {name}", method.full_name()));
            }
        }
    }
    check(wrong, "every RPC has an exposure and a level");
}

#[test]
fn every_rpc_has_messages_of_its_own() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for method in methods(descriptors()) {
        for (message, suffix) in [(method.input(), "Request"), (method.output(), "Response")] {
            let expected = format!("{}{suffix}", method.name());
            if message.name() != expected {
                wrong.push(format!("{} uses {}", method.full_name(), message.full_name()));
            }
            if !used.insert(message.full_name().to_owned()) {
                wrong.push(format!("{} is used twice", message.full_name()));
            }
        }
    }
    check(wrong, "each RPC has its own request and response");
}

#[test]
fn order_ids_are_where_the_options_say() {
    let mut wrong = Vec::new();
    for method in methods(descriptors()) {
        let Some(Value::String(path)) = option(&method, "order_id_field") else { continue };
        let resolves = [method.input(), method.output()].into_iter().any(|message| {
            let mut at = Some(message);
            let mut found = false;
            for part in path.split('.') {
                let Some(message) = at.take() else { return false };
                let Some(field) = message.get_field_by_name(part) else { return false };
                found = matches!(field.kind(), Kind::String);
                if let Kind::Message(next) = field.kind() {
                    at = Some(next);
                }
            }
            found
        });
        if !resolves {
            wrong.push(format!("{}: {path}", method.full_name()));
        }
    }
    check(wrong, "order_id_field names a text field of the request or the response");
}

#[test]
fn mutating_requests_carry_a_request_id() {
    // Outside systems know an operation by `reference`; the gateway's own calls and hints are safe to repeat by nature.
    let by_other_means =
        ["provisioning", "billing", "logistics", "paychannel", "sms", "gateway", "simulator"];
    let reads = [
        "Get",
        "List",
        "Watch",
        "Preview",
        "Check",
        "Quote",
        "Decompose",
        "Verify",
        "Subscribe",
        "Diff",
        "Simulate",
    ];
    let hints = ["ReportStepResult", "HandleChannelEvent", "ResolveAttempt"];
    let mut wrong = Vec::new();
    for method in methods(descriptors()) {
        let package =
            method.parent_service().full_name().split('.').nth(1).unwrap_or_default().to_owned();
        let is_read = reads.iter().any(|verb| method.name().starts_with(verb));
        if is_read || hints.contains(&method.name()) || by_other_means.contains(&package.as_str()) {
            continue;
        }
        let first = method.input().get_field(1);
        if first.is_none_or(|field| field.name() != "request_id") {
            wrong.push(method.full_name().to_owned());
        }
    }
    check(wrong, "field 1 of a mutating request is request_id");
}

#[test]
fn personal_data_has_a_class() {
    let names = ["phone", "mobile", "id_no", "id_number", "card", "address", "balance"];
    let extension = descriptors()
        .get_extension_by_name("throughline.options.v1.sensitive")
        .expect("the option exists");
    let mut wrong = Vec::new();
    for message in descriptors().all_messages().filter(|m| m.full_name().starts_with(OURS)) {
        for field in message.fields() {
            let sounds_personal = names.iter().any(|name| field.name().contains(name));
            if sounds_personal && !field.options().has_extension(&extension) {
                wrong.push(field.full_name().to_owned());
            }
        }
    }
    check(wrong, "fields named like personal data have a sensitivity class");
}

#[test]
fn enums_begin_with_unspecified_and_values_are_prefixed() {
    let mut wrong = Vec::new();
    for found in descriptors().all_enums().filter(|e| e.full_name().starts_with(OURS)) {
        let prefix = upper_snake(found.name());
        for value in found.values() {
            if !value.name().starts_with(&prefix) {
                wrong.push(value.full_name().to_owned());
            }
        }
        let zero = found.get_value(0);
        if zero.is_none_or(|zero| zero.name() != format!("{prefix}_UNSPECIFIED")) {
            wrong.push(format!("{} has no UNSPECIFIED = 0", found.full_name()));
        }
        if found.name().contains("Status") {
            wrong.push(format!("{}: we say state", found.full_name()));
        }
    }
    check(wrong, "enums");
}

fn upper_snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

#[test]
fn everything_has_a_comment() {
    let mut wrong = Vec::new();
    for file in descriptors().files().filter(|f| f.package_name().starts_with("throughline")) {
        let described = file.file_descriptor_proto();
        let info = described.source_code_info.as_ref().expect("comments are kept");
        let commented: BTreeSet<Vec<i32>> = info
            .location
            .iter()
            .filter(|l| l.leading_comments.as_deref().is_some_and(|c| !c.trim().is_empty()))
            .map(|l| l.path.clone())
            .collect();
        let mut need = |path: Vec<i32>, what: String| {
            if !commented.contains(&path) {
                wrong.push(format!("{}: {what}", file.name()));
            }
        };
        let index = |n: usize| i32::try_from(n).expect("small");
        for (m, message) in described.message_type.iter().enumerate() {
            need(vec![4, index(m)], message.name().to_owned());
            for (f, field) in message.field.iter().enumerate() {
                // A map's entry is made by the compiler; the field itself is ours.
                need(
                    vec![4, index(m), 2, index(f)],
                    format!("{}.{}", message.name(), field.name()),
                );
            }
        }
        for (e, found) in described.enum_type.iter().enumerate() {
            need(vec![5, index(e)], found.name().to_owned());
            for (v, value) in found.value.iter().enumerate() {
                need(vec![5, index(e), 2, index(v)], value.name().to_owned());
            }
        }
        for (s, service) in described.service.iter().enumerate() {
            need(vec![6, index(s)], service.name().to_owned());
            for (r, method) in service.method.iter().enumerate() {
                need(vec![6, index(s), 2, index(r)], method.name().to_owned());
            }
        }
        for (x, extension) in described.extension.iter().enumerate() {
            need(vec![7, index(x)], extension.name().to_owned());
        }
    }
    check(wrong, "every element of the contracts is commented");
}
