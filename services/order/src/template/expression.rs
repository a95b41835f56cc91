//! A CEL expression from its text to what is evaluated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::Env;

use super::MAX_EXPRESSION_BYTES;
use super::check::Checker;
use super::finding::Problem;
use super::node::Node;
use super::place::Place;
use super::scope::Variables;
use super::types::Type;

/// Brackets that stand in each other at most.
const MAX_NESTING: usize = 16;
/// Names, numbers, texts and signs of one expression at most: the parser and all after it recurse over them.
const MAX_TOKENS: usize = 256;

/// An expression that compiled. Copying one is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Program(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    path: String,
    text: String,
    node: Node,
}

impl Program {
    pub(super) fn new(path: String, text: String, node: Node) -> Self {
        Self(Arc::new(Compiled { path, text, node }))
    }

    /// Where it stands in its template.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    pub(super) fn node(&self) -> &Node {
        &self.0.node
    }
}

/// What is wrong in an expression and how many characters behind its beginning.
pub(super) type Misplaced = (u32, Problem);

/// Parses and checks an expression against what may stand there.
pub(super) fn compile(
    text: &str,
    variables: &Variables<'_>,
    wanted: &Type,
) -> Result<Node, Vec<Misplaced>> {
    measure(text).map_err(|problem| vec![problem])?;
    let program = parse(text)?;
    let mut checker = Checker::new(variables, &program);
    let checked = checker.check(program.expression());
    checker.conclude(checked, wanted).map(|checked| checked.node)
}

/// Reads the expression at a place, and reports what is wrong with it there.
pub(super) fn read(place: &Place<'_>, variables: &Variables<'_>, wanted: &Type) -> Option<Program> {
    let Some(text) = place.raw() else {
        let message = "an expression is wanted";
        let remedy = format!("write a CEL expression that yields {wanted}");
        place.report(Problem::new("TYPE_INVALID", message, remedy));
        return None;
    };
    match compile(text, variables, wanted) {
        Ok(node) => Some(Program::new(place.path().to_owned(), text.to_owned(), node)),
        Err(problems) => {
            for (characters, problem) in problems {
                place.report_behind(characters, problem);
            }
            None
        }
    }
}

/// The macros stay calls: the checker knows them by name, and none is expanded into loops of free form.
static ENV: LazyLock<Env> = LazyLock::new(|| Env::default().with_optional_support(false));

fn parse(text: &str) -> Result<cel::Program, Vec<Misplaced>> {
    let syntax = |message: &str| {
        let message = format!("the expression is not CEL: {}", message.trim());
        Problem::new("EXPRESSION_SYNTAX", message, "check operators, quotes and brackets")
    };
    let parsed = catch_unwind(AssertUnwindSafe(|| ENV.compile(text)));
    match parsed {
        Ok(Ok(program)) => Ok(program),
        Ok(Err(errors)) => {
            let mut found: Vec<Misplaced> = errors
                .errors
                .iter()
                .map(|error| (offset(text, error.pos), syntax(first_line(&error.msg))))
                .collect();
            found.truncate(1);
            if found.is_empty() { Err(vec![(0, syntax("it cannot be read"))]) } else { Err(found) }
        }
        Err(_) => Err(vec![(0, syntax("it cannot be read"))]),
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Characters before a line and column, both from 1.
fn offset(text: &str, (line, column): (isize, isize)) -> u32 {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(|l| l.chars().count()).sum();
    let column = usize::try_from(column - 1).unwrap_or(0);
    u32::try_from(before + column).unwrap_or(u32::MAX)
}

/// Refuses what is too large to be parsed, before it is.
fn measure(text: &str) -> Result<(), Misplaced> {
    let too_large = |at: usize, message: String| {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        Err((
            at,
            Problem::new("EXPRESSION_TOO_LARGE", message, "split it over more steps or fields"),
        ))
    };
    if text.len() > MAX_EXPRESSION_BYTES {
        let message = format!("{} bytes, the limit is {MAX_EXPRESSION_BYTES}", text.len());
        return too_large(0, message);
    }
    if text.trim().is_empty() {
        let problem = Problem::new("EXPRESSION_MISSING", "the expression is empty", "write one");
        return Err((0, problem));
    }
    let characters: Vec<char> = text.chars().collect();
    let (mut at, mut depth, mut tokens) = (0, 0_usize, 0_usize);
    while at < characters.len() {
        match characters[at] {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if begins_unclearly(&characters, at) {
            let message = "a text begins directly behind a number";
            let problem = Problem::new("EXPRESSION_SYNTAX", message, "put an operator between");
            return Err((u32::try_from(at).unwrap_or(u32::MAX), problem));
        }
        let next = token_end(&characters, at);
        tokens += usize::from(!characters[at].is_whitespace());
        if depth > MAX_NESTING {
            return too_large(at, format!("brackets stand {MAX_NESTING} deep at most"));
        }
        if tokens > MAX_TOKENS {
            return too_large(at, format!("{MAX_TOKENS} words and signs stand there at most"));
        }
        at = next;
    }
    Ok(())
}

fn token_end(characters: &[char], at: usize) -> usize {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    match characters[at] {
        quote @ ('"' | '\'') => {
            let start = at - characters[..at].iter().rev().take_while(|c| is_word(c)).count();
            let prefix: String = characters[start..at].iter().collect();
            let raw = ["r", "br"].contains(&prefix.to_ascii_lowercase().as_str());
            text_end(characters, at, quote, raw)
        }
        '/' if characters.get(at + 1) == Some(&'/') => {
            at + characters[at..].iter().take_while(|c| **c != '\n').count()
        }
        c if is_word(&c) => at + characters[at..].iter().take_while(|c| is_word(c)).count(),
        _ => at + 1,
    }
}

/// Whether a quote stands behind a word that begins with a digit: where that number ends and whether the text is raw is
/// for the parser to say, so what stands in the text could not be told from what does not.
fn begins_unclearly(characters: &[char], at: usize) -> bool {
    let is_word = |c: &&char| c.is_alphanumeric() || **c == '_';
    let before = characters[..at].iter().rev().take_while(is_word).last();
    matches!(characters[at], '"' | '\'') && before.is_some_and(char::is_ascii_digit)
}

fn text_end(characters: &[char], at: usize, quote: char, raw: bool) -> usize {
    let long = characters[at..].starts_with(&[quote; 3]);
    let width = if long { 3 } else { 1 };
    let mut end = at + width;
    while end < characters.len() {
        if characters[end] == '\\' && !raw {
            end += 2;
        } else if characters[end..].starts_with(&[quote; 3][..width]) {
            return end + width;
        } else if characters[end] == '\n' && !long {
            // The text does not end on its line: what follows is counted, the parser says what is wrong.
            return end;
        } else {
            end += 1;
        }
    }
    characters.len()
}
