//! The parameters of a grid.

use std::fmt;
use std::str::FromStr;

use super::{ProfileKind, Quantity, Resolution, TimeWindow};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, RawJson, from_str_values, parameter_set};

parameter_set! {
    /// The parameters of a grid, besides the filter of its points and the appearance of its pictures.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct GridOptions {
        /// Size of the cells in meters: `0.5`, `0.5m`, `100m`, `1km`. For `cells=h3`, the resolution of the H3 grid, 0 to 15.
        pub resolution: Resolution = Declaration::new(Parameter::RESOLUTION, Kind::Length).example("100m").required(),
        /// Shape of the cells: squares of a plane, or cells of about the same width and area on the globe; or the hexagons
        /// of H3, on the globe.
        pub shape: CellShape = Declaration::new(Parameter::CELLS, Kind::Choice(&["square", "h3"])).default("square"),
        /// Value of a cell: the number of points (occupancy), the mean, maximum or sum of their weights, or the seconds that
        /// tracks are present (dwell). Each detection of a track adds the time until its next one that passes the filter, at
        /// most 60 s.
        pub quantity: Quantity =
            Declaration::new(Parameter::HEATMAP_TYPE, Kind::Choice(Quantity::NAMES)).default("occupancy"),
        /// Whether the values of cells are divided by their maximum.
        pub normalize: bool = Declaration::new(Parameter::NORMALIZE, Kind::Boolean).default("false"),
        /// Whether cells without points are omitted. Otherwise all cells of the bounds are listed.
        pub omit_empty: bool =
            Declaration::new(Parameter::OMIT_EMPTY, Kind::Boolean).aliases(&["omit_empty_value"]).default("true"),
        /// Bounds `west,south,east,north`, in meters for a layer on a plane and in degrees for one on the globe. Only points
        /// within them are counted; the western and southern edges are included.
        pub bounds: Bounds = Declaration::new(Parameter::BOUNDS, Kind::Bounds)
            .aliases(&["bbox"])
            .default("the extent of the layer"),
        /// A second range of time, `START/END`: the response then has, for each cell and in total, the value there, the
        /// difference and the ratio.
        pub compare: TimeWindow = Declaration::new(Parameter::COMPARE, Kind::Text)
            .value_name("START/END")
            .example("2024-01-01/2024-01-08"),
        /// Values per hour of the week, 168 from Monday, 0 to 1 o'clock; or per hour of the day, 24. Needs `tz`.
        pub profile: ProfileKind = Declaration::new(Parameter::PROFILE, Kind::Choice(ProfileKind::NAMES)),
        /// Whether the response has the sums per room. Rooms are those of `polygons`, or else those of the layer's
        /// configuration.
        pub rooms: bool = Declaration::new(Parameter::ROOMS, Kind::Boolean).default("true if `polygons` is given"),
        /// Rooms: a GeoJSON FeatureCollection of polygons with `properties.name`, in the coordinates of the layer.
        pub polygons: RawJson = Declaration::new(Parameter::POLYGONS, Kind::Json).without_flag(),
    }
}

/// The shape of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CellShape {
    /// Squares.
    #[default]
    Square,
    /// Hexagons of the H3 grid.
    H3,
}

impl FromStr for CellShape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "square" => Ok(Self::Square),
            "h3" => Ok(Self::H3),
            _ => Err(Error::invalid(Parameter::CELLS, format!("`{text}` is neither square nor h3"))),
        }
    }
}

impl fmt::Display for CellShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Square => "square",
            Self::H3 => "h3",
        })
    }
}

/// The format of a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GridFormat {
    /// JSON with the cells, their metadata, rooms and profiles.
    #[default]
    Json,
    /// A line per cell.
    Csv,
    /// A row per cell, as Apache Parquet.
    Parquet,
    /// A polygon per cell, or contour lines.
    GeoJson,
    /// A picture.
    Png,
}

impl GridFormat {
    /// The names, in the order of the variants. They are also the file extensions.
    pub const NAMES: &[&str] = &["json", "csv", "parquet", "geojson", "png"];
    const ALL: [Self; 5] = [Self::Json, Self::Csv, Self::Parquet, Self::GeoJson, Self::Png];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::GeoJson => "application/geo+json",
            Self::Png => "image/png",
        }
    }
}

impl FromStr for GridFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
        at.map(|at| Self::ALL[at]).ok_or_else(|| {
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::FORMAT, message)
        })
    }
}

impl fmt::Display for GridFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(CellShape, GridFormat);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parameters::ParameterSet;

    #[test]
    fn every_parameter_is_set_from_text_and_written_so_that_it_reads_back() {
        let mut options = GridOptions::default();
        for (name, text) in [
            ("resolution", "0.5"),
            ("cells", "h3"),
            ("heatmap_type", "dwell"),
            ("normalize", "true"),
            ("omit_empty_value", "false"),
            ("bbox", "-1,0,20,10"),
            ("compare", "2024-01-01/2024-01-08"),
            ("profile", "hour_of_week"),
            ("rooms", "true"),
            ("polygons", "{}"),
        ] {
            assert!(options.set(name, text).unwrap(), "{name}");
        }
        assert_eq!(options.pairs().len(), GridOptions::ENTRIES.len());
        let mut again = GridOptions::default();
        options.pairs().iter().for_each(|(name, text)| assert!(again.set(name, text).unwrap()));
        assert_eq!(again, options);
    }

    #[test]
    fn unknown_choices_are_errors_with_the_accepted_ones() {
        for (name, words) in [
            ("cells", "neither square nor h3"),
            ("heatmap_type", "occupancy, mean, max, sum, dwell"),
            ("profile", "hour_of_week, hour_of_day"),
        ] {
            let message = GridOptions::default().set(name, "odd").unwrap_err().to_string();
            assert!(message.starts_with(name) && message.contains(words), "{message}");
        }
        assert!("xlsx".parse::<GridFormat>().unwrap_err().to_string().contains("json, csv, parquet, geojson, png"));
    }
}
