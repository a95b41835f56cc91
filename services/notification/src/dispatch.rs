//! Sends what is due: claims it durably, calls the provider, stores what became of it.
//!
//! ```text
//! due ──claim (commit)──► call ──settle (commit)──► ended, or due again
//! ```
//!
//! The claim is in the store before the call leaves. Whoever claimed may die on the way: when the lease of the claim
//! ends, the delivery is due again and is asked about. Two instances may find the same delivery; the compare-and-set on
//! its version gives it to one.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Change, Database, Tx, Writer};
use tokio::task::JoinSet;

use crate::notification::{Call, Notification};
use crate::peers::Sms;
use crate::queue::Queue;
use crate::retry::Retry;
use crate::{event, store};

/// Tries to store the outcome of a call, and the wait after the first; it grows with each.
const MAX_STORE_TRIES: u32 = 5;
const STORE_RETRY_DELAY: Duration = Duration::from_millis(20);

/// How much is sent at a time, and how often to look for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Calls at a time.
    pub(crate) max_concurrent: usize,
    /// How often to look for what has become due.
    pub(crate) poll_interval: Duration,
    /// How long a call may be on the way before it counts as lost.
    pub(crate) lease: Duration,
}

/// The worker; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    pub(crate) database: Database,
    pub(crate) writer: Writer,
    pub(crate) sms: Sms,
    pub(crate) queue: Arc<Queue>,
    pub(crate) clock: Clock,
    pub(crate) retry: Retry,
    pub(crate) pace: Pace,
}

impl Dispatcher {
    /// Works until the token is cancelled, and then lets the calls that are on the way come back.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut calls = JoinSet::new();
        let mut failing = false;
        while !shutdown.is_cancelled() {
            let round = self.begin_due(&mut calls).await;
            if let Err(cause) = &round
                && !failing
            {
                tracing::warn!(%cause, "look for messages that are due");
            }
            failing = round.is_err();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.queue.woken() => {}
                () = tokio::time::sleep(self.pace.poll_interval) => {}
                () = has_room(&mut calls, self.pace.max_concurrent), if !calls.is_empty() => {}
            }
        }
        while calls.join_next().await.is_some() {}
    }

    /// Begins as many calls as there is room for and work is due.
    async fn begin_due(&self, calls: &mut JoinSet<()>) -> Result<(), Error> {
        if !self.queue.is_empty() {
            self.queue.begin_recount();
            self.queue.recount(store::count_queued(&self.database).await?);
        }
        loop {
            while calls.try_join_next().is_some() {}
            let room = self.pace.max_concurrent - calls.len();
            if room == 0 {
                return Ok(());
            }
            let now = self.clock.now();
            let due = store::due(&self.database, now, room).await?;
            let found = due.len();
            let claims: Vec<_> =
                due.into_iter().filter_map(|n| n.claim(now, self.pace.lease)).collect();
            if claims.is_empty() {
                return Ok(());
            }
            for (notification, call) in self.writer.write(Claim { claims }).await? {
                calls.spawn(self.clone().deliver(notification, call));
            }
            if found < room {
                return Ok(());
            }
        }
    }

    async fn deliver(self, notification: Notification, call: Call) {
        let answer = self.sms.call(&notification, call).await;
        let now = self.clock.now();
        let notification = notification.settle(call, answer, now, &self.retry);
        let id = notification.id.clone();
        tracing::debug!(
            notification_id = %id,
            state = notification.delivery.state.as_str(),
            reason = notification.delivery.failure_reason,
            "settle a delivery"
        );
        let settle = Settle { notification, now };
        if let Err(cause) = self.store_outcome(settle).await {
            // The claim stays; when its lease ends the provider is asked.
            tracing::warn!(notification_id = %id, %cause, "store the outcome of a delivery");
        }
    }

    /// Two instances that announce at the same time are in each other's way; waiting for the lease would be long.
    async fn store_outcome(&self, settle: Settle) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            match self.writer.write(settle.clone()).await {
                Err(error) if error.kind == Kind::Unavailable && tries < MAX_STORE_TRIES => {
                    tokio::time::sleep(STORE_RETRY_DELAY * tries).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Waits until a quarter of the places is free: to look for single messages would cost a commit for each.
async fn has_room(calls: &mut JoinSet<()>, max: usize) {
    let enough = max - max.div_ceil(4);
    loop {
        if calls.join_next().await.is_none() || calls.len() <= enough {
            return;
        }
    }
}

/// Takes deliveries that nobody else has taken meanwhile.
struct Claim {
    claims: Vec<(Notification, Call)>,
}

impl Change for Claim {
    type Output = Vec<(Notification, Call)>;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let mut taken = Vec::with_capacity(self.claims.len());
        for (notification, call) in &self.claims {
            if store::update(tx, notification).await? {
                taken.push((notification.clone(), *call));
            }
        }
        Ok(taken)
    }
}

/// Stores what became of a claimed delivery, unless its lease ended and somebody else has it now.
#[derive(Clone)]
struct Settle {
    notification: Notification,
    now: Instant,
}

impl Change for Settle {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        if store::update(tx, &self.notification).await?
            && let Some(event) = event::ended(&self.notification, self.now)
        {
            tx.announce(event);
        }
        Ok(())
    }
}
