//! One step of a running order: what is done of it, and what is to come. What it does stands in its definition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::backoff::Backoff;
use throughline_kit::clock::Instant;

use crate::failure::Failure;
use crate::name::Name;
use crate::task::Task;
use crate::template::{Activity, Call, StepDefinition, StepWork};

/// Waits before an unknown or pending outcome is asked about.
const ASK: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
/// Waits before an undo that did not happen is repeated; it never gives up for this reason.
const UNDO_RETRY: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(30) };
/// Wait before what was refused and can neither be left nor undone is tried again: a person may have cleared the cause.
pub(crate) const STUCK_RETRY_DELAY: Duration = Duration::from_secs(3600);
/// Repetitions after which a person should look.
const ATTENTION_AFTER: u32 = 5;
/// How long what is under way may take whose template does not say it.
const USUAL_PENDING_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Reason of a call that said that it was under way, and did not say in time how it ended.
pub(crate) const NEWS_OVERDUE: &str = "NEWS_OVERDUE";

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StepState {
    /// Not started.
    Scheduled,
    /// Its call is on the way.
    Running,
    /// Waits for a callback, a payer, an event, a time or a person.
    Waiting,
    /// Will be called again.
    Retrying,
    /// Its outcome is being asked for.
    Unknown,
    /// Done.
    Succeeded,
    /// Left out.
    Skipped,
    /// Refused for good.
    Failed,
    /// Its undo is on the way.
    Undoing,
    /// Undone.
    Undone,
    /// Its undo was refused; tried again rarely, a person should look.
    UndoFailed,
}

throughline_kit::define_texts!(StepState {
    Scheduled: "SCHEDULED",
    Running: "RUNNING",
    Waiting: "WAITING",
    Retrying: "RETRYING",
    Unknown: "UNKNOWN",
    Succeeded: "SUCCEEDED",
    Skipped: "SKIPPED",
    Failed: "FAILED",
    Undoing: "UNDOING",
    Undone: "UNDONE",
    UndoFailed: "UNDO_FAILED",
});

/// What a step does, shared by all orders of a template's version. Not stored with the order: the pinned version has it.
#[derive(Clone, Debug)]
pub(crate) struct Definition(pub(crate) Arc<StepDefinition>);

impl Default for Definition {
    fn default() -> Self {
        Self(StepDefinition::unresolved())
    }
}

/// A step is the same by its id: the pinned version of the template says the rest.
impl PartialEq for Definition {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Definition {}

/// What is left of a step's times while a pause covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frozen {
    /// Until it was due.
    pub(crate) next: Option<Duration>,
    /// Until its deadline.
    pub(crate) deadline: Option<Duration>,
    /// Until its next reminder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remind: Option<Duration>,
}

/// How a step stands against its service level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SlaState {
    /// In time.
    #[default]
    Kept,
    /// Longer than is warned of.
    Warned,
    /// Longer than is allowed.
    Breached,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Unique among its siblings.
    pub(crate) id: Name,
    /// What it does.
    #[serde(skip)]
    pub(crate) definition: Definition,
    /// Siblings that must have passed first, by index.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) after: Arc<[usize]>,
    /// How it stands.
    pub(crate) state: StepState,
    /// Calls made.
    pub(crate) attempts: u32,
    /// Undo calls made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) undo_attempts: u32,
    /// Calls that were refused for good and are made all the same: the next one is a new request, not a repetition.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) refusals: u32,
    /// Undo calls that were refused for good; each next one is a new request as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) undo_refusals: u32,
    /// Questions asked about an outcome.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) asks: u32,
    /// How often it was run anew; each time is a request of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) generation: u32,
    /// When it first started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<Instant>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Instant>,
    /// When it is due again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_at: Option<Instant>,
    /// When it gives up waiting, or its timer rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deadline: Option<Instant>,
    /// What is left of its times while a pause covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) frozen: Option<Frozen>,
    /// What to ask about while it is under way (payment order, refund).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Why it is undone, as others were told first: a repeated call says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undo_reason: Option<String>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// What it kept of its answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) saved: BTreeMap<String, serde_json::Value>,
    /// It is done by the substitute call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) substituted: bool,
    /// Work of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<Task>,
    /// Against its service level.
    #[serde(default, skip_serializing_if = "is_kept")]
    pub(crate) sla: SlaState,
    /// By what was measured, it will miss its service level.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) in_jeopardy: bool,
    /// Reminders of what it waits for, so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) reminders: u32,
    /// When the next reminder is due, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remind_at: Option<Instant>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_empty(places: &Arc<[usize]>) -> bool {
    places.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_kept(sla: &SlaState) -> bool {
    *sla == SlaState::Kept
}

