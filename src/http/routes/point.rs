//! `GET /{layer}/point/{lon},{lat}`: the value of a layer's picture at a place.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Result;
use crate::geo::{Canvas, MAX_MERCATOR_LAT_DEG, Points, Projection, TileCoord};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::shared::{ZOOM, Zoom};
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::App;
use crate::http::server::problem::{Answer, Problem};
use crate::layer::{Blend, FilterOptions, StyleOptions, center};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::raster::Tally;
use crate::source::{PointSet, Query, Sink};

/// What a layer's picture says at a place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PointReply {
    /// The value of the pixel; null where there is none, as for a mean without any point.
    #[schema(example = 0.0042)]
    value: Option<f64>,
    /// What the value counts.
    #[schema(example = "population per km² at 20°N")]
    unit: String,
    /// How many percent of the pixels of that zoom's tiles that hold anything stay at or below the value; null where there is
    /// no value.
    #[schema(example = 87.5)]
    percentile: Option<f64>,
    /// How many points lie within the radius of the pixel's middle; of a stored layer or a live table, in pixels whose middles do.
    points: u64,
    /// The most frequent categories of these points, as many as were asked for, the most frequent first; null where none were, and
    /// where there are more than a million points.
    categories: Option<Vec<CategoryReply>>,
    /// The radius in pixels.
    #[schema(example = 20.0)]
    radius_px: f64,
    /// The radius in meters on the ground at that place.
    #[schema(example = 1_558.4)]
    radius_m: f64,
    /// The zoom.
    z: u8,
    /// The longitude that was asked for.
    #[schema(example = 18.07)]
    lon: f64,
    /// The latitude that was asked for.
    #[schema(example = 59.33)]
    lat: f64,
}

/// A category.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct CategoryReply {
    /// What it is called.
    #[schema(example = "bus")]
    name: String,
    /// How many of the points have it.
    points: u64,
}

parameter_set! {
    /// The tiles whose value is requested.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PointOptions {
        /// Zoom of the tiles, at 256 pixels each; a fraction is rounded to the nearest whole zoom.
        zoom: Zoom = Declaration::new(Parameter::Z, ZOOM).default("that of TileJSON's `center`").example("10"),
        /// How many of the most frequent categories within the radius to list.
        categories: u64 = Declaration::new(Parameter::CATEGORIES, Kind::Integer { min: 0, max: MOST_CATEGORIES })
            .default("0")
            .example("5"),
    }
}

