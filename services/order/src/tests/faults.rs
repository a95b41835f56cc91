//! What once went wrong, each thing by its name.

use super::run::{Run, never, nothing};
use crate::business_order::BusinessOrderState;
use crate::decide::Refusal;
use crate::event::{Command, Direction, Event, Operation, Outcome};
use crate::order::{Change, OrderState};
use crate::plan::{Trigger, plan};
use crate::rollup::rollup;
use crate::signal::Signal;
use crate::simulator::{Manner, failure, line};
use crate::step::StepState;
use crate::template::FailurePolicy;
use crate::work::{CallPurpose, Task, is_asked};

/// Steps of an order up to the allocation, and one behind it.
const HOLD_AT_THE_END: &str = "template: careful
kind: ORDER
title: Careful
steps:
  - { id: prepare, activity: prepare }
  - { id: reserve, activity: reserve }
  - { id: pay, activity: pay }
  - { id: allocate, activity: allocate }
  - { id: look, manual: { group: g }, timeout: 1d }
";

/// Nothing is reserved or paid for.
const ON_ACCOUNT: &str = "template: on-account
kind: ORDER
title: On account
steps:
  - { id: prepare, activity: prepare }
";

/// A call that can be undone, in the words of a template.
const CALL: &str = "call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request: { reference: step.reference }
    timeout: 10s";
const UNDO: &str = "undo:
      method: throughline.provisioning.v1.ProvisioningService/DeactivateService
      request: { reference: step.reference, activation_reference: step.done_reference }";
const FINAL: &str = "point_of_no_return: true";

fn template(name: &str, head: &str, steps: &[(&str, &str, &str)]) -> String {
    let step = |(id, how, more): &(&str, &str, &str)| {
        format!("  - id: {id}\n    {CALL}\n    {how}\n    {more}\n")
    };
    let steps: String = steps.iter().map(step).collect();
    format!("template: {name}\nkind: BUSINESS\ntitle: T\n{head}steps:\n{steps}")
}

#[test]
fn what_is_in_use_is_given_back_and_not_released() {
    let mut run = Run::by(HOLD_AT_THE_END, FailurePolicy::Branch);
    run.go(nothing, |order| order.is_allocated());
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert!(run.world.stock.used.is_empty());
    assert_eq!(run.kept(), 0);
}

#[test]
fn what_was_neither_paid_nor_allocated_is_not_given_back() {
    let mut run = Run::by(ON_ACCOUNT, FailurePolicy::Branch);
    run.go(nothing, |order| order.is_delivering() && order.business_orders[0].has_ended());
    assert_eq!(plan(&run.order, &Trigger::CancelOrder).refund, None);
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Cancelled);
    assert_eq!(run.kept(), 0);
}

#[test]
fn a_failure_beside_a_final_step_that_then_happens_asks_a_person() {
    let source = template("t", "", &[("good", FINAL, ""), ("bad", UNDO, "after: []")]);
    let mut run = Run::business(FailurePolicy::Branch, &source);
    run.go(nothing, |order| order.is_delivering());
    let good = run.call_of("good");
    run.does("bad", Manner::Refuse("NO_LINE"));
    assert_eq!(run.states(), [BusinessOrderState::Failed], "whether good happens is not known");
    run.perform(&good, Manner::Grant);
    assert_eq!(run.states(), [BusinessOrderState::Exception]);
    run.complete("bad", "decision", "SKIP");
    assert_eq!(rollup(&run.order), OrderState::Completed);
}

#[test]
fn a_failure_beside_a_final_step_that_never_happened_undoes_the_rest() {
    let source = template("t", "", &[("good", FINAL, ""), ("bad", UNDO, "after: []")]);
    let mut run = Run::business(FailurePolicy::Branch, &source);
    run.go(nothing, |order| order.is_delivering());
    let good = run.call_of("good");
    run.settle(&good, Outcome::NotAttempted(failure("UNAVAILABLE")));
    run.does("bad", Manner::Refuse("NO_LINE"));
    run.go(nothing, never);
    assert_eq!(run.states(), [BusinessOrderState::Compensated]);
    assert_eq!(run.kept(), 0);
}

#[test]
fn what_is_done_is_undone_even_when_all_of_it_was_left_out() {
    let source = template("t", "", &[("a", UNDO, "when: order.channel == 'none'")]);
    let lines = vec![line("a", "thing"), line("b", "parcel")];
    let mut run = Run::businesses(FailurePolicy::Branch, &[&source], lines);
    run.go(nothing, |order| order.is_delivering());
    assert_eq!(run.states()[0], BusinessOrderState::Done);
    run.operate(Operation::CancelParts(vec![0]));
    run.go(nothing, never);
    assert_eq!(run.states()[0], BusinessOrderState::Compensated);
}

