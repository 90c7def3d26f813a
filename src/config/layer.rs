//! `[layers.NAME]`: points of files or of a database, and their style.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::origin::Fault;
use super::sections::with_defaults;
use super::{Config, ReadConfig, StyleConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::layer::{Layer, LayerSpec, StyleOptions};
use crate::layer_name;
use crate::source::{Columns, CoordinateSpace, ReadOptions};

/// Names that no layer can have: the server's own routes use them.
pub const RESERVED: [&str; 17] = [
    "health",
    "catalog",
    "docs",
    "overlays",
    "queries",
    "imgs",
    "jobs",
    "lib",
    "masks",
    "v3",
    "_",
    "openapi.json",
    "twine.heatmap.php",
    "favicon.ico",
    "assets",
    "static",
    "tiles",
];

with_defaults! {
    /// A layer: points of files or of a database, and their style.
    #[schemars(title = "a layer")]
    pub struct LayerConfig {
        /// Files with points; `-` is standard input.
        #[serde(rename = "input", skip_serializing_if = "<[String]>::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub inputs: Inputs,
        /// In place of an input, a table or view of the database: `table` or `schema.table`.
        pub table: Option<String>,
        /// In place of an input, a query of the database whose rows are the points.
        pub sql: Option<String>,
        /// SQL condition on the rows of the table.
        pub filter: Option<String>,
        /// Coordinate system of geometries without one.
        #[schemars(range(min = 1, max = 998_999))]
        pub srid: Option<i32>,
        /// Columns of the table that requests may compare, in addition to those of weight, time and category.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub columns: Vec<String>,
        /// Interval at which the table is read again. If it is missing, that of `[postgis]`.
        pub refresh: Option<TimeSpan>,
        /// Display name of the layer.
        pub title: Option<String>,
        /// Attribution of the points.
        pub attribution: Option<String>,
        /// Coordinates of the points: degrees on the globe, or units of a plane such as a floor plan.
        #[serde(with = "CoordinateSpaceName")]
        pub projection: CoordinateSpace,
        /// Column of the longitude or x. This and the following columns are found by their usual names if they are missing.
        pub lon: Option<String>,
        /// Column of the latitude or y.
        pub lat: Option<String>,
        /// Column of geometries, of a table or in place of lon and lat.
        pub geometry: Option<String>,
        /// Column of the weight, or none.
        pub weight: Option<String>,
        /// Column of the time, or none.
        pub time: Option<String>,
        /// Column of the category, or none.
        pub category: Option<String>,
        /// How inputs are read.
        #[serde(flatten)]
        pub read: ReadConfig,
        /// Parameters of the style, such as { scheme = "fire", radius = 12 }, for requests that do not set them.
        #[serde(skip_serializing_if = "StyleConfig::is_empty")]
        #[schemars(!skip_serializing_if)]
        pub style: StyleConfig,
    }
}

/// The names of the coordinates.
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
    /// [`Error::Config`] if an option of reading or of the style is invalid. A layer of a [checked](super::Config::check)
    /// configuration has none of these.
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
                geometry: self.geometry.clone(),
            },
            read: self.read_options()?,
            space: self.projection,
            comparable: Vec::new(),
            style: self.style_options()?,
        })
    }

    /// The default style of requests.
    ///
    /// # Errors
    /// [`Error::Config`] if a parameter is unknown or invalid, or two contradict each other. A layer of a
    /// [checked](super::Config::check) configuration has none of these.
    pub fn style_options(&self) -> Result<StyleOptions> {
        self.style.options().map_err(|Fault { path, message, .. }| Error::config(format!("style.{path}"), message))
    }

    /// How inputs are read.
    ///
    /// # Errors
    /// [`Error::Config`] if a value is invalid. A layer of a [checked](super::Config::check) configuration has none.
    fn read_options(&self) -> Result<ReadOptions> {
        self.read.options().map_err(|Fault { path, message, .. }| Error::config(path, message))
    }

    /// Whether the keys agree: a schema cannot express that.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let of_table = [
            ("filter", self.filter.is_some()),
            ("srid", self.srid.is_some()),
            ("columns", !self.columns.is_empty()),
            ("refresh", self.refresh.is_some()),
        ];
        let of_file = [("lon", self.lon.is_some()), ("lat", self.lat.is_some())];
        let none = |keys: &[(&str, bool)], why: &str| match keys.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(Fault::key(*key, why)),
            None => Ok(()),
        };
        match (self.inputs.is_empty(), self.table.is_some(), self.sql.is_some()) {
            (true, false, false) => {
                let why = "missing; name a file with points, such as \"a.csv\", or a table of the database";
                return Err(Fault::value("input", why));
            }
            (false, false, false) if self.inputs.database().is_some() => {
                let why = "a database is named by postgis.url, and its table here by table = \"stops\"";
                return Err(Fault::value("input", why));
            }
            (false, false, false) => none(&of_table, "only a table of a database, or sql, has it")?,
            (true, true, false) | (true, false, true) => {
                none(&of_file, "a table of a database has one column of points: name it as geometry")?;
                if let Some(key) = self.read.first() {
                    return Err(Fault::key(key, "a table of a database declares it; only an input has this key"));
                }
                if self.projection == CoordinateSpace::Plane {
                    return Err(Fault::value("projection", "the points of a database lie on the globe"));
                }
            }
            (no_input, is_table, _) => {
                let key = if is_table && !no_input { "table" } else { "sql" };
                return Err(Fault::key(key, "a layer has either an input, or a table, or sql"));
            }
        }
        self.read.options()?;
        self.style.options().map(drop).map_err(|fault| fault.within("style"))
    }
}

impl Config {
    /// Opens the layer `name` of inputs, as its section `layer` describes it.
    ///
    /// # Errors
    /// Those of [`Layer::open`], which name a key of the layer where they are about a parameter.
    pub fn open_layer(&self, name: &str, layer: &LayerConfig) -> Result<Layer> {
        Layer::open(layer.spec(name)?).map_err(|error| match error {
            Error::Input { input, message } if message.parameters().next().is_some() => {
                Error::input(input, format!("{}, as a key of [layers.{name}] in kiln.toml", message.with_keys()))
            }
            Error::Invalid { parameter, message } => {
                self.error(format!("layers.{name}.{}", parameter.key()), message.with_keys())
            }
            other => other,
        })
    }
}

/// Whether `name` is a valid name of a layer.
///
/// # Errors
/// What is wrong with the name.
pub fn check_name(name: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err(format!("the name is one of the server's own, so no layer can have it: {}", RESERVED.join(", ")));
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
    fn names_of_layers_fit_into_a_url() {
        for good in ["a", "Cities_2024-05", &"x".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "å", "a/b", "a.b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        for reserved in RESERVED {
            assert!(check_name(reserved).is_err_and(|why| why.contains("server's own")), "{reserved}");
        }
    }
}
