//! Decides how one call goes: what is stored, and how it is answered.

use std::time::Duration;

use throughline_kit::clock::Instant;

use crate::error::Refusal;
use crate::method::Role;
use crate::operation::{Operation, State};
use crate::rule::{Call, Misbehavior, Rule, Way};
use crate::settlement::{Settled, can_be_cancelled, settle};

/// What is stored of the asked operation and told to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// What changes; `None` leaves everything as it is.
    pub(crate) stored: Option<Stored>,
    /// How the caller hears of it.
    pub(crate) answer: Answer,
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It happens now.
    Settled(Box<Settled>),
    /// It happens at its time, and is then reported.
    Late { operation: Box<Operation>, due: Instant, reports: i64 },
}

impl Stored {
    fn operation(&self) -> &Operation {
        match self {
            Self::Settled(settled) => &settled.operation,
            Self::Late { operation, .. } => operation,
        }
    }
}

/// How a caller hears of the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// At once, or after a while.
    Told { operation: Box<Operation>, after: Duration },
    /// UNAVAILABLE.
    Down,
    /// Never.
    Never,
}

impl Answer {
    fn by(way: Way, operation: Operation) -> Self {
        match way {
            Way::Open => Self::Told { operation: Box::new(operation), after: Duration::ZERO },
            Way::Slow(after) => Self::Told { operation: Box::new(operation), after },
            Way::Down => Self::Down,
            Way::LostBefore | Way::LostAfter => Self::Never,
        }
    }
}

/// Says what a call is to the simulator, before any rule is looked at.
pub(crate) fn call_of(
    asked: &Operation,
    known: Option<&Operation>,
    target: Option<&Operation>,
) -> Call {
    let repeated = match asked.method.role() {
        Role::CancelCharge => target.is_some_and(|charge| !can_be_cancelled(charge)),
        Role::Begin | Role::End { .. } | Role::Charge | Role::Capture | Role::Refund => {
            known.is_some()
        }
    };
    if repeated { Call::Repeated } else { Call::First(asked.method) }
}

/// Decides about an operation, given the one known by its reference, its target, and the rule that it met.
pub(crate) fn decide(
    asked: Operation,
    known: Option<&Operation>,
    target: Option<&Operation>,
    rule: Option<&Rule>,
    now: Instant,
) -> Result<Decision, Refusal> {
    let way = rule.map_or(Way::Open, Rule::way);
    let (operation, stored) = match (way, known) {
        (Way::Down | Way::LostBefore, _) => (asked, None),
        (Way::Open | Way::Slow(_) | Way::LostAfter, Some(first)) => {
            (first_outcome(&asked, first)?, None)
        }
        (Way::Open | Way::Slow(_) | Way::LostAfter, None) => {
            let stored = first_call(asked, target, rule, now)?;
            (stored.operation().clone(), Some(stored))
        }
    };
    Ok(Decision { stored, answer: Answer::by(way, operation) })
}

/// Answers a question, given what is known and the rule that it met; `None` when nothing is known.
pub(crate) fn answer_question(known: Option<&Operation>, rule: Option<&Rule>) -> Option<Answer> {
    match rule.map_or(Way::Open, Rule::way) {
        Way::Down => Some(Answer::Down),
        Way::LostBefore | Way::LostAfter => Some(Answer::Never),
        way @ (Way::Open | Way::Slow(_)) => known.map(|known| Answer::by(way, known.clone())),
    }
}

fn first_outcome(asked: &Operation, first: &Operation) -> Result<Operation, Refusal> {
    if first.method == asked.method {
        Ok(first.clone())
    } else {
        Err(Refusal::ReferenceTaken { field: "reference", first: first.method })
    }
}

