//! What commands say: to people on standard output, or JSON where a program reads.

use std::io::{self, Write};

use prost_reflect::{DynamicMessage, SerializeOptions};
use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};
use throughline_kit::money::Money;
use throughline_proto::r#type::v1 as types;

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

    /// Writes one line. A reader that went away (`| head`) is no error.
    pub fn line(self, text: impl AsRef<str>) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{}", text.as_ref());
        let _ = out.flush();
    }

    /// Writes a message in the canonical JSON form of protobuf.
    pub fn message<M: prost::Message + prost::Name>(self, message: &M) -> Result<(), Error> {
        self.line(to_json(message)?);
        Ok(())
    }

    /// Writes rows under a heading, in columns as wide as they need to be.
    pub fn table<const N: usize>(self, heading: [&str; N], rows: &[[String; N]]) {
        let mut widths = heading.map(|text| text.chars().count());
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let write = |cells: [&str; N]| {
            let padded: Vec<String> =
                cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            self.line(padded.join("  ").trim_end());
        };
        write(heading);
        for row in rows {
            write(std::array::from_fn(|i| row[i].as_str()));
        }
    }
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
pub fn short(name: &'static str, prefix: &str) -> &'static str {
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
}
