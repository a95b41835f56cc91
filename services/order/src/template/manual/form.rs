//! Forms: their fields and what may be filled in.

use std::collections::BTreeSet;

use super::Filled;
use crate::template::finding::Problem;
use crate::template::place::Place;
use crate::template::types::Type;
use crate::template::value::Value;

/// Fields of one form at most.
const MAX_FIELDS: usize = 32;
/// Options of one choice at most.
const MAX_OPTIONS: usize = 64;
/// Longest text that a person fills in, in characters.
const MAX_TEXT: usize = 1_000;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormField {
    /// Name, 1 to 32 characters of [a-z0-9_].
    pub(crate) name: String,
    /// Title for people.
    pub(crate) title: String,
    /// What is filled in.
    pub(crate) kind: FormFieldType,
    /// It must be filled in.
    pub(crate) required: bool,
}

/// What is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormFieldType {
    /// Yes or no.
    Bool,
    /// A text of at most 1,000 characters.
    Text,
    /// A number.
    Number,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// One of these.
    Choice(Vec<String>),
}

impl FormFieldType {
    /// What expressions read.
    pub(super) fn yields(&self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Number => Type::Double,
            Self::Text | Self::Date | Self::Choice(_) => Type::String,
        }
    }
}

impl FormField {
    /// What expressions read; none when it was left empty.
    pub(super) fn value(&self, filled: &Filled) -> Option<Value> {
        match (&self.kind, filled.get(&self.name)?) {
            (_, serde_json::Value::Null) => None,
            (FormFieldType::Number, number) => number.as_f64().map(Value::Double),
            (_, other) => Some(Value::from_json(other)),
        }
    }

    /// What is wrong with what was filled in, if anything.
    fn problem(&self, value: &serde_json::Value) -> Option<String> {
        match &self.kind {
            FormFieldType::Bool => (!value.is_boolean()).then(|| "say true or false".to_owned()),
            FormFieldType::Number => (!value.is_number()).then(|| "write a number".to_owned()),
            FormFieldType::Text => {
                let fits = value.as_str().is_some_and(|text| text.chars().count() <= MAX_TEXT);
                (!fits).then(|| format!("write a text of at most {MAX_TEXT} characters"))
            }
            FormFieldType::Date => {
                let fits = value.as_str().is_some_and(is_date);
                (!fits).then(|| "write a day that exists as YYYY-MM-DD".to_owned())
            }
            FormFieldType::Choice(options) => {
                let fits = value.as_str().is_some_and(|text| options.iter().any(|o| o == text));
                (!fits).then(|| format!("choose one of: {}", options.join(", ")))
            }
        }
    }
}

/// Says which fields are filled in wrongly and how.
pub(super) fn check(form: &[FormField], filled: &Filled) -> Result<(), Vec<(String, String)>> {
    let mut wrong = Vec::new();
    for field in form {
        match filled.get(&field.name) {
            None | Some(serde_json::Value::Null) if field.required => {
                wrong.push((field.name.clone(), "fill it in".to_owned()));
            }
            None | Some(serde_json::Value::Null) => {}
            Some(value) => wrong.extend(field.problem(value).map(|p| (field.name.clone(), p))),
        }
    }
    for name in filled.keys().filter(|name| form.iter().all(|field| field.name != **name)) {
        wrong.push((name.clone(), "the form has no such field; leave it out".to_owned()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Whether a text is a day of the calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut number = |width: usize| {
        let part = parts.next().filter(|part| part.len() == width)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
    };
    let (Some(year), Some(month), Some(day)) = (number(4), number(2), number(2)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    parts.next().is_none() && year > 0 && (1..=days).contains(&day)
}

#[derive(Clone, Copy)]
enum Word {
    Bool,
    Text,
    Number,
    Date,
    Choice,
}

const TYPES: &[(&str, Word)] = &[
    ("BOOL", Word::Bool),
    ("TEXT", Word::Text),
    ("NUMBER", Word::Number),
    ("DATE", Word::Date),
    ("CHOICE", Word::Choice),
];

/// Reads the fields of a form.
pub(super) fn read(place: &Place<'_>) -> Vec<FormField> {
    let items = place.items();
    if items.len() > MAX_FIELDS {
        let message = format!("a form has {MAX_FIELDS} fields at most");
        place.report(Problem::new("LIST_TOO_LONG", message, "ask for less, or in two steps"));
    }
    let mut names = BTreeSet::new();
    let mut fields = Vec::new();
    for item in items {
        let Some(field) = read_field(&item) else { continue };
        if !names.insert(field.name.clone()) {
            let message = format!("field `{}` stands there twice", field.name);
            item.report(Problem::new("FIELD_REPEATED", message, "keep one of them"));
        }
        fields.push(field);
    }
    fields
}

fn read_field(place: &Place<'_>) -> Option<FormField> {
    place.allow(&["field", "type", "required", "title", "options"]);
    let name = place.need("field").and_then(|place| name(&place));
    let kind = place.need("type").and_then(|place| place.choice(TYPES));
    let required = place.get("required").and_then(|place| place.flag()).unwrap_or(false);
    let title = place.get("title").and_then(|place| place.text(200));
    let kind = match (kind, place.get("options")) {
        (Some(Word::Choice), _) => FormFieldType::Choice(options(place)),
        (_, Some(options)) => {
            let message = "only a CHOICE has options";
            options.report_key(Problem::new("KEY_MISPLACED", message, "remove `options`"));
            return None;
        }
        (Some(Word::Bool), None) => FormFieldType::Bool,
        (Some(Word::Text), None) => FormFieldType::Text,
        (Some(Word::Number), None) => FormFieldType::Number,
        (Some(Word::Date), None) => FormFieldType::Date,
        (None, None) => return None,
    };
    let name = name?;
    let title = title.unwrap_or_else(|| name.clone());
    Some(FormField { name, title, kind, required })
}

fn name(place: &Place<'_>) -> Option<String> {
    let name = place.text(32)?;
    let fitting = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fitting) {
        let message = format!("{name:?} cannot be read as a field");
        let remedy = "use a to z, 0 to 9 and _, a letter first";
        place.report(Problem::new("NAME_INVALID", message, remedy));
        return None;
    }
    Some(name)
}

fn options(place: &Place<'_>) -> Vec<String> {
    let Some(list) = place.need("options") else { return Vec::new() };
    let items = list.items();
    if items.is_empty() || items.len() > MAX_OPTIONS {
        let message = format!("a choice has 1 to {MAX_OPTIONS} options");
        list.report(Problem::new("LIST_TOO_LONG", message, "name what can be chosen"));
    }
    items.iter().filter_map(|item| item.text(100)).collect()
}
