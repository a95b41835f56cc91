//! Trying to get the money: an attempt is stored, then the channel is called, then its answer is stored.
//!
//! A charge whose call certainly did not arrive (UNAVAILABLE) is sent again a few times with the same reference, and
//! after that the attempt has ended as NOT_ATTEMPTED: its reference is never charged again, the caller starts another
//! attempt. A call that may have arrived is UNKNOWN and is never repeated: the channel is asked.

use throughline_kit::error::{Error, Kind};
use throughline_kit::money::Money;
use throughline_proto::payment::v1 as proto;

use crate::attempt::{Attempt, AttemptId, ChannelName, Outcome, Report};
use crate::center::{Asked, Center, detached};
use crate::channel::NoAnswer;
use crate::convert::{OnOrder, Receipt, Try};
use crate::error::{DOMAIN, Refusal};
use crate::payment_order::{NewAttempt, PaymentOrder, Phase};
use crate::resolving::IfUnheard;
use crate::store;
use crate::transition::Answered;

/// A payment order and what its payer must do next.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) order: PaymentOrder,
    pub(crate) next_action: String,
}

impl Center {
    /// Starts an attempt, or tells how the one of the same request stands.
    pub(crate) async fn start_attempt(&self, asked: Asked<Try>) -> Result<Tried, Error> {
        let center = self.clone();
        detached(async move { center.start_attempt_now(asked).await }).await
    }

    async fn start_attempt_now(&self, asked: Asked<Try>) -> Result<Tried, Error> {
        let _claim = self.idempotency.enter(&asked.key)?;
        let wanted = asked.what;
        self.touch(&wanted.payment_order_id).await?;
        let id = AttemptId::generate();
        let new = NewAttempt {
            id: id.clone(),
            channel: wanted.channel,
            mode: wanted.mode,
            max_attempts: self.config.max_attempts_per_order,
        };
        let patience = self.config.patience();
        let change = self.transition(
            &wanted.payment_order_id,
            &asked.caller.trace_parent,
            move |order, now| order.start_attempt(new.clone(), now, now.plus(patience)),
        );
        let first = self.once(asked.key, Answered(change)).await?;
        let stored = first.attempts.last().map(|a| AttemptId::parse(&a.attempt_id));
        let stored = stored
            .and_then(Result::ok)
            .ok_or_else(|| Error::internal(DOMAIN, "a first answer without its attempt"))?;
        let order = store::read(&self.database, &wanted.payment_order_id).await?;
        let attempt = order.attempt(&stored)?;
        let order = if stored == id {
            self.charge_and_store(&order, attempt).await?
        } else {
            self.carry_on(order.clone(), attempt).await?
        };
        let waiting = order.attempt(&stored)?;
        let next_action = if waiting.outcome == Outcome::Pending && order.phase == Phase::Open {
            self.channels.get(waiting.channel).next_action(waiting)
        } else {
            String::new()
        };
        Ok(Tried { order, next_action })
    }

    /// Goes on with an attempt of a repeated request: asks the channel if nobody knows how it stands. A charge that was
    /// stored but never arrived is sent now, with the same reference.
    async fn carry_on(
        &self,
        order: PaymentOrder,
        attempt: &Attempt,
    ) -> Result<PaymentOrder, Error> {
        match attempt.outcome {
            Outcome::Created => {
                let answer = self.ask(&order, attempt, IfUnheard::Charge).await;
                self.store_if_heard(order, attempt, answer).await
            }
            Outcome::Unknown => {
                let answer = self.ask(&order, attempt, IfUnheard::Cancel).await;
                self.store_if_heard(order, attempt, answer).await
            }
            Outcome::Pending
            | Outcome::Authorized
            | Outcome::Captured
            | Outcome::Declined
            | Outcome::NotAttempted => Ok(order),
        }
    }

    async fn store_if_heard(
        &self,
        order: PaymentOrder,
        attempt: &Attempt,
        answer: Result<Report, NoAnswer>,
    ) -> Result<PaymentOrder, Error> {
        match answer {
            Ok(report) => self.store_report(&order, attempt, report).await,
            Err(_) => Ok(order),
        }
    }

    async fn charge_and_store(
        &self,
        order: &PaymentOrder,
        attempt: &Attempt,
    ) -> Result<PaymentOrder, Error> {
        let report = self.charge(order, attempt).await;
        let stored = self.store_report(order, attempt, report).await;
        // The channel was called: that it could not be stored does not mean that nothing happened.
        stored.map_err(|error| Error { kind: Kind::OutcomeUnknown, ..error })
    }

