//! `GET /{layer}/point/{lon},{lat}`: the value of a layer's tiles at a location.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::{Canvas, EARTH_RADIUS_M, MAX_MERCATOR_LAT_DEG, PlaneTile, Points, Projection, TileCoord};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::shared::{ZOOM, Zoom};
use crate::http::parameters::tile_address::{check_zoom, default_zoom};
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{Blend, FilterOptions, Layer, Radius, Style, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::raster::{Reduction, Shape};
use crate::source::{PointSet, Query, Sink};

/// The value of a layer's tiles at a location.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PointReply {
    /// Value of the pixel; null if it has no value, such as a mean of no points.
    #[schema(example = 0.0042)]
    value: Option<f64>,
    /// Unit of the value.
    #[schema(example = "population per km²")]
    unit: String,
    /// Percentage of the non-empty pixels of the zoom's tiles with this value or less; null if there is no value.
    #[schema(example = 87.5)]
    percentile: Option<f64>,
    /// Number of points within the radius of the pixel's center; for more than a million of a stored layer or a live table,
    /// the points of the pixels whose centers are within the radius.
    points: u64,
    /// Most frequent categories of these points, in descending order; null if `categories` is 0, and for more than a
    /// million points.
    categories: Option<Vec<CategoryReply>>,
    /// Number of these points in no listed category: in less frequent ones, or in none; null if `categories` is.
    #[schema(example = 3)]
    other_points: Option<u64>,
    /// Radius in pixels.
    #[schema(example = 20.0)]
    radius_px: f64,
    /// Radius in meters, on the ground at the location.
    #[schema(example = 1_558.4)]
    radius_m: f64,
    /// Zoom of the tiles.
    z: i8,
    /// Requested longitude, of a layer on the globe.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 18.07)]
    lon: Option<f64>,
    /// Requested latitude, of a layer on the globe.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 59.33)]
    lat: Option<f64>,
    /// Requested x in meters, of a layer on a plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<f64>,
    /// Requested y in meters, of a layer on a plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<f64>,
}

/// A category and its number of points.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct CategoryReply {
    /// Name of the category.
    #[schema(example = "bus")]
    name: String,
    /// Number of points with the category.
    points: u64,
}

parameter_set! {
    /// The zoom of the tiles, and the number of categories.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PointOptions {
        /// Zoom of the tiles, with 256 pixels per side, from 0 except on a plane; a fraction is rounded to the nearest
        /// integer.
        zoom: Zoom = ZOOM.default("the zoom of TileJSON's `center`").example("10"),
        /// Maximum number of categories in the response, the most frequent ones within the radius.
        categories: u64 = Declaration::new(Parameter::CATEGORIES, Kind::Integer { min: 0, max: MAX_CATEGORIES })
            .default("0")
            .example("5"),
    }
}

/// The value of a layer's tiles at a location
///
/// The value is that of the tile's pixel at the location, for a zoom and the style parameters and filters of the tile.
/// Parameters that only affect colors (`vmin`, `curve`, `scheme`, …) are validated and have no effect.
#[utoipa::path(get, path = "/{layer}/point/{lon},{lat}", operation_id = "get_value_at", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("lon" = f64, Path, description = "Longitude in degrees, -540 to 540; on a plane, x in meters", example = 18.07),
        ("lat" = f64, Path, description = "Latitude in degrees, within the limits of web maps: -85.0511 to 85.0511; on a plane, y in meters", example = 59.33),
        InQuery<PointOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The value", body = PointReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn point(
    app: Session,
    Path((layer, location)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let is_globe = layer.coordinate_space().wraps();
    let (lon, lat) = if is_globe { read_location(&location)? } else { read_plane_location(&location)? };
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let PointOptions { zoom, categories } = fields.read()?;
    let zoom = match zoom {
        Some(zoom) => check_zoom(&layer, fields.name_of(Parameter::ZOOM), zoom)?,
        None => default_zoom(&layer, TileStyle::SIDE_PX),
    };
    let max_categories = categories.unwrap_or(0);
    let style = TileStyle::read_sized(&app.schemes, &app.config.limits, &layer, &mut fields, TileStyle::SIDE_PX)?.style;
    fields.finish()?;
    let canvas = pixel_at(&layer, lon, lat, zoom)?;
    let mut request = style.on(&app.config.limits, &layer, canvas)?;
    if request.options.blend == Some(Blend::Classic) {
        return Err(Problem::parameter("blend", "the classic blend has no values, only colors"));
    }
    // A single pixel needs no span.
    request.options = StyleOptions { vmin: None, vmax: None, curve: None, ..request.options };

    let disc = Disc::of(&request.style()?, &canvas, lat);
    let (shared, layer, price) = (Arc::clone(&app), request.subject.layer(), request.price());
    let work = move |stop: &AtomicBool| {
        let (value, unit) = request.value(&shared, stop)?;
        let shading = value.map(|value| Ok::<_, Error>((request.shading(&shared, stop)?, value))).transpose()?;
        let rank = shading.and_then(|(shading, value)| shading.and_then(|(shading, _)| shading.rank(value)));
        let nearby = Nearby::count(&request, disc, max_categories as usize, stop)?;
        Ok((value, unit, rank.map(|rank| rank * 100.0), nearby))
    };
    let (value, unit, percentile, Nearby { points, categories, other_points }) =
        app.run_for(layer, price, work).await?;
    let Disc { radius_px, radius_m, .. } = disc;
    let [globe, plane] = [is_globe, !is_globe].map(|is_given| is_given.then_some((lon, lat)).unzip());
    let reply = PointReply {
        value,
        unit,
        percentile,
        points,
        categories,
        other_points,
        radius_px,
        radius_m,
        z: zoom,
        lon: globe.0,
        lat: globe.1,
        x: plane.0,
        y: plane.1,
    };
    Ok(([(header::CACHE_CONTROL, app.config.server.cache_control.clone())], Json(reply)).into_response())
}