/// The value of a layer's picture at a place
///
/// That of the tile's pixel under it, at a zoom, with the style parameters and filters of the tile. What only says how values
/// become colors (`vmin`, `curve`, `scheme`, …) is checked, and makes no difference.
#[utoipa::path(get, path = "/{layer}/point/{lon},{lat}", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("lon" = f64, Path, description = "Longitude in degrees, -540 to 540", example = 18.07),
        ("lat" = f64, Path, description = "Latitude in degrees, as far as the map reaches: -85.0511 to 85.0511", example = 59.33),
        InQuery<PointOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The value", body = PointReply),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests wait, or it took too long", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn point(
    State(app): State<Arc<App>>,
    Path((layer, place)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer<Response<Body>> {
    let layer = app.layer(&layer)?;
    let (lon, lat) = read_place(&place)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let usual_zoom = || center(layer.bounds(), TileStyle::SIDE_PX, TileCoord::MAX_ZOOM).2;
    let PointOptions { zoom, categories } = fields.read()?;
    let zoom = zoom.map_or_else(usual_zoom, |Zoom(zoom)| zoom);
    let most = categories.unwrap_or(0);
    let style = TileStyle::read_sized(&app.schemes, &layer, &mut fields, TileStyle::SIDE_PX)?.style;
    fields.finish()?;
    let canvas = pixel_at(lon, lat, zoom)?;
    let mut request = style.on(&app.config.limits, &layer, canvas)?;
    if request.options.blend == Some(Blend::Classic) {
        return Err(Problem::parameter("blend", "the classic blend has no values, only colors"));
    }
    // A single pixel has no span, and needs none.
    request.options = StyleOptions { vmin: None, vmax: None, curve: None, ..request.options };

    let radius_px = request.radius_px()?;
    let [width_m, height_m] = canvas.pixel_size_m(lat).unwrap_or_default();
    let shared = Arc::clone(&app);
    let work = move |stop: &AtomicBool| {
        let (value, unit) = request.value(&shared, stop)?;
        let shading = value.map(|value| Ok((request.shading(&shared, stop)?, value))).transpose()?;
        let rank =
            shading.and_then(|(shading, value)| shading.and_then(|(shading, unit)| shading.rank(value / unit.factor)));
        let points = points_around(&request, radius_px, stop)?;
        let categories = (most > 0 && points <= MOST_COUNTED).then(|| {
            let counted = categories_around(&request, radius_px, stop)?;
            Ok(counted.into_iter().take(most as usize).map(|(points, name)| CategoryReply { name, points }).collect())
        });
        Ok((value, unit, rank.map(|rank| rank * 100.0), points, categories.transpose()?))
    };
    let (value, unit, percentile, points, categories) = app.pool.run(work).await?;
    let radius_m = radius_px * (width_m * height_m).sqrt();
    let reply = PointReply { value, unit, percentile, points, categories, radius_px, radius_m, z: zoom, lon, lat };
    Ok(([(header::CACHE_CONTROL, app.config.server.cache_control.clone())], Json(reply)).into_response())
}

/// The most categories that are answered.
const MOST_CATEGORIES: u64 = 50;
/// The most points whose categories are counted.
const MOST_COUNTED: u64 = 1_000_000;

/// Reads `lon,lat`.
fn read_place(text: &str) -> Answer<(f64, f64)> {
    const MOST_LON: f64 = 540.0;
    let number = |name: &str, text: &str, most: f64| {
        let number = text.parse::<f64>().ok().filter(|number| number.abs() <= most);
        number.ok_or_else(|| Problem::parameter(name, format!("`{text}` is not a number from -{most} to {most}")))
    };
    let why = || Problem::parameter("lon", format!("`{text}` is not a place such as 18.07,59.33: lon,lat"));
    let (lon, lat) = text.split_once(',').ok_or_else(why)?;
    Ok((number("lon", lon, MOST_LON)?, number("lat", lat, MAX_MERCATOR_LAT_DEG)?))
}

/// The one pixel of the tiles of a zoom that holds a place.
fn pixel_at(lon: f64, lat: f64, zoom: u8) -> Answer<Canvas> {
    let side = i64::from(TileStyle::SIDE_PX);
    let around = side << zoom;
    let (x, y) = Projection::Mercator.forward(lon, lat);
    // Both ends of the world belong to the pixel next to them.
    let at = |world: f64| ((world * around as f64) as i64).min(around - 1);
    let (column, row) = (at(x.rem_euclid(1.0)), at(y.clamp(0.0, 1.0)));
    let tile = TileCoord::new(zoom, (column / side) as u32, (row / side) as u32)?;
    Ok(Canvas::tile(tile, TileStyle::SIDE_PX)?.window(column % side, row % side, 1, 1)?)
}

/// The points no further than the radius from the middle of the picture's one pixel.
fn points_around(request: &RenderRequest, radius_px: f64, stop: &AtomicBool) -> Result<u64> {
    let canvas = &request.canvas;
    let query = request.filter.applied_to(request.subject.query()).with_stop(Some(stop));
    let points = request.subject.point_set();
    if points.is_aggregated() {
        return points_of_cells(points, &query, canvas, radius_px).map_err(|error| request.filter.request_error(error));
    }
    let mut count = 0;
    scan_around(request, radius_px, false, stop, |points, is_near| {
        let places = points.lon().iter().zip(points.lat());
        count += places.filter(|&(&lon, &lat)| is_near(lon, lat)).count() as u64;
    })?;
    Ok(count)
}

/// The categories of the points no further than the radius from the middle of the picture's one pixel, the most frequent first.
fn categories_around(request: &RenderRequest, radius_px: f64, stop: &AtomicBool) -> Result<Vec<(u64, String)>> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    scan_around(request, radius_px, true, stop, |points, is_near| {
        let Some(categories) = points.category() else { return };
        for (index, (&lon, &lat)) in points.lon().iter().zip(points.lat()).enumerate() {
            let Some(name) = categories.name(index).filter(|_| is_near(lon, lat)) else { continue };
            if let Some(count) = counts.get_mut(name) {
                *count += 1;
            } else {
                counts.insert(name.to_owned(), 1);
            }
        }
    })?;
    let mut counted: Vec<(u64, String)> = counts.into_iter().map(|(name, count)| (count, name)).collect();
    counted.sort_unstable_by(|(count, name), (other, other_name)| other.cmp(count).then(name.cmp(other_name)));
    Ok(counted)
}

/// Gives the points around the picture's one pixel to `each`, batch by batch, with what tells whether a place is no further from
/// its middle than the radius.
fn scan_around(
    request: &RenderRequest,
    radius_px: f64,
    categories: bool,
    stop: &AtomicBool,
    mut each: impl FnMut(Points<'_>, &dyn Fn(f64, f64) -> bool) + Send,
) -> Result<()> {
    let canvas = &request.canvas;
    let around = canvas.grow(radius_px.ceil() as u32 + 1).bounds();
    let query = request.filter.applied_to(request.subject.query());
    let query = query.with_near(Some(around)).with_categories(categories).with_stop(Some(stop));
    let ([x, y], [scale, _]) = (canvas.world_at(0.5, 0.5), canvas.scale());
    let is_near = |lon: f64, lat: f64| {
        // Most points are too far north or south, which is seen without knowing where exactly they are.
        if !(around.south..=around.north).contains(&lat) {
            return false;
        }
        let (point_x, point_y) = Projection::Mercator.forward(lon, lat);
        // In the nearest copy of the world.
        let across = (point_x - x) - (point_x - x).round();
        across.hypot(point_y - y) * scale <= radius_px
    };
    let sink: &mut Sink<'_> = &mut |batch: Points<'_>| {
        each(batch, &is_near);
        if query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let scanned = request.subject.point_set().scan(&query, &mut [sink]);
    scanned.map(drop).map_err(|error| request.filter.request_error(error))
}

/// The points of the pixels whose middles are no further than the radius from that of the canvas's one: there may be too many
/// to look at each.
fn points_of_cells(points: &dyn PointSet, query: &Query<'_>, canvas: &Canvas, radius_px: f64) -> Result<u64> {
    let reach = radius_px.floor() as u32;
    let (cells, _) = points.cells(query, &canvas.grow(reach), Tally::Count, radius_px, 1)?;
    let middle = f64::from(reach);
    let counts = cells.counts.iter().flat_map(|counts| counts.cells().chunks(cells.width).enumerate());
    let near = counts.flat_map(|(row, counts)| {
        let down = row as f64 - middle;
        counts.iter().enumerate().filter(move |(column, _)| (*column as f64 - middle).hypot(down) <= radius_px)
    });
    Ok(near.map(|(_, count)| f64::from(*count)).sum::<f64>() as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_in_its_pixel_in_every_copy_of_the_world() {
        for zoom in [0, 1, 7, 24] {
            for (lon, lat) in [(18.07, 59.33), (-179.999, -33.3), (0.0, 0.0), (99.9, 84.9)] {
                let canvas = pixel_at(lon, lat, zoom).unwrap();
                let bounds = canvas.bounds();
                assert_eq!((canvas.width(), canvas.height()), (1, 1));
                let slack = 1e-9;
                assert!((bounds.west - slack..=bounds.east + slack).contains(&lon), "{zoom}: {lon} {bounds}");
                assert!((bounds.south - slack..=bounds.north + slack).contains(&lat), "{zoom}: {lat} {bounds}");
                assert_eq!(pixel_at(lon + 360.0, lat, zoom).unwrap(), canvas);
            }
        }
        let corner = |lon, lat| pixel_at(lon, lat, 3).unwrap().bounds();
        assert_eq!(corner(180.0, MAX_MERCATOR_LAT_DEG), corner(-180.0, MAX_MERCATOR_LAT_DEG));
        assert!((corner(0.0, -MAX_MERCATOR_LAT_DEG).south + MAX_MERCATOR_LAT_DEG).abs() < 1e-9);
    }

    #[test]
    fn places_are_read() {
        assert_eq!(read_place("-18.5,59.25").unwrap(), (-18.5, 59.25));
        for (bad, name) in [
            ("18", "lon"),
            ("x,5", "lon"),
            ("541,5", "lon"),
            ("nan,5", "lon"),
            ("5,", "lat"),
            ("5,85.06", "lat"),
            ("5,-90", "lat"),
            ("5,6,7", "lat"),
        ] {
            assert!(read_place(bad).unwrap_err().detail().starts_with(name), "{bad}");
        }
    }
}
