//! Carries late operations on: at its time one happens, and its caller is told, once or twice. A restart goes on where
//! the store stands; a report may then be repeated.

use std::time::Duration;

use throughline_kit::backoff::Backoff;
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Change, Database, Tx, corrupt};
use tokio::task::JoinSet;

use crate::error::DOMAIN;
use crate::operation::{Operation, State};
use crate::peers::{Peers, Report};
use crate::perform::{Engine, Journal, store_settled};
use crate::settlement::settle;
use crate::store::{self, Late};

/// How late operations are carried on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateLimits {
    /// Longest wait before looking into the store again.
    pub(crate) poll_interval: Duration,
    /// Late operations carried on at a time.
    pub(crate) batch: i64,
    /// Tries of one report.
    pub(crate) max_attempts: i64,
    /// Waits after failed tries.
    pub(crate) backoff: Backoff,
}

/// The worker.
#[derive(Clone, Debug)]
pub(crate) struct LateWorker {
    pub(crate) engine: Engine,
    pub(crate) database: Database,
    pub(crate) peers: Peers,
    pub(crate) limits: LateLimits,
}

impl LateWorker {
    /// Works until the end is asked for.
    pub(crate) async fn run(self) {
        loop {
            let wait = tokio::select! {
                () = self.engine.shutdown.cancelled() => return,
                round = self.round() => round.unwrap_or_else(|cause| {
                    tracing::warn!(%cause, "carry late operations on");
                    self.limits.poll_interval
                }),
            };
            tokio::select! {
                () = self.engine.shutdown.cancelled() => return,
                () = self.engine.late.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Carries on what is due and says how long there is nothing to do.
    async fn round(&self) -> Result<Duration, Error> {
        let now = self.engine.clock.now();
        let next = store::next_late(&self.database, self.limits.batch).await?;
        let (due, waiting): (Vec<_>, Vec<_>) = next.into_iter().partition(|late| late.due <= now);
        if due.is_empty() {
            let until = waiting.first().map(|late| late.due.since(now));
            return Ok(until.unwrap_or(self.limits.poll_interval).min(self.limits.poll_interval));
        }
        let mut steps: JoinSet<Result<(), Error>> =
            due.into_iter().map(|late| self.clone().carry_on(late)).collect();
        let mut wait = Duration::ZERO;
        // One that fails must not keep the others from going on.
        while let Some(step) = steps.join_next().await {
            let done = step.unwrap_or_else(|cause| Err(Error::internal(DOMAIN, cause)));
            if let Err(cause) = done {
                tracing::warn!(%cause, "carry a late operation on");
                wait = self.limits.poll_interval;
            }
        }
        Ok(wait)
    }

    async fn carry_on(self, late: Late) -> Result<(), Error> {
        let happen = Happen {
            late: late.clone(),
            now: self.engine.clock.now(),
            journal: self.engine.journal.clone(),
        };
        let Some(operation) = self.engine.writer.write(happen).await? else {
            return Ok(());
        };
        let report = self.peers.report(&operation, &late.trace_parent).await;
        let next = after_report(late, report, self.engine.clock.now(), &self.limits);
        self.engine.writer.write(Remember(next)).await
    }
}

/// Says how a late operation goes on after a try to report it. Logs here what becomes of a failure.
fn after_report(mut late: Late, report: Report, now: Instant, limits: &LateLimits) -> Late {
    let (system, reference) = (late.system.name(), late.reference.clone());
    match report {
        Report::Over => {
            late.reports_left -= 1;
            late.attempts = 0;
        }
        Report::Refused(cause) => {
            tracing::debug!(system, reference, %cause, "the center does not want the report");
            late.reports_left -= 1;
            late.attempts = 0;
        }
        Report::Failed(cause) if late.attempts + 1 >= limits.max_attempts => {
            tracing::warn!(system, reference, %cause, late.attempts, "give up reporting");
            late.reports_left = 0;
        }
        Report::Failed(cause) => {
            tracing::debug!(system, reference, %cause, late.attempts, "report again later");
            late.due = now.plus(limits.backoff.after(late.attempts));
            late.attempts += 1;
        }
    }
    late
}

/// Lets a late operation happen, if it has not. Gives nothing when it is no longer to be reported.
struct Happen {
    late: Late,
    now: Instant,
    journal: Journal,
}

impl Change for Happen {
    type Output = Option<Operation>;

    async fn apply(&self, tx: &mut Tx) -> Result<Option<Operation>, Error> {
        let Late { system, reference, .. } = &self.late;
        let operation = store::find(tx, *system, reference)
            .await?
            .ok_or_else(|| corrupt(DOMAIN, "late_operations", "no such operation"))?;
        match operation.state {
            State::Cancelled => return Ok(None),
            State::Succeeded | State::Declined => return Ok(Some(operation)),
            State::Pending => {}
        }
        let target = match &operation.target {
            Some(target) => store::find(tx, *system, target).await?,
            None => None,
        };
        let settled = settle(operation, target.as_ref()).map_err(|refusal| {
            Error::new(Kind::Internal, DOMAIN, "INTERNAL", refusal.to_string())
        })?;
        store::update(tx, &settled.operation).await?;
        store_settled(tx, &settled, &self.journal, self.now).await?;
        Ok(Some(settled.operation))
    }
}

struct Remember(Late);

impl Change for Remember {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        store::update_late(tx, &self.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::System;

    const NOW: Instant = Instant(5_000_000);
    const LIMITS: LateLimits = LateLimits {
        poll_interval: Duration::from_millis(200),
        batch: 64,
        max_attempts: 4,
        backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_millis(300) },
    };

    fn late(reports_left: i64, attempts: i64) -> Late {
        Late {
            system: System::Billing,
            reference: "r".to_owned(),
            due: Instant(0),
            reports_left,
            attempts,
            trace_parent: String::new(),
        }
    }

    fn lost() -> Report {
        Report::Failed(Error::new(Kind::Unavailable, "gateway", "NO_ENDPOINT", "nobody"))
    }

    #[test]
    fn a_report_that_arrived_or_is_refused_is_not_repeated() {
        let refused = Report::Refused(Error::new(Kind::NotFound, "order", "STEP_NOT_FOUND", "no"));
        for report in [Report::Over, refused] {
            assert_eq!(after_report(late(2, 3), report.clone(), NOW, &LIMITS), late(1, 0));
            assert_eq!(after_report(late(1, 0), report, NOW, &LIMITS).reports_left, 0);
        }
    }

    #[test]
    fn a_report_that_did_not_arrive_is_repeated_after_a_growing_wait_and_given_up_in_the_end() {
        for (attempts, wait) in [(0, 100), (1, 200), (2, 300)] {
            let next = after_report(late(1, attempts), lost(), NOW, &LIMITS);
            assert_eq!((next.attempts, next.reports_left), (attempts + 1, 1));
            assert_eq!(next.due, NOW.plus(Duration::from_millis(wait)));
        }
        assert_eq!(after_report(late(2, 3), lost(), NOW, &LIMITS).reports_left, 0);
    }
}
