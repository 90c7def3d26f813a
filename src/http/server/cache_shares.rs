//! The shares of `cache.size`.

use crate::config::CacheConfig;

/// The maximum sizes of the caches that requests fill, in bytes. Together they are `cache.size`, unless that is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheShares {
    /// Encoded pictures and other responses.
    pub(crate) responses: u64,
    /// The value ranges and distributions of the colors of layers, styles and zooms.
    pub(crate) shadings: u64,
    /// Parsed styles of tiles.
    pub(crate) tile_styles: u64,
    /// The descriptions of overlays.
    pub(crate) overlays: u64,
}

impl CacheShares {
    /// A picture takes many times as long without the range of its colors: some are always kept.
    const MIN_SHADINGS: u64 = 2 << 20;
    /// The minimum of the other small caches.
    const MIN_BYTES: u64 = 512 << 10;

    /// The shares of the configured size.
    pub(crate) fn of(config: &CacheConfig) -> Self {
        let size = config.size.bytes();
        let shadings = (size / 4).clamp(Self::MIN_SHADINGS, 64 << 20);
        let [tile_styles, overlays] = [size / 16; 2].map(|share| share.clamp(Self::MIN_BYTES, 16 << 20));
        Self { responses: size.saturating_sub(shadings + tile_styles + overlays), shadings, tile_styles, overlays }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ByteSize;

    #[test]
    fn all_caches_together_have_the_configured_size() {
        for size in [8 << 20, 64 << 20, 8 << 30] {
            let shares = CacheShares::of(&CacheConfig { size: ByteSize::from_bytes(size) });
            let CacheShares { responses, shadings, tile_styles, overlays } = shares;
            assert_eq!(responses + shadings + tile_styles + overlays, size);
            assert!(responses > size / 2, "{shares:?}");
        }
        let none = CacheShares::of(&CacheConfig { size: ByteSize::from_bytes(0) });
        assert_eq!((none.responses, none.shadings, none.overlays), (0, 2 << 20, 512 << 10));
    }
}
