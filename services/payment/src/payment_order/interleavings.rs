//! Any interleaving of tries, answers, timeouts, lost answers, late and repeated messages, captures, closes, expiry and
//! refunds, against a channel that tells the truth but not always in time, and sometimes breaks its word.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use throughline_kit::clock::Instant;

use super::tests::{new_attempt, new_order, new_refund, pounds, schedule};
use super::*;
use crate::attempt::Report;
use crate::refund::{LATE_MONEY, Refund, RefundReport, RefundState};

/// How a charge stands at the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    Absent,
    Pending,
    Held,
    Charged(i64),
    Declined,
    Cancelled,
}

/// One thing that may happen next. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Start {
        manual: bool,
    },
    ChargeArrives {
        which: usize,
        how: u8,
    },
    PayerDecides {
        which: usize,
        pays: bool,
    },
    CallTimesOut {
        which: usize,
    },
    CallNeverLeft {
        which: usize,
    },
    Query {
        which: usize,
    },
    EndAtChannel {
        which: usize,
    },
    OldAnswerAgain {
        which: usize,
    },
    /// Takes money for a charge that the channel had refused or ended.
    ChannelBreaksItsWord {
        which: usize,
    },
    RequestCapture {
        minor: i64,
    },
    CaptureArrives {
        which: usize,
        answered: bool,
    },
    Close,
    Expire,
    RequestRefund {
        minor: i64,
    },
    RefundAnswers {
        which: usize,
        how: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0_usize..8;
    let minor = || 1_i64..1_100;
    prop_oneof![
        4 => any::<bool>().prop_map(|manual| Step::Start { manual }),
        6 => (which(), 0_u8..4).prop_map(|(which, how)| Step::ChargeArrives { which, how }),
        2 => (which(), any::<bool>()).prop_map(|(which, pays)| Step::PayerDecides { which, pays }),
        2 => which().prop_map(|which| Step::CallTimesOut { which }),
        1 => which().prop_map(|which| Step::CallNeverLeft { which }),
        5 => which().prop_map(|which| Step::Query { which }),
        3 => which().prop_map(|which| Step::EndAtChannel { which }),
        2 => which().prop_map(|which| Step::OldAnswerAgain { which }),
        1 => which().prop_map(|which| Step::ChannelBreaksItsWord { which }),
        2 => minor().prop_map(|minor| Step::RequestCapture { minor }),
        3 => (which(), any::<bool>())
            .prop_map(|(which, answered)| Step::CaptureArrives { which, answered }),
        1 => Just(Step::Close),
        1 => Just(Step::Expire),
        3 => minor().prop_map(|minor| Step::RequestRefund { minor }),
        3 => (which(), 0_u8..4).prop_map(|(which, how)| Step::RefundAnswers { which, how }),
    ]
}

struct World {
    now: Instant,
    order: PaymentOrder,
    refunds: Vec<Refund>,
    /// At the channel, by our reference.
    charges: HashMap<String, Charge>,
    /// Charges that may still arrive.
    on_their_way: Vec<AttemptId>,
    /// The channel took money that it had refused.
    channel_lied: bool,
    /// Everything that was ever answered.
    answers: Vec<(AttemptId, Report)>,
}

impl World {
    fn new() -> Self {
        let order = new_order();
        Self {
            now: order.created_at,
            order,
            refunds: Vec::new(),
            charges: HashMap::new(),
            on_their_way: Vec::new(),
            channel_lied: false,
            answers: Vec::new(),
        }
    }

    fn chosen(&self, which: usize) -> Option<AttemptId> {
        let attempts = &self.order.attempts;
        (!attempts.is_empty()).then(|| attempts[which % attempts.len()].id.clone())
    }

    fn charge(&mut self, id: &AttemptId) -> &mut Charge {
        self.charges.entry(id.to_string()).or_insert(Charge::Absent)
    }

    fn tell(&mut self, id: &AttemptId, report: Report) {
        self.answers.push((id.clone(), report.clone()));
        let events = self.order.report(id, report, self.now, &schedule()).expect("it is there");
        for event in events {
            if let Event::LateMoney(refund) = event {
                assert!(!self.refunds.iter().any(|r| r.id == refund.id), "given back once");
                self.refunds.push(refund);
            }
        }
    }

