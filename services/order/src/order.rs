//! The customer order: everything that is known about one request, as it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;
use throughline_kit::money::{Currency, Money, UnitPrice};

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::failure::Failure;
use crate::step::{Step, StepState};

throughline_kit::define_id!(
    /// Id of a customer order.
    OrderId,
    "ord"
);

/// Customer orders at most hold this many items: a real wholesale invoice has 592.
pub(crate) const MAX_ITEMS_PER_ORDER: usize = 1_000;

/// What is asked for an offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Deliver it.
    Add,
    /// Take it back.
    Delete,
}

/// What happens to the rest when a part fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Policy {
    /// The failed business order and all that depend on it are undone.
    Branch,
    /// Everything is undone.
    Whole,
}

/// The customer, as the order needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Customer {
    /// Id in the channel or CRM.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// E.164, or empty.
    pub(crate) phone: String,
    /// BCP 47.
    pub(crate) locale: String,
    /// Where goods go.
    pub(crate) address: String,
}

/// What a return takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReturnOf {
    /// A line of an order of the same channel, by the channel's number.
    Order(String),
    /// Nothing that we know; the reason.
    StandAlone(String),
}

/// One line, as it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Unique in the order.
    pub(crate) key: String,
    /// Offering.
    pub(crate) offering: String,
    /// Units.
    pub(crate) quantity: i64,
    /// What is asked.
    pub(crate) action: Action,
    /// The channel's own price.
    pub(crate) agreed_price: Option<UnitPrice>,
    /// Choices.
    pub(crate) characteristics: BTreeMap<String, String>,
    /// What it takes back.
    pub(crate) return_of: Option<ReturnOf>,
}

/// What one line costs and needs, once the order is prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ItemPlan {
    /// Once; for a return what is paid back.
    pub(crate) charge: Money,
    /// Each month.
    pub(crate) recurring: Money,
    /// Pools and units that it takes, or gives back.
    pub(crate) demands: Vec<(String, i64)>,
    /// Where a linked return finds what it takes back.
    pub(crate) original: Option<Original>,
}

/// The line that a linked return takes back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Original {
    /// Payment order that was captured; empty when nothing was paid.
    pub(crate) payment_order_id: String,
    /// Reservation that was confirmed; empty when nothing was reserved.
    pub(crate) reservation_id: String,
    /// Line of that reservation.
    pub(crate) item_key: String,
}

/// How the customer pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PaymentPlan {
    /// Payment channel.
    pub(crate) channel: String,
    /// How long the payer has.
    pub(crate) ttl: Duration,
}

/// Why nothing of the order will be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dismissal {
    /// A check or the payer refused.
    Rejected,
    /// The payer let the time pass, or someone asked for it.
    Cancelled,
    /// It was paid and could not be delivered.
    Failed,
}

/// The states that callers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderState {
    /// Stored.
    Acknowledged,
    /// Refused by a check.
    Rejected,
    /// Waits for the payer.
    Pending,
    /// Being delivered.
    InProgress,
    /// Being cancelled.
    PendingCancellation,
    /// All delivered.
    Completed,
    /// A part delivered.
    Partial,
    /// Nothing delivered, something failed.
    Failed,
    /// Nothing delivered, as asked.
    Cancelled,
}

impl OrderState {
    /// All states with the text that is stored.
    const TEXTS: [(Self, &'static str); 9] = [
        (Self::Acknowledged, "ACKNOWLEDGED"),
        (Self::Rejected, "REJECTED"),
        (Self::Pending, "PENDING"),
        (Self::InProgress, "IN_PROGRESS"),
        (Self::PendingCancellation, "PENDING_CANCELLATION"),
        (Self::Completed, "COMPLETED"),
        (Self::Partial, "PARTIAL"),
        (Self::Failed, "FAILED"),
        (Self::Cancelled, "CANCELLED"),
    ];

    /// The text that is stored.
    pub(crate) fn as_str(self) -> &'static str {
        let found = Self::TEXTS.iter().find(|(state, _)| *state == self);
        found.map(|(_, text)| *text).expect("every state is in the table")
    }

    /// Nothing will change any more.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Rejected | Self::Completed | Self::Partial | Self::Failed | Self::Cancelled => {
                true
            }
            Self::Acknowledged | Self::Pending | Self::InProgress | Self::PendingCancellation => {
                false
            }
        }
    }
}

