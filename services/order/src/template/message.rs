//! Messages of a contract as values, and values as messages.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use prost::Message;
use throughline_proto::order::v1 as order;
use throughline_proto::prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage, Value as ProtoValue,
};

use super::time::SECOND;
use super::value::Value;

mod write;

pub(super) use write::set_field;

/// A message: the fields that are set, by number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    descriptor: MessageDescriptor,
    fields: BTreeMap<u32, Value>,
}

impl Record {
    /// What a field says; an absent message is null, any other absent field has its default.
    pub(super) fn field(&self, field: &FieldDescriptor) -> Value {
        self.fields.get(&field.number()).cloned().unwrap_or_else(|| absent(field))
    }

    /// Whether a field is set.
    pub(super) fn has(&self, field: &FieldDescriptor) -> bool {
        self.fields.contains_key(&field.number())
    }

    /// A field by its name, where only the value knows its type; none where there is no such field.
    pub(super) fn named(&self, name: &str) -> Option<Value> {
        Some(self.field(&self.descriptor.get_field_by_name(name)?))
    }

    /// Whether a field of this name is set.
    pub(super) fn has_named(&self, name: &str) -> bool {
        self.descriptor.get_field_by_name(name).is_some_and(|field| self.has(&field))
    }

    /// What the fields say that are set.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.fields.values()
    }

    /// The fields that are set, with their names.
    pub(super) fn fields(&self) -> impl Iterator<Item = (String, &Value)> {
        self.fields.iter().filter_map(|(number, value)| {
            Some((self.descriptor.get_field(*number)?.name().to_owned(), value))
        })
    }
}

impl Value {
    /// A message of any contract.
    pub(crate) fn message(mut message: DynamicMessage) -> Self {
        let descriptor = message.descriptor();
        if let Some(time) = well_known(&message) {
            return time;
        }
        let fields = message
            .take_fields()
            .map(|(field, value)| (field.number(), field_value(&field, value)))
            .collect();
        Self::Message(Arc::new(Record { descriptor, fields }))
    }

    /// The variable `order`.
    pub(crate) fn customer_order(order: &order::CustomerOrder) -> Self {
        encoded(order, &CONTRACT.customer_order)
    }

    /// The variable `business_order`.
    pub(crate) fn business_order(business_order: &order::BusinessOrder) -> Self {
        encoded(business_order, &CONTRACT.business_order)
    }

    /// The variable `items`.
    pub(crate) fn order_items(items: &[order::OrderItem]) -> Self {
        Self::list(items.iter().map(|item| encoded(item, &CONTRACT.order_item)))
    }
}

/// The messages that the variables of every expression are.
#[derive(Debug)]
pub(super) struct Contract {
    /// `order`.
    pub(super) customer_order: MessageDescriptor,
    /// `business_order`.
    pub(super) business_order: MessageDescriptor,
    /// One of `items`.
    pub(super) order_item: MessageDescriptor,
}

/// The messages of the order center's own contract.
pub(super) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let named = |name: &str| {
        let found = throughline_proto::descriptors().get_message_by_name(name);
        found.expect("the contract of the order center has the message")
    };
    Contract {
        customer_order: named("throughline.order.v1.CustomerOrder"),
        business_order: named("throughline.order.v1.BusinessOrder"),
        order_item: named("throughline.order.v1.OrderItem"),
    }
});

fn encoded(message: &impl Message, descriptor: &MessageDescriptor) -> Value {
    let decoded = DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice());
    Value::message(decoded.expect("the message was written by the same contract"))
}

/// The full name of a time that values know as such.
pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";
/// The full name of a span that values know as such.
pub(super) const DURATION: &str = "google.protobuf.Duration";

fn well_known(message: &DynamicMessage) -> Option<Value> {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    let nanos = || {
        let number = |field| match message.get_field_by_name(field).as_deref() {
            Some(ProtoValue::I64(number)) => i128::from(*number),
            Some(ProtoValue::I32(number)) => i128::from(*number),
            _ => 0,
        };
        number("seconds") * SECOND + number("nanos")
    };
    match name {
        TIMESTAMP => Some(Value::Timestamp(nanos())),
        DURATION => Some(Value::Duration(nanos())),
        _ => None,
    }
}

fn field_value(field: &FieldDescriptor, value: ProtoValue) -> Value {
    match value {
        ProtoValue::List(items) => Value::list(items.into_iter().map(|v| single(&field.kind(), v))),
        ProtoValue::Map(entries) => {
            let kind = field.kind();
            let value_kind = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
            let entries = entries.into_iter().filter_map(|(key, value)| {
                Some((key_text(key), single(value_kind.as_ref()?, value)))
            });
            Value::Map(Arc::new(entries.collect()))
        }
        value => single(&field.kind(), value),
    }
}

fn key_text(key: MapKey) -> Arc<str> {
    match key {
        MapKey::Bool(flag) => Arc::from(flag.to_string()),
        MapKey::I32(number) => Arc::from(number.to_string()),
        MapKey::I64(number) => Arc::from(number.to_string()),
        MapKey::U32(number) => Arc::from(number.to_string()),
        MapKey::U64(number) => Arc::from(number.to_string()),
        MapKey::String(text) => Arc::from(text),
    }
}

fn single(kind: &Kind, value: ProtoValue) -> Value {
    match value {
        ProtoValue::Bool(flag) => Value::Bool(flag),
        ProtoValue::I32(number) => Value::Int(number.into()),
        ProtoValue::I64(number) => Value::Int(number),
        ProtoValue::U32(number) => Value::Int(number.into()),
        ProtoValue::U64(number) => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        ProtoValue::F32(number) => Value::Double(number.into()),
        ProtoValue::F64(number) => Value::Double(number),
        ProtoValue::String(text) => Value::String(Arc::from(text)),
        ProtoValue::Bytes(bytes) => Value::Bytes(bytes),
        ProtoValue::EnumNumber(number) => match kind {
            Kind::Enum(descriptor) => enum_name(descriptor, number),
            _ => Value::Int(number.into()),
        },
        ProtoValue::Message(message) => Value::message(message),
        ProtoValue::List(_) | ProtoValue::Map(_) => Value::Null,
    }
}

/// The name of an enum's value; one that the contract does not know is its number as a text.
fn enum_name(descriptor: &EnumDescriptor, number: i32) -> Value {
    let known = descriptor.get_value(number);
    known.map_or_else(|| Value::text(&number.to_string()), |value| Value::text(value.name()))
}

fn absent(field: &FieldDescriptor) -> Value {
    if field.is_map() {
        return Value::Map(Arc::default());
    }
    if field.is_list() {
        return Value::List(Arc::from([]));
    }
    match field.kind() {
        Kind::Message(_) => Value::Null,
        Kind::Enum(descriptor) => Value::text(descriptor.default_value().name()),
        kind => single(&kind, field.default_value()),
    }
}
