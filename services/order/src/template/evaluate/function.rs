//! Functions.

use super::Outcome;
use super::operation::made;
use crate::template::node::Function;
use crate::template::time;
use crate::template::value::Value;

/// Applies a function.
pub(super) fn call(function: Function, arguments: &[Value]) -> Outcome {
    match (function, arguments) {
        (Function::Size, [value]) => size(value),
        (Function::Contains, [Value::String(text), Value::String(part)]) => {
            Ok(Value::Bool(text.contains(part.as_ref())))
        }
        (Function::StartsWith, [Value::String(text), Value::String(part)]) => {
            Ok(Value::Bool(text.starts_with(part.as_ref())))
        }
        (Function::EndsWith, [Value::String(text), Value::String(part)]) => {
            Ok(Value::Bool(text.ends_with(part.as_ref())))
        }
        (Function::Int, [value]) => int(value),
        (Function::Double, [value]) => double(value),
        (Function::String, [value]) => string(value),
        (Function::Timestamp, [Value::Timestamp(nanos)]) => Ok(Value::Timestamp(*nanos)),
        (Function::Timestamp, [Value::String(text)]) => {
            let nanos = time::read_timestamp(text);
            nanos.map(Value::Timestamp).ok_or_else(|| "reads no timestamp from the text".to_owned())
        }
        (Function::Duration, [Value::Duration(nanos)]) => Ok(Value::Duration(*nanos)),
        (Function::Duration, [Value::String(text)]) => {
            let nanos = time::read_duration(text);
            nanos.map(Value::Duration).ok_or_else(|| "reads no duration from the text".to_owned())
        }
        (Function::Flatten, [Value::List(lists)]) => flatten(lists),
        (Function::Sum, [Value::List(numbers)]) => sum(numbers),
        (_, arguments) => {
            let kinds: Vec<&str> = arguments.iter().map(Value::kind).collect();
            Err(format!("gives a function ({})", kinds.join(", ")))
        }
    }
}

fn size(value: &Value) -> Outcome {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        other => return Err(format!("asks the size of {}", other.kind())),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

/// The first double beyond the whole numbers of 64 bits.
const INT_LIMIT: f64 = 9_223_372_036_854_775_808.0;

fn int(value: &Value) -> Outcome {
    let number = match value {
        Value::Int(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
        Value::Double(number) => (-INT_LIMIT..INT_LIMIT).contains(number).then_some(*number as i64),
        Value::String(text) => text.parse().ok(),
        Value::Timestamp(nanos) => i64::try_from(nanos.div_euclid(time::SECOND)).ok(),
        _ => None,
    };
    number.map(Value::Int).ok_or_else(|| unreadable("int", value))
}

fn double(value: &Value) -> Outcome {
    let number = match value {
        Value::Double(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "that is what double() means")]
        Value::Int(number) => Some(*number as f64),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.map(Value::Double).ok_or_else(|| unreadable("double", value))
}

fn string(value: &Value) -> Outcome {
    let text = match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Timestamp(nanos) => time::write_timestamp(*nanos),
        Value::Duration(nanos) => Some(time::write_duration(*nanos)),
        _ => None,
    };
    text.map(|text| Value::text(&text)).ok_or_else(|| unreadable("string", value))
}

/// Values of orders are personal: messages name their kind, never what they say.
fn unreadable(wanted: &str, value: &Value) -> String {
    format!("makes no {wanted} of this {}", value.kind())
}

fn flatten(lists: &[Value]) -> Outcome {
    let length = |list: &Value| match list {
        Value::List(items) => items.len(),
        _ => 1,
    };
    made(lists.iter().map(length).sum())?;
    let mut flat = Vec::new();
    for list in lists {
        match list {
            Value::List(items) => flat.extend(items.iter().cloned()),
            single => flat.push(single.clone()),
        }
    }
    Ok(Value::list(flat))
}

fn sum(numbers: &[Value]) -> Outcome {
    let total = numbers.iter().try_fold(0_i64, |total, number| match number {
        Value::Int(number) => total.checked_add(*number),
        _ => None,
    });
    total.map(Value::Int).ok_or_else(|| "sums no whole numbers, or too large ones".to_owned())
}
