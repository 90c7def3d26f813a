//! Renders pictures on the pool, and caches them.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Bytes;

use super::app::App;
use super::problem::Answer;
use super::scale::{Scale, SpanReply};
use crate::config::EmptyTile;
use crate::encode::geotiff::{self, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::error::Result;
use crate::geo::{Bounds, Projection};
use crate::http::parameters::canvas_parameters::coordinate_space_of;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::layer::{Heatmap, Shading, Style, Unit, render_shaded};
use crate::source::PointWithin;

/// A rendered picture.
#[derive(Clone, Debug)]
pub(crate) struct RenderedImage {
    pub(crate) png: Bytes,
    pub(crate) span: Option<SpanReply>,
    /// Points whose dots reach into it.
    pub(crate) points: u64,
    /// Whether there is nothing to see: no dot reaches any pixel, and there is no background.
    pub(crate) is_empty: bool,
}

impl RenderRequest {
    /// What the colors of the layer's pictures mean at the scale of this one, and the unit of its values. `None` for points of
    /// the request, and as [`Layer::shading`](crate::layer::Layer::shading) has it.
    pub(crate) fn shading(&self, app: &App, stop: &AtomicBool) -> Result<Option<(Arc<Shading>, Unit)>> {
        let Subject::Layer(layer) = &self.subject else { return Ok(None) };
        let style = self.style()?;
        let shading = layer.shading(&self.query(&style, stop), &self.canvas, &style, app.render_threads());
        Ok(shading.map_err(|error| self.filter.request_error(error))?.map(|shading| (shading, self.unit(&style))))
    }

    /// Renders the picture's values.
    fn heat(&self, app: &App, stop: &AtomicBool) -> Result<(Heatmap, Style, Unit)> {
        let style = self.style()?;
        let query = self.query(&style, stop);
        let threads = self.threads(app);
        let draw = || {
            let shading = match &self.subject {
                Subject::Layer(layer) => layer.shading(&query, &self.canvas, &style, threads)?,
                Subject::Given(_) => None,
            };
            render_shaded(self.subject.point_set(), &query, &self.canvas, &style, shading.as_deref(), threads)
        };
        let heat = draw().map_err(|error| self.filter.request_error(error))?;
        let unit = self.unit(&style);
        Ok((heat, style, unit))
    }

    /// One thread for what is small: others have pictures to draw, too.
    fn threads(&self, app: &App) -> usize {
        const SMALL_PIXELS: u64 = 1 << 20;
        const FEW_POINTS: u64 = 2_000_000;
        let pixels = u64::from(self.canvas.width()) * u64::from(self.canvas.height());
        let has_sums = self.subject.point_set().is_aggregated() && self.filter.is_none();
        let is_quick = has_sums || self.subject.points() <= FEW_POINTS;
        if pixels <= SMALL_PIXELS && is_quick { 1 } else { app.render_threads() }
    }

    /// Renders the picture.
    pub(crate) fn draw(&self, app: &App, stop: &AtomicBool) -> Result<RenderedImage> {
        let (heat, style, unit) = self.heat(app, stop)?;
        let mut png = Vec::new();
        png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), PngOptions::default())?;
        let span = heat.values.as_ref().map(|values| SpanReply::new(values.span, unit, style.curve));
        let is_empty = shows_nothing(&heat, &style);
        Ok(RenderedImage { png: png.into(), span, points: heat.drawn, is_empty })
    }

    /// The picture as a PNG, from the cache or rendered now and cached under `key`. Where nothing is visible and `empty` is
    /// not a picture, there are no bytes.
    pub(crate) async fn png(self, app: &Arc<App>, key: &str, empty: EmptyTile) -> Answer<Bytes> {
        let shared = Arc::clone(app);
        let draw = || {
            app.pool.run(move |stop| {
                let timer = shared.metrics.render();
                let drawn = self.draw(&shared, stop)?;
                timer.done();
                Ok(if drawn.is_empty && empty != EmptyTile::Transparent { Bytes::new() } else { drawn.png })
            })
        };
        let (bytes, was_cached) = app.bytes.get_or_make(key, draw).await?;
        app.metrics.cache(was_cached);
        Ok(bytes)
    }

    /// Its values as a `GeoTIFF`, from the cache or rendered now and cached under `key`; its colors where it has no values.
    pub(crate) async fn geotiff(self, app: &Arc<App>, key: &str) -> Answer<Bytes> {
        let shared = Arc::clone(app);
        let draw = || {
            app.pool.run(move |stop| {
                let (heat, ..) = self.heat(&shared, stop)?;
                let (reference, threads) = (GeoReference::of(&self.canvas), self.threads(&shared));
                let mut file = Cursor::new(Vec::new());
                if let Some(values) = &heat.values {
                    let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
                    geotiff::write_density(&mut file, &values.density, nodata, &reference, threads)?;
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

    /// The value of its first pixel, in the unit that comes with it; `None` where there is none, as in the classic blend.
    pub(crate) fn value(&self, app: &App, stop: &AtomicBool) -> Result<(Option<f64>, String)> {
        let (heat, _, unit) = self.heat(app, stop)?;
        let value = heat.values.and_then(|values| values.density.cells().first().copied());
        Ok((value.filter(|value| !value.is_nan()).map(|value| f64::from(value) * unit.factor), unit.name))
    }

    /// What the colors of the picture mean.
    pub(crate) fn scale(&self, app: &App, stop: &AtomicBool) -> Result<Scale> {
        let (found, style, unit) = if let Some((shading, unit)) = self.shading(app, stop)? {
            (Some((shading.span, shading.quantizer.clone())), self.style()?, unit)
        } else {
            let (heat, style, unit) = self.heat(app, stop)?;
            (heat.values.map(|values| (values.span, values.quantizer)), style, unit)
        };
        Ok(match found {
            Some((span, quantizer)) => Scale::new(style, span, &quantizer, unit),
            None => Scale { span: None, ticks: Vec::new(), style },
        })
    }
}

impl Subject {
    /// The points within bounds as longitude, latitude and weight, at most as many as the config allows, and their number
    /// without that limit.
    pub(crate) async fn answer_within(
        self,
        app: &App,
        filter: &Filter,
        bounds: Bounds,
        projection: Projection,
    ) -> Answer<(Vec<PointWithin>, u64)> {
        let filter = filter.clone();
        let (space, max) = (coordinate_space_of(projection), app.config.limits.answer_points as usize);
        app.pool.run(move |stop| self.points_within(&filter, space, bounds, max, stop)).await
    }
}

/// Whether all pixels are of the index that stands for nothing, and that is transparent.
fn shows_nothing(heat: &Heatmap, style: &Style) -> bool {
    let nothing = style.empty_index();
    let cells = heat.indices.cells();
    // A first pixel of nothing, and each as the one before.
    heat.palette.rgba(nothing)[3] == 0 && cells.first() == Some(&nothing) && cells[1..] == cells[..cells.len() - 1]
}
