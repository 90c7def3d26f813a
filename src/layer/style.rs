//! The style of a picture: everything except its points and its bounds.

use std::fmt;
use std::str::FromStr;

use super::Units;
use crate::color::{Background, Opacity, Palette, Scheme};
use crate::error::{Error, Result};
use crate::geo::Canvas;
use crate::message;
use crate::parameter::Parameter;
use crate::raster::{Aggregation, Curve, Grid, Normalization, Quantizer, Shape, Span, classic};

/// The style of a picture.
#[derive(Clone, Debug)]
pub struct Style {
    /// How dots combine. Default: [`Blend::Add`].
    pub blend: Blend,
    /// The shape of a dot under [`Blend::Add`]. Default: Gaussian.
    pub shape: Shape,
    /// The size of a dot. Default: 20 pixels.
    pub radius: Radius,
    /// The value of a pixel. Default: the sum of the weights of the points around it.
    pub aggregation: Aggregation,
    /// The colors. Default: [`Scheme::DEFAULT`].
    pub scheme: Scheme,
    /// The opacity of the whole picture. Default: fully opaque.
    pub opacity: Opacity,
    /// The share of the colors, from the cold end, over which the picture fades in: with it, an opaque scheme has no
    /// hard edge. 0 to 1; default: 0, none.
    pub transparent_low: f64,
    /// The color behind the picture. Default: none, so that the picture can be overlaid on a map.
    pub background: Option<Background>,
    /// The normalization, which sets the ends of the span that `vmin` and `vmax` leave open. Default: the 99th
    /// percentile.
    pub normalization: Normalization,
    /// The unit of sums and counts. Default: [`Units::default_of`] the projection.
    pub units: Option<Units>,
    /// The pixels of the picture per pixel of [`Units::PerPx`], along each axis: 2 for a picture of double density. Default: 1.
    pub pixel_ratio: f64,
    /// The value of the coldest color, in the unit. Default: computed from the picture.
    pub vmin: Option<f64>,
    /// The value of the hottest color, in the unit. Default: computed from the picture.
    pub vmax: Option<f64>,
    /// The curve from values to colors. Default: linear.
    pub curve: Curve,
}

impl Style {
    /// The default style.
    ///
    /// # Errors
    /// None in practice: only if the built-in default scheme could not be read.
    pub fn new() -> Result<Self> {
        Ok(Self {
            blend: Blend::default(),
            shape: Shape::default(),
            radius: Radius::default(),
            aggregation: Aggregation::default(),
            scheme: Scheme::named(Scheme::DEFAULT)?,
            opacity: Opacity::FULL,
            transparent_low: 0.0,
            background: None,
            normalization: Normalization::default(),
            units: None,
            pixel_ratio: 1.0,
            vmin: None,
            vmax: None,
            curve: Curve::default(),
        })
    }

    /// The minimum radius in pixels of `canvas`. It is that of all dots, except of a radius in meters on the globe, which
    /// has more pixels the further north or south a dot is: its minimum is that at the equator, along a meridian.
    pub fn min_radius_px(&self, canvas: &Canvas) -> f64 {
        self.radius_px_at(canvas, 0.0)
    }

    /// The radius in pixels of `canvas`, along a meridian, of a dot at `lat_deg`; on a plane at any position.
    pub fn radius_px_at(&self, canvas: &Canvas, lat_deg: f64) -> f64 {
        match self.radius {
            Radius::Pixels(pixels) => pixels,
            Radius::Meters(meters) => match canvas.pixel_size_m(lat_deg) {
                Some([_, height_m]) => meters / height_m,
                None => meters * (canvas.scale()[0] * canvas.scale()[1]).sqrt(),
            },
            Radius::DotSize(dot_size) => f64::from(classic::radius_for_dot_size(dot_size as f32)),
        }
    }

    /// The minimum radius on `canvas` as a dot size of the Python heatmap library. All dots of the classic blend have it.
    pub fn dot_size(&self, canvas: &Canvas) -> f64 {
        match self.radius {
            Radius::DotSize(dot_size) => dot_size,
            _ => f64::from(classic::dot_size_for_radius(self.min_radius_px(canvas) as f32)),
        }
    }

