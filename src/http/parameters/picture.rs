//! From a request's parameters to a drawn picture.

use std::fmt::Write;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::canvas_parameters::{check_ground, ground_of, usual_projection};
use super::fields::{Fields, query_string};
use super::filter::Filter;
use super::pixel_ratio::PixelRatio;
use super::shared::ProjectionOptions;
use crate::color::Scheme;
use crate::config::EmptyTile;
use crate::encode::geotiff::{self, GeoReference};
use crate::encode::png::{self, PngOptions};
use crate::encode::{Legend, Tick, nice_ticks};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::http::server::App;
use crate::http::server::problem::{Answer, Problem};
use crate::layer::{Blend, Heat, Layer, Radius, Shading, Style, StyleOptions, Unit, render_shaded};
use crate::parameters::ParameterSet;
use crate::raster::{Aggregation, Curve, Grid, Quantizer, Span};
use crate::source::{Ground, PointSet, PointWithin, Query, Resident, points_within};

/// Where the points of a picture come from.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A layer of the catalog.
    Layer(Arc<Layer>),
    /// Points that came with the request.
    Given(Arc<Resident>),
}

impl Subject {
    /// What messages call it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Given(_) => "points",
        }
    }

    /// A query for the points, with no filter yet.
    pub(crate) fn query(&self) -> Query<'static> {
        match self {
            Self::Layer(layer) => layer.query(),
            Self::Given(_) => Query::default(),
        }
    }

    /// The point set that pictures are drawn from.
    pub(crate) fn point_set(&self) -> &dyn PointSet {
        match self {
            Self::Layer(layer) => &**layer.point_set(),
            Self::Given(points) => &**points,
        }
    }

    /// Where the points are.
    pub(crate) fn extent(&self) -> &Extent {
        match self {
            Self::Layer(layer) => layer.extent(),
            Self::Given(points) => points.extent(),
        }
    }

    /// The first `max` points within `bounds` that pass `filter`, and how many there are in all.
    pub(crate) fn points_within(
        &self,
        filter: &Filter,
        ground: Ground,
        bounds: Bounds,
        max: usize,
        stop: &AtomicBool,
    ) -> Result<(Vec<PointWithin>, u64)> {
        filter.check(&self.query())?;
        // Across the antimeridian the east is beyond 180.
        let turn = if ground.wraps() && bounds.east < bounds.west { 360.0 } else { 0.0 };
        let bounds = Bounds { east: bounds.east + turn, ..bounds };
        let query = filter.applied_to(self.query()).with_ground(ground).with_weights(true).with_stop(Some(stop));
        points_within(self.point_set(), &query, bounds, max).map_err(|error| filter.blamed(error))
    }

    fn points(&self) -> u64 {
        match self {
            Self::Layer(layer) => layer.points(),
            Self::Given(points) => points.len() as u64,
        }
    }

    /// What the weights count, if there are any.
    fn weight(&self) -> Option<&str> {
        match self {
            Self::Layer(layer) => layer.weight(),
            Self::Given(points) => points.is_weighted().then_some("weight"),
        }
    }
}

/// A picture as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct RenderRequest {
    pub(crate) subject: Subject,
    pub(crate) filter: Filter,
    pub(crate) options: StyleOptions,
    pub(crate) scheme: Scheme,
    pub(crate) canvas: Canvas,
}

/// The values that the colors of a picture stand for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SpanReply {
    /// Value of the coldest color.
    #[schema(example = 0.0)]
    pub(crate) vmin: f64,
    /// Value of the hottest color.
    #[schema(example = 0.058)]
    pub(crate) vmax: f64,
    /// What the values count.
    #[schema(example = "points per km² at 49°N")]
    pub(crate) unit: String,
    /// How values between are laid on the colors: linear, sqrt, log or eqhist.
    #[schema(example = "linear")]
    pub(crate) curve: String,
}

