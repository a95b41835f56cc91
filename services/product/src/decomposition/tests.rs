//! Tables and properties of decomposition.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::examples::{catalog, lines, offering};

const MAX: usize = 200;

/// A plan, one text for each business order: `key template lines [<- required] [~ after]`.
fn plan(offerings: &[&str], order: &[&str]) -> Vec<String> {
    match decompose(&catalog(offerings), &lines(order), MAX) {
        Err(refusal) => vec![refusal.reason().to_owned()],
        Ok(decomposition) => decomposition.business_orders.iter().map(text).collect(),
    }
}

fn text(business: &PlannedBusinessOrder) -> String {
    let mut text =
        format!("{} {} {}", business.plan_key, business.template, business.line_keys.join(","));
    for (sign, others) in [("<-", &business.requires), ("~", &business.after)] {
        if !others.is_empty() {
            text.push_str(&format!(" {sign} {}", others.join(",")));
        }
    }
    text
}

const SHOP: [&str; 9] = [
    "broadband template line returns unline",
    "iptv template tv requires broadband",
    "film template stream after iptv",
    "mug template parcel per-order returns collect takes 1 mugs",
    "tea template parcel per-order takes 2 leaves takes 1 tins",
    "box template parcel per-order after broadband",
    "phone template parcel per-order requires sim",
    "sim template parcel per-order",
    "old template line retired returns unline",
];

const PLANS: &[(&str, &[&str], &[&str])] = &[
    (
        "each line of grain PER_ITEM is a business order, whatever its quantity",
        &["1: 5 broadband", "2: 1 broadband"],
        &["bo-1 line 1", "bo-2 line 2"],
    ),
    (
        "what is required is delivered first, and numbered first",
        &["1: 1 iptv", "2: 1 broadband"],
        &["bo-1 line 2", "bo-2 tv 1 <- bo-1"],
    ),
    (
        "all business orders with the required offering are waited for",
        &["1: 1 iptv", "2: 1 broadband", "3: 1 broadband"],
        &["bo-1 line 2", "bo-2 line 3", "bo-3 tv 1 <- bo-1,bo-2"],
    ),
    (
        "after makes an order but no need",
        &["1: 1 film", "2: 1 iptv"],
        &["bo-1 tv 2", "bo-2 stream 1 ~ bo-1"],
    ),
    ("after asks for nothing that is not there", &["1: 1 film"], &["bo-1 stream 1"]),
    (
        "goods of one parcel are one business order",
        &["1: 1 mug", "2: 1 tea", "3: 1 broadband"],
        &["bo-1 parcel 1,2", "bo-2 line 3"],
    ),
    (
        "a parcel waits for what one of its goods waits for",
        &["1: 1 mug", "2: 1 box", "3: 1 broadband"],
        &["bo-1 line 3", "bo-2 parcel 1,2 ~ bo-1"],
    ),
    ("inside one business order nothing waits", &["1: 1 phone", "2: 1 sim"], &["bo-1 parcel 1,2"]),
    (
        "what is sold and what is taken back are apart",
        &["1: 1 mug", "2: 1 mug back", "3: 1 tea"],
        &["bo-1 parcel 1,3", "bo-2 collect 2"],
    ),
    (
        "what is taken back is waited for by nobody",
        &["1: 1 broadband back", "2: 1 iptv"],
        &["bo-1 unline 1", "bo-2 tv 2"],
    ),
    ("what is retired can be taken back", &["1: 1 old back"], &["bo-1 unline 1"]),
    ("what is retired is not sold", &["1: 1 old"], &["OFFERING_NOT_ACTIVE"]),
    ("what is unknown is not sold", &["1: 1 ghost"], &["OFFERING_NOT_ACTIVE"]),
    ("what has no template is not taken back", &["1: 1 tea back"], &["ACTION_NOT_OFFERED"]),
];

#[test]
fn a_plan_reads_like_the_catalog() {
    for (what, order, expected) in PLANS {
        assert_eq!(plan(&SHOP, order), *expected, "{what}");
    }
}

#[test]
fn a_need_is_stronger_than_an_order() {
    let offerings =
        ["a template t", "b template t requires a after a", "c template t after a requires a"];
    let found = plan(&offerings, &["1: 1 a", "2: 1 b", "3: 1 c"]);
    assert_eq!(found, ["bo-1 t 1", "bo-2 t 2 <- bo-1", "bo-3 t 3 <- bo-1"]);
}

#[test]
fn a_parcel_that_would_wait_for_itself_is_sent_in_two() {
    let offerings = [
        "router template parcel per-order",
        "line template install requires router",
        "gift template parcel per-order requires line",
        "card template parcel per-order",
    ];
    let found = plan(&offerings, &["1: 1 gift", "2: 1 line", "3: 1 router", "4: 1 card"]);
    assert_eq!(found, ["bo-1 parcel 3,4", "bo-2 install 2 <- bo-1", "bo-3 parcel 1 <- bo-2"]);
}

