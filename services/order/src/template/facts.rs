//! What an order says to the expressions of its template.

use std::sync::Arc;

use throughline_kit::clock::Instant;

use super::value::Value;

/// What expressions may ask about an order. Each is asked at most once for one evaluation, and only when an expression
/// really reads it.
pub(crate) trait Facts {
    /// The variable `order`: [`Value::customer_order`].
    fn order(&self) -> Value;
    /// The variable `business_order`: [`Value::business_order`]; null for the order's own steps.
    fn business_order(&self) -> Value;
    /// The variable `reversed`: the [`Value::business_order`] that this one takes back; null for one that takes back none.
    fn reversed(&self) -> Value;
    /// The variable `items`: [`Value::order_items`] of the business order, or of the whole order.
    fn items(&self) -> Value;
    /// The variable `step`.
    fn step(&self) -> StepFacts;
    /// A value that an earlier step kept; null when it was skipped or kept none.
    fn saved(&self, step: &str, name: &str) -> Value;
    /// The variable `now`.
    fn now(&self) -> Instant;
}

/// The variable `step`.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepFacts {
    /// Id of the step.
    pub(crate) step_id: String,
    /// Our reference of this call at outside systems.
    pub(crate) reference: String,
    /// Id of this request, the same at every repetition.
    pub(crate) request_id: String,
    /// Reference of the call that did what is undone now; empty otherwise.
    pub(crate) done_reference: String,
    /// Why it is undone; empty otherwise.
    pub(crate) undo_reason: String,
    /// Number of this call, from 1.
    pub(crate) attempt: u32,
    /// How often the step was begun anew.
    pub(crate) generation: u32,
}

impl StepFacts {
    /// As expressions read it.
    pub(super) fn value(&self) -> Value {
        let texts = [
            ("step_id", &self.step_id),
            ("reference", &self.reference),
            ("request_id", &self.request_id),
            ("done_reference", &self.done_reference),
            ("undo_reason", &self.undo_reason),
        ];
        let numbers = [("attempt", self.attempt), ("generation", self.generation)];
        let texts = texts.map(|(name, text)| (Arc::from(name), Value::text(text)));
        let numbers = numbers.map(|(name, n)| (Arc::from(name), Value::Int(n.into())));
        Value::Map(Arc::new(texts.into_iter().chain(numbers).collect()))
    }
}
