//! `GET /{layer}/statistics`: what a layer's points amount to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::{Categories, Extent, Points, TileCoord, Zooms};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::layer_style::{LayerStyle, style_key};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::App;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{FilterOptions, Layer, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set, time_text};
use crate::source::{self, CategoryList, Query, Sink};

/// What a layer's points amount to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StatisticsReply {
    /// How many points there are.
    #[schema(example = 135_233)]
    points: u64,
    /// Their weights; null where every point weighs 1, and where there is no point.
    weight: Option<WeightReply>,
    /// Where they are: `[[south, west], [north, east]]` in degrees; across the antimeridian the east is beyond 180. Null where
    /// there is no point.
    #[schema(value_type = Option<Vec<Vec<f64>>>)]
    bounds: Option<Corners>,
    /// Their first and last time; null where none has a time.
    time: Option<TimeReply>,
    /// Their categories; null where none has one.
    categories: Option<CategoriesReply>,
    /// Changes with the points.
    version: String,
    /// The values of the layer's tiles, zoom by zoom; empty for a layer on a plane, which has no tiles.
    zooms: Vec<ZoomReply>,
}

/// The values of tiles of a zoom, of the pixels that hold anything. They are found in the tiles around 32 points that are
/// picked evenly from all, as the colors are.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ZoomReply {
    /// The zoom.
    z: u8,
    /// Value of the coldest color.
    vmin: f64,
    /// Value of the hottest color.
    vmax: f64,
    /// What the values count.
    #[schema(example = "points per km² at 49°N")]
    unit: String,
    /// The values that so many percent of the pixels stay at or below; null where there is no point, or where `vmin` and
    /// `vmax` are given.
    percentiles: Option<Percentiles>,
    /// The shares of the pixels, from 0 to 1, in 32 steps of the colors from the coldest to the hottest; null where there is no
    /// point.
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
    /// The first 50, in the order of the alphabet.
    #[schema(example = json!(["bus", "tram"]))]
    names: Vec<String>,
    /// How many there are in all.
    #[schema(example = 2)]
    total: u64,
}

impl CategoriesReply {
    /// The most that are named.
    const MOST: usize = 50;

    fn new(names: impl IntoIterator<Item = String>, total: u64) -> Option<Self> {
        (total > 0).then(|| Self { names: names.into_iter().take(Self::MOST).collect(), total })
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct WeightReply {
    /// All weights together.
    sum: f64,
    /// The least.
    min: f64,
    /// The greatest.
    max: f64,
    /// The sum per point.
    mean: f64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct TimeReply {
    /// The first time, as RFC 3339 has it.
    #[schema(example = "2024-01-01T00:00:00Z")]
    start: String,
    /// The last time, as RFC 3339 has it.
    #[schema(example = "2024-03-01T12:30:00Z")]
    end: String,
}

impl TimeReply {
    fn new([first, last]: [i64; 2]) -> Self {
        Self { start: time_text(first), end: time_text(last) }
    }
}

/// The default zooms.
const DEFAULT_ZOOMS: Zooms = Zooms { first: 0, last: 12 };

/// What is added up point by point, in the order of the input.
#[derive(Debug, Default)]
struct Totals {
    points: u64,
    extent: Extent,
    sum: f64,
    /// The least and the greatest weight, once a point had one.
    weights: Option<[f32; 2]>,
}

impl Totals {
    fn add(&mut self, batch: Points<'_>) {
        self.points += batch.len() as u64;
        self.extent.add(batch);
        for &weight in batch.weight().into_iter().flatten() {
            self.sum += f64::from(weight);
            let [least, most] = self.weights.unwrap_or([weight; 2]);
            self.weights = Some([least.min(weight), most.max(weight)]);
        }
    }
}

parameter_set! {
    /// The tiles whose values are described.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct StatisticsOptions {
        /// Zooms of the tiles: one, or a range such as `3-8`.
        zooms: Zooms = Declaration::new(Parameter::ZOOM, Kind::Zooms).default("0-12").example("0-4"),
    }
}

/// What a layer's points amount to
///
/// And, for each zoom, what the values of its tiles are: `style` parameters mean what they mean for tiles.
#[utoipa::path(get, path = "/{layer}/statistics", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<StatisticsOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "What they amount to", body = StatisticsReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn statistics(
    State(app): State<Arc<App>>,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let StatisticsOptions { zooms } = fields.read()?;
    let zooms = zooms.unwrap_or(DEFAULT_ZOOMS);
    // A layer on a plane has no tiles.
    let tiles = layer.coordinate_space().wraps();
    let tiles =
        tiles.then(|| TileStyle::read_sized(&app.schemes, &layer, &mut fields, TileStyle::SIDE_PX)).transpose()?;
    let style = match &tiles {
        Some(tiles) => tiles.style.clone(),
        None => LayerStyle::read(&app.schemes, &layer, &mut fields)?,
    };
    fields.finish()?;
    let LayerStyle { options, filter, scheme, .. } = style;
    let style = style_key(&options, &filter, &scheme);
    let key = format!("statistics/{}/{}/{zooms}?{style}", layer.name(), layer.version());
    let shared = Arc::clone(&app);
    let make = || {
        app.pool.run(move |stop| {
            let mut reply = compute(&layer, &filter, stop).map_err(|error| filter.request_error(error))?;
            for (tiles, zoom) in tiles.iter().flat_map(|tiles| zooms.all().map(move |zoom| (tiles, zoom))) {
                reply.zooms.extend(tiles_of(&shared, &layer, tiles, zoom, stop)?);
            }
            let text = serde_json::to_vec(&reply).map_err(|error| Error::input(layer.name(), error.to_string()))?;
            Ok(Bytes::from(text))
        })
    };
    let (text, was_cached) = app.bytes.get_or_make(&key, make).await?;
    app.metrics.cache(was_cached);
    let kept = app.config.server.cache_control.clone();
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CACHE_CONTROL, kept)], text).into_response())
}

