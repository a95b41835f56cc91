//! Operators and access to parts of values.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Outcome;
use crate::template::cost::{BYTES_PER_OPERATION, MAX_COST, MAX_MADE_ITEMS, MAX_TEXT_BYTES};
use crate::template::node::Operator;
use crate::template::time::{is_duration, is_timestamp};
use crate::template::value::{Value, number_order};

/// A key of a mapping.
pub(super) fn key(operand: &Value, key: &str) -> Outcome {
    let found = match operand {
        Value::Map(entries) => entries.get(key).cloned(),
        Value::Message(record) => record.named(key),
        other => return Err(format!("`{key}` is read from {}", other.kind())),
    };
    found.ok_or_else(|| format!("finds no `{key}`"))
}

/// Whether a mapping has a key that says something.
pub(super) fn has_key(operand: &Value, key: &str) -> bool {
    match operand {
        Value::Map(entries) => entries.get(key).is_some_and(|value| !matches!(value, Value::Null)),
        Value::Message(record) => record.has_named(key),
        _ => false,
    }
}

/// An element by number or key.
pub(super) fn index(list: &Value, index: &Value) -> Outcome {
    match (list, index) {
        (Value::List(items), Value::Int(number)) => {
            let found = usize::try_from(*number).ok().and_then(|number| items.get(number));
            found.cloned().ok_or_else(|| format!("finds no element {number} of {}", items.len()))
        }
        (Value::Map(_) | Value::Message(_), Value::String(text)) => key(list, text),
        (Value::Map(_), Value::Int(number)) => key(list, &number.to_string()),
        (Value::Map(_), Value::Bool(flag)) => key(list, &flag.to_string()),
        (list, index) => Err(format!("reads {} by {}", list.kind(), index.kind())),
    }
}

/// Arithmetic negation.
pub(super) fn negate(operand: &Value) -> Outcome {
    match operand {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        Value::Duration(nanos) => Ok(Value::Duration(-nanos)),
        other => Err(format!("negates {}", other.kind())),
    }
}

/// What an operator costs beyond one operation.
pub(super) fn weight(operator: Operator, left: &Value, right: &Value) -> u64 {
    match operator {
        Operator::Equal | Operator::NotEqual => left.weight(MAX_COST).min(right.weight(MAX_COST)),
        Operator::In => right.weight(MAX_COST),
        _ => length(left) + length(right),
    }
}

/// Elements of a list, or pieces of a text: what copying it costs.
pub(super) fn length(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / BYTES_PER_OPERATION,
        Value::Bytes(bytes) => bytes.len() as u64 / BYTES_PER_OPERATION,
        Value::List(items) => items.len() as u64,
        Value::Map(entries) => entries.len() as u64,
        _ => 0,
    }
}

/// Applies an operator to both operands.
pub(super) fn binary(operator: Operator, left: &Value, right: &Value) -> Outcome {
    match operator {
        Operator::Equal => Ok(Value::Bool(left == right)),
        Operator::NotEqual => Ok(Value::Bool(left != right)),
        Operator::Less => ordered(left, right, Ordering::is_lt),
        Operator::LessOrEqual => ordered(left, right, Ordering::is_le),
        Operator::Greater => ordered(left, right, Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(left, right, Ordering::is_ge),
        Operator::In => contained(left, right),
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => arithmetic(left, right, i64::checked_mul, |l, r| l * r),
        Operator::Divide => arithmetic(left, right, i64::checked_div, |l, r| l / r),
        Operator::Remainder => arithmetic(left, right, i64::checked_rem, |_, _| f64::NAN),
    }
}

fn ordered(left: &Value, right: &Value, holds: impl FnOnce(Ordering) -> bool) -> Outcome {
    let order = match (left, right) {
        (Value::Bool(l), Value::Bool(r)) => Some(l.cmp(r)),
        (Value::String(l), Value::String(r)) => Some(l.cmp(r)),
        (Value::Bytes(l), Value::Bytes(r)) => Some(l.cmp(r)),
        (Value::Timestamp(l), Value::Timestamp(r)) | (Value::Duration(l), Value::Duration(r)) => {
            Some(l.cmp(r))
        }
        (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
            // A number that is none stands in no order: every comparison with it is false.
            return Ok(Value::Bool(number_order(left, right).is_some_and(holds)));
        }
        _ => None,
    };
    let order = order.ok_or_else(|| format!("compares {} with {}", left.kind(), right.kind()))?;
    Ok(Value::Bool(holds(order)))
}

fn contained(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (left, Value::List(items)) => Ok(Value::Bool(items.iter().any(|item| item == left))),
        (Value::String(key), Value::Map(entries)) => Ok(Value::Bool(entries.contains_key(key))),
        (left, right) => Err(format!("looks for {} in {}", left.kind(), right.kind())),
    }
}

fn add(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::String(l), Value::String(r)) => {
            if l.len() + r.len() > MAX_TEXT_BYTES {
                return Err(format!("makes a text of more than {MAX_TEXT_BYTES} bytes"));
            }
            Ok(Value::String(Arc::from([l.as_ref(), r.as_ref()].concat())))
        }
        (Value::Bytes(l), Value::Bytes(r)) => {
            if l.len() + r.len() > MAX_TEXT_BYTES {
                return Err(format!("makes more than {MAX_TEXT_BYTES} bytes"));
            }
            Ok(Value::Bytes([l.as_ref(), r.as_ref()].concat().into()))
        }
        (Value::List(l), Value::List(r)) => {
            made(l.len() + r.len())?;
            Ok(Value::list(l.iter().chain(r.iter()).cloned()))
        }
        (Value::Timestamp(l), Value::Duration(r)) | (Value::Duration(r), Value::Timestamp(l)) => {
            timestamp(l + r)
        }
        (Value::Duration(l), Value::Duration(r)) => duration(l + r),
        _ => arithmetic(left, right, i64::checked_add, |l, r| l + r),
    }
}

fn subtract(left: &Value, right: &Value) -> Outcome {
    match (left, right) {
        (Value::Timestamp(l), Value::Timestamp(r)) | (Value::Duration(l), Value::Duration(r)) => {
            duration(l - r)
        }
        (Value::Timestamp(l), Value::Duration(r)) => timestamp(l - r),
        _ => arithmetic(left, right, i64::checked_sub, |l, r| l - r),
    }
}

/// Checks that a list of this length may be made.
pub(super) fn made(items: usize) -> Result<(), String> {
    if items > MAX_MADE_ITEMS {
        return Err(format!("makes a list of more than {MAX_MADE_ITEMS} elements"));
    }
    Ok(())
}

fn timestamp(nanos: i128) -> Outcome {
    if is_timestamp(nanos) { Ok(Value::Timestamp(nanos)) } else { Err(overflow()) }
}

fn duration(nanos: i128) -> Outcome {
    if is_duration(nanos) { Ok(Value::Duration(nanos)) } else { Err(overflow()) }
}

fn arithmetic(
    left: &Value,
    right: &Value,
    whole: impl FnOnce(i64, i64) -> Option<i64>,
    fraction: impl FnOnce(f64, f64) -> f64,
) -> Outcome {
    match (left, right) {
        (Value::Int(l), Value::Int(r)) => whole(*l, *r).map(Value::Int).ok_or_else(overflow),
        (Value::Double(l), Value::Double(r)) => Ok(Value::Double(fraction(*l, *r))),
        _ => Err(format!("calculates with {} and {}", left.kind(), right.kind())),
    }
}

fn overflow() -> String {
    "leaves the range of numbers or times, or divides by zero".to_owned()
}
