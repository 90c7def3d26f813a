//! Short numbers that stand for long texts.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;

/// A number that stands for `value` as long as the process runs. Nobody can make up two values that share one, since the
/// keys behind it are drawn anew by each process.
pub(crate) fn digest(value: impl Hash) -> u128 {
    static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
    let [high, low] = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
    u128::from(high.hash_one(&value)) << 64 | u128::from(low.hash_one(&value))
}

/// A number that stands for `value` in every process of this version of Kiln: for an `ETag`, whose client does itself harm
/// if it makes up another value of the same number.
pub(crate) fn lasting_digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    hasher.finish()
}

/// An `ETag`.
pub(crate) fn etag(value: impl Hash) -> String {
    format!("\"{:016x}\"", lasting_digest(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_the_same_and_another_is_another() {
        assert_eq!(digest("one"), digest("one"));
        assert_ne!(digest("one"), digest("two"));
        assert_ne!(digest("one") as u64, (digest("one") >> 64) as u64);
        assert_eq!(etag(("a", 5)), etag(("a", 5)));
        assert_ne!(etag(("a", 5)), etag(("a", 6)));
    }
}