/// A drawn picture.
#[derive(Clone, Debug)]
pub(crate) struct RenderedImage {
    pub(crate) png: Bytes,
    pub(crate) span: Option<SpanReply>,
    /// Points whose dots reach into it.
    pub(crate) points: u64,
    /// Whether there is nothing to see: no dot reaches any pixel, and there is no background.
    pub(crate) is_empty: bool,
}

/// How a layer is to be drawn, as a request says it.
#[derive(Clone, Debug)]
pub(crate) struct LayerStyle {
    pub(crate) projection: Projection,
    pub(crate) options: StyleOptions,
    pub(crate) scheme: Scheme,
    pub(crate) filter: Filter,
}

impl LayerStyle {
    /// Reads the projection, the style and the filter; what they leave open is the layer's own.
    pub(crate) fn read(app: &App, layer: &Layer, fields: &mut Fields) -> Answer<Self> {
        let projection = fields.read::<ProjectionOptions>()?.projection.unwrap_or_else(|| usual_projection(layer));
        let options = fields.read::<StyleOptions>()?.or(layer.style().clone());
        let filter = Filter::read(fields)?;
        check_ground(layer.ground(), projection)?;
        let scheme = app.scheme(options.scheme.as_deref().unwrap_or(Scheme::DEFAULT))?;
        Ok(Self { projection, options, scheme, filter })
    }

    /// The same style in pixels of a picture with that ratio: a dot is as large on the map.
    pub(crate) fn with_ratio(mut self, ratio: PixelRatio) -> Self {
        self.options.radius = Some(ratio.radius(self.options.radius.unwrap_or_default()));
        self
    }

    /// The picture of the layer on a canvas.
    pub(crate) fn on(self, app: &App, layer: &Arc<Layer>, canvas: Canvas) -> Answer<RenderRequest> {
        let Self { options, scheme, filter, .. } = self;
        let request = RenderRequest { subject: Subject::Layer(Arc::clone(layer)), filter, options, scheme, canvas };
        request.check(app)?;
        Ok(request)
    }
}

impl RenderRequest {
    /// Checks the parameters that only show their sense together: the style, and what the filter may look at.
    pub(crate) fn check(&self, app: &App) -> Answer<()> {
        let style = self.style()?;
        let limit = app.config.limits.radius_px;
        let radius_px = style.radius_px(&self.canvas);
        if radius_px.is_nan() || radius_px > limit {
            let name = if matches!(style.radius, Radius::DotSize(_)) { "dot_size" } else { "radius" };
            let why = format!("a dot of {radius_px:.0} pixels is wider than the {limit} that limits.radius_px allows");
            return Err(Problem::parameter(name, why));
        }
        if style.blend == Blend::Add {
            style.kernel(&self.canvas)?;
        }
        self.filter.check(&self.subject.query())?;
        if let (Subject::Given(_), false) = (&self.subject, self.filter.is_none()) {
            return Err(Problem::parameter(
                "points",
                "start, end, category and polygon filter layers, not points of the request",
            ));
        }
        Ok(())
    }

    /// The radius of its dots in pixels.
    pub(crate) fn radius_px(&self) -> Result<f64> {
        Ok(self.style()?.radius_px(&self.canvas))
    }

    /// How it is drawn, in its pixels.
    pub(crate) fn style(&self) -> Result<Style> {
        Ok(self.options.resolve(|_| Ok(self.scheme.clone()))?.per_pixel(&self.canvas))
    }

    /// The first rows of the request's points that are none, and why.
    pub(crate) fn rejected(&self) -> Vec<String> {
        match &self.subject {
            Subject::Layer(_) => Vec::new(),
            Subject::Given(points) => {
                points.report().rejections.iter().map(|bad| format!("row {}: {}", bad.row, bad.reason)).collect()
            }
        }
    }

