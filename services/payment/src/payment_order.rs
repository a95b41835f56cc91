//! What is owed and what became of it: every rule about it, without I/O and without a clock but `now`.
//!
//! The state is a function of the parts, so no two of them can contradict each other.

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;

use crate::attempt::{Attempt, AttemptId, CaptureMode, ChannelName, Outcome, Schedule};
use crate::error::Refusal;

#[cfg(test)]
mod interleavings;
mod reports;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use state::{CloseReason, Event, Phase, State};

throughline_kit::define_id!(
    /// Id of a payment order.
    PaymentOrderId,
    "pay"
);

/// A try that a caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewAttempt {
    /// Our reference.
    pub(crate) id: AttemptId,
    /// Where.
    pub(crate) channel: ChannelName,
    /// How.
    pub(crate) mode: CaptureMode,
    /// Attempts that one payment order may have.
    pub(crate) max_attempts: usize,
}

/// What is owed and what became of it. Amounts are minor units of `amount.currency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaymentOrder {
    /// Id.
    pub(crate) id: PaymentOrderId,
    /// Grows with each change.
    pub(crate) version: i64,
    /// Who made it.
    pub(crate) caller: String,
    /// The caller's own reference.
    pub(crate) reference: String,
    /// Order that it is for.
    pub(crate) order_id: String,
    /// Who pays.
    pub(crate) payer_id: String,
    /// What is owed.
    pub(crate) amount: Money,
    /// Captured so far.
    pub(crate) captured_minor: i64,
    /// Going back, not yet confirmed.
    pub(crate) refunding_minor: i64,
    /// Given back.
    pub(crate) refunded_minor: i64,
    /// Whether money is still wanted.
    pub(crate) phase: Phase,
    /// Tries, oldest first.
    pub(crate) attempts: Vec<Attempt>,
    /// Until when it may be paid.
    pub(crate) expire_at: Instant,
    /// When it was made.
    pub(crate) created_at: Instant,
    /// When it last changed.
    pub(crate) updated_at: Instant,
    /// W3C traceparent of its maker; empty where there was none.
    pub(crate) trace_parent: String,
}

