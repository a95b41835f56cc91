//! What persons do with orders, by the commands that they have.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::world::World;

/// How long something may take to come about; a machine under load included.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

fn sample(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "samples", name].iter().collect();
    path.to_str().expect("UTF-8").to_owned()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must work, and gives what it said.
async fn works(world: &World, arguments: &[&str]) -> String {
    let output = world.run(arguments).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}{error}", out(&output));
    out(&output)
}

/// Runs a command that must be refused, and gives the error that a program reads.
async fn refused(world: &World, arguments: &[&str]) -> Value {
    let output = world.run(&[arguments, &["--json"]].concat()).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", out(&output));
    serde_json::from_slice(&output.stderr).expect("one JSON object")
}

async fn submit(world: &World, file: &str) -> String {
    let said = works(world, &["order", "submit", &sample(file), "--json"]).await;
    let answer: Value = serde_json::from_str(&said).expect("JSON");
    answer["order_id"].as_str().expect("an id").to_owned()
}

/// Waits until a part of an order's JSON is as expected.
async fn wait(world: &World, order_id: &str, what: &str, is_so: impl Fn(&Value) -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let said = works(world, &["order", "get", order_id, "--json"]).await;
        let order: Value = serde_json::from_str(&said).expect("JSON");
        if is_so(&order) {
            return;
        }
        assert!(tokio::time::Instant::now() < patience, "{what}: {said}");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until a person is asked for a step of an order, and gives the task.
async fn task(world: &World, order_id: &str, step: &str) -> String {
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let said = works(world, &["task", "list", "--order", order_id, "--json"]).await;
        for line in said.lines() {
            let task: Value = serde_json::from_str(line).expect("JSON");
            if task["step_id"] == step {
                return task["task_id"].as_str().expect("an id").to_owned();
            }
        }
        assert!(tokio::time::Instant::now() < patience, "no task for {step}: {said}");
        tokio::time::sleep(POLL).await;
    }
}

