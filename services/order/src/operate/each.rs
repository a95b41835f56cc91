//! Several operations on one order at once.

use throughline_kit::clock::Instant;

use super::operate;
use crate::apply::apply;
use crate::decide::Refusal;
use crate::event::{By, Event, Operation};
use crate::order::Order;

/// Decides operations one after the other, each about the order as those before leave it. One that is refused refuses all.
pub(crate) fn operate_each(
    order: &Order,
    operations: &[Operation],
    by: &By,
    now: Instant,
) -> Result<Vec<Event>, Refusal> {
    let mut order = order.clone();
    let mut all = Vec::new();
    for operation in operations {
        let events = operate(&order, operation, by, now)?;
        for event in &events {
            apply(&mut order, event, now);
        }
        all.extend(events);
    }
    Ok(all)
}