#[test]
fn what_something_needs_that_cannot_go_back_stays() {
    let source = template("t", "", &[("a", FINAL, ""), ("b", UNDO, "")]);
    let mut phone = line("phone", "thing");
    phone.characteristics = [("requires".to_owned(), "base".to_owned())].into();
    let lines = vec![line("base", "broadband-100m"), phone];
    let mut run = Run::businesses(FailurePolicy::Branch, &[&source], lines);
    let is_final = |order: &crate::order::Order| {
        order.business_orders.get(1).is_some_and(|bo| bo.is_past_point_of_no_return())
    };
    run.go(nothing, is_final);
    assert_eq!(plan(&run.order, &Trigger::CancelOrder).keep, [0, 1]);
    let id = run.order.business_orders[0].id.to_string();
    let refusal = run.refusal(Operation::CancelParts(vec![0]));
    assert_eq!(refusal, Refusal::PointOfNoReturnPassed(id));
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert_eq!(run.states(), [BusinessOrderState::Done; 2]);
    assert_eq!(run.kept(), 10_700);
}

#[test]
fn what_comes_after_is_taken_back_before_what_it_needs_is_undone() {
    let first = template("t", "reversal: back\n", &[("a", FINAL, "")]);
    let back = template("back", "", &[("off", "undo: none", "")]);
    let mut phone = line("phone", "thing");
    phone.characteristics = [("requires".to_owned(), "base".to_owned())].into();
    let lines = vec![line("base", "broadband-100m"), phone, line("slow", "number-400")];
    let sources = [back.as_str(), first.as_str()];
    let mut run = Run::businesses(FailurePolicy::Branch, &sources, lines);
    run.go(nothing, |order| {
        order.business_orders.get(1).is_some_and(|bo| bo.state == BusinessOrderState::Done)
    });
    run.operate(Operation::Cancel);
    assert_eq!(run.order.business_orders[3].reverses, Some(1));
    let off = run.call_of("off");
    let base = |run: &Run| run.order.business_orders[0].steps[2].state;
    assert_eq!(base(&run), StepState::Succeeded);
    run.perform(&off, Manner::Grant);
    assert_eq!(base(&run), StepState::Succeeded, "stock and money of the phone are not back yet");
    run.go(nothing, never);
    assert_eq!(base(&run), StepState::Undone);
    assert_eq!(run.kept(), 0);
}

#[test]
fn what_was_to_be_taken_back_and_never_happened_is_undone_in_its_turn() {
    let first = template("t", "reversal: back\n", &[("a", FINAL, "")]);
    let back = template("back", "", &[("off", "undo: none", "")]);
    let mut phone = line("phone", "thing");
    phone.characteristics = [("requires".to_owned(), "base".to_owned())].into();
    let lines = vec![line("base", "broadband-100m"), phone];
    let mut run = Run::businesses(FailurePolicy::Branch, &[&back, &first], lines);
    run.go(nothing, |order| {
        order.business_orders.get(1).is_some_and(|bo| bo.state == BusinessOrderState::Running)
    });
    let call = run.call_of("a");
    run.operate(Operation::Cancel);
    assert!(run.order.business_orders[1].to_reverse, "whether it happens is not known yet");
    run.perform(&call, Manner::Refuse("NO_LINE"));
    run.go(nothing, never);
    assert_eq!(run.states(), [BusinessOrderState::Compensated; 2]);
    assert_eq!(run.kept(), 0);
}

#[test]
fn a_part_that_is_cancelled_beside_a_final_step_that_fails_is_undone_and_not_asked_about() {
    let first = template("t", "reversal: back\npolicy: ASK\n", &[("a", FINAL, "")]);
    let back = template("back", "", &[("off", "undo: none", "")]);
    let lines = vec![line("a", "thing"), line("b", "parcel")];
    let mut run = Run::businesses(FailurePolicy::Branch, &[&back, &first], lines);
    run.go(nothing, |order| order.is_delivering());
    let call = run.call_of("a");
    run.operate(Operation::CancelParts(vec![0]));
    run.perform(&call, Manner::Refuse("NO_LINE"));
    run.go(nothing, never);
    assert_eq!(run.states(), [BusinessOrderState::Compensated, BusinessOrderState::Done]);
    assert_eq!(run.kept(), 4_500);
}

