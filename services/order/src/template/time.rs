//! Times and spans as texts: RFC 3339, and numbers with units.

use std::time::Duration;

use throughline_proto::prost_reflect::prost_types;

/// Nanoseconds of a second.
pub(super) const SECOND: i128 = 1_000_000_000;
/// Seconds of 0001-01-01T00:00:00Z and of the second behind 9999-12-31T23:59:59Z, which protobuf allows between.
const TIMESTAMP_SECONDS: std::ops::Range<i128> = -62_135_596_800..253_402_300_800;
/// Longest span that protobuf allows, in seconds.
const MAX_DURATION_SECONDS: i128 = 315_576_000_000;

/// Whether protobuf can carry the timestamp, in nanoseconds since 1970.
pub(super) fn is_timestamp(nanos: i128) -> bool {
    TIMESTAMP_SECONDS.contains(&nanos.div_euclid(SECOND))
}

/// Whether protobuf can carry the span, in nanoseconds.
pub(super) fn is_duration(nanos: i128) -> bool {
    (nanos / SECOND).abs() <= MAX_DURATION_SECONDS
}

/// Reads RFC 3339 into nanoseconds since 1970.
pub(super) fn read_timestamp(text: &str) -> Option<i128> {
    let stamp: prost_types::Timestamp = text.parse().ok()?;
    let nanos = i128::from(stamp.seconds) * SECOND + i128::from(stamp.nanos);
    is_timestamp(nanos).then_some(nanos)
}

/// Writes RFC 3339 in UTC.
pub(super) fn write_timestamp(nanos: i128) -> Option<String> {
    Some(timestamp(nanos)?.to_string())
}

/// As protobuf carries it.
pub(super) fn timestamp(nanos: i128) -> Option<prost_types::Timestamp> {
    is_timestamp(nanos).then_some(())?;
    Some(prost_types::Timestamp {
        seconds: i64::try_from(nanos.div_euclid(SECOND)).ok()?,
        nanos: i32::try_from(nanos.rem_euclid(SECOND)).ok()?,
    })
}

/// Writes a span in seconds, like `1.5s`.
pub(super) fn write_duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, rest) =
        (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{whole}s");
    }
    let fraction = format!("{rest:09}");
    format!("{sign}{whole}.{}s", fraction.trim_end_matches('0'))
}

/// Reads a span like `1h30m`, `-2s` or `1.5s` into nanoseconds.
pub(super) fn read_duration(text: &str) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let (unit, tail) =
            UNITS.iter().find_map(|(name, unit)| Some((*unit, tail.strip_prefix(name)?)))?;
        nanos = nanos.checked_add(scaled(number, unit)?)?;
        rest = tail;
    }
    (!text.is_empty() && is_duration(nanos)).then_some(sign * nanos)
}

/// Units, longer names first where one begins with another.
const UNITS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
];

/// Digits of one number at most, before and behind the point.
const MAX_DIGITS: usize = 15;

fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return None;
    }
    let mut nanos = whole.parse::<i128>().ok()? * unit;
    if !fraction.is_empty() {
        let digits = u32::try_from(fraction.len()).ok()?;
        nanos += fraction.parse::<i128>().ok()? * unit / 10_i128.pow(digits);
    }
    Some(nanos)
}

/// Reads a span that is not negative.
pub(super) fn read_span(text: &str) -> Option<Duration> {
    let nanos = read_duration(text)?;
    let seconds = u64::try_from(nanos / SECOND).ok()?;
    let rest = u32::try_from(nanos % SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_units() {
        let cases = [
            ("200ms", Some(200_000_000)),
            ("1h30m", Some(5_400 * SECOND)),
            ("1.5s", Some(1_500_000_000)),
            ("-2s", Some(-2 * SECOND)),
            ("30d", Some(2_592_000 * SECOND)),
            ("0", Some(0)),
            ("", None),
            ("-", None),
            ("5", None),
            ("s", None),
            ("1.2.3s", None),
            (".5s", None),
            ("1s ", None),
            ("1x", None),
            ("999999999999999d", None),
            ("9999999999999999ns", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(read_duration(text), nanos, "{text:?}");
        }
        assert_eq!(read_span("-2s"), None);
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for text in ["0001-01-01T00:00:00Z", "2024-02-29T23:59:59.5Z", "9999-12-31T23:59:59Z"] {
            let nanos = read_timestamp(text).expect("it is RFC 3339");
            let written = write_timestamp(nanos).expect("it is in range");
            assert_eq!(read_timestamp(&written), Some(nanos), "{text}");
        }
        assert_eq!(read_timestamp("2024-02-30T00:00:00Z"), None);
        assert_eq!(read_timestamp("yesterday"), None);
        for (nanos, text) in [(1_500_000_000, "1.5s"), (-SECOND, "-1s"), (1, "0.000000001s")] {
            assert_eq!(write_duration(nanos), text);
            assert_eq!(read_duration(text), Some(nanos));
        }
    }
}
