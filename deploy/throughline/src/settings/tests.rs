//! The file that shows every key, and what of a configuration may be shown.

use std::collections::BTreeSet;

use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/throughline.toml");

/// Every key of a file, with its section; what is a comment because it follows from the machine counts as well.
fn keys(text: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
        if key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn the_configuration_file_lists_every_key_with_its_default() {
    let read: Settings =
        config::load(Some(Path::new(FILE)), &serde_json::json!({})).expect("reads");
    let json = |settings: &Settings| serde_json::to_value(settings).expect("JSON");
    let defaults = json(&Settings::default());
    assert_eq!(json(&read), defaults);
    let text = std::fs::read_to_string(FILE).expect("reads");
    let sections = defaults.as_object().expect("sections");
    let expected: BTreeSet<String> =
        sections.iter().flat_map(|(section, value)| paths(section, value)).collect();
    assert_eq!(keys(&text), expected);
}

/// Every key of a value, those of sections in sections included.
fn paths(path: &str, value: &serde_json::Value) -> Vec<String> {
    let Some(section) = value.as_object() else { return vec![path.to_owned()] };
    section.iter().flat_map(|(key, value)| paths(&format!("{path}.{key}"), value)).collect()
}

#[test]
fn a_configuration_is_shown_without_the_password_of_the_database() {
    for (url, shown) in [
        ("postgres://me:secret@db/orders", "postgres://me:***@db/orders"),
        ("postgres://me:se@cret@db:5432/orders", "postgres://me:***@db:5432/orders"),
        ("postgres://me@db/orders", "postgres://me@db/orders"),
        ("postgres://db/orders", "postgres://db/orders"),
        (
            "postgres://db/orders?user=me&password=secret",
            "postgres://db/orders?user=me&password=***",
        ),
        ("", ""),
    ] {
        let mut settings = Settings::default();
        url.clone_into(&mut settings.platform.postgres_url);
        assert_eq!(settings.without_secrets().platform.postgres_url, shown);
    }
}
