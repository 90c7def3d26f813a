//! `[keys.NAME]`: what a client with a key may see and do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::layer::check_name;
use super::origin::Fault;
use super::protection::{Length, Period};
use super::quantity::optional_scalar;
use super::sections::with_defaults;
use super::style::parts;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Polygon};
use crate::layer::{FilterOptions, View};
use crate::parameters::ParameterSet;
use crate::protection::Protection;
use crate::source::{CoordinateSpace, Filter, parse_time_us};

with_defaults! {
    /// A key: the layers, rights and points of a client.
    #[schemars(title = "a key")]
    pub struct KeyConfig {
        /// Hash of the secret, as `kiln key new` prints it. The key `anonymous`, that of requests without a key, has none.
        #[schemars(extend("format" = "key-hash"))]
        pub hash: Option<String>,
        /// Layers that the client may use. If they are missing, all.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if, extend("minItems" = 1))]
        pub layers: Vec<String>,
        /// What the client may do: read; write points and layers; create queries and masks; run jobs and list them; sign
        /// URLs; read the metrics.
        #[schemars(extend("minItems" = 1))]
        pub rights: Vec<Right> = vec![Right::Read],
        /// Time from which the key is invalid. If it is missing, the key does not expire.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "time"))]
        pub expires: Option<String>,
        /// Origins of the pages that may use the key. If they are missing, the key works on any page, and without one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if, extend("minItems" = 1, "format" = "origins"))]
        pub origins: Vec<String>,
        /// Maximum number of requests per second, on average. If it is missing, there is no limit.
        #[schemars(range(min = 0.001, max = 1_000_000))]
        pub rate: Option<f64>,
        /// Number of requests that may exceed the rate at once. If it is missing, those of ten seconds, and at least 50:
        /// a map requests the tiles of a view together.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub burst: Option<u32>,
        /// Filter of the points, which the client cannot change: in every response, the layers have no other points.
        #[serde(skip_serializing_if = "KeyFilterConfig::is_empty")]
        #[schemars(!skip_serializing_if, extend("minProperties" = 1))]
        pub filter: KeyFilterConfig,
    }

    /// The filter of a key.
    #[schemars(title = "a filter")]
    pub struct KeyFilterConfig {
        /// Only points of these categories.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[schemars(!skip_serializing_if, extend("minItems" = 1))]
        pub category: Vec<String>,
        /// Only points at or after this time.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "time"))]
        pub start: Option<String>,
        /// Only points before this time.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "integer"], "format" = "time"))]
        pub end: Option<String>,
        /// Only points in these hours of the day, such as 7-9,16-18.
        pub hours: Option<String>,
        /// Only points on these days of the week, such as mon-fri.
        pub weekdays: Option<String>,
        /// Only points in these months, such as 6-8.
        pub months: Option<String>,
        /// Time zone of the hours, days and months. If it is missing, UTC.
        pub tz: Option<String>,
        /// Only points within these bounds.
        #[serde(deserialize_with = "optional_scalar")]
        #[schemars(extend("type" = ["string", "array"], "items" = { "type": "number" }, "format" = "bounds"))]
        pub bounds: Option<String>,
        /// Only points in the polygons of this GeoJSON file.
        #[schemars(extend("format" = "geojson-file"))]
        pub polygon: Option<PathBuf>,
        /// Only groups of at least this many points in the same cell, period and category, as `min_count` of a layer.
        #[schemars(range(min = 2, max = 1_000_000_000))]
        pub min_count: Option<u64>,
        /// Side of the cells of `min_count`. If it is missing, 100m, or 1m on a plane.
        pub min_count_cell: Option<Length>,
        /// Length of the periods of `min_count`. If it is missing, 1d.
        pub min_count_period: Option<Period>,
    }
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Read layers: pictures, points, statistics.
    Read,
    /// Change layers and their points.
    Write,
    /// Create queries and masks.
    Queries,
    /// List and run jobs.
    Jobs,
    /// Sign URLs.
    Sign,
    /// Read the metrics of the server.
    Metrics,
}

impl Right {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Queries => "queries",
            Self::Jobs => "jobs",
            Self::Sign => "sign",
            Self::Metrics => "metrics",
        }
    }
}

/// What a key sees of layers on the globe and on a plane.
#[derive(Clone, Debug, Default)]
pub struct KeyViews {
    globe: Option<View>,
    plane: Option<View>,
}

impl KeyViews {
    /// The view of a layer in a coordinate space; `None` if the key sees no such layers.
    pub fn of_space(&self, space: CoordinateSpace) -> Option<&View> {
        if space.wraps() { self.globe.as_ref() } else { self.plane.as_ref() }
    }
}

