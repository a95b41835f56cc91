//! Why something did not go as asked.

use serde::{Deserialize, Serialize};

/// Characters of a reason.
const MAX_REASON_LENGTH: usize = 64;
/// Characters of a message.
const MAX_MESSAGE_LENGTH: usize = 500;
/// Reason of those who refuse without one.
const NO_REASON: &str = "DECLINED";

/// Why something did not go as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// UPPER_SNAKE.
    pub(crate) reason: String,
    /// Who said so.
    pub(crate) domain: String,
    /// For a person.
    pub(crate) message: String,
}

impl Failure {
    /// In our own words.
    pub(crate) fn new(reason: &str, domain: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), domain: domain.to_owned(), message: message.into() }
    }

    /// In the words of somebody else: they go on to other centers and into stores, which refuse what is empty, too long
    /// or not printable.
    pub(crate) fn heard(reason: &str, domain: &str, message: &str) -> Self {
        let reason = printable(reason, MAX_REASON_LENGTH);
        let reason = if reason.trim().is_empty() { NO_REASON } else { &reason };
        Self::new(reason, domain, printable(message, MAX_MESSAGE_LENGTH))
    }
}

/// What of a text can be stored and shown, up to a number of characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_bounded_and_has_a_reason() {
        for (said, reason) in [("NO_LINE", "NO_LINE"), ("", "DECLINED"), (" \0", "DECLINED")] {
            assert_eq!(Failure::heard(said, "billing", "").reason, reason, "{said:?}");
        }
        let long = Failure::heard(&"X".repeat(1_000), "billing", &"订\0".repeat(1_000));
        assert_eq!(long.reason.chars().count(), MAX_REASON_LENGTH);
        assert_eq!(long.message.chars().count(), MAX_MESSAGE_LENGTH);
        assert!(!long.message.contains('\0'));
    }
}
