//! Reads a document place by place and reports what is wrong where it stands.

use std::time::Duration;

use super::document::{Content, Node};
use super::finding::{Findings, Position, Problem, nearest};
use super::time::read_span;

/// One place of a document.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    node: &'a Node,
    path: String,
    key: Position,
    findings: &'a Findings,
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(super) fn root(node: &'a Node, findings: &'a Findings) -> Self {
        Self { node, path: String::new(), key: node.position, findings }
    }

    /// Its path, like `steps[2].call`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reports what is wrong here.
    pub(super) fn report(&self, problem: Problem) {
        self.findings.add(self.node.position, &self.path, problem);
    }

    /// Reports what is wrong with the key that leads here.
    pub(super) fn report_key(&self, problem: Problem) {
        self.findings.add(self.key, &self.path, problem);
    }

    /// Reports what is wrong some characters behind the beginning of a text.
    pub(super) fn report_behind(&self, characters: u32, problem: Problem) {
        let mut position = self.node.position;
        if let Content::Text { indent: Some(indent), .. } = &self.node.content {
            position.column = position.column.saturating_add(indent + characters);
        }
        self.findings.add(position, &self.path, problem);
    }

    fn wrong(&self, wanted: &str) {
        let found = match &self.node.content {
            Content::Text { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping",
        };
        let message = format!("{found} stands where {wanted} is wanted");
        self.report(Problem::new("TYPE_INVALID", message, format!("write {wanted}")));
    }

    fn child(&self, name: &str, node: &'a Node, key: Position) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{name}", self.path);
        Self { node, path, key, findings: self.findings }
    }

    /// Its keys, each with its place; reports when it is no mapping.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Content::Mapping(entries) = &self.node.content else {
            self.wrong("a mapping");
            return Vec::new();
        };
        let child = |entry: &'a super::document::Entry| {
            (entry.key.as_str(), self.child(&entry.key, &entry.value, entry.position))
        };
        entries.iter().map(child).collect()
    }

    /// Reports keys that are not known, and when it is no mapping at all.
    pub(super) fn allow(&self, known: &[&str]) {
        for (key, place) in self.entries() {
            if !known.contains(&key) {
                let message = format!("`{key}` is not known here");
                let remedy = nearest(key, known.iter().copied());
                place.report_key(Problem::new("KEY_UNKNOWN", message, remedy));
            }
        }
    }

    /// What a key says, where it is there.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let Content::Mapping(entries) = &self.node.content else { return None };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(self.child(key, &entry.value, entry.position))
    }

    /// What a key says that must be there; reports when it is not.
    pub(super) fn need(&self, key: &str) -> Option<Self> {
        let found = self.get(key);
        if found.is_none() && self.is_mapping() {
            let message = format!("`{key}` is missing");
            self.report(Problem::new("KEY_MISSING", message, format!("add `{key}:`")));
        }
        found
    }

    /// Whether it is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.node.content, Content::Mapping(_))
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.content, Content::List(_))
    }

    /// Its elements; reports when it is no list.
    pub(super) fn items(&self) -> Vec<Self> {
        let Content::List(items) = &self.node.content else {
            self.wrong("a list");
            return Vec::new();
        };
        let item = |(index, node): (usize, &'a Node)| Self {
            node,
            path: format!("{}[{index}]", self.path),
            key: node.position,
            findings: self.findings,
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The text as it stands, without a report.
    pub(super) fn raw(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Text { text, .. } => Some(text),
            Content::List(_) | Content::Mapping(_) => None,
        }
    }

    /// A text of at most so many characters; reports when it is empty, longer or no text.
    pub(super) fn text(&self, longest: usize) -> Option<String> {
        let Some(text) = self.raw() else {
            self.wrong("a text");
            return None;
        };
        if text.is_empty() || text.chars().count() > longest {
            let message = format!("a text has 1 to {longest} characters");
            self.report(Problem::new(
                "TEXT_INVALID",
                message,
                "write a shorter one, not an empty one",
            ));
            return None;
        }
        Some(text.to_owned())
    }

    /// A name of [a-z0-9-] with at most so many characters.
    pub(super) fn id(&self, longest: usize) -> Option<String> {
        let id = self.text(longest)?;
        let fitting = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !id.chars().all(fitting) {
            let message = format!("{id:?} is no name");
            let remedy = format!("use 1 to {longest} characters of a to z, 0 to 9 and -");
            self.report(Problem::new("NAME_INVALID", message, remedy));
            return None;
        }
        Some(id)
    }

    /// A word of letters, digits, `_`, `.` and `-` with at most so many characters.
    pub(super) fn word(&self, longest: usize) -> Option<String> {
        let word = self.text(longest)?;
        if !word.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
            let message = format!("{word:?} is no word");
            let remedy = "use letters, digits, `_`, `.` and `-`";
            self.report(Problem::new("NAME_INVALID", message, remedy));
            return None;
        }
        Some(word)
    }

    /// A reason, UPPER_SNAKE, of at most 64 characters.
    pub(super) fn reason(&self) -> Option<String> {
        let reason = self.text(64)?;
        let fitting = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !reason.chars().all(fitting) {
            let message = format!("{reason:?} is no reason");
            self.report(Problem::new("NAME_INVALID", message, "write it in UPPER_SNAKE"));
            return None;
        }
        Some(reason)
    }

    /// One of the known words.
    pub(super) fn choice<T: Copy>(&self, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(64)?;
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let message = format!("`{text}` is not possible here");
            let remedy = nearest(&text, known.iter().map(|(name, _)| *name));
            self.report(Problem::new("CHOICE_INVALID", message, remedy));
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        match &self.node.content {
            Content::Text { text, plain: true, .. } if text == "true" => Some(true),
            Content::Text { text, plain: true, .. } if text == "false" => Some(false),
            _ => {
                self.wrong("true or false");
                None
            }
        }
    }

    /// A number in a range.
    pub(super) fn number(&self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number = self.raw().and_then(|text| text.parse::<u32>().ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(&format!("a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// A span like `200ms`, `10s`, `24h` or `30d`, above zero and at most so long.
    pub(super) fn span(&self, longest: Duration) -> Option<Duration> {
        let span = self.raw().and_then(read_span);
        let span = span.filter(|span| !span.is_zero() && *span <= longest);
        if span.is_none() {
            let longest = longest.as_secs();
            let message = "no span above zero within the limit stands here";
            let remedy = format!("write it like 200ms, 10s, 5m, 24h or 30d, at most {longest}s");
            self.report(Problem::new("DURATION_INVALID", message, remedy));
        }
        span
    }
}
