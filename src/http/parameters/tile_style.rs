//! Tile styles: parsed once from the query string that all tiles of a map share.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::area::Area;
use super::fields::Fields;
use super::layer_style::{LayerStyle, style_key};
use super::pixel_ratio::PixelRatio;
use super::render_request::RenderRequest;
use super::tile_address::TileAddress;
use crate::config::LimitsConfig;
use crate::error::{Error, Result};
use crate::geo::Projection;
use crate::http::server::digest::{digest, keyed_digest};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::schemes::Schemes;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};

parameter_set! {
    /// The size of tiles.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct TileSize {
        /// Width and height of a tile in pixels, before `@2x`.
        side_px: u32 = Declaration::new(Parameter::SIZE, Kind::Choice(&["256", "512"])).default("256"),
    }
}

parameter_set! {
    /// The version of the layer whose tiles are requested.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct TileVersion {
        /// Version of the layer from TileJSON: letters, digits and `-`. If it is the current one, the response may be cached
        /// indefinitely; any other one is ignored.
        pub(crate) version: PinnedVersion = Declaration::new(Parameter::V, Kind::Label),
    }
}

/// The version of a layer in a URL.
///
/// Other texts than versions are rejected: GDAL looks for files next to a picture by appending `.ovr` or `.msk` to its URL, and to
/// that of each file that it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedVersion(String);

impl PinnedVersion {
    /// Whether it is the version `current`.
    pub(crate) fn is(&self, current: &str) -> bool {
        self.0 == current
    }
}

impl FromStr for PinnedVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(Parameter::V, "a version has letters, digits and `-`; expected that of the TileJSON"))
        }
    }
}

impl fmt::Display for PinnedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

from_str_values!(PinnedVersion);

/// The style and size of a layer's tiles.
#[derive(Clone, Debug)]
pub(crate) struct TileStyle {
    pub(crate) style: LayerStyle,
    /// Width and height of a tile in CSS pixels.
    pub(crate) side_px: u32,
}

/// A tile style with digests of its canonical text.
#[derive(Debug)]
pub(crate) struct KeyedTileStyle {
    pub(crate) style: TileStyle,
    /// Digest of the layer's version and the style, for cache keys.
    pub(crate) keyed_digest: u128,
    /// Digest of the layer's version and the style, for `ETag`s.
    pub(crate) digest: u128,
    /// Whether the URL contains the layer's current version, so that the tile never changes.
    pub(crate) is_pinned: bool,
}

impl TileStyle {
    /// The default width and height of a tile.
    pub(crate) const SIDE_PX: u32 = 256;

    /// Reads the style, filter and size of tiles.
    pub(crate) fn read(
        schemes: &Schemes,
        limits: &LimitsConfig,
        layer: &Layer,
        fields: &mut Fields,
    ) -> HttpResult<Self> {
        let TileSize { side_px } = fields.read()?;
        Self::read_sized(schemes, limits, layer, fields, side_px.unwrap_or(Self::SIDE_PX))
    }

    /// Reads the style and filter of tiles of a given size.
    pub(crate) fn read_sized(
        schemes: &Schemes,
        limits: &LimitsConfig,
        layer: &Layer,
        fields: &mut Fields,
        side_px: u32,
    ) -> HttpResult<Self> {
        let style = LayerStyle::read(schemes, limits, layer, fields)?;
        if !layer.coordinate_space().wraps() {
            return Ok(Self { style, side_px });
        }
        if style.projection != Projection::Mercator {
            let detail = "tiles are always in mercator; for another projection, request /{layer}/bbox/…";
            return Err(Problem::parameter("projection", detail));
        }
        Ok(Self { style, side_px })
    }

    /// Creates the render request of a tile.
    pub(crate) fn request(
        &self,
        limits: &LimitsConfig,
        layer: &Arc<Layer>,
        tile: TileAddress,
        ratio: PixelRatio,
    ) -> HttpResult<RenderRequest> {
        let side_px = ratio.pixels(self.side_px);
        let (pixels, limit) = (u64::from(side_px).pow(2), limits.pixels);
        if pixels > limit {
            let detail = format!("{pixels} pixels exceed the limit of {limit}, limits.pixels");
            return Err(Problem::parameter("size", detail));
        }
        self.style.clone().with_ratio(ratio).on(limits, layer, tile.canvas(side_px)?)
    }
}

impl KeyedTileStyle {
    /// Parses the style in `query`, filtered by the polygon `area`.
    pub(crate) fn read(
        schemes: &Schemes,
        limits: &LimitsConfig,
        layer: &Layer,
        query: &str,
        area: Option<Area>,
    ) -> HttpResult<Self> {
        let mut fields = Fields::from_query(query)?;
        let TileVersion { version } = fields.read()?;
        let mut style = TileStyle::read(schemes, limits, layer, &mut fields)?;
        fields.finish()?;
        style.style.filter = style.style.filter.within(area);
        let LayerStyle { options, scheme, filter, .. } = &style.style;
        let text = format!("{}/{}?{}", layer.name(), layer.version(), style_key(options, filter, scheme));
        Ok(Self {
            keyed_digest: keyed_digest((&text, filter.area().map(Area::keyed_digest))),
            digest: digest(&text),
            is_pinned: version.is_some_and(|version| version.is(layer.version())),
            style,
        })
    }
}

/// A cache of tile styles by query string.
#[derive(Debug)]
pub(crate) struct TileStyles(Cache<String, Arc<KeyedTileStyle>, BySize>);

#[derive(Clone, Copy, Debug)]
struct BySize;

impl Weighter<String, Arc<KeyedTileStyle>> for BySize {
    fn weight(&self, query: &String, style: &Arc<KeyedTileStyle>) -> u64 {
        /// The memory of a style, mostly its colors, without its strings, which are about as long as the query.
        const STYLE_BYTES: usize = 2048;
        (2 * query.len() + style.style.style.filter.bytes() + STYLE_BYTES) as u64
    }
}

impl TileStyles {
    /// Creates an empty cache of `max_bytes`.
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self(Cache::with_weighter(1000, max_bytes, BySize))
    }

    /// Returns the style of `query`, cached or newly parsed.
    pub(crate) fn read(
        &self,
        schemes: &Schemes,
        limits: &LimitsConfig,
        layer: &Layer,
        query: &str,
    ) -> HttpResult<Arc<KeyedTileStyle>> {
        let key = format!("{}/{}?{query}", layer.name(), layer.version());
        if let Some(style) = self.0.get(&key) {
            return Ok(style);
        }
        let style = Arc::new(KeyedTileStyle::read(schemes, limits, layer, query, None)?);
        self.0.insert(key, Arc::clone(&style));
        Ok(style)
    }
}
