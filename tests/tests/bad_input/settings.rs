//! A configuration that is wrong: the message names the file, the key and what is expected, and nothing starts.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use throughline_tests::process::run_within;

const MAX_TIME: Duration = Duration::from_secs(60);

/// Starts with a configuration file, expects that nothing starts, and gives what was said.
fn refused(file: &Path, data_dir: &Path) -> String {
    let file = file.to_str().expect("UTF-8");
    let data_dir = data_dir.to_str().expect("UTF-8");
    let arguments = ["up", "--config", file, "--data-dir", data_dir, "--port-base", "0"];
    let output = run_within(MAX_TIME, &arguments);
    assert!(!output.status.success(), "it should not start");
    assert!(output.stdout.is_empty(), "it never says that it is ready");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn a_wrong_key_or_value_is_named_with_its_file_and_what_is_expected() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");
    for (number, (content, key, expected)) in [
        // A wrong key: what there is instead.
        ("[order]\nmax_live_ordres = 5\n", "max_live_ordres", "max_live_orders"),
        ("[ordering]\nmax_live_orders = 5\n", "ordering", "order"),
        ("[platform]\nport = 7400\n", "port", "port_base"),
        ("[gateway]\nworker = 1\n", "worker", "workers"),
        // A wrong value: the type that belongs there.
        ("[order]\nmax_watches = \"many\"\n", "order.max_watches", "usize"),
        ("[order]\nmax_watches = -1\n", "order.max_watches", "usize"),
        ("[gateway]\nmax_message_bytes = 5000000000\n", "gateway.max_message_bytes", "u32"),
        ("[payment]\nretry_delays_ms = 50\n", "payment.retry_delays_ms", "sequence"),
        (
            "[notification]\nmax_queued_notifications = true\n",
            "notification.max_queued_notifications",
            "usize",
        ),
        ("order = 1\n", "order", "struct"),
        // A value that no center can work with.
        ("[payment]\nresolve_delays_ms = []\n", "payment.resolve_delays_ms", "above 0"),
        ("[payment]\nchannel_timeout_ms = 0\n", "payment.channel_timeout_ms", "above 0"),
        ("[resource]\nsweep_interval_ms = 0\n", "resource.sweep_interval_ms", "above 0"),
        ("[product]\nmax_lines = 0\n", "product.max_lines", "above 0"),
        ("[notification]\npoll_interval_ms = 0\n", "notification.poll_interval_ms", "above 0"),
        ("[simulators]\nmax_late_batch = 0\n", "simulators.max_late_batch", "above 0"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = directory.path().join(format!("wrong-{number}.toml"));
        std::fs::write(&file, content).expect("written");
        let said = refused(&file, &data_dir);
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.contains(key) && said.contains(expected), "{content}: {said}");
        // What a center itself finds wrong has come from any layer.
        if expected != "above 0" {
            assert!(said.contains(&format!("wrong-{number}.toml")), "{content}: {said}");
        }
        assert!(!data_dir.exists(), "{content}: nothing was begun");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");
    let missing = directory.path().join("missing.toml");
    let is_directory = directory.path().join("directory.toml");
    std::fs::create_dir(&is_directory).expect("made");
    let not_toml = directory.path().join("no.toml");
    std::fs::write(&not_toml, "order: { max_watches: 1 }\n").expect("written");
    let not_text = directory.path().join("bytes.toml");
    std::fs::write(&not_text, [0xff, 0xfe, 0x00]).expect("written");
    for file in [missing, is_directory, not_toml, not_text] {
        let said = refused(&file, &data_dir);
        let name = file.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        assert!(said.contains(name), "{name}: {said}");
        assert!(!data_dir.exists());
    }
}

#[test]
fn a_good_file_is_taken_and_its_values_are_shown_without_starting() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("good.toml");
    std::fs::write(&file, "[order]\nmax_watches = 7\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    let output = run_within(MAX_TIME, &["up", "--check", "--config", file]);
    assert!(output.status.success());
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["order"]["max_watches"], 7);
    assert_eq!(shown["order"]["max_live_orders"], 100_000, "the default");
}
