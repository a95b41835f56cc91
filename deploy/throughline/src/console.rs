//! What commands say: to people on standard output, or JSON where a program reads.

use std::io::{self, Write};
use std::process::ExitCode;

use prost_reflect::{DynamicMessage, SerializeOptions};
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::money::Money;
use throughline_proto::r#type::v1 as types;
use unicode_width::UnicodeWidthStr;

use crate::pages::Rows;

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    json: bool,
}

impl Console {
    /// Writes for people, or JSON.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Writes one line, or a text of several. A reader that went away (`| head`) is no error.
    pub fn line(self, text: impl AsRef<str>) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{}", harmless(text.as_ref()));
        let _ = out.flush();
    }

    /// Writes a message in the canonical JSON form of protobuf.
    pub fn message<M: prost::Message + prost::Name>(self, message: &M) -> Result<(), Error> {
        self.line(to_json(message)?);
        Ok(())
    }

    /// Writes an answer: the message where a program reads, and else what `people` writes of it.
    pub fn answer<M: prost::Message + prost::Name>(
        self,
        message: &M,
        people: impl FnOnce(&M),
    ) -> Result<ExitCode, Error> {
        if self.json {
            self.message(message)?;
        } else {
            people(message);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Writes a list: a message in each line where a program reads, and else a table.
    pub fn list<M: prost::Message + prost::Name, const N: usize>(
        self,
        found: &Rows<M>,
        heading: [&str; N],
        row: impl Fn(&M) -> [String; N],
    ) -> Result<ExitCode, Error> {
        if self.json {
            found.rows.iter().try_for_each(|message| self.message(message))?;
            return Ok(ExitCode::SUCCESS);
        }
        self.table(heading, &found.rows.iter().map(row).collect::<Vec<_>>());
        if found.more {
            self.line("… and more: --limit shows further ones");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Writes rows under a heading, in columns as wide as they need to be.
    pub fn table<const N: usize>(self, heading: [&str; N], rows: &[[String; N]]) {
        table(heading, rows).iter().for_each(|line| self.line(line));
    }
}

/// Rows under a heading, in columns as wide as a terminal shows them: a Chinese character takes two places.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let head = heading.map(str::to_owned);
    let rows: Vec<[String; N]> =
        [&head].into_iter().chain(rows).map(|row| row.each_ref().map(|cell| flat(cell))).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].width()).max().unwrap_or_default()
    });
    let write = |row: &[String; N]| {
        let padded: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    rows.iter().map(write).collect()
}

/// A text that stays on its line.
fn flat(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// A text that cannot move the cursor or colour the terminal: what customers and outside systems write is shown as well.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.replace(is_harmful, "\u{fffd}")
}

/// Writes a message in the canonical JSON form of protobuf, on one line.
pub fn to_json<M: prost::Message + prost::Name>(message: &M) -> Result<String, Error> {
    let failed = |cause: &dyn std::fmt::Display| Error::internal("console", cause);
    let descriptor = throughline_proto::descriptors()
        .get_message_by_name(&M::full_name())
        .ok_or_else(|| failed(&format!("no descriptor of {}", M::full_name())))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|e| failed(&e))?;
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    let options = SerializeOptions::new().use_proto_field_name(true);
    dynamic.serialize_with_options(&mut serializer, &options).map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

/// Reads a message in the canonical JSON form of protobuf, written as YAML or JSON.
pub fn from_yaml<M: prost::Message + prost::Name + Default>(
    what: &str,
    document: serde_yaml_ng::Value,
) -> Result<M, Error> {
    let invalid = |cause: String| {
        Error::new(Kind::Invalid, "file", "FILE_INVALID", format!("{what}: {cause}"))
    };
    let descriptor = throughline_proto::descriptors()
        .get_message_by_name(&M::full_name())
        .ok_or_else(|| invalid(format!("no descriptor of {}", M::full_name())))?;
    // Through JSON values: YAML writes a quoted and an unquoted number alike, protobuf JSON takes both.
    let value = serde_json::to_value(document).map_err(|e| invalid(e.to_string()))?;
    let dynamic =
        DynamicMessage::deserialize(descriptor, value).map_err(|e| invalid(e.to_string()))?;
    dynamic.transcode_to().map_err(|e| invalid(e.to_string()))
}

/// An amount for people; "-" where there is none.
pub fn amount(money: Option<&types::Money>) -> String {
    let Some(money) = money else { return "-".to_owned() };
    throughline_kit::money::Currency::parse(&money.currency_code).map_or_else(
        |_| format!("{} {}", money.minor_units, money.currency_code),
        |currency| Money::new(currency, money.minor_units).to_string(),
    )
}

/// The name of an enum value without its prefix: ORDER_STATE_COMPLETED is "COMPLETED".
pub fn short<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// Time of day in UTC with milliseconds.
pub fn time_of_day(at: Option<&prost_types::Timestamp>) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let Instant(micros) = Instant::from_proto(at);
    let day = micros.rem_euclid(86_400_000_000);
    let (hours, minutes) = (day / 3_600_000_000, day / 60_000_000 % 60);
    let (seconds, millis) = (day / 1_000_000 % 60, day / 1_000 % 1_000);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

/// Day and time of day in UTC, to the second: "2026-11-22 00:53:27".
pub fn date_time(at: Option<&prost_types::Timestamp>) -> String {
    let Some(at) = at else { return "-".to_owned() };
    // As protobuf writes it in JSON: "2026-11-22T00:53:27.5Z".
    let text = at.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    seconds.replacen('T', " ", 1)
}

/// A span for people: "850 µs", "12.3 ms", "4.20 s".
pub fn span(micros: i64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_with_its_day_to_the_second() {
        let at = |seconds, nanos| prost_types::Timestamp { seconds, nanos };
        assert_eq!(date_time(Some(&at(1_709_251_199, 999_000_000))), "2024-02-29 23:59:59");
        assert_eq!(date_time(Some(&at(0, 0))), "1970-01-01 00:00:00");
        assert_eq!(date_time(None), "-");
    }

    #[test]
    fn columns_stand_under_each_other_whatever_script_they_are_in() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        let shown = table(["TITLE", "ID"], &[row(["装机", "1"]), row(["é", "2"]), row(["", ""])]);
        assert_eq!(shown, ["TITLE  ID", "装机   1", "é      2", ""]);
    }

    #[test]
    fn what_others_wrote_cannot_command_the_terminal() {
        let shown = table(["NOTE"], &[["a\u{1b}[31mb\nc\u{9b}d".to_owned()]]);
        assert_eq!(shown[1], "a\u{fffd}[31mb c\u{fffd}d");
        assert_eq!(harmless("two\nlines\u{7}"), "two\nlines\u{fffd}");
    }
}
