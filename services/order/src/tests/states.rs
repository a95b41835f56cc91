//! The state that callers see, rule by rule: the first that matches wins.

use throughline_kit::clock::Instant;

use super::run::{Run, nothing};
use crate::business_order::BusinessOrderState::{
    self, Blocked, Cancelled, Compensated, Compensating, Done, Exception, Failed, Planned, Ready,
    Running, Stuck,
};
use crate::hold::{Hold, HoldId, HoldScope, Window};
use crate::order::{Change, Dismissal, Order, OrderState};
use crate::rollup::rollup;
use crate::step::StepState;
use crate::template::FailurePolicy;

/// The converged order, prepared, with its own steps passed.
fn delivering() -> Order {
    let mut run = Run::converged(FailurePolicy::Branch);
    run.go(nothing, Order::is_delivering);
    run.order
}

fn set(order: &mut Order, states: [BusinessOrderState; 4]) {
    for (business_order, state) in order.business_orders.iter_mut().zip(states) {
        business_order.state = state;
        let is_back = matches!(state, Cancelled | Compensated);
        for step in &mut business_order.steps {
            step.state = if is_back { StepState::Undone } else { StepState::Succeeded };
        }
    }
}

fn ask_to_cancel(order: &mut Order) {
    order.cancel_reason = Some("no longer wanted".to_owned());
}

fn ask_to_change(order: &mut Order) {
    let reason = "other lines".to_owned();
    order.change = Some(Change { items: order.items.clone(), requested_start_at: None, reason });
}

fn pause(order: &mut Order, scope: HoldScope) {
    order.holds.push(Hold {
        id: HoldId::derive(&["test"]),
        scope,
        reason: String::new(),
        operator: String::new(),
        placed_at: Instant(0),
        window: Window::default(),
    });
}

fn unwind(order: &mut Order, dismissal: Dismissal) {
    order.dismissal = Some(dismissal);
    set(order, [Cancelled; 4]);
    for step in &mut order.steps {
        step.state = StepState::Undone;
    }
}

fn wait_for_payer(order: &mut Order) {
    order.steps[2].state = StepState::Waiting;
    order.steps[3].state = StepState::Scheduled;
    for business_order in &mut order.business_orders {
        business_order.state = Planned;
    }
}