impl PaymentOrder {
    /// Tells the state from the parts.
    pub(crate) fn state(&self) -> State {
        let any = |outcome: Outcome| self.attempts.iter().any(|a| a.outcome == outcome);
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open | Phase::Closing(_) if self.captured_minor > 0 => {
                if self.refunded_minor == self.captured_minor {
                    State::Refunded
                } else if self.refunded_minor > 0 {
                    State::PartiallyRefunded
                } else {
                    State::Paid
                }
            }
            Phase::Closing(_) => State::Closing,
            Phase::Open if any(Outcome::Authorized) => State::Authorized,
            Phase::Open if any(Outcome::Created) || any(Outcome::Unknown) => State::Processing,
            Phase::Open if self.attempts.is_empty() => State::Created,
            Phase::Open => State::AwaitingPayer,
        }
    }

    /// What may still be given back.
    pub(crate) fn refundable_minor(&self) -> i64 {
        self.captured_minor - self.refunding_minor - self.refunded_minor
    }

    /// When it expires by itself; none once money came, is held, or is no longer wanted. An authorised payment order
    /// does not expire: its payer has done his part, and the caller captures or closes it.
    pub(crate) fn expiry_due_at(&self) -> Option<Instant> {
        match self.state() {
            State::Created | State::AwaitingPayer | State::Processing => Some(self.expire_at),
            State::Authorized
            | State::Paid
            | State::PartiallyRefunded
            | State::Refunded
            | State::Closing
            | State::Closed => None,
        }
    }

    /// Finds an attempt.
    pub(crate) fn attempt(&self, id: &AttemptId) -> Result<&Attempt, Refusal> {
        let found = self.attempts.iter().find(|attempt| attempt.id == *id);
        found.ok_or_else(|| Refusal::AttemptNotFound { attempt_id: id.to_string() })
    }

    pub(super) fn attempt_mut(&mut self, id: &AttemptId) -> Result<&mut Attempt, Refusal> {
        let found = self.attempts.iter_mut().find(|attempt| attempt.id == *id);
        found.ok_or_else(|| Refusal::AttemptNotFound { attempt_id: id.to_string() })
    }

    /// Nobody waits for this attempt's money: it is better ended than awaited.
    pub(crate) fn is_unwanted(&self, attempt: &Attempt) -> bool {
        self.phase != Phase::Open || self.captured_minor > 0 || attempt.is_dead()
    }

    /// Stores a try. Nobody else asks about it before `first_query_at`.
    pub(crate) fn start_attempt(
        &mut self,
        new: NewAttempt,
        now: Instant,
        first_query_at: Instant,
    ) -> Result<Vec<Event>, Refusal> {
        self.refuse_settled(now)?;
        if let Some(unresolved) = self.attempts.iter().find(|a| a.needs_ending()) {
            return Err(Refusal::AttemptUnresolved {
                attempt_id: unresolved.id.clone(),
                state: self.state(),
            });
        }
        if self.attempts.len() >= new.max_attempts {
            return Err(Refusal::TooManyAttempts { limit: new.max_attempts });
        }
        self.attempts.push(Attempt {
            id: new.id,
            channel: new.channel,
            mode: new.mode,
            outcome: Outcome::Created,
            capture_minor: None,
            captured_minor: 0,
            decline_reason: String::new(),
            receipt_number: String::new(),
            queries: 0,
            next_query_at: Some(first_query_at),
            created_at: now,
            updated_at: now,
        });
        self.assert_consistent();
        Ok(vec![Event::Attempted])
    }

    /// Takes the right to capture a held amount; the same amount again joins the capture that is under way.
    pub(crate) fn request_capture(
        &mut self,
        amount: Money,
        first_query_at: Instant,
    ) -> Result<Vec<Event>, Refusal> {
        self.refuse_captured()?;
        if self.phase != Phase::Open {
            return Err(self.closed());
        }
        self.check_currency(amount)?;
        let (owed, state) = (self.amount, self.state());
        let exceeds = |capturable_minor: i64| Refusal::AmountExceedsCapturable {
            capturable: Money::new(owed.currency, capturable_minor),
            asked: amount,
            state,
        };
        let held = self.attempts.iter_mut().find(|a| a.outcome == Outcome::Authorized);
        let attempt = held.ok_or_else(|| exceeds(0))?;
        match attempt.capture_minor {
            Some(minor) if minor == amount.minor => Ok(Vec::new()),
            Some(_) => Err(exceeds(0)),
            None if amount.minor > owed.minor => Err(exceeds(owed.minor)),
            None => {
                attempt.capture_minor = Some(amount.minor);
                attempt.decline_reason.clear();
                attempt.queries = 0;
                attempt.next_query_at = Some(first_query_at);
                Ok(Vec::new())
            }
        }
    }

    /// Takes in money at the counter.
    pub(crate) fn record_receipt(
        &mut self,
        amount: Money,
        receipt_number: &str,
        now: Instant,
    ) -> Result<Vec<Event>, Refusal> {
        self.refuse_settled(now)?;
        self.check_currency(amount)?;
        if amount != self.amount {
            return Err(Refusal::AmountMismatch { owed: self.amount, asked: amount });
        }
        let at_counter = |a: &&mut Attempt| a.channel == ChannelName::Counter && a.is_open();
        let state = self.state();
        let attempt =
            self.attempts.iter_mut().find(at_counter).ok_or(Refusal::NoCounterAttempt { state })?;
        receipt_number.clone_into(&mut attempt.receipt_number);
        let id = attempt.id.clone();
        self.take_money(&id, amount.minor, now)
    }

    /// Stops wanting money. Closed before, or paid, is a success without effect.
    pub(crate) fn close(
        &mut self,
        reason: CloseReason,
        now: Instant,
        schedule: &Schedule,
    ) -> Vec<Event> {
        if self.phase != Phase::Open || self.captured_minor > 0 {
            return Vec::new();
        }
        self.phase = Phase::Closing(reason);
        for attempt in self.attempts.iter_mut().filter(|a| a.needs_ending()) {
            attempt.queries = 0;
            attempt.next_query_at = Some(schedule.next(now, 0));
        }
        self.finish_closing()
    }

    /// Closes what is over by the clock; what is not, or cannot expire any more, is left alone.
    pub(crate) fn expire(&mut self, now: Instant, schedule: &Schedule) -> Vec<Event> {
        if self.expiry_due_at().is_some_and(|due| due <= now) {
            self.close(CloseReason::Expired, now, schedule)
        } else {
            Vec::new()
        }
    }

    /// Takes the right to ask the channel about an attempt, if nobody took it since `due` was read.
    pub(crate) fn claim_query(
        &mut self,
        id: &AttemptId,
        due: Instant,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        let attempt = self.attempt_mut(id)?;
        if attempt.next_query_at != Some(due) {
            return Err(Refusal::NotDue);
        }
        attempt.queries += 1;
        attempt.next_query_at = Some(schedule.next(now, attempt.queries));
        Ok(Vec::new())
    }

    /// Has the channel asked soon, because something was heard of the attempt.
    pub(crate) fn hurry_query(
        &mut self,
        id: &AttemptId,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        let attempt = self.attempt_mut(id)?;
        if attempt.next_query_at.is_some() {
            attempt.queries = 0;
            attempt.next_query_at = Some(schedule.next(now, 0));
        }
        Ok(Vec::new())
    }

    fn refuse_captured(&self) -> Result<(), Refusal> {
        if self.captured_minor > 0 && self.phase == Phase::Open {
            let payment_order_id = self.id.clone();
            return Err(Refusal::AlreadyCaptured { payment_order_id, state: self.state() });
        }
        Ok(())
    }

    fn refuse_settled(&self, now: Instant) -> Result<(), Refusal> {
        self.refuse_captured()?;
        if self.phase != Phase::Open || self.expiry_due_at().is_some_and(|due| due <= now) {
            return Err(self.closed());
        }
        Ok(())
    }

    fn closed(&self) -> Refusal {
        Refusal::PaymentOrderClosed { payment_order_id: self.id.clone(), state: self.state() }
    }

    fn check_currency(&self, amount: Money) -> Result<(), Refusal> {
        let (owed, asked) = (self.amount.currency, amount.currency);
        if owed == asked { Ok(()) } else { Err(Refusal::CurrencyMismatch { owed, asked }) }
    }

    /// Stops on what must never be: more given back than captured, money without an attempt, two tries at once.
    pub(crate) fn assert_consistent(&self) {
        assert!(self.refunding_minor >= 0 && self.refunded_minor >= 0, "refunds below zero");
        assert!(self.refundable_minor() >= 0, "more given back than captured");
        let captured: i64 = self.attempts.iter().map(|a| a.captured_minor).sum();
        assert_eq!(captured, self.captured_minor, "captured money has an attempt");
        let open = self.attempts.iter().filter(|a| a.is_open()).count();
        assert!(open <= 1, "two attempts at once");
        if matches!(self.phase, Phase::Closed(_)) {
            assert!(!self.attempts.iter().any(Attempt::needs_ending), "closed before it was known");
        }
    }
}
