//! Places that are taken or cannot be used: ports and data directories. The message names them and says what to do.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use tempfile::TempDir;
use throughline_proto::order::v1::OrderState;
use throughline_tests::desk::Desk;
use throughline_tests::process::{Up, free_ports, run_within};
use throughline_tests::shopping::order;

const MAX_TIME: Duration = Duration::from_secs(60);

fn up(data_dir: &Path, port_base: u16) -> Output {
    let data_dir = data_dir.to_str().expect("UTF-8");
    let port_base = port_base.to_string();
    run_within(MAX_TIME, &["up", "--data-dir", data_dir, "--port-base", &port_base])
}

/// Expects that it ended without having been ready, and gives what was said.
fn refused(output: Output) -> String {
    assert!(!output.status.success(), "it should not start");
    assert!(output.stdout.is_empty(), "it never says that it is ready");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.lines().any(|line| line.starts_with("error: ")), "{said}");
    said
}

#[test]
fn a_port_that_is_taken_is_named_whichever_service_wanted_it() {
    for (service, offset) in [
        ("gateway", 0),
        ("HTTP", 1),
        ("order", 10),
        ("payment", 20),
        ("resource", 30),
        ("product", 40),
        ("notification", 50),
        ("simulator", 90),
        ("sms", 95),
    ] {
        let directory = TempDir::new().expect("a directory");
        let port_base = free_ports();
        let port = port_base + offset;
        let _taken = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let said = refused(up(directory.path(), port_base));
        assert!(said.contains(&port.to_string()), "{service}: {said}");
        assert!(said.contains(service) && said.contains("--port-base"), "{service}: {said}");
    }
}

#[test]
fn a_port_base_without_room_for_all_ports_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let said = refused(up(directory.path(), 65_530));
    assert!(said.contains("65530"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("in-the-way");
    std::fs::write(&file, "").expect("written");
    // No user may make files there, not even root.
    for place in [file.join("below"), file, "/proc/throughline-data".into(), "/proc".into()] {
        let said = refused(up(&place, free_ports()));
        assert!(said.contains(place.to_str().expect("UTF-8")), "{said}");
        assert!(said.contains("--data-dir"), "{said}");
    }
}

#[test]
fn a_data_file_that_is_no_database_is_named() {
    let directory = TempDir::new().expect("a directory");
    std::fs::write(directory.path().join("order.db"), "no database at all\n".repeat(500))
        .expect("written");
    let said = refused(up(directory.path(), free_ports()));
    assert!(said.contains("order.db"), "{said}");
}

#[test]
fn a_key_file_without_a_key_is_named() {
    let directory = TempDir::new().expect("a directory");
    let keys = directory.path().join("keys");
    std::fs::create_dir(&keys).expect("made");
    std::fs::write(keys.join("operator.key"), "open sesame\n").expect("written");
    let said = refused(up(directory.path(), free_ports()));
    assert!(said.contains("operator.key"), "{said}");
    assert!(!said.contains("sesame"), "what stands there is not told: {said}");
}

#[tokio::test]
async fn a_second_instance_on_the_same_data_is_refused_and_the_first_goes_on() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path();
    let first = Up::start(data_dir, free_ports(), &[]);
    let desk = Desk::open(&first.gateway_uri(), &data_dir.join("keys"));
    desk.seed_telecom().await;
    let place = data_dir.to_str().expect("UTF-8");
    let said = refused(up(data_dir, free_ports()));
    assert!(said.contains(place) && said.contains("another process"), "{said}");
    let port_base = free_ports().to_string();
    let alone = ["serve", "order", "--data-dir", place, "--port-base", &port_base];
    let said = refused(run_within(MAX_TIME, &alone));
    assert!(said.contains(place) && said.contains("the role order"), "{said}");
    let done = desk.carry_out(order("undisturbed", &[("ears", "earphones", 1)])).await;
    assert_eq!(done.state(), OrderState::Completed);
    desk.books_add_up().await;
    assert!(first.terminate().success(), "it ends in good order");
    let again = Up::start(data_dir, free_ports(), &[]);
    assert!(again.terminate().success(), "the place is free again");
}
