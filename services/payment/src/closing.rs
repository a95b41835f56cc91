//! Closing what is not to be paid any more: the channel is asked to end what may still bring money, and only its answer
//! closes the payment order.

use throughline_kit::error::Error;

use crate::attempt::AttemptId;
use crate::center::{Asked, Center, detached};
use crate::convert::OnOrder;
use crate::payment_order::{CloseReason, PaymentOrder, PaymentOrderId, Phase};
use crate::resolving::IfUnheard;
use crate::store;
use crate::transition::Answered;

impl Center {
    /// Closes a payment order, or tells how the close of the same request stands.
    pub(crate) async fn close_payment_order(
        &self,
        asked: Asked<OnOrder<()>>,
    ) -> Result<PaymentOrder, Error> {
        let center = self.clone();
        detached(async move { center.close_now(asked).await }).await
    }

    async fn close_now(&self, asked: Asked<OnOrder<()>>) -> Result<PaymentOrder, Error> {
        let _claim = self.idempotency.enter(&asked.key)?;
        let id = asked.what.payment_order_id;
        let schedule = self.schedule.clone();
        let change = self.transition(&id, &asked.caller.trace_parent, move |order, now| {
            // What is over by the clock has expired, also where the caller says so before the janitor looks.
            let mut events = order.expire(now, &schedule);
            events.extend(order.close(CloseReason::Caller, now, &schedule));
            Ok(events)
        });
        self.once(asked.key, Answered(change)).await?;
        let order = store::read(&self.database, &id).await?;
        self.end_attempts(order).await
    }

    /// Closes a payment order whose time is over.
    pub(crate) async fn expire(&self, id: &PaymentOrderId) -> Result<PaymentOrder, Error> {
        let schedule = self.schedule.clone();
        let expire = move |order: &mut PaymentOrder, now| Ok(order.expire(now, &schedule));
        let order = self.change_order(id, expire).await?;
        self.end_attempts(order).await
    }

    /// Asks the channel to end what stands in the way of closing. What it does not answer is asked again later.
    async fn end_attempts(&self, mut order: PaymentOrder) -> Result<PaymentOrder, Error> {
        let in_the_way: Vec<AttemptId> = order
            .attempts
            .iter()
            .filter(|attempt| attempt.needs_ending())
            .map(|attempt| attempt.id.clone())
            .collect();
        for id in in_the_way {
            if !matches!(order.phase, Phase::Closing(_)) {
                break;
            }
            let attempt = order.attempt(&id)?.clone();
            match self.ask(&order, &attempt, IfUnheard::Cancel).await {
                Ok(report) => order = self.store_report(&order, &attempt, report).await?,
                Err(silence) => {
                    let cause = silence.cause();
                    tracing::info!(attempt_id = %id, cause, "close waits for the channel");
                }
            }
        }
        Ok(order)
    }
}
