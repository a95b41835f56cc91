//! Phone numbers, which never stand in a log.

use std::fmt;
use std::str::FromStr;

/// Digits of a number: the country's and the subscriber's.
const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;

/// A number as E.164 writes it: `+`, the country code, the number.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Phone(String);

impl Phone {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Phone {
    type Err = InvalidPhone;

    fn from_str(text: &str) -> Result<Self, InvalidPhone> {
        let digits = text.strip_prefix('+').ok_or(InvalidPhone)?.as_bytes();
        let valid = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit)
            && digits[0] != b'0';
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidPhone) }
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// A text is not a phone number. It does not say which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number as E.164 writes it: + and {MIN_DIGITS} to {MAX_DIGITS} digits, the first not 0"
)]
pub(crate) struct InvalidPhone;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_what_e164_says() {
        for good in ["+442071838750", "+8613800138000", "+1234567", "+123456789012345"] {
            assert_eq!(good.parse::<Phone>().map(|p| p.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "+",
            "442071838750",
            "+0442071838750",
            "+44 20 7183",
            "+123456",
            "+1234567890123456",
            "+4420718387ab",
            "＋442071838750",
            "+44２071838750",
            "tel:+442071",
        ] {
            assert_eq!(bad.parse::<Phone>(), Err(InvalidPhone), "{bad:?}");
        }
    }

    #[test]
    fn a_phone_number_does_not_show_itself() {
        let phone: Phone = "+442071838750".parse().expect("valid");
        assert!(!format!("{phone:?}").contains("2071"));
    }
}
