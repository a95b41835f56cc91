//! The customer order: everything that is known about one request, as it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::clock::Instant;
use throughline_kit::money::{Currency, Money, UnitPrice};

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::campaign::Sale;
use crate::cancellation::Cancellation;
use crate::failure::Failure;
use crate::flow::Pinned;
use crate::hold::Hold;
use crate::shared::Shared;
use crate::signal::Signal;
use crate::step::{Step, StepState};
use crate::template::{Activity, FailurePolicy};

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
    /// Change what the customer has.
    Modify,
}

/// How urgent an order is when nobody says it.
pub(crate) const DEFAULT_PRIORITY: u8 = 5;
/// The most urgent.
pub(crate) const MAX_PRIORITY: u8 = 9;

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
    /// Its lines are being changed.
    AssessingChange,
    /// A person paused it.
    Held,
    /// All delivered.
    Completed,
    /// A part delivered.
    Partial,
    /// Nothing delivered, something failed.
    Failed,
    /// Nothing delivered, as asked.
    Cancelled,
}

throughline_kit::define_texts!(OrderState {
    Acknowledged: "ACKNOWLEDGED",
    Rejected: "REJECTED",
    Pending: "PENDING",
    InProgress: "IN_PROGRESS",
    PendingCancellation: "PENDING_CANCELLATION",
    AssessingChange: "ASSESSING_CHANGE",
    Held: "HELD",
    Completed: "COMPLETED",
    Partial: "PARTIAL",
    Failed: "FAILED",
    Cancelled: "CANCELLED",
});

impl OrderState {
    /// Nothing will change any more.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Rejected | Self::Completed | Self::Partial | Self::Failed | Self::Cancelled => {
                true
            }
            Self::Acknowledged
            | Self::Pending
            | Self::InProgress
            | Self::PendingCancellation
            | Self::AssessingChange
            | Self::Held => false,
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
    pub(crate) customer: Shared<Customer>,
    /// Template of its own steps.
    pub(crate) template: Pinned,
    /// Lines; only a change of the order replaces them.
    pub(crate) items: Arc<[Item]>,
    /// What each line costs and needs, in the order of the lines; never change once set.
    pub(crate) item_plans: Option<Arc<[ItemPlan]>>,
    /// Currency of every amount.
    pub(crate) currency: Currency,
    /// How the customer pays.
    pub(crate) payment: Shared<PaymentPlan>,
    /// What happens when a part fails and its template does not say it.
    pub(crate) policy: FailurePolicy,
    /// The campaign that it was sold under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sale: Option<Sale>,
    /// When the customer wants it to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requested_start_at: Option<Instant>,
    /// When the customer was promised that it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) promised_at: Option<Instant>,
    /// Without progress until then, it will miss its promise, or a step its service level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jeopardy_at: Option<Instant>,
    /// By what was measured, it will miss its promise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) in_jeopardy: bool,
    /// How urgent it is, 0 to [`MAX_PRIORITY`].
    pub(crate) priority: u8,
    /// How often it was urged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) urges: u32,
    /// When it was urged last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) urged_at: Option<Instant>,
    /// Pauses that are in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) holds: Vec<Hold>,
    /// Events that no step has waited for yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) signals: Vec<Signal>,
    /// The order's own steps, as its template has them.
    pub(crate) steps: Vec<Step>,
    /// The businesses; empty until prepared.
    pub(crate) business_orders: Vec<Shared<BusinessOrder>>,
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
    pub(crate) assigned: Shared<BTreeMap<String, Vec<String>>>,
    /// Why nothing will be delivered.
    pub(crate) dismissal: Option<Dismissal>,
    /// Somebody asked to cancel; why.
    pub(crate) cancel_reason: Option<String>,
    /// Somebody asked for other lines; what was done for the old ones is being given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<Change>,
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
    /// What it is found by besides its own fields, as it is stored.
    #[serde(default, skip_serializing_if = "is_unmarked")]
    pub(crate) marks: Shared<BTreeSet<String>>,
    /// Requests to cancel it, or to change it; those of them that have ended are kept up to a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cancellations: Vec<Cancellation>,
    /// Its requests differ from those that are stored.
    #[serde(skip)]
    pub(crate) cancellations_changed: bool,
    /// What monitors count of it differs from what is stored.
    #[serde(skip)]
    pub(crate) positions_changed: bool,
    /// Its marks differ from those that are stored.
    #[serde(skip)]
    pub(crate) marks_changed: bool,
    /// Its open tasks differ from those that are stored.
    #[serde(skip)]
    pub(crate) tasks_changed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_unmarked(marks: &Shared<BTreeSet<String>>) -> bool {
    marks.is_empty()
}

/// What an order shall become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// Its new lines.
    pub(crate) items: Arc<[Item]>,
    /// When it shall begin.
    pub(crate) requested_start_at: Option<Instant>,
    /// Why.
    pub(crate) reason: String,
}

