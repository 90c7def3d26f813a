//! Texts that nobody is to see: what writes have to show, and the address of a database.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret text. It is never printed: whoever shows a configuration shows `…` in its place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The longest token, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The token that `text` is; `None` if it is none: a header cannot hold it.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        (fits && text.chars().all(|c| c.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// The text itself, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether somebody shows the same token. How long that takes does not depend on where they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        let own = self.0.as_bytes();
        // Every byte is looked at, and nothing is decided before the last one.
        let different = (0..own.len()).fold(own.len() ^ shown.len(), |different, at| {
            different | usize::from(own[at] ^ std::hint::black_box(shown.get(at).copied().unwrap_or(0)))
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
