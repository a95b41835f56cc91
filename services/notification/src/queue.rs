//! What waits to be sent: how much that may be, and waking who sends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::Refusal;

/// Counts what has not ended, so that a limit can be checked without asking the store each time. The count is set right
/// by recounts, which also see what other instances sent. It is never too low; while calls are stored it may be too high
/// by as many as those, until the next recount.
#[derive(Debug)]
pub(crate) struct Queue {
    counts: Mutex<Counts>,
    max: usize,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    /// What has not ended, with what is being stored.
    waiting: usize,
    /// What is being stored: taken, and neither kept nor given back.
    pending: usize,
    /// What a recount that runs now does not see in the store for sure.
    unseen: usize,
}

/// Places in the queue for one call: given back when it is dropped, unless they were kept.
#[derive(Debug)]
pub(crate) struct Places {
    queue: Arc<Queue>,
    taken: Mutex<usize>,
}

impl Queue {
    pub(crate) fn new(waiting: usize, max: usize) -> Self {
        let counts = Mutex::new(Counts { waiting, ..Counts::default() });
        Self { counts, max, wake: Notify::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts().waiting == 0
    }

    /// Says that what waits in the store is about to be counted.
    pub(crate) fn begin_recount(&self) {
        let mut counts = self.counts();
        counts.unseen = counts.pending;
    }

    /// Takes over what the store says.
    pub(crate) fn recount(&self, stored: usize) {
        let mut counts = self.counts();
        counts.waiting = stored + counts.unseen;
    }

    /// Says that there is something to send.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody says so.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, had: usize, wanted: usize) -> Result<(), Refusal> {
        let mut counts = self.counts();
        let waiting = counts.waiting.saturating_sub(had) + wanted;
        if wanted > 0 && waiting > self.max {
            return Err(Refusal::TooManyQueued { max: self.max });
        }
        counts.waiting = waiting;
        counts.pending = counts.pending - had + wanted;
        counts.unseen = counts.unseen.saturating_sub(had) + wanted;
        Ok(())
    }
}

impl Places {
    /// Begins with none.
    pub(crate) fn new(queue: &Arc<Queue>) -> Arc<Self> {
        Arc::new(Self { queue: Arc::clone(queue), taken: Mutex::default() })
    }

    /// Takes places, all or none. A change may be applied twice: what it had taken before is given back.
    pub(crate) fn take(&self, count: usize) -> Result<(), Refusal> {
        let mut taken = self.taken();
        self.queue.replace(*taken, count)?;
        *taken = count;
        Ok(())
    }

    /// Keeps the places: what they are for is stored.
    pub(crate) fn keep(&self) {
        let mut taken = self.taken();
        self.queue.counts().pending -= *taken;
        *taken = 0;
    }

    fn taken(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        // Never refused: it only gives back.
        let _ = self.take(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(queue: &Queue) -> usize {
        queue.counts().waiting
    }

    #[test]
    fn places_are_taken_together_or_not_at_all() {
        let queue = Arc::new(Queue::new(1, 4));
        let (one, other) = (Places::new(&queue), Places::new(&queue));
        assert_eq!(one.take(2), Ok(()));
        assert_eq!(other.take(2), Err(Refusal::TooManyQueued { max: 4 }));
        assert_eq!(other.take(1), Ok(()));
        assert_eq!(waiting(&queue), 4);
    }

    #[test]
    fn places_are_given_back_unless_they_were_kept() {
        let queue = Arc::new(Queue::new(0, 4));
        let (kept, lost) = (Places::new(&queue), Places::new(&queue));
        kept.take(1).expect("room");
        lost.take(3).expect("room");
        kept.keep();
        drop((kept, lost));
        assert_eq!(waiting(&queue), 1);
    }

    #[test]
    fn a_change_that_is_applied_twice_takes_its_places_once() {
        let queue = Arc::new(Queue::new(0, 3));
        let places = Places::new(&queue);
        places.take(3).expect("room");
        places.take(2).expect("the same room");
        assert_eq!(waiting(&queue), 2);
    }

    #[test]
    fn a_recount_never_forgets_what_is_being_stored() {
        let queue = Arc::new(Queue::new(5, 9));
        let (before, during) = (Places::new(&queue), Places::new(&queue));
        before.take(1).expect("room");
        queue.begin_recount();
        during.take(2).expect("room");
        before.keep();
        queue.recount(0);
        assert_eq!(waiting(&queue), 3);
        during.keep();
        queue.begin_recount();
        queue.recount(3);
        assert_eq!(waiting(&queue), 3);
        queue.begin_recount();
        queue.recount(0);
        assert!(queue.is_empty());
    }
}
