//! What expressions of a template may ask about an order.

use throughline_kit::clock::Instant;

use crate::convert;
use crate::event::Direction;
use crate::order::{Order, Place};
use crate::template::{Facts, StepFacts, Value};
use crate::work::{CallPurpose, reference};

/// The facts of one step of an order.
#[derive(Debug)]
pub(crate) struct OrderFacts<'a> {
    order: &'a Order,
    place: Place,
    now: Instant,
    request_id: String,
    purpose: CallPurpose,
}

impl<'a> OrderFacts<'a> {
    /// The facts of a step that calls nobody.
    pub(crate) fn new(order: &'a Order, place: Place, now: Instant) -> Self {
        Self { order, place, now, request_id: String::new(), purpose: CallPurpose::Do }
    }

    /// The facts of a step's call.
    pub(crate) fn calling(self, purpose: CallPurpose, request_id: String) -> Self {
        Self { purpose, request_id, ..self }
    }
}

impl Facts for OrderFacts<'_> {
    fn order(&self) -> Value {
        Value::customer_order(&convert::order_for_expressions(self.order))
    }

    fn business_order(&self) -> Value {
        match self.place.business_order {
            Some(index) => Value::business_order(&convert::business_order(self.order, index)),
            None => Value::Null,
        }
    }

    fn reversed(&self) -> Value {
        let business_order =
            self.place.business_order.map(|index| &self.order.business_orders[index]);
        match business_order.and_then(|bo| bo.reverses) {
            Some(index) => Value::business_order(&convert::business_order(self.order, index)),
            None => Value::Null,
        }
    }

    fn items(&self) -> Value {
        Value::order_items(&convert::items_of(self.order, self.place.business_order))
    }

    fn step(&self) -> StepFacts {
        let step = self.order.step(self.place);
        let done = reference(self.order, self.place, Direction::Do);
        let is_undo = self.purpose.is_undo();
        let undone = || reference(self.order, self.place, Direction::Undo);
        StepFacts {
            step_id: step.id.to_string(),
            reference: if is_undo { undone() } else { done.clone() },
            request_id: self.request_id.clone(),
            done_reference: if is_undo { done } else { String::new() },
            undo_reason: step.undo_reason.clone().unwrap_or_default(),
            attempt: step.attempts.max(1),
            generation: step.generation,
        }
    }

    fn saved(&self, step: &str, name: &str) -> Value {
        let steps = match self.place.business_order {
            None => &self.order.steps,
            Some(index) => &self.order.business_orders[index].steps,
        };
        let kept = steps.iter().find(|kept| kept.id == step).and_then(|kept| kept.saved.get(name));
        kept.map_or(Value::Null, Value::from_json)
    }

    fn now(&self) -> Instant {
        self.now
    }
}