/// The maximum number of categories in a response.
const MAX_CATEGORIES: u64 = 50;
/// The maximum number of points that are counted one by one.
const MAX_EXACT_POINTS: u64 = 1_000_000;

/// Parses `lon,lat`.
fn read_location(text: &str) -> HttpResult<(f64, f64)> {
    const MAX_LON: f64 = 540.0;
    let number = |name: &str, text: &str, max: f64| {
        let number = text.parse::<f64>().ok().filter(|number| number.abs() <= max);
        number.ok_or_else(|| Problem::parameter(name, format!("`{text}` is not a number from -{max} to {max}")))
    };
    let malformed =
        || Problem::parameter("lon", format!("`{text}` is not a location; expected lon,lat, such as 18.07,59.33"));
    let (lon, lat) = text.split_once(',').ok_or_else(malformed)?;
    Ok((number("lon", lon, MAX_LON)?, number("lat", lat, MAX_MERCATOR_LAT_DEG)?))
}

/// Parses `x,y` in meters.
fn read_plane_location(text: &str) -> HttpResult<(f64, f64)> {
    let number = |name: &str, text: &str| {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| Problem::parameter(name, format!("`{text}` is not a finite number of meters")))
    };
    let malformed = || Problem::parameter("x", format!("`{text}` is not a location; expected x,y, such as 12.5,3"));
    let (x, y) = text.split_once(',').ok_or_else(malformed)?;
    Ok((number("x", x)?, number("y", y)?))
}

/// Returns a canvas of the single tile pixel that contains a location of `layer`.
fn pixel_at(layer: &Layer, lon: f64, lat: f64, zoom: i8) -> HttpResult<Canvas> {
    if layer.coordinate_space().wraps() {
        // A zoom of the globe is not negative.
        return globe_pixel_at(lon, lat, zoom as u8);
    }
    let tile = PlaneTile::containing(zoom, lon, lat)
        .map_err(|error| Problem::parameter("x", format!("there is no tile at the location: {error}")))?;
    let scale = PlaneTile::scale_of(zoom);
    let side = i64::from(PlaneTile::SIDE_PX);
    let [column, row] =
        [(lon, tile.x()), (-lat, tile.y())].map(|(meters, index)| (meters * scale).floor() as i64 - index * side);
    Ok(Canvas::plane_tile(tile, PlaneTile::SIDE_PX)?.window(column, row, 1, 1)?)
}

/// Returns a canvas of the single pixel of a Web Mercator tile that contains a location.
fn globe_pixel_at(lon: f64, lat: f64, zoom: u8) -> HttpResult<Canvas> {
    let side = i64::from(TileStyle::SIDE_PX);
    let world_px = side << zoom;
    let (x, y) = Projection::Mercator.forward(lon, lat);
    // The edges of the world belong to the adjacent pixels.
    let pixel = |world: f64| ((world * world_px as f64) as i64).min(world_px - 1);
    let (column, row) = (pixel(x.rem_euclid(1.0)), pixel(y.clamp(0.0, 1.0)));
    let tile = TileCoord::new(zoom, (column / side) as u32, (row / side) as u32)?;
    Ok(Canvas::tile(tile, TileStyle::SIDE_PX)?.window(column % side, row % side, 1, 1)?)
}

