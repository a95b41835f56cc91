//! Changes as they are stored: load, decide, save what changed, announce. All of it in one transaction, and without
//! any call.

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::payment::v1 as proto;

use crate::convert;
use crate::error::Refusal;
use crate::event::{self, Occasion};
use crate::payment_order::{Event, PaymentOrder, PaymentOrderId};
use crate::refund::{Refund, RefundId};
use crate::store;

/// A change of one payment order.
pub(crate) struct OrderTransition<F> {
    /// Which one.
    pub(crate) id: PaymentOrderId,
    /// The clock that decides at the commit.
    pub(crate) clock: Clock,
    /// W3C traceparent of the request; empty for background work.
    pub(crate) trace_parent: String,
    /// The rule.
    pub(crate) decide: F,
}

impl<F> Change for OrderTransition<F>
where
    F: Fn(&mut PaymentOrder, Instant) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
{
    type Output = PaymentOrder;

    async fn apply(&self, tx: &mut Tx) -> Result<PaymentOrder, Error> {
        let before = store::load(tx, &self.id).await?;
        let mut after = before.clone();
        let now = self.clock.now();
        let events = (self.decide)(&mut after, now)?;
        save_order(tx, &before, &mut after, now).await?;
        for event in &events {
            if let Event::LateMoney(refund) | Event::RefundRequested(refund) = event {
                store::refund::insert(tx, refund);
            }
        }
        let occasion = Occasion { at: now, trace_parent: &self.trace_parent };
        event::announce(tx, Some(&after), &events, occasion);
        Ok(after)
    }
}

/// A change of one refund, and of its payment order where it has one.
pub(crate) struct RefundTransition<F> {
    /// Which one.
    pub(crate) id: RefundId,
    /// The clock that decides at the commit.
    pub(crate) clock: Clock,
    /// The rule.
    pub(crate) decide: F,
}

impl<F> Change for RefundTransition<F>
where
    F: Fn(&mut Refund, Option<&mut PaymentOrder>, Instant) -> Result<Vec<Event>, Refusal>
        + Send
        + Sync
        + 'static,
{
    type Output = Refund;

    async fn apply(&self, tx: &mut Tx) -> Result<Refund, Error> {
        let before = store::refund::load(tx, &self.id).await?;
        let order_before = match &before.charge {
            Some(charge) => Some(store::load(tx, &charge.payment_order_id).await?),
            None => None,
        };
        let (mut after, mut order) = (before.clone(), order_before.clone());
        let now = self.clock.now();
        let events = (self.decide)(&mut after, order.as_mut(), now)?;
        if after != before {
            store::refund::save(tx, &before, &after).await?;
            after.version += 1;
        }
        if let (Some(order_before), Some(order)) = (&order_before, &mut order) {
            save_order(tx, order_before, order, now).await?;
        }
        event::announce(tx, order.as_ref(), &events, Occasion { at: now, trace_parent: "" });
        Ok(after)
    }
}

/// Writes a payment order if anything changed. Questions asked of a channel are no change that anybody sees.
pub(crate) async fn save_order(
    tx: &mut Tx,
    before: &PaymentOrder,
    after: &mut PaymentOrder,
    now: Instant,
) -> Result<(), Error> {
    if after == before {
        return Ok(());
    }
    after.assert_consistent();
    let outcomes = |order: &PaymentOrder| -> Vec<_> {
        order.attempts.iter().map(|a| (a.outcome, a.capture_minor)).collect()
    };
    let seen = |order: &PaymentOrder| {
        (order.state(), order.refunding_minor, order.refunded_minor, outcomes(order))
    };
    if seen(before) != seen(after) {
        after.updated_at = now;
    }
    store::save(tx, before, after).await?;
    after.version += 1;
    Ok(())
}

/// Answers with the payment order as the contract shows it, so that the answer can be kept.
pub(crate) struct Answered<C>(pub(crate) C);

impl<C: Change<Output = PaymentOrder>> Change for Answered<C> {
    type Output = proto::PaymentOrder;

    async fn apply(&self, tx: &mut Tx) -> Result<proto::PaymentOrder, Error> {
        Ok(convert::payment_order(&self.0.apply(tx).await?))
    }
}