    /// A text that is the same for the same picture and no other.
    pub(crate) fn key(&self) -> String {
        let mut key = String::with_capacity(512);
        let written = match &self.subject {
            Subject::Layer(layer) => write!(key, "{}/{}", layer.name(), layer.version()),
            Subject::Given(points) => write!(key, "/{:016x}{}", points.fingerprint(), points.len()),
        };
        let Self { filter, options, canvas, .. } = self;
        let _ = written.and_then(|()| write!(key, "{filter:?}{options:?}{canvas:?}"));
        key
    }

    /// What the points are asked for.
    pub(crate) fn query<'a>(&'a self, style: &Style, stop: &'a AtomicBool) -> Query<'a> {
        let weights = style.aggregation != Aggregation::Count && style.blend == Blend::Add;
        let query = self.filter.applied_to(self.subject.query());
        query.with_ground(ground_of(self.canvas.projection())).with_weights(weights).with_stop(Some(stop))
    }

    /// The unit of its values.
    pub(crate) fn unit(&self, style: &Style) -> Unit {
        Unit::of(&self.canvas, style, self.subject.weight())
    }

    /// What the colors of the layer's pictures mean at the scale of this one, and the unit of its values. `None` for points of
    /// the request, and as [`Layer::shading`] has it.
    pub(crate) fn shading(&self, app: &App, stop: &AtomicBool) -> Result<Option<(Arc<Shading>, Unit)>> {
        let Subject::Layer(layer) = &self.subject else { return Ok(None) };
        let style = self.style()?;
        let shading = layer.shading(&self.query(&style, stop), &self.canvas, &style, app.render_threads());
        let unit = || Unit::of(&self.canvas, &style, self.subject.weight());
        Ok(shading.map_err(|error| self.filter.blamed(error))?.map(|shading| (shading, unit())))
    }

