//! `due(order, now) → work`: the calls that an order wants made now, with everything that they need.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::{derived_body, derived_uuid};
use throughline_kit::money::Money;

use crate::business_order::BusinessOrder;
use crate::event::Direction;
use crate::flow;
use crate::follow_up::next_time;
use crate::order::{Item, ItemPlan, Order, Place};
use crate::step::{Step, StepState};
use crate::template::Activity;

mod task;

pub(crate) use task::{CallPurpose, Linked, Restock, Task, Work};

/// How much longer a reservation holds than the payer has.
const RESERVATION_GRACE: Duration = Duration::from_secs(300);
/// Why stock and money of a business order come back that another one takes back.
const REVERSAL: &str = "reversal";

/// Our reference of doing or undoing a step at outside systems: the same for every repetition of the same request.
pub(crate) fn reference(order: &Order, place: Place, direction: Direction) -> String {
    format!("stp_{}", derived_body(&parts(&identity(order, place, direction))))
}

/// Our reference of what is owed: another one each time that the order begins anew with other lines, and after each
/// payment that was refused, for that one is closed.
pub(crate) fn payment_reference(order: &Order) -> String {
    let pays = order.own_activity(Activity::Pay).map(|place| order.step(place));
    match pays.map_or((0, 0), |step| (step.generation, step.refusals)) {
        (0, 0) => order.id.to_string(),
        (generation, 0) => format!("{}.{generation}", order.id),
        (generation, refusals) => format!("{}.{generation}.{refusals}", order.id),
    }
}

fn request_id(order: &Order, place: Place, direction: Direction) -> String {
    derived_uuid(&parts(&identity(order, place, direction))).to_string()
}

fn parts(identity: &[String]) -> Vec<&str> {
    identity.iter().map(String::as_str).collect()
}

/// What makes a request another one: a step that is run anew, and what is tried after a refusal, which is its request's
/// answer forever.
fn identity(order: &Order, place: Place, direction: Direction) -> Vec<String> {
    let step = order.step(place);
    let (direction, refusals) = match direction {
        Direction::Do => ("do", step.refusals),
        Direction::Undo => ("undo", step.undo_refusals),
    };
    let business_order =
        place.business_order.map_or("", |index| order.business_orders[index].id.as_str());
    let mut identity = [order.id.as_str(), business_order, step.id.as_str(), direction]
        .map(str::to_owned)
        .to_vec();
    if step.generation > 0 {
        identity.push(format!("generation {}", step.generation));
    }
    if refusals > 0 {
        identity.push(refusals.to_string());
    }
    identity
}

/// The step would make a call with this request id now: what the call brings says how the step stands.
pub(crate) fn is_asked(
    order: &Order,
    place: Place,
    direction: Direction,
    request_id: &str,
) -> bool {
    let is_there = match place.business_order {
        None => place.step < order.steps.len(),
        Some(index) => {
            order.business_orders.get(index).is_some_and(|bo| place.step < bo.steps.len())
        }
    };
    is_there && self::request_id(order, place, direction) == request_id
}

/// The calls that the order wants made now.
pub(crate) fn due(order: &Order, now: Instant) -> Vec<Work> {
    let open = order.places().filter(|(_, step)| step.is_open());
    open.filter(|(place, step)| wants(order, *place, step, now))
        .map(|(place, _)| work(order, place))
        .collect()
}

fn wants(order: &Order, place: Place, step: &Step, now: Instant) -> bool {
    let arrived = |at: Option<Instant>| at.is_none_or(|at| at <= now);
    match step.state {
        StepState::Running => true,
        StepState::Undoing | StepState::Unknown => arrived(step.next_at) && !order.is_held(place),
        StepState::Waiting if step.waits_inside() || order.is_held(place) => false,
        StepState::Waiting => {
            // A payment that is no longer wanted is closed at once; after that the usual schedule asks.
            let pays = step.activity() == Some(Activity::Pay);
            let is_unwanted = pays && !order.is_wanted() && step.asks == 0;
            let can_ask = step.activity().is_some() || step.asks_by().is_some();
            is_unwanted || (can_ask && arrived(step.next_at))
        }
        StepState::Scheduled
        | StepState::Retrying
        | StepState::Succeeded
        | StepState::Skipped
        | StepState::Failed
        | StepState::Undone
        | StepState::UndoFailed => false,
    }
}

