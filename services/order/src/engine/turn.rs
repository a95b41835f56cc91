//! Whose call goes out next: so many at a time, those of more urgent orders first, and of equal ones who came first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Hands out turns; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

/// Every call that waits belongs to a live order, so the number of those bounds it.
#[derive(Debug)]
struct Queue {
    free: usize,
    came: u64,
    waiting: BTreeMap<(Reverse<u8>, u64), oneshot::Sender<Turn>>,
}

/// Lets one call go out; its end lets the next one go.
#[derive(Debug)]
pub(crate) struct Turn(Option<Turns>);

impl Turns {
    /// So many at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue { free: most, came: 0, waiting: BTreeMap::new() })))
    }

    /// Waits until a call of an order of that priority may go out.
    pub(crate) async fn take(&self, priority: u8) -> Turn {
        let waits = {
            let mut queue = self.queue();
            if queue.free > 0 {
                queue.free -= 1;
                return Turn(Some(self.clone()));
            }
            queue.came += 1;
            let place = (Reverse(priority), queue.came);
            let (turn, waits) = oneshot::channel();
            queue.waiting.insert(place, turn);
            waits
        };
        // The sender stays in the queue until it sends: that it goes away unsent cannot happen.
        waits.await.unwrap_or(Turn(None))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        loop {
            let next = {
                let mut queue = self.queue();
                match queue.waiting.pop_first() {
                    Some((_, next)) => next,
                    None => {
                        queue.free += 1;
                        return;
                    }
                }
            };
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // Nobody waits there any more: the turn goes to the one behind.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_those_who_went_away_go_to_those_behind() {
        let turns = Turns::new(1);
        let first = turns.take(0).await;
        let gone = tokio::time::timeout(std::time::Duration::ZERO, turns.take(9)).await;
        assert!(gone.is_err());
        let behind = turns.clone();
        let waits = tokio::spawn(async move { drop(behind.take(1).await) });
        tokio::task::yield_now().await;
        drop(first);
        waits.await.expect("its turn came");
        drop(turns.take(0).await);
        let queue = turns.queue();
        assert_eq!((queue.free, queue.waiting.len()), (1, 0));
    }
}
