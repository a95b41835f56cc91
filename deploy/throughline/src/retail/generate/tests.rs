//! The generated day, read back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::{has_stock, receive_requests};
use super::super::invoice::{Day, Invoice, ReturnOf, read, sterling};
use super::row::DATE;
use super::*;

const SEEDS: [u64; 6] = [0, 1, 2, 42, 4_711, u64::MAX];

fn bytes(seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_day(seed, &mut out).expect("writes");
    out
}

fn day(seed: u64) -> Day {
    read(bytes(seed).as_slice()).expect("reads")
}

fn lines(invoices: &[Invoice]) -> usize {
    invoices.iter().map(|invoice| invoice.lines.len()).sum()
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_makes_others() {
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_day_has_the_shape_of_a_real_one_whatever_the_seed() {
    for seed in SEEDS {
        let day = day(seed);
        assert_eq!(day.sales.len(), 143 - 6 - 8, "seed {seed}");
        assert_eq!(day.returns.len(), 6, "seed {seed}");
        let all = lines(&day.sales) + lines(&day.returns);
        assert!((2_300..=4_000).contains(&all), "seed {seed}: {all} lines");
        let longest = day.sales.iter().filter(|invoice| invoice.lines.len() == 592).count();
        assert_eq!(longest, 1, "seed {seed}");
        let guests = day.sales.iter().filter(|i| i.customer_id.starts_with("guest-")).count();
        assert!((2..=40).contains(&guests), "seed {seed}: {guests} guests");
    }
}

#[test]
fn what_cannot_be_sold_is_reported_and_nothing_else() {
    for seed in SEEDS {
        let day = day(seed);
        let nameless = "has neither a price nor a description";
        let nothing_left = "; no line of the invoice is left; it is not submitted";
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for report in &day.reports {
            *reasons.entry(report.reason.clone()).or_default() += 1;
        }
        assert_eq!(
            reasons,
            BTreeMap::from([
                (nameless.to_owned(), 1),
                (format!("{nameless}{nothing_left}"), 7),
                (format!("the quantity of a sale must be positive, is -10{nothing_left}"), 1),
            ]),
            "seed {seed}"
        );
    }
}

#[test]
fn some_returns_match_a_sale_and_some_do_not() {
    for seed in SEEDS {
        let day = day(seed);
        let linked = |invoice: &Invoice| {
            let linked = |of: &Option<ReturnOf>| matches!(of, Some(ReturnOf::Sale(_)));
            invoice.lines.iter().filter(|line| linked(&line.return_of)).count()
        };
        let found: Vec<_> = day.returns.iter().map(|i| (linked(i), i.lines.len())).collect();
        assert_eq!((found[0].0, found[4].0), (0, 0), "seed {seed}: {found:?}");
        for matching in [1, 3, 5] {
            let (linked, lines) = found[matching];
            assert!(linked == lines && lines > 0, "seed {seed}: {found:?}");
        }
        assert!(found[2].0 > 0, "seed {seed}: {found:?}");
        assert_eq!(day.returns[0].lines[0].stock_code, "D", "seed {seed}");
    }
}

#[test]
fn it_has_the_awkward_lines_of_a_real_day() {
    let day = day(42);
    let all = || day.sales.iter().flat_map(|sale| &sale.lines);
    assert!(all().any(|line| line.unit_price.micro % 10_000 != 0), "prices below the penny");
    for code in ["POST", "M", "C2", "DOT"] {
        assert!(all().any(|line| line.stock_code == code), "{code}");
        assert!(!has_stock(code));
    }
    assert!(all().any(|line| line.description.contains(',')));
    assert!(all().any(|line| line.description.contains('"')));
    let repeats = |sale: &Invoice| {
        let codes: BTreeSet<_> = sale.lines.iter().map(|line| &line.stock_code).collect();
        codes.len() < sale.lines.len()
    };
    assert!(day.sales.iter().any(repeats), "a code twice in an invoice");
    assert!(day.sales.iter().any(|sale| sale.country != "United Kingdom"));
    let text = String::from_utf8(bytes(42)).expect("text");
    let minutes = |number: &str| -> BTreeSet<&str> {
        let of_invoice = text.lines().filter(|line| line.starts_with(number));
        of_invoice.filter_map(|line| line.split(DATE).nth(1)?.get(1..6)).collect()
    };
    let two = day.sales.iter().filter(|sale| minutes(&sale.number).len() == 2).count();
    assert!(two > 0, "invoices over two minutes");
}

#[test]
fn the_totals_are_the_sum_of_the_file_and_the_stock_is_what_is_sold() {
    for seed in SEEDS {
        let day = day(seed);
        let sum = |invoices: &[Invoice]| -> i64 {
            invoices.iter().flat_map(|invoice| &invoice.lines).map(|line| line.amount.minor).sum()
        };
        let totals = day.totals[&sterling()];
        assert_eq!(totals.sold.minor, sum(&day.sales), "seed {seed}");
        assert_eq!(totals.returned.minor, sum(&day.returns), "seed {seed}");
        assert!(totals.returned.minor > 0 && totals.sold.minor > totals.returned.minor);
        let goods = day.sales.iter().flat_map(|sale| &sale.lines);
        let sold: i64 =
            goods.filter(|line| has_stock(&line.stock_code)).map(|line| line.quantity).sum();
        let received: i64 = receive_requests(&day, "shop")
            .iter()
            .flat_map(|request| &request.receipts)
            .map(|receipt| receipt.quantity)
            .sum();
        assert_eq!(received, sold, "seed {seed}");
    }
}
