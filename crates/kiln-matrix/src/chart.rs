//! Drawings of matrices and points: the options.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use kiln_core::color::Scheme;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

use crate::stop::Stop;
use crate::{CancellableChart, Matrix, ValueFormat, terminal};

/// A value at a continuous position.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixPoint {
    /// The position on the x axis, finite; larger values are to the right.
    pub x: f64,
    /// The position on the y axis, finite; larger values are above.
    pub y: f64,
    /// The value, finite, which gives the color.
    pub value: f64,
    /// The text next to the point. It is omitted where it would overlap another point or label, and after the first 5,000
    /// labels.
    pub label: Option<String>,
}

/// The data of a [`Chart`].
#[derive(Clone, Debug, PartialEq)]
pub enum ChartData {
    /// A cell per column and row.
    Cells(Matrix),
    /// Points on numeric axes.
    Points(Vec<MatrixPoint>),
}

impl ChartData {
    /// The minimum and maximum value; `None` if there is none.
    pub fn range(&self) -> Option<[f64; 2]> {
        match self {
            Self::Cells(matrix) => matrix.range(),
            Self::Points(points) => {
                let first = points.first()?.value;
                let extend = |[min, max]: [f64; 2], value: f64| [min.min(value), max.max(value)];
                Some(points.iter().map(|point| point.value).fold([first; 2], extend))
            }
        }
    }

    /// The values that are not missing.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + Clone {
        let (cells, points) = match self {
            Self::Cells(matrix) => (matrix.values(), &[][..]),
            Self::Points(points) => (&[][..], &points[..]),
        };
        cells.iter().flatten().copied().chain(points.iter().map(|point| point.value))
    }

    /// Whether a cell has no value.
    pub fn has_missing(&self) -> bool {
        matches!(self, Self::Cells(matrix) if matrix.values().contains(&None))
    }
}

/// The shape of cells and points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellShape {
    /// Squares or rectangles that fill their cell.
    Square,
    /// Circles with a border, of the diameter [`Chart::dot_size`].
    Dot,
}

/// Whether values are written in the cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShowValues {
    /// All of them if they fit in cells of the usual size, else none.
    #[default]
    Auto,
    /// All of them; cells grow if values need it.
    Always,
    /// None.
    Never,
}

/// A drawing of a matrix or of points, with axes, values and a legend.
///
/// Layout units are CSS pixels; a PNG has [`pixel_ratio`](Self::pixel_ratio) pixels for each. The same options always give
/// the same bytes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Chart {
    /// The data.
    pub data: ChartData,
    /// The title above the drawing; up to two lines, then an ellipsis. Default: empty.
    pub title: String,
    /// The title of the x axis, below it. Default: empty.
    pub x_title: String,
    /// The title of the y axis, rotated on its left. Default: empty.
    pub y_title: String,
    /// The unit of the values, at the legend. Default: empty.
    pub unit: String,
    /// The format of values in cells, tooltips and the legend. Default: [`ValueFormat::default`], one for all values.
    pub value_format: ValueFormat,
    /// The value of the coldest color; lower values have the same color. Default: the minimum value. For a diverging scheme
    /// and values of both signs, the range is symmetric around 0: −[`vmax`](Self::vmax) if that is given and positive, else
    /// minus the largest absolute value.
    pub vmin: Option<f64>,
    /// The value of the hottest color; higher values have the same color. Default: the maximum value, or symmetric to
    /// [`vmin`](Self::vmin) for a diverging scheme.
    pub vmax: Option<f64>,
    /// The colors; transparent ones are composited over white. Default: the built-in scheme [`Chart::DEFAULT_SCHEME`].
    pub scheme: Scheme,
    /// The shape of cells or points. Default: squares for cells, dots for points.
    pub shape: Option<CellShape>,
    /// The diameter of dots as a share of their cell, 0.01 to 1. The cell of a point is 7 to 40 layout units
    /// large, so that few points are nearer than that to another. Default: 0.8.
    pub dot_size: f32,
    /// Whether values are written in the cells. Points show no values. Default: [`ShowValues::Auto`].
    pub show_values: ShowValues,
    /// Whether the color bar is drawn. Default: true.
    pub legend: bool,
    /// Whether axes are drawn: labels of columns and rows, titles of axes, and for points ticks and grid lines. Default:
    /// true.
    pub axes: bool,
    /// The pixels of a PNG per layout unit, 1 to 4. Default: 1.
    pub pixel_ratio: f32,
    /// The width and height of a cell in layout units, 1 to 400. Default: 3 to 96, by the number of cells, their labels and
    /// values.
    pub cell_size: Option<f32>,
    /// The maximum number of pixels of a picture, with the pixel ratio. Default: [`Chart::MAX_PIXELS`].
    pub max_pixels: u64,
}