#[test]
fn demands_are_for_whole_lines_sold_or_taken_back() {
    let order = lines(&["2: 3 tea", "1: 1000000 mug", "3: 1 mug back"]);
    let found = decompose(&catalog(&SHOP), &order, MAX).expect("planned").demands;
    let found: Vec<String> =
        found.iter().map(|d| format!("{} {} {}", d.line_key, d.quantity, d.pool)).collect();
    assert_eq!(found, ["1 1000000 mugs", "2 6 leaves", "2 3 tins", "3 1 mugs"]);
}

#[test]
fn more_business_orders_than_the_limit_are_refused() {
    let order: Vec<String> = (0..201).map(|n| format!("{n}: 1 broadband")).collect();
    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    assert_eq!(plan(&SHOP, &order[..200]).len(), 200);
    assert_eq!(plan(&SHOP, &order), ["LIMIT_REACHED"]);
    let goods: Vec<String> = (0..1_000).map(|n| format!("{n}: 1 mug")).collect();
    let goods: Vec<&str> = goods.iter().map(String::as_str).collect();
    assert_eq!(plan(&SHOP, &goods).len(), 1);
}

/// Twelve offerings; each may depend on earlier ones, so there is no cycle.
fn any_catalog() -> impl Strategy<Value = Catalog> {
    let one =
        (0..3_u8, any::<bool>(), proptest::collection::vec((any::<u8>(), any::<bool>()), 0..4));
    proptest::collection::vec(one, 12).prop_map(|shapes| {
        let offerings = shapes.into_iter().enumerate().map(|(n, (template, whole, relations))| {
            let mut text = format!("o{n} template t{template} returns r{template} takes 1 p");
            if whole {
                text.push_str(" per-order");
            }
            for (target, hard) in relations.into_iter().filter(|_| n > 0) {
                let kind = if hard { "requires" } else { "after" };
                text.push_str(&format!(" {kind} o{}", usize::from(target) % n));
            }
            Arc::new(offering(&text))
        });
        Catalog::default().published(1, offerings.collect::<Vec<_>>())
    })
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    proptest::collection::vec((0..12_usize, 1..9_i64, 0..5_u8), 1..40).prop_map(|picks| {
        let texts: Vec<String> = picks
            .iter()
            .enumerate()
            .map(|(n, (offering, quantity, back))| {
                format!("k{n}: {quantity} o{offering}{}", if *back == 0 { " back" } else { "" })
            })
            .collect();
        lines(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn every_line_is_delivered_once_and_nothing_waits_for_itself(
        catalog in any_catalog(),
        lines in any_lines(),
    ) {
        let plan = decompose(&catalog, &lines, MAX).expect("planned");
        let delivered: Vec<&String> =
            plan.business_orders.iter().flat_map(|b| &b.line_keys).collect();
        prop_assert_eq!(delivered.len(), lines.len());
        prop_assert_eq!(delivered.into_iter().collect::<HashSet<_>>().len(), lines.len());
        // Each waits only for those that stand before it: there is no cycle.
        let mut seen = HashSet::new();
        for business in &plan.business_orders {
            for other in business.requires.iter().chain(&business.after) {
                prop_assert!(seen.contains(other), "{} waits for {other}", business.plan_key);
            }
            seen.insert(&business.plan_key);
        }
        let units: i64 = lines.iter().map(|line| line.quantity).sum();
        prop_assert_eq!(plan.demands.iter().map(|d| d.quantity).sum::<i64>(), units);
    }

    #[test]
    fn every_relation_between_business_orders_is_kept(
        catalog in any_catalog(),
        lines in any_lines(),
    ) {
        let plan = decompose(&catalog, &lines, MAX).expect("planned");
        let by_key: HashMap<&str, &Line> = lines.iter().map(|l| (l.key.as_str(), l)).collect();
        let sold = |business: &PlannedBusinessOrder| -> Vec<Code> {
            let of = business.line_keys.iter().map(|key| by_key[key.as_str()]);
            of.filter(|l| l.action == Action::Add).map(|l| l.offering.clone()).collect()
        };
        for business in &plan.business_orders {
            for offering in sold(business).iter().filter_map(|code| catalog.get(code.as_str())) {
                for other in plan.business_orders.iter().filter(|o| o.plan_key != business.plan_key) {
                    let codes = sold(other);
                    let required = offering.related(RelationKind::Requires).any(|t| codes.contains(t));
                    let before = offering.related(RelationKind::After).any(|t| codes.contains(t));
                    if required {
                        prop_assert!(business.requires.contains(&other.plan_key));
                    }
                    let waits = business.requires.contains(&other.plan_key)
                        || business.after.contains(&other.plan_key);
                    prop_assert!(!before || waits);
                }
            }
        }
    }

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_the_lines(
        catalog in any_catalog(),
        (lines, shuffled) in any_lines().prop_flat_map(|lines| {
            let shuffled = Just(lines.clone()).prop_shuffle();
            (Just(lines), shuffled)
        }),
    ) {
        prop_assert_eq!(decompose(&catalog, &lines, MAX), decompose(&catalog, &shuffled, MAX));
    }
}