impl Step {
    /// A step that has not started.
    pub(crate) fn new(id: impl Into<Name>, definition: Arc<StepDefinition>) -> Self {
        Self {
            id: id.into(),
            definition: Definition(definition),
            after: Arc::default(),
            state: StepState::Scheduled,
            attempts: 0,
            undo_attempts: 0,
            refusals: 0,
            undo_refusals: 0,
            asks: 0,
            generation: 0,
            started_at: None,
            ended_at: None,
            next_at: None,
            deadline: None,
            frozen: None,
            token: None,
            undo_reason: None,
            failure: None,
            saved: BTreeMap::new(),
            substituted: false,
            task: None,
            sla: SlaState::Kept,
            in_jeopardy: false,
            reminders: 0,
            remind_at: None,
        }
    }

    /// The same step, to be run anew as another request.
    pub(crate) fn anew(&self) -> Self {
        Self {
            after: Arc::clone(&self.after),
            generation: self.generation + 1,
            ..Self::new(self.id.clone(), Arc::clone(&self.definition.0))
        }
    }

    /// What it does.
    pub(crate) fn definition(&self) -> &StepDefinition {
        &self.definition.0
    }

    /// What the center does for it with its own books, if it is such a step.
    pub(crate) fn activity(&self) -> Option<Activity> {
        match &self.definition().work {
            StepWork::Activity(activity) => Some(*activity),
            StepWork::Call(_) | StepWork::Wait(_) | StepWork::Timer(_) | StepWork::Manual(_) => {
                None
            }
        }
    }

    /// The call that it makes, if it is such a step: the template's, or its substitute.
    pub(crate) fn call(&self) -> Option<&Call> {
        let definition = self.definition();
        match &definition.work {
            StepWork::Call(_) if self.substituted => definition.substitute.as_ref(),
            StepWork::Call(call) => Some(call),
            StepWork::Activity(_)
            | StepWork::Wait(_)
            | StepWork::Timer(_)
            | StepWork::Manual(_) => None,
        }
    }

    /// The call that asks how the one ended that it makes: the template's, or its substitute's.
    pub(crate) fn asks_by(&self) -> Option<&Call> {
        let definition = self.definition();
        if self.substituted {
            return definition.substitute.as_ref()?.on_unknown.as_deref();
        }
        definition.on_unknown.as_ref()
    }

    /// gRPC method that it calls; for parts that are only undone, the method that undoes them; empty for what waits.
    pub(crate) fn method(&self) -> &str {
        match (self.activity(), self.call()) {
            (Some(activity), _) => activity.method(),
            (None, Some(call)) => call.method(),
            (None, None) => "",
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
            StepState::Scheduled
            | StepState::Succeeded
            | StepState::Skipped
            | StepState::Failed
            | StepState::Undone => false,
        }
    }

    /// A call of it is out: its answer is all that it waits for.
    pub(crate) fn is_called(&self) -> bool {
        match self.state {
            StepState::Running => true,
            StepState::Undoing => self.next_at.is_none(),
            StepState::Scheduled
            | StepState::Waiting
            | StepState::Retrying
            | StepState::Unknown
            | StepState::Succeeded
            | StepState::Skipped
            | StepState::Failed
            | StepState::Undone
            | StepState::UndoFailed => false,
        }
    }

    /// Somebody else is at it, and its outcome must be known: it is neither to be repeated nor waits inside.
    pub(crate) fn is_out(&self) -> bool {
        self.is_open() && self.state != StepState::Retrying && !self.waits_inside()
    }

    /// It waits for an event, a time or a person: nobody else works on it, so it can end at once.
    pub(crate) fn waits_inside(&self) -> bool {
        self.state == StepState::Waiting && self.activity().is_none() && self.call().is_none()
    }