impl KeyConfig {
    /// The name of the key of requests without a key.
    pub const ANONYMOUS: &str = "anonymous";
    /// What hashes start with: the name of the algorithm.
    pub const HASH_PREFIX: &str = "sha256:";
    /// What secrets start with, so that scanners for leaked secrets recognize them.
    pub const SECRET_PREFIX: &str = "kiln_";

    /// The hash of the secret; `None` if it is missing or invalid.
    pub fn digest(&self) -> Option<[u8; 32]> {
        read_hash(self.hash.as_deref()?)
    }

    /// The time from which the key is invalid, in Unix seconds.
    pub fn expires_s(&self) -> Option<u64> {
        let time_us = parse_time_us(self.expires.as_deref()?)?;
        Some(u64::try_from(time_us / 1_000_000).unwrap_or(0))
    }

    /// The number of requests that may exceed the rate at once.
    pub fn burst(&self) -> f64 {
        const SECONDS: f64 = 10.0;
        const MIN: f64 = 50.0;
        self.burst.map_or_else(|| (self.rate.unwrap_or_default() * SECONDS).max(MIN), f64::from)
    }

    /// The views of the filter. Reads the file of its polygon.
    ///
    /// # Errors
    /// [`Error::Config`] if a value is invalid, or the file cannot be read.
    pub fn views(&self) -> Result<KeyViews> {
        let config = |Fault { path, message, .. }: Fault| Error::config(format!("filter.{path}"), message);
        let filter = self.filter.options().map_err(config)?;
        let protection = self.filter.protection().map_err(config)?;
        self.filter.views(&filter, protection)
    }

    /// Checks the keys that a schema cannot express; `name` is that of the key.
    pub(super) fn check(&self, name: &str) -> std::result::Result<(), Fault> {
        match (&self.hash, name == Self::ANONYMOUS) {
            (None, false) => {
                return Err(Fault::value("hash", "missing; `kiln key new` makes a secret and prints its hash"));
            }
            (Some(_), true) => {
                return Err(Fault::key("hash", "the key of requests without a key has no secret"));
            }
            _ => {}
        }
        for layer in &self.layers {
            check_name(layer).map_err(|message| Fault::value("layers", message))?;
        }
        if name == Self::ANONYMOUS
            && let Some(right) = self.rights.iter().find(|right| !matches!(right, Right::Read | Right::Queries))
        {
            let message = format!("requests without a key cannot have the right `{}`", right.name());
            return Err(Fault::value("rights", message));
        }
        let is_filtered = !self.filter.is_empty();
        for right in &self.rights {
            let (key, reason) = match right {
                Right::Write if is_filtered => ("filter", "a filter does not limit the points that are written"),
                Right::Jobs if is_filtered => ("filter", "jobs draw all points of a layer, and no filter limits them"),
                Right::Metrics if is_filtered => ("filter", "metrics count the points of all layers"),
                Right::Metrics if !self.layers.is_empty() => ("layers", "metrics count the points of all layers"),
                _ => continue,
            };
            let message = format!("a key with `{key}` cannot have the right `{}`: {reason}", right.name());
            return Err(Fault::value("rights", message));
        }
        if self.burst.is_some() && self.rate.is_none() {
            return Err(Fault::key("burst", "no effect without a rate"));
        }
        if is_filtered { self.filter.check().map_err(|fault| fault.within("filter")) } else { Ok(()) }
    }

    /// Checks that the filter limits the points of `layers`, those of the configuration.
    pub(super) fn check_layers(&self, layers: &BTreeMap<String, LayerConfig>) -> std::result::Result<(), Fault> {
        let Some(Ok(bounds)) = self.filter.bounds.as_ref().map(|bounds| bounds.parse::<Bounds>()) else {
            return Ok(());
        };
        let is_seen = |name: &String| self.layers.is_empty() || self.layers.contains(name);
        let mut planes = layers.iter().filter(|(_, layer)| layer.coordinate_space() == CoordinateSpace::Plane);
        match planes.find(|(name, _)| is_seen(name)).filter(|_| bounds.east < bounds.west) {
            Some((name, _)) => {
                let message = format!(
                    "west exceeds east, across the 180th meridian, which the layer `{name}` on a plane does not have"
                );
                Err(Fault::value("filter.bounds", message))
            }
            None => Ok(()),
        }
    }

    /// Converts the path of the polygon, which is relative to `folder`.
    pub(super) fn move_to(&mut self, folder: &Path) {
        if let Some(path) = &mut self.filter.polygon {
            *path = folder.join(&*path);
        }
    }
}

