//! The template language: how an order or one of its business orders is carried out, as a versioned YAML document.
//!
//! ```text
//!  source ─► document ─► compile ─► Template ──► the engine asks a step's Program, Call, Wait, Timer, Manual
//!            positions    │  ▲                        │ with Facts: what the order says, read only when asked for
//!                         ▼  │                        ▼
//!                     expression: CEL text ─► check (types, cost) ─► Node ─► evaluate (fuel) ─► Value
//! ```
//!
//! Expressions are CEL: operators, `has`, `all`, `exists`, `exists_one`, `map`, `filter` (two deep at most), `size`, `contains`,
//! `startsWith`, `endsWith`, `int`, `double`, `string`, `timestamp`, `duration`, and beyond the standard `list.flatten()` and
//! `sum(list)`. Unsigned numbers are int, enums read as the names of their values, keys of mapping literals are texts that
//! stand there. Regular expressions, messages made by type name and the time's calendar parts are not there.
//!
//! An expression reads `order`, `items`, `step`, `now`, `business_order` (kind BUSINESS), `reversed` (the one that a
//! reversal takes back, with its steps and their references; null elsewhere), `steps.<id>.<name>` or
//! `steps['<id>'].<name>` of steps that have certainly ended (null when skipped), and in their places `answer`, `form`, `event`.
//!
//! Everything that can be wrong is found by `compile`, all at once and with its place in the document: what is left to
//! evaluation are values that no descriptor can promise. The module is pure: no I/O, no clock, no state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_proto::prost_reflect::{DescriptorPool, MethodDescriptor};

mod answer;
mod call;
mod check;
mod compile;
mod cost;
mod diff;
mod document;
mod evaluate;
mod expression;
mod facts;
mod finding;
mod graph;
mod manual;
mod message;
mod node;
mod place;
mod request;
mod save;
mod scope;
mod shipped;
mod step;
mod time;
mod types;
mod value;
mod wait;

#[cfg(test)]
mod tests;

pub(crate) use answer::Reading;
pub(crate) use call::Call;
pub(crate) use compile::compile;
pub(crate) use diff::{Change, Difference, diff};
pub(crate) use evaluate::EvaluationFailed;
pub(crate) use expression::Program;
pub(crate) use facts::{Facts, StepFacts};
pub(crate) use finding::Finding;
pub(crate) use manual::{FormField, FormFieldType, Manual};
pub(crate) use shipped::SHIPPED;
pub(crate) use value::Value;
pub(crate) use wait::{Timer, Wait};

/// Largest document, in bytes.
pub(crate) const MAX_TEMPLATE_BYTES: usize = 64 * 1024;
/// Steps of one template.
pub(crate) const MAX_STEPS: usize = 64;
/// Overrides of one template.
pub(crate) const MAX_OVERRIDES: usize = 64;
/// Largest expression, in bytes.
pub(crate) const MAX_EXPRESSION_BYTES: usize = 4 * 1024;
/// What one step may keep for later steps, in bytes of JSON.
pub(crate) const MAX_SAVED_BYTES: usize = 4 * 1024;
/// Calls that one step may make at most.
pub(crate) const MAX_ATTEMPTS: u32 = 100;
/// Reminders of one step at most.
pub(crate) const MAX_REMINDERS: u32 = 20;
/// The least time between two reminders.
pub(crate) const MIN_REMINDER_SPAN: Duration = Duration::from_secs(60);
/// How long one attempt of a call may take.
pub(crate) const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long anything else of a step may take: 400 days.
pub(crate) const MAX_SPAN: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Where compiling finds the capabilities that a template calls.
pub(crate) trait MethodLookup: Sync {
    /// The method with a full name like `package.Service/Method`.
    fn method(&self, full: &str) -> Option<MethodDescriptor>;
}

impl MethodLookup for DescriptorPool {
    fn method(&self, full: &str) -> Option<MethodDescriptor> {
        let (service, method) = full.split_once('/')?;
        self.get_service_by_name(service)?.methods().find(|found| found.name() == method)
    }
}

/// What a template carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The phases of the order itself, before anything is delivered.
    Order,
    /// The delivery of one business order.
    Business,
}

