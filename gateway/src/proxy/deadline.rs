//! `grpc-timeout`: read at the headers' arrival, capped, enforced, forwarded shortened.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::config::{Config, milliseconds};
use crate::contract::Method;
use crate::error::Refusal;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits of a timeout at most.
const MAX_DIGITS: usize = 8;
const MAX_VALUE: u128 = 99_999_999;
/// Timers here and at a backend ring within this of each other.
const TIMER_GRAIN: Duration = Duration::from_millis(3);

/// Until when a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// Starts to count. Calls that do not stream always have a deadline.
    pub(super) fn read(
        headers: &HeaderMap,
        method: &Method,
        config: &Config,
    ) -> Result<Self, Refusal> {
        let asked = headers.get(&GRPC_TIMEOUT).map(HeaderValue::as_bytes).map(parse).transpose()?;
        let cap = (!method.streaming).then(|| milliseconds(config.max_unary_time_ms));
        let span = match (asked, cap) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            (asked, cap) => asked.or(cap),
        };
        Ok(Self(span.map(|span| Instant::now() + span)))
    }

    /// Ends when the time is over.
    pub(super) async fn over(self) {
        match self.0 {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// The time is over, or so nearly that a backend's timer may have rung before ours.
    pub(super) fn is_near(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now() + TIMER_GRAIN)
    }

    /// Tells the backend how much time is left.
    pub(super) fn forward(self, headers: &mut HeaderMap) {
        if let Some(at) = self.0 {
            let mut left = write(at.saturating_duration_since(Instant::now()));
            // Never the same twice: it would only push other headers out of the compression table.
            left.set_sensitive(true);
            headers.insert(GRPC_TIMEOUT, left);
        }
    }
}

fn parse(value: &[u8]) -> Result<Duration, Refusal> {
    let malformed =
        || Refusal::TimeoutMalformed { value: String::from_utf8_lossy(value).into_owned() };
    let (unit, digits) = value.split_last().ok_or_else(malformed)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed());
    }
    let number = digits.iter().fold(0_u64, |n, digit| n * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(number * 3_600)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'S' => Ok(Duration::from_secs(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'n' => Ok(Duration::from_nanos(number)),
        _ => Err(malformed()),
    }
}

/// Writes in the finest unit that fits, at least one: zero would be refused by some.
fn write(left: Duration) -> HeaderValue {
    let units = [(left.as_micros(), 'u'), (left.as_millis(), 'm'), (left.as_secs().into(), 'S')];
    let fitting = units.into_iter().find(|(number, _)| *number <= MAX_VALUE);
    let (number, unit) = fitting.unwrap_or((MAX_VALUE, 'S'));
    let text = format!("{}{unit}", number.max(1));
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("digits and a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_read_as_the_protocol_writes_them() {
        let table = [
            ("1H", Duration::from_secs(3_600)),
            ("2M", Duration::from_secs(120)),
            ("10S", Duration::from_secs(10)),
            ("100m", Duration::from_millis(100)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("5n", Duration::from_nanos(5)),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in ["", "S", "10", "10s", "-1S", "1.5S", "123456789S", "1 S"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_left_is_written_in_the_finest_unit_that_fits() {
        let table = [
            (Duration::ZERO, "1u"),
            (Duration::from_micros(1_500), "1500u"),
            (Duration::from_secs(99), "99000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(1 << 40), "99999999S"),
        ];
        for (left, expected) in table {
            assert_eq!(write(left), expected, "{left:?}");
        }
    }
}