#[test]
fn a_part_that_is_to_be_taken_back_and_leaves_its_final_step_out_is_undone_only_once() {
    let first = template("t", "reversal: back\n", &[("a", FINAL, "on_failure: SKIP")]);
    let back = template("back", "", &[("off", "undo: none", "")]);
    let lines = vec![line("a", "thing"), line("b", "parcel")];
    let mut run = Run::businesses(FailurePolicy::Branch, &[&back, &first], lines);
    run.go(nothing, |order| order.is_delivering());
    let call = run.call_of("a");
    run.operate(Operation::CancelParts(vec![0]));
    run.perform(&call, Manner::Refuse("NO_LINE"));
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert_eq!(run.states(), [BusinessOrderState::Compensated; 2], "no other takes it back");
    assert_eq!(run.kept(), 0);
}

#[test]
fn what_is_gone_is_not_left_out_as_well() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| order.is_delivering());
    run.operate(Operation::CancelParts(vec![3]));
    let place = crate::order::Place { business_order: Some(3), step: 2 };
    assert_eq!(run.states()[3], BusinessOrderState::Cancelled);
    let refusal = run.refusal(Operation::Skip(place));
    assert!(matches!(refusal, Refusal::StateForbids { state: "CANCELLED", .. }), "{refusal:?}");
}

#[test]
fn no_task_is_left_of_an_order_that_is_cancelled() {
    let source = HOLD_AT_THE_END.replace(
        "{ id: pay, activity: pay }",
        "{ id: pay, activity: pay, on_failure: MANUAL, on_failure_group: g }",
    );
    let mut run = Run::by(&source, FailurePolicy::Branch);
    run.go(
        |order, work| order.step(work.place).id == "pay",
        |order| order.steps.iter().any(|step| step.task.is_some()),
    );
    run.operate(Operation::Cancel);
    run.go(nothing, never);
    assert!(run.order.places().all(|(_, step)| step.task.is_none()));
}

#[test]
fn lines_are_not_changed_after_something_that_cannot_be_undone() {
    let source = HOLD_AT_THE_END.replace("{ id: look,", "{ id: look, point_of_no_return: true,")
        + "  - { id: end, timer: { for: 1h } }\n";
    let mut run = Run::by(&source, FailurePolicy::Branch);
    run.go(nothing, |order| order.is_allocated());
    let change = Operation::Change(Change {
        items: run.order.items.clone(),
        requested_start_at: None,
        reason: "other lines".to_owned(),
    });
    let task = run.order.step(run.place("look")).task.as_ref().expect("it waits").id.clone();
    run.operate(Operation::Complete(task, std::collections::BTreeMap::new()));
    assert_eq!(run.refusal(change), Refusal::ChangeTooLate);
}

#[test]
fn money_that_a_person_gave_back_counts() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| order.business_orders.iter().any(|bo| bo.has_ended()));
    run.operate(Operation::Cancel);
    let refuses = |order: &crate::order::Order, work: &crate::work::Work| {
        work.direction == Direction::Undo && order.step(work.place).id == "charge"
    };
    let is_stuck = |order: &crate::order::Order| {
        order.business_orders.iter().any(|bo| bo.state == BusinessOrderState::Stuck)
    };
    run.go(refuses, is_stuck);
    let found = run.order.places().find(|(_, step)| step.state == StepState::UndoFailed);
    let place = found.expect("its undo was refused").0;
    run.world.undo_by_hand(&run.order, place).expect("it can be done by hand");
    run.operate(Operation::ProveUndone(place));
    run.go(nothing, never);
    assert_eq!(run.kept(), 0);
}

#[test]
fn a_refused_refund_is_not_asked_about_again() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| order.is_delivering());
    run.operate(Operation::Cancel);
    let phone = run.due().into_iter().find(|work| matches!(work.task, Task::Refund { .. }));
    let refund = phone.expect("the phone never ran: its money goes back first");
    run.perform(&refund, Manner::Later);
    assert!(run.order.step(refund.place).token.is_some());
    run.settle(&refund, Outcome::Declined(failure("NO_ACCOUNT")));
    assert_eq!(run.order.step(refund.place).token, None);
}

#[test]
fn what_is_undone_is_not_late() {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, |order| order.business_orders.iter().any(|bo| bo.has_ended()));
    run.operate(Operation::Cancel);
    run.now = run.now.plus(std::time::Duration::from_secs(40 * 86_400));
    let events = run.command(&Command::Advance);
    let is_late = |event: &Event| {
        matches!(event, Event::SlaPassed { place, .. }
            if run.order.step(*place).state == StepState::Undoing)
    };
    assert!(!events.iter().any(is_late), "{events:?}");
}