    /// The value range of the colors in a picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `vmin` or `vmax` is not finite, or `vmin` is not below `vmax`.
    pub fn span(&self, density: &Grid<f32>, threads: usize) -> Result<Span> {
        let found = match (self.vmin, self.vmax) {
            (Some(vmin), Some(vmax)) => Span { vmin, vmax },
            _ => Span::of(density, self.aggregation, self.normalization, threads),
        };
        let span = Span { vmin: self.vmin.unwrap_or(found.vmin), vmax: self.vmax.unwrap_or(found.vmax) };
        if span.vmin.is_finite() && span.vmax.is_finite() && span.vmin < span.vmax {
            Ok(span)
        } else {
            Err(match (self.vmin.is_some(), self.vmax.is_some()) {
                (true, true) => {
                    Error::invalid(Parameter::VMIN, message!("not a finite number below ", Parameter::VMAX))
                }
                (true, false) => Error::invalid(
                    Parameter::VMIN,
                    message!("no value in the picture is above it; give ", Parameter::VMAX, " too"),
                ),
                _ => Error::invalid(
                    Parameter::VMAX,
                    message!("no value in the picture is below it; give ", Parameter::VMIN, " too"),
                ),
            })
        }
    }

    /// The mapping from the values of a picture to palette indices.
    pub fn quantizer(&self, density: &Grid<f32>, span: Span) -> Quantizer {
        Quantizer::new(density, self.aggregation, span, self.curve)
    }

    /// The palette of the picture's indices.
    pub fn palette(&self) -> Palette {
        match self.blend {
            Blend::Add => self.legend_palette(),
            Blend::Classic => self.with_background(Palette::classic(&self.scheme, self.opacity)),
        }
    }

    /// The palette index of empty pixels, which no dot reaches.
    pub fn empty_index(&self) -> u8 {
        match self.blend {
            Blend::Add => 0,
            Blend::Classic => 255,
        }
    }

    /// The canvas with the surroundings whose dots reach into `canvas`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the radius is out of range.
    pub fn canvas_with_reach(&self, canvas: &Canvas) -> Result<Canvas> {
        match self.blend {
            Blend::Add => Ok(self.kernel(canvas)?.cells_canvas(canvas)),
            Blend::Classic => Ok(canvas.grow((self.dot_size(canvas) / 2.0).ceil() as u32 + 2)),
        }
    }

    /// The palette of the legend, from cold to hot. (The palette of the classic blend runs from hot to cold.)
    pub fn legend_palette(&self) -> Palette {
        self.with_background(Palette::from(&self.scheme).fading_in(self.transparent_low).with_opacity(self.opacity))
    }

    fn with_background(&self, palette: Palette) -> Palette {
        match self.background {
            Some(background) => palette.on(background),
            None => palette,
        }
    }
}

/// How dots combine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Blend {
    /// The weighted density: dots add up, in any order.
    #[default]
    Add,
    /// The multiplicative dots of the Python `heatmap` library 2.2.1, bit for bit: see [`classic`]. Weights are
    /// ignored, and the colors are absolute: there is no span.
    Classic,
}

impl fmt::Display for Blend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Classic => "classic",
        })
    }
}

impl FromStr for Blend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "add" => Ok(Self::Add),
            "classic" => Ok(Self::Classic),
            _ => Err(Error::invalid(Parameter::BLEND, format!("`{text}` is neither add nor classic"))),
        }
    }
}

/// The size of a dot: the distance from a point at which its weight has fallen to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// In pixels of the picture.
    Pixels(f64),
    /// In meters on the ground, at every latitude; in plane units on a plane. Under [`Blend::Classic`], whose dots have one
    /// size in pixels, at the equator.
    Meters(f64),
    /// A dot size of the Python heatmap library, in pixels: a single dot is visible to about 0.36 times it on each
    /// side.
    DotSize(f64),
}

impl Radius {
    /// The dot size; `None` for the other variants.
    pub fn dot_size(self) -> Option<f64> {
        match self {
            Self::DotSize(dot_size) => Some(dot_size),
            Self::Pixels(_) | Self::Meters(_) => None,
        }
    }

