//! A shop day that several channels bring in.

use throughline::retail::invoice::HEADER;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_another_channel_brings_in_has_stock_of_its_own() {
    let world = World::start().await;
    let created =
        world.run(&["channel", "create", "market", "--right", "agreed-price", "--json"]).await;
    let created: serde_json::Value = serde_json::from_slice(&created.stdout).expect("JSON");
    let key = world.directory().join("market.key");
    std::fs::write(&key, created["api_key"].as_str().expect("a key")).expect("written");
    let file = world.directory().join("day.csv");
    let day = format!("{}\n700001,20001,OAK FRAME,3,d,2.5,15001.0,France\n", HEADER.join(","));
    std::fs::write(&file, day).expect("written");

    let (file, key) = (file.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let import = ["import", "retail", file];
    let other = ["import", "retail", file, "--key-file", key];
    for arguments in [&import[..], &other, &import, &other] {
        let output = world.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 completed"), "{arguments:?}: {said}");
    }
    world.end().await;
}
