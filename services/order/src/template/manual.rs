//! Steps that a person does, and the form that the person fills in.

use std::collections::BTreeMap;

use super::answer::Reading;
use super::evaluate::{EvaluationFailed, Given, Scope};
use super::expression::{self, Program};
use super::facts::Facts;
use super::finding::Problem;
use super::place::Place;
use super::save::Saves;
use super::scope::Variables;
use super::types::Type;
use super::value::Value;

mod form;

pub(crate) use form::{FormField, FormFieldType};

/// A task of a person.
#[derive(Clone, Debug)]
pub(crate) struct Manual {
    /// Group whose task it is.
    pub(crate) group: String,
    /// What the person fills in.
    pub(crate) form: Vec<FormField>,
    /// Group that gets it when the timeout passes; absent means that the step fails then.
    pub(crate) escalate_to: Option<String>,
    refused_when: Option<Program>,
    reason: String,
    save: Saves,
}

/// What a person filled in, by field.
pub(crate) type Filled = BTreeMap<String, serde_json::Value>;

impl Manual {
    /// What a person wrote, with the types of the form's fields; what is no such value stays text, for the check to refuse.
    pub(crate) fn typed(&self, form: &BTreeMap<String, String>) -> Filled {
        let value = |(name, text): (&String, &String)| {
            let field = self.form.iter().find(|field| field.name == *name);
            let literal = match field.map(|field| &field.kind) {
                Some(FormFieldType::Bool | FormFieldType::Number) => text.parse().ok(),
                _ => None,
            };
            (name.clone(), literal.unwrap_or_else(|| text.clone().into()))
        };
        form.iter().map(value).collect()
    }

    /// Says which fields are filled in wrongly and how, if any.
    pub(crate) fn check(&self, filled: &Filled) -> Result<(), Vec<(String, String)>> {
        form::check(&self.form, filled)
    }

    /// What a form that was checked means: done, or refused.
    pub(crate) fn read(
        &self,
        facts: &dyn Facts,
        filled: &Filled,
    ) -> Result<Reading, EvaluationFailed> {
        let form = Value::Map(std::sync::Arc::new(
            self.form
                .iter()
                .filter_map(|field| Some((field.name.as_str().into(), field.value(filled)?)))
                .collect(),
        ));
        let scope = Scope::new(facts, Given { form: Some(form), ..Given::default() });
        if let Some(refused_when) = &self.refused_when
            && scope.flag(refused_when)?
        {
            let message = format!("refused by {}", self.group);
            return Ok(Reading::Declined { reason: self.reason.clone(), message });
        }
        Ok(Reading::Succeeded { saved: self.save.evaluate(&scope)? })
    }
}

/// Reads a task.
pub(super) fn read(place: &Place<'_>, variables: &Variables<'_>) -> Option<Manual> {
    place.allow(&["group", "form", "refused_when", "reason", "escalate_to", "save"]);
    let group = place.need("group").and_then(|place| place.id(64));
    let form = place.get("form").map(|place| form::read(&place)).unwrap_or_default();
    let kind = Type::object(form.iter().map(|field| (field.name.clone(), field.kind.yields())));
    let variables = Variables { form: Some(&kind), ..*variables };
    let condition = place.get("refused_when");
    let refused_when =
        condition.as_ref().and_then(|place| expression::read(place, &variables, &Type::Bool));
    let reason = place.get("reason").and_then(|place| place.reason());
    if condition.is_some() && place.get("reason").is_none() {
        let message = "a refusal needs its reason";
        place.report(Problem::new("KEY_MISSING", message, "add `reason: SOME_REASON`"));
    }
    let escalate_to = place.get("escalate_to").and_then(|place| place.id(64));
    let save = Saves::read(place.get("save"), &variables);
    let reason = reason.unwrap_or_default();
    Some(Manual { group: group?, form, escalate_to, refused_when, reason, save })
}