    /// Reads a dot size: a number above 0 and at most [`classic::MAX_DOT_SIZE`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other text.
    pub fn from_dot_size(text: &str) -> Result<Self> {
        let max = classic::MAX_DOT_SIZE;
        let size = text.trim().parse::<f64>().ok().filter(|size| *size > 0.0 && *size <= f64::from(max));
        size.map(Self::DotSize).ok_or_else(|| {
            Error::invalid(Parameter::DOT_SIZE, format!("`{text}` is not a number of pixels above 0 and at most {max}"))
        })
    }
}

impl Radius {
    /// The radius in a picture whose sides have `factor` times as many pixels for the same bounds.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Pixels(pixels) => Self::Pixels(pixels * factor),
            Self::DotSize(dot_size) => Self::DotSize(dot_size * factor),
            Self::Meters(_) => self,
        }
    }
}

impl Default for Radius {
    fn default() -> Self {
        Self::Pixels(20.0)
    }
}

impl FromStr for Radius {
    type Err = Error;

    /// Reads `25`, `25px`, `500m`, `10km`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let malformed =
            || Error::invalid(Parameter::RADIUS, format!("`{text}` is not a size such as 25, 25px, 500m or 10km"));
        let number: f64 = number.trim().parse().map_err(|_| malformed())?;
        if !(number > 0.0 && number.is_finite()) {
            return Err(Error::invalid(Parameter::RADIUS, format!("`{text}` is not above 0")));
        }
        match unit.to_ascii_lowercase().as_str() {
            "" | "px" => Ok(Self::Pixels(number)),
            "m" => Ok(Self::Meters(number)),
            "km" => Ok(Self::Meters(number * 1000.0)),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Radius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => write!(f, "{pixels}px"),
            Self::Meters(meters) => write!(f, "{meters}m"),
            Self::DotSize(dot_size) => write!(f, "dot size {dot_size}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, Projection};

    #[test]
    fn radii_are_read() {
        for (text, radius) in [
            ("25", Radius::Pixels(25.0)),
            ("2.5px", Radius::Pixels(2.5)),
            ("10km", Radius::Meters(10_000.0)),
            ("500 m", Radius::Meters(500.0)),
            ("1e3m", Radius::Meters(1000.0)),
            ("5 KM", Radius::Meters(5000.0)),
        ] {
            assert_eq!(text.parse::<Radius>().unwrap(), radius);
        }
        for bad in ["", "px", "-3", "0", "10miles", "inf", "nan"] {
            assert!(bad.parse::<Radius>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_radius_in_meters_has_more_pixels_at_higher_latitudes_of_web_mercator() {
        // A degree of latitude has 111.32 km at the radius of Web Mercator.
        let style = Style { radius: Radius::Meters(11_131.95), ..Style::new().unwrap() };
        let bounds = Bounds::new(10.0, 59.5, 11.0, 60.5).unwrap();
        let canvas = Canvas::new(Projection::PlateCarree, bounds, 100, 200).unwrap();
        let radii = [style.min_radius_px(&canvas), style.radius_px_at(&canvas, 60.0)];
        assert!(radii.iter().all(|px| (px - 20.0).abs() < 0.01), "{radii:?}");
        let canvas = Canvas::new(Projection::Mercator, Bounds::WORLD, 3600, 3600).unwrap();
        let radii = [style.min_radius_px(&canvas), style.radius_px_at(&canvas, -60.0)];
        assert!((radii[0] - 1.0).abs() < 1e-3 && (radii[1] - 2.0).abs() < 1e-3, "{radii:?}");
    }

    #[test]
    fn an_empty_span_is_rejected() {
        let density = Grid::filled(1, 1, 5.0);
        let style = Style { vmin: Some(9.0), ..Style::new().unwrap() };
        assert!(style.span(&density, 1).is_err());
        let style = Style { vmax: Some(10.0), ..Style::new().unwrap() };
        assert_eq!(style.span(&density, 1).unwrap(), Span { vmin: 0.0, vmax: 10.0 });
    }
}
