//! By which business orders lines are delivered, in which order, and what they take from stock.
//!
//! ```text
//! lines ──grain──► groups ──relations──► dependencies ──split what would wait for itself──► numbered in delivery order
//! ```
//!
//! The answer depends on the lines, not on their order: business orders are numbered so that each comes after those it
//! waits for, and among those that could come next the one with the smallest line key comes first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::code::Code;
use crate::error::Refusal;
use crate::line::{Action, Line};
use crate::offering::{Grain, Offering, RelationKind};
use crate::precedence::Precedence;

/// One business order to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedBusinessOrder {
    /// "bo-1" and so on, in an order in which they could be delivered one by one.
    pub(crate) plan_key: String,
    pub(crate) template: Code,
    /// By key.
    pub(crate) line_keys: Vec<String>,
    pub(crate) requires: Vec<String>,
    pub(crate) after: Vec<String>,
}

/// What one line takes from stock, or gives back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineDemand {
    pub(crate) line_key: String,
    pub(crate) pool: Code,
    pub(crate) quantity: i64,
}

/// How lines are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decomposition {
    pub(crate) business_orders: Vec<PlannedBusinessOrder>,
    /// By line key.
    pub(crate) demands: Vec<LineDemand>,
}

/// A line with its offering.
#[derive(Clone, Debug)]
struct Part<'a> {
    line: &'a Line,
    offering: &'a Arc<Offering>,
}

/// Lines that are delivered together; by line key, never empty.
#[derive(Clone, Debug)]
struct Group<'a> {
    template: &'a Code,
    parts: Vec<Part<'a>>,
}

/// What makes lines one business order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Grouping<'a> {
    Line(&'a str),
    Template(&'a Code, Action),
}

/// Decomposes lines (each key once) into at most `max_business_orders`.
pub(crate) fn decompose(
    catalog: &Catalog,
    lines: &[Line],
    max_business_orders: usize,
) -> Result<Decomposition, Refusal> {
    let mut parts = Vec::with_capacity(lines.len());
    for line in lines {
        parts.push(Part { line, offering: catalog.orderable(line)? });
    }
    parts.sort_unstable_by(|a, b| a.line.key.cmp(&b.line.key));
    let within_limit = |groups: &[Group<'_>]| {
        let too_many = groups.len() > max_business_orders;
        if too_many {
            return Err(Refusal::TooManyBusinessOrders { max: max_business_orders });
        }
        Ok(())
    };

    let demands = demands(&parts);
    let depths = depths(&parts);
    let mut groups = group(parts);
    // Before the dependencies are looked for: there may be as many as pairs of groups.
    within_limit(&groups)?;
    let knotted = precedences(&groups).knotted();
    if knotted.contains(&true) {
        groups = split(groups, &knotted, &depths);
        within_limit(&groups)?;
    }
    Ok(Decomposition { business_orders: number(&groups), demands })
}

fn demands(parts: &[Part<'_>]) -> Vec<LineDemand> {
    // What is changed takes nothing more from stock.
    let takes = parts.iter().filter(|part| part.line.action != Action::Modify);
    takes
        .flat_map(|part| {
            part.offering.resources.iter().map(|demand| LineDemand {
                line_key: part.line.key.clone(),
                pool: demand.pool.clone(),
                // At most 1,000,000 × 1,000, as both are parsed.
                quantity: part.line.quantity * demand.quantity,
            })
        })
        .collect()
}

fn template<'a>(part: &Part<'a>) -> &'a Code {
    let template = part.offering.template(part.line.action);
    template.expect("a line may be ordered only where a template for its action is")
}

fn group(parts: Vec<Part<'_>>) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Grouping<'_>, Group<'_>> = BTreeMap::new();
    for part in parts {
        let template = template(&part);
        let grouping = match part.offering.grain {
            Grain::PerItem => Grouping::Line(part.line.key.as_str()),
            Grain::PerOrder => Grouping::Template(template, part.line.action),
        };
        let group = groups.entry(grouping);
        group.or_insert_with(|| Group { template, parts: Vec::new() }).parts.push(part);
    }
    groups.into_values().collect()
}

