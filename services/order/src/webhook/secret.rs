//! The secret that a webhook's requests are signed with, as Standard Webhooks writes and uses it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use throughline_kit::error::Error;

use crate::error::DOMAIN;

/// What every secret starts with.
const PREFIX: &str = "whsec_";
/// Bytes of a new key; the specification asks for 24 to 64.
const KEY_BYTES: usize = 32;

/// A key of HMAC-SHA256. Never written to a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    /// Header `webhook-id`.
    pub(crate) id: &'a str,
    /// Header `webhook-timestamp`: seconds of Unix time.
    pub(crate) timestamp: i64,
    /// The body.
    pub(crate) body: &'a str,
}

impl Secret {
    /// Makes a new one.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut key = vec![0; KEY_BYTES];
        let filled = SystemRandom::new().fill(&mut key);
        filled.map_err(|_| Error::internal(DOMAIN, "the machine gives no random bytes"))?;
        Ok(Self(key))
    }

    /// Reads what [`Secret::reveal`] wrote; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix(PREFIX)?).ok().map(Self)
    }

    /// Writes it out, for its owner and for the store.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// Signs: one entry of the header `webhook-signature`.
    pub(crate) fn sign(&self, signed: Signed<'_>) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let Signed { id, timestamp, body } = signed;
        let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn a_signature_is_as_the_specification_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signed = Signed {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: r#"{"test": 2432232314}"#,
        };
        assert_eq!(secret.sign(signed), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = Signed { timestamp: 1_614_265_331, ..signed };
        assert_ne!(secret.sign(signed), secret.sign(other));
    }

    #[test]
    fn a_new_secret_is_long_its_own_and_read_back() {
        let (one, other) = (Secret::generate().expect("made"), Secret::generate().expect("made"));
        assert_ne!(one, other);
        assert_eq!(one.0.len(), KEY_BYTES);
        assert_eq!(Secret::parse(&one.reveal()), Some(one.clone()));
        assert_eq!(format!("{one:?}"), "Secret");
        for wrong in ["", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
    }
}
