//! What must come before what: a small directed graph over places 0 to n − 1.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The graph. An edge may be added more than once.
#[derive(Clone, Debug)]
pub(crate) struct Precedence {
    /// For each place the places that come after it.
    after: Vec<Vec<usize>>,
    /// For each place the places that come before it.
    before: Vec<Vec<usize>>,
}

impl Precedence {
    /// A graph without edges.
    pub(crate) fn new(places: usize) -> Self {
        Self { after: vec![Vec::new(); places], before: vec![Vec::new(); places] }
    }

    /// Says that one place comes before another.
    pub(crate) fn add(&mut self, first: usize, second: usize) {
        self.after[first].push(second);
        self.before[second].push(first);
    }

    /// The places in an order in which each comes after those before it; where there is a choice the smallest key comes
    /// first. Places that lie on a cycle, or behind one, are left out.
    pub(crate) fn order_by<K: Ord>(&self, key: impl Fn(usize) -> K) -> Vec<usize> {
        let mut waits: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut free: BinaryHeap<Reverse<(K, usize)>> = (0..waits.len())
            .filter(|place| waits[*place] == 0)
            .map(|place| Reverse((key(place), place)))
            .collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(Reverse((_, place))) = free.pop() {
            order.push(place);
            for next in &self.after[place] {
                waits[*next] -= 1;
                if waits[*next] == 0 {
                    free.push(Reverse((key(*next), *next)));
                }
            }
        }
        order
    }

    /// The longest way that leads to each place; 0 where none does. Defined for a graph without cycles.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.before.len()];
        for place in self.order_by(|place| place) {
            let deepest = self.before[place].iter().map(|before| depths[*before] + 1).max();
            depths[place] = deepest.unwrap_or(0);
        }
        depths
    }

    /// Which places lie on a cycle, or on a way from one cycle to another.
    pub(crate) fn knotted(&self) -> Vec<bool> {
        let reversed = Self { after: self.before.clone(), before: self.after.clone() };
        let mut knotted = vec![true; self.before.len()];
        for place in self.order_by(|place| place).into_iter().chain(reversed.order_by(|p| p)) {
            knotted[place] = false;
        }
        knotted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(places: usize, edges: &[(usize, usize)]) -> Precedence {
        let mut graph = Precedence::new(places);
        for (first, second) in edges {
            graph.add(*first, *second);
        }
        graph
    }

    #[test]
    fn each_place_comes_after_those_before_it_and_ties_go_by_key() {
        assert_eq!(graph(4, &[(3, 0), (3, 0), (0, 2)]).order_by(|p| p), [1, 3, 0, 2]);
        assert_eq!(graph(3, &[]).order_by(Reverse), [2, 1, 0]);
    }

    #[test]
    fn a_depth_is_the_longest_way() {
        assert_eq!(graph(4, &[(0, 1), (1, 2), (0, 2), (0, 3)]).depths(), [0, 1, 2, 1]);
    }

    #[test]
    fn only_what_lies_on_a_cycle_or_between_two_is_knotted() {
        let knotted = graph(6, &[(0, 1), (1, 2), (2, 1), (2, 3)]).knotted();
        assert_eq!(knotted, [false, true, true, false, false, false]);
        let between = graph(5, &[(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 3)]).knotted();
        assert_eq!(between, [true; 5]);
        assert_eq!(graph(1, &[]).knotted(), [false]);
    }
}
