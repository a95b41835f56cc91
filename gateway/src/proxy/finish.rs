//! How a call ended, as its trailers say.

use http::HeaderMap;
use tonic::{Code, Status};

/// Characters of a status message that are recorded.
const MAX_MESSAGE_LENGTH: usize = 200;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finish {
    /// Status.
    pub(super) code: Code,
    /// Its message, at most 200 characters.
    pub(super) message: Box<str>,
}

impl Finish {
    /// Of a direction that says nothing about it.
    pub(super) fn unknown() -> Self {
        Self { code: Code::Unknown, message: Box::default() }
    }

    /// Of a refusal of ours.
    pub(super) fn refused(status: &Status) -> Self {
        Self { code: status.code(), message: recordable(status.message()) }
    }

    /// Reads trailers, or headers that are trailers at once.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let code = headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()));
        let code = code.unwrap_or(Code::Unknown);
        let message = match headers.get("grpc-message") {
            Some(message) if code != Code::Ok => percent_decoded(message.as_bytes()),
            _ => Box::default(),
        };
        Self { code, message }
    }
}

fn percent_decoded(text: &[u8]) -> Box<str> {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        match (*byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = ahead;
            }
            (byte, ..) => bytes.push(byte),
        }
    }
    recordable(&String::from_utf8_lossy(&bytes))
}

/// Cuts a message and replaces its control characters: the store refuses some of them, and with them a whole batch.
fn recordable(message: &str) -> Box<str> {
    let replace = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    message.chars().take(MAX_MESSAGE_LENGTH).map(replace).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn how_a_call_ended_is_read_from_its_trailers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Finish::read(&headers).code, Code::Unknown);
        headers.insert("grpc-status", HeaderValue::from_static("5"));
        headers.insert("grpc-message", HeaderValue::from_static("no%20%E8%AE%A2%E5%8D%95 100%"));
        let finish = Finish::read(&headers);
        assert_eq!((finish.code, &*finish.message), (Code::NotFound, "no 订单 100%"));
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(&*percent_decoded(b"a%00b%0Ac%7F"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(percent_decoded(&[b'x'; 500]).len(), MAX_MESSAGE_LENGTH);
    }
}
