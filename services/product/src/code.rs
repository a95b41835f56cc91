//! Codes: how people name offerings, pools and templates.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Characters of a code at most.
const MAX_CODE_LENGTH: usize = 64;

/// A name of 1 to 64 characters of `[A-Za-z0-9._-]`. Cheap to clone: a catalog names each code many times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Code(Arc<str>);

impl FromStr for Code {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > MAX_CODE_LENGTH || !text.bytes().all(allowed) {
            return Err(InvalidCode);
        }
        Ok(Self(text.into()))
    }
}

impl Code {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Code {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_CODE_LENGTH} characters of [A-Za-z0-9._-]")]
pub(crate) struct InvalidCode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_1_to_64_characters_of_its_alphabet() {
        for good in ["a", "sim-card_5.0", &"x".repeat(64)] {
            assert_eq!(good.parse::<Code>().expect("valid").as_str(), good);
        }
        for bad in ["", " ", "a b", "套餐", "a/b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Code>(), Err(InvalidCode), "{bad:?}");
        }
    }
}