/// The values of tiles of a zoom, as one entry; none if dots are too wide there.
fn tiles_of(
    app: &App,
    layer: &Arc<Layer>,
    style: &TileStyle,
    zoom: u8,
    stop: &AtomicBool,
) -> Result<Option<ZoomReply>> {
    let Ok(request) = style.request(&app.config.limits, layer, TileCoord::new(zoom, 0, 0)?, PixelRatio::ONE) else {
        return Ok(None);
    };
    let Some((shading, unit)) = request.shading(app, stop)? else { return Ok(None) };
    let mut histogram = shading.histogram(&shading.quantizer);
    if histogram.is_none() {
        // A span that is given needs no sample, but its bars do.
        let options = StyleOptions { vmin: None, vmax: None, ..request.options.clone() };
        let sampled = RenderRequest { options, ..request }.shading(app, stop)?;
        histogram = sampled.and_then(|(sampled, _)| sampled.histogram(&shading.quantizer));
    }
    let quantile = |share: f64| Some(shading.quantile(share)? * unit.factor);
    let percentiles = || {
        let [p1, p5, p25, p50, p75, p95, p99] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99].map(quantile);
        Some(Percentiles { p1: p1?, p5: p5?, p25: p25?, p50: p50?, p75: p75?, p95: p95?, p99: p99? })
    };
    let [vmin, vmax] = [shading.span.vmin, shading.span.vmax].map(|value| value * unit.factor);
    let histogram = histogram.map(Vec::from);
    Ok(Some(ZoomReply { z: zoom, vmin, vmax, percentiles: percentiles(), histogram, unit: unit.name }))
}

fn compute(layer: &Layer, filter: &Filter, stop: &AtomicBool) -> Result<StatisticsReply> {
    if let (Some(totals), true) = (layer.totals(), filter.is_none()) {
        let CategoryList { first, total } = layer.categories(stop)?.unwrap_or_default();
        return Ok(known(layer, &totals, CategoriesReply::new(first, total)));
    }
    let query = filter.applied_to(layer.query()).with_weights(true).with_stop(Some(stop));
    let mut totals = Totals::default();
    scan(layer, &query, |batch| totals.add(batch))?;
    let Totals { points, extent, sum, weights } = totals;
    let weight = weights.map(|[min, max]| {
        let (min, max) = (f64::from(min), f64::from(max));
        WeightReply { sum, min, max, mean: sum / points as f64 }
    });
    // By itself: points whose time cannot be read are no less points.
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
        let known = batch.time_us().into_iter().flatten().copied().filter(|time| *time != Points::NO_TIME);
        for time in known {
            let [first, last] = times.unwrap_or([time; 2]);
            times = Some([first.min(time), last.max(time)]);
        }
    })?;
    let found = names.len() as u64;
    Ok(StatisticsReply {
        points,
        weight,
        bounds: extent.bounds(layer.coordinate_space().wraps()).map(corners),
        time: times.map(TimeReply::new),
        categories: CategoriesReply::new(names, found),
        version: layer.version().to_owned(),
        zooms: Vec::new(),
    })
}

/// What is known of points without looking at them.
fn known(layer: &Layer, summary: &source::Totals, categories: Option<CategoriesReply>) -> StatisticsReply {
    StatisticsReply {
        points: summary.points,
        weight: summary.weight.map(|[sum, min, max]| WeightReply { sum, min, max, mean: sum / summary.points as f64 }),
        bounds: layer.extent().bounds(layer.coordinate_space().wraps()).map(corners),
        time: summary.time_us.map(TimeReply::new),
        categories,
        version: layer.version().to_owned(),
        zooms: Vec::new(),
    }
}

/// Gives all points that pass the query, batch by batch.
fn scan(layer: &Layer, query: &Query<'_>, mut each: impl FnMut(Points<'_>) + Send) -> Result<()> {
    let sink: &mut Sink<'_> = &mut |batch: Points<'_>| {
        each(batch);
        query.flow()
    };
    layer.point_set().scan(query, &mut [sink]).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_over_batches() {
        let mut totals = Totals::default();
        totals.add(Points::default());
        assert!(totals.weights.is_none() && totals.extent.bounds(true).is_none());
        let (lon, lat) = ([1.0, 2.0], [3.0, 4.0]);
        let bare = Points::new(&lon, &lat).unwrap();
        totals.add(bare.with_weight(&[-2.5, 4.0]).unwrap());
        totals.add(bare.with_weight(&[0.5, 1.0]).unwrap());
        assert_eq!((totals.points, totals.sum, totals.weights), (4, 3.0, Some([-2.5, 4.0])));
    }
}
