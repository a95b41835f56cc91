//! `due(order, now) → work`: the calls that an order wants made now, with everything that they need.

use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::id::{derived_body, derived_uuid};
use throughline_kit::money::Money;

use crate::business_order::BusinessOrder;
use crate::event::Direction;
use crate::flow;
use crate::order::{Item, ItemPlan, Order, Place};
use crate::step::{Capability, StepState};

mod task;

pub(crate) use task::{Linked, Restock, ServiceOrder, System, Task, Work};

/// How much longer a reservation holds than the payer has.
pub(crate) const RESERVATION_GRACE: Duration = Duration::from_secs(300);

/// Our reference of a step at outside systems.
pub(crate) fn reference(order: &Order, place: Place) -> String {
    format!("stp_{}", derived_body(&identity(order, place, Direction::Do)))
}

fn identity(order: &Order, place: Place, direction: Direction) -> [&str; 4] {
    let direction = match direction {
        Direction::Do => "do",
        Direction::Undo => "undo",
    };
    let business_order =
        place.business_order.map_or("", |index| order.business_orders[index].id.as_str());
    [order.id.as_str(), business_order, order.step(place).id.as_str(), direction]
}

/// The calls that the order wants made now.
pub(crate) fn due(order: &Order, now: Instant) -> Vec<Work> {
    let arrived = |at: Option<Instant>| at.is_none_or(|at| at <= now);
    let wants = |place: Place| {
        let step = order.step(place);
        match step.state {
            StepState::Running => true,
            StepState::Undoing | StepState::Unknown => arrived(step.next_at),
            StepState::Waiting => {
                // A payment that is no longer wanted is closed at once; after that the usual schedule asks.
                let unwanted = step.capability == Capability::Pay && order.cancel_reason.is_some();
                (unwanted && step.asks == 0) || arrived(step.next_at)
            }
            StepState::Scheduled
            | StepState::Retrying
            | StepState::Succeeded
            | StepState::Failed
            | StepState::Undone
            | StepState::UndoFailed => false,
        }
    };
    let places = order.places().filter(|(_, step)| step.is_open()).map(|(place, _)| place);
    places.filter(|place| wants(*place)).map(|place| work(order, place)).collect()
}

/// When the order is due next after now, if nothing comes back before.
pub(crate) fn next_due(order: &Order, now: Instant) -> Option<Instant> {
    let open = order.places().filter(|(_, step)| step.is_open());
    open.filter_map(|(_, step)| step.next_at).filter(|at| *at > now).min()
}

fn work(order: &Order, place: Place) -> Work {
    let undoing = order.step(place).state == StepState::Undoing;
    let direction = if undoing { Direction::Undo } else { Direction::Do };
    let refusals = order.step(place).refusals.to_string();
    let mut identity = identity(order, place, direction).to_vec();
    if order.step(place).refusals > 0 {
        // A refusal is its request's answer forever: what is tried after it is another request.
        identity.push(&refusals);
    }
    let task = match direction {
        Direction::Do => do_task(order, place),
        Direction::Undo => undo_task(order, place),
    };
    Work {
        place,
        direction,
        task,
        request_id: derived_uuid(&identity).to_string(),
        reference: format!("stp_{}", derived_body(&identity)),
    }
}

fn do_task(order: &Order, place: Place) -> Task {
    let step = order.step(place);
    let asking = matches!(step.state, StepState::Unknown | StepState::Waiting);
    let business_order = place.business_order.map(|index| &order.business_orders[index]);
    match (step.capability, business_order) {
        (Capability::Prepare, _) => Task::Prepare,
        (Capability::Reserve, _) => Task::Reserve { ttl: order.payment.ttl + RESERVATION_GRACE },
        // Whether it was paid is not known: to ask by paying could take money that nobody owes any more.
        (Capability::Pay, _)
            if step.state == StepState::Unknown && order.cancel_reason.is_some() =>
        {
            Task::ClosePayment { amount: owed(order) }
        }
        (Capability::Pay, _) if step.state == StepState::Waiting => {
            Task::ClosePayment { amount: owed(order) }
        }
        (Capability::Pay, _) => Task::Pay { amount: owed(order) },
        (Capability::Activate, _) if asking => Task::AskOperation(System::Provisioning),
        (Capability::OpenAccount, _) if asking => Task::AskOperation(System::Billing),
        (Capability::Ship, _) if asking => Task::AskOperation(System::Logistics),
        (Capability::Activate, Some(bo)) => Task::Activate(service(order, bo)),
        (Capability::OpenAccount, Some(bo)) => {
            let minor = order.lines_of(bo).map(|(_, plan)| plan.recurring.minor).sum();
            let recurring = Money::new(order.currency, minor);
            Task::OpenAccount { service: service(order, bo), recurring }
        }
        (Capability::Ship, Some(bo)) => Task::Ship {
            lines: order.lines_of(bo).map(|(i, _)| (i.offering.clone(), i.quantity)).collect(),
        },
        (Capability::Restock, Some(bo)) => Task::Restock(restock(order, bo, &step.id)),
        (Capability::Refund, Some(bo)) => refund_of_return(order, bo, &step.id),
        // Parts that are only undone never run; a step of a business order stands in one.
        (
            Capability::Allocate
            | Capability::Allocation
            | Capability::Charge
            | Capability::Activate
            | Capability::OpenAccount
            | Capability::Ship
            | Capability::Restock
            | Capability::Refund,
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
    let charge = place
        .business_order
        .map_or(order.captured - order.refunded, |i| order.business_orders[i].charge.minor);
    match step.capability {
        Capability::Reserve => Task::Release { reason },
        Capability::Pay | Capability::Charge => match &step.token {
            Some(refund_id) => Task::AskRefund { refund_id: refund_id.clone() },
            None => Task::Refund {
                payment_order_id: order.payment_order_id.clone(),
                amount: Money::new(order.currency, charge),
                reason,
            },
        },
        Capability::Activate => Task::Deactivate { activation_reference: reference(order, place) },
        Capability::OpenAccount => Task::CloseAccount { open_reference: reference(order, place) },
        Capability::Ship => Task::CancelShipment { shipment_reference: reference(order, place) },
        Capability::Prepare
        | Capability::Allocate
        | Capability::Allocation
        | Capability::Restock
        | Capability::Refund => {
            let business_order = place.business_order.map(|index| &order.business_orders[index]);
            Task::ReturnAllocated {
                item_keys: business_order.map(|bo| bo.item_keys.clone()).unwrap_or_default(),
                used: business_order.is_some_and(|bo| {
                    bo.steps.iter().any(|s| {
                        s.capability == Capability::Activate && s.state == StepState::Undone
                    })
                }),
                reason,
            }
        }
    }
}

fn service(order: &Order, business_order: &BusinessOrder) -> ServiceOrder {
    let lines = order.lines_of(business_order);
    let offering = lines.map(|(item, _)| item.offering.clone()).next().unwrap_or_default();
    let assigned = business_order.item_keys.iter().filter_map(|key| order.assigned.get(key));
    ServiceOrder { offering, resources: assigned.flatten().cloned().collect() }
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
