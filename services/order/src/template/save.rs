//! The values that a step keeps for later steps.

use std::collections::BTreeMap;

use super::MAX_SAVED_BYTES;
use super::evaluate::{EvaluationFailed, Scope};
use super::expression::{self, Program};
use super::finding::Problem;
use super::place::Place;
use super::scope::Variables;
use super::types::Type;

/// Values that one step keeps at most.
const MAX_SAVED: usize = 32;

/// What a step keeps, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Saves(Vec<(String, Program)>);

/// What a step kept, as JSON by name.
pub(crate) type Saved = BTreeMap<String, serde_json::Value>;

impl Saves {
    /// Reads a mapping of names to expressions.
    pub(super) fn read(place: Option<Place<'_>>, variables: &Variables<'_>) -> Self {
        let Some(place) = place else { return Self::default() };
        let entries = place.entries();
        if entries.len() > MAX_SAVED {
            let message = format!("a step keeps {MAX_SAVED} values at most");
            place.report(Problem::new("SAVED_TOO_MANY", message, "keep what later steps read"));
        }
        let programs = entries.into_iter().filter_map(|(name, place)| {
            check_name(name, &place);
            Some((name.to_owned(), expression::read(&place, variables, &Type::Dyn)?))
        });
        Self(programs.collect())
    }

    /// Evaluates them.
    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Result<Saved, EvaluationFailed> {
        let mut saved = Saved::new();
        let mut bytes = 0;
        for (name, program) in &self.0 {
            let failed = |message: String| EvaluationFailed {
                path: program.path().to_owned(),
                message: format!("`{}` {message}", program.text()),
            };
            let value = scope.evaluate(program)?;
            // A text of JSON is longer than the values in it: those beyond the limit are not written out.
            if value.weight(MAX_SAVED_BYTES as u64) > MAX_SAVED_BYTES as u64 {
                return Err(failed(too_large()));
            }
            let json =
                value.to_json().ok_or_else(|| failed("yields what cannot be kept".into()))?;
            bytes += name.len() + json.to_string().len();
            if bytes > MAX_SAVED_BYTES {
                return Err(failed(too_large()));
            }
            saved.insert(name.clone(), json);
        }
        Ok(saved)
    }
}

fn too_large() -> String {
    format!("makes a step keep more than {MAX_SAVED_BYTES} bytes")
}

/// A name that expressions can read as a field.
fn check_name(name: &str, place: &Place<'_>) {
    let fitting = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || name.len() > 32 || !name.chars().all(fitting) {
        let message = format!("{name:?} cannot be read as a field");
        let remedy = "use 1 to 32 characters of a to z, 0 to 9 and _, a letter first";
        place.report_key(Problem::new("NAME_INVALID", message, remedy));
    }
}
