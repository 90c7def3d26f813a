//! `GET /{layer}/statistics`: statistics of a layer's points and tiles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::damage::DamageReply;
use super::distributions::{DistributionOptions, DistributionsReply, Ranges, scan};
use crate::error::{Error, Result};
use crate::geo::{Categories, Extent, PointBins, Points};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::layer_style::{LayerStyle, style_key};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::tile_address::TileAddress;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::parameters::zoom_range::ZoomRange;
use crate::http::server::App;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, PlaneView, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set, time_text};
use crate::source::{self, CategoryList};

/// Statistics of a layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StatisticsReply {
    /// Number of points.
    #[schema(example = 135_233)]
    points: u64,
    /// Statistics of the weights; null if every point weighs 1, or there are no points.
    weight: Option<WeightReply>,
    /// Bounds, `[[south, west], [north, east]]` in degrees, or in meters on a plane; across the antimeridian, east is
    /// greater than 180. Null if there are no points.
    #[schema(value_type = Option<Vec<Vec<f64>>>)]
    bounds: Option<Corners>,
    /// First and last time; null if no point has a time.
    time: Option<TimeReply>,
    /// Categories; null if no point has a category.
    categories: Option<CategoriesReply>,
    /// Version of the layer, which changes with the points.
    version: String,
    /// Damaged segments, which are left out; omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<DamageReply>,
    /// Distributions of the points, if `bins` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    distributions: Option<DistributionsReply>,
    /// Statistics of the layer's tiles for each zoom.
    zooms: Vec<ZoomReply>,
}

