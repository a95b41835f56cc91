//! Configuration: a file, then the environment, then flags; what is wrong is named with its source.

use std::path::Path;

use figment::Jail;
use serde::{Deserialize, Serialize};
use throughline_kit::config::{Check, load};
use throughline_kit::error::{Error, Kind};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    name: String,
    port: u16,
    nested: Nested,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Nested {
    max_things: u32,
    log: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { name: "default".to_owned(), port: 1, nested: Nested::default() }
    }
}

impl Default for Nested {
    fn default() -> Self {
        Self { max_things: 10, log: "warn".to_owned() }
    }
}

/// What the command line says, and nothing else.
#[derive(Default, Serialize)]
struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

const FILE: &str = "settings.toml";

/// Loads with a file, environment variables and flags, in a place of its own.
fn loaded(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &Flags,
) -> Result<Settings, Error> {
    let mut result = None;
    Jail::expect_with(|jail| {
        if let Some(text) = file {
            jail.create_file(FILE, text)?;
        }
        for (name, value) in environment {
            jail.set_env(name, value);
        }
        result = Some(load(file.map(|_| Path::new(FILE)), flags));
        Ok(())
    });
    result.expect("it was loaded")
}

fn refused(file: Option<&str>, environment: &[(&str, &str)]) -> String {
    let error = loaded(file, environment, &Flags::default()).expect_err("refused");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "CONFIG_INVALID"));
    error.message
}

#[test]
fn nothing_said_means_the_defaults() {
    let settings = loaded(None, &[], &Flags::default()).expect("valid");
    assert_eq!(settings, Settings::default());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "name = 'file'\nport = 2\n[nested]\nmax_things = 20\nlog = 'info'\n";
    let environment =
        [("THROUGHLINE_PORT", "3"), ("THROUGHLINE_NESTED__MAX_THINGS", "30"), ("PORT", "9")];
    let flags = Flags { port: Some(4) };
    let settings = loaded(Some(file), &environment, &flags).expect("valid");
    assert_eq!((settings.name.as_str(), settings.port), ("file", 4));
    assert_eq!((settings.nested.max_things, settings.nested.log.as_str()), (30, "info"));
    let settings = loaded(Some(file), &environment, &Flags::default()).expect("valid");
    assert_eq!(settings.port, 3);
    let settings = loaded(Some(file), &[], &Flags::default()).expect("valid");
    assert_eq!((settings.port, settings.nested.max_things), (2, 20));
}

#[test]
fn the_variable_of_the_tests_is_no_configuration() {
    let environment = [("THROUGHLINE_TEST_POSTGRES", "postgres://nowhere")];
    loaded(None, &environment, &Flags::default()).expect("valid");
}

#[test]
fn a_wrong_key_is_named_with_its_source() {
    let message = refused(Some("nmae = 'x'\n"), &[]);
    assert!(message.contains("nmae") && message.contains(FILE), "{message}");
    assert!(message.contains("`name`"), "what was expected: {message}");
    let message = refused(Some("[nested]\nmax_thing = 1\n"), &[]);
    assert!(message.contains("max_thing`") && message.contains(FILE), "{message}");
    let message = refused(None, &[("THROUGHLINE_NESTED__MAX_THING", "1")]);
    assert!(message.contains("max_thing`"), "{message}");
    assert!(message.contains("environment") && message.contains("THROUGHLINE_"), "{message}");
}

#[test]
fn a_wrong_value_is_named_with_its_source() {
    let message = refused(Some("[nested]\nmax_things = 'many'\n"), &[]);
    assert!(message.contains("nested.max_things") && message.contains(FILE), "{message}");
    assert!(message.contains("many") && message.contains("u32"), "{message}");
    let message = refused(None, &[("THROUGHLINE_PORT", "70000")]);
    assert!(message.contains("port") && message.contains("70000"), "{message}");
    assert!(message.contains("environment") && message.contains("THROUGHLINE_"), "{message}");
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_named() {
    let error = load::<Settings>(Some(Path::new("no-such.toml")), &Flags::default());
    let message = error.expect_err("refused").message;
    assert!(message.contains("no-such.toml"), "{message}");
    let message = refused(Some("name = \n"), &[]);
    assert!(message.contains(FILE), "{message}");
}

#[test]
fn every_value_that_cannot_work_is_named_with_what_is_expected() {
    let mut check = Check::of("shop");
    check.above_zero("max_things", 1_usize);
    check.at_least("max_boxes", 2_u32, 2);
    check.each_above_zero("delays_ms", &[1]);
    check.not_empty("name", "x");
    check.finish().expect("valid");
    let mut check = Check::of("shop");
    check.above_zero("max_things", 0_usize);
    check.above_zero("max_debts", -1_i64);
    check.at_least("max_boxes", 1_u32, 2);
    check.each_above_zero("delays_ms", &[]);
    check.each_above_zero("waits_ms", &[5, 0]);
    check.not_empty("name", "");
    let error = check.finish().expect_err("refused");
    assert_eq!((error.kind, error.reason.as_str()), (Kind::Invalid, "CONFIG_INVALID"));
    let said: Vec<_> = error.message.split("; ").collect();
    assert_eq!(
        said,
        [
            "key `shop.max_things`: must be above 0, it is 0",
            "key `shop.max_debts`: must be above 0, it is -1",
            "key `shop.max_boxes`: must be at least 2, it is 1",
            "key `shop.delays_ms`: must have at least one entry, each above 0, it is []",
            "key `shop.waits_ms`: must have at least one entry, each above 0, it is [5, 0]",
            "key `shop.name`: must not be empty, it is \"\"",
        ]
    );
}
