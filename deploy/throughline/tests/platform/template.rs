//! What authors of templates do, by the commands that they have.

use crate::world::World;

const PLAN: &str = include_str!("../../../../services/order/templates/telecom-plan.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_checked_published_compared_and_rolled_back() {
    let world = World::start().await;
    let file = world.directory().join("plan.yaml");
    let path = file.to_str().expect("UTF-8");
    let run = async |arguments: &[&str]| {
        let output = world.run(arguments).await;
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };

    let wrong =
        PLAN.replace("throughline.billing.v1.BillingService/OpenAccount", "no.Service/Call");
    std::fs::write(&file, &wrong).expect("written");
    let line = 1 + wrong.lines().position(|line| line.contains("no.Service")).expect("a line");
    let (code, said) = run(&["template", "check", path]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("{path}:{line}:")), "{said}");
    let (code, said) = run(&["template", "publish", path, "--reason", "x", "--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    let error: serde_json::Value = serde_json::from_str(&said).expect("one JSON object");
    assert_eq!(error["reason"], "TEMPLATE_INVALID", "{error}");
    assert!(error["fields"].to_string().contains("no.Service"), "{error}");

    std::fs::write(&file, PLAN.replace("Mobile plan", "Plan for mobiles")).expect("written");
    let (code, said) = run(&["template", "check", path]).await;
    assert!(code == Some(0) && said.contains("nothing is wrong"), "{said}");
    let (code, said) = run(&["template", "publish", path, "--reason", "better title"]).await;
    assert!(code == Some(0) && said.contains("telecom-plan v2  BUSINESS  in force"), "{said}");
    let (_, said) = run(&["template", "diff", "telecom-plan"]).await;
    assert!(said.contains("- Mobile plan") && said.contains("+ Plan for mobiles"), "{said}");
    let rollback = ["template", "rollback", "telecom-plan", "1", "--reason", "old title"];
    let (code, said) = run(&rollback).await;
    assert!(code == Some(0) && said.contains("telecom-plan v1  BUSINESS  in force"), "{said}");
    let (_, said) = run(&["template", "list", "--name", "telecom-plan"]).await;
    assert!(said.contains("better title"), "{said}");
    let (_, said) = run(&["template", "show", "telecom-plan"]).await;
    assert!(said.contains("title: Mobile plan"), "{said}");
    let (code, said) = run(&["template", "show", "no-such"]).await;
    assert!(code == Some(1) && said.contains("TEMPLATE_NOT_FOUND"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_played_on_an_order_in_a_file() {
    let world = World::start().await;
    let (file, order) = (world.directory().join("plan.yaml"), world.directory().join("order.yaml"));
    let assumed = world.directory().join("assumed.yaml");
    std::fs::write(&file, PLAN).expect("written");
    let items = "items: [{ itemKey: plan, offeringCode: plan-4g-59, quantity: 1 }]";
    std::fs::write(&order, format!("{items}\ncurrencyCode: CNY\n")).expect("written");
    let charge = "charge: { currencyCode: CNY, minorUnits: 5900 }";
    let lines = format!("lines: [{{ itemKey: plan, {charge} }}]\n");
    std::fs::write(&assumed, lines).expect("written");
    let paths = [&file, &order, &assumed].map(|path| path.to_str().expect("UTF-8").to_owned());
    let [file, order, assumed] = &paths;
    let play = ["template", "simulate", file, "--order-file", order, "--assume", assumed];
    let output = world.run(&[&play[..], &["--fail", "open-account"]].concat()).await;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("activate sends {"), "{said}");
    assert!(said.contains("if open-account fails with SIMULATED: UNDO"), "{said}");
    assert!(said.contains("undone in this order: activate, charge"), "{said}");
    assert!(said.contains("paid back: 59.00 CNY"), "{said}");
    let both = ["template", "simulate", file, "--order", "x", "--order-file", order];
    assert_eq!(world.run(&both).await.status.code(), Some(2), "one or the other");
    world.end().await;
}
