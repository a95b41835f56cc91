//! Offerings, in requests and as they are stored.

use std::collections::{BTreeMap, HashSet};

use throughline_kit::error::Violations;
use throughline_kit::money::{Currency, MoneyError, UnitPrice};
use throughline_proto::product::v1 as proto;

use super::not_a_value;
use crate::code::Code;
use crate::offering::{
    Grain, Offering, Price, PriceKind, Relation, RelationKind, ResourceDemand, State,
};

/// Entries of one list of an offering: what a decision costs is bounded by it.
const MAX_ENTRIES: usize = 100;
/// Characters of a language tag.
const MAX_LANGUAGE_LENGTH: usize = 35;
/// Characters of a name.
const MAX_NAME_LENGTH: usize = 200;
/// Units that one unit of an offering takes from a pool.
const MAX_RESOURCE_QUANTITY: i64 = 1_000;

/// Reads an offering; notes what is wrong below `path`.
pub(crate) fn parse_offering(
    message: &proto::Offering,
    path: &str,
    violations: &mut Violations,
) -> Option<Offering> {
    let at = |field: &str| format!("{path}.{field}");
    for (field, count) in [
        ("names", message.names.len()),
        ("prices", message.prices.len()),
        ("relations", message.relations.len()),
        ("resources", message.resources.len()),
    ] {
        if count > MAX_ENTRIES {
            violations
                .add(at(field), format!("must have at most {MAX_ENTRIES} entries, has {count}"));
            return None;
        }
    }
    let code = violations.take(at("code"), message.code.parse());
    let state = violations.take(at("state"), state(message.state));
    let add_template = violations.take(at("add_template"), message.add_template.parse());
    let mut template = |field: &str, text: &str| match text {
        "" => Some(None),
        text => violations.take(at(field), text.parse().map(Some)),
    };
    let delete_template = template("delete_template", &message.delete_template);
    let modify_template = template("modify_template", &message.modify_template);
    let grain = violations.take(at("grain"), grain(message.grain));
    Some(Offering {
        names: names(&message.names, &at("names"), violations),
        prices: prices(&message.prices, &at("prices"), violations),
        relations: relations(message, &at("relations"), violations),
        resources: resources(&message.resources, &at("resources"), violations),
        code: code?,
        state: state?,
        add_template: add_template?,
        delete_template: delete_template?,
        modify_template: modify_template?,
        grain: grain?,
    })
}

fn names(
    names: &BTreeMap<String, String>,
    path: &str,
    violations: &mut Violations,
) -> BTreeMap<String, String> {
    if names.is_empty() {
        violations.add(path, "must have a name in at least one language");
    }
    for (language, name) in names {
        let path = format!("{path}[{language}]");
        let tag = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if language.is_empty() || language.len() > MAX_LANGUAGE_LENGTH || !language.bytes().all(tag)
        {
            violations
                .add(path.as_str(), "the language must be a BCP 47 tag, like \"en\" or \"zh\"");
        }
        violations.length(&path, name, 1, MAX_NAME_LENGTH);
    }
    names.clone()
}

fn prices(prices: &[proto::Price], path: &str, violations: &mut Violations) -> Vec<Price> {
    let mut parsed: Vec<Price> = Vec::with_capacity(prices.len());
    for (nth, price) in prices.iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let kind = violations.take(format!("{path}.kind"), price_kind(price.kind));
        let unit_price = UnitPrice::from_proto(price.unit_price.as_ref());
        let unit_price = violations.take(format!("{path}.unit_price"), unit_price);
        if let (Some(kind), Some(unit_price)) = (kind, unit_price) {
            parsed.push(Price { kind, unit_price });
        }
    }
    for (kind, currency) in parsed.iter().map(|p| (p.kind, p.unit_price.currency)) {
        if !fits(&parsed, kind, currency) {
            let kind = kind.as_str();
            violations.add(path, format!("the {kind} prices in {currency} sum to more than fits"));
            break;
        }
    }
    parsed
}

fn fits(prices: &[Price], kind: PriceKind, currency: Currency) -> bool {
    let same = prices.iter().filter(|p| p.kind == kind && p.unit_price.currency == currency);
    same.map(|p| p.unit_price.micro)
        .try_fold(0_i64, |sum, micro| sum.checked_add(micro).ok_or(MoneyError::Overflow))
        .is_ok()
}

fn relations(message: &proto::Offering, path: &str, violations: &mut Violations) -> Vec<Relation> {
    let mut parsed: Vec<Relation> = Vec::with_capacity(message.relations.len());
    for (nth, relation) in message.relations.iter().enumerate() {
        let path = format!("{path}[{nth}]");
        let kind = violations.take(format!("{path}.kind"), relation_kind(relation.kind));
        let target: Result<Code, _> = relation.offering_code.parse();
        let target = violations.take(format!("{path}.offering_code"), target);
        let (Some(kind), Some(target)) = (kind, target) else {
            continue;
        };
        if kind == RelationKind::Excludes && target.as_str() == message.code {
            violations.add(format!("{path}.offering_code"), "an offering cannot exclude itself");
        }
        let opposite = |a: RelationKind, b: RelationKind| {
            a == RelationKind::Requires && b == RelationKind::Excludes
        };
        for earlier in parsed.iter().filter(|r| r.target == target) {
            if earlier.kind == kind {
                violations.add(path.as_str(), "the same relation stands there twice");
            } else if opposite(earlier.kind, kind) || opposite(kind, earlier.kind) {
                violations.add(path.as_str(), "what is required cannot be excluded as well");
            }
        }
        parsed.push(Relation { kind, target });
    }
    parsed
}

