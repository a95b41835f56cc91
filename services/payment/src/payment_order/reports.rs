//! What a channel's answers mean for a payment order. They may come late, twice and out of order.

use throughline_kit::clock::Instant;

use super::{Event, PaymentOrder, Phase};
use crate::attempt::{
    Attempt, AttemptId, CANCELLED, CaptureMode, INTEGRITY_MISMATCH, Outcome, Report, Schedule,
};
use crate::error::Refusal;
use crate::refund::Refund;

impl PaymentOrder {
    /// Takes in what the channel says of an attempt.
    pub(crate) fn report(
        &mut self,
        id: &AttemptId,
        report: Report,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        let outcome = self.attempt(id)?.outcome;
        let mut events = match (report, outcome) {
            // Captured is the last word, and the channel alone does not move it.
            (_, Outcome::Captured) => Vec::new(),
            (Report::Succeeded { amount, authorized_only }, _) => {
                let attempt = self.attempt(id)?;
                let expected = match attempt.capture_minor {
                    Some(minor) if !authorized_only => minor,
                    Some(_) | None => self.amount.minor,
                };
                let matches = amount
                    .is_none_or(|a| a.currency == self.amount.currency && a.minor == expected);
                match (matches, authorized_only) {
                    (false, _) => self.quarantine(id, now, schedule)?,
                    (true, true) => self.hold_money(id, now, schedule)?,
                    (true, false) => self.take_money(id, expected, now)?,
                }
            }
            (_, Outcome::Declined | Outcome::NotAttempted) => Vec::new(),
            (Report::Declined { reason }, _) => {
                self.end_attempt(id, Outcome::Declined, &reason, now)?
            }
            (Report::Cancelled, Outcome::Pending | Outcome::Authorized) => {
                self.end_attempt(id, Outcome::Declined, CANCELLED, now)?
            }
            (Report::Cancelled, Outcome::Created | Outcome::Unknown) => {
                if self.attempt(id)?.is_quarantined() {
                    self.end_attempt(id, Outcome::Declined, CANCELLED, now)?
                } else {
                    self.end_attempt(id, Outcome::NotAttempted, "", now)?
                }
            }
            (Report::NotAttempted, Outcome::Created) => {
                self.end_attempt(id, Outcome::NotAttempted, "", now)?
            }
            (Report::Pending, Outcome::Created | Outcome::Unknown) => {
                let attempt = self.attempt_mut(id)?;
                attempt.decline_reason.clear();
                attempt.wait(Outcome::Pending, now, schedule);
                Vec::new()
            }
            (Report::Unknown, Outcome::Created) => {
                self.attempt_mut(id)?.wait(Outcome::Unknown, now, schedule);
                vec![Event::Unknown]
            }
            (Report::CaptureRefused { reason }, Outcome::Authorized) => {
                let attempt = self.attempt_mut(id)?;
                attempt.capture_minor = None;
                attempt.end(Outcome::Authorized, &reason, now);
                Vec::new()
            }
            // Nothing new, or nothing that proves anything.
            (Report::NotAttempted | Report::Unknown | Report::NotFound, _)
            | (Report::Pending, Outcome::Pending | Outcome::Authorized)
            | (Report::CaptureRefused { .. }, _) => Vec::new(),
        };
        if self.phase != Phase::Open || self.captured_minor > 0 {
            self.keep_asking(now, schedule);
        }
        events.extend(self.finish_closing());
        self.assert_consistent();
        Ok(events)
    }

    /// Takes in money: it is what was owed, or nobody waits for it and it goes back by itself.
    pub(super) fn take_money(
        &mut self,
        id: &AttemptId,
        minor: i64,
        now: Instant,
    ) -> Result<Vec<Event>, Refusal> {
        let wanted = self.captured_minor == 0 && !matches!(self.phase, Phase::Closed(_));
        let attempt = self.attempt_mut(id)?;
        attempt.end(Outcome::Captured, "", now);
        attempt.captured_minor = minor;
        let attempt = attempt.clone();
        self.captured_minor += minor;
        let event = if wanted {
            // It came before the close took effect.
            self.phase = Phase::Open;
            Event::Captured
        } else {
            self.refunding_minor += minor;
            Event::LateMoney(Refund::of_late_money(self, &attempt, now))
        };
        self.assert_consistent();
        Ok(vec![event])
    }

    fn hold_money(
        &mut self,
        id: &AttemptId,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        let told = self.phase == Phase::Open && self.captured_minor == 0;
        let attempt = self.attempt_mut(id)?;
        match (attempt.mode, attempt.outcome) {
            (CaptureMode::Manual, Outcome::Created | Outcome::Pending | Outcome::Unknown) => {
                attempt.end(Outcome::Authorized, "", now);
                Ok(if told { vec![Event::Authorized] } else { Vec::new() })
            }
            // We asked for a charge in one step: held is not yet charged.
            (CaptureMode::Automatic, Outcome::Created | Outcome::Unknown) => {
                attempt.decline_reason.clear();
                attempt.wait(Outcome::Pending, now, schedule);
                Ok(Vec::new())
            }
            (CaptureMode::Automatic, Outcome::Pending)
            | (
                _,
                Outcome::Authorized | Outcome::Captured | Outcome::Declined | Outcome::NotAttempted,
            ) => Ok(Vec::new()),
        }
    }

    /// Believes nothing of an answer with another amount; a person has to look.
    fn quarantine(
        &mut self,
        id: &AttemptId,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        let attempt = self.attempt_mut(id)?;
        if attempt.is_quarantined() {
            return Ok(Vec::new());
        }
        INTEGRITY_MISMATCH.clone_into(&mut attempt.decline_reason);
        attempt.updated_at = now;
        // A dead attempt stays dead, so that there are never two at once.
        if !attempt.is_dead() {
            attempt.wait(Outcome::Unknown, now, schedule);
        }
        Ok(vec![Event::Unknown])
    }

    fn end_attempt(
        &mut self,
        id: &AttemptId,
        outcome: Outcome,
        reason: &str,
        now: Instant,
    ) -> Result<Vec<Event>, Refusal> {
        self.attempt_mut(id)?.end(outcome, reason, now);
        // While it is being closed, the close itself is the news.
        let told = self.phase == Phase::Open && self.captured_minor == 0;
        Ok(if told { vec![Event::Declined] } else { Vec::new() })
    }

    /// Sees to it that whatever may still bring money that nobody wants is asked about.
    fn keep_asking(&mut self, now: Instant, schedule: &Schedule) {
        let silent = |a: &&mut Attempt| a.needs_ending() && a.next_query_at.is_none();
        for attempt in self.attempts.iter_mut().filter(silent) {
            attempt.queries = 0;
            attempt.next_query_at = Some(schedule.next(now, 0));
        }
    }

    /// Closes once nothing can bring money any more.
    pub(super) fn finish_closing(&mut self) -> Vec<Event> {
        match self.phase {
            Phase::Closing(reason) if !self.attempts.iter().any(|a| a.needs_ending()) => {
                self.phase = Phase::Closed(reason);
                vec![Event::Closed]
            }
            Phase::Open | Phase::Closing(_) | Phase::Closed(_) => Vec::new(),
        }
    }
}
