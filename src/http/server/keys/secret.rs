//! Secrets of keys.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::KeyConfig;
use crate::error::{Error, Result};

/// The secret of a key: 256 random bits.
///
/// Servers know its SHA-256 hash only. A slow hash, as for passwords, would protect no better: nobody can try 2^256 values.
pub struct Secret(String);

impl Secret {
    /// Makes a new secret.
    ///
    /// # Errors
    /// [`Error::Io`] if the system has no random numbers.
    pub fn new() -> Result<Self> {
        let mut bytes = [0; 32];
        let unavailable = |_| Error::io("random numbers", "read", std::io::Error::other("the system has none"));
        SystemRandom::new().fill(&mut bytes).map_err(unavailable)?;
        Ok(Self(format!("{}{}", KeyConfig::SECRET_PREFIX, URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The text that clients send.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The hash for the configuration.
    pub fn hash(&self) -> String {
        let mut text = KeyConfig::HASH_PREFIX.to_owned();
        for byte in digest_of(&self.0) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The hash of the secret that a client sent.
pub(super) fn digest_of(sent: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, sent.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_their_hashes_are_those_of_the_configuration() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!((one.reveal().len(), format!("{one:?}")), (48, "…".to_owned()));
        let key = KeyConfig { hash: Some(one.hash()), ..KeyConfig::default() };
        assert_eq!(key.digest(), Some(digest_of(one.reveal())));
        // The test vector of FIPS 180-2.
        assert_eq!(
            Secret("abc".into()).hash(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
