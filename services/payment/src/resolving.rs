//! Asking a channel how an attempt stands, and storing what it says.

use throughline_kit::error::Error;

use crate::attempt::{Attempt, AttemptId, Outcome, Report};
use crate::center::Center;
use crate::channel::NoAnswer;
use crate::convert::Reference;
use crate::error::Refusal;
use crate::payment_order::{PaymentOrder, PaymentOrderId};
use crate::refund::RefundId;
use crate::store;

/// What to do about a charge of which the channel never heard: it may still be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfUnheard {
    /// End it at the channel, so that it is certain that it will never succeed.
    Cancel,
    /// Send it, with the same reference: somebody waits for it now.
    Charge,
    /// Nothing: whoever sent it is still at it, or asks again later.
    Leave,
}

impl Center {
    /// Asks the channel about an attempt. What nobody wants any more is ended rather than asked about.
    pub(crate) async fn ask(
        &self,
        order: &PaymentOrder,
        attempt: &Attempt,
        if_unheard: IfUnheard,
    ) -> Result<Report, NoAnswer> {
        if order.is_unwanted(attempt) {
            return self.end_at_channel(order, attempt).await;
        }
        let channel = self.channels.get(attempt.channel);
        let report = channel.query(order, attempt).await?;
        match (&report, if_unheard) {
            (Report::NotFound, IfUnheard::Cancel) => self.end_at_channel(order, attempt).await,
            (Report::NotFound, IfUnheard::Charge) => Ok(match self.charge(order, attempt).await {
                // True of this call; an earlier one may still be on its way, and is ended at the channel before it is given up.
                Report::NotAttempted => Report::Unknown,
                other => other,
            }),
            (Report::Succeeded { authorized_only: true, .. }, _)
                if attempt.outcome == Outcome::Authorized && attempt.capture_minor.is_some() =>
            {
                channel.capture(order, attempt).await
            }
            _ => Ok(report),
        }
    }

    async fn end_at_channel(
        &self,
        order: &PaymentOrder,
        attempt: &Attempt,
    ) -> Result<Report, NoAnswer> {
        let channel = self.channels.get(attempt.channel);
        match channel.cancel(order, attempt).await? {
            // The money came before: how much, only the transaction tells.
            Report::Succeeded { .. } => channel.query(order, attempt).await,
            ended => Ok(ended),
        }
    }

    /// Stores what a channel said of an attempt.
    pub(crate) async fn store_report(
        &self,
        order: &PaymentOrder,
        attempt: &Attempt,
        report: Report,
    ) -> Result<PaymentOrder, Error> {
        let (id, schedule) = (attempt.id.clone(), self.schedule.clone());
        let decide =
            move |order: &mut PaymentOrder, now| order.report(&id, report.clone(), now, &schedule);
        let after = self.change_order(&order.id, decide).await?;
        if after.attempt(&attempt.id)?.is_quarantined() && !attempt.is_quarantined() {
            tracing::warn!(
                payment_order_id = %order.id,
                attempt_id = %attempt.id,
                order_id = order.order_id,
                "INTEGRITY_MISMATCH: the channel reports another amount; the attempt is quarantined"
            );
        }
        Ok(after)
    }

    /// Asks the channel now, for an operator.
    pub(crate) async fn resolve_attempt(&self, id: &AttemptId) -> Result<PaymentOrder, Error> {
        let missing = || Refusal::AttemptNotFound { attempt_id: id.to_string() };
        let order_id = store::attempt::payment_order_of(&self.database, id).await?;
        let order = store::read(&self.database, &order_id.ok_or_else(missing)?).await?;
        let attempt = order.attempt(id)?;
        if !attempt.is_askable(self.clock.now()) {
            return Ok(order);
        }
        match self.ask(&order, attempt, IfUnheard::Cancel).await {
            Ok(report) => self.store_report(&order, attempt, report).await,
            Err(silence) => Err(Refusal::ChannelUnavailable { cause: silence.cause() }.into()),
        }
    }

    /// Takes a channel's message as a hint: asks by our reference and believes only the answer.
    pub(crate) async fn handle_channel_event(&self, reference: Reference) -> Result<(), Error> {
        match reference {
            Reference::Attempt(id) => {
                let missing = || Refusal::ReferenceNotFound { reference: id.to_string() };
                let order_id = store::attempt::payment_order_of(&self.database, &id).await?;
                self.follow_hint(&order_id.ok_or_else(missing)?, &id).await
            }
            Reference::Refund(id) => self.follow_refund_hint(&id).await,
        }
    }

    async fn follow_hint(&self, order_id: &PaymentOrderId, id: &AttemptId) -> Result<(), Error> {
        let order = store::read(&self.database, order_id).await?;
        let attempt = order.attempt(id)?;
        if attempt.outcome == Outcome::Captured {
            return Ok(());
        }
        match self.ask(&order, attempt, IfUnheard::Leave).await {
            Ok(report) => self.store_report(&order, attempt, report).await.map(|_| ()),
            Err(silence) => {
                let (id, schedule) = (id.clone(), self.schedule.clone());
                let hurry =
                    move |order: &mut PaymentOrder, now| order.hurry_query(&id, now, &schedule);
                self.change_order(order_id, hurry).await?;
                Err(Refusal::ChannelUnavailable { cause: silence.cause() }.into())
            }
        }
    }

    async fn follow_refund_hint(&self, id: &RefundId) -> Result<(), Error> {
        let refund = match store::refund::read(&self.database, id).await {
            Ok(refund) => refund,
            Err(missing) if missing.is_final() => {
                return Err(Refusal::ReferenceNotFound { reference: id.to_string() }.into());
            }
            Err(error) => return Err(error),
        };
        match self.carry_out(refund).await? {
            (_, Some(silence)) => {
                Err(Refusal::ChannelUnavailable { cause: silence.cause() }.into())
            }
            (_, None) => Ok(()),
        }
    }
}
