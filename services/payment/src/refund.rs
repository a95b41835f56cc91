//! Money going back: stored and reserved first, then asked for at the channel until it says how it ended.

use throughline_kit::clock::Instant;
use throughline_kit::money::Money;

use crate::attempt::{Attempt, AttemptId, CANCELLED, ChannelName, Schedule};
use crate::error::Refusal;
use crate::payment_order::{Event, PaymentOrder, PaymentOrderId};

throughline_kit::define_id!(
    /// Our reference of a refund at its channel.
    RefundId,
    "ref"
);

/// Why money that nobody waits for any more goes back.
pub(crate) const LATE_MONEY: &str = "LATE_MONEY";

/// State of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    /// Asked for; the channel has not confirmed.
    Pending,
    /// The channel confirmed.
    Succeeded,
    /// The channel refused for good.
    Failed,
}

throughline_kit::define_texts!(RefundState {
    Pending: "PENDING",
    Succeeded: "SUCCEEDED",
    Failed: "FAILED",
});

/// What a channel says of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundReport {
    /// Given back.
    Succeeded,
    /// Refused for good.
    Declined {
        /// Reason of the channel.
        reason: String,
    },
    /// Ended without money.
    Cancelled,
    /// Still at it.
    Pending,
}

/// The charge that a refund gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundedCharge {
    /// Payment order.
    pub(crate) payment_order_id: PaymentOrderId,
    /// Its captured attempt.
    pub(crate) attempt_id: AttemptId,
}

/// Money going back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// Our reference.
    pub(crate) id: RefundId,
    /// Grows with each change.
    pub(crate) version: i64,
    /// What is given back; none for a payout of its own.
    pub(crate) charge: Option<RefundedCharge>,
    /// Where.
    pub(crate) channel: ChannelName,
    /// How it stands.
    pub(crate) state: RefundState,
    /// How much.
    pub(crate) amount: Money,
    /// Order that it belongs to.
    pub(crate) order_id: String,
    /// Who gets it.
    pub(crate) payer_id: String,
    /// Why.
    pub(crate) reason: String,
    /// Why not; empty unless it failed.
    pub(crate) decline_reason: String,
    /// Questions asked.
    pub(crate) queries: i64,
    /// When the channel is asked next; none at the end.
    pub(crate) next_query_at: Option<Instant>,
    /// When it was asked for.
    pub(crate) created_at: Instant,
    /// When it ended.
    pub(crate) ended_at: Option<Instant>,
    /// W3C traceparent of the request; empty where there was none.
    pub(crate) trace_parent: String,
}

/// What a caller wants given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewRefund {
    /// Our reference.
    pub(crate) id: RefundId,
    /// How much.
    pub(crate) amount: Money,
    /// Order that it belongs to; empty takes the payment order's.
    pub(crate) order_id: String,
    /// Who gets it; a payment order's own payer where there is one.
    pub(crate) payer_id: String,
    /// Why.
    pub(crate) reason: String,
    /// W3C traceparent of the request.
    pub(crate) trace_parent: String,
}

impl RefundId {
    /// The id of the refund of an attempt's late money: it belongs to the attempt, so that it exists once.
    pub(crate) fn of_late_money(attempt: &AttemptId) -> Self {
        Self::derive(&[LATE_MONEY, attempt.as_str()])
    }
}

impl Refund {
    /// Reserves a part of what was captured because it was owed. Money that came late goes back by the refunds in
    /// `late`, all of it: those attempts give nothing else back, and what they gave back was not taken from the others.
    pub(crate) fn of_payment_order(
        order: &mut PaymentOrder,
        late: &[Self],
        new: NewRefund,
        now: Instant,
        first_query_at: Instant,
    ) -> Result<Self, Refusal> {
        let currency = order.amount.currency;
        if new.amount.currency != currency {
            return Err(Refusal::CurrencyMismatch { owed: currency, asked: new.amount.currency });
        }
        let came_late =
            |attempt: &Attempt| late.iter().any(|r| r.id == RefundId::of_late_money(&attempt.id));
        let wanted = order.attempts.iter().find(|a| a.captured_minor > 0 && !came_late(a));
        let late_back: i64 = late
            .iter()
            .filter(|refund| refund.state != RefundState::Failed)
            .map(|refund| refund.amount.minor)
            .sum();
        let given_back = order.refunding_minor + order.refunded_minor - late_back;
        let refundable = wanted.map_or(0, |attempt| attempt.captured_minor - given_back);
        let Some(attempt) = wanted.filter(|_| new.amount.minor <= refundable) else {
            return Err(Refusal::AmountExceedsRefundable {
                payment_order_id: order.id.clone(),
                refundable: Money::new(currency, refundable),
                asked: new.amount,
                state: order.state(),
            });
        };
        let charge =
            RefundedCharge { payment_order_id: order.id.clone(), attempt_id: attempt.id.clone() };
        let channel = attempt.channel;
        order.refunding_minor += new.amount.minor;
        let new = NewRefund { payer_id: order.payer_id.clone(), ..new };
        let new = if new.order_id.is_empty() {
            NewRefund { order_id: order.order_id.clone(), ..new }
        } else {
            new
        };
        Ok(Self::pending(new, Some(charge), channel, [now, first_query_at]))
    }

