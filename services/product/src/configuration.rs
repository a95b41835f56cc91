//! Whether lines may be ordered together. Not allowed is an answer with reasons and remedies, not an error.

use std::collections::{BTreeSet, HashMap};

use crate::catalog::Catalog;
use crate::code::Code;
use crate::error::Refusal;
use crate::line::{Action, Line};
use crate::offering::{Offering, RelationKind};

/// One thing that blocks, and what would change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) line_keys: Vec<String>,
    pub(crate) remedy: String,
}

/// The lines of one offering with one action.
struct Group<'a> {
    offering: &'a Code,
    action: Action,
    lines: Vec<&'a Line>,
}

/// Finds everything that blocks, in the order of the lines: each offering and each of its relations is looked at once.
pub(crate) fn check(catalog: &Catalog, lines: &[Line]) -> Vec<Verdict> {
    let groups = group(lines);
    let added: HashMap<&Code, &Group<'_>> =
        groups.iter().filter(|g| g.action == Action::Add).map(|g| (g.offering, g)).collect();
    let mut verdicts = Vec::new();
    let mut excluded = BTreeSet::new();
    for group in &groups {
        // All lines of a group are answered like the first.
        match catalog.orderable(group.lines[0]) {
            Err(refusal) => verdicts.push(not_orderable(&refusal, group)),
            Ok(offering) if group.action == Action::Add => {
                check_requires(offering, group, &added, &mut verdicts);
                check_excludes(offering, group, &added, &mut excluded, &mut verdicts);
            }
            Ok(_) => {}
        }
    }
    verdicts
}

fn group(lines: &[Line]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = HashMap::new();
    for line in lines {
        let place = *places.entry((&line.offering, line.action)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.lines.push(line),
            None => groups.push(Group {
                offering: &line.offering,
                action: line.action,
                lines: vec![line],
            }),
        }
    }
    groups
}

fn keys(lines: &[&Line]) -> Vec<String> {
    lines.iter().map(|line| line.key.clone()).collect()
}

fn not_orderable(refusal: &Refusal, group: &Group<'_>) -> Verdict {
    Verdict {
        reason: refusal.reason(),
        message: refusal.to_string(),
        line_keys: keys(&group.lines),
        remedy: format!("remove {}", group.offering),
    }
}

fn check_requires(
    offering: &Offering,
    group: &Group<'_>,
    added: &HashMap<&Code, &Group<'_>>,
    verdicts: &mut Vec<Verdict>,
) {
    for required in offering.related(RelationKind::Requires) {
        if !added.contains_key(required) {
            verdicts.push(Verdict {
                reason: "REQUIRES_MISSING",
                message: format!("{} can only be ordered together with {required}", offering.code),
                line_keys: keys(&group.lines),
                remedy: format!("add {required}"),
            });
        }
    }
}

/// Whichever of the two says so, and once for the two: a pair is known by its codes in order.
fn check_excludes<'a>(
    offering: &'a Offering,
    group: &Group<'a>,
    added: &HashMap<&Code, &Group<'a>>,
    excluded: &mut BTreeSet<(Code, Code)>,
    verdicts: &mut Vec<Verdict>,
) {
    for target in offering.related(RelationKind::Excludes) {
        let Some(other) = added.get(target) else {
            continue;
        };
        let code = &offering.code;
        let pair = (code.min(target).clone(), code.max(target).clone());
        if excluded.insert(pair) {
            let mut line_keys = keys(&group.lines);
            line_keys.extend(keys(&other.lines));
            verdicts.push(Verdict {
                reason: "EXCLUDED_BY",
                message: format!("{code} and {target} cannot be ordered together"),
                line_keys,
                remedy: format!("remove {code} or {target}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{catalog, lines};

    /// What a check answers, one text for each verdict: `REASON lines: remedy`.
    fn verdicts(offerings: &[&str], order: &[&str]) -> Vec<String> {
        check(&catalog(offerings), &lines(order))
            .into_iter()
            .map(|v| format!("{} {}: {}", v.reason, v.line_keys.join(","), v.remedy))
            .collect()
    }

    const CHECKS: &[(&str, &[&str], &[&str])] = &[
        ("what is required is there", &["1: 1 iptv", "2: 1 broadband"], &[]),
        ("what is required is missing", &["1: 1 iptv"], &["REQUIRES_MISSING 1: add broadband"]),
        (
            "what is required is being taken back",
            &["1: 1 iptv", "2: 1 phone back"],
            &["REQUIRES_MISSING 1: add broadband"],
        ),
        (
            "two lines of one offering make one verdict",
            &["1: 1 iptv", "2: 3 iptv"],
            &["REQUIRES_MISSING 1,2: add broadband"],
        ),
        (
            "the first of the two excludes",
            &["1: 1 dsl", "2: 1 broadband"],
            &["EXCLUDED_BY 1,2: remove dsl or broadband"],
        ),
        (
            "the second of the two excludes",
            &["1: 1 dsl", "2: 1 fibre"],
            &["EXCLUDED_BY 2,1: remove fibre or dsl"],
        ),
        ("after asks for nothing", &["1: 1 film"], &[]),
        ("unknown", &["1: 1 ghost"], &["OFFERING_NOT_ACTIVE 1: remove ghost"]),
        ("retired", &["1: 1 old"], &["OFFERING_NOT_ACTIVE 1: remove old"]),
        ("suspended", &["1: 1 paused"], &["OFFERING_NOT_ACTIVE 1: remove paused"]),
        ("what is retired can be taken back", &["1: 1 old back"], &[]),
        ("taking back asks for no relation", &["1: 1 phone back"], &[]),
        (
            "what has no template cannot be taken back",
            &["1: 1 iptv back"],
            &["ACTION_NOT_OFFERED 1: remove iptv"],
        ),
        (
            "everything that blocks is told at once",
            &["1: 1 ghost", "2: 1 iptv", "3: 1 dsl", "4: 1 fibre"],
            &[
                "OFFERING_NOT_ACTIVE 1: remove ghost",
                "REQUIRES_MISSING 2: add broadband",
                "EXCLUDED_BY 4,3: remove fibre or dsl",
            ],
        ),
    ];

    #[test]
    fn a_check_reads_like_the_relations_of_the_catalog() {
        let shop = [
            "broadband",
            "iptv requires broadband",
            "dsl excludes broadband",
            "fibre excludes dsl",
            "film after iptv",
            "old retired returns collect",
            "paused suspended",
            "phone returns collect",
        ];

        for (what, order, expected) in CHECKS {
            assert_eq!(verdicts(&shop, order), *expected, "{what}");
        }
    }

    #[test]
    fn two_that_exclude_each_other_make_one_verdict() {
        let found = verdicts(&["a excludes b", "b excludes a"], &["1: 1 a", "2: 1 b"]);
        assert_eq!(found, ["EXCLUDED_BY 1,2: remove a or b"]);
    }
}
