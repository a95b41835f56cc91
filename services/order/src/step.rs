//! One step: a call that is made, repeated, asked about and, if need be, undone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::backoff::Backoff;
use throughline_kit::clock::Instant;

use crate::failure::Failure;

/// Waits before a call is repeated.
const RETRY: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(30) };
/// Calls that did not happen before the step fails. An undo never gives up for this reason.
pub(crate) const MAX_ATTEMPTS: u32 = 10;
/// Waits before an unknown or pending outcome is asked about.
const ASK: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
/// Wait before what was refused and can neither be left nor undone is tried again: a person may have cleared the cause.
pub(crate) const STUCK_RETRY_DELAY: Duration = Duration::from_secs(3600);
/// Repetitions after which a person should look.
const ATTENTION_AFTER: u32 = 5;

/// What a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Capability {
    /// Check, price and decompose at the product center.
    Prepare,
    /// Hold stock.
    Reserve,
    /// Take the money.
    Pay,
    /// Turn what is held into used.
    Allocate,
    /// The business order's part of what was allocated; only undone.
    Allocation,
    /// The business order's part of what was paid; only undone.
    Charge,
    /// Switch a service on.
    Activate,
    /// Begin monthly charging.
    OpenAccount,
    /// Send a parcel.
    Ship,
    /// Take goods back into stock.
    Restock,
    /// Give the money of returned goods back.
    Refund,
}

impl Capability {
    /// gRPC method that the step calls; for parts that are only undone, the method that undoes them.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Prepare => "throughline.product.v1.DecisionService/DecomposeOffering",
            Self::Reserve => "throughline.resource.v1.ReservationService/CreateReservation",
            Self::Pay => "throughline.payment.v1.PaymentService/StartAttempt",
            Self::Allocate => "throughline.resource.v1.ReservationService/ConfirmReservation",
            Self::Allocation | Self::Restock => "throughline.resource.v1.StockService/ReturnUnits",
            Self::Charge | Self::Refund => "throughline.payment.v1.PaymentService/CreateRefund",
            Self::Activate => "throughline.provisioning.v1.ProvisioningService/ActivateService",
            Self::OpenAccount => "throughline.billing.v1.BillingService/OpenAccount",
            Self::Ship => "throughline.logistics.v1.LogisticsService/CreateShipment",
        }
    }

    /// Whether the business order cannot go back after it.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Restock | Self::Refund => true,
            Self::Prepare
            | Self::Reserve
            | Self::Pay
            | Self::Allocate
            | Self::Allocation
            | Self::Charge
            | Self::Activate
            | Self::OpenAccount
            | Self::Ship => false,
        }
    }

    /// Whether there is something to undo after it succeeded.
    pub(crate) fn has_undo(self) -> bool {
        match self {
            Self::Prepare | Self::Allocate | Self::Restock | Self::Refund => false,
            Self::Reserve
            | Self::Pay
            | Self::Allocation
            | Self::Charge
            | Self::Activate
            | Self::OpenAccount
            | Self::Ship => true,
        }
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StepState {
    /// Not started.
    Scheduled,
    /// Its call is on the way.
    Running,
    /// Waits for a callback or a payer.
    Waiting,
    /// Will be called again.
    Retrying,
    /// Its outcome is being asked for.
    Unknown,
    /// Done.
    Succeeded,
    /// Refused for good.
    Failed,
    /// Its undo is on the way.
    Undoing,
    /// Undone.
    Undone,
    /// Its undo was refused; tried again rarely, a person should look.
    UndoFailed,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Unique among its siblings.
    pub(crate) id: String,
    /// What it calls.
    pub(crate) capability: Capability,
    /// How it stands.
    pub(crate) state: StepState,
    /// Calls made.
    pub(crate) attempts: u32,
    /// Undo calls made.
    pub(crate) undo_attempts: u32,
    /// Calls that were refused for good and are made all the same: the next one is a new request, not a repetition.
    #[serde(default)]
    pub(crate) refusals: u32,
    /// Questions asked about an outcome.
    pub(crate) asks: u32,
    /// When it first started.
    pub(crate) started_at: Option<Instant>,
    /// When it ended.
    pub(crate) ended_at: Option<Instant>,
    /// When it is due again.
    pub(crate) next_at: Option<Instant>,
    /// What to ask about while it is under way (payment order, refund).
    pub(crate) token: Option<String>,
    /// Why it is undone, as others were told first: a repeated call says the same.
    pub(crate) undo_reason: Option<String>,
    /// The last failure.
    pub(crate) failure: Option<Failure>,
}

impl Step {
    /// A step that has not started.
    pub(crate) fn new(id: impl Into<String>, capability: Capability) -> Self {
        Self {
            id: id.into(),
            capability,
            state: StepState::Scheduled,
            attempts: 0,
            undo_attempts: 0,
            refusals: 0,
            asks: 0,
            started_at: None,
            ended_at: None,
            next_at: None,
            token: None,
            undo_reason: None,
            failure: None,
        }
    }

    /// A call of it is out, or will be: its outcome must be known before anything is undone.
    pub(crate) fn is_open(&self) -> bool {
        match self.state {
            StepState::Running
            | StepState::Waiting
            | StepState::Retrying
            | StepState::Unknown
            | StepState::Undoing
            | StepState::UndoFailed => true,
            StepState::Scheduled | StepState::Succeeded | StepState::Failed | StepState::Undone => {
                false
            }
        }
    }

    /// It did something that has to be undone when its business order is.
    pub(crate) fn needs_undo(&self) -> bool {
        self.state == StepState::Succeeded && self.capability.has_undo()
    }

    pub(crate) fn needs_attention(&self) -> bool {
        match self.state {
            StepState::UndoFailed => true,
            StepState::Retrying if self.capability.is_final() => true,
            StepState::Retrying | StepState::Undoing => {
                self.attempts.max(self.undo_attempts) > ATTENTION_AFTER
            }
            StepState::Unknown => self.asks > ATTENTION_AFTER,
            StepState::Scheduled
            | StepState::Running
            | StepState::Waiting
            | StepState::Succeeded
            | StepState::Failed
            | StepState::Undone => false,
        }
    }
}

/// How long to wait before the call after `attempts` calls that did not happen.
pub(crate) fn retry_delay(attempts: u32) -> Duration {
    RETRY.after(i64::from(attempts) - 1)
}

/// How long to wait before the question after `asks` questions.
pub(crate) fn ask_delay(asks: u32) -> Duration {
    ASK.after(i64::from(asks))
}
