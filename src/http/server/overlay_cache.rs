//! Overlays that were written to the folder of images.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;

use super::base_url::BaseUrl;
use super::corners::Corners;
use super::scale::SpanReply;

/// A picture that was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Overlay {
    /// The picture's name under /imgs; the Unix time comes first.
    #[schema(example = "1732158000-67e5504410b1426f9247bb680e5fe0c8.png")]
    pub(crate) filename: String,
    /// Where the picture is.
    #[schema(example = "/imgs/1732158000-67e5504410b1426f9247bb680e5fe0c8.png")]
    pub(crate) url: String,
    /// The ground that it shows, for `L.imageOverlay(url, bounds)`.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[35.0, -12.0], [60.0, 32.0]]))]
    pub(crate) bounds: Corners,
    /// Width and height in pixels.
    #[schema(value_type = Vec<u32>, example = json!([800, 600]))]
    pub(crate) size: [u32; 2],
    /// What the colors stand for; null for the classic blend, whose colors are absolute.
    pub(crate) span: Option<SpanReply>,
    /// Where the legend is, as a PNG; null where there is none.
    pub(crate) legend: Option<String>,
    /// Points whose dots reach into the picture.
    pub(crate) points_drawn: u64,
    /// When the picture may be gone, in Unix seconds.
    #[schema(example = 1_732_161_600)]
    pub(crate) expires_at: u64,
    /// The first rows of the request's `points` that are no points, and why; at most five.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<String>,
}

impl Overlay {
    /// The overlay with URLs that begin with `base`, in place of the paths of the cache.
    pub(crate) fn at(&self, base: &BaseUrl) -> Self {
        let legend = self.legend.as_ref().map(|legend| base.url(legend));
        Self { url: base.url(&self.url), legend, ..self.clone() }
    }
}

/// Overlays by the keys of their pictures. Their URLs are paths without a base: clients may reach the server by several.
#[derive(Debug)]
pub(crate) struct OverlayCache(pub(crate) Cache<String, Arc<Overlay>, BySize>);

/// Weighs entries by their size in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySize;

impl Weighter<String, Arc<Overlay>> for BySize {
    fn weight(&self, key: &String, overlay: &Arc<Overlay>) -> u64 {
        /// What an entry takes without its texts.
        const ENTRY: usize = 500;
        (key.len() + overlay.legend.as_ref().map_or(0, String::len) + 2 * overlay.url.len() + ENTRY) as u64
    }
}

impl OverlayCache {
    /// What all entries take at most.
    const MAX_BYTES: u64 = 16 << 20;

    /// An empty cache.
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(10_000, Self::MAX_BYTES, BySize))
    }
}