/// The pixels and points within the radius of the center of a single pixel.
#[derive(Clone, Copy, Debug)]
struct Disc {
    /// The radius at the pixel, in pixels and in meters.
    radius_px: f64,
    radius_m: f64,
    /// Whether distances are measured on the ground, and not on the map.
    is_ground: bool,
    projection: Projection,
    scale: f64,
    /// World coordinates, longitude and latitude of the center.
    center: [f64; 2],
    lon_lat: [f64; 2],
}

impl Disc {
    fn of(style: &Style, canvas: &Canvas, lat: f64) -> Self {
        let [width_m, height_m] = canvas.pixel_size_m(lat).unwrap_or(canvas.scale().map(f64::recip));
        let (projection, [scale, _]) = (canvas.projection(), canvas.scale());
        let center = canvas.world_at(0.5, 0.5);
        let (lon, lat) = projection.inverse(center[0], center[1]);
        let radius_px = style.radius_px_at(canvas, lat);
        let ground_m = match style.radius {
            Radius::Meters(meters) if projection.wraps() => Some(meters),
            _ => None,
        };
        let radius_m = ground_m.unwrap_or(radius_px * (width_m * height_m).sqrt());
        Self { radius_px, radius_m, is_ground: ground_m.is_some(), projection, scale, center, lon_lat: [lon, lat] }
    }

    /// The canvas that contains the disc around the single pixel `canvas`.
    fn canvas(self, canvas: &Canvas) -> Result<Canvas> {
        if self.is_ground {
            let style = Style { radius: Radius::Meters(self.radius_m), shape: Shape::Uniform, ..Style::new()? };
            Ok(style.canvas_with_reach(canvas)?.grow(1))
        } else {
            Ok(canvas.grow(self.radius_px.floor() as u32))
        }
    }

    /// Whether a point is in the disc.
    fn contains(self, lon: f64, lat: f64) -> bool {
        /// Tolerates rounding errors at a distance of a whole number of pixels.
        const ROUNDING: f64 = 1.0 + 1e-9;
        if self.is_ground {
            return distance_m(self.lon_lat, [lon, lat]) <= self.radius_m;
        }
        let ((x, y), [center_x, center_y]) = (self.projection.forward(lon, lat), self.center);
        // The distance to the nearest copy of the world.
        let copy = if self.projection.wraps() { (x - center_x).round() } else { 0.0 };
        let dx = (x - center_x) - copy;
        dx.hypot(y - center_y) * self.scale <= self.radius_px * ROUNDING
    }
}

/// The distance between two positions, longitude and latitude in degrees, on the sphere in meters, by the haversine formula
/// (Sinnott 1984, Virtues of the Haversine).
fn distance_m(from: [f64; 2], to: [f64; 2]) -> f64 {
    let haversine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let cosines = from[1].to_radians().cos() * to[1].to_radians().cos();
    let square = haversine(to[1] - from[1]) + cosines * haversine(to[0] - from[0]);
    2.0 * EARTH_RADIUS_M * square.min(1.0).sqrt().asin()
}

/// The points within the radius of the center of a request's single pixel.
#[derive(Debug)]
struct Nearby {
    points: u64,
    /// The most frequent categories; `None` if they are not requested, or there are too many points.
    categories: Option<Vec<CategoryReply>>,
    /// The number of points in no category of `categories`.
    other_points: Option<u64>,
}

impl Nearby {
    /// Counts the points and up to `max_categories` categories. Both are counted in one scan, so that they agree; the cells
    /// of an aggregated layer are used only for more points than a scan may read.
    fn count(request: &RenderRequest, disc: Disc, max_categories: usize, stop: &AtomicBool) -> Result<Self> {
        let point_set = request.subject.point_set();
        if point_set.is_aggregated() {
            let query = request.filter.applied_to(request.subject.query()).with_stop(Some(stop));
            let cells = points_of_cells(point_set, &query, &request.canvas, disc);
            let points = cells.map_err(|error| request.filter.request_error(error))?;
            if points > MAX_EXACT_POINTS || point_set.bin_level().is_some() {
                return Ok(Self { points, categories: None, other_points: None });
            }
        }
        let mut points = 0;
        let mut counts: HashMap<String, u64> = HashMap::new();
        scan_around(request, disc, max_categories > 0, stop, |batch, is_near| {
            for (index, (&lon, &lat)) in batch.lon().iter().zip(batch.lat()).enumerate() {
                if !is_near(lon, lat) {
                    continue;
                }
                points += 1;
                let Some(name) = batch.category().and_then(|categories| categories.name(index)) else { continue };
                if let Some(count) = counts.get_mut(name) {
                    *count += 1;
                } else if points <= MAX_EXACT_POINTS {
                    counts.insert(name.to_owned(), 1);
                }
            }
        })?;
        if max_categories == 0 || points > MAX_EXACT_POINTS {
            return Ok(Self { points, categories: None, other_points: None });
        }
        let mut categories: Vec<CategoryReply> =
            counts.into_iter().map(|(name, points)| CategoryReply { name, points }).collect();
        categories.sort_unstable_by(|one, other| other.points.cmp(&one.points).then_with(|| one.name.cmp(&other.name)));
        categories.truncate(max_categories);
        let listed: u64 = categories.iter().map(|category| category.points).sum();
        Ok(Self { points, categories: Some(categories), other_points: Some(points - listed) })
    }
}

