//! Who may call what: callers, their keys and their grants. Pure; the default is deny.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use throughline_kit::clock::Instant;
use throughline_kit::identity::CallerKind;
use throughline_proto::options::v1::Exposure;

/// What every key starts with.
const KEY_PREFIX: &str = "tlk_";
/// RFC 4648 base 32 in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// The right to bring prices of one's own.
pub(crate) const AGREED_PRICE: &str = "agreed-price";
/// Rights beyond methods that centers know.
pub(crate) const RIGHTS: [&str; 1] = [AGREED_PRICE];
/// Characters of a caller's name at most.
pub(crate) const MAX_NAME_LENGTH: usize = 64;

/// A secret that says who calls. Shown once, never stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKey(String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl ApiKey {
    /// Makes a key from 244 random bits.
    pub(crate) fn generate() -> Self {
        let mut hash = Sha256::new();
        hash.update(uuid::Uuid::new_v4().as_bytes());
        hash.update(uuid::Uuid::new_v4().as_bytes());
        Self(format!("{KEY_PREFIX}{}", base32(&hash.finalize())))
    }

    /// Reads a key; `None` for what does not look like one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(KEY_PREFIX)?;
        let valid = !body.is_empty() && body.bytes().all(|c| ALPHABET.contains(&c));
        valid.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> KeyHash {
        KeyHash::of(self.0.as_bytes())
    }
}

fn base32(bytes: &[u8]) -> String {
    let (mut buffer, mut bits, mut text) = (0_u32, 0_u32, String::new());
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((buffer >> bits) & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[((buffer << (5 - bits)) & 31) as usize]));
    }
    text
}

/// SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes what a caller sent as its key.
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// As it is stored.
    pub(crate) fn to_hex(self) -> String {
        use fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Reads it back.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Methods that a caller may call, as far as their exposure allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// "*".
    Everything,
    /// "package.Service/*".
    Service(String),
    /// "package.Service/Method".
    Method(String),
}

impl Grant {
    /// Reads a grant; refuses what names neither a method nor a service.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidGrant> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let name = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._".contains(&c))
        };
        match text.split_once('/') {
            Some((service, "*")) if name(service) => Ok(Self::Service(service.to_owned())),
            Some((service, method)) if name(service) && name(method) => {
                Ok(Self::Method(text.to_owned()))
            }
            _ => Err(InvalidGrant),
        }
    }

    /// Whether it is about a method.
    pub(crate) fn covers(&self, method: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Service(service) => {
                method.strip_prefix(service.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            Self::Method(name) => name == method,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Service(service) => write!(f, "{service}/*"),
            Self::Method(method) => f.write_str(method),
        }
    }
}

/// A text is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"package.Service/Method\", \"package.Service/*\" or \"*\"")]
pub(crate) struct InvalidGrant;

/// Somebody who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Unique name. One allocation, shared with what is counted about the caller.
    pub(crate) name: Arc<str>,
    /// What it is.
    pub(crate) kind: CallerKind,
    /// Hash of its key.
    pub(crate) key_hash: KeyHash,
    /// What it may call.
    pub(crate) method_grants: Vec<Grant>,
    /// Rights beyond methods.
    pub(crate) right_grants: Vec<String>,
    /// When it was created.
    pub(crate) created_at: Instant,
}

/// Whether a caller may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// It may.
    Allowed,
    /// Its kind never may.
    ExposureDenied,
    /// It was not granted it.
    NotGranted,
}

impl Caller {
    /// Decides whether it may call a method: exposure first, then grants. What is for people at work, centers and systems
    /// get only by its name: a grant of a whole service is not meant to hand that out.
    pub(crate) fn permission(&self, method: &str, exposure: Exposure) -> Permission {
        if !reaches(self.kind, exposure) {
            return Permission::ExposureDenied;
        }
        let by_name = exposure == Exposure::Operator && self.kind != CallerKind::Operator;
        let suits = |grant: &Grant| !by_name || matches!(grant, Grant::Method(_));
        if self.method_grants.iter().any(|grant| suits(grant) && grant.covers(method)) {
            Permission::Allowed
        } else {
            Permission::NotGranted
        }
    }
}

/// Whether a kind of caller may ever call what has an exposure.
pub(crate) fn reaches(kind: CallerKind, exposure: Exposure) -> bool {
    match exposure {
        Exposure::Unspecified => false,
        Exposure::Internal => matches!(kind, CallerKind::Center | CallerKind::System),
        Exposure::Channel => true,
        Exposure::Operator => kind != CallerKind::Channel,
    }
}

