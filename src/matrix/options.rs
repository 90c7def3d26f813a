//! The parameters of a matrix.

use std::fmt;
use std::str::FromStr;

use super::MatrixAggregate;
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};

parameter_set! {
    /// The axes and values of a matrix of points, besides the filter of its points and the appearance of its chart.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct MatrixOptions {
        /// Axis of the columns: a part of the local time in the time zone `tz`, which is hour, weekday, day (of the month),
        /// week (of the year), month (of any year), year-month, date or year; `category`; `lon` or `lat`, on a plane `x` or
        /// `y`; `value`, the weight; a column of a live table; or `none` for a single column. Numbers are in bins.
        pub x: String = Declaration::new(Parameter::X, Kind::Name).value_name("AXIS").default("hour").example("hour"),
        /// Axis of the rows, from the top; as for `x`. Bins of numbers are listed from the highest one.
        pub y: String =
            Declaration::new(Parameter::Y, Kind::Name).value_name("AXIS").default("weekday").example("weekday"),
        /// Value of a cell: the number of its points, or the sum, mean or maximum of their values. A cell without points
        /// is missing.
        pub aggregate: MatrixAggregate = Declaration::new(Parameter::AGG, Kind::Choice(MatrixAggregate::NAMES))
            .default("count; mean if `value` is given"),
        /// Values of the points: `weight` or the name of the weights, or a numeric column of a live table.
        pub value: String = Declaration::new(Parameter::VALUE, Kind::Name)
            .value_name("COLUMN")
            .default("the weights")
            .example("weight"),
        /// Number of bins of the x axis, if it is one of numbers: from the lowest to the highest one, or those of `bounds`.
        pub x_bins: u32 = Declaration::new(Parameter::X_BINS, MatrixOptions::BINS).default("10"),
        /// Number of bins of the y axis.
        pub y_bins: u32 = Declaration::new(Parameter::Y_BINS, MatrixOptions::BINS).default("10"),
        /// Only points in these bounds: `west,south,east,north`, in meters for a layer on a plane and in degrees for one on
        /// the globe. The western and southern edges are included.
        pub bounds: Bounds = Declaration::new(Parameter::BOUNDS, Kind::Bounds).aliases(&["bbox"]),
    }
}

impl MatrixOptions {
    /// The numbers of bins.
    const BINS: Kind = Kind::Integer { min: 1, max: 10_000 };
    /// The default number of bins.
    pub(super) const DEFAULT_BINS: u32 = 10;

    /// The text of the x axis.
    pub fn x_text(&self) -> &str {
        self.x.as_deref().unwrap_or("hour")
    }

    /// The text of the y axis.
    pub fn y_text(&self) -> &str {
        self.y.as_deref().unwrap_or("weekday")
    }

    /// The aggregate: the given one, else the mean of a given value, else the count.
    pub fn aggregate(&self) -> MatrixAggregate {
        let default = if self.value.is_some() { MatrixAggregate::Mean } else { MatrixAggregate::Count };
        self.aggregate.unwrap_or(default)
    }
}

parameter_set! {
    /// The format of a matrix.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct MatrixFormatOptions {
        /// Format of the response: `json`; `chartjs`, which Chart.js takes as the `data` of a chart of the type `matrix`;
        /// `csv`, a line per row; or a chart as `png` or `svg`.
        pub format: MatrixFormat = Declaration::new(Parameter::FORMAT, Kind::Choice(MatrixFormat::NAMES)).default("json"),
    }
}

/// The format of a matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixFormat {
    /// JSON with axes, values and counts.
    #[default]
    Json,
    /// The data of a chart of Chart.js.
    ChartJs,
    /// A line per row, with the labels of the columns in the first one.
    Csv,
    /// A chart of pixels.
    Png,
    /// A chart of vectors.
    Svg,
}

impl MatrixFormat {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["json", "chartjs", "csv", "png", "svg"];
    const ALL: [Self; 5] = [Self::Json, Self::ChartJs, Self::Csv, Self::Png, Self::Svg];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::ChartJs => "application/json",
            Self::Csv => "text/csv",
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }

    /// Whether the format is a chart, to which style parameters apply.
    pub fn is_chart(self) -> bool {
        matches!(self, Self::Png | Self::Svg)
    }
}

impl FromStr for MatrixFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
        at.map(|at| Self::ALL[at]).ok_or_else(|| {
            let text: String = text.chars().take(64).collect();
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::FORMAT, message)
        })
    }
}

impl fmt::Display for MatrixFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(MatrixFormat);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parameters::ParameterSet;

    #[test]
    fn every_parameter_is_set_from_text_and_written_so_that_it_reads_back() {
        let mut options = MatrixOptions::default();
        let texts = [
            ("x", "date"),
            ("y", "none"),
            ("agg", "max"),
            ("value", "delay"),
            ("x_bins", "3"),
            ("y_bins", "4"),
            ("bbox", "-1,0,20,10"),
        ];
        for (name, text) in texts {
            assert!(options.set(name, text).unwrap(), "{name}");
        }
        assert_eq!(options.pairs().len(), MatrixOptions::ENTRIES.len());
        let mut again = MatrixOptions::default();
        options.pairs().iter().for_each(|(name, text)| assert!(again.set(name, text).unwrap()));
        assert_eq!(again, options);
        assert!(options.set("x_bins", "0").is_err() && options.set("agg", "median").is_err());
    }

    #[test]
    fn the_mean_is_the_default_of_a_value() {
        let mut options = MatrixOptions::default();
        assert_eq!((options.x_text(), options.y_text()), ("hour", "weekday"));
        assert_eq!(options.aggregate(), MatrixAggregate::Count);
        options.set("value", "delay").unwrap();
        assert_eq!(options.aggregate(), MatrixAggregate::Mean);
        options.set("agg", "count").unwrap();
        assert_eq!(options.aggregate(), MatrixAggregate::Count);
        let error = "xlsx".parse::<MatrixFormat>().unwrap_err().to_string();
        assert!(error.contains("json, chartjs, csv, png, svg"), "{error}");
    }
}
