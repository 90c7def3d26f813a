//! A cache of encoded responses. Concurrent requests for the same key render it once.

use std::future::Future;

use axum::body::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::problem::HttpResult;

/// Encoded responses by key, limited by their total size.
#[derive(Debug)]
pub(crate) struct ByteCache {
    cache: Cache<String, Bytes, BySize>,
}

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<String, Bytes> for BySize {
    fn weight(&self, key: &String, bytes: &Bytes) -> u64 {
        /// The memory of an entry without its key and value.
        const OVERHEAD_BYTES: usize = 200;
        (key.len() + bytes.len() + OVERHEAD_BYTES) as u64
    }
}

impl ByteCache {
    /// Creates a cache of `max_bytes`; an entry larger than a shard of it is not kept.
    pub(crate) fn new(max_bytes: u64) -> Self {
        const TYPICAL_ENTRY_BYTES: u64 = 20_000;
        let items = (max_bytes / TYPICAL_ENTRY_BYTES).clamp(16, 1 << 20) as usize;
        Self { cache: Cache::with_weighter(items, max_bytes, BySize) }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        self.cache.get(key)
    }

    pub(crate) fn insert(&self, key: String, bytes: &[u8]) {
        self.cache.insert(key, Bytes::copy_from_slice(bytes));
    }

    /// Returns the bytes of `key`, cached or made by `make`, and whether they were cached. Concurrent callers wait for
    /// the first.
    pub(crate) async fn get_or_make<F>(&self, key: &str, make: impl FnOnce() -> F) -> HttpResult<(Bytes, bool)>
    where
        F: Future<Output = HttpResult<Bytes>>,
    {
        match self.cache.get_value_or_guard_async(key).await {
            Ok(bytes) => Ok((bytes, true)),
            Err(guard) => {
                // A copy of exactly its size: an encoder's buffer can have twice the capacity.
                let bytes = Bytes::copy_from_slice(&make().await?);
                // Fails only if the entry was removed in between, which costs one more rendering.
                let _ = guard.insert(bytes.clone());
                Ok((bytes, false))
            }
        }
    }

    /// The size of all entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::problem::Problem;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_requests_for_a_key_make_it_once() {
        let (cache, made) = (Arc::new(ByteCache::new(1 << 20)), Arc::new(AtomicU32::new(0)));
        let request = || {
            let (cache, made) = (Arc::clone(&cache), Arc::clone(&made));
            tokio::spawn(async move {
                let make = || async {
                    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                    made.fetch_add(1, Ordering::Relaxed);
                    Ok(Bytes::from_static(b"picture"))
                };
                cache.get_or_make("key", make).await.unwrap().0
            })
        };
        let (one, other) = (request(), request());
        assert_eq!((one.await.unwrap(), other.await.unwrap()), (Bytes::from("picture"), Bytes::from("picture")));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn failures_are_not_cached_and_the_size_is_limited() {
        let cache = ByteCache::new(100_000);
        let failed = cache.get_or_make("key", || async { Err(Problem::internal("on purpose")) }).await;
        assert!(failed.is_err() && cache.get("key").is_none());
        for key in 0..100 {
            cache.insert(key.to_string(), &[0; 10_000]);
        }
        assert!(cache.bytes() <= 100_000);
    }
}
