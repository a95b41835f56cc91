//! The sample files read as the contracts that they stand for, and fit together.

use std::collections::BTreeSet;

use throughline::console::from_yaml;
use throughline::{orders, seed};
use throughline_proto::order::v1::{Campaign, CampaignKind, ItemAction};

const TELECOM: &str = include_str!("../samples/telecom.yaml");
const ORDERS: [&str; 6] = [
    include_str!("../samples/converged-order.yaml"),
    include_str!("../samples/simple-order.yaml"),
    include_str!("../samples/enterprise-order.yaml"),
    include_str!("../samples/service-order.yaml"),
    include_str!("../samples/flash-sale-order.yaml"),
    include_str!("../samples/group-buy-order.yaml"),
];
const CAMPAIGNS: [&str; 2] =
    [include_str!("../samples/flash-sale.yaml"), include_str!("../samples/group-buy.yaml")];
/// The templates that come with the order center.
const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../services/order/templates");
/// Templates that no sample runs by: what is bought comes back by an order of its own.
const NOT_ORDERED: [&str; 1] = ["retail-return"];

fn campaign(text: &str) -> Campaign {
    let document = serde_yaml_ng::from_str(text).expect("YAML");
    from_yaml("campaign", document).expect("reads")
}

#[test]
fn the_samples_sell_what_the_catalog_offers_and_the_catalog_takes_what_is_in_stock() {
    let seed = seed::Seed::parse(TELECOM).expect("reads");
    let offerings = &seed.catalog.offerings;
    let codes: BTreeSet<&str> = offerings.iter().map(|o| o.code.as_str()).collect();
    assert_eq!(codes.len(), offerings.len(), "each code once");
    let pools: BTreeSet<&str> =
        seed.stock.receipts.iter().map(|receipt| receipt.pool_code.as_str()).collect();
    for offering in offerings {
        for demand in &offering.resources {
            assert!(pools.contains(demand.pool_code.as_str()), "{demand:?}");
        }
        for relation in &offering.relations {
            assert!(codes.contains(relation.offering_code.as_str()), "{relation:?}");
        }
    }
    for receipt in &seed.stock.receipts {
        let items: BTreeSet<&String> = receipt.item_ids.iter().collect();
        assert_eq!(items.len(), receipt.item_ids.len(), "{}: each item once", receipt.pool_code);
        assert!(receipt.quantity > 0 || !items.is_empty(), "{}", receipt.pool_code);
    }
    for text in ORDERS {
        let order = orders::parse(text).expect("reads");
        for item in &order.items {
            assert!(codes.contains(item.offering_code.as_str()), "{item:?}");
        }
    }
}

#[test]
fn campaigns_sell_what_the_catalog_offers_and_the_orders_of_each_only_that() {
    let seed = seed::Seed::parse(TELECOM).expect("reads");
    for campaign in CAMPAIGNS.map(campaign) {
        for code in &campaign.offering_codes {
            let offered = seed.catalog.offerings.iter().any(|offering| offering.code == *code);
            assert!(offered, "{code}");
        }
        let orders = ORDERS.map(|text| orders::parse(text).expect("reads"));
        let order = orders.iter().find(|order| order.campaign == campaign.campaign);
        let order = order.expect("an order of the campaign");
        for item in &order.items {
            assert!(campaign.offering_codes.contains(&item.offering_code), "{item:?}");
        }
    }
}

#[test]
fn every_template_that_comes_with_the_platform_is_run_by_a_sample() {
    let seed = seed::Seed::parse(TELECOM).expect("reads");
    let campaigns = CAMPAIGNS.map(campaign);
    let mut run: BTreeSet<String> = NOT_ORDERED.map(str::to_owned).into();
    for order in ORDERS.map(|text| orders::parse(text).expect("reads")) {
        let campaign = campaigns.iter().find(|campaign| campaign.campaign == order.campaign);
        run.insert(match (campaign.map(Campaign::kind), order.requested_start_time) {
            (Some(CampaignKind::FlashSale), _) => "flash-sale".to_owned(),
            (Some(CampaignKind::GroupBuy), _) => "group-buy".to_owned(),
            (Some(_), _) | (None, Some(_)) => "pre-order".to_owned(),
            (None, None) if order.template.is_empty() => "standard".to_owned(),
            (None, None) => order.template,
        });
        for item in &order.items {
            let mut offerings = seed.catalog.offerings.iter();
            let offering = offerings.find(|one| one.code == item.offering_code).expect("offered");
            run.insert(match item.action() {
                ItemAction::Modify => offering.modify_template.clone(),
                ItemAction::Delete => offering.delete_template.clone(),
                ItemAction::Add | ItemAction::Unspecified => offering.add_template.clone(),
            });
        }
    }
    let shipped: BTreeSet<String> = std::fs::read_dir(TEMPLATES)
        .expect("templates")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(run, shipped);
}

#[test]
fn the_converged_order_is_two_plans_a_broadband_and_a_phone_that_needs_it() {
    let order = orders::parse(ORDERS[0]).expect("reads");
    let mut codes: Vec<&str> = order.items.iter().map(|i| i.offering_code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["broadband-100m", "ip-phone", "plan-4g-59", "plan-4g-59"]);
    let seed = seed::Seed::parse(TELECOM).expect("reads");
    let phone = seed.catalog.offerings.iter().find(|o| o.code == "ip-phone").expect("offered");
    assert_eq!(phone.relations[0].offering_code, "broadband-100m");
}
