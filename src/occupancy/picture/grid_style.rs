//! The style of a grid's picture.

use crate::color::{Opacity, Palette, Scheme};
use crate::error::{Error, Result};
use crate::layer::{Radius, Size};
use crate::occupancy::{GridOpacity, GridStyleOptions, PictureKind};
use crate::parameter::Parameter;
use crate::raster::{Aggregation, Curve, Grid, Quantizer, Shape, Span};

/// The style of a grid's picture: the meaning of [`GridStyleOptions`].
#[derive(Clone, Debug)]
pub struct GridStyle {
    /// The kind of picture.
    pub picture: PictureKind,
    /// The size in pixels.
    pub size: Size,
    /// The side of a cell in pixels, in a picture of cells on a plane.
    pub cell_px: Option<u32>,
    /// The number of contour lines.
    pub levels: u32,
    /// Meters of height per unit.
    pub height_scale: Option<f64>,
    /// The scheme.
    pub scheme: Scheme,
    /// The palette.
    pub palette: Palette,
    /// The value of the coldest color.
    pub vmin: Option<f64>,
    /// The value of the hottest color.
    pub vmax: Option<f64>,
    /// The curve from values to colors.
    pub curve: Curve,
    /// The radius of a dot.
    pub radius: Option<Radius>,
    /// The shape of a dot.
    pub shape: Shape,
    /// Whether the picture is one of differences.
    pub diverges: bool,
}

/// The palette index of no difference.
const ZERO_INDEX: usize = 128;

impl GridStyleOptions {
    /// Builds the style of a picture, which is one of differences if `diverges`; `find` returns the scheme of a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a parameter is out of range or contradicts another one; errors of `find`.
    pub fn resolve(&self, diverges: bool, find: impl FnOnce(&str) -> Result<Scheme>) -> Result<GridStyle> {
        let picture = self.picture.unwrap_or_default();
        if self.levels.is_some() && picture != PictureKind::Contours {
            return Err(Error::invalid(Parameter::LEVELS, "it applies to pictures of contours"));
        }
        let default = match picture {
            _ if diverges => "bwr",
            PictureKind::Heat => Scheme::DEFAULT,
            _ => "viridis",
        };
        let scheme = match (&self.gradient, &self.scheme) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(Parameter::GRADIENT, "give either a scheme or a gradient, not both"));
            }
            (Some(gradient), None) => Scheme::new("gradient", crate::color::Family::Own, gradient.colors()),
            (None, name) => find(name.as_deref().unwrap_or(default))?,
        };
        let curve = self.curve.unwrap_or_default();
        if diverges && curve != Curve::Linear {
            return Err(Error::invalid(Parameter::CURVE, "the colors of a comparison are linear; omit the curve"));
        }
        if diverges && self.vmin.is_some_and(|vmin| self.vmax != Some(-vmin)) {
            let detail = "the colors of a comparison are symmetric; give the maximum difference as vmax";
            return Err(Error::invalid(Parameter::VMIN, detail));
        }
        if let (Some(vmin), Some(vmax)) = (self.vmin, self.vmax)
            && vmin >= vmax
        {
            return Err(Error::invalid(Parameter::VMIN, format!("{vmin} is not below vmax, {vmax}")));
        }
        if diverges && picture == PictureKind::Terrain {
            let detail = "a comparison has no heights; use cells, heat or contours";
            return Err(Error::invalid(Parameter::PICTURE, detail));
        }
        Ok(GridStyle {
            picture,
            size: self.size.unwrap_or_default(),
            cell_px: self.cell_px,
            levels: self.levels.unwrap_or(8),
            height_scale: self.height_scale,
            palette: self.palette(&scheme, picture, diverges),
            scheme,
            vmin: self.vmin,
            vmax: self.vmax,
            curve,
            radius: self.radius,
            shape: self.shape.unwrap_or_default(),
            diverges,
        })
    }

    fn palette(&self, scheme: &Scheme, picture: PictureKind, diverges: bool) -> Palette {
        let palette = Palette::from(scheme).fading_in(self.transparent_low.map_or(0.0, Opacity::value));
        // The smoothed difference covers all that is near a point: without a difference, it is white.
        let default = (diverges && picture == PictureKind::Heat).then_some(GridOpacity::ByValue);
        let palette = match self.opacity.or(default) {
            None => palette,
            Some(GridOpacity::Uniform(opacity)) => palette.with_opacity(opacity),
            Some(GridOpacity::ByValue) if diverges => {
                let mut colors = Box::new(*palette.colors());
                for (index, color) in colors.iter_mut().enumerate() {
                    let distance = index.abs_diff(ZERO_INDEX) as f64 / (255 - ZERO_INDEX) as f64;
                    color[3] = (f64::from(color[3]) * distance.min(1.0)).round() as u8;
                }
                Palette::new(colors)
            }
            Some(GridOpacity::ByValue) => palette.fading_in(1.0),
        };
        match self.background {
            Some(background) => palette.on(background),
            None => palette,
        }
    }
}

