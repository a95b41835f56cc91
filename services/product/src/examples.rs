//! Offerings and lines for tests, written as short sentences.
//!
//! An offering: `code [requires|excludes|after CODE]… [template NAME] [returns NAME] [per-order] [retired|suspended]
//! [takes N POOL] [once MICRO CUR] [monthly MICRO CUR]`. A line: `KEY: N CODE [back] [for MICRO CUR]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_kit::money::{Currency, UnitPrice};

use crate::catalog::Catalog;
use crate::code::Code;
use crate::line::{Action, Line};
use crate::offering::{
    Grain, Offering, Price, PriceKind, Relation, RelationKind, ResourceDemand, State,
};

pub(crate) fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

pub(crate) fn currency(text: &str) -> Currency {
    Currency::parse(text).expect("a currency")
}

pub(crate) fn offering(text: &str) -> Offering {
    let mut words = text.split_whitespace();
    let mut word = || words.next().expect("another word").to_owned();
    let name = word();
    let mut offering = Offering {
        code: code(&name),
        state: State::Active,
        names: BTreeMap::from([("en".to_owned(), name)]),
        prices: Vec::new(),
        relations: Vec::new(),
        resources: Vec::new(),
        add_template: code("deliver"),
        delete_template: None,
        modify_template: None,
        grain: Grain::PerItem,
    };
    while let Some(property) = words.next() {
        let mut word = || words.next().expect("another word");
        let related = |kind, target: &str| Relation { kind, target: code(target) };
        match property {
            "requires" => offering.relations.push(related(RelationKind::Requires, word())),
            "excludes" => offering.relations.push(related(RelationKind::Excludes, word())),
            "after" => offering.relations.push(related(RelationKind::After, word())),
            "template" => offering.add_template = code(word()),
            "returns" => offering.delete_template = Some(code(word())),
            "changes" => offering.modify_template = Some(code(word())),
            "per-order" => offering.grain = Grain::PerOrder,
            "retired" => offering.state = State::Retired,
            "suspended" => offering.state = State::Suspended,
            "takes" => {
                let quantity = word().parse().expect("a number");
                offering.resources.push(ResourceDemand { pool: code(word()), quantity });
            }
            "once" | "monthly" => {
                let kind =
                    if property == "once" { PriceKind::OneOff } else { PriceKind::Recurring };
                let micro = word().parse().expect("a number");
                let unit_price = UnitPrice { currency: currency(word()), micro };
                offering.prices.push(Price { kind, unit_price });
            }
            other => panic!("an offering has no {other:?}"),
        }
    }
    offering
}

pub(crate) fn catalog(offerings: &[&str]) -> Catalog {
    let offerings = offerings.iter().map(|text| Arc::new(offering(text)));
    Catalog::default().published(1, offerings)
}

pub(crate) fn line(text: &str) -> Line {
    let (key, rest) = text.split_once(": ").expect("a key");
    let mut words = rest.split_whitespace();
    let mut line = Line {
        key: key.to_owned(),
        quantity: words.next().expect("a quantity").parse().expect("a number"),
        offering: code(words.next().expect("an offering")),
        action: Action::Add,
        agreed: None,
    };
    while let Some(property) = words.next() {
        match property {
            "back" => line.action = Action::Delete,
            "changed" => line.action = Action::Modify,
            "for" => {
                let micro = words.next().expect("an amount").parse().expect("a number");
                let currency = currency(words.next().expect("a currency"));
                line.agreed = Some(UnitPrice { currency, micro });
            }
            other => panic!("a line has no {other:?}"),
        }
    }
    line
}

pub(crate) fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|text| line(text)).collect()
}
