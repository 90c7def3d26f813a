//! How points are drawn: everything about a picture but the points and the ground.

use std::fmt;
use std::str::FromStr;

use crate::color::{Background, Opacity, Palette, Scheme};
use crate::error::{Error, Result};
use crate::geo::Canvas;
use crate::raster::{Aggregation, Curve, Grid, Kernel, Normalization, Quantizer, Shape, Span, classic};

/// How points are drawn.
#[derive(Clone, Debug)]
pub struct Style {
    /// How dots combine. Default: [`Blend::Add`].
    pub blend: Blend,
    /// The shape of a dot under [`Blend::Add`]. Default: Gaussian.
    pub shape: Shape,
    /// The size of a dot. Default: 20 pixels.
    pub radius: Radius,
    /// What a pixel says of the points around it. Default: the sum of weights.
    pub aggregation: Aggregation,
    /// The colors. Default: [`Scheme::DEFAULT`].
    pub scheme: Scheme,
    /// How opaque the whole picture is. Default: fully.
    pub opacity: Opacity,
    /// What the picture is printed on. Default: nothing, so that it can be laid over a map.
    pub background: Option<Background>,
    /// Where the span ends, unless `vmin` and `vmax` say it. Default: the 99th percentile.
    pub normalization: Normalization,
    /// The value of the coldest color. Default: found in the picture.
    pub vmin: Option<f64>,
    /// The value of the hottest color. Default: found in the picture.
    pub vmax: Option<f64>,
    /// How values between are laid on the colors. Default: linear.
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
            background: None,
            normalization: Normalization::default(),
            vmin: None,
            vmax: None,
            curve: Curve::default(),
        })
    }

    /// The dot on a canvas.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the radius is not above 0 or beyond [`Kernel::MAX_RADIUS_PX`] there.
    pub fn kernel(&self, canvas: &Canvas) -> Result<Kernel> {
        Kernel::new(self.shape, self.radius.in_pixels(canvas))
    }

    /// The values that the colors span in a picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `vmin` or `vmax` is not finite or they are not in order.
    pub fn span(&self, density: &Grid<f32>, threads: usize) -> Result<Span> {
        let found = match (self.vmin, self.vmax) {
            (Some(vmin), Some(vmax)) => Span { vmin, vmax },
            _ => Span::of(density, self.aggregation, self.normalization, threads),
        };
        let span = Span { vmin: self.vmin.unwrap_or(found.vmin), vmax: self.vmax.unwrap_or(found.vmax) };
        if span.vmin.is_finite() && span.vmax.is_finite() && span.vmin < span.vmax {
            Ok(span)
        } else {
            let whose = if self.vmin.is_some() { "vmin" } else { "vmax" };
            Err(Error::invalid(whose, format!("the span from {} to {} is empty", span.vmin, span.vmax)))
        }
    }

    /// What turns the values of a picture into palette indices.
    pub fn quantizer(&self, density: &Grid<f32>, span: Span) -> Quantizer {
        Quantizer::new(density, self.aggregation, span, self.curve)
    }

    /// The palette of the picture's indices.
    pub fn palette(&self) -> Palette {
        let palette = match self.blend {
            Blend::Add => Palette::from(&self.scheme).with_opacity(self.opacity),
            Blend::Classic => Palette::classic(&self.scheme, self.opacity),
        };
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
    /// The multiplicative dots of the Python `heatmap` library 2.2.1, bit for bit: see [`classic`]. Weights are not
    /// looked at, and the colors are absolute: there is no span.
    Classic,
}

impl FromStr for Blend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "add" => Ok(Self::Add),
            "classic" => Ok(Self::Classic),
            _ => Err(Error::invalid("blend", format!("`{text}` is neither add nor classic"))),
        }
    }
}

/// The size of a dot: the distance from a point at which its weight has fallen to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// In pixels of the picture.
    Pixels(f64),
    /// In meters on the ground at the picture's middle latitude; in plane units on a plane.
    Meters(f64),
    /// The old library's dot size, a number of pixels of which a lone dot shows about 0.36 to each side.
    DotSize(f64),
}

impl Radius {
    /// The radius in pixels of a canvas. A Mercator map stretches with latitude; the canvas's middle row counts.
    pub fn in_pixels(self, canvas: &Canvas) -> f64 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Meters(meters) => match canvas.pixel_size_m() {
                Some([width_m, height_m]) => meters / (width_m * height_m).sqrt(),
                None => meters * (canvas.scale()[0] * canvas.scale()[1]).sqrt(),
            },
            Self::DotSize(dot_size) => f64::from(classic::radius_for_dot_size(dot_size as f32)),
        }
    }

    /// The old library's dot size that shows this radius on a canvas.
    pub fn dot_size(self, canvas: &Canvas) -> f64 {
        match self {
            Self::DotSize(dot_size) => dot_size,
            _ => f64::from(classic::dot_size_for_radius(self.in_pixels(canvas) as f32)),
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
        let malformed = || Error::invalid("radius", format!("`{text}` is not a size such as 25, 25px, 500m or 10km"));
        let number: f64 = number.trim().parse().map_err(|_| malformed())?;
        if !(number > 0.0 && number.is_finite()) {
            return Err(Error::invalid("radius", format!("`{text}` is not above 0")));
        }
        match unit {
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
        ] {
            assert_eq!(text.parse::<Radius>().unwrap(), radius);
        }
        for bad in ["", "px", "-3", "0", "10miles", "inf", "nan"] {
            assert!(bad.parse::<Radius>().is_err(), "{bad}");
        }
    }

    #[test]
    fn meters_are_ground_meters_in_the_middle() {
        // One degree of latitude is 111.2 km on the sphere.
        let bounds = Bounds::new(10.0, 59.5, 11.0, 60.5).unwrap();
        let canvas = Canvas::new(Projection::PlateCarree, bounds, 100, 200).unwrap();
        let px = Radius::Meters(11_131.95).in_pixels(&canvas);
        // 10 km are 0.1° of latitude = 20 px, and 0.2° of longitude at 60° = 20 px.
        assert!((px - 20.0).abs() < 0.1, "{px}");
    }

    #[test]
    fn an_empty_span_is_refused() {
        let density = Grid::filled(1, 1, 5.0);
        let style = Style { vmin: Some(9.0), ..Style::new().unwrap() };
        assert!(style.span(&density, 1).is_err());
        let style = Style { vmax: Some(10.0), ..Style::new().unwrap() };
        assert_eq!(style.span(&density, 1).unwrap(), Span { vmin: 0.0, vmax: 10.0 });
    }
}