    /// It failed, and a person decides about it.
    pub(crate) fn awaits_decision(&self) -> bool {
        self.state == StepState::Failed && self.task.is_some()
    }

    /// What comes after it may start.
    pub(crate) fn has_passed(&self) -> bool {
        matches!(self.state, StepState::Succeeded | StepState::Skipped)
    }

    /// Whether its business order cannot go back after it.
    pub(crate) fn is_final(&self) -> bool {
        self.definition().point_of_no_return
    }

    /// Whether there is something to undo after it succeeded.
    pub(crate) fn has_undo(&self) -> bool {
        match self.activity() {
            Some(activity) => activity.has_undo(),
            None => self.definition().undo.is_some(),
        }
    }

    /// It did something that has to be undone when its business order is.
    pub(crate) fn needs_undo(&self) -> bool {
        self.state == StepState::Succeeded && self.has_undo()
    }

    /// A person should look.
    pub(crate) fn needs_attention(&self) -> bool {
        match self.state {
            StepState::UndoFailed => true,
            StepState::Failed => self.task.is_some(),
            StepState::Retrying if self.is_final() => true,
            StepState::Retrying | StepState::Undoing => {
                self.attempts.max(self.undo_attempts) > ATTENTION_AFTER
            }
            StepState::Unknown => self.asks > ATTENTION_AFTER || self.has_failed_with(NEWS_OVERDUE),
            StepState::Waiting => self.task.as_ref().is_some_and(|task| task.escalated),
            StepState::Scheduled
            | StepState::Running
            | StepState::Succeeded
            | StepState::Skipped
            | StepState::Undone => false,
        }
    }

    /// Its last failure has this reason.
    pub(crate) fn has_failed_with(&self, reason: &str) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.reason == reason)
    }

    /// When the news of its call is overdue, if the call says at `now` that it is under way. It is counted from the first time
    /// that it said so: as long as its template says, else a day, or what its service level allows where that is longer. A
    /// payer has a time of their own.
    pub(crate) fn overdue_at(&self, now: Instant) -> Option<Instant> {
        let definition = self.definition();
        let breach = definition.sla.as_ref().map(|sla| sla.breach).unwrap_or_default();
        let span = definition.pending_timeout.unwrap_or(USUAL_PENDING_TIMEOUT.max(breach));
        let is_payer = self.activity() == Some(Activity::Pay);
        self.deadline.or_else(|| Some(now.plus(span)).filter(|_| !is_payer))
    }

    /// It waits for the news of a call, or asks for them, longer than they may take.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        let is_called = matches!(self.state, StepState::Waiting | StepState::Unknown);
        is_called && !self.waits_inside() && self.deadline.is_some_and(|at| at <= now)
    }

    /// It begins to wait: reminders are counted anew.
    pub(crate) fn begin_reminding(&mut self, now: Instant) {
        self.reminders = 0;
        self.remind_at = self.definition().remind.map(|remind| now.plus(remind.every));
    }

    /// Somebody is being reminded; the next time is counted from now, however late this one was.
    pub(crate) fn reminded(&mut self, now: Instant) {
        self.reminders += 1;
        let next = self.definition().remind.filter(|remind| self.reminders < remind.most);
        self.remind_at = next.map(|remind| now.plus(remind.every));
    }

    /// When the next reminder is due.
    pub(crate) fn next_reminder(&self) -> Option<Instant> {
        self.remind_at.filter(|_| self.state == StepState::Waiting)
    }

    /// How long to wait before the call after those that did not happen.
    pub(crate) fn retry_delay(&self) -> Duration {
        let retry = &self.definition().retry;
        let backoff = Backoff { first: retry.first, longest: retry.longest };
        backoff.after(i64::from(self.attempts) - 1)
    }

    /// How long to wait before the next undo call.
    pub(crate) fn undo_retry_delay(&self) -> Duration {
        UNDO_RETRY.after(i64::from(self.undo_attempts) - 1)
    }

    /// How long to wait before the next question.
    pub(crate) fn ask_delay(&self) -> Duration {
        ASK.after(i64::from(self.asks))
    }
}
