//! Sends what is due: a few at a time for each webhook, and never two of one order at once.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use throughline_kit::CancellationToken;
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::Database;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::config::WebhookConfig;
use super::courier::Courier;
use super::delivery::Delivery;
use super::store::Claimed;
use super::{Registry, Webhook, WebhookId, WebhookState, store};

/// Longest sleep, so that a test clock that moved is noticed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How often to look for what other instances changed, or left behind.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Wait after the store could not be read.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Deliveries of one webhook that are read at a time.
const ROWS_PER_LOOK: usize = 64;

/// How much is sent at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    in_flight: usize,
    per_webhook: usize,
}

impl Limits {
    /// As they are configured.
    pub(crate) fn of(config: &WebhookConfig) -> Self {
        let in_flight = config.max_attempts_in_flight;
        Self { in_flight, per_webhook: config.max_attempts_per_webhook }
    }
}

/// Where deliveries and webhooks are read.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// Deliveries.
    pub(crate) database: Database,
    /// Webhooks.
    pub(crate) registry: Registry,
}

/// One webhook, as the sender sees it.
#[derive(Debug, Default)]
struct Lane {
    /// Orders whose deliveries are under way.
    busy: HashSet<String>,
    /// When there may be something to send.
    look_at: Instant,
}

/// What is free again after an attempt.
#[derive(Debug)]
struct Ended {
    webhook_id: WebhookId,
    order_id: String,
}

/// Sends what is due.
#[derive(Debug)]
pub(crate) struct Sender {
    courier: Arc<Courier>,
    store: Store,
    limits: Limits,
    lanes: HashMap<WebhookId, Lane>,
    attempts: JoinSet<Ended>,
    swept: Option<tokio::time::Instant>,
}

impl Sender {
    /// Begins with nothing under way.
    pub(crate) fn new(courier: Arc<Courier>, store: Store, limits: Limits) -> Self {
        let (lanes, attempts) = (HashMap::new(), JoinSet::new());
        Self { courier, store, limits, lanes, attempts, swept: None }
    }

    /// Sends until the center ends. Attempts under way are cut then: they are made again when their claims run out.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut commits = self.store.registry.commits();
        let mut sleep = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(ended) = self.attempts.join_next() => self.end(ended),
                () = committed(&mut commits) => {}
                () = tokio::time::sleep(sleep) => {}
            }
            while let Some(ended) = self.attempts.try_join_next() {
                self.end(ended);
            }
            sleep = LOOK_INTERVAL;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "look for webhook deliveries; trying again");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(STORE_RETRY) => {}
                }
            }
        }
    }

    fn end(&mut self, ended: Result<Ended, JoinError>) {
        // A panic was caught inside; only the end of the runtime cuts an attempt.
        let Ok(Ended { webhook_id, order_id }) = ended else { return };
        if let Some(lane) = self.lanes.get_mut(&webhook_id) {
            lane.busy.remove(&order_id);
            lane.look_at = Instant::default();
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let now = self.courier.clock.now();
        for webhook_id in self.store.registry.take_stored() {
            self.lanes.entry(webhook_id).or_default().look_at = now;
        }
        let is_time = self.swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL);
        if self.store.registry.take_changed() || is_time {
            self.sweep(now).await?;
        }
        let mut room = self.limits.in_flight.saturating_sub(self.attempts.len());
        let (mut wanted, mut looked) = (Vec::new(), Vec::new());
        for webhook in self.open(now) {
            let busy = &self.lanes[&webhook.id].busy;
            let free = self.limits.per_webhook.saturating_sub(busy.len()).min(room);
            if free == 0 {
                continue;
            }
            let most = ROWS_PER_LOOK.max(free);
            let rows = match store::due(&self.store.database, &webhook.id, most).await {
                Ok(rows) => rows,
                // A row that cannot be read stops its webhook, which the log tells, and no other.
                Err(error) if error.kind == Kind::Internal => {
                    looked.push((webhook.id.clone(), Instant(i64::MAX)));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let is_all = rows.len() < most;
            let (picked, look_at) = pick(rows, &Round { busy, free, is_all, now });
            room -= picked.len();
            wanted.extend(picked);
            looked.push((webhook.id.clone(), look_at));
        }
        let claimed = self.courier.claim(wanted).await?;
        for (webhook_id, look_at) in looked {
            self.lanes.entry(webhook_id).or_default().look_at = look_at;
        }
        for claimed in claimed {
            self.send(claimed);
        }
        Ok(())
    }

    /// Finds every webhook with something to send, and forgets those that are gone.
    async fn sweep(&mut self, now: Instant) -> Result<(), Error> {
        let Store { database, registry } = &self.store;
        registry.reload(database).await?;
        let mut after = String::new();
        while let Some(found) = store::pending_webhook_after(database, &after).await? {
            found.as_str().clone_into(&mut after);
            self.lanes.entry(found).or_default().look_at = now;
        }
        let webhooks = registry.webhooks();
        self.lanes.retain(|id, lane| !lane.busy.is_empty() || webhooks.by_id(id).is_some());
        self.swept = Some(tokio::time::Instant::now());
        Ok(())
    }

    /// Active webhooks that may have something to send, those with the least under way first.
    fn open(&self, now: Instant) -> Vec<Arc<Webhook>> {
        let webhooks = self.store.registry.webhooks();
        let timely = self.lanes.iter().filter(|(_, lane)| lane.look_at <= now);
        let mut open: Vec<_> = timely
            .filter_map(|(id, lane)| Some((lane.busy.len(), webhooks.by_id(id)?)))
            .filter(|(_, webhook)| webhook.state == WebhookState::Active)
            .collect();
        open.sort_by_key(|(busy, _)| *busy);
        open.into_iter().map(|(_, webhook)| Arc::clone(webhook)).collect()
    }

    fn send(&mut self, claimed: Claimed) {
        let webhook_id = claimed.delivery.webhook_id.clone();
        let order_id = claimed.delivery.order_id.clone();
        let webhooks = self.store.registry.webhooks();
        // Deleted since it was looked for: its deliveries go as well.
        let Some(webhook) = webhooks.by_id(&webhook_id).map(Arc::clone) else { return };
        let lane = self.lanes.entry(webhook_id.clone()).or_default();
        lane.busy.insert(order_id.clone());
        let (courier, registry) = (Arc::clone(&self.courier), self.store.registry.clone());
        self.attempts.spawn(async move {
            let carried = AssertUnwindSafe(courier.carry(&webhook, claimed)).catch_unwind().await;
            match carried {
                Ok(Ok(is_disabled)) if is_disabled => registry.mark_changed(),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, webhook = %webhook_id, "store a webhook attempt; it is made again");
                }
                Err(_) => tracing::error!(webhook = %webhook_id, "a webhook attempt panicked"),
            }
            Ended { webhook_id, order_id }
        });
    }
}

