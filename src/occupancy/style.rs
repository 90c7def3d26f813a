//! The appearance of a grid's pictures.

use std::fmt;
use std::str::FromStr;

use crate::color::{Background, Gradient, Opacity};
use crate::error::{Error, Result};
use crate::layer::{Radius, Size, StyleOptions, of_style};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};
use crate::raster::{Curve, Shape};

parameter_set! {
    /// The appearance of a grid's pictures. The colors are those of a style.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct GridStyleOptions {
        /// Kind of picture: `cells`, a flat color per cell; `heat`, the smoothed density; `contours`, its isolines; or
        /// `terrain`, its heights as terrain-RGB for 3-D maps.
        pub picture: PictureKind =
            Declaration::new(Parameter::PICTURE, Kind::Choice(PictureKind::NAMES)).default("cells"),
        /// Width and height of a picture in pixels, `800x600`, or `1024` for the longer side. A picture of cells has the
        /// longer side only, rounded down to whole pixels per cell on a plane.
        pub size: Size = Declaration::new(Parameter::SIZE, Kind::Size).default("1024"),
        /// Pixels per cell and side of a picture of cells on a plane, in place of `size`.
        pub cell_px: u32 = Declaration::new(Parameter::CELL_PX, Kind::Integer { min: 1, max: 1024 })
            .value_name("PX")
            .conflicts_with(Parameter::SIZE),
        /// Number of contour lines, at equal steps of the colors.
        pub levels: u32 = Declaration::new(Parameter::LEVELS, Kind::Integer { min: 1, max: 64 }).default("8"),
        /// Meters of height in a terrain picture per unit of density, which the response states as `Kiln-Height-Scale`.
        pub height_scale: f64 = Declaration::new(Parameter::HEIGHT_SCALE, Kind::Number { min: 0.0, max: 1e9 })
            .default("that of a highest point of a tenth of the longer side, at least 1000 m"),
        /// Colors by name; `kiln schemes` and `GET /catalog` list them.
        pub scheme: String = of_style(Parameter::SCHEME).default("heat; viridis for cells and contours; bwr for a comparison"),
        /// Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`.
        pub gradient: Gradient = of_style(Parameter::GRADIENT),
        /// Opacity of the picture, 0 to 1: `0.5`, `50%`; or `value`, which rises with the value from 0 to 1.
        pub opacity: GridOpacity = Declaration::new(Parameter::OPACITY, Kind::Share)
            .default("1; value for the heat of a comparison")
            .example("value"),
        /// Share of the colors, from the cold end, over which the picture fades in: `20%`.
        pub transparent_low: Opacity = of_style(Parameter::TRANSPARENT_LOW),
        /// Background of the picture: an opaque CSS color.
        pub background: Background = of_style(Parameter::BACKGROUND),
        /// Value of the coldest color, in the unit of the values; for smoothed pictures per square meter, or per km² on the
        /// globe. The colors of a comparison are symmetric, from −`vmax` to `vmax`.
        pub vmin: f64 = of_style(Parameter::VMIN),
        /// Value of the hottest color.
        pub vmax: f64 = of_style(Parameter::VMAX).default("the maximum"),
        /// Curve from values to colors: linear, sqrt, log, or eqhist (histogram equalization). That of a comparison is linear.
        pub curve: Curve = of_style(Parameter::CURVE),
        /// Radius of a dot of a smoothed picture: pixels, or meters such as `1.5m`.
        pub radius: Radius = Declaration::new(Parameter::RADIUS, Kind::Length).default("two cells").example("1.5m"),
        /// Shape of a dot of a smoothed picture.
        pub shape: Shape = of_style(Parameter::KERNEL),
    }
}

/// The kind of a grid's picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PictureKind {
    /// A flat color per cell.
    #[default]
    Cells,
    /// The smoothed density.
    Heat,
    /// Isolines of the smoothed density.
    Contours,
    /// The smoothed density as heights.
    Terrain,
}

impl PictureKind {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["cells", "heat", "contours", "terrain"];
    const ALL: [Self; 4] = [Self::Cells, Self::Heat, Self::Contours, Self::Terrain];
}

impl FromStr for PictureKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
        at.map(|at| Self::ALL[at]).ok_or_else(|| {
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::PICTURE, message)
        })
    }
}

impl fmt::Display for PictureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

/// The opacity of a grid's picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GridOpacity {
    /// The same for all colors.
    Uniform(Opacity),
    /// From 0 at the coldest color to 1 at the hottest; in a comparison from 0 at no difference.
    ByValue,
}

impl FromStr for GridOpacity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim().eq_ignore_ascii_case("value") { Ok(Self::ByValue) } else { text.parse().map(Self::Uniform) }
    }
}

impl fmt::Display for GridOpacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(opacity) => opacity.fmt(f),
            Self::ByValue => f.write_str("value"),
        }
    }
}

from_str_values!(GridOpacity, PictureKind);

impl GridStyleOptions {
    /// The options with those of a layer's style where they are `None`: its colors, kernel and curve.
    #[must_use]
    pub fn or_style(self, style: &StyleOptions) -> Self {
        let has_colors = self.scheme.is_some() || self.gradient.is_some();
        let (scheme, gradient) =
            if has_colors { (self.scheme, self.gradient) } else { (style.scheme.clone(), style.gradient.clone()) };
        let opacity = self.opacity.or(style.opacity.map(GridOpacity::Uniform));
        Self { scheme, gradient, opacity, shape: self.shape.or(style.shape), ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parameters::ParameterSet;

    #[test]
    fn style_parameters_are_declared_as_those_of_a_style() {
        for entry in GridStyleOptions::ENTRIES {
            let declaration = &entry.declaration;
            assert!(!declaration.doc.is_empty(), "{}", declaration.parameter);
            let of_style = StyleOptions::declarations().find(|other| other.parameter == declaration.parameter);
            if let Some(other) = of_style {
                assert_eq!(other.kind, declaration.kind, "{}", declaration.parameter);
            }
        }
        let mut options = GridStyleOptions::default();
        for (name, text) in [("opacity", "value"), ("colormap_name", "fire"), ("picture", "terrain"), ("cell_px", "8")]
        {
            assert!(options.set(name, text).unwrap(), "{name}");
        }
        assert_eq!((options.opacity, options.scheme.as_deref()), (Some(GridOpacity::ByValue), Some("fire")));
        assert!(options.set("picture", "globe").unwrap_err().to_string().contains("cells, heat, contours, terrain"));
    }

    #[test]
    fn the_colors_of_a_layer_are_the_default() {
        let mut style = StyleOptions::default();
        style.set("scheme", "fire").unwrap();
        assert_eq!(GridStyleOptions::default().or_style(&style).scheme.as_deref(), Some("fire"));
        let mut own = GridStyleOptions::default();
        own.set("gradient", "red,blue").unwrap();
        assert_eq!(own.or_style(&style).scheme, None);
    }
}
