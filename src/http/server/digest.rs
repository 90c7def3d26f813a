//! Digests of canonical texts.

pub(crate) use kiln_core::keyed_digest::keyed_digest;
use sha2::{Digest, Sha256};

/// Returns a digest that is the same in every process, for `ETag`s and versions: 128 bits of SHA-256, for which clients cannot
/// construct collisions.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> u128 {
    digest_of_parts(&[bytes.as_ref()])
}

/// Returns the [`digest`] of the concatenation of `parts`.
pub(crate) fn digest_of_parts(parts: &[&[u8]]) -> u128 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finalize();
    hash.iter().take(size_of::<u128>()).fold(0, |digest, byte| digest << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_digests() {
        assert_ne!(digest("one"), digest("two"));
        // SHA-256 of the empty text starts with these bytes (FIPS 180-4).
        assert_eq!(digest(""), 0xe3b0_c442_98fc_1c14_9afb_f4c8_996f_b924);
        assert_eq!(digest_of_parts(&[b"on", b"e"]), digest("one"));
    }
}