    /// Calls the channel, and again while the call certainly did not arrive.
    pub(crate) async fn charge(&self, order: &PaymentOrder, attempt: &Attempt) -> Report {
        let channel = self.channels.get(attempt.channel);
        let mut answer = channel.charge(order, attempt).await;
        for delay in self.config.retry_delays() {
            if !matches!(answer, Err(NoAnswer::NotAttempted(_))) {
                break;
            }
            tokio::time::sleep(delay).await;
            answer = channel.charge(order, attempt).await;
        }
        match answer {
            Ok(report) => report,
            Err(NoAnswer::NotAttempted(cause)) => {
                tracing::info!(attempt_id = %attempt.id, cause, "charge was not attempted");
                Report::NotAttempted
            }
            Err(NoAnswer::Unknown(cause)) => {
                tracing::info!(attempt_id = %attempt.id, cause, "charge has no known outcome");
                Report::Unknown
            }
        }
    }

    /// Captures what is held.
    pub(crate) async fn capture_payment(
        &self,
        asked: Asked<OnOrder<Money>>,
    ) -> Result<PaymentOrder, Error> {
        let center = self.clone();
        detached(async move { center.capture_now(asked).await }).await
    }

    async fn capture_now(&self, asked: Asked<OnOrder<Money>>) -> Result<PaymentOrder, Error> {
        let _claim = self.idempotency.enter(&asked.key)?;
        let OnOrder { payment_order_id, what: amount, .. } = asked.what;
        let under_way = self.touch(&payment_order_id).await?.is_some_and(|order| {
            order.attempts.iter().any(|attempt| attempt.capture_minor.is_some())
        });
        let patience = self.config.patience();
        let change =
            self.transition(&payment_order_id, &asked.caller.trace_parent, move |order, now| {
                order.request_capture(amount, now.plus(patience))
            });
        self.once(asked.key, Answered(change)).await?;
        let order = store::read(&self.database, &payment_order_id).await?;
        let order = match order.attempts.iter().find(|a| a.capture_minor.is_some()) {
            Some(attempt) if attempt.outcome == Outcome::Authorized => {
                let answer = if under_way {
                    self.ask(&order, attempt, IfUnheard::Leave).await
                } else {
                    self.capture(&order, attempt).await
                };
                self.store_if_heard(order.clone(), attempt, answer).await?
            }
            Some(_) | None => order,
        };
        captured(order)
    }

    async fn capture(&self, order: &PaymentOrder, attempt: &Attempt) -> Result<Report, NoAnswer> {
        let channel = self.channels.get(attempt.channel);
        let mut answer = channel.capture(order, attempt).await;
        for delay in self.config.retry_delays() {
            if !matches!(answer, Err(NoAnswer::NotAttempted(_))) {
                break;
            }
            tokio::time::sleep(delay).await;
            answer = channel.capture(order, attempt).await;
        }
        answer
    }

    /// Records money at the counter.
    pub(crate) async fn record_receipt(
        &self,
        asked: Asked<OnOrder<Receipt>>,
    ) -> Result<proto::PaymentOrder, Error> {
        let OnOrder { payment_order_id, what: Receipt { amount, number }, .. } = asked.what;
        let change =
            self.transition(&payment_order_id, &asked.caller.trace_parent, move |order, now| {
                order.record_receipt(amount, &number, now)
            });
        self.idempotency.once(asked.key, Answered(change)).await
    }

    /// Asks about what is not known of a payment order before anything else is done with it. The counter is not asked:
    /// it tells by itself.
    pub(crate) async fn touch(
        &self,
        id: &crate::payment_order::PaymentOrderId,
    ) -> Result<Option<PaymentOrder>, Error> {
        let order = match store::read(&self.database, id).await {
            Ok(order) => order,
            // The change itself refuses it, so that the refusal is kept as the first answer.
            Err(missing) if missing.is_final() => return Ok(None),
            Err(error) => return Err(error),
        };
        let now = self.clock.now();
        let unknown = order
            .attempts
            .iter()
            .find(|a| a.channel != ChannelName::Counter && a.is_open() && a.is_askable(now));
        let Some(attempt) = unknown else {
            return Ok(Some(order));
        };
        let answer = self.ask(&order, attempt, IfUnheard::Cancel).await;
        self.store_if_heard(order.clone(), attempt, answer).await.map(Some)
    }
}

/// Says what became of a capture.
fn captured(order: PaymentOrder) -> Result<PaymentOrder, Error> {
    if order.captured_minor > 0 {
        return Ok(order);
    }
    let payment_order_id = order.id.clone();
    let held = order.attempts.iter().find(|a| a.outcome == Outcome::Authorized);
    let refusal = match (order.phase, held) {
        (Phase::Open, Some(attempt)) if attempt.capture_minor.is_none() => {
            Refusal::ChannelDeclined { decline_reason: attempt.decline_reason.clone() }
        }
        (Phase::Open, Some(_)) => Refusal::CaptureUnknown { payment_order_id },
        (Phase::Open, None) => match order.attempts.last() {
            Some(last) if last.is_dead() => {
                Refusal::ChannelDeclined { decline_reason: last.decline_reason.clone() }
            }
            Some(_) | None => Refusal::CaptureUnknown { payment_order_id },
        },
        (Phase::Closing(_) | Phase::Closed(_), _) => {
            Refusal::PaymentOrderClosed { payment_order_id, state: order.state() }
        }
    };
    Err(refusal.into())
}