/// Calls `each` with batches of the points around the request's single pixel, and with a function that checks whether a
/// location is within the radius of its center.
fn scan_around(
    request: &RenderRequest,
    disc: Disc,
    categories: bool,
    stop: &AtomicBool,
    mut each: impl FnMut(Points<'_>, &dyn Fn(f64, f64) -> bool) + Send,
) -> Result<()> {
    let around = disc.canvas(&request.canvas)?.grow(2).bounds();
    let query = request.filter.applied_to(request.subject.query());
    let query = query.with_near(Some(around)).with_categories(categories).with_stop(Some(stop));
    let is_near = |lon: f64, lat: f64| {
        // Most points are too far north or south, and are rejected before the projection.
        (around.south..=around.north).contains(&lat) && disc.contains(lon, lat)
    };
    let sink: &mut Sink<'_> = &mut |batch: Points<'_>| {
        each(batch, &is_near);
        if query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let scanned = request.subject.point_set().scan(&query, &mut [sink]);
    scanned.map(drop).map_err(|error| request.filter.request_error(error))
}

/// Counts the points of the pixels whose centers are within the radius of the center of the canvas's single pixel. It
/// uses aggregated cells, since there may be too many points to scan.
fn points_of_cells(points: &dyn PointSet, query: &Query<'_>, canvas: &Canvas, disc: Disc) -> Result<u64> {
    let around = disc.canvas(canvas)?;
    let (cells, _) = points.cells(query, &around, Reduction::Count, disc.radius_px, 1)?;
    let counts = cells.counts.iter().flat_map(|counts| counts.cells().chunks(cells.width).enumerate());
    let near = counts.flat_map(|(row, counts)| {
        let is_near = move |column: usize| {
            let [x, y] = around.world_at(column as f64 + 0.5, row as f64 + 0.5);
            let (lon, lat) = disc.projection.inverse(x, y);
            disc.contains(lon, lat)
        };
        counts.iter().enumerate().filter(move |(column, count)| **count > 0.0 && is_near(*column))
    });
    Ok(near.map(|(_, count)| f64::from(*count)).sum::<f64>() as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_within_its_pixel_in_every_copy_of_the_world() {
        for zoom in [0, 1, 7, 24] {
            for (lon, lat) in [(18.07, 59.33), (-179.999, -33.3), (0.0, 0.0), (99.9, 84.9)] {
                let canvas = globe_pixel_at(lon, lat, zoom).unwrap();
                let bounds = canvas.bounds();
                assert_eq!((canvas.width(), canvas.height()), (1, 1));
                let tolerance = 1e-9;
                assert!((bounds.west - tolerance..=bounds.east + tolerance).contains(&lon), "{zoom}: {lon} {bounds}");
                assert!((bounds.south - tolerance..=bounds.north + tolerance).contains(&lat), "{zoom}: {lat} {bounds}");
                assert_eq!(globe_pixel_at(lon + 360.0, lat, zoom).unwrap(), canvas);
            }
        }
        let corner = |lon, lat| globe_pixel_at(lon, lat, 3).unwrap().bounds();
        assert_eq!(corner(180.0, MAX_MERCATOR_LAT_DEG), corner(-180.0, MAX_MERCATOR_LAT_DEG));
        assert!((corner(0.0, -MAX_MERCATOR_LAT_DEG).south + MAX_MERCATOR_LAT_DEG).abs() < 1e-9);
    }

    #[test]
    fn locations_are_parsed() {
        assert_eq!(read_location("-18.5,59.25").unwrap(), (-18.5, 59.25));
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
            assert!(read_location(bad).unwrap_err().detail().starts_with(name), "{bad}");
        }
    }
}
