//! `[layers.NAME]`: a layer with points from files or a database, and its style.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::floor_plan::FloorPlanConfig;
use super::inputs::Inputs;
use super::origin::Fault;
use super::protection::{Length, Period};
use super::sections::with_defaults;
use super::{ReadConfig, StyleConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::layer::{LayerSpec, StyleOptions};
use crate::layer_name;
use crate::source::{Columns, CoordinateSpace, ReadOptions};

/// Reserved names: the server's own routes use them.
pub const RESERVED: [&str; 18] = [
    "health",
    "catalog",
    "docs",
    "overlays",
    "queries",
    "imgs",
    "jobs",
    "lib",
    "masks",
    "matrix",
    "v3",
    "_",
    "openapi.json",
    "twine.heatmap.php",
    "favicon.ico",
    "assets",
    "static",
    "tiles",
];

/// The reserved names that are routes of the API.
pub const ROUTES: [&str; 8] = ["health", "catalog", "docs", "overlays", "queries", "jobs", "masks", "openapi.json"];

with_defaults! {
    /// A layer: points from files or a database, and their style.
    #[schemars(title = "a layer")]
    pub struct LayerConfig {
        /// Files with points, or URLs of them such as `s3://bucket/trips/*.parquet`; `-` is standard input.
        #[serde(rename = "input", skip_serializing_if = "<[String]>::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub inputs: Inputs,
        /// Instead of an input, a table or view of the database: `table` or `schema.table`.
        pub table: Option<String>,
        /// Instead of an input, an SQL query of the database whose rows are the points.
        pub sql: Option<String>,
        /// Instead of an input, the layer of the store that has this name. Requests create and describe it; the
        /// section sets `min_count`, `rooms` and `floorplan`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schemars(!skip_serializing_if)]
        pub store: bool,
        /// SQL condition on the rows of the table.
        pub filter: Option<String>,
        /// SRID of geometries that do not declare one.
        #[schemars(range(min = 1, max = 998_999))]
        pub srid: Option<i32>,
        /// Columns of the table that requests may filter by, and that matrices may have as axes and values, in addition to those of weight, time and category.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub columns: Vec<String>,
        /// Interval at which the table is read again. If it is missing, that of `[postgis]`. Of inputs in a bucket or on a web
        /// server: interval at which they are checked for changes, and read again. If it is missing, 1m. Of a layer of the store
        /// with `min_count`: interval in which its released points do not change. If it is missing, they follow the
        /// points.
        pub refresh: Option<TimeSpan>,
        /// Display name of the layer.
        pub title: Option<String>,
        /// Attribution of the data.
        pub attribution: Option<String>,
        /// Coordinates of the points: degrees on the globe, or meters on a plane such as a floor plan, as with crs =
        /// "plane".
        #[serde(with = "CoordinateSpaceName")]
        pub projection: CoordinateSpace,
        /// Longitude or x column. If this or one of the following columns is missing, it is detected by its name.
        pub lon: Option<String>,
        /// Latitude or y column.
        pub lat: Option<String>,
        /// Geometry column of a table, or of an input instead of lon and lat; none for a table without positions, which
        /// has matrices only.
        pub geometry: Option<String>,
        /// Weight column, or none.
        pub weight: Option<String>,
        /// Time column, or none.
        pub time: Option<String>,
        /// Category column, or none.
        pub category: Option<String>,
        /// Column of the track, the id of a person or device, or none.
        pub track: Option<String>,
        /// Minimum number of points: every output of the layer contains only groups of at least this many points in the
        /// same cell, period and category, at the center of the cell and the start of the period. If it is missing, the
        /// points themselves.
        #[schemars(range(min = 2, max = 1_000_000_000))]
        pub min_count: Option<u64>,
        /// Side of the cells of `min_count`, such as 100m. If it is missing, 100m, or 1m on a plane.
        pub min_count_cell: Option<Length>,
        /// Length of the periods of `min_count`, such as 1h or 7d, or all to drop the times. If it is missing, 1d.
        pub min_count_period: Option<Period>,
        /// GeoJSON file with the rooms of the layer: polygons with properties.name, in the coordinates of the points.
        #[schemars(extend("format" = "geojson-file"), example = &"rooms.geojson")]
        pub rooms: Option<PathBuf>,
        /// Options for reading inputs.
        #[serde(flatten)]
        pub read: ReadConfig,
        /// Parameters of the style, such as { scheme = "fire", radius = 12 }, for requests that do not set them.
        #[serde(skip_serializing_if = "StyleConfig::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub style: StyleConfig,
        /// Floor plan of a layer on a plane: an image and its bounds in meters, such as { image = "floor.png", bounds =
        /// [0, 0, 40, 24] }.
        pub floorplan: Option<FloorPlanConfig>,
    }
}

/// The names of the coordinate spaces.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "CoordinateSpace", rename_all = "lowercase")]
enum CoordinateSpaceName {
    Globe,
    Plane,
}

impl LayerConfig {
    /// The specification of the layer `name`.
    ///
    /// # Errors
    /// [`Error::Config`] if a reader or style option is invalid. This cannot happen in a
    /// [checked](super::Config::check) configuration.
    pub fn spec(&self, name: &str) -> Result<LayerSpec> {
        Ok(LayerSpec {
            name: name.to_owned(),
            inputs: self.inputs.to_vec(),
            title: self.title.clone(),
            attribution: self.attribution.clone(),
            columns: Columns {
                lon: self.lon.clone(),
                lat: self.lat.clone(),
                weight: self.weight.clone(),
                time: self.time.clone(),
                category: self.category.clone(),
                track: self.track.clone(),
                geometry: self.geometry.clone(),
            },
            read: self.read_options()?,
            space: self.coordinate_space(),
            comparable: Vec::new(),
            style: self.style_options()?,
            protection: self.protection()?,
        })
    }

    /// Whether the points are those of a table or a query of the database.
    pub fn is_table(&self) -> bool {
        self.table.is_some() || self.sql.is_some()
    }

    /// The coordinate space of the points.
    pub(crate) fn coordinate_space(&self) -> CoordinateSpace {
        if self.projection == CoordinateSpace::Plane { self.projection } else { self.read.coordinate_space() }
    }

    /// The default style of requests.
    ///
    /// # Errors
    /// [`Error::Config`] if a parameter is unknown or invalid, or two contradict each other. This cannot happen in a
    /// [checked](super::Config::check) configuration.
    pub fn style_options(&self) -> Result<StyleOptions> {
        self.style.options().map_err(|Fault { path, message, .. }| Error::config(format!("style.{path}"), message))
    }

    /// The options of the readers.
    ///
    /// # Errors
    /// [`Error::Config`] if a value is invalid. This cannot happen in a [checked](super::Config::check) configuration.
    fn read_options(&self) -> Result<ReadOptions> {
        self.read.options().map_err(|Fault { path, message, .. }| Error::config(path, message))
    }

    /// Checks that the keys do not contradict each other, which a schema cannot express.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let table_keys = [
            ("filter", self.filter.is_some()),
            ("srid", self.srid.is_some()),
            ("columns", !self.columns.is_empty()),
            ("refresh", self.refresh.is_some() && !self.inputs.has_objects()),
        ];
        let file_keys = [("lon", self.lon.is_some()), ("lat", self.lat.is_some())];
        let reject = |keys: &[(&str, bool)], message: &str| match keys.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(Fault::key(*key, message)),
            None => Ok(()),
        };
        self.read_protection()?;
        if self.store {
            return self.check_stored();
        }
        match (self.inputs.is_empty(), self.table.is_some(), self.sql.is_some()) {
            (true, false, false) => {
                let message = "missing; set a file with points, such as \"a.csv\", or a table of the database";
                return Err(Fault::value("input", message));
            }
            (false, false, false) if self.inputs.database().is_some() => {
                let message = "not a file; set the database in postgis.url, and its table here as table = \"stops\"";
                return Err(Fault::value("input", message));
            }
            (false, false, false) => {
                self.inputs.check_objects().map_err(|message| Fault::value("input", message))?;
                reject(&table_keys, "only a database table or sql has this key")?;
            }
            (true, true, false) | (true, false, true) => {
                reject(&file_keys, "a database table has its points in a geometry column; set geometry")?;
                if let Some(key) = self.read.first() {
                    return Err(Fault::key(key, "only an input has this key: a database table declares it"));
                }
                reject(
                    &[("track", self.track.is_some())],
                    "only an input has this key: tracks of a database are not read",
                )?;
                if self.min_count.is_some() && self.geometry.as_deref() == Some(Columns::NO_COLUMN) {
                    return Err(Fault::value("min_count", "a table without positions has no cells to count points in"));
                }
                if self.projection == CoordinateSpace::Plane {
                    return Err(Fault::value("projection", "the points of a database are on the globe"));
                }
            }
            (no_input, is_table, _) => {
                let key = if is_table && !no_input { "table" } else { "sql" };
                return Err(Fault::key(key, "only one of input, table and sql can be set"));
            }
        }
        self.read.options()?;
        if let Some(plan) = &self.floorplan {
            plan.check().map_err(|fault| fault.within("floorplan"))?;
        }
        self.style.options().map(drop).map_err(|fault| fault.within("style"))
    }

    /// Checks the section of a layer of the store, which has a description of its own.
    fn check_stored(&self) -> Result<(), Fault> {
        if self.min_count.is_none() && self.rooms.is_none() && self.floorplan.is_none() {
            return Err(Fault::value(
                "store",
                "the section of a layer of the store needs min_count, rooms or floorplan",
            ));
        }
        let Self { store, refresh, min_count, min_count_cell, min_count_period, rooms, floorplan, .. } = self.clone();
        let keys =
            Self { store, refresh, min_count, min_count_cell, min_count_period, rooms, floorplan, ..Self::default() };
        if *self != keys {
            let message = "a layer of the store has its own description; only min_count, min_count_cell, \
                           min_count_period, refresh, rooms and floorplan can be set";
            return Err(Fault::key("store", message));
        }
        Ok(())
    }
}

/// Checks that `name` is a valid name of a layer.
///
/// # Errors
/// A message with the reason.
pub fn check_name(name: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err(format!("the name is reserved for one of the server's own routes: {}", RESERVED.join(", ")));
    }
    if !layer_name::is_valid(name) {
        return Err(layer_name::RULE.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_names_are_valid_in_urls() {
        for good in ["a", "Cities_2024-05", &"x".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "å", "a/b", "a.b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(ROUTES.iter().all(|route| RESERVED.contains(route)));
        for reserved in RESERVED {
            assert!(check_name(reserved).is_err_and(|message| message.contains("server's own")), "{reserved}");
        }
    }
}