impl KeyFilterConfig {
    /// Whether the filter has no condition.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks the values, and that they limit the points.
    fn check(&self) -> std::result::Result<(), Fault> {
        let filter = self.options()?;
        let protection = self.protection()?;
        if self.bounds.is_some() && self.polygon.is_some() {
            return Err(Fault::value("polygon", EITHER));
        }
        if let Some(bounds) = &self.bounds {
            Self::read_bounds(bounds)?;
        }
        let Filter { start_us, end_us, time_parts, categories, .. } = filter;
        let is_unlimited = start_us.is_none() && end_us.is_none() && time_parts.is_empty() && categories.is_empty();
        if is_unlimited && protection.is_none() && self.bounds.is_none() && self.polygon.is_none() {
            return Err(Fault::key(
                "tz",
                "the key limits no points by itself; it needs hours, weekdays, months, start or end",
            ));
        }
        Ok(())
    }

    /// Reads the bounds, which must have an area.
    fn read_bounds(text: &str) -> std::result::Result<Bounds, Fault> {
        let bounds: Bounds = text.parse().map_err(|error| Fault::value("bounds", parts(error).1))?;
        let Bounds { west, south, east, north } = bounds;
        if (east - west).abs() <= 0.0 || south >= north {
            return Err(Fault::value("bounds", "the bounds have no area; expected west, south, east, north"));
        }
        Ok(bounds)
    }

    /// The filter without the polygon.
    fn options(&self) -> std::result::Result<Filter, Fault> {
        let invalid = |key: &str, error: Error| Fault::value(key, parts(error).1);
        let mut options = FilterOptions::default();
        let Self { start, end, hours, weekdays, months, tz, .. } = self;
        let texts =
            [("start", start), ("end", end), ("hours", hours), ("weekdays", weekdays), ("months", months), ("tz", tz)];
        for (key, text) in texts {
            if let Some(text) = text {
                options.set(key, text).map_err(|error| invalid(key, error))?;
            }
        }
        options.check().map_err(|error| invalid("start", error))?;
        let filter = options.filter().map_err(|error| invalid("tz", error))?;
        Ok(Filter { categories: self.category.clone().into(), ..filter })
    }

    fn protection(&self) -> std::result::Result<Option<Protection>, Fault> {
        let Self { min_count, min_count_cell, min_count_period, .. } = self.clone();
        LayerConfig { min_count, min_count_cell, min_count_period, ..LayerConfig::default() }.read_protection()
    }

    /// The views of the points that pass `filter` and the polygon.
    fn views(&self, filter: &Filter, protection: Option<Protection>) -> Result<KeyViews> {
        let invalid = |key: &str, error: Error| Error::config(format!("filter.{key}"), parts(error).1);
        let view = |polygon| View::new(Filter { polygon, ..filter.clone() }, protection);
        match (&self.polygon, &self.bounds) {
            (None, None) => Ok(KeyViews { globe: Some(view(None)), plane: Some(view(None)) }),
            (Some(_), Some(_)) => Err(Error::config("filter.polygon", EITHER)),
            (Some(path), None) => {
                let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, "read", error))?;
                let plane = Polygon::from_plane_geojson(&text).map_err(|error| invalid("polygon", error))?;
                // Positions beyond those in degrees are in meters, so that no layer on the globe has points there.
                let globe = Polygon::from_geojson(&text).ok().map(|polygon| view(Some(Arc::new(polygon))));
                Ok(KeyViews { globe, plane: Some(view(Some(Arc::new(plane)))) })
            }
            (None, Some(bounds)) => {
                let fault = |Fault { path, message, .. }: Fault| Error::config(format!("filter.{path}"), message);
                let Bounds { west, south, east, north } = Self::read_bounds(bounds).map_err(fault)?;
                let crosses = east < west;
                let east = if crosses { east + 360.0 } else { east };
                let ring = vec![[west, south], [east, south], [east, north], [west, north], [west, south]];
                let rings = [vec![ring]];
                let globe = Polygon::new(&rings).map_err(|error| invalid("bounds", error))?;
                let plane = Polygon::on_plane(&rings).map_err(|error| invalid("bounds", error))?;
                // Only the globe has a 180th meridian to cross.
                let plane = (!crosses).then(|| view(Some(Arc::new(plane))));
                Ok(KeyViews { globe: Some(view(Some(Arc::new(globe)))), plane })
            }
        }
    }
}

const EITHER: &str = "expected either bounds or a polygon, not both";

/// Reads a hash in the form `sha256:` and 64 hexadecimal digits.
pub(super) fn read_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(KeyConfig::HASH_PREFIX)?.as_bytes();
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
