//! The cases that have names.

use throughline_kit::clock::Instant;

use super::world::{START, World, converged};
use crate::apply::apply;
use crate::business_order::BusinessOrderState;
use crate::decide::{Refusal, decide};
use crate::event::{Command, Direction, Event, Outcome};
use crate::order::{Order, OrderState, Policy};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::work::{Task, Work, due, next_due};

struct Run {
    order: Order,
    world: World,
    now: Instant,
}

impl Run {
    fn new(policy: Policy) -> Self {
        Self { order: converged(policy), world: World::default(), now: START }
    }

    fn command(&mut self, command: &Command) -> Vec<Event> {
        let events = decide(&self.order, command, self.now).expect("not refused");
        for event in &events {
            apply(&mut self.order, event, self.now);
        }
        events
    }

    /// Performs everything that is due until nothing is, or until `stop` says so.
    fn go(&mut self, refuse: impl Fn(&Order, &Work) -> bool, stop: impl Fn(&Order) -> bool) {
        while !stop(&self.order) {
            let Some(work) = due(&self.order, self.now).into_iter().next() else {
                let Some(at) = next_due(&self.order, self.now) else { return };
                self.now = at;
                self.command(&Command::Advance);
                continue;
            };
            let refused = refuse(&self.order, &work);
            let outcome = self.world.perform(&self.order, &work, refused);
            self.command(&Command::Settle {
                place: work.place,
                direction: work.direction,
                outcome,
            });
        }
    }

    fn states(&self) -> Vec<BusinessOrderState> {
        self.order.business_orders.iter().map(|bo| bo.state).collect()
    }
}

fn broadband_cannot_be_installed(order: &Order, work: &Work) -> bool {
    let template = work.place.business_order.map(|i| order.business_orders[i].template.as_str());
    template == Some("telecom-broadband") && matches!(work.task, Task::Activate(_))
}

fn never(_: &Order) -> bool {
    false
}

#[test]
fn an_order_without_trouble_completes_and_keeps_all_money() {
    let mut run = Run::new(Policy::Branch);
    run.go(|_, _| false, never);
    assert_eq!(rollup(&run.order), OrderState::Completed);
    assert_eq!(run.order.captured - run.order.refunded, 14_000);
    assert_eq!(run.world.active.len(), 8);
}

#[test]
fn branch_undoes_the_broadband_cancels_the_phone_and_completes_both_plans() {
    let mut run = Run::new(Policy::Branch);
    run.go(broadband_cannot_be_installed, never);
    use BusinessOrderState::{Cancelled, Compensated, Done};
    assert_eq!(run.states(), [Done, Done, Compensated, Cancelled]);
    assert_eq!(rollup(&run.order), OrderState::Partial);
    assert_eq!(run.order.captured - run.order.refunded, 2_000);
    assert_eq!(run.world.captured - run.world.refunded, 2_000);
    assert_eq!(run.world.used.iter().collect::<Vec<_>>(), ["plan1", "plan2"]);
}

#[test]
fn whole_undoes_everything_and_returns_all_money() {
    let mut run = Run::new(Policy::Whole);
    run.go(broadband_cannot_be_installed, never);
    use BusinessOrderState::{Cancelled, Compensated};
    assert!(run.states().iter().all(|state| matches!(state, Compensated | Cancelled)));
    assert_eq!(run.states()[3], Cancelled, "the phone never ran");
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert_eq!(run.order.captured, run.order.refunded);
    assert!(run.world.active.is_empty() && run.world.used.is_empty());
}

#[test]
fn refusals_before_delivery_reject_the_order_and_give_back_what_was_held() {
    for refused in ["prepare", "reserve", "pay"] {
        let mut run = Run::new(Policy::Branch);
        let refuse = |order: &Order, work: &Work| order.step(work.place).id == refused;
        run.go(refuse, never);
        assert_eq!(rollup(&run.order), OrderState::Rejected, "{refused}");
        assert!(!run.world.held, "{refused} left units held");
        assert_eq!(run.world.captured, run.world.refunded);
    }
}

#[test]
fn a_paid_order_whose_reservation_has_expired_fails_and_is_paid_back() {
    let mut run = Run::new(Policy::Branch);
    run.go(|order, work| order.step(work.place).id == "allocate", never);
    assert_eq!(rollup(&run.order), OrderState::Failed);
    assert_eq!(run.world.captured - run.world.refunded, 0);
}

#[test]
fn a_payer_who_lets_the_time_pass_leaves_a_cancelled_order() {
    let mut run = Run::new(Policy::Branch);
    run.go(|_, _| false, |order| order.steps.iter().any(|s| s.id == "pay" && s.attempts > 0));
    let place = due(&run.order, run.now)[0].place;
    let ask_at = Some(run.now.plus(run.order.payment.ttl));
    run.command(&Command::Settle {
        place,
        direction: Direction::Do,
        outcome: Outcome::Pending { token: "pay".to_owned(), ask_at },
    });
    assert_eq!(rollup(&run.order), OrderState::Pending);
    run.go(|_, _| false, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert!(!run.world.held);
}

#[test]
fn a_preview_says_what_a_cancel_then_does() {
    let mut run = Run::new(Policy::Branch);
    let broadband_done = |order: &Order| {
        order.business_orders.get(2).is_some_and(|bo| bo.state == BusinessOrderState::Done)
    };
    run.go(|_, _| false, broadband_done);
    let preview = plan(&run.order, Trigger::CancelOrder);
    let refunded_before = run.order.refunded;
    run.command(&Command::Cancel { reason: "no longer wanted".to_owned() });
    run.go(|_, _| false, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    let refund = preview.refund.map_or(0, |money| money.minor);
    assert_eq!(run.order.refunded - refunded_before, refund);
    for index in preview.undo {
        assert_eq!(run.order.business_orders[index].state, BusinessOrderState::Compensated);
    }
    for index in preview.cancel {
        assert_eq!(run.order.business_orders[index].state, BusinessOrderState::Cancelled);
    }
}

#[test]
fn a_terminal_order_refuses_a_cancel_and_ignores_late_news() {
    let mut run = Run::new(Policy::Branch);
    run.go(|_, _| false, never);
    let cancel = Command::Cancel { reason: "late".to_owned() };
    let refusal = decide(&run.order, &cancel, run.now).expect_err("terminal");
    assert_eq!(refusal, Refusal::Terminal(OrderState::Completed));
    let place = run.order.places().next().expect("has steps").0;
    let late = Command::Settle {
        place,
        direction: Direction::Do,
        outcome: Outcome::Declined(super::world::failure("LATE")),
    };
    assert_eq!(decide(&run.order, &late, run.now), Ok(Vec::new()));
}

#[test]
fn a_repeated_cancel_changes_nothing() {
    let mut run = Run::new(Policy::Branch);
    run.go(|_, _| false, |order| !order.business_orders.is_empty());
    let cancel = Command::Cancel { reason: "twice".to_owned() };
    assert!(!run.command(&cancel).is_empty());
    assert!(run.command(&cancel).is_empty());
}

#[test]
fn a_stored_order_reads_back_as_it_was() {
    let mut run = Run::new(Policy::Branch);
    run.go(broadband_cannot_be_installed, |order| order.captured > 0);
    let text = serde_json::to_string(&run.order).expect("writes");
    assert_eq!(serde_json::from_str::<Order>(&text).expect("reads"), run.order);
}
