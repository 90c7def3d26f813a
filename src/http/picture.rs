//! From a request's parameters to a drawn picture.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::fields::{Answer, Fields, encoded};
use super::problem::Problem;
use crate::color::Scheme;
use crate::encode::png::{self, PngOptions};
use crate::encode::{Legend, Tick, nice_ticks};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::layer::{Blend, Fit, Heat, Layer, Origin, Radius, Size, Style, StyleOptions, Unit, canvas_for, canvas_of, render_shaded};
use crate::raster::{Aggregation, Curve, Grid, Quantizer, Span};
use crate::source::{Ground, Query, Resident};

/// Where the points of a picture come from.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A layer of the catalog.
    Layer(Arc<Layer>),
    /// Points that came with the request.
    Given(Arc<Resident>),
}

impl Subject {
    /// A query for the points, with no filter yet.
    pub(super) fn query(&self) -> Query<'static> {
        match self {
            Self::Layer(layer) => layer.query(),
            Self::Given(_) => Query::default(),
        }
    }

    /// Where `query` is answered the fastest.
    pub(super) fn origin(&self, query: &Query<'_>) -> Origin<'_> {
        match self {
            Self::Layer(layer) => layer.origin(query),
            Self::Given(points) => Origin::Source(&**points),
        }
    }

    /// Where the points are.
    pub(super) fn extent(&self) -> &Extent {
        match self {
            Self::Layer(layer) => layer.extent(),
            Self::Given(points) => points.extent(),
        }
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
            Self::Given(_) => Some("weight"),
        }
    }
}

/// Which points of a layer are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    start_us: Option<i64>,
    end_us: Option<i64>,
    categories: Vec<String>,
}

/// A picture as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) subject: Subject,
    pub(super) filter: Filter,
    pub(super) options: StyleOptions,
    pub(super) scheme: Scheme,
    pub(super) canvas: Canvas,
}

/// The values that the colors of a picture stand for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SpanReply {
    /// Value of the coldest color.
    #[schema(example = 0.0)]
    pub(super) vmin: f64,
    /// Value of the hottest color.
    #[schema(example = 0.058)]
    pub(super) vmax: f64,
    /// What the values count.
    #[schema(example = "points per km² at 49°N")]
    pub(super) unit: String,
    /// How values between are laid on the colors: linear, sqrt, log or eqhist.
    #[schema(example = "linear")]
    pub(super) curve: String,
}

/// A drawn picture.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) png: Bytes,
    pub(super) span: Option<SpanReply>,
    /// Points whose dots reach into it.
    pub(super) points: u64,
}

impl Filter {
    pub(super) fn read(fields: &mut Fields) -> Answer<Self> {
        let filter = Self {
            start_us: fields.time_us("start")?,
            end_us: fields.time_us("end")?,
            categories: fields.texts("category")?,
        };
        if filter.start_us.zip(filter.end_us).is_some_and(|(start, end)| start >= end) {
            return Err(Problem::parameter("start", "it is not before end"));
        }
        Ok(filter)
    }

    /// The filter as the parameters that it was read from.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.start_us.map(|time| ("start", time_text(time))));
        pairs.extend(self.end_us.map(|time| ("end", time_text(time))));
        if !self.categories.is_empty() {
            // As JSON: a category may hold a comma.
            pairs.push(("category", serde_json::json!(self.categories).to_string()));
        }
        pairs
    }

    /// The query with this filter.
    pub(super) fn applied_to<'q>(&self, query: Query<'q>) -> Query<'q> {
        Query { start_us: self.start_us, end_us: self.end_us, in_categories: self.categories.clone(), ..query }
    }

    /// The error of an input that has no column to filter by is one of the request.
    pub(super) fn blamed(&self, error: Error) -> Error {
        match error {
            Error::Input { .. } if !self.categories.is_empty() => {
                Error::invalid("category", "the layer has no column of categories to filter by")
            }
            Error::Input { .. } if !self.is_none() => {
                Error::invalid("start", "the layer has no column of times to filter by")
            }
            other => other,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.start_us.is_none() && self.end_us.is_none() && self.categories.is_empty()
    }
}