/// The longest way of relations below each offering that is sold, among those that are.
fn depths<'a>(parts: &[Part<'a>]) -> HashMap<&'a Code, usize> {
    let mut offerings: Vec<&Arc<Offering>> =
        parts.iter().filter(|p| p.line.action == Action::Add).map(|p| p.offering).collect();
    offerings.sort_unstable_by(|a, b| a.code.cmp(&b.code));
    offerings.dedup_by(|a, b| a.code == b.code);
    let places: HashMap<&Code, usize> =
        offerings.iter().enumerate().map(|(place, o)| (&o.code, place)).collect();
    let mut precedence = Precedence::new(offerings.len());
    for (place, offering) in offerings.iter().enumerate() {
        for relation in offering.predecessors() {
            if let Some(before) = places.get(&relation.target) {
                precedence.add(*before, place);
            }
        }
    }
    let depths = precedence.depths();
    offerings.into_iter().zip(depths).map(|(offering, depth)| (&offering.code, depth)).collect()
}

/// Which groups hold each offering that is sold.
fn holders<'a>(groups: &[Group<'a>]) -> HashMap<&'a Code, BTreeSet<usize>> {
    let mut holders: HashMap<&Code, BTreeSet<usize>> = HashMap::new();
    for (place, group) in groups.iter().enumerate() {
        for part in group.parts.iter().filter(|part| part.line.action == Action::Add) {
            holders.entry(&part.offering.code).or_default().insert(place);
        }
    }
    holders
}

/// For each group the groups that it waits for, and the strongest relation that says so.
fn dependencies(groups: &[Group<'_>]) -> Vec<BTreeMap<usize, RelationKind>> {
    let holders = holders(groups);
    let mut all = vec![BTreeMap::new(); groups.len()];
    for (code, places) in &holders {
        let Some(offering) = places.first().and_then(|place| {
            groups[*place].parts.iter().map(|p| p.offering).find(|o| o.code == **code)
        }) else {
            continue;
        };
        for relation in offering.predecessors() {
            let Some(before) = holders.get(&relation.target) else {
                continue;
            };
            for (place, other) in places.iter().flat_map(|p| before.iter().map(move |b| (*p, *b))) {
                if place != other {
                    let kind = all[place].entry(other).or_insert(relation.kind);
                    *kind = (*kind).min(relation.kind);
                }
            }
        }
    }
    all
}

fn precedences(groups: &[Group<'_>]) -> Precedence {
    let mut precedence = Precedence::new(groups.len());
    for (place, before) in dependencies(groups).iter().enumerate() {
        for other in before.keys() {
            precedence.add(*other, place);
        }
    }
    precedence
}

/// Splits groups that would wait for each other (one parcel whose first part another business needs, and whose last part
/// needs that business) by how deep their offerings lie. Every dependency leads to a smaller depth, so none is left that
/// goes in a circle.
fn split<'a>(
    groups: Vec<Group<'a>>,
    knotted: &[bool],
    depths: &HashMap<&Code, usize>,
) -> Vec<Group<'a>> {
    let mut result = Vec::with_capacity(groups.len());
    for (group, knotted) in groups.into_iter().zip(knotted) {
        if !knotted {
            result.push(group);
            continue;
        }
        let mut layers: BTreeMap<usize, Vec<Part<'a>>> = BTreeMap::new();
        for part in group.parts {
            let depth = depths.get(&part.offering.code).copied().unwrap_or(0);
            layers.entry(depth).or_default().push(part);
        }
        let template = group.template;
        result.extend(layers.into_values().map(|parts| Group { template, parts }));
    }
    result
}

/// Numbers the groups in the order of delivery and names their dependencies by those numbers.
fn number(groups: &[Group<'_>]) -> Vec<PlannedBusinessOrder> {
    let dependencies = dependencies(groups);
    let first_key = |place: usize| groups[place].parts[0].line.key.as_str();
    let order = precedences(groups).order_by(first_key);
    assert_eq!(order.len(), groups.len(), "a catalog without cycles gives a plan without cycles");
    let mut numbers = vec![0; groups.len()];
    for (number, place) in order.iter().enumerate() {
        numbers[*place] = number + 1;
    }
    let names = |place: usize, kind: RelationKind| {
        let of_kind = dependencies[place].iter().filter(|(_, k)| **k == kind);
        let mut found: Vec<usize> = of_kind.map(|(other, _)| numbers[*other]).collect();
        found.sort_unstable();
        found.into_iter().map(plan_key).collect()
    };
    order
        .into_iter()
        .map(|place| PlannedBusinessOrder {
            plan_key: plan_key(numbers[place]),
            template: groups[place].template.clone(),
            line_keys: groups[place].parts.iter().map(|p| p.line.key.clone()).collect(),
            requires: names(place, RelationKind::Requires),
            after: names(place, RelationKind::After),
        })
        .collect()
}

fn plan_key(number: usize) -> String {
    format!("bo-{number}")
}

#[cfg(test)]
mod tests;
