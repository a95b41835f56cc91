//! A seed is what the catalog says afterwards, whatever was loaded before.

use throughline::connection::bounded;
use throughline::seed::{Seed, Seeded};
use throughline_proto::product::v1::GetOfferingRequest;
use throughline_proto::product::v1::catalog_service_client::CatalogServiceClient;

use crate::world::World;

/// A seed of one offering, with one unit in stock.
fn seed(name: &str) -> Seed {
    let text = format!(
        "catalog: {{offerings: [{{code: frame, state: OFFERING_STATE_ACTIVE, names: {{en: {name}}}, \
         add_template: retail-goods, grain: DECOMPOSITION_GRAIN_PER_ORDER}}]}}\n\
         stock: {{receipts: [{{pool_code: frame, kind: POOL_KIND_COUNTED, name: Frame, quantity: 1}}]}}\n"
    );
    Seed::parse(&text).expect("reads")
}

async fn load(world: &World, name: &str) -> Seeded {
    seed(name).load(&world.operator).await.expect("loads")
}

async fn name_in_force(world: &World) -> String {
    let request = GetOfferingRequest { code: "frame".to_owned() };
    let answer = CatalogServiceClient::new(world.operator.channel())
        .get_offering(bounded(request))
        .await
        .expect("answers");
    answer.into_inner().offering.expect("an offering").names["en"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_is_loaded_again_after_another_is_in_force_again() {
    let world = World::start().await;
    for name in ["Oak", "Pine", "Oak"] {
        assert_eq!(load(&world, name).await.offerings, 1, "{name} changes the offering");
        assert_eq!(name_in_force(&world).await, name);
    }
    assert_eq!(load(&world, "Oak").await.offerings, 0, "what is there already changes nothing");
    world.end().await;
}