/// An instant as a parameter: Unix seconds, with their fraction.
fn time_text(time_us: i64) -> String {
    format!("{}.{:06}", time_us.div_euclid(1_000_000), time_us.rem_euclid(1_000_000))
}

/// What becomes of ground beyond the poles, which a map that is zoomed out far asks for. The pixels are as wide and high
/// as they were asked for either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// It is left out, and the picture is lower by as much.
    Cut,
    /// It is empty, and the picture exactly of the size that was asked for.
    Empty,
}

/// The canvas of `bounds` and `size` within the limits.
pub(super) fn canvas(app: &App, projection: Projection, bounds: Bounds, size: Size, beyond: Beyond) -> Answer<Canvas> {
    // Before the canvas is made, whose own limits are wider.
    let limit = app.config.limits.pixels;
    let (width, height) = match size {
        Size::Exact(width, height) => (width, height),
        Size::Longest(side) => (side, 1),
    };
    let too_large = |pixels: u64| {
        let why = format!("{pixels} pixels are more than the {limit} that limits.pixels allows");
        Err(Problem::parameter("size", why))
    };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limit {
        return too_large(pixels);
    }
    let canvas = match size {
        Size::Exact(width, height) => {
            let [above, shown] = rows_shown(projection, bounds, height);
            let canvas = canvas_of(projection, bounds, Size::Exact(width, shown))?;
            match beyond {
                Beyond::Cut => canvas,
                Beyond::Empty => canvas.window(0, -i64::from(above), width, height)?,
            }
        }
        size @ Size::Longest(_) => canvas_of(projection, bounds, size)?,
    };
    let pixels = u64::from(canvas.width()) * u64::from(canvas.height());
    if pixels > limit { too_large(pixels) } else { Ok(canvas) }
}

/// The canvas that shows all points of `extent`, with room for their dots.
pub(super) fn fitting(
    app: &App,
    extent: &Extent,
    projection: Projection,
    size: Size,
    options: &StyleOptions,
    scheme: &Scheme,
) -> Answer<Canvas> {
    let style = options.resolve(|_| Ok(scheme.clone()))?;
    let fitted = canvas_for(projection, extent, size, &style, Fit::Padded)?;
    // Held against the limits of the server, which are narrower than those of a canvas.
    canvas(app, projection, fitted.bounds(), Size::Exact(fitted.width(), fitted.height()), Beyond::Empty)
        .map(|_| fitted)
}

/// Of `height` rows: how many lie north of what the projection shows, and how many it shows.
fn rows_shown(projection: Projection, bounds: Bounds, height: u32) -> [u32; 2] {
    if projection == Projection::Plane {
        return [0, height];
    }
    let y = |lat: f64| projection.forward(0.0, lat).1;
    let limit = projection.inverse(0.0, 0.0).1;
    let clip = |lat: f64| lat.clamp(-limit, limit);
    // The poles themselves lie infinitely far on a Mercator map: whoever names them means its edges.
    let meant = |lat: f64| if lat.abs() >= 90.0 { clip(lat) } else { lat };
    let (north, south) = (meant(bounds.north), meant(bounds.south));
    let rows_per_unit = f64::from(height) / (y(south) - y(north));
    let above = ((y(clip(north)) - y(north)) * rows_per_unit).round();
    let shown = ((y(clip(south)) - y(clip(north))) * rows_per_unit).round();
    if shown >= 1.0 { [above as u32, shown as u32] } else { [0, height] }
}

/// How a layer is to be drawn, as a request says it.
pub(super) struct LayerStyle {
    pub(super) projection: Projection,
    pub(super) options: StyleOptions,
    pub(super) scheme: Scheme,
    pub(super) filter: Filter,
}

impl LayerStyle {
    /// Reads the projection, the style and the filter; what they leave open is the layer's own.
    pub(super) fn read(app: &App, layer: &Layer, fields: &mut Fields) -> Answer<Self> {
        let projection = fields.parse("projection")?.unwrap_or_else(|| usual_projection(layer));
        let options = fields.style()?.or(layer.style().clone());
        let filter = Filter::read(fields)?;
        check_ground(layer.ground(), projection)?;
        let scheme = app.scheme(options.scheme.as_deref().unwrap_or(Scheme::DEFAULT))?;
        Ok(Self { projection, options, scheme, filter })
    }

