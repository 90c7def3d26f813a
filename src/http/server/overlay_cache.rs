//! The cache of overlays in the image folder.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;

use super::base_url::BaseUrl;
use super::corners::Corners;
use super::scale::SpanReply;

/// A picture in the image folder.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Overlay {
    /// Name of the picture under /imgs, starting with the Unix time of its creation.
    #[schema(example = "1732158000-67e5504410b1426f9247bb680e5fe0c8.png")]
    pub(crate) filename: String,
    /// URL of the picture.
    #[schema(example = "/imgs/1732158000-67e5504410b1426f9247bb680e5fe0c8.png")]
    pub(crate) url: String,
    /// Geographic bounds of the picture, for `L.imageOverlay(url, bounds)`.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[35.0, -12.0], [60.0, 32.0]]))]
    pub(crate) bounds: Corners,
    /// Width and height in pixels.
    #[schema(value_type = Vec<u32>, example = json!([800, 600]))]
    pub(crate) size: [u32; 2],
    /// Values of the colors; null for the classic blend, whose colors are absolute.
    pub(crate) span: Option<SpanReply>,
    /// URL of the legend as a PNG; null if there is none.
    pub(crate) legend: Option<String>,
    /// Number of points whose dots reach into the picture.
    pub(crate) points_drawn: u64,
    /// Unix time in seconds after which the picture may be removed.
    #[schema(example = 1_732_161_600)]
    pub(crate) expires_at: u64,
    /// Rejected rows of the request's `points` with the reason; the first five at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<String>,
}

impl Overlay {
    /// Returns the overlay with URLs under `base` in place of the cached paths.
    pub(crate) fn at(&self, base: &BaseUrl) -> Self {
        let legend = self.legend.as_ref().map(|legend| base.link(&base.url(legend)));
        Self { url: base.url(&self.url), legend, ..self.clone() }
    }
}

/// Overlays by cache key. Their URLs are paths: clients may reach the server under several base URLs.
#[derive(Debug)]
pub(crate) struct OverlayCache(pub(crate) Cache<String, Arc<Overlay>, BySize>);

/// Weights entries by their size in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySize;

impl Weighter<String, Arc<Overlay>> for BySize {
    fn weight(&self, key: &String, overlay: &Arc<Overlay>) -> u64 {
        /// The memory of an entry without its strings.
        const OVERHEAD_BYTES: usize = 500;
        (key.len() + overlay.legend.as_ref().map_or(0, String::len) + 2 * overlay.url.len() + OVERHEAD_BYTES) as u64
    }
}

impl OverlayCache {
    /// Creates an empty cache of `max_bytes`.
    pub(crate) fn new(max_bytes: u64) -> Self {
        /// The size of a typical entry.
        const ENTRY_BYTES: u64 = 1000;
        Self(Cache::with_weighter((max_bytes / ENTRY_BYTES) as usize, max_bytes, BySize))
    }
}
