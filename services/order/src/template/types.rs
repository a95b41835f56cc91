//! What an expression yields, as far as the contracts say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use throughline_proto::prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::message::{DURATION, TIMESTAMP};

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Only null.
    Null,
    /// A flag.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number with a fraction.
    Double,
    /// A text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time; absent is null.
    Timestamp,
    /// A span; absent is null.
    Duration,
    /// The name of one of the values.
    Enum(EnumDescriptor),
    /// A message of a contract; absent is null.
    Message(MessageDescriptor),
    /// A mapping whose keys are known.
    Object(Arc<BTreeMap<String, Type>>),
    /// A list.
    List(Arc<Type>),
    /// A mapping whose keys are not known.
    Map(Arc<Type>),
    /// Only shows when it is read.
    Dyn,
}

impl Type {
    /// A list of something.
    pub(super) fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// A mapping with these keys.
    pub(super) fn object(fields: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Object(Arc::new(fields.into_iter().collect()))
    }

    /// What a field holds.
    pub(super) fn of_field(field: &FieldDescriptor) -> Self {
        if field.is_map() {
            let kind = field.kind();
            let value = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
            return Self::Map(Arc::new(value.as_ref().map_or(Self::Dyn, Self::of_kind)));
        }
        let single = Self::of_kind(&field.kind());
        if field.is_list() { Self::list(single) } else { single }
    }

    fn of_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Double | Kind::Float => Self::Double,
            Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64 => Self::Int,
            Kind::Bool => Self::Bool,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Message(descriptor) => Self::of_message(descriptor),
            Kind::Enum(descriptor) => Self::Enum(descriptor.clone()),
        }
    }

    /// What a message is.
    pub(super) fn of_message(descriptor: &MessageDescriptor) -> Self {
        match descriptor.full_name() {
            TIMESTAMP => Self::Timestamp,
            DURATION => Self::Duration,
            _ => Self::Message(descriptor.clone()),
        }
    }

    /// Whether it can be null.
    pub(super) fn is_nullable(&self) -> bool {
        matches!(self, Self::Null | Self::Timestamp | Self::Duration | Self::Message(_) | Self::Dyn)
    }

    /// Whether both are texts, an enum's value among them.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::String | Self::Enum(_))
    }

    /// Whether it is a number.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Says why this cannot stand where the other is wanted.
    pub(super) fn fits(&self, wanted: &Self) -> Result<(), String> {
        let fitting = match (self, wanted) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Null, wanted) => wanted.is_nullable(),
            (Self::Enum(_), Self::String) | (Self::String, Self::Enum(_)) => true,
            (Self::Enum(l), Self::Enum(r)) => l.full_name() == r.full_name(),
            (Self::Message(l), Self::Message(r)) => l.full_name() == r.full_name(),
            (Self::List(l), Self::List(r)) => return l.fits(r).map_err(in_list),
            (Self::Map(l), Self::Map(r)) => return l.fits(r),
            (Self::Object(fields), Self::Map(value)) => {
                return fields.iter().try_for_each(|(name, kind)| {
                    kind.fits(value).map_err(|problem| format!("key `{name}`: {problem}"))
                });
            }
            (Self::Object(fields), Self::Message(descriptor)) => {
                return object_fits(fields, descriptor);
            }
            // The values of a mapping without known keys only show when it is read.
            (Self::Map(_), Self::Message(_)) => true,
            (actual, wanted) => actual == wanted,
        };
        if fitting { Ok(()) } else { Err(format!("{self} stands where {wanted} is wanted")) }
    }

    /// What a value is that may be of either type.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::Null, kind) | (kind, Self::Null) if kind.is_nullable() => kind,
            (left, right) if left.is_text() && right.is_text() => Self::String,
            (Self::List(left), Self::List(right)) => {
                Self::list(Type::clone(&left).join(Type::clone(&right)))
            }
            _ => Self::Dyn,
        }
    }
}

fn in_list(problem: String) -> String {
    format!("in the list {problem}")
}

fn object_fits(
    fields: &BTreeMap<String, Type>,
    descriptor: &MessageDescriptor,
) -> Result<(), String> {
    for (name, kind) in fields {
        let field = descriptor.get_field_by_name(name);
        let field = field.ok_or_else(|| format!("{} has no field `{name}`", descriptor.name()))?;
        kind.fits(&Type::of_field(&field))
            .map_err(|problem| format!("field `{name}`: {problem}"))?;
    }
    Ok(())
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Enum(descriptor) => write!(f, "a name of {}", descriptor.name()),
            Self::Message(descriptor) => write!(f, "{}", descriptor.name()),
            Self::Object(_) => f.write_str("a mapping"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(value) => write!(f, "map({value})"),
            Self::Dyn => f.write_str("dyn"),
        }
    }
}
