//! Work that nobody waits for: what expires, what is not known, what is to be given back, answers that are too old.
//!
//! Each kind has a loop of its own, so that a channel that does not answer holds up nothing else. A loop looks at the
//! store, takes a bounded batch, and ends with the center. Work is claimed by moving its next time before the channel is
//! called: two instances do not ask twice, and a crash leaves it due again.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use throughline_kit::CancellationToken;
use throughline_kit::error::Error;
use throughline_kit::task::vital;

use crate::center::Center;
use crate::payment_order::{PaymentOrder, PaymentOrderId};
use crate::refund::Refund;
use crate::resolving::IfUnheard;
use crate::store;
use crate::store::attempt::DueAttempt;
use crate::store::refund::DueRefund;

/// Starts the loops; they end when the token is cancelled.
pub(crate) fn start(center: &Center, shutdown: &CancellationToken) {
    let poll = center.config.poll_interval();
    spawn(shutdown, poll, center, "expire payment orders", |c| async move { c.expire_due().await });
    spawn(shutdown, poll, center, "resolve attempts", |c| async move { c.resolve_due().await });
    spawn(shutdown, poll, center, "carry out refunds", |c| async move { c.refund_due().await });
}

/// Whether more may be due right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    Done,
    MoreDue,
}

fn spawn<F, W>(
    shutdown: &CancellationToken,
    interval: Duration,
    center: &Center,
    what: &'static str,
    look: F,
) where
    F: Fn(Center) -> W + Send + 'static,
    W: Future<Output = Result<Looked, Error>> + Send + 'static,
{
    let center = center.clone();
    let every = async move {
        loop {
            match look(center.clone()).await {
                Ok(Looked::MoreDue) => continue,
                Ok(Looked::Done) => {}
                Err(cause) => tracing::warn!(%cause, what, "look for due work"),
            }
            tokio::time::sleep(interval).await;
        }
    };
    let stop = shutdown.clone();
    vital(what, shutdown, async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = every => {}
        }
    });
}

impl Center {
    /// A full batch of which something was done is followed by another at once.
    fn looked(&self, found: usize, done: usize) -> Looked {
        let limit = usize::try_from(self.config.max_due_per_look).unwrap_or(usize::MAX);
        if found < limit || done == 0 { Looked::Done } else { Looked::MoreDue }
    }

    async fn expire_due(&self) -> Result<Looked, Error> {
        let now = self.clock.now();
        let due = store::expired(&self.database, now, self.config.max_due_per_look).await?;
        let found = due.len();
        let expire = |id: PaymentOrderId| async move { self.expire(&id).await.map(|_| ()) };
        let done = self.each(due, expire).await;
        Ok(self.looked(found, done))
    }

    async fn resolve_due(&self) -> Result<Looked, Error> {
        let now = self.clock.now();
        let due = store::attempt::due(&self.database, now, self.config.max_due_per_look).await?;
        let found = due.len();
        let done = self.each(due, |due| self.resolve(due)).await;
        Ok(self.looked(found, done))
    }

    async fn resolve(&self, due: DueAttempt) -> Result<(), Error> {
        let (id, schedule, seen) = (due.attempt_id.clone(), self.schedule.clone(), due.due);
        let claim =
            move |order: &mut PaymentOrder, now| order.claim_query(&id, seen, now, &schedule);
        let order = self.change_order(&due.payment_order_id, claim).await?;
        let attempt = order.attempt(&due.attempt_id)?;
        match self.ask(&order, attempt, IfUnheard::Cancel).await {
            Ok(report) => self.store_report(&order, attempt, report).await.map(|_| ()),
            Err(silence) => {
                let cause = silence.cause();
                tracing::info!(attempt_id = %attempt.id, cause, "the channel does not answer");
                Ok(())
            }
        }
    }

    async fn refund_due(&self) -> Result<Looked, Error> {
        let now = self.clock.now();
        let due = store::refund::due(&self.database, now, self.config.max_due_per_look).await?;
        let found = due.len();
        let done = self.each(due, |due| self.refund_again(due)).await;
        Ok(self.looked(found, done))
    }

    async fn refund_again(&self, due: DueRefund) -> Result<(), Error> {
        let (schedule, seen) = (self.schedule.clone(), due.due);
        let claim = move |refund: &mut Refund, _: Option<&mut PaymentOrder>, now| {
            refund.claim_query(seen, now, &schedule)
        };
        let refund = self.change_refund(&due.refund_id, claim).await?;
        self.carry_out(refund).await.map(|_| ())
    }

    /// Works on a batch, some at a time, and says how many were done. What fails stays due and is met again.
    async fn each<T, W>(&self, batch: Vec<T>, work: impl Fn(T) -> W) -> usize
    where
        W: Future<Output = Result<(), Error>>,
    {
        let outcomes = stream::iter(batch).map(work);
        let outcomes = outcomes.buffer_unordered(self.config.max_questions_at_once);
        outcomes.filter(|outcome| std::future::ready(done(outcome))).count().await
    }
}

fn done(outcome: &Result<(), Error>) -> bool {
    match outcome {
        Ok(()) => true,
        // Another instance was faster.
        Err(cause) if cause.reason == "NOT_DUE" || cause.reason == "CHANGED_MEANWHILE" => {
            tracing::debug!(%cause, "due work");
            false
        }
        Err(cause) => {
            tracing::warn!(%cause, "due work failed and will be met again");
            false
        }
    }
}
