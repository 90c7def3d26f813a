//! Rendering of requests on the thread pool, with caching.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Bytes;

use super::app::App;
use super::problem::HttpResult;
use super::scale::{Scale, SpanReply};
use crate::config::EmptyTile;
use crate::encode::geotiff::{self, Band, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::error::Result;
use crate::geo::{Bounds, Projection};
use crate::http::parameters::canvas_parameters::coordinate_space_of;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::layer::{Heatmap, Shading, Style, render_shaded};
use crate::source::{PointOrder, PointsWithin};
use crate::step::Step;

/// A rendered picture.
#[derive(Clone, Debug)]
pub(crate) struct RenderedImage {
    pub(crate) png: Bytes,
    pub(crate) span: Option<SpanReply>,
    /// The number of points whose dots reach into the picture.
    pub(crate) points: u64,
    /// Whether all pixels are transparent: no dot reaches any pixel, and there is no background.
    pub(crate) is_empty: bool,
}

impl RenderRequest {
    /// Returns the shading of the layer's pictures at the scale of this one, and the unit of the values. `None` for
    /// inline points, and if [`Layer::shading`](crate::layer::Layer::shading) returns `None`.
    pub(crate) fn shading(&self, app: &App, stop: &AtomicBool) -> Result<Option<(Arc<Shading>, String)>> {
        let Subject::Layer(layer) = &self.subject else { return Ok(None) };
        let style = self.style()?;
        let shading = layer.shading(&self.query(&style, stop), &self.canvas, &style, app.render_threads());
        Ok(shading.map_err(|error| self.filter.request_error(error))?.map(|shading| (shading, self.unit(&style))))
    }

    /// Renders the values and color indices, and returns the unit of the values.
    fn heat(&self, app: &App, style: &Style, stop: &AtomicBool) -> Result<(Heatmap, String)> {
        let query = self.query(style, stop);
        let threads = self.threads(app);
        let render = || {
            let shading = match &self.subject {
                Subject::Layer(layer) => {
                    let _step = Step::enter("find the color scale");
                    layer.shading(&query, &self.canvas, style, threads)?
                }
                Subject::Inline(_) => None,
            };
            render_shaded(self.subject.point_set(), &query, &self.canvas, style, shading.as_deref(), threads)
        };
        let heat = render().map_err(|error| self.filter.request_error(error))?;
        let unit = self.unit(style);
        Ok((heat, unit))
    }

    /// The number of threads: one for small pictures, which leaves the others to concurrent requests.
    fn threads(&self, app: &App) -> usize {
        const SMALL_PIXELS: u64 = 1 << 20;
        const FEW_POINTS: u64 = 2_000_000;
        let pixels = u64::from(self.canvas.width()) * u64::from(self.canvas.height());
        let is_aggregated = self.subject.point_set().is_aggregated() && self.filter.is_none();
        let is_fast = is_aggregated || self.subject.points() <= FEW_POINTS;
        if pixels <= SMALL_PIXELS && is_fast { 1 } else { app.render_threads() }
    }

    /// Renders the picture.
    pub(crate) fn draw(&self, app: &App, stop: &AtomicBool) -> Result<RenderedImage> {
        let style = self.style()?;
        let (heat, unit) = self.heat(app, &style, stop)?;
        let mut png = Vec::new();
        let _step = Step::enter("encode");
        png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), PngOptions::default())?;
        let span = heat.values.as_ref().map(|values| SpanReply::new(values.span, unit, style.curve));
        let is_empty = is_blank(&heat, &style);
        Ok(RenderedImage { png: png.into(), span, points: heat.drawn, is_empty })
    }

    /// Returns the picture as a PNG, cached under `key`. An empty picture has no bytes unless `empty` is
    /// [`EmptyTile::Transparent`].
    pub(crate) async fn png(self, app: &Arc<App>, key: &str, empty: EmptyTile) -> HttpResult<Bytes> {
        let (shared, layer) = (Arc::clone(app), self.subject.layer());
        let draw = || {
            app.run_for(layer, self.price(), move |stop| {
                let timer = shared.metrics.render();
                let image = self.draw(&shared, stop)?;
                timer.done();
                Ok(if image.is_empty && empty != EmptyTile::Transparent { Bytes::new() } else { image.png })
            })
        };
        let (bytes, was_cached) = app.bytes.get_or_make(key, draw).await?;
        app.metrics.cache(was_cached);
        Ok(bytes)
    }

    /// Returns the values as a `GeoTIFF`, cached under `key`; the colors for the classic blend, which has no values.
    pub(crate) async fn geotiff(self, app: &Arc<App>, key: &str) -> HttpResult<Bytes> {
        let (shared, layer) = (Arc::clone(app), self.subject.layer());
        let draw = || {
            app.run_for(layer, self.price(), move |stop| {
                let (heat, unit) = self.heat(&shared, &self.style()?.for_geotiff(), stop)?;
                let (reference, threads) = (GeoReference::of(&self.canvas), self.threads(&shared));
                let mut file = Cursor::new(Vec::new());
                let _step = Step::enter("encode");
                if let Some(values) = &heat.values {
                    let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
                    let band = Band { name: &values.aggregation.to_string(), unit: &unit, nodata };
                    geotiff::write_density(&mut file, &values.density, &band, &reference, threads)?;
                } else {
                    geotiff::write_colors(&mut file, &heat.indices, heat.palette.colors(), &reference, threads)?;
                }
                Ok(Bytes::from(file.into_inner()))
            })
        };
        let (bytes, was_cached) = app.bytes.get_or_make(key, draw).await?;
        app.metrics.cache(was_cached);
        Ok(bytes)
    }

    /// Returns the value of the first pixel and its unit; `None` if the pixel has no value, as in the classic blend.
    pub(crate) fn value(&self, app: &App, stop: &AtomicBool) -> Result<(Option<f64>, String)> {
        let (heat, unit) = self.heat(app, &self.style()?, stop)?;
        let value = heat.values.and_then(|values| values.density.cells().first().copied());
        Ok((value.filter(|value| !value.is_nan()).map(f64::from), unit))
    }

    /// Returns the color scale of the picture.
    pub(crate) fn scale(&self, app: &App, stop: &AtomicBool) -> Result<Scale> {
        let (found, style, unit) = if let Some((shading, unit)) = self.shading(app, stop)? {
            (Some((shading.span, shading.quantizer.clone())), self.style()?, unit)
        } else {
            let style = self.style()?;
            let (heat, unit) = self.heat(app, &style, stop)?;
            (heat.values.map(|values| (values.span, values.quantizer)), style, unit)
        };
        Ok(match found {
            Some((span, quantizer)) => Scale::new(style, span, &quantizer, unit),
            None => Scale { span: None, ticks: Vec::new(), style },
        })
    }
}

impl Subject {
    /// Returns the points within bounds, or a sample of `limits.answer_points` of the config.
    pub(crate) async fn fetch_points_within(
        self,
        app: &App,
        filter: &Filter,
        bounds: Bounds,
        projection: Projection,
    ) -> HttpResult<PointsWithin> {
        let filter = filter.clone();
        let (space, max) = (coordinate_space_of(projection), app.config.limits.answer_points as usize);
        let selection = (max, PointOrder::Sample);
        let price = self.price(&filter);
        app.run_for(self.layer(), price, move |stop| self.points_within(&filter, space, bounds, selection, stop)).await
    }
}

/// Whether all pixels have the color index of empty cells, and its color is transparent.
fn is_blank(heat: &Heatmap, style: &Style) -> bool {
    let empty = style.empty_index();
    let cells = heat.indices.cells();
    // The first pixel is empty, and each other pixel equals its predecessor.
    heat.palette.rgba(empty)[3] == 0 && cells.first() == Some(&empty) && cells[1..] == cells[..cells.len() - 1]
}
