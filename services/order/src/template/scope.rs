//! Which variables an expression may read where it stands.

use std::collections::{BTreeMap, BTreeSet};

use throughline_proto::prost_reflect::MessageDescriptor;

use super::message::CONTRACT;
use super::node::Root;
use super::types::Type;
use super::{Kind, finding::Problem};

/// The values that steps keep, by the step's id.
pub(super) type SavedNames = BTreeMap<String, BTreeSet<String>>;

/// Variables of one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variables<'a> {
    /// `business_order` and `reversed` are only there when one is delivered.
    pub(super) kind: Kind,
    /// What all steps of the template keep.
    pub(super) saved: &'a SavedNames,
    /// Ids of the steps that have certainly ended.
    pub(super) before: &'a BTreeSet<String>,
    /// `answer`, where a call was answered.
    pub(super) answer: Option<&'a MessageDescriptor>,
    /// `form`, where a person filled one in.
    pub(super) form: Option<&'a Type>,
    /// `event`, where one arrived.
    pub(super) event: bool,
}

/// Names of all variables, for those who mistype one.
const NAMES: &[&str] = &[
    "order",
    "business_order",
    "reversed",
    "items",
    "step",
    "steps",
    "answer",
    "form",
    "event",
    "now",
];

impl Variables<'_> {
    /// The variable of a name, and its type.
    pub(super) fn root(&self, name: &str) -> Result<(Root, Type), Problem> {
        let elsewhere = |where_: &str| {
            let message = format!("`{name}` is not there in this place");
            Err(Problem::new("VARIABLE_UNKNOWN", message, format!("use it only {where_}")))
        };
        Ok(match name {
            "order" => (Root::Order, Type::Message(CONTRACT.customer_order.clone())),
            "items" => (Root::Items, Type::list(Type::Message(CONTRACT.order_item.clone()))),
            "step" => (Root::Step, step_type()),
            "now" => (Root::Now, Type::Timestamp),
            "business_order" | "reversed" => match self.kind {
                Kind::Business => {
                    let root =
                        if name == "reversed" { Root::Reversed } else { Root::BusinessOrder };
                    (root, Type::Message(CONTRACT.business_order.clone()))
                }
                Kind::Order => return elsewhere("in templates of kind BUSINESS"),
            },
            "answer" => match self.answer {
                Some(descriptor) => (Root::Answer, Type::of_message(descriptor)),
                None => return elsewhere("in `answer` and `save` of a call"),
            },
            "form" => match self.form {
                Some(form) => (Root::Form, form.clone()),
                None => return elsewhere("in `refused_when` and `save` of a manual step"),
            },
            "event" if self.event => (Root::Event, Type::Map(Type::Dyn.into())),
            "event" => return elsewhere("in `save` of a wait step"),
            other => {
                let message = format!("there is no variable `{other}`");
                let remedy = super::finding::nearest(other, NAMES.iter().copied());
                return Err(Problem::new("VARIABLE_UNKNOWN", message, remedy));
            }
        })
    }

    /// Checks that a step has certainly kept a value of this name where the expression stands.
    pub(super) fn saved(&self, step: &str, name: &str) -> Result<(), Problem> {
        let Some(names) = self.saved.get(step) else {
            let message = format!("there is no step `{step}`");
            let remedy = super::finding::nearest(step, self.saved.keys().map(String::as_str));
            return Err(Problem::new("STEP_UNKNOWN", message, remedy));
        };
        if !self.before.contains(step) {
            let message = format!("step `{step}` has not certainly ended when this is read");
            let remedy = format!("put `{step}` into `after` of this step or of one before it");
            return Err(Problem::new("STEP_NOT_BEFORE", message, remedy));
        }
        if !names.contains(name) {
            let message = format!("step `{step}` keeps no `{name}`");
            let remedy = super::finding::nearest(name, names.iter().map(String::as_str));
            return Err(Problem::new("SAVED_UNKNOWN", message, remedy));
        }
        Ok(())
    }
}

/// The variable `step`.
fn step_type() -> Type {
    let texts = ["step_id", "reference", "request_id", "done_reference", "undo_reason"];
    let numbers = ["attempt", "generation"];
    let texts = texts.map(|name| (name.to_owned(), Type::String));
    Type::object(texts.into_iter().chain(numbers.map(|name| (name.to_owned(), Type::Int))))
}
