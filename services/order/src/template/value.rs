//! Values that expressions read and make.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_kit::clock::Instant;
use throughline_proto::prost_reflect::bytes::Bytes;

use super::cost::BYTES_PER_OPERATION;
use super::message::Record;
use super::time;

/// A value. Copying one is cheap: what is large is shared.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing: an absent message, a saved value that was never saved.
    Null,
    /// A flag.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text, or the name of an enum's value.
    String(Arc<str>),
    /// Bytes.
    Bytes(Bytes),
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Timestamp(i128),
    /// Nanoseconds.
    Duration(i128),
    /// A list.
    List(Arc<[Value]>),
    /// A mapping; keys that are numbers or flags stand as text.
    Map(Arc<BTreeMap<Arc<str>, Value>>),
    /// A message of a contract.
    Message(Arc<Record>),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        Self::String(Arc::from(text))
    }

    /// A list.
    pub(crate) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A point in time.
    pub(crate) fn instant(instant: Instant) -> Self {
        Self::Timestamp(i128::from(instant.0) * 1_000)
    }

    /// A value of a JSON document: what steps keep, forms and events bring.
    pub(crate) fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map_or_else(|| Self::Double(number.as_f64().unwrap_or(f64::NAN)), Self::Int),
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::list(items.iter().map(Self::from_json)),
            serde_json::Value::Object(entries) => Self::Map(Arc::new(
                entries
                    .iter()
                    .map(|(key, value)| (Arc::from(key.as_str()), Self::from_json(value)))
                    .collect(),
            )),
        }
    }

    /// As JSON. Times become RFC 3339 texts and spans texts in seconds; bytes and numbers that are not finite have none.
    pub(crate) fn to_json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Double(number) => serde_json::Number::from_f64(*number)?.into(),
            Self::String(text) => text.as_ref().into(),
            Self::Bytes(_) => return None,
            Self::Timestamp(nanos) => time::write_timestamp(*nanos)?.into(),
            Self::Duration(nanos) => time::write_duration(*nanos).into(),
            Self::List(items) => {
                serde_json::Value::Array(items.iter().map(Self::to_json).collect::<Option<_>>()?)
            }
            Self::Map(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| Some((key.to_string(), value.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
            Self::Message(record) => serde_json::Value::Object(
                record
                    .fields()
                    .map(|(name, value)| Some((name, value.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "timestamp",
            Self::Duration(_) => "duration",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Message(_) => "message",
        }
    }

    /// How many values it holds, itself included, counted up to a limit: what comparing or writing it costs. Shared
    /// values count each time, so without the limit a small value could take for ever to count.
    pub(super) fn weight(&self, limit: u64) -> u64 {
        let mut weight = 1_u64;
        let mut add = |value: &Self| {
            weight += value.weight(limit.saturating_sub(weight));
            weight <= limit
        };
        match self {
            Self::List(items) => items.iter().all(&mut add),
            Self::Map(entries) => entries.values().all(&mut add),
            Self::Message(record) => record.values().all(&mut add),
            Self::String(text) => {
                weight += text.len() as u64 / BYTES_PER_OPERATION;
                true
            }
            _ => true,
        };
        weight
    }
}

impl PartialEq for Value {
    /// As CEL compares: numbers by what they are worth, values of different kinds are never equal.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(l), Self::Bool(r)) => l == r,
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => {
                number_order(self, other) == Some(std::cmp::Ordering::Equal)
            }
            (Self::String(l), Self::String(r)) => l == r,
            (Self::Bytes(l), Self::Bytes(r)) => l == r,
            (Self::Timestamp(l), Self::Timestamp(r)) | (Self::Duration(l), Self::Duration(r)) => {
                l == r
            }
            (Self::List(l), Self::List(r)) => l == r,
            (Self::Map(l), Self::Map(r)) => l == r,
            (Self::Message(l), Self::Message(r)) => l == r,
            _ => false,
        }
    }
}

/// How two numbers stand to each other; none when one is not a number.
pub(super) fn number_order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(l), Value::Int(r)) => Some(l.cmp(r)),
        (Value::Double(l), Value::Double(r)) => l.partial_cmp(r),
        (Value::Int(l), Value::Double(r)) => int_to_double(*l, *r),
        (Value::Double(l), Value::Int(r)) => int_to_double(*r, *l).map(std::cmp::Ordering::reverse),
        _ => None,
    }
}

/// Compares without losing digits: beyond 2^63 the double decides alone.
fn int_to_double(int: i64, double: f64) -> Option<std::cmp::Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= LIMIT {
        return Some(std::cmp::Ordering::Less);
    }
    if double < -LIMIT {
        return Some(std::cmp::Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let whole = double.trunc() as i64;
    let fraction = double.fract().partial_cmp(&0.0)?;
    Some(int.cmp(&whole).then(fraction.reverse()))
}
