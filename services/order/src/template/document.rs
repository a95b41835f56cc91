//! A YAML document as a tree that remembers where everything stands. Anchors, aliases and tags are refused: they let a
//! short text stand for an endless one.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::MAX_TEMPLATE_BYTES;
use super::finding::{Findings, Position, Problem};

/// How deep lists and mappings may stand in each other.
const MAX_DEPTH: usize = 16;
/// Texts, lists and mappings of one document at most.
const MAX_NODES: usize = 8_192;

/// A text, list or mapping.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) position: Position,
    /// What it is.
    pub(super) content: Content,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A text, number, flag or nothing: what it means is for the reader to say.
    Text {
        /// As YAML reads it.
        text: String,
        /// How far behind its position the text begins, when it stands on one line as it reads.
        indent: Option<u32>,
        /// It stands there without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, keys in the order of the document.
    Mapping(Vec<Entry>),
}

/// One key of a mapping and what it says.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) position: Position,
    /// What it says.
    pub(super) value: Node,
}

/// Reads a document; what is wrong ends the reading, for what follows cannot be trusted.
///
/// Keys that stand twice are only reported: the first counts.
pub(super) fn read(source: &str, findings: &Findings) -> Option<Node> {
    match read_all(source, findings) {
        Ok(root) => Some(root),
        Err((position, problem)) => {
            findings.add(position, "", problem);
            None
        }
    }
}

fn read_all(source: &str, findings: &Findings) -> Result<Node, Wrong> {
    let start = Position { line: 1, column: 1 };
    if source.len() > MAX_TEMPLATE_BYTES {
        let message =
            format!("the document has {} bytes, the limit is {MAX_TEMPLATE_BYTES}", source.len());
        return Err((start, Problem::new("TEMPLATE_TOO_LARGE", message, "split the template")));
    }
    let mut reader =
        Reader { parser: Parser::new_from_str(source), nodes: 0, last: start, findings };
    let root = loop {
        let (event, position) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err((
                    position,
                    Problem::new("DOCUMENT_EMPTY", "the document is empty", "write a template"),
                ));
            }
            first => break reader.node(first, position, 0)?,
        }
    };
    loop {
        let (event, position) = reader.next()?;
        match event {
            Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return Ok(root),
            _ => {
                let message = "a second document follows";
                return Err((
                    position,
                    Problem::new("DOCUMENT_SECOND", message, "store each template on its own"),
                ));
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
    last: Position,
    findings: &'a Findings,
}

/// What is wrong, and where.
type Wrong = (Position, Problem);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Position), Wrong> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.last = begin(span);
                Ok((event, self.last))
            }
            Some(Err(error)) => {
                let problem = Problem::new(
                    "YAML_INVALID",
                    format!("the document is not YAML: {}", error.info()),
                    "check indentation; quote an expression that has `: ` or ` #`, begins with a quote, or stands in brackets",
                );
                Err((position(error.marker()), problem))
            }
            None => Err((
                self.last,
                Problem::new("YAML_INVALID", "the document ends early", "complete it"),
            )),
        }
    }

    fn node(&mut self, event: Event<'a>, position: Position, depth: usize) -> Result<Node, Wrong> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            let message = format!("more than {MAX_DEPTH} levels or {MAX_NODES} values");
            return Err((
                position,
                Problem::new("DOCUMENT_TOO_DEEP", message, "write it flatter or split it"),
            ));
        }
        refuse_reference(&event, position)?;
        let content = match event {
            Event::Scalar(text, style, ..) => text_content(&text, style),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.mapping(depth)?,
            _ => {
                return Err((
                    position,
                    Problem::new("YAML_INVALID", "a value is missing", "write one"),
                ));
            }
        };
        Ok(Node { position, content })
    }

    fn list(&mut self, depth: usize) -> Result<Content, Wrong> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, position) => items.push(self.node(event, position, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Content, Wrong> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, position) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Content::Mapping(entries));
            }
            refuse_reference(&event, position)?;
            let Event::Scalar(key, ..) = event else {
                let problem = Problem::new(
                    "KEY_INVALID",
                    "a key is a list or mapping",
                    "use a plain word as key",
                );
                return Err((position, problem));
            };
            if entries.iter().any(|entry| entry.key == key) {
                let message = format!("`{key}` stands here twice");
                let problem = Problem::new("KEY_REPEATED", message, "keep one of them");
                self.findings.add(position, &key, problem);
            }
            let (event, begin) = self.next()?;
            let value = self.node(event, begin, depth + 1)?;
            entries.push(Entry { key: key.into_owned(), position, value });
        }
    }
}

fn refuse_reference(event: &Event<'_>, position: Position) -> Result<(), Wrong> {
    let (anchor, tagged) = match event {
        Event::Alias(_) => (1, false),
        Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
        Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
            (*anchor, tag.is_some())
        }
        _ => (0, false),
    };
    if anchor == 0 && !tagged {
        return Ok(());
    }
    let message = "anchors, aliases and tags are not allowed in templates";
    Err((position, Problem::new("YAML_REFERENCE", message, "write the value out")))
}

fn text_content(text: &str, style: ScalarStyle) -> Content {
    let one_line = !text.contains('\n');
    let indent = match style {
        ScalarStyle::Plain if one_line => Some(0),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if one_line => Some(1),
        _ => None,
    };
    Content::Text { text: text.to_owned(), indent, plain: style == ScalarStyle::Plain }
}

fn begin(span: Span) -> Position {
    position(&span.start)
}

fn position(marker: &Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}
