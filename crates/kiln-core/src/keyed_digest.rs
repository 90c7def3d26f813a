//! Digests for the keys of caches.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::OnceLock;

/// Returns a digest for the keys of caches in this process: `SipHash` under two secret keys, which are random and chosen at the
/// first call. Clients cannot construct collisions.
pub fn keyed_digest(value: impl Hash) -> u128 {
    static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
    let [high, low] = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
    u128::from(high.hash_one(&value)) << 64 | u128::from(low.hash_one(&value))
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
