//! Color scales of pictures.

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::encode::{Legend, Tick, nice_ticks, scaled_ticks};
use crate::error::{Error, Result};
use crate::layer::{Style, readable_unit};
use crate::raster::{Curve, Grid, Quantizer, Span};

/// The values of the coldest and hottest color of a picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SpanReply {
    /// Value of the coldest color.
    #[schema(example = 0.0)]
    pub(crate) vmin: f64,
    /// Value of the hottest color.
    #[schema(example = 0.058)]
    pub(crate) vmax: f64,
    /// Unit of the values.
    #[schema(example = "points per km²")]
    pub(crate) unit: String,
    /// Mapping of values to colors: linear, sqrt, log or eqhist.
    #[schema(example = "linear")]
    pub(crate) curve: String,
}

impl SpanReply {
    /// Describes a span.
    pub(crate) fn new(Span { vmin, vmax }: Span, unit: String, curve: Curve) -> Self {
        Self { vmin, vmax, unit, curve: curve.to_string() }
    }
}

/// The color scale of a picture.
#[derive(Debug)]
pub(crate) struct Scale {
    /// Values of the coldest and the hottest color; `None` for the classic blend, whose colors are absolute.
    pub(crate) span: Option<SpanReply>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) style: Style,
}

impl Scale {
    /// Creates the scale of a rendered picture.
    pub(crate) fn new(style: Style, span: Span, quantizer: &Quantizer, unit: String) -> Self {
        let span = SpanReply::new(span, unit, style.curve);
        let ticks = nice_ticks(span.vmin, span.vmax, |value| quantizer.position(value));
        Self { span: Some(span), ticks, style }
    }

    /// Creates the scale of a span without points. `None` for [`Curve::EqHist`], which depends on the points, and for
    /// an empty span.
    pub(crate) fn of_span(style: Style, [vmin, vmax]: [f64; 2], unit: String) -> Option<Self> {
        if style.curve == Curve::EqHist || vmin >= vmax {
            return None;
        }
        let span = Span { vmin, vmax };
        let quantizer = Quantizer::new(&Grid::filled(1, 1, 0.0), style.aggregation, span, style.curve);
        Some(Self::new(style, span, &quantizer, unit))
    }

    /// Draws the legend as a PNG.
    pub(crate) fn legend(&self, title: &str, pixel_ratio: f32) -> Result<Bytes> {
        let palette = self.style.legend_palette();
        let readable = |span: &SpanReply| readable_unit(&span.unit, span.vmax.abs().max(span.vmin.abs()));
        let (factor, unit) = self.span.as_ref().map_or_else(|| (1.0, "an absolute scale".to_owned()), readable);
        let ticks = scaled_ticks(&self.ticks, factor);
        let legend = Legend { palette: &palette, ticks: &ticks, title, unit: &unit, pixel_ratio }.draw()?;
        let mut png = Vec::new();
        crate::encode::write_picture(&legend, &mut png).map_err(|error| Error::io("legend", "encode", error))?;
        Ok(png.into())
    }
}