/// Checks a caller's name: 1 to 64 characters of [a-z0-9-].
pub(crate) fn check_name(name: &str) -> Result<(), InvalidName> {
    let characters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let valid = (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(characters);
    if valid { Ok(()) } else { Err(InvalidName) }
}

/// A text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_NAME_LENGTH} characters of [a-z0-9-]")]
pub(crate) struct InvalidName;

/// Checks that a right is one that centers know: another would never let anybody do anything.
pub(crate) fn check_right(right: &str) -> Result<(), UnknownRight> {
    if RIGHTS.contains(&right) { Ok(()) } else { Err(UnknownRight) }
}

/// A text is no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of the rights that centers know: {}", RIGHTS.join(", "))]
pub(crate) struct UnknownRight;

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(kind: CallerKind, grants: &[&str]) -> Caller {
        Caller {
            name: "somebody".into(),
            kind,
            key_hash: ApiKey::generate().hash(),
            method_grants: grants.iter().map(|g| Grant::parse(g).expect("a grant")).collect(),
            right_grants: Vec::new(),
            created_at: Instant(0),
        }
    }

    #[test]
    fn exposure_decides_before_grants() {
        use CallerKind::{Center, Channel, Operator, System};
        use Permission::{Allowed, ExposureDenied, NotGranted};
        let table = [
            (Channel, Exposure::Channel, Allowed),
            (Channel, Exposure::Operator, ExposureDenied),
            (Channel, Exposure::Internal, ExposureDenied),
            (Operator, Exposure::Channel, Allowed),
            (Operator, Exposure::Operator, Allowed),
            (Operator, Exposure::Internal, ExposureDenied),
            (Center, Exposure::Channel, Allowed),
            (Center, Exposure::Operator, NotGranted),
            (Center, Exposure::Internal, Allowed),
            (System, Exposure::Operator, NotGranted),
            (System, Exposure::Internal, Allowed),
            (System, Exposure::Unspecified, ExposureDenied),
        ];
        for (kind, exposure, expected) in table {
            assert_eq!(
                caller(kind, &["*"]).permission("a.B/C", exposure),
                expected,
                "{kind:?} {exposure:?}"
            );
        }
    }

    #[test]
    fn a_grant_covers_its_service_or_method_and_nothing_else() {
        let table: [(&[&str], &str, Permission); 7] = [
            (&[], "a.B/C", Permission::NotGranted),
            (&["*"], "a.B/C", Permission::Allowed),
            (&["a.B/*"], "a.B/C", Permission::Allowed),
            (&["a.B/*"], "a.BB/C", Permission::NotGranted),
            (&["a.B/C"], "a.B/C", Permission::Allowed),
            (&["a.B/C"], "a.B/CC", Permission::NotGranted),
            (&["x.Y/*", "a.B/C"], "a.B/C", Permission::Allowed),
        ];
        for (grants, method, expected) in table {
            let decided = caller(CallerKind::Channel, grants).permission(method, Exposure::Channel);
            assert_eq!(decided, expected, "{grants:?} {method}");
        }
    }

    #[test]
    fn what_is_for_people_is_granted_to_others_only_by_its_name() {
        let table = [
            (CallerKind::Operator, "*", Permission::Allowed),
            (CallerKind::Operator, "a.B/*", Permission::Allowed),
            (CallerKind::Center, "a.B/*", Permission::NotGranted),
            (CallerKind::Center, "a.B/C", Permission::Allowed),
            (CallerKind::System, "a.B/C", Permission::Allowed),
            (CallerKind::Channel, "a.B/C", Permission::ExposureDenied),
        ];
        for (kind, grant, expected) in table {
            let decided = caller(kind, &[grant]).permission("a.B/C", Exposure::Operator);
            assert_eq!(decided, expected, "{kind:?} {grant}");
        }
    }

    #[test]
    fn grants_that_name_nothing_are_refused() {
        for text in ["", "/", "a.B", "a.B/", "/C", "a.B/C/D", "a B/C", "**"] {
            assert_eq!(Grant::parse(text), Err(InvalidGrant), "{text:?}");
        }
        for text in ["*", "a.B/*", "a.B/C"] {
            assert_eq!(Grant::parse(text).expect("a grant").to_string(), text);
        }
    }

    #[test]
    fn keys_look_alike_and_are_never_the_same() {
        let (one, other) = (ApiKey::generate(), ApiKey::generate());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), KEY_PREFIX.len() + 52);
        assert_eq!(ApiKey::parse(one.as_str()), Some(one.clone()));
        assert_eq!(KeyHash::from_hex(&one.hash().to_hex()), Some(one.hash()));
        assert_eq!(format!("{one:?}"), "ApiKey(…)");
        assert_eq!(ApiKey::parse("tlk_"), None);
        assert_eq!(ApiKey::parse("secret"), None);
    }
}
