//! The sample files read as the contracts that they stand for, and fit together.

use std::collections::BTreeSet;

use throughline::{orders, seed};

const TELECOM: &str = include_str!("../samples/telecom.yaml");
const ORDERS: [&str; 2] =
    [include_str!("../samples/converged-order.yaml"), include_str!("../samples/simple-order.yaml")];

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
fn the_converged_order_is_two_plans_a_broadband_and_a_phone_that_needs_it() {
    let order = orders::parse(ORDERS[0]).expect("reads");
    let mut codes: Vec<&str> = order.items.iter().map(|i| i.offering_code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["broadband-100m", "ip-phone", "plan-4g-59", "plan-4g-59"]);
    let seed = seed::Seed::parse(TELECOM).expect("reads");
    let phone = seed.catalog.offerings.iter().find(|o| o.code == "ip-phone").expect("offered");
    assert_eq!(phone.relations[0].offering_code, "broadband-100m");
}
