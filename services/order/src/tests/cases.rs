//! The cases that have names.

use super::run::{Run, never, nothing};
use crate::business_order::BusinessOrderState;
use crate::decide::Refusal;
use crate::event::{Command, Direction, Operation, Outcome};
use crate::order::{Order, OrderState};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::simulator::failure;
use crate::template::FailurePolicy;
use crate::work::{Task, Work};

fn broadband_cannot_be_installed(order: &Order, work: &Work) -> bool {
    order.template_of(work.place.business_order) == "telecom-broadband"
        && order.step(work.place).id == "install"
        && work.direction == Direction::Do
}

#[test]
fn an_order_without_trouble_completes_and_keeps_all_money() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Completed);
    assert_eq!(run.kept(), 14_000);
    assert_eq!(run.world.services.on.len(), 8);
}

#[test]
fn branch_undoes_the_broadband_cancels_the_phone_and_completes_both_plans() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(broadband_cannot_be_installed, never);
    use BusinessOrderState::{Cancelled, Compensated, Done};
    assert_eq!(run.states(), [Done, Done, Compensated, Cancelled]);
    assert_eq!(rollup(&run.order), OrderState::Partial);
    assert_eq!(run.kept(), 2_000);
    let used: Vec<&str> = run.world.stock.used.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(used, ["plan1", "plan2"]);
}

#[test]
fn whole_undoes_everything_and_returns_all_money() {
    let mut run = Run::converged(FailurePolicy::Whole);
    run.go(broadband_cannot_be_installed, never);
    use BusinessOrderState::{Cancelled, Compensated};
    assert!(run.states().iter().all(|state| matches!(state, Compensated | Cancelled)));
    assert_eq!(run.states()[3], Cancelled, "the phone never ran");
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert_eq!(run.kept(), 0);
    assert!(run.world.services.on.is_empty() && run.world.stock.used.is_empty());
}

#[test]
fn refusals_before_delivery_reject_the_order_and_give_back_what_was_held() {
    for refused in ["prepare", "reserve", "pay"] {
        let mut run = Run::converged(FailurePolicy::Branch);
        run.go(|order, work| order.step(work.place).id == refused, never);
        assert_eq!(rollup(&run.order), OrderState::Rejected, "{refused}");
        assert!(!run.world.stock.holds_units(), "{refused} left units held");
        assert_eq!(run.kept(), 0);
    }
}

#[test]
fn a_paid_order_whose_reservation_has_expired_fails_and_is_paid_back() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(|order, work| order.step(work.place).id == "allocate", never);
    assert_eq!(rollup(&run.order), OrderState::Failed);
    assert_eq!(run.kept(), 0);
}

#[test]
fn a_payer_who_lets_the_time_pass_leaves_a_cancelled_order() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| order.steps.iter().any(|s| s.id == "pay" && s.attempts > 0));
    let work = run.due().remove(0);
    run.perform(&work, crate::simulator::Manner::Later);
    assert_eq!(rollup(&run.order), OrderState::Pending);
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert!(!run.world.stock.holds_units());
}

#[test]
fn a_preview_says_what_a_cancel_then_does() {
    let mut run = Run::converged(FailurePolicy::Branch);
    let broadband_done = |order: &Order| {
        order.business_orders.get(2).is_some_and(|bo| bo.state == BusinessOrderState::Done)
    };
    run.go(nothing, broadband_done);
    let preview = plan(&run.order, &Trigger::CancelOrder);
    let refunded_before = run.order.refunded;
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    let refund = preview.refund.map_or(0, |money| money.minor);
    assert_eq!(run.order.refunded - refunded_before, refund);
    for index in preview.undo {
        assert_eq!(run.states()[index], BusinessOrderState::Compensated);
    }
    for index in preview.cancel {
        assert_eq!(run.states()[index], BusinessOrderState::Cancelled);
    }
}

#[test]
fn a_terminal_order_refuses_a_cancel_and_ignores_late_news() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, never);
    assert_eq!(run.refusal(Operation::Cancel), Refusal::Terminal(OrderState::Completed));
    let place = run.order.places().next().expect("has steps").0;
    let outcome = Outcome::Declined(failure("LATE"));
    let late = Command::Settle { place, direction: Direction::Do, outcome };
    assert_eq!(run.decide(&late), Ok(None));
}

#[test]
fn a_repeated_cancel_changes_nothing() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| !order.business_orders.is_empty());
    assert!(!run.operate(Operation::Cancel).is_empty());
    assert!(run.operate(Operation::Cancel).is_empty());
}

#[test]
fn a_stored_order_reads_back_as_it_was() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(broadband_cannot_be_installed, |order| order.captured > 0);
    let before = run.order.clone();
    run.restart();
    assert_eq!(run.order, before);
    assert!(matches!(run.due()[0].task, Task::Allocate));
}
