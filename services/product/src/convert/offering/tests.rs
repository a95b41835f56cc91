//! What an import may say about an offering.

use super::*;
use crate::error::DOMAIN;
use crate::examples;

fn wrong(message: &proto::Offering) -> Vec<String> {
    let mut violations = Violations::new(DOMAIN);
    parse_offering(message, "o", &mut violations);
    let fields = violations.finish().map_or_else(|error| error.fields, |()| Vec::new());
    fields.into_iter().map(|(path, _)| path).collect()
}

fn valid() -> proto::Offering {
    offering_to_proto(&examples::offering(
        "iptv requires broadband excludes dish after line template tv returns back per-order \
         takes 2 boxes once 5 GBP monthly 7 EUR",
    ))
}

#[test]
fn an_offering_is_read_as_it_was_written() {
    let mut violations = Violations::new(DOMAIN);
    let read = parse_offering(&valid(), "o", &mut violations).expect("read");
    assert_eq!(violations.finish(), Ok(()));
    assert_eq!(offering_to_proto(&read), valid());
}

/// Spoils a valid message.
type Spoil = fn(&mut proto::Offering);

const SPOILED: &[(Spoil, &[&str])] = &[
    (|o| o.code = "a b".into(), &["o.code"]),
    (|o| o.state = 0, &["o.state"]),
    (|o| o.state = 9, &["o.state"]),
    (|o| o.names.clear(), &["o.names"]),
    (|o| drop(o.names.insert("zh".into(), String::new())), &["o.names[zh]"]),
    (|o| drop(o.names.insert("ü".into(), "x".into())), &["o.names[ü]"]),
    (|o| o.prices[0].kind = 0, &["o.prices[0].kind"]),
    (|o| o.prices[1].unit_price = None, &["o.prices[1].unit_price"]),
    (
        |o| {
            for price in &mut o.prices {
                *price = proto::Price {
                    kind: 1,
                    unit_price: Some(throughline_proto::r#type::v1::UnitPrice {
                        currency_code: "GBP".into(),
                        micro_units: i64::MAX,
                    }),
                };
            }
        },
        &["o.prices"],
    ),
    (|o| o.relations[1].kind = 0, &["o.relations[1].kind"]),
    (|o| o.relations[2].offering_code.clear(), &["o.relations[2].offering_code"]),
    (|o| o.relations[1].offering_code = o.code.clone(), &["o.relations[1].offering_code"]),
    (|o| o.relations.extend_from_within(..1), &["o.relations[3]"]),
    (|o| o.relations[1].offering_code = "broadband".into(), &["o.relations[1]"]),
    (|o| o.relations = vec![o.relations[0].clone(); 101], &["o.relations"]),
    (|o| o.resources[0].quantity = 0, &["o.resources[0].quantity"]),
    (|o| o.resources[0].quantity = 1_001, &["o.resources[0].quantity"]),
    (|o| o.resources[0].pool_code.clear(), &["o.resources[0].pool_code"]),
    (|o| o.resources.extend_from_within(..1), &["o.resources[1].pool_code"]),
    (|o| o.add_template.clear(), &["o.add_template"]),
    (|o| o.delete_template = "a b".into(), &["o.delete_template"]),
    (|o| o.modify_template = "a b".into(), &["o.modify_template"]),
    (|o| o.grain = 7, &["o.grain"]),
    (
        |o| {
            o.code.clear();
            o.state = 0;
            o.add_template.clear();
        },
        &["o.code", "o.state", "o.add_template"],
    ),
];

#[test]
fn each_wrong_field_is_named_by_its_path() {
    for (spoil, expected) in SPOILED {
        let mut message = valid();
        spoil(&mut message);
        assert_eq!(wrong(&message), *expected, "{message:?}");
    }
}
