//! Keyset paging: a page is a size and the key of the last row of the page before.

use crate::clock::Instant;
use crate::error::{Error, Kind, Violations};

/// Rows in one answer when the caller does not say.
pub const DEFAULT_PAGE_SIZE: i32 = 50;
/// Rows in one answer at most.
pub const MAX_PAGE_SIZE: i32 = 500;

/// A checked page request over a key of type `K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Rows wanted.
    pub size: i32,
    /// Key of the last row before this page.
    pub after: Option<K>,
}

/// A key that can travel in a page token.
pub trait PageKey: Sized {
    /// Writes the key.
    fn encode(&self) -> String;
    /// Reads it back; `None` for a token that we did not write.
    fn decode(text: &str) -> Option<Self>;
}

impl PageKey for String {
    fn encode(&self) -> String {
        self.clone()
    }
    fn decode(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl PageKey for i64 {
    fn encode(&self) -> String {
        self.to_string()
    }
    fn decode(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Newest first: time, then id.
impl PageKey for (Instant, String) {
    fn encode(&self) -> String {
        format!("{}:{}", self.0.0, self.1)
    }
    fn decode(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once(':')?;
        Some((Instant(micros.parse().ok()?), id.to_owned()))
    }
}

impl<K: PageKey> Page<K> {
    /// Checks size and token of a list request.
    pub fn parse(domain: &'static str, size: i32, token: &str) -> Result<Self, Error> {
        let mut violations = Violations::new(domain);
        if size < 0 {
            violations.add("page_size", format!("must not be negative, is {size}"));
        }
        violations.finish()?;
        let size = if size == 0 { DEFAULT_PAGE_SIZE } else { size.min(MAX_PAGE_SIZE) };
        let after = if token.is_empty() {
            None
        } else {
            let key = decode_hex(token).as_deref().and_then(K::decode);
            Some(key.ok_or_else(|| {
                Error::new(
                    Kind::Invalid,
                    domain,
                    "PAGE_TOKEN_INVALID",
                    "page_token must be next_page_token of the answer before",
                )
            })?)
        };
        Ok(Self { size, after })
    }

    /// Rows to ask the store for: one more, to know whether there is a next page.
    pub fn fetch_limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts what the store gave to the page and makes the token of the next one.
    pub fn cut<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, String) {
        let size = usize::try_from(self.size).unwrap_or(0);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let token = rows.last().map(|row| encode_hex(&key(row).encode())).unwrap_or_default();
        (rows, token)
    }
}

fn encode_hex(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn decode_hex(hex: &str) -> Option<String> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_without_gap_or_overlap() {
        let all: Vec<i64> = (1..=7).collect();
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let page = Page::<i64>::parse("test", 3, &token).expect("valid");
            let limit = usize::try_from(page.fetch_limit()).expect("small");
            let rows =
                all.iter().copied().filter(|n| page.after.is_none_or(|a| *n > a)).take(limit);
            let (rows, next) = page.cut(rows.collect(), |n| *n);
            seen.extend(rows);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn sizes_are_defaulted_clamped_or_refused() {
        for (asked, size) in [(0, 50), (1, 1), (500, 500), (501, 500), (i32::MAX, 500)] {
            assert_eq!(Page::<i64>::parse("test", asked, "").expect("valid").size, size);
        }
        assert_eq!(
            Page::<i64>::parse("test", -1, "").expect_err("negative").reason,
            "FIELD_INVALID"
        );
    }

    #[test]
    fn a_token_that_we_did_not_write_is_refused() {
        for token in ["x", "zz", "00ff", "é"] {
            let error = Page::<i64>::parse("test", 1, token).expect_err("not ours");
            assert_eq!(error.reason, "PAGE_TOKEN_INVALID");
        }
    }
}
