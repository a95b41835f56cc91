//! A call of a capability: how its request is made and its answer read.

use throughline_proto::prost_reflect::{DynamicMessage, MethodDescriptor};

use super::MethodLookup;
use super::answer::{Answer, REASON_UNSAID, Reading, Said};
use super::evaluate::{EvaluationFailed, Given, Scope};
use super::facts::Facts;
use super::finding::Problem;
use super::place::Place;
use super::request::Request;
use super::save::Saves;
use super::scope::Variables;
use super::value::Value;

/// A call of a capability.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Full name of the method, `package.Service/Method`.
    pub(crate) method: String,
    /// The method.
    pub(crate) descriptor: MethodDescriptor,
    /// The call that asks how this one ended, where this one undoes or stands in for another.
    pub(crate) on_unknown: Option<Box<Call>>,
    request: Request,
    answer: Answer,
    save: Saves,
}

/// What a call is for, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The work of a step.
    Work,
    /// Does the same as the work after that failed.
    Substitute,
    /// Undoes the work.
    Undo,
    /// Asks how another call ended.
    Ask,
}

impl Role {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Work => &["method", "request", "answer", "save"],
            Self::Substitute => &["method", "request", "answer", "save", "on_unknown"],
            Self::Undo => &["method", "request", "answer", "on_unknown"],
            Self::Ask => &["method", "request", "answer"],
        }
    }
}

impl Call {
    /// Makes the request.
    pub(crate) fn request(&self, facts: &dyn Facts) -> Result<DynamicMessage, EvaluationFailed> {
        self.request.build(&Scope::new(facts, Given::default()))
    }

    /// Full name of the method, `package.Service/Method`.
    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    /// Who is called, for a person: the center that the package is named after, else the package.
    pub(crate) fn system(&self) -> &str {
        let package = self.descriptor.parent_file().package_name().len();
        let package = self.method.get(..package).unwrap_or_default();
        let center = package.strip_prefix("throughline.").and_then(|rest| rest.split('.').next());
        center.unwrap_or(package)
    }

    /// Says what an answer means.
    pub(crate) fn read(
        &self,
        facts: &dyn Facts,
        answer: DynamicMessage,
    ) -> Result<Reading, EvaluationFailed> {
        let value = Value::message(answer.clone());
        let scope = Scope::new(facts, Given { answer: Some(value), ..Given::default() });
        Ok(match self.answer.said(&scope, &answer)? {
            Said::Succeeded => Reading::Succeeded { saved: self.save.evaluate(&scope)? },
            Said::Pending => Reading::Pending,
            Said::Declined(reason, message) if reason.is_empty() => {
                Reading::Declined { reason: REASON_UNSAID.to_owned(), message }
            }
            Said::Declined(reason, message) => Reading::Declined { reason, message },
        })
    }
}

/// Reads a call.
pub(super) fn read(
    place: &Place<'_>,
    role: Role,
    lookup: &dyn MethodLookup,
    variables: &Variables<'_>,
) -> Option<Call> {
    place.allow(role.keys());
    let asks = place.get("on_unknown").filter(|_| role.keys().contains(&"on_unknown"));
    let on_unknown = asks.and_then(|place| read(&place, Role::Ask, lookup, variables));
    let (method, descriptor) = method(&place.need("method")?, lookup)?;
    let request = place.get("request");
    let request = Request::read(request.as_ref(), place, &descriptor.input(), variables);
    let output = descriptor.output();
    let variables = Variables { answer: Some(&output), ..*variables };
    let answer = Answer::read(place, &output, &variables);
    let save = place.get("save").filter(|_| role.keys().contains(&"save"));
    let save = Saves::read(save, &variables);
    let on_unknown = on_unknown.map(Box::new);
    Some(Call { method, descriptor, on_unknown, request, answer: answer?, save })
}

fn method(place: &Place<'_>, lookup: &dyn MethodLookup) -> Option<(String, MethodDescriptor)> {
    let name = place.text(256)?;
    let Some(descriptor) = lookup.method(&name) else {
        let message = format!("no capability `{name}` is registered");
        let remedy =
            "register the system at the gateway, or write `package.Service/Method` as it is";
        place.report(Problem::new("CAPABILITY_UNKNOWN", message, remedy));
        return None;
    };
    if descriptor.is_client_streaming() || descriptor.is_server_streaming() {
        let message = format!("`{name}` is a stream");
        let remedy = "call a method with one request and one answer";
        place.report(Problem::new("CAPABILITY_STREAMING", message, remedy));
        return None;
    }
    Some((name, descriptor))
}
