//! What the command line says to a person who makes a mistake.

use std::net::TcpListener;
use std::process::{Command, Output};

use tempfile::TempDir;

fn throughline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throughline")).args(arguments).output().expect("it starts")
}

/// Runs, expects failure, and gives what was said.
fn refused(arguments: &[&str]) -> String {
    let output = throughline(arguments);
    assert!(!output.status.success(), "{arguments:?} should fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_command_explains_itself() {
    for command in [
        &["demo"][..],
        &["up"],
        &["serve"],
        &["seed"],
        &["order", "submit"],
        &["order", "get"],
        &["order", "list"],
        &["order", "watch"],
        &["order", "cancel"],
        &["order", "change"],
        &["order", "pause"],
        &["order", "resume"],
        &["order", "retry"],
        &["order", "skip"],
        &["order", "substitute"],
        &["order", "rerun"],
        &["order", "prove-undone"],
        &["order", "priority"],
        &["order", "urge"],
        &["order", "exceptions"],
        &["order", "load"],
        &["order", "timeouts"],
        &["order", "cancellations"],
        &["order", "urges"],
        &["order", "fees"],
        &["task", "list"],
        &["task", "show"],
        &["task", "claim"],
        &["task", "release"],
        &["task", "complete"],
        &["template", "list"],
        &["template", "show"],
        &["template", "check"],
        &["template", "publish"],
        &["template", "rollback"],
        &["template", "diff"],
        &["template", "simulate"],
        &["hold", "add"],
        &["hold", "remove"],
        &["hold", "list"],
        &["campaign", "set"],
        &["campaign", "list"],
        &["campaign", "show"],
        &["campaign", "end"],
        &["cart", "show"],
        &["cart", "list"],
        &["webhook", "set"],
        &["webhook", "list"],
        &["webhook", "rotate-secret"],
        &["webhook", "deliveries"],
        &["webhook", "redeliver"],
        &["webhook", "pause"],
        &["webhook", "resume"],
        &["webhook", "delete"],
        &["trajectory"],
        &["simulate"],
        &["import", "retail"],
        &["services"],
        &["channel", "create"],
        &["audit"],
        &["bench", "orders"],
        &["bench", "proxy"],
    ] {
        let output = throughline(&[command, &["--help"]].concat());
        assert!(output.status.success(), "{command:?} --help");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage:"), "{command:?}");
    }
}

#[test]
fn a_wrong_key_in_the_configuration_is_named_with_its_file() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("throughline.toml");
    std::fs::write(&file, "[order]\nmax_live_ordres = 5\n").expect("written");
    let said = refused(&["up", "--check", "--config", file.to_str().expect("UTF-8")]);
    assert!(said.contains("max_live_ordres") && said.contains("throughline.toml"), "{said}");
}

#[test]
fn a_wrong_value_in_the_environment_is_named_with_its_source() {
    let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(["up", "--check"])
        .env("THROUGHLINE_ORDER__MAX_WATCHES", "many")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.to_lowercase().contains("max_watches") && said.contains("environment"), "{said}");
}

#[test]
fn a_missing_configuration_file_is_named() {
    let said = refused(&["up", "--check", "--config", "no-such-file.toml"]);
    assert!(said.contains("no-such-file.toml"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("in-the-way");
    std::fs::write(&file, "").expect("written");
    let path = file.to_str().expect("UTF-8");
    let said = refused(&["up", "--data-dir", path, "--port-base", "0"]);
    assert!(said.contains(path) && said.contains("--data-dir"), "{said}");
}

#[test]
fn a_port_in_use_is_named() {
    let directory = TempDir::new().expect("a directory");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let path = directory.path().to_str().expect("UTF-8");
    let said = refused(&["up", "--data-dir", path, "--port-base", &port]);
    assert!(said.contains(&port) && said.contains("--port-base"), "{said}");
}

#[test]
fn a_missing_key_file_and_a_gateway_that_is_not_there_are_named() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let said = refused(&["services", "--data-dir", path]);
    assert!(said.contains("operator.key"), "{said}");
    let key = directory.path().join("some.key");
    std::fs::write(&key, "tlk_aaaaaaaaaaaaaaaaaaaaaaaaaa").expect("written");
    let key = key.to_str().expect("UTF-8");
    let nobody = "http://127.0.0.1:9";
    let said = refused(&["services", "--key-file", key, "--gateway", nobody]);
    assert!(said.contains("gateway http://127.0.0.1:9 cannot be reached: "), "{said}");
    assert!(said.contains("refused") && said.contains("`throughline up`"), "{said}");
    let said = refused(&["services", "--key-file", key, "--gateway", "https://127.0.0.1:9"]);
    assert!(said.contains("https is not supported yet"), "{said}");
}

#[test]
fn a_file_that_is_no_order_is_refused_with_the_field() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("order.yaml");
    std::fs::write(&file, "chanel_order_id: A-1\n").expect("written");
    let said = refused(&["order", "submit", file.to_str().expect("UTF-8")]);
    assert!(said.contains("chanel_order_id"), "{said}");
}

#[test]
fn a_file_that_is_no_shop_day_is_refused_with_what_was_expected() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("day.csv");
    std::fs::write(&file, "Invoice,Code\n1,2\n").expect("written");
    let said = refused(&["import", "retail", file.to_str().expect("UTF-8")]);
    assert!(said.contains("InvoiceNo"), "{said}");
}

#[test]
fn what_must_be_said_is_asked_for_before_anything_is_called() {
    for (arguments, missing) in [
        (&["order", "cancel", "ord_1"][..], "--reason"),
        (&["order", "pause", "ord_1"], "--reason"),
        (&["order", "retry", "ord_1", "--reason", "x"], "--step"),
        (&["order", "priority", "ord_1", "10", "--reason", "x"], "0..=9"),
        (&["order", "list", "--attention", "--step", "pay"], "--step"),
        (&["order", "list", "--limit", "0"], "1..=100000"),
        (&["hold", "add", "--reason", "x"], "--template"),
        (&["hold", "add", "--template", "a", "--method", "b", "--reason", "x"], "--method"),
        (&["cart", "list"], "--customer"),
        (&["webhook", "deliveries"], "--webhook"),
        (&["webhook", "redeliver"], "DELIVERY"),
    ] {
        let output = throughline(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(missing), "{arguments:?}: {said}");
    }
}

#[test]
fn a_program_reads_every_error_as_json() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    for (arguments, code, reason) in [
        (&["order", "cancel", "ord_1", "--json"][..], 2, "USAGE_INVALID"),
        (&["order", "list", "--from", "soon", "--data-dir", path, "--json"], 1, "TIME_INVALID"),
        (&["order", "list", "--state", "odd", "--data-dir", path, "--json"], 1, "STATE_UNKNOWN"),
        (&["up", "--check", "--config", "no-such-file.toml", "--json"], 1, "CONFIG_INVALID"),
    ] {
        let output = throughline(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let error: serde_json::Value =
            serde_json::from_slice(&output.stderr).expect("one JSON object");
        assert_eq!(error["reason"], reason, "{error}");
        assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
    }
}
