//! Digests of canonical texts.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::OnceLock;

use twox_hash::XxHash64;

/// Returns a digest for the cache keys of this process. Clients cannot construct collisions, since its secret keys are
/// random and chosen at the first call.
pub(crate) fn keyed_digest(value: impl Hash) -> u128 {
    static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
    let [high, low] = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
    u128::from(high.hash_one(&value)) << 64 | u128::from(low.hash_one(&value))
}

/// Returns the XXH64 digest, which is the same in every process. A client that constructs a collision of `ETag`s
/// affects only itself.
pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> u64 {
    XxHash64::oneshot(0, bytes.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_digests() {
        assert_eq!(keyed_digest("one"), keyed_digest("one"));
        assert_ne!(keyed_digest("one"), keyed_digest("two"));
        assert_ne!(keyed_digest("one") as u64, (keyed_digest("one") >> 64) as u64);
    }
}