/// A customer's request and all that became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Id.
    pub(crate) id: OrderId,
    /// Channel that submitted it.
    pub(crate) channel: String,
    /// The channel's own number.
    pub(crate) channel_order_id: String,
    /// The customer.
    pub(crate) customer: Customer,
    /// Lines; never change.
    pub(crate) items: Arc<[Item]>,
    /// What each line costs and needs, in the order of the lines; never change once set.
    pub(crate) item_plans: Option<Arc<[ItemPlan]>>,
    /// Currency of every amount.
    pub(crate) currency: Currency,
    /// How the customer pays.
    pub(crate) payment: PaymentPlan,
    /// What happens when a part fails.
    pub(crate) policy: Policy,
    /// prepare, reserve, pay, allocate: those that the order needs.
    pub(crate) steps: Vec<Step>,
    /// The businesses; empty until prepared.
    pub(crate) business_orders: Vec<BusinessOrder>,
    /// What is owed once.
    pub(crate) total: Option<Money>,
    /// Taken from the payer.
    pub(crate) captured: i64,
    /// Given back to the payer, in minor units.
    pub(crate) refunded: i64,
    /// Payment order; empty until there is one.
    pub(crate) payment_order_id: String,
    /// Reservation; empty until there is one.
    pub(crate) reservation_id: String,
    /// Serial items by line.
    pub(crate) assigned: BTreeMap<String, Vec<String>>,
    /// Why nothing will be delivered.
    pub(crate) dismissal: Option<Dismissal>,
    /// Somebody asked to cancel; why.
    pub(crate) cancel_reason: Option<String>,
    /// The first thing that failed.
    pub(crate) failure: Option<Failure>,
    /// Trace of the submission.
    pub(crate) trace_parent: String,
    /// When it was accepted.
    pub(crate) created_at: Instant,
    /// When it last changed.
    pub(crate) updated_at: Instant,
    /// When it ended.
    pub(crate) ended_at: Option<Instant>,
    /// Grows with every stored change.
    pub(crate) version: i64,
}

impl Order {
    /// The step at a place.
    pub(crate) fn step(&self, place: Place) -> &Step {
        match place.business_order {
            None => &self.steps[place.step],
            Some(index) => &self.business_orders[index].steps[place.step],
        }
    }

    pub(crate) fn step_mut(&mut self, place: Place) -> &mut Step {
        match place.business_order {
            None => &mut self.steps[place.step],
            Some(index) => &mut self.business_orders[index].steps[place.step],
        }
    }

    /// Every step with its place.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &Step)> {
        let own = self
            .steps
            .iter()
            .enumerate()
            .map(|(step, s)| (Place { business_order: None, step }, s));
        let theirs = self.business_orders.iter().enumerate().flat_map(|(index, bo)| {
            bo.steps
                .iter()
                .enumerate()
                .map(move |(step, s)| (Place { business_order: Some(index), step }, s))
        });
        own.chain(theirs)
    }

    /// The lines of a business order with their plans.
    pub(crate) fn lines_of<'a>(
        &'a self,
        business_order: &'a BusinessOrder,
    ) -> impl Iterator<Item = (&'a Item, &'a ItemPlan)> {
        let plans = self.item_plans.as_deref().unwrap_or_default();
        self.items
            .iter()
            .zip(plans)
            .filter(|(item, _)| business_order.item_keys.binary_search(&item.key).is_ok())
    }

    /// The business order of the line is done.
    pub(crate) fn has_delivered(&self, item: &Item) -> bool {
        self.business_orders.iter().any(|bo| {
            bo.state == BusinessOrderState::Done && bo.item_keys.binary_search(&item.key).is_ok()
        })
    }

    /// The order's own steps are being undone, last first.
    pub(crate) fn is_unwinding(&self) -> bool {
        self.dismissal.is_some()
    }

    /// Delivery has begun: what is undone now is undone by business order.
    pub(crate) fn is_delivering(&self) -> bool {
        !self.business_orders.is_empty()
            && self.steps.iter().all(|step| step.state == StepState::Succeeded)
    }

    /// A person should look.
    pub(crate) fn needs_attention(&self) -> bool {
        self.business_orders.iter().any(|bo| bo.state == BusinessOrderState::Stuck)
            || self.places().any(|(_, step)| step.needs_attention())
    }
}

/// Where a step stands: in the order itself or in one of its business orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the business order; `None` for the order's own steps.
    pub(crate) business_order: Option<usize>,
    /// Index of the step there.
    pub(crate) step: usize,
}
