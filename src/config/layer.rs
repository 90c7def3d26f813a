//! `[layers.NAME]`: points to draw, and how.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{TimeSpan, quantity};
use crate::error::{Error, Result};
use crate::layer::{LayerSpec, Style, StyleOptions};
use crate::layer_name;
use crate::parameters::ParameterSet;
use crate::postgis::Address;
use crate::source::{Columns, Ground};

/// Names that no layer can have, since the server's own pages have them.
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

/// Points to draw, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerConfig {
    /// The inputs that hold its points, one or more; `-` is standard input. In a file `input = "a.csv"`, or a list.
    #[serde(
        rename = "input",
        serialize_with = "write_inputs",
        deserialize_with = "read_inputs",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inputs: Vec<String>,
    /// In place of inputs, a table or view of the database, `table` or `schema.table`. Default: `None`.
    pub table: Option<String>,
    /// In place of inputs, a query of the database whose rows are the points. Default: `None`.
    pub sql: Option<String>,
    /// The table's column of places. Default: `None`, the only one that there is.
    pub geometry: Option<String>,
    /// A condition in SQL that the table's rows have to meet. Default: `None`.
    pub filter: Option<String>,
    /// The coordinate system of places that do not say it themselves, 1 to 998,999. Default: `None`.
    pub srid: Option<i32>,
    /// Columns of the table that requests may compare, beside those of weight, time and category. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// How often the table is looked at anew. Default: `None`, as `postgis.refresh` says.
    pub refresh: Option<TimeSpan>,
    /// Its name for people. Default: `None`.
    pub title: Option<String>,
    /// Whom the points are owed to. Default: `None`.
    pub attribution: Option<String>,
    /// Whether its points lie on the globe or on a plane. Default: the globe.
    pub projection: GroundConfig,
    /// Column of the longitude or x. Default: `None`, found by its usual names.
    pub lon: Option<String>,
    /// Column of the latitude or y. Default: `None`, found by its usual names.
    pub lat: Option<String>,
    /// Column of the weight. Default: `None`, found by its usual names.
    pub weight: Option<String>,
    /// Column of the time. Default: `None`, found by its usual names.
    pub time: Option<String>,
    /// Column of the category. Default: `None`, found by its usual names.
    pub category: Option<String>,
    /// Parameters of the style where a request says nothing, as [`StyleOptions::set`] takes them.
    #[serde(deserialize_with = "read_style", skip_serializing_if = "BTreeMap::is_empty")]
    pub style: BTreeMap<String, String>,
}

/// What a layer's coordinates are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroundConfig {
    /// Degrees of longitude and latitude.
    #[default]
    Globe,
    /// Units of a plane, such as a floor plan.
    Plane,
}

impl LayerConfig {
    /// What the layer `name` is made of.
    ///
    /// # Errors
    /// As [`style_options`](Self::style_options).
    pub fn spec(&self, name: &str) -> Result<LayerSpec> {
        Ok(LayerSpec {
            name: name.to_owned(),
            inputs: self.inputs.clone(),
            title: self.title.clone(),
            attribution: self.attribution.clone(),
            columns: Columns {
                lon: self.lon.clone(),
                lat: self.lat.clone(),
                weight: self.weight.clone(),
                time: self.time.clone(),
                category: self.category.clone(),
            },
            ground: match self.projection {
                GroundConfig::Globe => Ground::Globe,
                GroundConfig::Plane => Ground::Plane,
            },
            comparable: Vec::new(),
            style: self.style_options()?,
        })
    }

    /// The style that requests begin with.
    ///
    /// # Errors
    /// [`Error::Config`] if a parameter is unknown, its text no value of it, or two of them contradict each other.
    /// A layer of a [checked](super::Config::check) configuration has none of these.
    pub fn style_options(&self) -> Result<StyleOptions> {
        style_options(&self.style).map_err(|(name, message)| Error::config(format!("style.{name}"), message))
    }
}

/// The options that a table sets, or the name of the parameter at fault, with the message.
pub(crate) fn read_options<S: ParameterSet>(table: &BTreeMap<String, String>) -> Result<S, (String, String)> {
    let mut options = S::default();
    for (name, text) in table {
        let is_known = options.set(name, text).map_err(|error| (name.clone(), error.into_message().with_keys()))?;
        if !is_known {
            return Err((name.clone(), "no such parameter".into()));
        }
    }
    Ok(options)
}

/// The options that `style` sets, or the name of the parameter at fault, with the message.
pub(super) fn style_options(style: &BTreeMap<String, String>) -> Result<StyleOptions, (String, String)> {
    let options: StyleOptions = read_options(style)?;
    // Any scheme will do to see whether the options agree: the files of schemes are not known here.
    match options.resolve(|_| Style::new().map(|style| style.scheme)) {
        Err(Error::Invalid { parameter, message }) => Err((parameter.key().to_owned(), message.with_keys())),
        Err(other) => Err((String::new(), other.to_string())),
        Ok(_) => Ok(options),
    }
}

/// Whether a layer may be called that.
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

/// Writes inputs, a single one as a text, and no password of a database.
pub(super) fn write_inputs<S: Serializer>(inputs: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let shown =
        |input: &String| if Address::is_meant(input) { Address::without_password(input) } else { input.clone() };
    match inputs.iter().map(shown).collect::<Vec<_>>().as_slice() {
        [only] => only.serialize(serializer),
        inputs => inputs.serialize(serializer),
    }
}

pub(super) fn read_inputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Inputs;
    impl<'de> Visitor<'de> for Inputs {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an input or a list of inputs")
        }

        fn visit_str<E: de::Error>(self, input: &str) -> Result<Vec<String>, E> {
            Ok(vec![input.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut inputs = Vec::new();
            while let Some(input) = list.next_element()? {
                inputs.push(input);
            }
            Ok(inputs)
        }
    }
    deserializer.deserialize_any(Inputs)
}

pub(super) fn read_style<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    struct Scalar(#[serde(deserialize_with = "quantity::scalar")] String);

    let parameters = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    Ok(parameters.into_iter().map(|(name, Scalar(text))| (name, text)).collect())
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