type Row = (&'static str, fn(&mut Order), OrderState);

fn check(rows: &[Row]) {
    for (name, change, state) in rows {
        let mut order = delivering();
        change(&mut order);
        assert_eq!(rollup(&order), *state, "{name}");
    }
}

#[test]
fn what_ended_has_the_state_of_its_end_whatever_else_is_asked() {
    check(&[
        ("dismissed as refused", |o| unwind(o, Dismissal::Rejected), OrderState::Rejected),
        ("dismissed on request", |o| unwind(o, Dismissal::Cancelled), OrderState::Cancelled),
        ("dismissed as failed", |o| unwind(o, Dismissal::Failed), OrderState::Failed),
        (
            "dismissed, and a cancel was asked for",
            |o| {
                ask_to_cancel(o);
                unwind(o, Dismissal::Rejected);
            },
            OrderState::Rejected,
        ),
        (
            "all done, and paused",
            |o| {
                set(o, [Done; 4]);
                pause(o, HoldScope::Order);
            },
            OrderState::Completed,
        ),
        (
            "all done past the point of no return, and a cancel was asked for",
            |o| {
                set(o, [Done; 4]);
                ask_to_cancel(o);
            },
            OrderState::Completed,
        ),
    ]);
}

#[test]
fn an_open_request_comes_before_a_pause_and_a_pause_before_what_it_waits_for() {
    check(&[
        (
            "a cancel, a change and a pause",
            |o| {
                ask_to_cancel(o);
                ask_to_change(o);
                pause(o, HoldScope::Order);
            },
            OrderState::PendingCancellation,
        ),
        (
            "a change and a pause",
            |o| {
                ask_to_change(o);
                pause(o, HoldScope::Order);
            },
            OrderState::AssessingChange,
        ),
        (
            "a change of an order of which all ended",
            |o| {
                ask_to_change(o);
                set(o, [Done; 4]);
            },
            OrderState::AssessingChange,
        ),
        (
            "a pause, and a payer who is waited for",
            |o| {
                wait_for_payer(o);
                pause(o, HoldScope::Order);
            },
            OrderState::Held,
        ),
        ("a pause of a part", |o| pause(o, HoldScope::BusinessOrder(0)), OrderState::InProgress),
        ("a payer who is waited for", wait_for_payer, OrderState::Pending),
        (
            "a dismissal that is not unwound",
            |o| {
                o.dismissal = Some(Dismissal::Rejected);
                wait_for_payer(o);
                o.steps[2].state = StepState::Undoing;
            },
            OrderState::InProgress,
        ),
        (
            "a dismissal on request that is not unwound",
            |o| {
                o.dismissal = Some(Dismissal::Cancelled);
                ask_to_cancel(o);
            },
            OrderState::PendingCancellation,
        ),
        (
            "not yet decomposed",
            |o| {
                o.item_plans = None;
                o.business_orders.clear();
            },
            OrderState::Acknowledged,
        ),
        ("being delivered", |_| {}, OrderState::InProgress),
    ]);
}

#[test]
fn an_end_counts_what_was_delivered_of_what_the_customer_still_wants() {
    check(&[
        ("all done", |o| set(o, [Done; 4]), OrderState::Completed),
        ("none needed", |o| o.business_orders.clear(), OrderState::Completed),
        ("one undone", |o| set(o, [Done, Done, Done, Compensated]), OrderState::Partial),
        ("one done", |o| set(o, [Done, Cancelled, Cancelled, Compensated]), OrderState::Partial),
        (
            "none done",
            |o| set(o, [Compensated, Cancelled, Compensated, Cancelled]),
            OrderState::Failed,
        ),
        (
            "none done, on request",
            |o| {
                set(o, [Compensated; 4]);
                ask_to_cancel(o);
            },
            OrderState::Cancelled,
        ),
        (
            "none done, for one took all along",
            |o| {
                set(o, [Compensated; 4]);
                o.business_orders[2].policy = Some(FailurePolicy::Whole);
            },
            OrderState::Cancelled,
        ),
    ]);
}

#[test]
fn what_was_withdrawn_or_taken_back_does_not_count_as_delivered() {
    check(&[
        (
            "the one undone was withdrawn",
            |o| {
                set(o, [Done, Done, Done, Compensated]);
                o.business_orders[3].withdrawn = true;
            },
            OrderState::Completed,
        ),
        (
            "all were withdrawn",
            |o| {
                set(o, [Compensated; 4]);
                o.business_orders.iter_mut().for_each(|bo| bo.withdrawn = true);
            },
            OrderState::Cancelled,
        ),
        (
            "one done was taken back by another",
            |o| {
                let mut reversal = o.business_orders[0].clone();
                reversal.reverses = Some(0);
                set(o, [Done; 4]);
                reversal.state = Done;
                o.business_orders.push(reversal);
            },
            OrderState::Partial,
        ),
        (
            "one done is still to be taken back",
            |o| {
                set(o, [Done; 4]);
                o.business_orders[0].to_reverse = true;
            },
            OrderState::InProgress,
        ),
        (
            "one cancelled still has money to give back",
            |o| {
                set(o, [Done, Done, Done, Cancelled]);
                o.business_orders[3].steps[1].state = StepState::Succeeded;
            },
            OrderState::InProgress,
        ),
    ]);
}

#[test]
fn an_order_goes_on_while_any_part_of_it_does() {
    for state in [Planned, Blocked, Ready, Running, Exception, Failed, Compensating, Stuck] {
        let mut order = delivering();
        set(&mut order, [Done, Done, Cancelled, state]);
        assert_eq!(rollup(&order), OrderState::InProgress, "{state:?}");
        ask_to_cancel(&mut order);
        assert_eq!(rollup(&order), OrderState::PendingCancellation, "{state:?}");
    }
}
