//! Giving money back: reserved and stored first, then asked for at the channel by our reference until it is definite.

use std::time::Duration;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::payment::v1 as proto;

use crate::center::{Asked, Center, detached};
use crate::channel::NoAnswer;
use crate::convert::{self, RefundWish};
use crate::error::DOMAIN;
use crate::event::{self, Occasion};
use crate::payment_order::{Event, PaymentOrder, PaymentOrderId};
use crate::refund::{LATE_MONEY, NewRefund, Refund, RefundId, RefundState};
use crate::store;
use crate::transition::save_order;

/// Reserves and stores a refund.
struct Request {
    new: NewRefund,
    payment_order_id: Option<PaymentOrderId>,
    patience: Duration,
    clock: Clock,
}

impl Change for Request {
    type Output = proto::Refund;

    async fn apply(&self, tx: &mut Tx) -> Result<proto::Refund, Error> {
        let now = self.clock.now();
        let first_query_at = now.plus(self.patience);
        let new = self.new.clone();
        let (order, refund) = match &self.payment_order_id {
            None => (None, Refund::stand_alone(new, now, first_query_at)),
            Some(id) => {
                let before = store::load(tx, id).await?;
                let mut after = before.clone();
                let late = late_refunds(tx, &before).await?;
                let refund = Refund::of_payment_order(&mut after, &late, new, now, first_query_at)?;
                save_order(tx, &before, &mut after, now).await?;
                (Some(after), refund)
            }
        };
        store::refund::insert(tx, &refund);
        let occasion = Occasion { at: now, trace_parent: &self.new.trace_parent };
        event::announce(tx, order.as_ref(), &[Event::RefundRequested(refund.clone())], occasion);
        Ok(convert::refund(&refund))
    }
}

/// The refunds of money that came when nobody waited for it.
async fn late_refunds(tx: &mut Tx, order: &PaymentOrder) -> Result<Vec<Refund>, Error> {
    let mut late = Vec::new();
    for attempt in order.attempts.iter().filter(|attempt| attempt.captured_minor > 0) {
        late.extend(store::refund::find(tx, &RefundId::of_late_money(&attempt.id)).await?);
    }
    Ok(late)
}

impl Center {
    /// Requests a refund, or goes on with the one of the same request.
    pub(crate) async fn create_refund(&self, asked: Asked<RefundWish>) -> Result<Refund, Error> {
        let center = self.clone();
        detached(async move { center.create_refund_now(asked).await }).await
    }

    async fn create_refund_now(&self, asked: Asked<RefundWish>) -> Result<Refund, Error> {
        let _claim = self.idempotency.enter(&asked.key)?;
        let wish = asked.what;
        if let Some(id) = &wish.payment_order_id {
            self.touch(id).await?;
        }
        let request = Request {
            new: NewRefund {
                id: RefundId::generate(),
                amount: wish.amount,
                order_id: wish.order_id,
                payer_id: wish.payer_id,
                reason: wish.reason,
                trace_parent: asked.caller.trace_parent,
            },
            payment_order_id: wish.payment_order_id,
            patience: self.config.patience(),
            clock: self.clock.clone(),
        };
        let first = self.once(asked.key, request).await?;
        let id = RefundId::parse(&first.refund_id).map_err(|e| Error::internal(DOMAIN, e))?;
        let refund = store::refund::read(&self.database, &id).await?;
        self.carry_out(refund).await.map(|(refund, _)| refund)
    }

    /// Asks the channel for a refund that is not definite yet, and stores its answer. Says so when there was none: the
    /// refund then stays pending, and is asked for again.
    pub(crate) async fn carry_out(
        &self,
        refund: Refund,
    ) -> Result<(Refund, Option<NoAnswer>), Error> {
        if refund.state != RefundState::Pending {
            return Ok((refund, None));
        }
        let report = match self.channels.get(refund.channel).refund(&refund).await {
            Ok(report) => report,
            Err(silence) => {
                let schedule = self.schedule.clone();
                let id = refund.id.clone();
                let wait = move |refund: &mut Refund, _: Option<&mut PaymentOrder>, now| {
                    Ok(refund.wait(now, &schedule))
                };
                return Ok((self.change_refund(&id, wait).await?, Some(silence)));
            }
        };
        let id = refund.id.clone();
        let schedule = self.schedule.clone();
        let settle = move |refund: &mut Refund, order: Option<&mut PaymentOrder>, now| {
            let events = refund.settle(order, report.clone(), now);
            Ok([events, refund.wait(now, &schedule)].concat())
        };
        let after = self.change_refund(&id, settle).await?;
        if after.state == RefundState::Failed && after.reason == LATE_MONEY {
            tracing::warn!(
                refund_id = %after.id,
                order_id = after.order_id,
                decline_reason = after.decline_reason,
                "late money could not be given back"
            );
        }
        Ok((after, None))
    }

    /// Reads a page of refunds and the token of the next one.
    pub(crate) async fn list_refunds(
        &self,
        filter: store::refund::Filter,
    ) -> Result<(Vec<Refund>, String), Error> {
        let refunds = store::refund::list(&self.database, &filter).await?;
        Ok(filter.page.cut(refunds, |refund| (refund.created_at, refund.id.to_string())))
    }
}
