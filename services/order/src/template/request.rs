//! The request of a call: which field says what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use throughline_proto::prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use super::cost::MAX_REQUEST_VALUES;
use super::evaluate::{EvaluationFailed, Scope};
use super::expression::{self, Program};
use super::finding::{Problem, nearest};
use super::message::{DURATION, TIMESTAMP, set_field};
use super::place::Place;
use super::scope::Variables;
use super::types::Type;
use super::value::Value;

/// The fields of a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    path: String,
    descriptor: MessageDescriptor,
    fields: Vec<(FieldDescriptor, Part)>,
}

/// What a field says.
#[derive(Clone, Debug)]
enum Part {
    /// An expression.
    Value(Program),
    /// A list, element by element.
    List(Vec<Part>),
    /// A message field by field, or a map key by key.
    Mapping(Vec<(Arc<str>, Part)>),
}

/// Fields that tell one call from another: without them a repetition would do its work twice.
const IDENTITIES: &[&str] = &["request_id", "reference"];

impl Request {
    /// Reads the fields at a place.
    pub(super) fn read(
        place: Option<&Place<'_>>,
        call: &Place<'_>,
        descriptor: &MessageDescriptor,
        variables: &Variables<'_>,
    ) -> Self {
        let mut fields = Vec::new();
        if let Some(place) = place {
            for (name, field_place) in place.entries() {
                let Some(field) = field_of(descriptor, name, &field_place) else { continue };
                if let Some(part) = part(&field_place, &field, Shape::Whole, variables) {
                    fields.push((field, part));
                }
            }
            report_oneofs(place, descriptor);
        }
        let at = place.unwrap_or(call);
        for identity in IDENTITIES {
            let exists = descriptor.get_field_by_name(identity).is_some();
            if exists && place.is_none_or(|place| place.get(identity).is_none()) {
                let message = format!("{} needs `{identity}`", descriptor.name());
                let remedy = format!("add `{identity}: step.{identity}`");
                at.report(Problem::new("IDENTITY_MISSING", message, remedy));
            }
        }
        let path = format!("{}.request", call.path());
        Self { path, descriptor: descriptor.clone(), fields }
    }

    /// Makes the message.
    pub(super) fn build(&self, scope: &Scope<'_>) -> Result<DynamicMessage, EvaluationFailed> {
        let mut message = DynamicMessage::new(self.descriptor.clone());
        let mut left = MAX_REQUEST_VALUES;
        for (field, part) in &self.fields {
            let failed = |message: String| EvaluationFailed {
                path: format!("{}.{}", self.path, field.name()),
                message,
            };
            let value = part.evaluate(scope)?;
            left = left.checked_sub(value.weight(left)).ok_or_else(|| {
                failed(format!("the request holds more than {MAX_REQUEST_VALUES} values"))
            })?;
            set_field(&mut message, field, &value).map_err(failed)?;
        }
        Ok(message)
    }
}

impl Part {
    fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluationFailed> {
        match self {
            Self::Value(program) => scope.evaluate(program),
            Self::List(parts) => {
                let items: Result<Vec<Value>, _> =
                    parts.iter().map(|part| part.evaluate(scope)).collect();
                Ok(Value::list(items?))
            }
            Self::Mapping(parts) => {
                let entries: Result<BTreeMap<Arc<str>, Value>, EvaluationFailed> = parts
                    .iter()
                    .map(|(key, part)| Ok((key.clone(), part.evaluate(scope)?)))
                    .collect();
                Ok(Value::Map(Arc::new(entries?)))
            }
        }
    }
}

fn field_of(
    descriptor: &MessageDescriptor,
    name: &str,
    place: &Place<'_>,
) -> Option<FieldDescriptor> {
    let field = descriptor.get_field_by_name(name);
    if field.is_none() {
        let message = format!("{} has no field `{name}`", descriptor.full_name());
        let fields: Vec<_> = descriptor.fields().collect();
        let remedy = nearest(name, fields.iter().map(|field| field.name()));
        place.report_key(Problem::new("FIELD_UNKNOWN", message, remedy));
    }
    field
}

/// Of fields that exclude each other one may be set.
fn report_oneofs(place: &Place<'_>, descriptor: &MessageDescriptor) {
    let mut seen = BTreeSet::new();
    for (name, field_place) in place.entries() {
        let field = descriptor.get_field_by_name(name);
        let oneof = field.and_then(|field| field.containing_oneof());
        if let Some(oneof) = oneof
            && !seen.insert(oneof.name().to_owned())
        {
            let message =
                format!("`{name}` and another field of `{}` exclude each other", oneof.name());
            field_place.report_key(Problem::new("FIELD_EXCLUDED", message, "keep one of them"));
        }
    }
}

/// Whether a field is meant as a whole or one element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Whole,
    Element,
}

fn part(
    place: &Place<'_>,
    field: &FieldDescriptor,
    shape: Shape,
    variables: &Variables<'_>,
) -> Option<Part> {
    let repeats = shape == Shape::Whole && field.is_list();
    if place.is_list() && repeats {
        let parts = place.items();
        let parts = parts.iter().filter_map(|item| part(item, field, Shape::Element, variables));
        return Some(Part::List(parts.collect()));
    }
    if place.is_mapping() && !repeats {
        if let Some(mapping) = mapping(place, field, variables) {
            return Some(mapping);
        }
    } else if !place.is_list() {
        let wanted = wanted(field, shape);
        return expression::read(place, variables, &wanted).map(Part::Value);
    }
    let message = format!("`{}` holds {}", field.name(), wanted(field, shape));
    let remedy = "write an expression, a mapping for a message, a list for a repeated field";
    place.report(Problem::new("TYPE_INVALID", message, remedy));
    None
}

fn wanted(field: &FieldDescriptor, shape: Shape) -> Type {
    match (shape, Type::of_field(field)) {
        (Shape::Element, Type::List(element)) => Type::clone(&element),
        (_, kind) => kind,
    }
}

/// A message field by field or a map key by key; none when the field is neither.
fn mapping(place: &Place<'_>, field: &FieldDescriptor, variables: &Variables<'_>) -> Option<Part> {
    let Kind::Message(descriptor) = field.kind() else { return None };
    if field.is_map() {
        let value_field = descriptor.map_entry_value_field();
        let parts = place.entries().into_iter().filter_map(|(key, place)| {
            Some((Arc::from(key), part(&place, &value_field, Shape::Whole, variables)?))
        });
        return Some(Part::Mapping(parts.collect()));
    }
    if [TIMESTAMP, DURATION].contains(&descriptor.full_name()) {
        return None;
    }
    report_oneofs(place, &descriptor);
    let parts = place.entries().into_iter().filter_map(|(name, place)| {
        let field = field_of(&descriptor, name, &place)?;
        Some((Arc::from(name), part(&place, &field, Shape::Whole, variables)?))
    });
    Some(Part::Mapping(parts.collect()))
}
