//! What is wrong in a document, and where.

use std::cell::RefCell;
use std::fmt;

/// Findings of one document at most; a hostile one would otherwise answer with megabytes.
pub(super) const MAX_FINDINGS: usize = 200;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
    /// Path in the document, like `steps[2].call.request.order_id`.
    pub(crate) path: String,
    /// What is wrong, UPPER_SNAKE.
    pub(crate) code: &'static str,
    /// What is wrong, as a sentence.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, path, code, message, remedy } = self;
        write!(f, "{line}:{column} {path}: {code}: {message}; {remedy}")
    }
}

/// Where something stands in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Line, from 1.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) column: u32,
}

/// What is wrong and what helps, before it has a place.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// UPPER_SNAKE.
    pub(super) code: &'static str,
    /// A sentence.
    pub(super) message: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Problem {
    /// Makes one.
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code, message: message.into(), remedy: remedy.into() }
    }
}

/// Collects findings while a document is read.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    /// Adds one, unless there are [`MAX_FINDINGS`] already.
    pub(super) fn add(&self, position: Position, path: &str, problem: Problem) {
        let mut findings = self.0.borrow_mut();
        if findings.len() < MAX_FINDINGS {
            findings.push(Finding {
                line: position.line,
                column: position.column,
                path: path.to_owned(),
                code: problem.code,
                message: problem.message,
                remedy: problem.remedy,
            });
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// All of them, by line.
    pub(super) fn sorted(self) -> Vec<Finding> {
        let mut findings = self.0.into_inner();
        findings.sort();
        findings.dedup();
        findings
    }
}

/// Says which of the known names was probably meant, or lists them.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    let close = known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 3)
        .min();
    match close {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "nothing is known here; remove it".to_owned(),
        None => format!("use one of: {}", shorten(&known)),
    }
}

/// Names in a sentence at most.
const MAX_NAMES: usize = 24;

fn shorten(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES { format!("{shown} …") } else { shown }
}

/// Characters of a name that are compared at most.
const MAX_COMPARED: usize = 64;

/// How many characters must be put in, taken out or changed to make one name of the other.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(MAX_COMPARED).collect();
    let right: Vec<char> = right.chars().take(MAX_COMPARED).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let changed = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
