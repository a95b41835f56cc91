//! What an import of offerings changes, and whether the catalog would still make sense after it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::code::Code;
use crate::error::{Refusal, UnknownTarget};
use crate::offering::Offering;

/// What a release changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) added: Vec<Arc<Offering>>,
    pub(crate) changed: Vec<Arc<Offering>>,
}

/// Decides what imported offerings (each code once) change; `None` when everything is there already.
pub(crate) fn revise(
    catalog: &Catalog,
    imported: &[Arc<Offering>],
) -> Result<Option<Revision>, Refusal> {
    let merged = Merged {
        catalog,
        imported: imported.iter().enumerate().map(|(at, o)| (&o.code, (at, o))).collect(),
    };
    merged.check_targets(imported)?;
    merged.check_cycles(imported)?;

    let mut revision = Revision::default();
    for offering in imported {
        match catalog.get(offering.code.as_str()) {
            None => revision.added.push(Arc::clone(offering)),
            Some(stored) if stored != offering => revision.changed.push(Arc::clone(offering)),
            Some(_) => {}
        }
    }
    let nothing = revision.added.is_empty() && revision.changed.is_empty();
    Ok((!nothing).then_some(revision))
}

/// The catalog as it would be.
struct Merged<'a> {
    catalog: &'a Catalog,
    imported: HashMap<&'a Code, (usize, &'a Arc<Offering>)>,
}

/// How far the search for cycles is with an offering.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// On the way that is being walked.
    Open,
    /// Leads to no cycle.
    Done,
}