    /// The picture of the layer on a canvas.
    pub(super) fn on(self, app: &App, layer: &Arc<Layer>, canvas: Canvas) -> Answer<Wanted> {
        let Self { options, scheme, filter, .. } = self;
        let wanted = Wanted { subject: Subject::Layer(Arc::clone(layer)), filter, options, scheme, canvas };
        wanted.check(app)?;
        Ok(wanted)
    }
}

/// How a layer is drawn unless asked otherwise.
pub(super) fn usual_projection(layer: &Layer) -> Projection {
    if layer.ground().wraps() { Projection::Mercator } else { Projection::Plane }
}

/// Floor plans are drawn on a plane, and the globe is not.
pub(super) fn check_ground(ground: Ground, projection: Projection) -> Answer<()> {
    match (ground, projection) {
        (Ground::Plane, Projection::Plane) => Ok(()),
        (Ground::Plane, _) => Err(Problem::parameter("projection", "the layer lies on a plane: give projection=plane")),
        (Ground::Globe, Projection::Plane) => {
            Err(Problem::parameter("projection", "the layer lies on the globe: give mercator or platecarree"))
        }
        (Ground::Globe, _) => Ok(()),
    }
}

/// Which coordinates are valid under a projection.
pub(super) fn ground_of(projection: Projection) -> Ground {
    if projection == Projection::Plane { Ground::Plane } else { Ground::Globe }
}

impl Wanted {
    /// Checks the parameters that only show their sense together: the style, and what the filter may look at.
    pub(super) fn check(&self, app: &App) -> Answer<()> {
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
        if let (Subject::Given(_), false) = (&self.subject, self.filter.is_none()) {
            return Err(Problem::parameter(
                "points",
                "start, end and category filter layers, not points of the request",
            ));
        }
        Ok(())
    }

    fn style(&self) -> Result<Style> {
        Ok(self.options.resolve(|_| Ok(self.scheme.clone()))?.per_pixel(&self.canvas))
    }

    /// The first rows of the request's points that are none, and why.
    pub(super) fn rejected(&self) -> Vec<String> {
        match &self.subject {
            Subject::Layer(_) => Vec::new(),
            Subject::Given(points) => {
                points.report().rejections.iter().map(|bad| format!("row {}: {}", bad.row, bad.reason)).collect()
            }
        }
    }

    /// A text that is the same for the same picture and no other.
    pub(super) fn key(&self) -> String {
        let mut key = String::with_capacity(512);
        let written = match &self.subject {
            Subject::Layer(layer) => write!(key, "{}/{}", layer.name(), layer.version()),
            Subject::Given(points) => write!(key, "/{:016x}{}", points.fingerprint(), points.len()),
        };
        let Self { filter, options, canvas, .. } = self;
        let _ = written.and_then(|()| write!(key, "{filter:?}{options:?}{canvas:?}"));
        key
    }

    /// Draws the picture's values.
    fn heat(&self, app: &App, stop: &AtomicBool) -> Result<(Heat, Style, Unit)> {
        let style = self.style()?;
        let weights = style.aggregation != Aggregation::Count && style.blend == Blend::Add;
        let query = Query {
            ground: ground_of(self.canvas.projection()),
            weights,
            stop: Some(stop),
            ..self.filter.applied_to(self.subject.query())
        };
        let threads = self.threads(app);
        let draw = || {
            let shading = match &self.subject {
                Subject::Layer(layer) => layer.shading(&query, &self.canvas, &style, threads)?,
                Subject::Given(_) => None,
            };
            render_shaded(self.subject.origin(&query), &query, &self.canvas, &style, shading.as_deref(), threads)
        };
        let heat = draw().map_err(|error| self.filter.blamed(error))?;
        let weighted = heat.values.as_ref().is_some_and(|values| values.weighted);
        let unit = Unit::of(&self.canvas, &style, self.subject.weight().filter(|_| weighted));
        Ok((heat, style, unit))
    }

