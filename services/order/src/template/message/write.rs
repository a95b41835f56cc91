//! Values as messages.

use throughline_proto::prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as ProtoValue,
};

use super::{DURATION, TIMESTAMP};
use crate::template::time::{self, SECOND};
use crate::template::value::Value;

/// Writes a value into a message; the error says what does not fit.
fn to_message(value: &Value, descriptor: &MessageDescriptor) -> Result<DynamicMessage, String> {
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut set = |name: &str, value: &Value| {
        let field = descriptor.get_field_by_name(name);
        let field = field.ok_or_else(|| format!("{} has no field `{name}`", descriptor.name()))?;
        set_field(&mut message, &field, value)
    };
    match (value, descriptor.full_name()) {
        (Value::Timestamp(nanos), TIMESTAMP) if time::is_timestamp(*nanos) => {
            set_time(&mut message, nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND))?;
        }
        (Value::Duration(nanos), DURATION) if time::is_duration(*nanos) => {
            set_time(&mut message, nanos / SECOND, nanos % SECOND)?;
        }
        (Value::Message(record), _) => {
            record.fields().try_for_each(|(name, value)| set(&name, value))?;
        }
        (Value::Map(entries), _) => {
            entries.iter().try_for_each(|(name, value)| set(name, value))?;
        }
        (other, _) => return Err(format!("{} does not fit {}", other.kind(), descriptor.name())),
    }
    Ok(message)
}

fn set_time(message: &mut DynamicMessage, seconds: i128, nanos: i128) -> Result<(), String> {
    let beyond = |_| "the time is out of range".to_owned();
    let seconds = i64::try_from(seconds).map_err(beyond)?;
    let nanos = i32::try_from(nanos).map_err(beyond)?;
    message.set_field_by_name("seconds", ProtoValue::I64(seconds));
    message.set_field_by_name("nanos", ProtoValue::I32(nanos));
    Ok(())
}

/// Sets one field; null leaves it unset.
pub(in crate::template) fn set_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    value: &Value,
) -> Result<(), String> {
    if matches!(value, Value::Null) {
        return Ok(());
    }
    let proto = if field.is_map() {
        to_map(field, value)?
    } else if field.is_list() {
        let Value::List(items) = value else {
            return Err(format!("field `{}` is a list, not {}", field.name(), value.kind()));
        };
        let kind = field.kind();
        let items: Result<_, _> = items.iter().map(|item| to_single(item, &kind)).collect();
        ProtoValue::List(items.map_err(|problem| in_field(field, &problem))?)
    } else {
        to_single(value, &field.kind()).map_err(|problem| in_field(field, &problem))?
    };
    message
        .try_set_field(field, proto)
        .map_err(|_| format!("field `{}` cannot hold it", field.name()))
}

fn in_field(field: &FieldDescriptor, problem: &str) -> String {
    format!("field `{}`: {problem}", field.name())
}

fn to_map(field: &FieldDescriptor, value: &Value) -> Result<ProtoValue, String> {
    let kind = field.kind();
    let (Some(entry), Value::Map(entries)) = (kind.as_message(), value) else {
        return Err(format!("field `{}` is a map, not {}", field.name(), value.kind()));
    };
    let (key_kind, value_kind) =
        (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    let entries: Result<_, String> = entries
        .iter()
        .map(|(key, value)| Ok((to_key(key, &key_kind)?, to_single(value, &value_kind)?)))
        .collect();
    Ok(ProtoValue::Map(entries.map_err(|problem| in_field(field, &problem))?))
}

fn to_key(key: &str, kind: &Kind) -> Result<MapKey, String> {
    let wrong = || "a key does not fit".to_owned();
    Ok(match kind {
        Kind::String => MapKey::String(key.to_owned()),
        Kind::Bool => MapKey::Bool(key.parse().map_err(|_| wrong())?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            MapKey::I32(key.parse().map_err(|_| wrong())?)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            MapKey::I64(key.parse().map_err(|_| wrong())?)
        }
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(key.parse().map_err(|_| wrong())?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(key.parse().map_err(|_| wrong())?),
        Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => {
            return Err(wrong());
        }
    })
}

fn to_single(value: &Value, kind: &Kind) -> Result<ProtoValue, String> {
    let beyond = |number: i64| format!("{number} is out of range");
    Ok(match (kind, value) {
        (Kind::Bool, Value::Bool(flag)) => ProtoValue::Bool(*flag),
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, Value::Int(n)) => ProtoValue::I64(*n),
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, Value::Int(n)) => {
            ProtoValue::I32(i32::try_from(*n).map_err(|_| beyond(*n))?)
        }
        (Kind::Uint32 | Kind::Fixed32, Value::Int(n)) => {
            ProtoValue::U32(u32::try_from(*n).map_err(|_| beyond(*n))?)
        }
        (Kind::Uint64 | Kind::Fixed64, Value::Int(n)) => {
            ProtoValue::U64(u64::try_from(*n).map_err(|_| beyond(*n))?)
        }
        (Kind::Double, Value::Double(n)) => ProtoValue::F64(*n),
        #[expect(clippy::cast_precision_loss, reason = "a whole number written for a fraction")]
        (Kind::Double, Value::Int(n)) => ProtoValue::F64(*n as f64),
        #[expect(clippy::cast_possible_truncation, reason = "the contract asks for less digits")]
        (Kind::Float, Value::Double(n)) => ProtoValue::F32(*n as f32),
        #[expect(clippy::cast_precision_loss, reason = "a whole number written for a fraction")]
        (Kind::Float, Value::Int(n)) => ProtoValue::F32(*n as f32),
        (Kind::String, Value::String(text)) => ProtoValue::String(text.to_string()),
        (Kind::Bytes, Value::Bytes(bytes)) => ProtoValue::Bytes(bytes.clone()),
        (Kind::Enum(descriptor), Value::String(name)) => {
            let known = descriptor.get_value_by_name(name);
            let known =
                known.ok_or_else(|| format!("{} has no value of this name", descriptor.name()))?;
            ProtoValue::EnumNumber(known.number())
        }
        (Kind::Message(descriptor), value) => ProtoValue::Message(to_message(value, descriptor)?),
        (_, Value::Null) => return Err("null stands where a value is needed".to_owned()),
        (_, value) => return Err(format!("{} does not fit", value.kind())),
    })
}