impl<'a> Merged<'a> {
    fn get(&self, code: &Code) -> Option<&'a Arc<Offering>> {
        match self.imported.get(code) {
            Some((_, offering)) => Some(offering),
            None => self.catalog.get(code.as_str()),
        }
    }

    fn check_targets(&self, imported: &[Arc<Offering>]) -> Result<(), Refusal> {
        let relations = imported.iter().enumerate().flat_map(|(at, offering)| {
            offering.relations.iter().enumerate().map(move |(nth, relation)| (at, nth, relation))
        });
        let targets: Vec<UnknownTarget> = relations
            .filter(|(_, _, relation)| self.get(&relation.target).is_none())
            .map(|(at, nth, relation)| UnknownTarget {
                path: format!("offerings[{at}].relations[{nth}].offering_code"),
                target: relation.target.clone(),
            })
            .collect();
        if targets.is_empty() { Ok(()) } else { Err(Refusal::RelationUnknown { targets }) }
    }

    /// A cycle that was not there before leads through an imported offering, so the search starts from those only.
    fn check_cycles(&self, imported: &'a [Arc<Offering>]) -> Result<(), Refusal> {
        let mut marks = HashMap::new();
        for offering in imported {
            if let Some(cycle) = self.cycle_from(offering, &mut marks) {
                return Err(self.refuse_cycle(cycle));
            }
        }
        Ok(())
    }

    /// Walks in depth, with a stack of its own: a chain of relations may be longer than the thread's.
    fn cycle_from(
        &self,
        start: &'a Arc<Offering>,
        marks: &mut HashMap<&'a Code, Mark>,
    ) -> Option<Vec<Code>> {
        if marks.contains_key(&start.code) {
            return None;
        }
        marks.insert(&start.code, Mark::Open);
        let mut way = vec![(start, start.predecessors())];
        while let Some((offering, predecessors)) = way.last_mut() {
            let Some(relation) = predecessors.next() else {
                marks.insert(&offering.code, Mark::Done);
                way.pop();
                continue;
            };
            match marks.get(&relation.target) {
                Some(Mark::Done) => {}
                Some(Mark::Open) => {
                    let codes = way.iter().map(|(o, _)| o.code.clone());
                    return Some(codes.skip_while(|code| *code != relation.target).collect());
                }
                None => {
                    if let Some(next) = self.get(&relation.target) {
                        marks.insert(&next.code, Mark::Open);
                        way.push((next, next.predecessors()));
                    }
                }
            }
        }
        None
    }

    /// Begins the cycle with the imported offering that stands first in the request: it is the one to look at.
    fn refuse_cycle(&self, mut cycle: Vec<Code>) -> Refusal {
        let place = |code: &Code| self.imported.get(code).map_or(usize::MAX, |(at, _)| *at);
        let first = (0..cycle.len()).min_by_key(|nth| place(&cycle[*nth])).unwrap_or(0);
        cycle.rotate_left(first);
        let at = cycle.first().map_or(usize::MAX, place);
        Refusal::RelationCycle { path: format!("offerings[{at}].relations"), cycle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{catalog, offering};

    fn refusal(stored: &[&str], imported: &[&str]) -> Refusal {
        let imported: Vec<_> = imported.iter().map(|text| Arc::new(offering(text))).collect();
        revise(&catalog(stored), &imported).expect_err("refused")
    }

    fn counts(stored: &[&str], imported: &[&str]) -> Option<(usize, usize)> {
        let imported: Vec<_> = imported.iter().map(|text| Arc::new(offering(text))).collect();
        let revision = revise(&catalog(stored), &imported).expect("accepted");
        revision.map(|r| (r.added.len(), r.changed.len()))
    }

    #[test]
    fn an_import_adds_changes_or_leaves_offerings() {
        let stored = ["sim", "plan requires sim"];
        assert_eq!(counts(&stored, &["sim", "plan requires sim"]), None);
        assert_eq!(counts(&stored, &["phone"]), Some((1, 0)));
        assert_eq!(counts(&stored, &["plan"]), Some((0, 1)));
        assert_eq!(counts(&stored, &["plan", "sim", "phone after plan"]), Some((1, 1)));
    }

    #[test]
    fn a_relation_may_name_what_is_stored_or_imported_and_nothing_else() {
        assert_eq!(counts(&["sim"], &["plan requires sim after tv", "tv"]), Some((2, 0)));
        let refused = refusal(&["sim"], &["sim", "plan requires sim excludes ghost after gone"]);
        let Refusal::RelationUnknown { targets } = refused else { panic!("{refused:?}") };
        let paths: Vec<&str> = targets.iter().map(|t| t.path.as_str()).collect();
        assert_eq!(
            paths,
            ["offerings[1].relations[1].offering_code", "offerings[1].relations[2].offering_code"]
        );
    }

    #[test]
    fn a_cycle_is_refused_and_named_from_its_first_imported_offering() {
        for (stored, imported, path, cycle) in [
            (&[][..], &["a requires a"][..], "offerings[0].relations", "a > a"),
            (&[], &["a after b", "b requires a"], "offerings[0].relations", "a > b > a"),
            (
                &["a", "b requires a", "c after b"],
                &["x", "a requires c"],
                "offerings[1].relations",
                "a > c > b > a",
            ),
            (&[], &["z after a", "a after b", "b after a"], "offerings[1].relations", "a > b > a"),
        ] {
            let refused = refusal(stored, imported);
            let Refusal::RelationCycle { path: at, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!(at, path);
            assert!(refused.to_string().ends_with(cycle), "{refused}");
        }
    }

    #[test]
    fn excluding_each_other_is_no_cycle_and_a_diamond_is_none() {
        assert_eq!(counts(&[], &["a excludes b", "b excludes a"]), Some((2, 0)));
        let diamond = ["top after left after right", "left after base", "right after base", "base"];
        assert_eq!(counts(&[], &diamond), Some((4, 0)));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_relations_is_walked_without_recursion() {
        let length = 100_000;
        let mut chain: Vec<_> =
            (0..length).map(|n| Arc::new(offering(&format!("o{n} after o{}", n + 1)))).collect();
        chain.push(Arc::new(offering(&format!("o{length}"))));
        let revision = revise(&Catalog::default(), &chain).expect("no cycle").expect("new");
        assert_eq!(revision.added.len(), length + 1);
    }
}