/// Statistics of the non-empty pixels in the tiles of a zoom. They are computed from the tiles around 32 points that
/// are evenly sampled from all points, like the span of the colors.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ZoomReply {
    /// Zoom.
    z: i8,
    /// Value of the coldest color.
    vmin: f64,
    /// Value of the hottest color.
    vmax: f64,
    /// Unit of the values.
    #[schema(example = "points per km²")]
    unit: String,
    /// Percentiles of the values; null if there are no points, or if `vmin` and `vmax` are given.
    percentiles: Option<Percentiles>,
    /// Fractions of the pixels, from 0 to 1, in 32 bins of colors from the coldest to the hottest; null if there are no
    /// points.
    histogram: Option<Vec<f64>>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Percentiles {
    p1: f64,
    p5: f64,
    p25: f64,
    p50: f64,
    p75: f64,
    p95: f64,
    p99: f64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct CategoriesReply {
    /// First 50 categories in alphabetical order.
    #[schema(example = json!(["bus", "tram"]))]
    names: Vec<String>,
    /// Total number of categories.
    #[schema(example = 2)]
    total: u64,
}

impl CategoriesReply {
    /// The maximum number of names.
    const MAX_NAMES: usize = 50;

    fn new(names: impl IntoIterator<Item = String>, total: u64) -> Option<Self> {
        (total > 0).then(|| Self { names: names.into_iter().take(Self::MAX_NAMES).collect(), total })
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct WeightReply {
    /// Sum of the weights.
    sum: f64,
    /// Minimum weight.
    min: f64,
    /// Maximum weight.
    max: f64,
    /// Mean weight.
    mean: f64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct TimeReply {
    /// First time, in RFC 3339 format.
    #[schema(example = "2024-01-01T00:00:00Z")]
    start: String,
    /// Last time, in RFC 3339 format.
    #[schema(example = "2024-03-01T12:30:00Z")]
    end: String,
}

impl TimeReply {
    fn new([first, last]: [i64; 2]) -> Self {
        Self { start: time_text(first), end: time_text(last) }
    }
}

/// The default zooms of a layer.
fn default_zooms(layer: &Layer) -> ZoomRange {
    if layer.coordinate_space().wraps() {
        return ZoomRange::new(0, 12);
    }
    let PlaneView { min_zoom, max_zoom, .. } = PlaneView::of(layer.bounds(), TileStyle::SIDE_PX);
    ZoomRange::new(min_zoom, max_zoom)
}

/// Totals that are accumulated point by point, in input order.
#[derive(Debug, Default)]
struct Totals {
    points: u64,
    extent: Extent,
    sum: f64,
    /// Minimum and maximum weight; `None` until a point has a weight.
    weights: Option<[f32; 2]>,
}

impl Totals {
    fn add(&mut self, batch: Points<'_>) {
        self.extent.add(batch);
        if let Some(bins) = batch.bins() {
            return self.add_bins(batch, bins);
        }
        self.points += batch.len() as u64;
        for &weight in batch.weight().into_iter().flatten() {
            self.sum += f64::from(weight);
            let [min, max] = self.weights.unwrap_or([weight; 2]);
            self.weights = Some([min.min(weight), max.max(weight)]);
        }
    }
}

impl Totals {
    /// Adds bins. The minimum of their weights is that of their means, and so is the maximum if it is unknown.
    fn add_bins(&mut self, batch: Points<'_>, bins: PointBins<'_>) {
        self.points = bins.n.iter().fold(self.points, |sum, &n| sum.saturating_add(n));
        let Some((sums, max)) = bins.sum.zip(batch.weight()) else { return };
        for ((&sum, &max), &n) in sums.iter().zip(max).zip(bins.n) {
            self.sum += sum;
            let mean = (sum / n as f64) as f32;
            let greatest = if max.is_nan() { mean } else { max };
            let [least, most] = self.weights.unwrap_or([mean, greatest]);
            self.weights = Some([least.min(mean), most.max(greatest)]);
        }
    }
}

parameter_set! {
    /// The zooms of the tiles.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct StatisticsOptions {
        /// Zooms of the tiles: one, or a range such as `3-8`; on a plane also `-2-5`.
        zooms: String = Declaration::new(Parameter::ZOOM, Kind::Zooms)
            .aliases(&["z"])
            .default("0-12; minzoom to maxzoom of TileJSON for a layer on a plane")
            .example("0-4"),
    }
}

/// Statistics of a layer's points and tiles
///
/// The response contains the number, weights, bounds, times and categories of the points, and for each zoom the
/// distribution of the values of its tiles. The style parameters are those of tiles.
#[utoipa::path(get, path = "/{layer}/statistics", operation_id = "get_statistics", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<StatisticsOptions>, InQuery<DistributionOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The statistics", body = StatisticsReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn statistics(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let StatisticsOptions { zooms } = fields.read()?;
    let DistributionOptions { bins } = fields.read()?;
    let bins = bins.map(|bins| bins as usize);
    let zooms = match zooms {
        Some(text) => ZoomRange::read(&layer, fields.name_of(Parameter::ZOOM), &text)?,
        None => default_zooms(&layer),
    };
    let tiles = TileStyle::read_sized(&app.schemes, &app.config.limits, &layer, &mut fields, TileStyle::SIDE_PX)?;
    fields.finish()?;
    let LayerStyle { options, filter, scheme, .. } = tiles.style.clone();
    let style = style_key(&options, &filter, &scheme);
    let key = format!("statistics/{}/{}/{zooms}/{bins:?}?{style}", layer.name(), layer.version());
    let shared = Arc::clone(&app);
    let name = layer.name().to_owned();
    let price = Price::of_scan(&layer, &filter);
    let compute = move |stop: &AtomicBool| {
        let mut reply = compute(&layer, &filter, bins, stop).map_err(|error| filter.request_error(error))?;
        let has_positions = layer.point_set().has_positions();
        for zoom in zooms.all().filter(|_| has_positions) {
            reply.zooms.extend(zoom_statistics(&shared, &layer, &tiles, zoom, stop)?);
        }
        Ok(reply)
    };
    app.cached_json(&name, &key, price, compute).await
}

/// Computes the statistics of the tiles of a zoom; `None` if its dots exceed the radius limit.
fn zoom_statistics(
    app: &App,
    layer: &Arc<Layer>,
    style: &TileStyle,
    zoom: i8,
    stop: &AtomicBool,
) -> Result<Option<ZoomReply>> {
    let tile = TileAddress::first_of(layer, zoom)?;
    let Ok(request) = style.request(&app.config.limits, layer, tile, PixelRatio::ONE) else {
        return Ok(None);
    };
    let (shading, unit) = match request.shading(app, stop) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        // At the latitudes of the points.
        Err(Error::Invalid { parameter, .. }) if parameter == Parameter::RADIUS => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut histogram = shading.histogram(&shading.quantizer);
    if histogram.is_none() {
        // A given span needs no sample, but its histogram does.
        let options = StyleOptions { vmin: None, vmax: None, ..request.options.clone() };
        let sampled = RenderRequest { options, ..request }.shading(app, stop)?;
        histogram = sampled.and_then(|(sampled, _)| sampled.histogram(&shading.quantizer));
    }
    let percentiles = || {
        let shares = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
        let [p1, p5, p25, p50, p75, p95, p99] = shares.map(|share| shading.quantile(share));
        Some(Percentiles { p1: p1?, p5: p5?, p25: p25?, p50: p50?, p75: p75?, p95: p95?, p99: p99? })
    };
    let (vmin, vmax) = (shading.span.vmin, shading.span.vmax);
    let histogram = histogram.map(Vec::from);
    Ok(Some(ZoomReply { z: zoom, vmin, vmax, percentiles: percentiles(), histogram, unit }))
}

/// Computes the statistics of the points that pass the filter, with distributions if a number of bins is given.
pub(super) fn compute(
    layer: &Layer,
    filter: &Filter,
    bins: Option<usize>,
    stop: &AtomicBool,
) -> Result<StatisticsReply> {
    let (reply, ranges) = statistics_and_ranges(layer, filter, stop)?;
    let Some(bins) = bins else { return Ok(reply) };
    let has_positions = layer.point_set().has_positions();
    let query = layer.query().with_positions(has_positions).with_stop(Some(stop));
    let distributions = DistributionsReply::compute(layer, filter, &query, ranges, bins)?;
    Ok(StatisticsReply { distributions: Some(distributions), ..reply })
}

/// Computes the statistics, and the ranges of weights and times.
fn statistics_and_ranges(layer: &Layer, filter: &Filter, stop: &AtomicBool) -> Result<(StatisticsReply, Ranges)> {
    if let (Some(totals), true) = (layer.totals(), filter.is_none()) {
        let CategoryList { first, total } = layer.categories(stop)?.unwrap_or_default();
        let ranges = Ranges {
            weight: totals.weight.map(|[sum, min, max]| [min, max, sum / totals.points as f64]),
            time_us: totals.time_us,
        };
        return Ok((from_totals(layer, &totals, CategoriesReply::new(first, total)), ranges));
    }
    let has_positions = layer.point_set().has_positions();
    let query = filter.applied_to(layer.query()).with_weights(true).with_positions(has_positions).with_stop(Some(stop));
    let query = query.with_bins(true);
    let mut totals = Totals::default();
    scan(layer, &query, |batch| totals.add(batch))?;
    let Totals { points, extent, sum, weights } = totals;
    let range = weights.map(|weights| weights.map(f64::from));
    let weight = range.map(|[min, max]| WeightReply { sum, min, max, mean: sum / points as f64 });
    // In a separate scan, since a scan with times rejects points whose time is invalid.
    let query = query.with_weights(false).with_times(true).with_categories(true);
    let mut times: Option<[i64; 2]> = None;
    let mut names: BTreeSet<String> = BTreeSet::new();
    scan(layer, &query, |batch| {
        if let Some(Categories { codes, names: known }) = batch.category() {
            let mut is_used = vec![false; known.len()];
            for code in codes {
                if let Some(used) = is_used.get_mut(*code as usize) {
                    *used = true;
                }
            }
            let used = known.iter().zip(is_used).filter(|(name, is_used)| *is_used && !names.contains(&***name));
            let used: Vec<String> = used.map(|(name, _)| name.to_string()).collect();
            names.extend(used);
        }
        let valid = batch.time_us().into_iter().flatten().copied().filter(|time| *time != Points::NO_TIME);
        for time in valid {
            let [first, last] = times.unwrap_or([time; 2]);
            times = Some([first.min(time), last.max(time)]);
        }
    })?;
    let category_count = names.len() as u64;
    let ranges = Ranges { weight: range.map(|[min, max]| [min, max, sum / points as f64]), time_us: times };
    let reply = StatisticsReply {
        points,
        weight,
        bounds: extent.bounds(layer.coordinate_space().wraps()).filter(|_| has_positions).map(corners),
        time: times.map(TimeReply::new),
        categories: CategoriesReply::new(names, category_count),
        version: layer.version().to_owned(),
        damaged: DamageReply::of(layer),
        distributions: None,
        zooms: Vec::new(),
    };
    Ok((reply, ranges))
}

/// The statistics of an unfiltered layer from its totals, without a scan.
fn from_totals(layer: &Layer, totals: &source::Totals, categories: Option<CategoriesReply>) -> StatisticsReply {
    StatisticsReply {
        points: totals.points,
        weight: totals.weight.map(|[sum, min, max]| WeightReply { sum, min, max, mean: sum / totals.points as f64 }),
        bounds: layer.extent().bounds(layer.coordinate_space().wraps()).map(corners),
        time: totals.time_us.map(TimeReply::new),
        categories,
        version: layer.version().to_owned(),
        damaged: DamageReply::of(layer),
        distributions: None,
        zooms: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn totals_accumulate_over_batches() {
        let mut totals = Totals::default();
        totals.add(Points::default());
        assert!(totals.weights.is_none() && totals.extent.bounds(true).is_none());
        let (lon, lat) = ([1.0, 2.0], [3.0, 4.0]);
        let unweighted = Points::new(&lon, &lat).unwrap();
        totals.add(unweighted.with_weight(&[-2.5, 4.0]).unwrap());
        totals.add(unweighted.with_weight(&[0.5, 1.0]).unwrap());
        assert_eq!((totals.points, totals.sum, totals.weights), (4, 3.0, Some([-2.5, 4.0])));
    }
}