    /// Pays out without a charge.
    pub(crate) fn stand_alone(new: NewRefund, now: Instant, first_query_at: Instant) -> Self {
        Self::pending(new, None, ChannelName::Sandbox, [now, first_query_at])
    }

    /// Gives back all of a charge that nobody waits for any more.
    pub(crate) fn of_late_money(order: &PaymentOrder, attempt: &Attempt, now: Instant) -> Self {
        let new = NewRefund {
            id: RefundId::of_late_money(&attempt.id),
            amount: Money::new(order.amount.currency, attempt.captured_minor),
            order_id: order.order_id.clone(),
            payer_id: order.payer_id.clone(),
            reason: LATE_MONEY.to_owned(),
            trace_parent: order.trace_parent.clone(),
        };
        let charge =
            RefundedCharge { payment_order_id: order.id.clone(), attempt_id: attempt.id.clone() };
        Self::pending(new, Some(charge), attempt.channel, [now, now])
    }

    fn pending(
        new: NewRefund,
        charge: Option<RefundedCharge>,
        channel: ChannelName,
        [now, first_query_at]: [Instant; 2],
    ) -> Self {
        Self {
            id: new.id,
            version: 0,
            charge,
            channel,
            state: RefundState::Pending,
            amount: new.amount,
            order_id: new.order_id,
            payer_id: new.payer_id,
            reason: new.reason,
            decline_reason: String::new(),
            queries: 0,
            next_query_at: Some(first_query_at),
            created_at: now,
            ended_at: None,
            trace_parent: new.trace_parent,
        }
    }

    /// Takes the right to ask the channel, if nobody took it since `due` was read.
    pub(crate) fn claim_query(
        &mut self,
        due: Instant,
        now: Instant,
        schedule: &Schedule,
    ) -> Result<Vec<Event>, Refusal> {
        if self.next_query_at != Some(due) {
            return Err(Refusal::NotDue);
        }
        self.queries += 1;
        self.next_query_at = Some(schedule.next(now, self.queries));
        Ok(Vec::new())
    }

    /// After the first try, has the channel asked again by the schedule. The wait for the first try ends here.
    pub(crate) fn wait(&mut self, now: Instant, schedule: &Schedule) -> Vec<Event> {
        if self.state == RefundState::Pending && self.queries == 0 {
            self.next_query_at = Some(schedule.next(now, 0));
        }
        Vec::new()
    }

    /// Takes in what the channel says, and what it means for the payment order. What ended stays so.
    pub(crate) fn settle(
        &mut self,
        order: Option<&mut PaymentOrder>,
        report: RefundReport,
        now: Instant,
    ) -> Vec<Event> {
        assert_eq!(order.is_some(), self.charge.is_some(), "a refund goes with its payment order");
        if self.state != RefundState::Pending {
            return Vec::new();
        }
        let (state, reason) = match report {
            RefundReport::Pending => return Vec::new(),
            RefundReport::Succeeded => (RefundState::Succeeded, String::new()),
            RefundReport::Declined { reason } => (RefundState::Failed, reason),
            RefundReport::Cancelled => (RefundState::Failed, CANCELLED.to_owned()),
        };
        if let Some(order) = order {
            order.refunding_minor -= self.amount.minor;
            if state == RefundState::Succeeded {
                order.refunded_minor += self.amount.minor;
            }
            order.assert_consistent();
        }
        self.state = state;
        self.decline_reason = reason;
        self.next_query_at = None;
        self.ended_at = Some(now);
        let settled = self.clone();
        if state == RefundState::Succeeded {
            vec![Event::Refunded(settled)]
        } else {
            vec![Event::RefundFailed(settled)]
        }
    }
}
