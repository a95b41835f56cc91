//! Expressions that read nothing.

use throughline_kit::clock::Instant;

use super::{Given, Scope};
use crate::template::expression::Program;
use crate::template::facts::{Facts, StepFacts};
use crate::template::node::Node;
use crate::template::value::Value;

impl Program {
    /// Whether the expression reads nothing, and what it then always says.
    pub(in crate::template) fn constant(&self) -> Option<Value> {
        is_closed(self.node())
            .then(|| Scope::new(&NoFacts, Given::default()).evaluate(self).ok())?
    }
}

/// Facts for expressions that read none.
struct NoFacts;

impl Facts for NoFacts {
    fn order(&self) -> Value {
        Value::Null
    }
    fn reversed(&self) -> Value {
        Value::Null
    }

    fn business_order(&self) -> Value {
        Value::Null
    }
    fn items(&self) -> Value {
        Value::Null
    }
    fn step(&self) -> StepFacts {
        StepFacts::default()
    }
    fn saved(&self, _: &str, _: &str) -> Value {
        Value::Null
    }
    fn now(&self) -> Instant {
        Instant(0)
    }
}

/// Whether an expression reads no variable.
fn is_closed(node: &Node) -> bool {
    match node {
        Node::Constant(_) | Node::Local(_) => true,
        Node::Root(_) | Node::Saved { .. } | Node::FormField(..) => false,
        Node::Field(inner, _) | Node::HasField(inner, _) => is_closed(inner),
        Node::Key(inner, _) | Node::HasKey(inner, _) => is_closed(inner),
        Node::Not(inner) | Node::Negate(inner) => is_closed(inner),
        Node::Index(parts) | Node::And(parts) | Node::Or(parts) | Node::Binary(_, parts) => {
            parts.iter().all(is_closed)
        }
        Node::If(parts) => parts.iter().all(is_closed),
        Node::Call(_, parts) | Node::List(parts) => parts.iter().all(is_closed),
        Node::Mapping(entries) => entries.iter().all(|(_, value)| is_closed(value)),
        Node::Each(each) => {
            is_closed(&each.range)
                && is_closed(&each.body)
                && each.filter.as_ref().is_none_or(is_closed)
        }
    }
}
