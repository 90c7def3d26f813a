//! The cache of decoded masks, levels and backgrounds: a change of colors requires no new read or blur.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::error::{Error, Result};
use crate::mask::{Background, Levels, Mask};

/// Decoded masks, blurred levels and decoded backgrounds, up to a total size.
#[derive(Debug)]
pub(super) struct MaskCache {
    cache: Cache<String, Item, BySize>,
}

#[derive(Clone, Debug)]
enum Item {
    Mask(Arc<Mask>),
    Levels(Arc<Levels>),
    Background(Arc<Background>),
}

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<String, Item> for BySize {
    fn weight(&self, key: &String, item: &Item) -> u64 {
        /// The overhead of an item in bytes, besides its key and cells.
        const ITEM: usize = 200;
        let bytes = match item {
            Item::Mask(mask) => mask.bytes(),
            Item::Levels(levels) => levels.bytes(),
            Item::Background(background) => background.bytes(),
        };
        (key.len() + bytes + ITEM) as u64
    }
}

impl MaskCache {
    /// Creates a cache of `max_bytes`; larger items are not cached.
    pub(super) fn new(max_bytes: u64) -> Self {
        const ITEMS: usize = 1024;
        // One shard: a single item may be as large as the whole cache.
        let options =
            OptionsBuilder::new().estimated_items_capacity(ITEMS).weight_capacity(max_bytes).shards(1).build();
        let cache = match options {
            Ok(options) => {
                Cache::with_options(options, BySize, DefaultHashBuilder::default(), DefaultLifecycle::default())
            }
            Err(_) => Cache::with_weighter(ITEMS, max_bytes, BySize),
        };
        Self { cache }
    }

    /// Returns the mask of `key` from the cache, or from `read`. Concurrent callers wait for the first.
    pub(super) fn mask(&self, key: &str, read: impl FnOnce() -> Result<Mask>) -> Result<Arc<Mask>> {
        match self.get(&format!("mask/{key}"), || read().map(Arc::new).map(Item::Mask))? {
            Item::Mask(mask) => Ok(mask),
            _ => Err(mixed_up()),
        }
    }

    /// Returns the mask of `key` if it is cached.
    pub(super) fn cached_mask(&self, key: &str) -> Option<Arc<Mask>> {
        match self.cache.get(&format!("mask/{key}")) {
            Some(Item::Mask(mask)) => Some(mask),
            _ => None,
        }
    }

    /// Returns whether the cache contains the levels of `key`.
    pub(super) fn has_levels(&self, key: &str) -> bool {
        self.cache.peek(&format!("levels/{key}")).is_some()
    }

    /// Returns whether the cache contains the background of `key`.
    pub(super) fn has_background(&self, key: &str) -> bool {
        self.cache.peek(&format!("background/{key}")).is_some()
    }

    /// Returns the levels of `key` from the cache, or from `make`.
    pub(super) fn levels(&self, key: &str, make: impl FnOnce() -> Result<Levels>) -> Result<Arc<Levels>> {
        match self.get(&format!("levels/{key}"), || make().map(Arc::new).map(Item::Levels))? {
            Item::Levels(levels) => Ok(levels),
            _ => Err(mixed_up()),
        }
    }

    /// Returns the background of `key` from the cache, or from `read`.
    pub(super) fn background(&self, key: &str, read: impl FnOnce() -> Result<Background>) -> Result<Arc<Background>> {
        match self.get(&format!("background/{key}"), || read().map(Arc::new).map(Item::Background))? {
            Item::Background(background) => Ok(background),
            _ => Err(mixed_up()),
        }
    }

    /// The size of all items.
    pub(super) fn bytes(&self) -> u64 {
        self.cache.weight()
    }

    fn get(&self, key: &str, make: impl FnOnce() -> Result<Item>) -> Result<Item> {
        self.cache.get_or_insert_with(key, make)
    }
}

/// The error of a key with an item of another kind, which the prefixes of the keys prevent.
fn mixed_up() -> Error {
    Error::input("cache", "a key has an item of another kind")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mask::Values;
    use crate::raster::Grid;

    fn mask(side: usize) -> Result<Mask> {
        Mask::new(Values::Single(Grid::filled(side, side, 1.0)))
    }

    #[test]
    fn an_item_is_made_once_up_to_the_size_of_the_cache() {
        let cache = MaskCache::new(1_000_000);
        cache.mask("a", || mask(400)).unwrap();
        assert!(cache.bytes() > 640_000);
        assert_eq!(cache.mask("a", || Err(Error::Cancelled)).unwrap().rows(), 400);
        assert!(cache.cached_mask("a").is_some() && cache.cached_mask("b").is_none());
        cache.mask("b", || mask(600)).unwrap();
        assert!(cache.cached_mask("b").is_none(), "it is larger than the cache");
        assert!(cache.mask("c", || Err(Error::Cancelled)).is_err());
        assert_eq!(cache.mask("c", || mask(3)).unwrap().rows(), 3);
    }
}