impl Order {
    /// Something that is stored beside its row has changed with it.
    pub(crate) fn is_more_than_its_row(&self) -> bool {
        self.tasks_changed
            || self.marks_changed
            || self.positions_changed
            || self.cancellations_changed
    }

    /// All of it is stored.
    pub(crate) fn stored(&mut self) {
        (self.tasks_changed, self.marks_changed) = (false, false);
        (self.positions_changed, self.cancellations_changed) = (false, false);
    }

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

    /// The business orders.
    pub(crate) fn parts(&self) -> impl ExactSizeIterator<Item = &BusinessOrder> {
        self.business_orders.iter().map(|business_order| &**business_order)
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
            bo.state == BusinessOrderState::Done
                && bo.reverses.is_none()
                && bo.item_keys.binary_search(&item.key).is_ok()
        }) && !self
            .business_orders
            .iter()
            .any(|bo| bo.reverses.is_some() && bo.item_keys.binary_search(&item.key).is_ok())
    }

    /// Name of the template by which a business order, or the order itself, runs.
    pub(crate) fn template_of(&self, business_order: Option<usize>) -> &str {
        let pinned =
            business_order.map_or(&self.template, |index| &self.business_orders[index].template);
        &pinned.name
    }

    /// The first of the order's own steps with this activity.
    pub(crate) fn own_activity(&self, activity: Activity) -> Option<Place> {
        let found = self.steps.iter().position(|step| step.activity() == Some(activity));
        found.map(|step| Place { business_order: None, step })
    }

    /// The first of the order's own steps with this activity has done what it does.
    fn has_succeeded(&self, activity: Activity) -> bool {
        let done = |place| self.step(place).state == StepState::Succeeded;
        self.own_activity(activity).is_some_and(done)
    }

    /// What the lines need was taken: not where a template takes nothing, or goes on without.
    pub(crate) fn is_allocated(&self) -> bool {
        self.has_succeeded(Activity::Allocate)
    }

    /// What is owed was taken from the payer: not where a template does not ask for it, or goes on without.
    pub(crate) fn is_paid(&self) -> bool {
        self.has_succeeded(Activity::Pay)
    }

    /// The payment that it waited for is in its books, whether it was given back since or not.
    pub(crate) fn has_taken_payment(&self) -> bool {
        self.own_activity(Activity::Pay).is_some_and(|place| match self.step(place).state {
            StepState::Succeeded
            | StepState::Undoing
            | StepState::Undone
            | StepState::UndoFailed => true,
            StepState::Scheduled
            | StepState::Running
            | StepState::Waiting
            | StepState::Retrying
            | StepState::Unknown
            | StepState::Skipped
            | StepState::Failed => false,
        })
    }

    /// Delivery has begun: what is undone now is undone by business order.
    pub(crate) fn is_delivering(&self) -> bool {
        !self.business_orders.is_empty()
            && self.change.is_none()
            && self.steps.iter().all(Step::has_passed)
    }

    /// Nobody asked to cancel it, or for other lines.
    pub(crate) fn is_wanted(&self) -> bool {
        self.cancel_reason.is_none() && self.change.is_none()
    }

    /// Its lines may be replaced: nothing of it is delivered or done for good, it is not on its way out, and no campaign
    /// counts its units.
    pub(crate) fn can_change(&self) -> bool {
        let is_leaving = self.dismissal.is_some() || self.cancel_reason.is_some();
        let is_for_good =
            |step: &Step| step.is_final() && (step.state == StepState::Succeeded || step.is_out());
        !self.is_delivering()
            && !is_leaving
            && self.sale.is_none()
            && !self.steps.iter().any(is_for_good)
    }

    /// By what was measured, it will miss its promise, or a step that is under way its service level.
    pub(crate) fn is_in_jeopardy(&self) -> bool {
        self.in_jeopardy || self.places().any(|(_, step)| step.in_jeopardy && step.is_open())
    }

    /// A person should look.
    pub(crate) fn needs_attention(&self) -> bool {
        let needs_person = |bo: &BusinessOrder| {
            matches!(bo.state, BusinessOrderState::Stuck | BusinessOrderState::Exception)
        };
        self.parts().any(needs_person)
            || self.places().any(|(place, step)| self.is_troubled(place, step))
    }

    /// A person should look at a step: by what it is, or because it was refused where nothing can go back any more.
    pub(crate) fn is_troubled(&self, place: Place, step: &Step) -> bool {
        let cannot_go_back = || {
            place
                .business_order
                .is_some_and(|i| self.business_orders[i].is_past_point_of_no_return())
        };
        let was_refused = step.state == StepState::Retrying && step.refusals > 0;
        step.needs_attention() || (was_refused && cannot_go_back())
    }
}

/// Where a step stands: in the order itself or in one of its business orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Index of the business order; `None` for the order's own steps.
    pub(crate) business_order: Option<usize>,
    /// Index of the step there.
    pub(crate) step: usize,
}
