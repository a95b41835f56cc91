//! Operators: which types they take and what comes out.

use cel::IdedExpr;
use cel::common::ast::operators as names;
use throughline_proto::prost_reflect::EnumDescriptor;

use super::{Checked, Checker};
use crate::template::cost::Cost;
use crate::template::finding::{Problem, nearest};
use crate::template::node::{Node, Operator};
use crate::template::types::Type;

/// The operator of a call's name, and its sign.
pub(super) fn operator(name: &str) -> Option<(Operator, &'static str)> {
    Some(match name {
        names::EQUALS => (Operator::Equal, "=="),
        names::NOT_EQUALS => (Operator::NotEqual, "!="),
        names::LESS => (Operator::Less, "<"),
        names::LESS_EQUALS => (Operator::LessOrEqual, "<="),
        names::GREATER => (Operator::Greater, ">"),
        names::GREATER_EQUALS => (Operator::GreaterOrEqual, ">="),
        names::ADD => (Operator::Add, "+"),
        names::SUBSTRACT => (Operator::Subtract, "-"),
        names::MULTIPLY => (Operator::Multiply, "*"),
        names::DIVIDE => (Operator::Divide, "/"),
        names::MODULO => (Operator::Remainder, "%"),
        names::IN => (Operator::In, "in"),
        _ => return None,
    })
}

/// What is wrong with the name of an enum's value; none when it is one.
pub(super) fn unknown_name(descriptor: &EnumDescriptor, text: &str) -> Option<Problem> {
    if descriptor.get_value_by_name(text).is_some() {
        return None;
    }
    let message = format!("{} has no value `{text}`", descriptor.name());
    let values: Vec<_> = descriptor.values().collect();
    let remedy = nearest(text, values.iter().map(|value| value.name()));
    Some(Problem::new("ENUM_VALUE_UNKNOWN", message, remedy))
}

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        at: &IdedExpr,
        (operator, sign): (Operator, &str),
        [left, right]: [Checked; 2],
    ) -> Checked {
        for problem in misnamed(operator, &left, &right) {
            self.report(at, problem);
        }
        let Some(kind) = result(operator, &left.kind, &right.kind) else {
            let message = format!("`{sign}` does not take {} and {}", left.kind, right.kind);
            let remedy =
                "convert one side: int(…), double(…), string(…), timestamp(…), duration(…)";
            return self.report(at, Problem::new("TYPE_MISMATCH", message, remedy));
        };
        let items = left.cost.items.saturating_add(right.cost.items);
        let cost = left.cost.then(right.cost).then(Cost::one());
        let cost = match operator {
            Operator::Equal | Operator::NotEqual
                if is_single(&left.kind) || is_single(&right.kind) =>
            {
                cost
            }
            Operator::Add if is_single(&left.kind) => cost,
            Operator::Equal | Operator::NotEqual | Operator::In => cost.holding(items).scanned(),
            Operator::Add => cost.holding(items).scanned().holding(items),
            _ => cost,
        };
        Checked::new(Node::Binary(operator, Box::new([left.node, right.node])), kind, cost)
    }
}

/// Whether it holds no elements.
fn is_single(kind: &Type) -> bool {
    !matches!(kind, Type::List(_) | Type::Map(_) | Type::Object(_) | Type::Message(_) | Type::Dyn)
}

/// Comparisons of an enum with texts that are none of its values.
fn misnamed(operator: Operator, left: &Checked, right: &Checked) -> Vec<Problem> {
    let one = |kind: &Type, other: &Checked| match (kind, other.literal_text()) {
        (Type::Enum(descriptor), Some(text)) => unknown_name(descriptor, text),
        _ => None,
    };
    match operator {
        Operator::Equal | Operator::NotEqual => {
            one(&left.kind, right).into_iter().chain(one(&right.kind, left)).collect()
        }
        Operator::In => match (&left.kind, &right.node) {
            (Type::Enum(descriptor), Node::List(items)) => {
                let texts = items.iter().filter_map(|item| match item {
                    Node::Constant(crate::template::Value::String(text)) => Some(text),
                    _ => None,
                });
                texts.filter_map(|text| unknown_name(descriptor, text)).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What comes out; none when the operator does not take these.
fn result(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    if matches!(left, Type::Dyn) || matches!(right, Type::Dyn) {
        return dynamic(operator, left, right);
    }
    match operator {
        Operator::Equal | Operator::NotEqual => are_comparable(left, right).then_some(Type::Bool),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let ordered =
                matches!(left, Type::Bool | Type::Bytes | Type::Timestamp | Type::Duration);
            let fitting = (left.is_number() && right.is_number())
                || (left.is_text() && right.is_text())
                || (ordered && left == right);
            fitting.then_some(Type::Bool)
        }
        Operator::Add => sum(left, right),
        Operator::Subtract => match (left, right) {
            (Type::Timestamp, Type::Timestamp) => Some(Type::Duration),
            (Type::Timestamp | Type::Duration, Type::Duration) => Some(left.clone()),
            _ => (left.is_number() && left == right).then(|| left.clone()),
        },
        Operator::Multiply | Operator::Divide => {
            (left.is_number() && left == right).then(|| left.clone())
        }
        Operator::Remainder => (*left == Type::Int && *right == Type::Int).then_some(Type::Int),
        Operator::In => match right {
            Type::List(element) => {
                (**element == Type::Dyn || are_comparable(left, element)).then_some(Type::Bool)
            }
            Type::Map(_) | Type::Object(_) => left.is_text().then_some(Type::Bool),
            _ => None,
        },
    }
}

fn dynamic(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    match operator {
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => {
            Some(Type::Dyn)
        }
        Operator::Remainder => Some(Type::Int),
        Operator::In => match (left, right) {
            (_, Type::Dyn | Type::List(_) | Type::Map(_) | Type::Object(_)) => Some(Type::Bool),
            _ => None,
        },
        _ => Some(Type::Bool),
    }
}

fn sum(left: &Type, right: &Type) -> Option<Type> {
    match (left, right) {
        (Type::Timestamp, Type::Duration) | (Type::Duration, Type::Timestamp) => {
            Some(Type::Timestamp)
        }
        (Type::Duration, Type::Duration) => Some(Type::Duration),
        (Type::List(_), Type::List(_)) => Some(left.clone().join(right.clone())),
        (Type::Bytes, Type::Bytes) => Some(Type::Bytes),
        _ if left.is_text() && right.is_text() => Some(Type::String),
        _ => (left.is_number() && left == right).then(|| left.clone()),
    }
}

fn are_comparable(left: &Type, right: &Type) -> bool {
    let null = matches!(left, Type::Null) && right.is_nullable()
        || matches!(right, Type::Null) && left.is_nullable();
    null || (left.is_number() && right.is_number())
        || left.fits(right).is_ok()
        || right.fits(left).is_ok()
}