    fn query(&mut self, id: &AttemptId) {
        let owed = self.order.amount;
        let report = match *self.charge(id) {
            Charge::Absent => Report::NotFound,
            Charge::Pending => Report::Pending,
            Charge::Held => Report::Succeeded { amount: Some(owed), authorized_only: true },
            Charge::Charged(minor) => {
                Report::Succeeded { amount: Some(pounds(minor)), authorized_only: false }
            }
            Charge::Declined => Report::Declined { reason: "NO".to_owned() },
            Charge::Cancelled => Report::Cancelled,
        };
        self.tell(id, report);
    }

    fn end_at_channel(&mut self, id: &AttemptId) {
        let charge = self.charge(id);
        match *charge {
            Charge::Absent | Charge::Pending | Charge::Held => *charge = Charge::Cancelled,
            Charge::Charged(_) | Charge::Declined | Charge::Cancelled => {}
        }
        self.query(id);
    }

    fn charge_arrives(&mut self, id: &AttemptId, how: u8) {
        let Some(position) = self.on_their_way.iter().position(|sent| sent == id) else {
            return;
        };
        self.on_their_way.remove(position);
        let manual = self.order.attempt(id).expect("sent").mode == CaptureMode::Manual;
        let owed = self.order.amount.minor;
        let charge = self.charge(id);
        if *charge == Charge::Absent {
            *charge = match how {
                0 => Charge::Declined,
                1 => Charge::Pending,
                _ if manual => Charge::Held,
                _ => Charge::Charged(owed),
            };
        }
        // Every other answer is lost with the process.
        if how != 3 {
            self.query(id);
        }
    }

    fn capture_arrives(&mut self, id: &AttemptId, answered: bool) {
        let Some(minor) = self.order.attempt(id).expect("chosen").capture_minor else {
            return;
        };
        let charge = self.charge(id);
        let report = match *charge {
            Charge::Held => {
                *charge = Charge::Charged(minor);
                Report::Succeeded { amount: None, authorized_only: false }
            }
            Charge::Charged(_) => Report::Succeeded { amount: None, authorized_only: false },
            Charge::Absent | Charge::Pending | Charge::Declined | Charge::Cancelled => {
                Report::CaptureRefused { reason: "NOT_CAPTURABLE".to_owned() }
            }
        };
        if answered {
            self.tell(id, report);
        }
    }

    fn settle_refund(&mut self, which: usize, report: RefundReport) {
        if self.refunds.is_empty() {
            return;
        }
        let index = which % self.refunds.len();
        self.refunds[index].settle(Some(&mut self.order), report, self.now);
    }

    fn start(&mut self, manual: bool) {
        let mode = if manual { CaptureMode::Manual } else { CaptureMode::Automatic };
        let new = new_attempt(ChannelName::Sandbox, mode);
        let id = new.id.clone();
        let later = self.now.plus(Duration::from_secs(60));
        if self.order.start_attempt(new, self.now, later).is_ok() {
            self.on_their_way.push(id);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Start { manual } => self.start(manual),
            Step::Close => {
                self.order.close(CloseReason::Caller, self.now, &schedule());
            }
            Step::Expire => {
                self.now = self.now.plus(Duration::from_secs(1_000));
                self.order.expire(self.now, &schedule());
            }
            Step::RequestCapture { minor } => {
                let _ = self.order.request_capture(pounds(minor), self.now);
            }
            Step::RequestRefund { minor } => {
                let new = new_refund(minor);
                let is_late = |refund: &&Refund| refund.reason == LATE_MONEY;
                let late: Vec<_> = self.refunds.iter().filter(is_late).cloned().collect();
                let (order, now) = (&mut self.order, self.now);
                self.refunds.extend(Refund::of_payment_order(order, &late, new, now, now));
            }
            Step::RefundAnswers { which, how } => {
                let report = match how {
                    0 => RefundReport::Declined { reason: "NO".to_owned() },
                    1 => RefundReport::Pending,
                    _ => RefundReport::Succeeded,
                };
                self.settle_refund(which, report);
            }
            Step::OldAnswerAgain { which } => {
                if !self.answers.is_empty() {
                    let (id, report) = self.answers[which % self.answers.len()].clone();
                    self.tell(&id, report);
                }
            }
            Step::ChargeArrives { which, .. }
            | Step::PayerDecides { which, .. }
            | Step::CallTimesOut { which }
            | Step::CallNeverLeft { which }
            | Step::Query { which }
            | Step::EndAtChannel { which }
            | Step::ChannelBreaksItsWord { which }
            | Step::CaptureArrives { which, .. } => {
                if let Some(id) = self.chosen(which) {
                    self.take_on_attempt(&id, &step);
                }
            }
        }
    }