impl GridStyle {
    /// The value range of the colors of `values`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `vmin` or `vmax` if one of them is given and no value is on its other side.
    pub(super) fn span(&self, values: &Grid<f32>, starts_at_zero: bool) -> Result<Span> {
        let known = || values.cells().iter().copied().filter(|value| !value.is_nan()).map(f64::from);
        if self.diverges {
            let vmax = self.vmax.unwrap_or_else(|| known().map(f64::abs).fold(0.0, f64::max));
            let vmax = if vmax > 0.0 { vmax } else { 1.0 };
            return Ok(Span { vmin: -vmax, vmax });
        }
        let min = known().fold(f64::INFINITY, f64::min);
        let max = known().fold(f64::NEG_INFINITY, f64::max);
        let least = if starts_at_zero {
            min.min(0.0)
        } else if min.is_finite() {
            min
        } else {
            0.0
        };
        let most = if max > least { max } else { least + 1.0 };
        let span = Span { vmin: self.vmin.unwrap_or(least), vmax: self.vmax.unwrap_or(most) };
        match (self.vmin, self.vmax) {
            _ if span.vmin < span.vmax => Ok(span),
            (Some(_), None) => {
                Err(Error::invalid(Parameter::VMIN, "no value in the picture is above it; give vmax too"))
            }
            _ => Err(Error::invalid(Parameter::VMAX, "no value in the picture is below it; give vmin too")),
        }
    }

    /// The mapping from values to palette indices. Differences, and values that do not fade, have a color wherever there
    /// is a value.
    pub(super) fn quantizer(&self, values: &Grid<f32>, span: Span, fades: bool) -> Quantizer {
        let aggregation = if fades && !self.diverges { Aggregation::Sum } else { Aggregation::Max };
        Quantizer::new(values, aggregation, span, self.curve)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn style(diverges: bool, options: &GridStyleOptions) -> Result<GridStyle> {
        options.resolve(diverges, Scheme::named)
    }

    #[test]
    fn differences_are_symmetric_and_zero_is_in_the_middle() {
        let style = style(true, &GridStyleOptions::default()).unwrap();
        let values = Grid::from_cells(4, 1, vec![-2.0, 0.0, 1.0, f32::NAN]).unwrap();
        let span = style.span(&values, true).unwrap();
        assert_eq!((span.vmin, span.vmax), (-2.0, 2.0));
        let indices = style.quantizer(&values, span, true).quantize(&values, 1);
        assert_eq!(indices.cells(), [1, 128, 192, 0]);
        let white = style.palette.rgba(128);
        assert!(white.iter().all(|channel| *channel > 250), "{white:?}");
    }

    #[test]
    fn opacity_by_value_rises_with_the_value_or_the_difference() {
        let by_value = GridStyleOptions { opacity: Some(GridOpacity::ByValue), ..GridStyleOptions::default() };
        let alphas = |diverges: bool, indices: [u8; 3]| {
            let style = style(diverges, &by_value).unwrap();
            indices.map(|index| style.palette.rgba(index)[3])
        };
        assert_eq!(alphas(false, [0, 51, 255]), [0, 51, 255]);
        assert_eq!(alphas(true, [1, 128, 255]), [255, 0, 255]);
        // The default of the smoothed difference, and not of its cells.
        for (picture, alpha) in [(PictureKind::Heat, 0), (PictureKind::Cells, 255)] {
            let options = GridStyleOptions { picture: Some(picture), ..GridStyleOptions::default() };
            assert_eq!(style(true, &options).unwrap().palette.rgba(128)[3], alpha, "{picture}");
        }
    }

    #[test]
    fn contradictions_are_rejected() {
        for (diverges, name, text, words) in [
            (true, "curve", "log", "curve: "),
            (true, "vmin", "-3", "vmin: the colors of a comparison are symmetric"),
            (true, "picture", "terrain", "picture: a comparison has no heights"),
            (false, "scheme", "firre", "scheme: "),
            (false, "levels", "5", "levels: it applies to pictures of contours"),
        ] {
            use crate::parameters::ParameterSet;
            let mut options = GridStyleOptions::default();
            options.set(name, text).unwrap();
            let message = style(diverges, &options).unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
        let values = Grid::filled(1, 1, 5.0);
        let limited = GridStyleOptions { vmin: Some(9.0), ..GridStyleOptions::default() };
        assert!(style(false, &limited).unwrap().span(&values, true).is_err());
    }
}