fn step_state<'a>(order: &'a Value, template: &str, step: &str) -> Option<&'a str> {
    let parts = order["business_orders"].as_array()?;
    let part = parts.iter().find(|part| part["template"] == template)?;
    let found = part["steps"].as_array()?.iter().find(|one| one["step_id"] == step)?;
    found["state"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_carry_an_order_of_a_company_to_its_end() {
    let world = World::start().await;
    works(&world, &["seed", &sample("telecom.yaml")]).await;
    let id = submit(&world, "enterprise-order.yaml").await;

    let audit = task(&world, &id, "audit").await;
    let shown = works(&world, &["task", "show", &audit]).await;
    assert!(shown.contains("Audit the order") && shown.contains("approved"), "{shown}");
    works(&world, &["task", "claim", &audit]).await;
    let mine = works(&world, &["task", "list", "--mine"]).await;
    assert!(mine.contains(&audit) && mine.contains("operator:operator"), "{mine}");
    let error = refused(&world, &["task", "complete", &audit, "--set", "note=ok"]).await;
    assert_eq!(error["reason"], "FORM_INVALID", "{error}");
    assert_eq!((&error["code"], &error["domain"]), (&"INVALID_ARGUMENT".into(), &"order".into()));
    assert!(error["fields"].to_string().contains("approved"), "{error}");
    works(&world, &["task", "complete", &audit, "--set", "approved=true"]).await;

    let survey = task(&world, &id, "survey").await;
    let order = works(&world, &["order", "get", &id]).await;
    let person = format!("a person of field-survey, {survey}, until ");
    assert!(order.contains("cmnet-line [line] v1") && order.contains(&person), "{order}");
    let qualification = task(&world, &id, "qualification").await;
    works(&world, &["task", "complete", &qualification, "--set", "qualified=true"]).await;
    let form = world.directory().join("form.yaml");
    std::fs::write(&form, "feasible: true\naccess: fiber\n").expect("written");
    let form = form.to_str().expect("UTF-8");
    works(&world, &["task", "complete", &survey, "--form", form]).await;

    wait(&world, &id, "it waits for the construction", |order| {
        step_state(order, "cmnet-line", "construction") == Some("STEP_STATE_WAITING")
    })
    .await;
    let waiting = works(&world, &["order", "list", "--step", "construction"]).await;
    assert!(waiting.contains(&id), "{waiting}");
    let load = works(&world, &["order", "load", "--template", "cmnet-line"]).await;
    assert!(load.contains("construction  WAITING"), "{load}");
    assert!(load.contains("live orders in all: 1"), "{load}");
    let error =
        refused(&world, &["order", "skip", &id, "--step", "open-account", "--reason", "x"]).await;
    assert_eq!(error["reason"], "STEP_AMBIGUOUS", "{error}");
    works(&world, &["order", "skip", &id, "--step", "construction", "--reason", "is there"]).await;
    let acceptance = task(&world, &id, "acceptance").await;
    works(&world, &["task", "complete", &acceptance, "--set", "accepted=true"]).await;
    let end = works(&world, &["order", "watch", &id]).await;
    assert!(end.contains("COMPLETED") && end.contains("Line switched on"), "{end}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_hold_back_and_let_go_and_parts_are_cancelled_by_their_names() {
    let world = World::start().await;
    works(&world, &["seed", &sample("telecom.yaml")]).await;
    let on = ["--template", "telecom-plan", "--reason", "network is rebuilt"];
    works(&world, &[&["hold", "add"][..], &on].concat()).await;
    let id = submit(&world, "simple-order.yaml").await;
    wait(&world, &id, "it waits for the pause's end", |order| {
        order["business_orders"].to_string().contains("BUSINESS_ORDER_STATE_READY")
    })
    .await;
    works(&world, &["order", "pause", &id, "--reason", "on holiday"]).await;
    let order = works(&world, &["order", "get", &id]).await;
    assert!(order.contains("HELD"), "{order}");
    assert!(order.contains("paused    the order by operator:operator since "), "{order}");
    works(&world, &["order", "priority", &id, "9", "--reason", "hospital"]).await;
    works(&world, &["order", "urge", &id, "--reason", "called"]).await;
    let error = refused(&world, &["order", "urge", &id]).await;
    assert_eq!(error["reason"], "URGED_TOO_OFTEN", "{error}");
    assert!(error["retry_after_ms"].as_u64() > Some(60_000), "{error}");

    let urges = works(&world, &["order", "urges"]).await;
    assert!(urges.contains(&id) && urges.contains("1 times"), "{urges}");

    let holds = works(&world, &["hold", "list"]).await;
    assert!(holds.contains("telecom-plan") && holds.contains("network is rebuilt"), "{holds}");
    works(&world, &["order", "resume", &id, "--reason", "is back"]).await;
    let preview = works(&world, &["order", "cancel", &id, "--item", "data", "--preview"]).await;
    assert!(preview.contains("telecom-plan [data]") && preview.contains("30.00 CNY"), "{preview}");
    works(&world, &["order", "cancel", &id, "--business-order", "data", "--reason", "too dear"])
        .await;
    works(&world, &[&["hold", "remove"][..], &on].concat()).await;
    let end = works(&world, &["order", "watch", &id]).await;
    assert!(end.contains("total     40.00 CNY, paid 10.00 CNY"), "{end}");
    let asked = works(&world, &["order", "cancellations", "--outcome", "done"]).await;
    assert!(asked.contains("PARTS") && asked.contains("operator:operator  too dear"), "{asked}");
    let asked = works(&world, &["order", "cancellations", "--kind", "PARTS", "--json"]).await;
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    assert_eq!(asked["cancellations"][0]["order_id"], id.as_str(), "{asked}");
    assert_eq!(asked["groups"][0]["count"], "1", "{asked}");
    let late = works(&world, &["order", "timeouts", "--lateness", "TIMED_OUT", "--json"]).await;
    assert_eq!(late.trim(), "{}");
    let fees = works(&world, &["order", "fees"]).await;
    assert!(!fees.contains(&id), "{fees}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_samples_run_to_their_end() {
    let world = World::start().await;
    works(&world, &["seed", &sample("telecom.yaml")]).await;
    for file in ["flash-sale.yaml", "group-buy.yaml"] {
        works(&world, &["campaign", "set", &sample(file)]).await;
    }
    for file in ["service-order.yaml", "flash-sale-order.yaml"] {
        let end = works(&world, &["order", "submit", &sample(file), "--watch"]).await;
        assert!(end.contains("COMPLETED"), "{end}");
    }
    let taken = works(&world, &["campaign", "show", "handset-flash"]).await;
    assert!(taken.contains("1 of 20 taken, a buyer 1"), "{taken}");
    let said = works(&world, &["order", "submit", &sample("group-buy-order.yaml"), "--json"]).await;
    let first: Value = serde_json::from_str(&said).expect("JSON");
    let group = first["group"].as_str().expect("a group");
    let text = std::fs::read_to_string(sample("group-buy-order.yaml")).expect("reads");
    let second = text.replace("GROUP-0001", "GROUP-0002").replace("cust-0006", "cust-0007");
    let file = world.directory().join("second.yaml");
    std::fs::write(&file, format!("{second}group: {group}\n")).expect("written");
    works(&world, &["order", "submit", file.to_str().expect("UTF-8"), "--watch"]).await;
    works(&world, &["order", "watch", first["order_id"].as_str().expect("an id")]).await;
    let ended = works(&world, &["campaign", "end", "handset-flash"]).await;
    assert!(ended.contains("ENDED"), "{ended}");
    let listed = works(&world, &["campaign", "list", "--state", "OPEN"]).await;
    assert!(listed.contains("earphones-group") && !listed.contains("handset-flash"), "{listed}");
    world.end().await;
}
