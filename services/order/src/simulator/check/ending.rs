//! What is left when an order has ended: money, stock and services stand as it was delivered.

use std::collections::BTreeSet;

use crate::business_order::{BusinessOrder, BusinessOrderState};
use crate::event::Direction;
use crate::order::{Order, OrderState};
use crate::rollup::rollup;
use crate::simulator::market::Market;
use crate::simulator::world::{World, leaves_trace};
use crate::step::{Step, StepState};
use crate::template::Activity;
use crate::work::reference;

/// Checks an order that has ended against the world.
pub(super) fn check(order: &Order, world: &World, market: &Market) -> Result<(), String> {
    settled(order)?;
    money(order, world, market)?;
    stock(order, world)?;
    services(order, world)
}

fn settled(order: &Order) -> Result<(), String> {
    let state = rollup(order);
    if let Some((place, step)) = order.places().find(|(_, step)| step.is_open()) {
        return Err(format!("it is {state:?}, and {place:?} is {:?}", step.state));
    }
    if let Some((place, _)) = order.places().find(|(_, step)| step.task.is_some()) {
        return Err(format!("it is {state:?}, and the task of {place:?} is open"));
    }
    for (index, business_order) in order.business_orders.iter().enumerate() {
        let taken_back = matches!(
            business_order.state,
            BusinessOrderState::Cancelled | BusinessOrderState::Compensated
        );
        if taken_back && business_order.steps.iter().any(Step::needs_undo) {
            return Err(format!("business order {index} is taken back, and not all of it"));
        }
    }
    let needs_work = order.dismissal.is_some() && order.steps.iter().any(Step::needs_undo);
    if needs_work {
        return Err("it was dismissed, and not all of it is undone".to_owned());
    }
    Ok(())
}

/// Business orders that were delivered and not taken back.
fn delivered(order: &Order) -> impl Iterator<Item = &BusinessOrder> {
    let all = &order.business_orders;
    let is_back = |index: usize| all.iter().any(|bo| bo.reverses == Some(index));
    let stands = move |(index, bo): &(usize, &BusinessOrder)| {
        bo.state == BusinessOrderState::Done && bo.reverses.is_none() && !is_back(*index)
    };
    order.parts().enumerate().filter(stands).map(|(_, bo)| bo)
}

fn has_passed(order: &Order, activity: Activity) -> bool {
    let succeeded = |place| order.step(place).state == StepState::Succeeded;
    order.own_activity(activity).is_some_and(succeeded)
}

fn money(order: &Order, world: &World, market: &Market) -> Result<(), String> {
    let is_paid = has_passed(order, Activity::Pay);
    let mut owed = 0;
    for business_order in delivered(order) {
        for item in order.items.iter().filter(|item| business_order.item_keys.contains(&item.key)) {
            let minor = market.catalog.charge(item);
            let is_return = item.return_of.is_some();
            owed += if is_return { -minor } else { i64::from(is_paid) * minor };
        }
    }
    let (kept, books) =
        (world.money.captured() - world.money.refunded(), order.captured - order.refunded);
    if kept != owed || books != owed {
        let state = rollup(order);
        return Err(format!("{state:?}: delivered for {owed}, kept {kept}, in the books {books}"));
    }
    if world.money.is_open() {
        return Err("a payer could still pay".to_owned());
    }
    Ok(())
}

fn stock(order: &Order, world: &World) -> Result<(), String> {
    if world.stock.holds_units() {
        return Err("units are held after the end".to_owned());
    }
    let is_allocated = has_passed(order, Activity::Allocate);
    let takes = |key: &&str| {
        is_allocated && delivered(order).any(|bo| bo.item_keys.iter().any(|mine| mine == key))
    };
    let wanted: BTreeSet<&str> =
        crate::simulator::world::Stock::lines(order).filter(takes).collect();
    let used: BTreeSet<&str> = world.stock.used.iter().map(|(_, key)| key.as_str()).collect();
    if wanted != used || world.stock.used.len() != used.len() {
        return Err(format!("lines {used:?} are in use, and {wanted:?} were delivered"));
    }
    let returned: i64 = delivered(order)
        .flat_map(|bo| order.lines_of(bo))
        .filter(|(item, _)| item.return_of.is_some())
        .flat_map(|(_, plan)| plan.demands.iter().map(|(_, units)| units))
        .sum();
    let restocked: i64 = world.stock.restocked.values().sum();
    if returned == restocked {
        return Ok(());
    }
    Err(format!("{restocked} units were put back, and {returned} returned"))
}

fn services(order: &Order, world: &World) -> Result<(), String> {
    let done = order.places().filter(|(_, step)| {
        step.state == StepState::Succeeded && step.call().is_some() && leaves_trace(step)
    });
    let wanted: BTreeSet<String> =
        done.map(|(place, _)| reference(order, place, Direction::Do)).collect();
    if wanted == world.services.on {
        return Ok(());
    }
    let name = |id: &String| {
        let found =
            order.places().find(|(place, _)| reference(order, *place, Direction::Do) == *id);
        found.map_or_else(|| id.clone(), |(place, step)| format!("{place:?} {:?}", step.state))
    };
    let left: Vec<String> = world.services.on.difference(&wanted).map(name).collect();
    let missing: Vec<String> = wanted.difference(&world.services.on).map(name).collect();
    Err(format!("{}: on and not delivered {left:?}, delivered and off {missing:?}", shown(order)))
}

fn shown(order: &Order) -> &'static str {
    let state: OrderState = rollup(order);
    state.as_str()
}