/// What happens to the rest when a business order fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailurePolicy {
    /// Undo the failed business order and all that depend on it.
    Branch,
    /// Undo the whole order.
    Whole,
    /// Try again, then the substitute, then a person: nothing is undone.
    Forward,
    /// Hold the dependents until a person decides.
    Ask,
}

/// A template that compiled: nothing in it can be wrong but the values of one order.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Name, 1 to 64 characters of [a-z0-9-].
    pub(crate) name: String,
    /// Version; a running order keeps the one that it began with.
    pub(crate) version: i64,
    /// What it carries out.
    pub(crate) kind: Kind,
    /// Title for people.
    pub(crate) title: String,
    /// What happens when it fails; absent means what the order says.
    pub(crate) policy: Option<FailurePolicy>,
    /// Exceptions from the policy, the first that matches wins.
    pub(crate) overrides: Vec<Override>,
    /// Template that takes a business order back which is done beyond its point of no return.
    pub(crate) reversal: Option<String>,
    /// The steps, each behind all that it waits for.
    pub(crate) steps: Vec<Arc<StepDefinition>>,
    /// The document as it was written.
    pub(crate) source: String,
}

impl Template {
    /// The policy for a failure, absent where the order's own counts.
    pub(crate) fn policy_for(&self, failed: &FailedDelivery<'_>) -> Option<FailurePolicy> {
        let matching = self.overrides.iter().find(|exception| exception.matches(failed));
        matching.map(|exception| exception.policy).or(self.policy)
    }
}

/// A failure as overrides look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedDelivery<'a> {
    /// Offerings of the business order's lines.
    pub(crate) offerings: &'a [&'a str],
    /// Channel of the order.
    pub(crate) channel: &'a str,
    /// Reason of the failure.
    pub(crate) reason: &'a str,
}

/// An exception from a template's policy; every key that is given must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// One of the lines is of this offering.
    pub(crate) offering: Option<String>,
    /// The order came through this channel.
    pub(crate) channel: Option<String>,
    /// The failure has this reason.
    pub(crate) reason: Option<String>,
    /// What counts then.
    pub(crate) policy: FailurePolicy,
}

impl Override {
    fn matches(&self, failed: &FailedDelivery<'_>) -> bool {
        self.offering.as_deref().is_none_or(|offering| failed.offerings.contains(&offering))
            && self.channel.as_deref().is_none_or(|channel| channel == failed.channel)
            && self.reason.as_deref().is_none_or(|reason| reason == failed.reason)
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct StepDefinition {
    /// Id, unique in the template, 1 to 32 characters of [a-z0-9-].
    pub(crate) id: String,
    /// Title for people.
    pub(crate) title: String,
    /// What customers may see when it is done.
    pub(crate) milestone: Option<String>,
    /// Indexes of the steps that must have ended first; all are lower than its own.
    pub(crate) after: Vec<usize>,
    /// Whether it runs at all; absent means yes, false means that it is skipped.
    pub(crate) when: Option<Program>,
    /// What it does.
    pub(crate) work: StepWork,
    /// How long one attempt (a call) or the whole (a wait, a person) may take.
    pub(crate) timeout: Option<Duration>,
    /// How long a call may be under way after it said so; absent means the usual time.
    pub(crate) pending_timeout: Option<Duration>,
    /// When it is tried again.
    pub(crate) retry: Retry,
    /// The call that undoes it.
    pub(crate) undo: Option<Call>,
    /// The call that asks how the first ended; NOT_FOUND means that it never arrived.
    pub(crate) on_unknown: Option<Call>,
    /// The call that does the same after the first failed.
    pub(crate) substitute: Option<Call>,
    /// Once it is done nothing before it is undone any more.
    pub(crate) point_of_no_return: bool,
    /// It puts the resources of its lines in use: what comes back after it rests before it is given out again.
    pub(crate) puts_in_use: bool,
    /// What its failure means.
    pub(crate) on_failure: OnFailure,
    /// When people hear that it is late.
    pub(crate) sla: Option<Sla>,
    /// When somebody is reminded while it waits.
    pub(crate) remind: Option<Remind>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum StepWork {
    /// Calls a capability.
    Call(Box<Call>),
    /// Waits for an event of the order.
    Wait(Wait),
    /// Lets time pass.
    Timer(Timer),
    /// Asks a person.
    Manual(Manual),
    /// What the center does with its own books.
    Activity(Activity),
}

/// What the center does with its own books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Checks, prices and decomposes the order.
    Prepare,
    /// Reserves what the lines need.
    Reserve,
    /// Takes the money.
    Pay,
    /// Assigns what was reserved.
    Allocate,
    /// Puts returned goods back.
    Restock,
    /// Gives money back.
    Refund,
    /// A business order's part of what was allocated; only undone, and in no document.
    Allocation,
    /// A business order's part of what was paid; only undone, and in no document.
    Charge,
    /// Gives back the stock of a business order that is taken back; in no document.
    StockBack,
    /// Gives back the money of a business order that is taken back; in no document.
    MoneyBack,
}

impl Activity {
    /// The kind of template that it belongs to.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Prepare | Self::Reserve | Self::Pay | Self::Allocate => Kind::Order,
            Self::Restock
            | Self::Refund
            | Self::Allocation
            | Self::Charge
            | Self::StockBack
            | Self::MoneyBack => Kind::Business,
        }
    }

