//! Reads a file line by line: the layout has one record per line.
//!
//! A CSV reader on the whole file takes everything up to the next quote for one field, so that one quote too many swallows
//! the lines after it. Here each line stands for itself: a field that goes on over a line break costs the lines that it stands
//! on, and no other.

use std::io::{self, BufRead, BufReader, Read};

/// One line of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Line of the file, from 1.
    pub(super) number: u64,
    /// What stands in it.
    pub(super) content: Content,
}

/// What stands in a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// A record, its fields without the space around them.
    Fields(Vec<String>),
    /// A field that does not end in this line; the first field, where that is whole.
    Broken(String),
}

/// The lines of a file.
pub(super) struct Records<R> {
    input: BufReader<R>,
    number: u64,
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::new(input), number: 0 }
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        let mut line = Vec::new();
        if self.input.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Record { number: self.number, content: content(&line) }))
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn content(line: &[u8]) -> Content {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Content::Empty;
    }
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(begun) = rest {
        match field(begun) {
            Some((field, after)) => {
                fields.push(text(&field));
                rest = after;
            }
            None => return Content::Broken(fields.into_iter().next().unwrap_or_default()),
        }
    }
    Content::Fields(fields)
}

/// Takes one field off a line; gives what follows its comma, or nothing at the end of the line. No field where a quote is
/// not closed or a line break of another kind stands in it.
fn field(line: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let mut field = Vec::new();
    let mut rest = line;
    // Only a quote at the start opens: 12" PLATE is a name.
    if let Some(mut quoted) = line.strip_prefix(b"\"") {
        loop {
            let end = quoted.iter().position(|byte| *byte == b'"')?;
            field.extend_from_slice(&quoted[..end]);
            rest = &quoted[end + 1..];
            match rest.strip_prefix(b"\"") {
                Some(after) => {
                    field.push(b'"');
                    quoted = after;
                }
                None => break,
            }
        }
    }
    let comma = rest.iter().position(|byte| *byte == b',');
    field.extend_from_slice(&rest[..comma.unwrap_or(rest.len())]);
    let is_whole = !field.contains(&b'\r');
    is_whole.then_some((field, comma.map(|comma| &rest[comma + 1..])))
}

/// Reads a field as UTF-8. Names in the data set have Latin-1 letters here and there: those become a sign of their own; in
/// a number they make it unreadable.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_stands_for_itself() {
        let fields = |texts: &[&str]| Content::Fields(texts.iter().map(|t| (*t).into()).collect());
        for (line, expected) in [
            ("", Content::Empty),
            ("\r\n", Content::Empty),
            ("a, b \r\n", fields(&["a", "b"])),
            ("a,\"b, \"\"c\"\"\"\n", fields(&["a", "b, \"c\""])),
            ("a,12\" PLATE", fields(&["a", "12\" PLATE"])),
            ("a,\"", Content::Broken("a".to_owned())),
            ("a,\"b,c\n", Content::Broken("a".to_owned())),
            ("\"a,b\r\n", Content::Broken(String::new())),
            ("a,b\rc,d\n", Content::Broken("a".to_owned())),
            ("a,,\"\",", fields(&["a", "", "", ""])),
            ("a,\"b\"c,d", fields(&["a", "bc", "d"])),
        ] {
            assert_eq!(content(line.as_bytes()), expected, "{line:?}");
        }
    }
}
