//! `GET /{layer}/doc.kml`: a KML superoverlay of a layer, for Google Earth.
//!
//! The root links to the document of tile 0/0/0. The document of a tile has its picture, and links to the documents of the
//! four tiles below it, which a client loads where the view is near enough. KML stretches a picture evenly over degrees of
//! latitude, Web Mercator does not: a tile of a low zoom is divided into strips that are low enough for the difference.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::layer_links::{LayerLinks, tile_of};
use super::tile_extent::TileExtent;
use super::tile_json::{description, escape_html};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, TileCoord, TileCover};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};
use crate::xml;

const MEDIA_TYPE: &str = "application/vnd.google-earth.kml+xml";

/// Width and height of a tile in pixels.
const SIDE_PX: u32 = TileStyle::SIDE_PX;

/// The tile of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DocumentTile(TileCoord);

from_str_values!(DocumentTile);

impl FromStr for DocumentTile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            let max = TileCoord::MAX_ZOOM;
            Error::invalid(Parameter::TILE, format!("`{text}` is not a tile such as 4/8/5, of the zooms 0 to {max}"))
        };
        tile_of(text).map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for DocumentTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parameter_set! {
    /// A document of a superoverlay.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct KmlOptions {
        /// Tile of the document, as zoom/column/row. The documents link to each other by this parameter.
        tile: DocumentTile = Declaration::new(Parameter::TILE, Kind::Name)
            .default("none: the root of the superoverlay, with the title and the legend")
            .example("4/8/5"),
    }
}

/// KML superoverlay of a layer
///
/// A file for Google Earth: it loads the tiles of the view as the user zooms and pans, and shows the legend. The style
/// parameters and filters of the request, and its key, are part of the links. The legend is that of the zoom at which a
/// map fits all points, as its title says; with `vmin` and `vmax`, it is that of all zooms. Pictures are at most one
/// pixel from their place.
#[utoipa::path(get, path = "/{layer}/doc.kml", operation_id = "get_kml", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<KmlOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The KML document", content_type = "application/vnd.google-earth.kml+xml", body = String),
        (status = 400, description = "Invalid parameter, or the layer is on a plane", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn document(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let KmlOptions { tile } = fields.read()?;
    let style = TileStyle::read_sized(&app.schemes, &app.config.limits, &layer, &mut fields, SIDE_PX)?;
    fields.finish()?;
    let links = LayerLinks::of(&layer, &style, &base, "KML")?;
    let extent = TileExtent::of(&app, &layer, &style)?;
    let superoverlay = Superoverlay { layer: &layer, links, extent };
    let text = match tile {
        None => superoverlay.root()?,
        Some(DocumentTile(tile)) => superoverlay.tile(tile)?,
    };
    let disposition = format!("attachment; filename=\"{}.kml\"", layer.name());
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_DISPOSITION, &disposition),
    ];
    Ok((headers, text).into_response())
}

/// The documents of a layer.
struct Superoverlay<'a> {
    layer: &'a Arc<Layer>,
    links: LayerLinks<'a>,
    extent: TileExtent,
}