    /// gRPC method that it calls; for parts that are only undone, the method that undoes them.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Prepare => "throughline.product.v1.DecisionService/DecomposeOffering",
            Self::Reserve => "throughline.resource.v1.ReservationService/CreateReservation",
            Self::Pay => "throughline.payment.v1.PaymentService/StartAttempt",
            Self::Allocate => "throughline.resource.v1.ReservationService/ConfirmReservation",
            Self::Allocation | Self::Restock | Self::StockBack => {
                "throughline.resource.v1.StockService/ReturnUnits"
            }
            Self::Charge | Self::Refund | Self::MoneyBack => {
                "throughline.payment.v1.PaymentService/CreateRefund"
            }
        }
    }

    /// It is a business order's part of what the order did for all.
    pub(crate) fn is_only_undone(self) -> bool {
        matches!(self, Self::Allocation | Self::Charge)
    }

    /// Whether there is something to undo after it succeeded.
    pub(crate) fn has_undo(self) -> bool {
        match self {
            Self::Reserve | Self::Pay | Self::Allocation | Self::Charge => true,
            Self::Prepare
            | Self::Allocate
            | Self::Restock
            | Self::Refund
            | Self::StockBack
            | Self::MoneyBack => false,
        }
    }
}

impl StepDefinition {
    /// A step of the platform's own, which no document has.
    pub(crate) fn of_platform(id: &str, activity: Activity) -> Arc<Self> {
        Arc::new(Self {
            id: id.to_owned(),
            title: String::new(),
            milestone: None,
            after: Vec::new(),
            when: None,
            work: StepWork::Activity(activity),
            timeout: None,
            pending_timeout: None,
            retry: Retry::default(),
            undo: None,
            on_unknown: None,
            substitute: None,
            point_of_no_return: matches!(activity, Activity::StockBack | Activity::MoneyBack),
            puts_in_use: false,
            on_failure: OnFailure::Fail,
            sla: None,
            remind: None,
        })
    }

    /// What a step has between being read and being given its version of the template.
    pub(crate) fn unresolved() -> Arc<Self> {
        Self::of_platform("", Activity::Prepare)
    }
}

/// When a step is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Calls at most, 1 to [`MAX_ATTEMPTS`].
    pub(crate) attempts: u32,
    /// Pause after the first.
    pub(crate) first: Duration,
    /// Longest pause.
    pub(crate) longest: Duration,
    /// Refusals that are tried again too.
    pub(crate) reasons: BTreeSet<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 10,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
            reasons: BTreeSet::new(),
        }
    }
}

/// What the failure of a step means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The business order fails; its policy decides about the rest.
    Fail,
    /// Goes on without.
    Skip,
    /// A person of this group decides.
    Manual {
        /// Group whose task it is.
        group: String,
    },
}

/// How often somebody is reminded of what a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remind {
    /// Time before each reminder.
    pub(crate) every: Duration,
    /// Reminders, 1 to [`MAX_REMINDERS`].
    pub(crate) most: u32,
}

/// When people hear that a step is late, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sla {
    /// First word.
    pub(crate) warn: Duration,
    /// The promise is broken.
    pub(crate) breach: Duration,
}
