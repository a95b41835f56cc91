//! The steps of a template as a tree: what follows one after the other stands under each other, what runs side by side
//! stands further in.

use std::collections::HashMap;

use throughline_proto::order::v1::Step;

/// A step in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The step.
    pub(super) step: &'a Step,
    /// How far in it stands.
    pub(super) depth: usize,
    /// It waits for several steps: where branches meet.
    pub(super) joins: bool,
}

/// Puts steps in order, each after all that it waits for.
pub(super) fn places(steps: &[Step]) -> Vec<Place<'_>> {
    let index: HashMap<&str, usize> =
        steps.iter().enumerate().map(|(i, step)| (step.step_id.as_str(), i)).collect();
    let before: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| step.after.iter().filter_map(|id| index.get(id.as_str()).copied()).collect())
        .collect();
    let mut next = vec![Vec::new(); steps.len()];
    for (step, earlier) in before.iter().enumerate() {
        earlier.iter().for_each(|one: &usize| next[*one].push(step));
    }
    let mut walk =
        Walk { steps, before, next, depths: vec![None; steps.len()], placed: Vec::new() };
    let roots: Vec<usize> = (0..steps.len()).filter(|i| walk.before[*i].is_empty()).collect();
    // Several that begin at once are branches of the beginning.
    let depth = usize::from(roots.len() > 1);
    roots.into_iter().for_each(|root| walk.place(root, depth));
    // Whatever the graph is like, every step is shown.
    (0..steps.len()).for_each(|step| walk.place(step, 0));
    walk.placed
}

struct Walk<'a> {
    steps: &'a [Step],
    /// For each step those that it waits for.
    before: Vec<Vec<usize>>,
    /// For each step those that wait for it.
    next: Vec<Vec<usize>>,
    /// How far in those stand that are placed.
    depths: Vec<Option<usize>>,
    placed: Vec<Place<'a>>,
}

impl Walk<'_> {
    /// Places a step and all that follows it alone; then where branches that began at it meet again.
    fn place(&mut self, step: usize, depth: usize) {
        let mut open = vec![Task::Step(step, depth)];
        while let Some(task) = open.pop() {
            match task {
                Task::Step(step, depth) if self.depths[step].is_none() => {
                    self.depths[step] = Some(depth);
                    let joins = self.before[step].len() > 1;
                    self.placed.push(Place { step: &self.steps[step], depth, joins });
                    open.push(Task::Joins(depth));
                    let inner = depth + usize::from(self.next[step].len() > 1);
                    let alone = self.next[step].iter().filter(|one| self.before[**one].len() == 1);
                    open.extend(alone.rev().map(|one| Task::Step(*one, inner)));
                }
                Task::Step(..) => {}
                Task::Joins(depth) => {
                    let ready = (0..self.steps.len()).rev().filter(|one| self.meets(*one, depth));
                    open.extend(ready.map(|one| Task::Step(one, depth)));
                }
            }
        }
    }

    /// Whether a step that is not placed has all its branches, and none stands further out than this.
    fn meets(&self, step: usize, depth: usize) -> bool {
        let mut outermost = usize::MAX;
        for earlier in &self.before[step] {
            match self.depths[*earlier] {
                Some(depth) => outermost = outermost.min(depth),
                None => return false,
            }
        }
        self.depths[step].is_none()
            && self.before[step].len() > 1
            && outermost.saturating_sub(1) >= depth
    }
}

enum Task {
    /// Places a step.
    Step(usize, usize),
    /// Places what can be, now that everything below a depth is.
    Joins(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps written as "id<before,before".
    fn shown(text: &str) -> String {
        let steps: Vec<Step> = text
            .split(' ')
            .map(|word| {
                let (id, after) = word.split_once('<').unwrap_or((word, ""));
                let after = after.split(',').filter(|id| !id.is_empty()).map(str::to_owned);
                Step { step_id: id.to_owned(), after: after.collect(), ..Step::default() }
            })
            .collect();
        let line = |place: &Place<'_>| {
            let joins = if place.joins { "=" } else { "" };
            format!("{}{joins}{}", ".".repeat(place.depth), place.step.step_id)
        };
        places(&steps).iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_runs_side_by_side_stands_further_in_until_it_meets() {
        for (steps, expected) in [
            ("a b<a c<b", "a b c"),
            ("a b<a c<a d<b,c e<d", "a .b .c =d e"),
            ("a b<a c<a d<b e<d,c", "a .b .d .c =e"),
            ("a b<a c<a e<c f<c d<b", "a .b .d .c ..e ..f"),
            ("a b<a c<a d<c e<c f<d,e g<b,f", "a .b .c ..d ..e .=f =g"),
            ("a b c<a,b", ".a .b =c"),
            ("a c<b b<a", "a b c"),
            ("a<b b<a c", "c a b"),
            ("a<gone", "a"),
        ] {
            assert_eq!(shown(steps), expected, "{steps}");
        }
    }

    #[test]
    fn a_long_chain_is_no_deep_recursion() {
        let chain: Vec<String> = (0..2_000)
            .map(|n: usize| if n == 0 { "s0".to_owned() } else { format!("s{n}<s{}", n - 1) })
            .collect();
        assert!(!shown(&chain.join(" ")).contains('.'));
    }
}