#[test]
fn a_substitute_is_asked_about_where_it_was_called() {
    let both = "on_unknown:
      method: throughline.provisioning.v1.ProvisioningService/GetOperation
      request: { reference: step.reference }
    substitute:
      method: throughline.billing.v1.BillingService/OpenAccount
      request: { reference: step.reference }";
    let source = template("t", "", &[("a", UNDO, both)]);
    let mut run = Run::business(FailurePolicy::Branch, &source);
    run.go(nothing, |order| order.is_delivering());
    run.does("a", Manner::Refuse("NO_LINE"));
    let place = run.place("a");
    assert!(run.order.step(place).substituted);
    let call = run.call_of("a");
    run.settle(&call, Outcome::Unknown(failure("TIMEOUT")));
    run.now = run.now.plus(std::time::Duration::from_secs(5));
    assert_eq!(run.call_of("a").task, Task::Call(CallPurpose::Do), "nobody can be asked");
}

#[test]
fn an_answer_to_an_earlier_run_says_nothing_of_the_next() {
    let source = template("t", "", &[("a", "undo: none", ""), ("b", UNDO, "")]);
    let mut run = Run::business(FailurePolicy::Branch, &source);
    run.go(nothing, |order| order.is_delivering());
    let first = run.call_of("a");
    let asked = |run: &Run| is_asked(&run.order, first.place, first.direction, &first.request_id);
    assert!(asked(&run));
    run.does("a", Manner::Grant);
    run.operate(Operation::Rerun(first.place));
    run.does("b", Manner::Grant);
    run.go(nothing, |order| order.step(first.place).generation > 0);
    assert!(!asked(&run), "the step runs anew, as another request");
}

#[test]
fn a_payment_after_a_refused_one_is_another_one() {
    let source = HOLD_AT_THE_END
        .replace("activity: pay }", "activity: pay, retry: { attempts: 2, reasons: [BUSY] } }");
    let mut run = Run::by(&source, FailurePolicy::Branch);
    run.go(nothing, |order| order.steps[2].state == StepState::Running);
    run.does("pay", Manner::Refuse("BUSY"));
    run.go(nothing, |order| order.steps[2].has_passed());
    assert!(run.order.is_paid());
    assert_eq!(run.kept(), 14_000);
}

#[test]
fn an_exception_stays_until_all_of_it_is_decided() {
    let asks = "on_failure: MANUAL\n    on_failure_group: g";
    let source = template("t", "", &[("a", UNDO, asks), ("b", UNDO, "after: []")]);
    let mut run = Run::business(FailurePolicy::Branch, &source);
    run.go(nothing, |order| order.is_delivering());
    let other = run.place("b");
    run.does("a", Manner::Refuse("NO_LINE"));
    assert_eq!(run.states(), [BusinessOrderState::Exception]);
    run.does("b", Manner::Grant);
    run.operate(Operation::Rerun(other));
    run.go(nothing, |order| order.step(other).generation > 0);
    assert_eq!(run.states(), [BusinessOrderState::Exception], "nobody has decided about a");
    run.complete("a", "decision", "RETRY");
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Completed);
}

#[test]
fn an_audited_order_holds_nothing_while_it_is_looked_at() {
    let catalog = crate::simulator::Catalog::shipped();
    let lines = crate::simulator::converged_lines();
    let mut run = Run::of(catalog, "audited", FailurePolicy::Branch, lines);
    run.go(nothing, |order| order.steps.iter().any(|step| step.task.is_some()));
    assert!(!run.world.stock.holds_units());
    run.now = run.now.plus(std::time::Duration::from_secs(86_400));
    run.complete("audit", "approved", "true");
    run.go(nothing, never);
    assert_eq!(rollup(&run.order), OrderState::Completed);
}

#[test]
fn an_event_that_came_early_is_taken_by_one_step() {
    let wait = |id: &str| {
        format!("  - {{ id: {id}, after: [], wait: {{ event: ready }}, timeout: 1d }}\n")
    };
    let steps = wait("a") + &wait("b");
    let source = format!("template: t\nkind: BUSINESS\ntitle: T\nsteps:\n{steps}");
    let mut run = Run::business(FailurePolicy::Branch, &source);
    let data = std::collections::BTreeMap::new();
    let signal = Signal { event: "ready".to_owned(), data, business_order: None };
    run.command(&Command::Signal(signal.clone()));
    run.go(nothing, |order| order.is_delivering());
    let state = |run: &Run, id: &str| run.order.step(run.place(id)).state;
    assert_eq!((state(&run, "a"), state(&run, "b")), (StepState::Succeeded, StepState::Waiting));
    run.command(&Command::Signal(signal));
    assert_eq!(rollup(&run.order), OrderState::Completed);
}
