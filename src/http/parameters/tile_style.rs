//! How the tiles of a layer are drawn, read once from a query that comes again with each of them.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::area::Area;
use super::fields::Fields;
use super::layer_style::{LayerStyle, style_key};
use super::pixel_ratio::PixelRatio;
use super::render_request::RenderRequest;
use crate::config::LimitsConfig;
use crate::geo::{Canvas, Projection, TileCoord};
use crate::http::server::digest::{digest, keyed_digest};
use crate::http::server::problem::{Answer, Problem};
use crate::http::server::schemes::Schemes;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

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
        /// Version of the layer, as TileJSON has it. Where it is the current one, the response may be cached forever; any
        /// other is ignored.
        version: String = Declaration::new(Parameter::V, Kind::Label),
    }
}

/// How the tiles of a layer are drawn.
#[derive(Clone, Debug)]
pub(crate) struct TileStyle {
    pub(crate) style: LayerStyle,
    /// Width and height of a tile in pixels of the layout.
    pub(crate) side_px: u32,
}

/// A style with digests of its canonical text.
#[derive(Debug)]
pub(crate) struct KeyedTileStyle {
    pub(crate) style: TileStyle,
    /// Of the layer's version and the style, for cache keys.
    pub(crate) keyed_digest: u128,
    /// Of the layer's version and the style, for `ETag`s.
    pub(crate) digest: u64,
    /// Whether the URL names the layer's version, so that the tile never changes.
    pub(crate) is_pinned: bool,
}

impl TileStyle {
    /// The default width and height of a tile.
    pub(crate) const SIDE_PX: u32 = 256;

    /// Reads the style, the filter and the size of tiles.
    pub(crate) fn read(schemes: &Schemes, layer: &Layer, fields: &mut Fields) -> Answer<Self> {
        let TileSize { side_px } = fields.read()?;
        Self::read_sized(schemes, layer, fields, side_px.unwrap_or(Self::SIDE_PX))
    }

    /// Reads the style and the filter of tiles of a given size.
    pub(crate) fn read_sized(schemes: &Schemes, layer: &Layer, fields: &mut Fields, side_px: u32) -> Answer<Self> {
        if !layer.coordinate_space().wraps() {
            let why = "tiles are for layers on the globe, and this one lies on a plane: ask for /{layer}/bbox/…";
            return Err(Problem::parameter("layer", why));
        }
        let mut style = LayerStyle::read(schemes, layer, fields)?;
        if style.projection != Projection::Mercator {
            let why = "tiles are drawn in mercator; /{layer}/bbox/… draws any projection";
            return Err(Problem::parameter("projection", why));
        }
        // Tiles that meet, and colors that mean the same in all of them, need one scale.
        style.options.true_scale_lat_deg.get_or_insert_with(|| layer.center_lat_deg());
        Ok(Self { style, side_px })
    }

    /// The canvas of a tile, and the style in its pixels.
    pub(crate) fn request(
        &self,
        limits: &LimitsConfig,
        layer: &Arc<Layer>,
        tile: TileCoord,
        ratio: PixelRatio,
    ) -> Answer<RenderRequest> {
        let side_px = ratio.pixels(self.side_px);
        let (pixels, limit) = (u64::from(side_px).pow(2), limits.pixels);
        if pixels > limit {
            let why = format!("{pixels} pixels are more than the {limit} that limits.pixels allows");
            return Err(Problem::parameter("size", why));
        }
        self.style.clone().with_ratio(ratio).on(limits, layer, Canvas::tile(tile, side_px)?)
    }
}

impl KeyedTileStyle {
    /// Reads the style of `query`, for the points in `area` if there is one.
    pub(crate) fn read(schemes: &Schemes, layer: &Layer, query: &str, area: Option<Area>) -> Answer<Self> {
        let mut fields = Fields::from_query(query)?;
        let TileVersion { version } = fields.read()?;
        let mut style = TileStyle::read(schemes, layer, &mut fields)?;
        fields.finish()?;
        style.style.filter = style.style.filter.within(area);
        let LayerStyle { options, scheme, filter, .. } = &style.style;
        let text = format!("{}/{}?{}", layer.name(), layer.version(), style_key(options, filter, scheme));
        Ok(Self {
            keyed_digest: keyed_digest((&text, filter.area().map(Area::keyed_digest))),
            digest: digest(&text),
            is_pinned: version.is_some_and(|version| version == layer.version()),
            style,
        })
    }
}

/// Styles by the query that they were read from.
#[derive(Debug)]
pub(crate) struct TileStyles(Cache<String, Arc<KeyedTileStyle>, ByLength>);

#[derive(Clone, Copy, Debug)]
struct ByLength;

impl Weighter<String, Arc<KeyedTileStyle>> for ByLength {
    fn weight(&self, query: &String, _: &Arc<KeyedTileStyle>) -> u64 {
        /// What a style takes without its texts, which are about as long as the query: mostly its colors.
        const STYLE: usize = 2048;
        (2 * query.len() + STYLE) as u64
    }
}

impl TileStyles {
    const MAX_BYTES: u64 = 8 << 20;

    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(1000, Self::MAX_BYTES, ByLength))
    }

    /// The style of `query`, from the cache or read now.
    pub(crate) fn read(&self, schemes: &Schemes, layer: &Layer, query: &str) -> Answer<Arc<KeyedTileStyle>> {
        let key = format!("{}/{}?{query}", layer.name(), layer.version());
        if let Some(style) = self.0.get(&key) {
            return Ok(style);
        }
        let style = Arc::new(KeyedTileStyle::read(schemes, layer, query, None)?);
        self.0.insert(key, Arc::clone(&style));
        Ok(style)
    }
}
