//! Templates and policies as they ship with the center: data, parsed and checked at the start.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::policy::Policy;
use crate::template::{FALLBACK_LANGUAGE, Template};

const MESSAGES: &str = include_str!("../content/messages.yaml");

/// Variables that an event of an order gives.
pub(crate) const EVENT_VARIABLES: [&str; 5] =
    ["name", "channel_order_id", "total", "paid", "reason"];

/// Text by language.
type Texts = BTreeMap<String, String>;

/// All that may be said, and when.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    templates: BTreeMap<String, Template>,
    policies: BTreeMap<String, Policy>,
    reasons: BTreeMap<String, Texts>,
    absent: BTreeMap<String, Texts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    templates: BTreeMap<String, Texts>,
    policies: BTreeMap<String, PolicyEntry>,
    reasons: BTreeMap<String, Texts>,
    absent: BTreeMap<String, Texts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyEntry {
    event_type: String,
    template: String,
}

impl Library {
    /// Reads what ships with the center.
    pub(crate) fn shipped() -> Result<Self, String> {
        Self::parse(MESSAGES)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
        let templates = file.templates.iter().map(|(code, texts)| {
            check_code(code)?;
            Ok((code.clone(), Template::parse(code, texts)?))
        });
        let policies = file.policies.into_iter().map(|(code, entry)| {
            let PolicyEntry { event_type, template } = entry;
            (code.clone(), Policy { code, event_type, template })
        });
        let library = Self {
            templates: templates.collect::<Result<_, String>>()?,
            policies: policies.collect(),
            reasons: file.reasons,
            absent: file.absent,
        };
        library.check()?;
        Ok(library)
    }

    fn check(&self) -> Result<(), String> {
        for policy in self.policies.values() {
            check_code(&policy.code)?;
            let template = self.template(&policy.template).ok_or_else(|| {
                format!("policy {}: there is no template {}", policy.code, policy.template)
            })?;
            if let Some(unknown) =
                template.variables().into_iter().find(|name| !EVENT_VARIABLES.contains(name))
            {
                let code = &policy.code;
                return Err(format!("policy {code}: no event gives the variable {unknown}"));
            }
        }
        for (name, texts) in self.reasons.iter().chain(&self.absent) {
            if !texts.contains_key(FALLBACK_LANGUAGE) {
                return Err(format!("{name}: there is no text in {FALLBACK_LANGUAGE:?}"));
            }
        }
        Ok(())
    }

    pub(crate) fn template(&self, code: &str) -> Option<&Template> {
        self.templates.get(code)
    }

    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    /// Policies for a type of event, with their templates.
    pub(crate) fn policies_for(
        &self,
        event_type: &str,
    ) -> impl Iterator<Item = (&Policy, &Template)> {
        let of_type = self.policies.values().filter(move |p| p.event_type == event_type);
        of_type.filter_map(|policy| Some((policy, self.template(&policy.template)?)))
    }

    /// What is said for a reason, where it has words of its own.
    pub(crate) fn reason(&self, reason: &str, language: &str) -> Option<&str> {
        say(&self.reasons, reason, language)
    }

    /// What is said for a variable that an event leaves empty.
    pub(crate) fn absent(&self, variable: &str, language: &str) -> Option<&str> {
        say(&self.absent, variable, language)
    }
}

fn say<'a>(all: &'a BTreeMap<String, Texts>, name: &str, language: &str) -> Option<&'a str> {
    let texts = all.get(name)?;
    texts.get(language).or_else(|| texts.get(FALLBACK_LANGUAGE)).map(String::as_str)
}

fn check_code(code: &str) -> Result<(), String> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    if (1..=64).contains(&code.len()) && code.bytes().all(allowed) {
        Ok(())
    } else {
        Err(format!("{code:?} is no code of 1 to 64 characters of [A-Za-z0-9._-]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_can_be_said_in_english_and_chinese() {
        let library = Library::shipped().expect("what ships is valid");
        for end in ["accepted", "completed", "partial", "failed", "rejected", "cancelled"] {
            let event = format!("order.{end}");
            let told: Vec<_> = library.policies_for(&event).collect();
            assert_eq!(told.len(), 1, "{event} is told once");
        }
        let all = EVENT_VARIABLES.map(|v| (v.to_owned(), v.to_owned()));
        let all = BTreeMap::from(all);
        for template in library.templates() {
            for language in ["en", "zh"] {
                assert_eq!(template.language(language), language, "{}", template.code);
                let text = template.render(language, &all).map(|r| r.text).expect("rendered");
                assert!(text.contains("channel_order_id") && text.contains("name"), "{text}");
                assert!(
                    text.chars().count() <= 300,
                    "{} is long for a text message",
                    template.code
                );
            }
        }
        for (name, texts) in library.reasons.iter().chain(&library.absent) {
            assert!(texts.contains_key("zh"), "{name}");
        }
    }

    #[test]
    fn a_library_that_would_fail_later_is_refused_at_the_start() {
        let valid = "templates: {t: {en: 'x {name}'}}\npolicies: {p: {event_type: e, template: t}}\n\
                     reasons: {R: {en: x}}\nabsent: {name: {en: y}}\n";
        assert!(Library::parse(valid).is_ok());
        for (from, to, complaint) in [
            ("template: t", "template: gone", "there is no template gone"),
            ("{name}", "{phone}", "no event gives the variable phone"),
            ("{name}", "{name", "a brace stands alone"),
            ("t: {en:", "t: {zh:", "there is no text in \"en\""),
            ("R: {en:", "R: {zh:", "there is no text in \"en\""),
            ("{t: {en", "{'a b': {en", "is no code"),
            ("reasons:", "raisons:", "unknown field"),
            ("event_type: e, ", "", "missing field"),
        ] {
            let error = Library::parse(&valid.replacen(from, to, 1)).expect_err(complaint);
            assert!(error.contains(complaint), "{error}");
        }
    }
}