fn resources(
    resources: &[proto::ResourceDemand],
    path: &str,
    violations: &mut Violations,
) -> Vec<ResourceDemand> {
    let mut pools = HashSet::new();
    let mut parsed = Vec::with_capacity(resources.len());
    for (nth, demand) in resources.iter().enumerate() {
        let path = format!("{path}[{nth}]");
        violations.range(&format!("{path}.quantity"), demand.quantity, 1, MAX_RESOURCE_QUANTITY);
        if !pools.insert(demand.pool_code.as_str()) {
            violations.add(format!("{path}.pool_code"), "the same pool stands there twice");
        }
        let pool = violations.take(format!("{path}.pool_code"), demand.pool_code.parse());
        parsed.extend(pool.map(|pool| ResourceDemand { pool, quantity: demand.quantity }));
    }
    parsed
}

fn state(value: i32) -> Result<State, String> {
    match proto::OfferingState::try_from(value) {
        Ok(proto::OfferingState::Active) => Ok(State::Active),
        Ok(proto::OfferingState::Suspended) => Ok(State::Suspended),
        Ok(proto::OfferingState::Retired) => Ok(State::Retired),
        Ok(proto::OfferingState::Unspecified) | Err(_) => Err(not_a_value(value)),
    }
}

fn price_kind(value: i32) -> Result<PriceKind, String> {
    match proto::PriceKind::try_from(value) {
        Ok(proto::PriceKind::OneOff) => Ok(PriceKind::OneOff),
        Ok(proto::PriceKind::Recurring) => Ok(PriceKind::Recurring),
        Ok(proto::PriceKind::Unspecified) | Err(_) => Err(not_a_value(value)),
    }
}

fn relation_kind(value: i32) -> Result<RelationKind, String> {
    match proto::RelationKind::try_from(value) {
        Ok(proto::RelationKind::Requires) => Ok(RelationKind::Requires),
        Ok(proto::RelationKind::Excludes) => Ok(RelationKind::Excludes),
        Ok(proto::RelationKind::After) => Ok(RelationKind::After),
        Ok(proto::RelationKind::Unspecified) | Err(_) => Err(not_a_value(value)),
    }
}

fn grain(value: i32) -> Result<Grain, String> {
    use proto::DecompositionGrain as Wire;
    match Wire::try_from(value) {
        Ok(Wire::Unspecified | Wire::PerItem) => Ok(Grain::PerItem),
        Ok(Wire::PerOrder) => Ok(Grain::PerOrder),
        Err(_) => Err(not_a_value(value)),
    }
}

/// Writes an offering for an answer, and for the store.
pub(crate) fn offering_to_proto(offering: &Offering) -> proto::Offering {
    let state = match offering.state {
        State::Active => proto::OfferingState::Active,
        State::Suspended => proto::OfferingState::Suspended,
        State::Retired => proto::OfferingState::Retired,
    };
    let grain = match offering.grain {
        Grain::PerItem => proto::DecompositionGrain::PerItem,
        Grain::PerOrder => proto::DecompositionGrain::PerOrder,
    };
    let text = |template: &Option<Code>| template.as_ref().map(Code::to_string);
    proto::Offering {
        code: offering.code.to_string(),
        state: state.into(),
        names: offering.names.clone(),
        prices: offering.prices.iter().map(price_to_proto).collect(),
        relations: offering.relations.iter().map(relation_to_proto).collect(),
        resources: offering
            .resources
            .iter()
            .map(|d| proto::ResourceDemand { pool_code: d.pool.to_string(), quantity: d.quantity })
            .collect(),
        add_template: offering.add_template.to_string(),
        delete_template: text(&offering.delete_template).unwrap_or_default(),
        modify_template: text(&offering.modify_template).unwrap_or_default(),
        grain: grain.into(),
    }
}

fn price_to_proto(price: &Price) -> proto::Price {
    let kind = match price.kind {
        PriceKind::OneOff => proto::PriceKind::OneOff,
        PriceKind::Recurring => proto::PriceKind::Recurring,
    };
    proto::Price { kind: kind.into(), unit_price: Some(price.unit_price.to_proto()) }
}

fn relation_to_proto(relation: &Relation) -> proto::Relation {
    let kind = match relation.kind {
        RelationKind::Requires => proto::RelationKind::Requires,
        RelationKind::Excludes => proto::RelationKind::Excludes,
        RelationKind::After => proto::RelationKind::After,
    };
    proto::Relation { kind: kind.into(), offering_code: relation.target.to_string() }
}

#[cfg(test)]
mod tests;