impl Chart {
    /// The name of the default scheme of matrices.
    pub const DEFAULT_SCHEME: &str = "viridis";

    /// The default of [`max_pixels`](Self::max_pixels): 40 million, a drawing of which takes 160 MB of memory.
    pub const MAX_PIXELS: u64 = 40_000_000;

    /// A chart of `data` with the default options.
    pub fn new(data: ChartData) -> Self {
        Self {
            data,
            title: String::new(),
            x_title: String::new(),
            y_title: String::new(),
            unit: String::new(),
            value_format: ValueFormat::default(),
            vmin: None,
            vmax: None,
            scheme: default_scheme(),
            shape: None,
            dot_size: 0.8,
            show_values: ShowValues::default(),
            legend: true,
            axes: true,
            pixel_ratio: 1.0,
            cell_size: None,
            max_pixels: Self::MAX_PIXELS,
        }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the titles of the x and the y axis.
    #[must_use]
    pub fn with_axis_titles(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        (self.x_title, self.y_title) = (x.into(), y.into());
        self
    }

    /// Sets the unit.
    #[must_use]
    pub fn with_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Sets the scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Sets the range of the colors.
    #[must_use]
    pub fn with_range(mut self, vmin: Option<f64>, vmax: Option<f64>) -> Self {
        (self.vmin, self.vmax) = (vmin, vmax);
        self
    }

    /// The chart with a flag that cancels drawing once it is set.
    #[must_use]
    pub fn with_stop<'c>(&'c self, stop: &'c AtomicBool) -> CancellableChart<'c> {
        CancellableChart::new(self, Stop::new(stop))
    }

    /// The chart as an RGB PNG on white.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an option outside of its range, for data without cells or with positions or values that are
    /// not finite, and for [`cell_size`](Self::cell_size) or [`pixel_ratio`](Self::pixel_ratio) if the picture exceeds
    /// [`max_pixels`](Self::max_pixels).
    pub fn png(&self) -> Result<Vec<u8>> {
        CancellableChart::new(self, Stop::NEVER).png()
    }

    /// The chart as an SVG document with the layout of [`png`](Self::png), the original texts of labels, and a tooltip per
    /// cell or point, up to 20,000 of them. All texts are escaped; it has no scripts and no links.
    ///
    /// # Errors
    /// As [`png`](Self::png); [`max_pixels`](Self::max_pixels) applies to layout units. [`Error::Invalid`] for `format` if
    /// the document exceeds 64 MiB.
    pub fn svg(&self) -> Result<String> {
        CancellableChart::new(self, Stop::NEVER).svg()
    }

    /// The chart as lines for a terminal of `columns` characters, at least 20: a cell is two or more characters wide.
    /// With `colors`, cells have backgrounds of 24-bit ANSI colors; without, they have their values if these fit, else a
    /// digit from 0 (the coldest color) to 9. Where columns do not fit, neighboring ones are averaged into one, and the last
    /// line reports it. No line is wider than `columns`. [`show_values`](Self::show_values), [`legend`](Self::legend) and
    /// [`axes`](Self::axes) apply; sizes and shapes do not.
    ///
    /// # Errors
    /// As [`png`](Self::png), without the number of pixels.
    pub fn text(&self, columns: usize, colors: bool) -> Result<String> {
        terminal::write(self, columns, colors)
    }
}

/// Viridis; gray if it were not built in, which a test rules out.
fn default_scheme() -> Scheme {
    Scheme::named(Chart::DEFAULT_SCHEME).unwrap_or_else(|_| {
        let gray = std::array::from_fn(|index| [index as u8, index as u8, index as u8, 255]);
        Scheme::new("gray", kiln_core::color::Family::Sequential, Box::new(gray))
    })
}

impl CellShape {
    /// All shapes, with their names.
    pub const ALL: [(&'static str, Self); 2] = [("square", Self::Square), ("dot", Self::Dot)];
}

impl FromStr for CellShape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found
            .map(|(_, shape)| *shape)
            .ok_or_else(|| Error::invalid(Parameter::SHAPE, format!("`{text}` is none of square, dot")))
    }
}

impl fmt::Display for CellShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL.iter().find(|(_, shape)| shape == self).map_or("", |(name, _)| name))
    }
}

impl ShowValues {
    /// All choices, with their names.
    pub const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

impl FromStr for ShowValues {
    type Err = Error;

    /// Reads a name; `true` is `always` and `false` is `never`.
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "always" | "true" => Ok(Self::Always),
            "never" | "false" => Ok(Self::Never),
            _ => Err(Error::invalid(Parameter::SHOW_VALUES, format!("`{text}` is none of auto, always, never"))),
        }
    }
}

impl fmt::Display for ShowValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL.iter().find(|(_, choice)| choice == self).map_or("", |(name, _)| name))
    }
}