/// When the order is due next after now, if nothing comes back before.
pub(crate) fn next_due(order: &Order, now: Instant) -> Option<Instant> {
    let open = order.places().filter(|(_, step)| step.is_open());
    let steps = open.filter_map(|(_, step)| next_time(step, now));
    let pauses = order.holds.iter().filter_map(|hold| hold.window.ends_for(&order.id));
    steps.chain(pauses.chain(order.jeopardy_at).filter(|at| *at > now)).min()
}

fn work(order: &Order, place: Place) -> Work {
    if order.step(place).state == StepState::Undoing {
        return undo_of(order, place);
    }
    let direction = Direction::Do;
    let request_id = request_id(order, place, direction);
    Work { place, direction, task: do_task(order, place), request_id }
}

/// The call that undoes a step.
pub(crate) fn undo_of(order: &Order, place: Place) -> Work {
    let direction = Direction::Undo;
    let request_id = request_id(order, place, direction);
    Work { place, direction, task: undo_task(order, place), request_id }
}

fn do_task(order: &Order, place: Place) -> Task {
    let step = order.step(place);
    let asking = matches!(step.state, StepState::Unknown | StepState::Waiting);
    let business_order = place.business_order.map(|index| &order.business_orders[index]);
    let Some(activity) = step.activity() else {
        let can_ask = step.asks_by().is_some();
        return Task::Call(if asking && can_ask { CallPurpose::Ask } else { CallPurpose::Do });
    };
    match (activity, business_order) {
        (Activity::Prepare, _) => Task::Prepare,
        (Activity::Reserve, _) => Task::Reserve { ttl: order.payment.ttl + RESERVATION_GRACE },
        // Whether it was paid is not known: to ask by paying could take money that nobody owes any more.
        (Activity::Pay, _) if step.state == StepState::Unknown && !order.is_wanted() => {
            Task::ClosePayment { amount: owed(order) }
        }
        (Activity::Pay, _) if step.state == StepState::Waiting => {
            Task::ClosePayment { amount: owed(order) }
        }
        (Activity::Pay, _) => Task::Pay { amount: owed(order) },
        (Activity::Restock, Some(bo)) => Task::Restock(restock(order, bo, &step.id)),
        (Activity::Refund, Some(bo)) => refund_of_return(order, bo, &step.id),
        (Activity::StockBack, Some(bo)) => {
            let reversed = bo.reverses.map(|index| &order.business_orders[index]);
            let used = reversed.is_some_and(|bo| was_in_use(bo, StepState::Succeeded));
            return_allocated(bo, used, REVERSAL.to_owned())
        }
        (Activity::MoneyBack, Some(bo)) => {
            refund(order, step, bo.charge.minor, REVERSAL.to_owned())
        }
        // Parts that are only undone never run; a step of a business order stands in one.
        (
            Activity::Allocate
            | Activity::Allocation
            | Activity::Charge
            | Activity::Restock
            | Activity::Refund
            | Activity::StockBack
            | Activity::MoneyBack,
            _,
        ) => Task::Allocate,
    }
}

fn owed(order: &Order) -> Money {
    order.total.unwrap_or(Money::zero(order.currency))
}

