//! Typed ids: a prefix that says what it is, and a body that sorts by time.

use std::fmt;

use uuid::Uuid;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of the body: 128 bits in groups of five.
const BODY_LENGTH: usize = 26;

/// Makes a new id body from a version 7 UUID.
pub fn new_body() -> String {
    encode(Uuid::now_v7().as_u128())
}

/// Makes an id body that is always the same for the same parts, for work that may be repeated after a crash.
pub fn derived_body(parts: &[&str]) -> String {
    encode(derived_uuid(parts).as_u128())
}

/// Makes a request id that is always the same for the same parts.
pub fn derived_uuid(parts: &[&str]) -> Uuid {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Makes a fresh request id.
pub fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

fn encode(mut value: u128) -> String {
    let mut body = [0_u8; BODY_LENGTH];
    for slot in body.iter_mut().rev() {
        let index = usize::try_from(value & 31).expect("below 32");
        *slot = ALPHABET[index];
        value >>= 5;
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Checks prefix and body of an id.
pub fn check(prefix: &str, value: &str) -> Result<(), InvalidId> {
    let body = value.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    let valid =
        body.is_some_and(|b| b.len() == BODY_LENGTH && b.bytes().all(|c| ALPHABET.contains(&c)));
    if valid { Ok(()) } else { Err(InvalidId { prefix: prefix.to_owned() }) }
}

/// A text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id of the form {prefix}_ and {BODY_LENGTH} characters")]
pub struct InvalidId {
    prefix: String,
}

/// Defines an id type with its prefix.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "throughline_kit::serde", transparent)]
        pub struct $name(String);

        impl $name {
            /// What every such id starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a new id.
            pub fn generate() -> Self {
                Self(format!("{}_{}", $prefix, $crate::id::new_body()))
            }

            /// Makes the id that always belongs to these parts.
            pub fn derive(parts: &[&str]) -> Self {
                Self(format!("{}_{}", $prefix, $crate::id::derived_body(parts)))
            }

            /// Reads an id; refuses another kind's.
            pub fn parse(value: &str) -> Result<Self, $crate::id::InvalidId> {
                $crate::id::check($prefix, value)?;
                Ok(Self(value.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// A client's request id: a UUID in its usual text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// Reads a request id.
    pub fn parse(value: &str) -> Result<Self, InvalidRequestId> {
        Uuid::try_parse(value).map_err(|_| InvalidRequestId)?;
        Ok(Self(value.to_ascii_lowercase()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID that the client makes and keeps over its retries")]
pub struct InvalidRequestId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let first = new_body();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(first < new_body());
    }

    #[test]
    fn derived_ids_depend_on_where_parts_end() {
        assert_eq!(derived_body(&["a", "b"]), derived_body(&["a", "b"]));
        assert_ne!(derived_body(&["ab", ""]), derived_body(&["a", "b"]));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let body = new_body();
        assert!(check("ord", &format!("ord_{body}")).is_ok());
        assert!(check("ord", &format!("pay_{body}")).is_err());
        assert!(check("ord", "ord_short").is_err());
        assert!(check("ord", "").is_err());
    }
}