fn first_call(
    asked: Operation,
    target: Option<&Operation>,
    rule: Option<&Rule>,
    now: Instant,
) -> Result<Stored, Refusal> {
    let settled = |settled| Stored::Settled(Box::new(settled));
    let Some(rule) = rule else {
        return settle(asked, target).map(settled);
    };
    let reports = match rule.misbehavior {
        Misbehavior::Refuse => return Ok(settled(asked.decline(&rule.reason))),
        Misbehavior::AnswerLate => 1,
        Misbehavior::AnswerTwice => 2,
        Misbehavior::Delay
        | Misbehavior::Down
        | Misbehavior::TimeoutBefore
        | Misbehavior::TimeoutAfter => return settle(asked, target).map(settled),
    };
    let operation = Box::new(Operation { state: State::Pending, ..asked });
    Ok(Stored::Late { operation, due: now.plus(rule.delay), reports })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    const NOW: Instant = Instant(1_000_000);
    const DELAY: Duration = Duration::from_secs(5);

    fn asked() -> Operation {
        Operation::asked(Method::ActivateService, "r".to_owned(), "ord_1".to_owned())
    }

    fn rule(misbehavior: Misbehavior) -> Rule {
        Rule {
            number: 1,
            method: String::new(),
            offering_code: String::new(),
            customer_id: String::new(),
            order_id: String::new(),
            misbehavior,
            delay: DELAY,
            reason: "NO_LINE_AT_ADDRESS".to_owned(),
            max_uses: 0,
            uses: 0,
        }
    }

    fn decided(misbehavior: Misbehavior) -> Decision {
        decide(asked(), None, None, Some(&rule(misbehavior)), NOW).expect("decides")
    }

    fn happened(decision: &Decision) -> Option<State> {
        decision.stored.as_ref().map(|stored| stored.operation().state)
    }

    #[test]
    fn each_misbehavior_stores_and_answers_as_the_contract_says() {
        for (misbehavior, stored, silent) in [
            (Misbehavior::Delay, Some(State::Succeeded), false),
            (Misbehavior::Refuse, Some(State::Declined), false),
            (Misbehavior::Down, None, false),
            (Misbehavior::TimeoutBefore, None, true),
            (Misbehavior::TimeoutAfter, Some(State::Succeeded), true),
            (Misbehavior::AnswerTwice, Some(State::Pending), false),
            (Misbehavior::AnswerLate, Some(State::Pending), false),
        ] {
            let decision = decided(misbehavior);
            assert_eq!(happened(&decision), stored, "{misbehavior:?}");
            assert_eq!(decision.answer == Answer::Never, silent, "{misbehavior:?}");
        }
        assert_eq!(decided(Misbehavior::Down).answer, Answer::Down);
        let Answer::Told { after, .. } = decided(Misbehavior::Delay).answer else {
            panic!("a delayed call is answered");
        };
        assert_eq!(after, DELAY);
    }

    #[test]
    fn a_late_answer_is_due_after_its_delay_and_reported_once_or_twice() {
        for (misbehavior, times) in [(Misbehavior::AnswerLate, 1), (Misbehavior::AnswerTwice, 2)] {
            let Some(Stored::Late { due, reports, .. }) = decided(misbehavior).stored else {
                panic!("{misbehavior:?} is late");
            };
            assert_eq!((due, reports), (NOW.plus(DELAY), times));
        }
    }

    #[test]
    fn a_known_reference_is_answered_with_its_first_outcome_and_stores_nothing() {
        let first = Operation { state: State::Declined, reason: "FIRST".to_owned(), ..asked() };
        let again = decide(asked(), Some(&first), None, None, NOW).expect("decides");
        let answer = Answer::by(Way::Open, first.clone());
        assert_eq!(again, Decision { stored: None, answer });
        assert_eq!(call_of(&asked(), Some(&first), None), Call::Repeated);

        let other = Operation { method: Method::DeactivateService, ..asked() };
        assert_eq!(
            decide(other, Some(&first), None, None, NOW),
            Err(Refusal::ReferenceTaken { field: "reference", first: Method::ActivateService })
        );
    }
}
