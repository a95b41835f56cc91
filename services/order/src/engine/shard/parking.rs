//! Orders that wait long are left in the store: of each stays its id and when it is due.

use std::sync::atomic::Ordering;
use std::time::Duration;

use throughline_kit::clock::Instant;

use super::{Round, Shard};
use crate::event::Command;
use crate::order::OrderId;

/// What is due within this time stays in memory.
const PARKED_FROM: Duration = Duration::from_secs(30);
/// Orders that are read from the store in one round because their time has come; the others follow in the next.
const MAX_WOKEN_PER_ROUND: usize = 128;
/// Time between rounds in which all parked orders are read.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(100);
/// Wait before an order is read again that could not be.
const READ_RETRY: Duration = Duration::from_secs(1);

impl Shard {
    /// Leaves an order in the store that nobody works on, and that is not due soon.
    pub(super) fn park(&mut self, order_id: &OrderId, now: Instant) {
        let Some(live) = self.live.get(order_id) else { return };
        let is_due_soon = live.timer.is_some_and(|at| at <= now.plus(PARKED_FROM));
        if is_due_soon || live.unheard || !live.in_flight.is_empty() {
            return;
        }
        if let Some(live) = self.live.remove(order_id) {
            self.parked.insert(order_id.clone(), live.timer);
        }
    }

    /// Takes an order as parked that was live when the center stopped.
    pub(super) fn park_at(&mut self, order_id: OrderId, due: Instant) {
        if self.has(&order_id) {
            // It was asked for before, and counts already.
            self.context.live.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.timers.insert((due, order_id.clone()));
        self.parked.insert(order_id, Some(due));
    }

    /// Forgets that an order is parked; whether it was.
    pub(super) fn unpark(&mut self, order_id: &OrderId) -> bool {
        let parked = self.parked.remove(order_id);
        if let Some(Some(at)) = parked {
            self.timers.remove(&(at, order_id.clone()));
        }
        parked.is_some()
    }

    /// Lets every parked order look at what has changed for all, some after the others: what is due meanwhile comes between.
    pub(super) fn wake_all(&mut self) {
        let mut at = self.context.clock.now();
        for (number, (order_id, due)) in self.parked.iter_mut().enumerate() {
            if number > 0 && number.is_multiple_of(MAX_WOKEN_PER_ROUND) {
                at = at.plus(BETWEEN_ROUNDS);
            }
            if let Some(before) = due.replace(at) {
                self.timers.remove(&(before, order_id.clone()));
            }
            self.timers.insert((at, order_id.clone()));
        }
    }

    /// Advances orders whose time has come.
    pub(super) async fn ring(&mut self, round: &mut Round) {
        let now = self.context.clock.now();
        let mut woken = 0;
        while let Some((at, _)) = self.timers.first() {
            if *at > now || woken == MAX_WOKEN_PER_ROUND {
                return;
            }
            let Some((_, order_id)) = self.timers.pop_first() else { return };
            if let Some(live) = self.live.get_mut(&order_id) {
                live.timer = None;
                self.go(&order_id, &Command::Advance, round);
                continue;
            }
            woken += 1;
            if let Err(error) = self.find(&order_id, round).await {
                tracing::warn!(%error, %order_id, "read a parked order; trying again");
                let again = now.plus(READ_RETRY);
                self.parked.insert(order_id.clone(), Some(again));
                self.timers.insert((again, order_id));
            }
        }
    }
}