impl Superoverlay<'_> {
    /// A tile is visible from this number of pixels per side on the screen,
    const MIN_PX: u32 = 128;
    /// to this one, at which the tiles below it have [`Self::MIN_PX`] and some more:
    const MAX_PX: u32 = 320;
    /// the picture of a zoom fades out while those of the next one fade in, since both are transparent.
    const FADE_PX: u32 = 64;

    /// The document that a user opens.
    fn root(&self) -> HttpResult<String> {
        let (name, layer) = (xml::escape(self.layer.title()), self.layer);
        let attribution = layer.attribution().map(|text| format!("<br>{}", escape_html(text))).unwrap_or_default();
        let about = xml::escape(&format!("{}{attribution}", escape_html(&description(layer))));
        let mut kml = document_start(&name);
        let _ = write!(kml, "    <description>{about}</description>\n{}", self.look_at());
        let _ = write!(
            kml,
            "    <ScreenOverlay>\n      <name>Legend</name>\n      <Icon><href>{}</href></Icon>\n      \
             <overlayXY x=\"0\" y=\"0\" xunits=\"fraction\" yunits=\"fraction\"/>\n      \
             <screenXY x=\"16\" y=\"48\" xunits=\"pixels\" yunits=\"pixels\"/>\n      \
             <size x=\"-1\" y=\"-1\" xunits=\"pixels\" yunits=\"pixels\"/>\n    </ScreenOverlay>\n",
            xml::escape(&self.links.legend(&self.extent)),
        );
        kml.push_str(&self.link_to(TileCoord::new(0, 0, 0)?)?);
        Ok(kml + DOCUMENT_END)
    }

    /// The view of the whole layer.
    fn look_at(&self) -> String {
        /// The circumference of the earth in meters.
        const WORLD_M: f64 = 40_075_016.7;
        /// Tiles in the width of a view.
        const TILES: f64 = 4.0;
        let (lon, lat, zoom) = self.extent.center;
        let width_m = TILES * WORLD_M * lat.to_radians().cos() / f64::from(zoom).exp2();
        let range_m = width_m.min(WORLD_M / 2.0).round();
        format!("    <LookAt><longitude>{lon}</longitude><latitude>{lat}</latitude><range>{range_m}</range></LookAt>\n")
    }

    /// The document of a tile: its pictures, and links to the tiles below it that may have points.
    fn tile(&self, tile: TileCoord) -> HttpResult<String> {
        let is_last = i32::from(tile.zoom()) >= i32::from(self.extent.maxzoom);
        let min_px = min_px(tile);
        let whole = Canvas::tile(tile, SIDE_PX)?.bounds();
        let mut kml = document_start(&tile.to_string());
        let _ = writeln!(kml, "    {}", region(whole, &format!("<minLodPixels>{min_px}</minLodPixels>")));
        kml.push_str(&self.overlays(tile, is_last)?);
        if !is_last {
            let cover = TileCover::of(self.bounds(), tile.zoom() + 1);
            for (right, below) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let child = TileCoord::new(tile.zoom() + 1, 2 * tile.x() + right, 2 * tile.y() + below)?;
                if cover.contains(child) {
                    kml.push_str(&self.link_to(child)?);
                }
            }
        }
        Ok(kml + DOCUMENT_END)
    }

    /// The pictures of a tile, from the north.
    fn overlays(&self, tile: TileCoord, is_last: bool) -> HttpResult<String> {
        let canvas = Canvas::tile(tile, SIDE_PX)?;
        let min_px = min_px(tile);
        let fade = if min_px == 0 { 0 } else { Self::FADE_PX / 2 };
        let mut lod = format!("<minLodPixels>{min_px}</minLodPixels>");
        if !is_last {
            let _ = write!(lod, "<maxLodPixels>{}</maxLodPixels>", Self::MAX_PX);
        }
        let _ = write!(lod, "<minFadeExtent>{fade}</minFadeExtent>");
        if !is_last {
            let _ = write!(lod, "<maxFadeExtent>{}</maxFadeExtent>", Self::FADE_PX);
        }
        let region = region(canvas.bounds(), &lod);
        let strips = strips(tile.zoom());
        let height = SIDE_PX / strips;
        let mut kml = String::new();
        for strip in 0..strips {
            let bounds = canvas.window(0, i64::from(strip * height), SIDE_PX, height)?.bounds();
            let url = if strips == 1 { self.links.tile(tile) } else { self.links.picture(bounds, SIDE_PX, height) };
            let Bounds { west, south, east, north } = bounds;
            let _ = write!(
                kml,
                "    <GroundOverlay>\n      {region}\n      <drawOrder>{}</drawOrder>\n      \
                 <Icon><href>{}</href></Icon>\n      \
                 <LatLonBox><north>{north}</north><south>{south}</south><east>{east}</east><west>{west}</west></LatLonBox>\n    \
                 </GroundOverlay>\n",
                tile.zoom(),
                xml::escape(&url),
            );
        }
        Ok(kml)
    }

    /// A link to the document of a tile, which is followed where the tile is large enough on the screen.
    fn link_to(&self, tile: TileCoord) -> HttpResult<String> {
        let lod = format!("<minLodPixels>{}</minLodPixels>", min_px(tile));
        let region = region(Canvas::tile(tile, SIDE_PX)?.bounds(), &lod);
        let url = xml::escape(&self.links.url("doc.kml", &[("tile", tile.to_string())]));
        Ok(format!(
            "    <NetworkLink>\n      <name>{tile}</name>\n      {region}\n      \
             <Link><href>{url}</href><viewRefreshMode>onRegion</viewRefreshMode></Link>\n    </NetworkLink>\n"
        ))
    }

    /// The bounds of the tiles.
    fn bounds(&self) -> Bounds {
        let [west, south, east, north] = self.extent.bounds;
        Bounds { west, south, east, north }
    }
}

/// The number of strips of a tile of a zoom, for an error below one pixel: in a strip of `h` pixels, Mercator's latitude
/// differs from an even one by at most h² · 2π / (8 · 256 · 2^zoom) pixels.
fn strips(zoom: u8) -> u32 {
    1 << ((9 - zoom.min(9)) / 2)
}

/// The size on the screen from which a tile is loaded; the whole world, always.
fn min_px(tile: TileCoord) -> u32 {
    if tile.zoom() == 0 { 0 } else { Superoverlay::MIN_PX }
}

fn region(bounds: Bounds, lod: &str) -> String {
    let Bounds { west, south, east, north } = bounds;
    format!(
        "<Region><LatLonAltBox><north>{north}</north><south>{south}</south><east>{east}</east><west>{west}</west></LatLonAltBox>\
         <Lod>{lod}</Lod></Region>"
    )
}

fn document_start(name: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n  <Document>\n    \
         <name>{name}</name>\n"
    )
}

const DOCUMENT_END: &str = "  </Document>\n</kml>\n";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_less_than_a_pixel_from_their_place() {
        for zoom in 0..=TileCoord::MAX_ZOOM {
            let mut worst: f64 = 0.0;
            let height = SIDE_PX / strips(zoom);
            // The rows at the edge of the map have the greatest error.
            let canvas = Canvas::tile(TileCoord::new(zoom, 0, 0).unwrap(), SIDE_PX).unwrap();
            for top in (0..SIDE_PX).step_by(height as usize) {
                let strip = canvas.window(0, i64::from(top), SIDE_PX, height).unwrap();
                let Bounds { south, north, .. } = strip.bounds();
                for row in 0..=height {
                    let even = north + (south - north) * f64::from(row) / f64::from(height);
                    let edge = |row: u32| strip.window(0, i64::from(row), 1, 1).unwrap().bounds().north;
                    let degrees_per_px = edge(row) - edge(row + 1);
                    worst = worst.max((edge(row) - even).abs() / degrees_per_px);
                }
            }
            assert!(worst < 1.0, "zoom {zoom}: {worst} pixels");
        }
    }

    #[test]
    fn tiles_are_read_as_zoom_column_and_row() {
        assert_eq!("4/8/5".parse::<DocumentTile>().unwrap().to_string(), "4/8/5");
        for bad in ["", "4/8", "4/8/5/1", "4/16/5", "25/0/0", "-1/0/0", "a/b/c"] {
            let error = bad.parse::<DocumentTile>().unwrap_err().to_string();
            assert!(error.contains("is not a tile such as 4/8/5, of the zooms 0 to 24"), "{error}");
        }
    }
}