    fn take_on_attempt(&mut self, id: &AttemptId, step: &Step) {
        match *step {
            Step::ChargeArrives { how, .. } => self.charge_arrives(id, how),
            Step::PayerDecides { pays, .. } => {
                let owed = self.order.amount.minor;
                let charge = self.charge(id);
                if *charge == Charge::Pending {
                    *charge = if pays { Charge::Charged(owed) } else { Charge::Declined };
                }
            }
            Step::CallTimesOut { .. } => self.tell(id, Report::Unknown),
            Step::CallNeverLeft { .. } => {
                if let Some(position) = self.on_their_way.iter().position(|sent| sent == id) {
                    self.on_their_way.remove(position);
                    self.tell(id, Report::NotAttempted);
                }
            }
            Step::EndAtChannel { .. } => self.end_at_channel(id),
            Step::ChannelBreaksItsWord { .. } => {
                // Another amount than the one we asked for would be quarantined for a person.
                let asked = self.order.attempt(id).expect("chosen").capture_minor;
                let owed = asked.unwrap_or(self.order.amount.minor);
                let charge = self.charge(id);
                if matches!(*charge, Charge::Declined | Charge::Cancelled) {
                    *charge = Charge::Charged(owed);
                    self.channel_lied = true;
                }
            }
            Step::CaptureArrives { answered, .. } => self.capture_arrives(id, answered),
            _ => self.query(id),
        }
    }

    fn check(&self) {
        self.order.assert_consistent();
        let captured = self.order.attempts.iter().any(|a| a.outcome == Outcome::Captured);
        if self.order.state() == State::Paid {
            assert!(captured, "paid by a captured attempt");
        }
        let charges = self.charges.values().filter(|c| matches!(c, Charge::Charged(_))).count();
        assert!(charges <= 1 || self.channel_lied, "charged twice");
        let pending: i64 = self.refunded(RefundState::Pending);
        assert_eq!(pending, self.order.refunding_minor, "each pending refund is reserved");
        assert_eq!(self.refunded(RefundState::Succeeded), self.order.refunded_minor);
    }

    fn refunded(&self, state: RefundState) -> i64 {
        self.refunds.iter().filter(|r| r.state == state).map(|r| r.amount.minor).sum()
    }

    /// Everything that is on its way arrives, everybody is asked, and everything is closed and given back.
    fn come_to_rest(&mut self) {
        for id in self.on_their_way.clone() {
            self.charge_arrives(&id, 2);
        }
        self.order.close(CloseReason::Caller, self.now, &schedule());
        for id in self.order.attempts.iter().map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.end_at_channel(&id);
        }
        for index in 0..self.refunds.len() {
            self.settle_refund(index, RefundReport::Succeeded);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn money_is_whole_in_any_interleaving(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
        world.come_to_rest();
        world.check();
        let at_channel: i64 = world
            .charges
            .values()
            .map(|charge| if let Charge::Charged(minor) = charge { *minor } else { 0 })
            .sum();
        prop_assert_eq!(at_channel, world.order.captured_minor, "we know of all the money");
        let kept = world.order.captured_minor - world.order.refunded_minor;
        prop_assert!(kept >= 0);
        let failed = world.refunded(RefundState::Failed);
        prop_assert!(kept <= world.order.amount.minor + failed, "more kept than owed");
        if world.order.state() == State::Closed {
            prop_assert!(kept <= failed, "closed with money that could be given back");
        }
        prop_assert!(!world.order.attempts.iter().any(Attempt::needs_ending));
    }
}