fn undo_task(order: &Order, place: Place) -> Task {
    let step = order.step(place);
    let reason = step.undo_reason.clone().unwrap_or_default();
    let Some(activity) = step.activity() else {
        let undo = step.definition().undo.as_ref();
        let can_ask = undo.is_some_and(|undo| undo.on_unknown.is_some());
        let is_pending = step.token.is_some();
        let asks = is_pending && can_ask;
        return Task::Call(if asks { CallPurpose::AskUndo } else { CallPurpose::Undo });
    };
    let business_order = place.business_order.map(|index| &order.business_orders[index]);
    let charge = business_order.map_or(order.captured - order.refunded, |bo| bo.charge.minor);
    match (activity, business_order) {
        (Activity::Reserve, _) if order.is_allocated() => {
            // What was held is in use since: it is given back, for there is nothing left to release.
            let mut item_keys: Vec<String> =
                order.items.iter().map(|item| item.key.clone()).collect();
            item_keys.sort_unstable();
            Task::ReturnAllocated { item_keys, used: false, reason }
        }
        (Activity::Reserve, _) => Task::Release { reason },
        (Activity::Pay | Activity::Charge, _) => refund(order, step, charge, reason),
        (Activity::Allocation, Some(bo)) => {
            return_allocated(bo, was_in_use(bo, StepState::Undone), reason)
        }
        (
            Activity::Prepare
            | Activity::Allocate
            | Activity::Allocation
            | Activity::Restock
            | Activity::Refund
            | Activity::StockBack
            | Activity::MoneyBack,
            _,
        ) => Task::ReturnAllocated { item_keys: Vec::new(), used: false, reason },
    }
}

fn refund(order: &Order, step: &Step, minor: i64, reason: String) -> Task {
    match &step.token {
        Some(refund_id) => Task::AskRefund { refund_id: refund_id.clone() },
        None => Task::Refund {
            payment_order_id: order.payment_order_id.clone(),
            amount: Money::new(order.currency, minor),
            reason,
        },
    }
}

/// A step put its resources in use: they rest before they are given out again.
fn was_in_use(business_order: &BusinessOrder, state: StepState) -> bool {
    let uses = |step: &Step| step.definition().puts_in_use && step.state == state;
    business_order.steps.iter().any(uses)
}

fn return_allocated(business_order: &BusinessOrder, used: bool, reason: String) -> Task {
    Task::ReturnAllocated { item_keys: business_order.item_keys.clone(), used, reason }
}

/// Lines of the payment that a numbered step of a return is about.
fn return_lines<'a>(
    order: &'a Order,
    business_order: &'a BusinessOrder,
    step_id: &str,
) -> (String, Vec<(&'a Item, &'a ItemPlan)>) {
    let number = step_id.rsplit('-').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(1);
    let payments = flow::return_payments(order, business_order);
    let payment = payments.get(number - 1).cloned().unwrap_or_default();
    let of = |plan: &ItemPlan| {
        plan.original.as_ref().map(|o| o.payment_order_id.clone()).unwrap_or_default()
    };
    let lines = order.lines_of(business_order).filter(|(_, plan)| of(plan) == payment).collect();
    (payment, lines)
}

fn restock(order: &Order, business_order: &BusinessOrder, step_id: &str) -> Restock {
    let (_, lines) = return_lines(order, business_order, step_id);
    let mut restock = Restock { reason: flow::return_reason(order), ..Restock::default() };
    for (_, plan) in lines {
        match &plan.original {
            Some(original) => {
                restock.linked.extend(plan.demands.iter().map(|(pool_code, units)| Linked {
                    reservation_id: original.reservation_id.clone(),
                    line_key: original.item_key.clone(),
                    pool_code: pool_code.clone(),
                    units: *units,
                }));
            }
            None => restock.unlinked.extend(plan.demands.iter().cloned()),
        }
    }
    restock
}

fn refund_of_return(order: &Order, business_order: &BusinessOrder, step_id: &str) -> Task {
    if let Some(step) = business_order.steps.iter().find(|step| step.id == step_id)
        && let Some(refund_id) = &step.token
    {
        return Task::AskRefund { refund_id: refund_id.clone() };
    }
    let (payment_order_id, lines) = return_lines(order, business_order, step_id);
    let minor = lines.iter().map(|(_, plan)| plan.charge.minor).sum();
    Task::Refund {
        payment_order_id,
        amount: Money::new(order.currency, minor),
        reason: flow::return_reason(order),
    }
}
