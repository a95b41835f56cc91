//! Which step waits for which.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Problem, nearest};
use super::place::Place;

/// The steps of a document and what each waits for.
#[derive(Debug)]
pub(super) struct Graph {
    /// Ids, in the order of the document.
    pub(super) ids: Vec<String>,
    /// For each step those that it waits for, by index in the document.
    pub(super) after: Vec<Vec<usize>>,
}

impl Graph {
    /// Reads `id` and `after` of each step.
    pub(super) fn read(steps: &[Place<'_>]) -> Self {
        let mut ids = Vec::new();
        let mut index_of: BTreeMap<String, usize> = BTreeMap::new();
        for (index, place) in steps.iter().enumerate() {
            let id = place.need("id").and_then(|place| place.id(32));
            if let Some(id) = &id
                && index_of.insert(id.clone(), index).is_some()
            {
                let message = format!("step `{id}` stands there twice");
                let problem = Problem::new("STEP_REPEATED", message, "give one of them another id");
                place.get("id").as_ref().unwrap_or(place).report(problem);
            }
            // No id has this form: what has none is checked all the same.
            ids.push(id.unwrap_or_else(|| format!("#{index}")));
        }
        let after = steps.iter().enumerate().map(|(index, place)| after(place, index, &index_of));
        let graph = Self { after: after.collect(), ids };
        graph.report_cycles(steps);
        graph
    }

    /// The steps so that each stands behind all that it waits for; steps in a cycle are left out.
    pub(super) fn sorted(&self) -> Vec<usize> {
        let mut done = BTreeSet::new();
        let mut sorted = Vec::new();
        loop {
            let ready = |index: &usize| {
                !done.contains(index)
                    && self.after[*index].iter().all(|before| done.contains(before))
            };
            let Some(next) = (0..self.ids.len()).find(ready) else { return sorted };
            done.insert(next);
            sorted.push(next);
        }
    }

    /// Ids of all steps that have ended before a step begins.
    pub(super) fn before(&self, index: usize) -> BTreeSet<String> {
        let mut open = self.after[index].clone();
        let mut found = BTreeSet::new();
        while let Some(next) = open.pop() {
            if next != index && found.insert(next) {
                open.extend(&self.after[next]);
            }
        }
        found.into_iter().map(|index| self.ids[index].clone()).collect()
    }

    fn report_cycles(&self, steps: &[Place<'_>]) {
        let sorted: BTreeSet<usize> = self.sorted().into_iter().collect();
        for (index, place) in steps.iter().enumerate() {
            let in_cycle = self.before_itself(index);
            if !sorted.contains(&index) && in_cycle {
                let message = format!("step `{}` waits for itself, over others", self.ids[index]);
                let problem =
                    Problem::new("AFTER_CYCLE", message, "take one step out of the circle");
                place.get("after").as_ref().unwrap_or(place).report(problem);
            }
        }
    }

    fn before_itself(&self, index: usize) -> bool {
        let mut open = self.after[index].clone();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            if next == index {
                return true;
            }
            if seen.insert(next) {
                open.extend(&self.after[next]);
            }
        }
        false
    }
}

fn after(place: &Place<'_>, index: usize, index_of: &BTreeMap<String, usize>) -> Vec<usize> {
    let Some(list) = place.get("after") else {
        return index.checked_sub(1).into_iter().collect();
    };
    let mut after = BTreeSet::new();
    for item in list.items() {
        let Some(id) = item.id(32) else { continue };
        match index_of.get(&id) {
            Some(found) if *found != index => {
                after.insert(*found);
            }
            Some(_) => {
                let message = format!("step `{id}` waits for itself");
                item.report(Problem::new("AFTER_CYCLE", message, "remove it"));
            }
            None => {
                let message = format!("there is no step `{id}`");
                let remedy = nearest(&id, index_of.keys().map(String::as_str));
                item.report(Problem::new("AFTER_UNKNOWN", message, remedy));
            }
        }
    }
    after.into_iter().collect()
}
