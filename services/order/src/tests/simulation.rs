//! Many orders at once, with everything that can go wrong around them.

use crate::simulator::{SimulationOptions, simulate};

/// Seeds that every run of the tests tries, and orders of each.
const SEEDS: u64 = 6;
const ORDERS: u32 = 40;

/// Events of all seeds.
fn hold(seeds: std::ops::Range<u64>, orders: u32) -> u64 {
    let events = seeds.map(|seed| {
        let report = simulate(SimulationOptions { seed, orders });
        let report = report.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.orders, orders);
        report.events
    });
    events.sum()
}

#[test]
fn whatever_goes_wrong_money_stock_and_services_end_as_delivered() {
    assert!(hold(0..SEEDS, ORDERS) > 0);
}

#[test]
fn a_seed_is_a_run() {
    let options = SimulationOptions { seed: 7, orders: 10 };
    assert_eq!(simulate(options), simulate(options));
}