async fn committed(commits: &mut Option<watch::Receiver<i64>>) {
    let heard = match commits {
        Some(commits) => commits.changed().await.is_ok(),
        None => false,
    };
    if !heard {
        std::future::pending::<()>().await;
    }
}

/// What there is to know when deliveries of one webhook are picked.
#[derive(Clone, Copy, Debug)]
struct Round<'a> {
    /// Orders whose deliveries are under way.
    busy: &'a HashSet<String>,
    /// How many may be picked.
    free: usize,
    /// There are no more than were read.
    is_all: bool,
    now: Instant,
}

/// Picks what is sent now, at most one of each order, and says when to look again. Rows come by the time at which they
/// are due.
fn pick(rows: Vec<Delivery>, round: &Round<'_>) -> (Vec<Delivery>, Instant) {
    let mut picked: Vec<Delivery> = Vec::new();
    let mut is_left = false;
    for row in rows {
        match row.next_attempt_at {
            Some(at) if at > round.now => {
                return (picked, if is_left { round.now } else { at });
            }
            Some(_) | None => {}
        }
        let waits_for = |other: &Delivery| other.order_id == row.order_id;
        let is_first = !round.busy.contains(&row.order_id) && !picked.iter().any(waits_for);
        if is_first && picked.len() < round.free {
            picked.push(row);
        } else {
            is_left = true;
        }
    }
    let look_at = if is_left || !round.is_all { round.now } else { Instant(i64::MAX) };
    (picked, look_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::delivery::tests::delivery;

    fn due(order_id: &str, at: i64) -> Delivery {
        let next_attempt_at = Some(Instant(at));
        Delivery { order_id: order_id.to_owned(), next_attempt_at, ..delivery() }
    }

    fn orders(picked: &[Delivery]) -> Vec<&str> {
        picked.iter().map(|delivery| delivery.order_id.as_str()).collect()
    }

    #[test]
    fn one_delivery_of_each_order_is_sent_at_a_time() {
        let (now, end) = (Instant(10), Instant(i64::MAX));
        for (rows, busy, free, is_all, expected, look_at) in [
            (vec![due("a", 1), due("b", 2)], vec![], 8, true, vec!["a", "b"], end),
            (vec![due("a", 1), due("a", 2), due("b", 3)], vec![], 8, true, vec!["a", "b"], now),
            (vec![due("a", 1), due("b", 2)], vec!["a"], 8, true, vec!["b"], now),
            (vec![due("a", 1), due("b", 2)], vec![], 1, true, vec!["a"], now),
            (vec![due("a", 1), due("b", 20)], vec![], 8, true, vec!["a"], Instant(20)),
            (vec![due("a", 1), due("b", 20)], vec![], 8, false, vec!["a"], Instant(20)),
            (vec![due("a", 1), due("a", 2), due("b", 20)], vec![], 8, true, vec!["a"], now),
            (vec![due("a", 1)], vec![], 8, false, vec!["a"], now),
            (vec![], vec![], 8, true, vec![], end),
        ] {
            let busy = busy.into_iter().map(str::to_owned).collect();
            let (picked, again) = pick(rows, &Round { busy: &busy, free, is_all, now });
            assert_eq!((orders(&picked), again), (expected, look_at));
        }
    }
}
