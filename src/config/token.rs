//! Secrets: the bearer token of write requests, and the URL of a database.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A secret. Neither its `Debug` output nor a printed configuration contains it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("writeOnly" = true))]
pub struct Token(String);

impl Token {
    /// The maximum length of a bearer token, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The bearer token `text`; `None` if it is not valid in a header.
    pub fn new(text: &str) -> Option<Self> {
        let is_length_valid = (1..=Self::MAX_BYTES).contains(&text.len());
        (is_length_valid && text.chars().all(|c| c.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// A new random bearer token, of 244 random bits.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// A secret that is not sent in a header, such as a database URL.
    pub(super) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The secret text.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same token. The duration of the comparison does not depend on the position of a
    /// difference.
    pub fn is(&self, other: &[u8]) -> bool {
        let bytes = self.0.as_bytes();
        // Every byte is compared, without an early return.
        let different = (0..bytes.len()).fold(bytes.len() ^ other.len(), |different, at| {
            different | usize::from(bytes[at] ^ std::hint::black_box(other.get(at).copied().unwrap_or(0)))
        });
        std::hint::black_box(different) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_is_equal() {
        let token = Token::new("s3cret-Token").unwrap();
        assert!(token.is(b"s3cret-Token"));
        for other in [&b""[..], b"s3cret-Toke", b"s3cret-Token2", b"s3cret-token", b"s3cret-Token\0", b"\0"] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "…");
        let [first, second] = [Token::random(), Token::random()];
        assert!(first != second && Token::new(first.reveal()) == Some(first));
        for bad in ["", "a b", "tab\t", "ä", &"x".repeat(513)] {
            assert!(Token::new(bad).is_none(), "{bad}");
        }
    }
}
