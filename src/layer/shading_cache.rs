//! The cache of what the colors of layers are computed from, which all layers of the process share: thousands of layers, such as
//! queries, each with a cache of its own, would have no common limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::shading::Shading;
use crate::error::{Error, Result};

/// The maximum size of the cache in bytes, unless [`set_max_bytes`] sets another.
const DEFAULT_BYTES: u64 = 16 << 20;

static CACHE: LazyLock<Cache<String, Item, BySize>> = LazyLock::new(|| {
    const TYPICAL_ITEMS: usize = 1000;
    Cache::with_weighter(TYPICAL_ITEMS, DEFAULT_BYTES, BySize)
});

#[derive(Clone)]
enum Item {
    Shading(Arc<Shading>),
    /// The positions that shadings are computed from.
    Sample(Arc<[(f64, f64)]>),
}

#[derive(Clone, Copy)]
struct BySize;

impl Weighter<String, Item> for BySize {
    fn weight(&self, key: &String, item: &Item) -> u64 {
        /// The memory of an item without its key and value.
        const OVERHEAD_BYTES: usize = 200;
        let bytes = match item {
            Item::Shading(shading) => shading.bytes(),
            Item::Sample(positions) => size_of_val(&**positions),
        };
        (key.len() + bytes + OVERHEAD_BYTES) as u64
    }
}

/// The minimum size of the cache in bytes. Without the entries of the layers in use, each of their tiles would compute its
/// span again, which takes several times as long as the tile.
const MIN_BYTES: u64 = 1 << 20;

/// Sets the maximum size of the cache of color scales, which all layers of the process share, at least 1 MiB. Default: 16 MiB.
pub fn set_max_bytes(bytes: u64) {
    CACHE.set_capacity(bytes.max(MIN_BYTES));
}

/// The entries of a layer, which are removed with it.
#[derive(Debug)]
pub(super) struct ShadingCache {
    /// The prefix of the keys.
    prefix: String,
}

impl ShadingCache {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { prefix: format!("{:x}/", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    fn shading_key(&self, key: &str) -> String {
        format!("{}shading/{key}", self.prefix)
    }

    /// Whether the shading of `key` is cached.
    pub(super) fn has_shading(&self, key: &str) -> bool {
        CACHE.peek(&self.shading_key(key)).is_some()
    }

    /// The shading of `key`, cached or from `make`. Concurrent callers wait for the first.
    pub(super) fn shading(&self, key: &str, make: impl FnOnce() -> Result<Arc<Shading>>) -> Result<Arc<Shading>> {
        let mut made = None;
        let make = || Ok::<_, Error>(Item::Shading(Arc::clone(made.insert(make()?))));
        let cached = CACHE.get_or_insert_with(&self.shading_key(key), make)?;
        match (made, cached) {
            (Some(shading), _) | (None, Item::Shading(shading)) => Ok(shading),
            (None, Item::Sample(_)) => Err(mixed_up()),
        }
    }

    /// The sample of positions of `key`, cached or from `make`.
    pub(super) fn sample(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<Arc<[(f64, f64)]>>,
    ) -> Result<Arc<[(f64, f64)]>> {
        match CACHE.get_or_insert_with(&format!("{}sample/{key}", self.prefix), || make().map(Item::Sample))? {
            Item::Sample(positions) => Ok(positions),
            Item::Shading(_) => Err(mixed_up()),
        }
    }
}

impl Drop for ShadingCache {
    fn drop(&mut self) {
        // There are hundreds of entries, and layers change a few times a second.
        CACHE.retain(|key, _| !key.starts_with(&self.prefix));
    }
}

/// The error of a key with an item of another kind, which the names in the keys prevent.
fn mixed_up() -> Error {
    Error::input("cache", "a key has an item of another kind")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_made_once_and_removed_with_their_layer() {
        let (one, other) = (ShadingCache::new(), ShadingCache::new());
        let sample = |cache: &ShadingCache, lon: f64| cache.sample("key", || Ok(Arc::from([(lon, 0.0)]))).unwrap()[0].0;
        assert_eq!((sample(&one, 1.0), sample(&other, 2.0), sample(&one, 3.0)), (1.0, 2.0, 1.0));
        let prefix = one.prefix.clone();
        let count = |prefix: &str| CACHE.iter().filter(|(key, _)| key.starts_with(prefix)).count();
        assert_eq!(count(&prefix), 1);
        drop(one);
        assert_eq!((count(&prefix), count(&other.prefix)), (0, 1));
    }
}
