//! Rules: when and how a simulator misbehaves.

use std::time::Duration;

use crate::method::Method;

/// How to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehavior {
    Delay,
    Refuse,
    Down,
    TimeoutBefore,
    TimeoutAfter,
    AnswerTwice,
    AnswerLate,
}

impl Misbehavior {
    const ALL: [Self; 7] = [
        Self::Delay,
        Self::Refuse,
        Self::Down,
        Self::TimeoutBefore,
        Self::TimeoutAfter,
        Self::AnswerTwice,
        Self::AnswerLate,
    ];

    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "DELAY",
            Self::Refuse => "REFUSE",
            Self::Down => "DOWN",
            Self::TimeoutBefore => "TIMEOUT_BEFORE",
            Self::TimeoutAfter => "TIMEOUT_AFTER",
            Self::AnswerTwice => "ANSWER_TWICE",
            Self::AnswerLate => "ANSWER_LATE",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|misbehavior| misbehavior.as_str() == text)
    }

    /// Whether a call can suffer it. A known reference keeps its first outcome, so only the way to it can be disturbed;
    /// what a method's contract cannot say is never said.
    fn can_meet(self, call: Call) -> bool {
        match (self, call) {
            (Self::Delay | Self::Down | Self::TimeoutBefore, _) => true,
            (_, Call::Repeated | Call::Query) => false,
            (Self::TimeoutAfter, Call::First(_)) => true,
            (Self::Refuse, Call::First(method)) => method.may_refuse(),
            (Self::AnswerTwice | Self::AnswerLate, Call::First(method)) => method.may_answer_late(),
        }
    }
}

/// How the call and its answer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Both at once.
    Open,
    /// The answer after a while.
    Slow(Duration),
    /// The call is answered with UNAVAILABLE.
    Down,
    /// The call is lost.
    LostBefore,
    /// The answer is lost.
    LostAfter,
}

/// What a call is to the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The first with its reference.
    First(Method),
    /// One whose reference is known.
    Repeated,
    /// A question.
    Query,
}

/// What rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Method name without package.
    pub(crate) method: &'a str,
    /// Offerings that the call is about.
    pub(crate) offering_codes: &'a [String],
    /// Customer or payer.
    pub(crate) customer_id: &'a str,
    /// Order.
    pub(crate) order_id: &'a str,
}

/// When and how to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Place in the order of rules; 0 for one that is not stored yet.
    pub(crate) number: i64,
    /// Method name without package; empty matches every method, questions included.
    pub(crate) method: String,
    /// Empty matches all.
    pub(crate) offering_code: String,
    /// Empty matches all.
    pub(crate) customer_id: String,
    /// Empty matches all.
    pub(crate) order_id: String,
    /// How.
    pub(crate) misbehavior: Misbehavior,
    /// How long.
    pub(crate) delay: Duration,
    /// Reason of a refusal.
    pub(crate) reason: String,
    /// Calls that it applies to; 0 means all.
    pub(crate) max_uses: i64,
    /// Calls that it was applied to.
    pub(crate) uses: i64,
}

impl Rule {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let fits = |wanted: &str, actual: &str| wanted.is_empty() || wanted == actual;
        fits(&self.method, facts.method)
            && fits(&self.customer_id, facts.customer_id)
            && fits(&self.order_id, facts.order_id)
            && (self.offering_code.is_empty() || facts.offering_codes.contains(&self.offering_code))
    }

    /// What it does to the way between the caller and the operation.
    pub(crate) fn way(&self) -> Way {
        match self.misbehavior {
            Misbehavior::Down => Way::Down,
            Misbehavior::TimeoutBefore => Way::LostBefore,
            Misbehavior::TimeoutAfter => Way::LostAfter,
            Misbehavior::Delay => Way::Slow(self.delay),
            Misbehavior::Refuse | Misbehavior::AnswerTwice | Misbehavior::AnswerLate => Way::Open,
        }
    }

    fn is_left(&self) -> bool {
        self.max_uses == 0 || self.uses < self.max_uses
    }
}

/// Finds the rule that decides how a call goes: the first that is left, matches and can be suffered.
pub(crate) fn first_match<'r>(
    rules: &'r [Rule],
    facts: &Facts<'_>,
    call: Call,
) -> Option<&'r Rule> {
    rules
        .iter()
        .find(|rule| rule.is_left() && rule.matches(facts) && rule.misbehavior.can_meet(call))
}

#[cfg(test)]
mod tests;