    /// Draws the picture's values.
    fn heat(&self, app: &App, stop: &AtomicBool) -> Result<(Heat, Style, Unit)> {
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
        let heat = draw().map_err(|error| self.filter.blamed(error))?;
        let unit = Unit::of(&self.canvas, &style, self.subject.weight());
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

    /// Draws the picture.
    pub(crate) fn draw(&self, app: &App, stop: &AtomicBool) -> Result<RenderedImage> {
        let (heat, style, unit) = self.heat(app, stop)?;
        let mut png = Vec::new();
        png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), PngOptions::default())?;
        let span = heat.values.as_ref().map(|values| SpanReply {
            vmin: values.span.vmin * unit.factor,
            vmax: values.span.vmax * unit.factor,
            unit: unit.name,
            curve: style.curve.to_string(),
        });
        let is_empty = shows_nothing(&heat, &style);
        Ok(RenderedImage { png: png.into(), span, points: heat.drawn, is_empty })
    }

    /// The picture as a PNG, from memory or drawn now and kept there under `key`. Where there is nothing to see and `empty`
    /// is not a picture, there are no bytes.
    pub(crate) async fn png(self, app: &Arc<App>, key: &str, empty: EmptyTile) -> Answer<Bytes> {
        let there = Arc::clone(app);
        let draw = || {
            app.pool.run(move |stop| {
                let timer = there.metrics.render();
                let drawn = self.draw(&there, stop)?;
                timer.done();
                Ok(if drawn.is_empty && empty != EmptyTile::Transparent { Bytes::new() } else { drawn.png })
            })
        };
        let (bytes, was_there) = app.bytes.get_or_make(key, draw).await?;
        app.metrics.cache(was_there);
        Ok(bytes)
    }

    /// Its values as a `GeoTIFF`, from memory or drawn now and kept there under `key`; its colors where it has no values.
    pub(crate) async fn geotiff(self, app: &Arc<App>, key: &str) -> Answer<Bytes> {
        let there = Arc::clone(app);
        let draw = || {
            app.pool.run(move |stop| {
                let (heat, ..) = self.heat(&there, stop)?;
                let (reference, threads) = (GeoReference::of(&self.canvas), self.threads(&there));
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
        let (bytes, was_there) = app.bytes.get_or_make(key, draw).await?;
        app.metrics.cache(was_there);
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
        let Some((span, quantizer)) = found else {
            return Ok(Scale { ends: None, ticks: Vec::new(), unit: unit.name, style });
        };
        let [vmin, vmax] = [span.vmin, span.vmax].map(|value| value * unit.factor);
        let ticks = nice_ticks(vmin, vmax, |value| quantizer.position(value / unit.factor));
        Ok(Scale { ends: Some([vmin, vmax]), ticks, unit: unit.name, style })
    }
}

/// Whether all pixels are of the index that stands for nothing, and that is transparent.
fn shows_nothing(heat: &Heat, style: &Style) -> bool {
    let nothing = style.nothing();
    let cells = heat.indices.cells();
    // A first pixel of nothing, and each as the one before.
    heat.palette.rgba(nothing)[3] == 0 && cells.first() == Some(&nothing) && cells[1..] == cells[..cells.len() - 1]
}

/// What the colors of a picture mean.
#[derive(Debug)]
pub(crate) struct Scale {
    /// Values of the coldest and the hottest color; `None` for the classic blend, whose scale is absolute.
    pub(crate) ends: Option<[f64; 2]>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) unit: String,
    pub(crate) style: Style,
}

impl Scale {
    /// The scale of a span that is known, without looking at any points. `None` for [`Curve::EqHist`], which depends on
    /// them.
    pub(crate) fn of_span(style: Style, ends: [f64; 2], unit: String) -> Option<Self> {
        let [vmin, vmax] = ends;
        if style.curve == Curve::EqHist || vmin >= vmax {
            return None;
        }
        let span = Span { vmin, vmax };
        let quantizer = Quantizer::new(&Grid::filled(1, 1, 0.0), style.aggregation, span, style.curve);
        let ticks = nice_ticks(vmin, vmax, |value| quantizer.position(value));
        Some(Self { ends: Some(ends), ticks, unit, style })
    }

    /// Draws the legend as a PNG.
    pub(crate) fn legend(&self, title: &str, pixel_ratio: f32) -> Result<Bytes> {
        let palette = self.style.legend_palette();
        let unit = if self.ends.is_some() { self.unit.as_str() } else { "an absolute scale" };
        let legend = Legend { palette: &palette, ticks: &self.ticks, title, unit, pixel_ratio }.draw()?;
        let mut png = Vec::new();
        crate::encode::write_picture(&legend, &mut png).map_err(|error| Error::io("legend", "encode", error))?;
        Ok(png.into())
    }
}

/// The address of the legend of a picture; `None` where only the picture's own points could tell it.
pub(crate) fn legend_url(app: &App, request: &RenderRequest, span: &SpanReply) -> Option<String> {
    let mut options = StyleOptions { vmin: None, vmax: None, ..request.options.clone() };
    let mut query: Vec<(&str, String)> = Vec::new();
    let path = match &request.subject {
        _ if span.curve != Curve::EqHist.to_string() => {
            query.extend([
                ("vmin", span.vmin.to_string()),
                ("vmax", span.vmax.to_string()),
                ("unit", span.unit.clone()),
            ]);
            // What the span has settled.
            options =
                StyleOptions { radius: None, shape: None, true_scale_lat_deg: None, normalization: None, ..options };
            "overlays/legend.png".to_owned()
        }
        // A polygon is too long for an address.
        Subject::Layer(_) if request.filter.has_polygon() => return None,
        Subject::Layer(layer) => {
            let canvas = &request.canvas;
            let Bounds { west, south, east, north } = canvas.bounds();
            query.push(("bounds", format!("{west},{south},{east},{north}")));
            query.push(("size", format!("{}x{}", canvas.width(), canvas.height())));
            query.push(("projection", canvas.projection().to_string()));
            (options.vmin, options.vmax) = (request.options.vmin, request.options.vmax);
            query.extend(request.filter.pairs());
            format!("{}/legend.png", layer.name())
        }
        Subject::Given(_) => return None,
    };
    query.extend(options.pairs());
    Some(app.url(&format!("{path}?{}", query_string(&query))))
}