    /// One thread for what is small: others have pictures to draw, too.
    fn threads(&self, app: &App) -> usize {
        const SMALL_PIXELS: u64 = 1 << 20;
        const FEW_POINTS: u64 = 2_000_000;
        let pixels = u64::from(self.canvas.width()) * u64::from(self.canvas.height());
        let has_sums = matches!(&self.subject, Subject::Layer(layer) if layer.has_sums()) && self.filter.is_none();
        let is_quick = has_sums || self.subject.points() <= FEW_POINTS;
        if pixels <= SMALL_PIXELS && is_quick { 1 } else { app.render_threads() }
    }

    /// Draws the picture.
    pub(super) fn draw(&self, app: &App, stop: &AtomicBool) -> Result<Drawn> {
        let (heat, style, unit) = self.heat(app, stop)?;
        let mut png = Vec::new();
        png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), PngOptions::default())?;
        let span = heat.values.as_ref().map(|values| SpanReply {
            vmin: values.span.vmin * unit.factor,
            vmax: values.span.vmax * unit.factor,
            unit: unit.name,
            curve: style.curve.to_string(),
        });
        Ok(Drawn { png: png.into(), span, points: heat.drawn })
    }

    /// What the colors of the picture mean.
    pub(super) fn scale(&self, app: &App, stop: &AtomicBool) -> Result<Scale> {
        let (heat, style, unit) = self.heat(app, stop)?;
        let ticks = heat.values.as_ref().map(|values| {
            let position = |value: f64| values.quantizer.position(value / unit.factor);
            nice_ticks(values.span.vmin * unit.factor, values.span.vmax * unit.factor, position)
        });
        let ends = heat.values.map(|values| [values.span.vmin * unit.factor, values.span.vmax * unit.factor]);
        Ok(Scale { ends, ticks: ticks.unwrap_or_default(), unit: unit.name, style })
    }
}

/// What the colors of a picture mean.
#[derive(Debug)]
pub(super) struct Scale {
    /// Values of the coldest and the hottest color; `None` for the classic blend, whose scale is absolute.
    pub(super) ends: Option<[f64; 2]>,
    pub(super) ticks: Vec<Tick>,
    pub(super) unit: String,
    pub(super) style: Style,
}

impl Scale {
    /// The scale of a span that is known, without looking at any points. `None` for [`Curve::EqHist`], which depends on
    /// them.
    pub(super) fn of_span(style: Style, ends: [f64; 2], unit: String) -> Option<Self> {
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
    pub(super) fn legend(&self, title: &str, pixel_ratio: f32) -> Result<Bytes> {
        let palette = self.style.legend_palette();
        let unit = if self.ends.is_some() { self.unit.as_str() } else { "an absolute scale" };
        let legend = Legend { palette: &palette, ticks: &self.ticks, title, unit, pixel_ratio }.draw()?;
        let mut png = Vec::new();
        crate::encode::write_picture(&legend, &mut png).map_err(|error| Error::io("legend", "encode", error))?;
        Ok(png.into())
    }
}

/// The address of the legend of a picture; `None` where only the picture's own points could tell it.
pub(super) fn legend_url(app: &App, wanted: &Wanted, span: &SpanReply) -> Option<String> {
    let mut options = StyleOptions { vmin: None, vmax: None, ..wanted.options.clone() };
    let mut query: Vec<(&str, String)> = Vec::new();
    let path = match &wanted.subject {
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
        Subject::Layer(layer) => {
            let canvas = &wanted.canvas;
            let Bounds { west, south, east, north } = canvas.bounds();
            query.push(("bounds", format!("{west},{south},{east},{north}")));
            query.push(("size", format!("{}x{}", canvas.width(), canvas.height())));
            query.push(("projection", canvas.projection().to_string()));
            (options.vmin, options.vmax) = (wanted.options.vmin, wanted.options.vmax);
            query.extend(wanted.filter.pairs());
            format!("{}/legend.png", layer.name())
        }
        Subject::Given(_) => return None,
    };
    query.extend(options.pairs());
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Some(app.url(&format!("{path}?{}", query.join("&"))))
}

/// A short text for a long one, as an `ETag` has it.
pub(super) fn etag(key: &str) -> String {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
