//! Secrets: the bearer token of write requests, and the URL of a database.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A secret text. Neither its `Debug` text nor a printed configuration contains it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("writeOnly" = true))]
pub struct Token(String);

impl Token {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The bearer token `text`; `None` if a header cannot hold it.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        (fits && text.chars().all(|c| c.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// A secret that need not fit into a header.
    pub(super) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same token. The time that the comparison takes does not depend on where they differ.
    pub fn is(&self, other: &[u8]) -> bool {
        let own = self.0.as_bytes();
        // Every byte is compared before the result is known.
        let different = (0..own.len()).fold(own.len() ^ other.len(), |different, at| {
            different | usize::from(own[at] ^ std::hint::black_box(other.get(at).copied().unwrap_or(0)))
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
    fn only_the_same_token_is_the_same() {
        let token = Token::new("s3cret-Token").unwrap();
        assert!(token.is(b"s3cret-Token"));
        for other in [&b""[..], b"s3cret-Toke", b"s3cret-Token2", b"s3cret-token", b"s3cret-Token\0", b"\0"] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "…");
        for bad in ["", "a b", "tab\t", "ä", &"x".repeat(513)] {
            assert!(Token::new(bad).is_none(), "{bad}");
        }
    }
}
