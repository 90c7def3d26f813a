//! The configuration: its keys, its sources and its documentation.
//!
//! The structs declare every key once: name, type, default, range, example and documentation. `schema` derives a JSON
//! schema from them, which validates files, environment variables and flags, documents the file that
//! [`Config::to_toml`] prints, and completes keys in editors ([`Config::schema`]).
//!
//! [`ConfigBuilder`] merges the sources in ascending precedence: defaults, a TOML file, environment variables, and
//! flags of the command line. The inputs on the command line become layers ([`Config::add_inputs`]).
//!
//! A file `kiln.toml`:
//!
//! ```toml
//! [server]
//! listen = "0.0.0.0:3000"
//!
//! [images]
//! ttl = "2h"
//!
//! [layers.cities]
//! input = "data/cities.parquet"
//! weight = "population"
//! style = { scheme = "fire", radius = 12 }
//!
//! [[jobs]]
//! name = "cities"
//! layer = "cities"
//! schedule = "0 6 * * *"
//! output = "imgs/{job}/{time}.png"
//! ```
//!
//! Each key of a section is also an environment variable, `KILN_SERVER_LISTEN=3000` or
//! `KILN_SERVER_CORS_ORIGINS=https://a.example,https://b.example`; two keys also have a short variable, `KILN_STORE`
//! and `KILN_TOKEN`. Paths are relative to the working directory; those of jobs, which run unattended, to the file.

mod builder;
mod floor_plan;
mod format;
mod inputs;
mod job;
mod key;
mod layer;
mod origin;
mod print;
mod protection;
mod proxy_range;
mod quantity;
mod read;
mod schema;
mod sections;
mod style;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod token;

#[cfg(test)]
pub(crate) use style::read_options;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use builder::ConfigBuilder;
pub use floor_plan::FloorPlanConfig;
pub use inputs::Inputs;
pub use job::{JobConfig, PlaceConfig};
pub use key::{KeyConfig, KeyFilterConfig, KeyViews, Right};
pub use layer::{LayerConfig, RESERVED, ROUTES, check_name as check_layer_name};
pub use protection::{Length, Period};
pub use proxy_range::ProxyRange;
pub use quantity::{ByteSize, TimeSpan};
pub use read::ReadConfig;
pub use sections::{
    BridgeConfig, CacheConfig, EmptyTile, ImagesConfig, LimitsConfig, LogConfig, LogFormat, LogLevel, MasksConfig,
    PageConfig, PostgisConfig, QueriesConfig, SchemesConfig, ServerConfig, StoreConfig,
};
pub use style::StyleConfig;
pub use token::Token;

use crate::error::{Error, Result};
use crate::spelling::{did_you_mean, nearest};
use origin::{Fault, Origins};
use schema::{Schema, normalized};

/// The configuration of Kiln.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Kiln configuration")]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Stored layers.
    pub store: StoreConfig,
    /// A PostGIS database whose tables are layers.
    pub postgis: PostgisConfig,
    /// Rendered images in a folder.
    pub images: ImagesConfig,
    /// Rendered images in memory.
    pub cache: CacheConfig,
    /// Limits of a request.
    pub limits: LimitsConfig,
    /// Selections of layers that clients create by POST /queries.
    pub queries: QueriesConfig,
    /// Arrays that clients create by POST /masks.
    pub masks: MasksConfig,
    /// Color schemes from files.
    pub schemes: SchemesConfig,
    /// Requests of the legacy PHP page.
    pub bridge: BridgeConfig,
    /// The map page.
    pub page: PageConfig,
    /// The log on standard error.
    pub log: LogConfig,
    /// Layers by name.
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z0-9_-]{1,64}$" }))]
    pub layers: BTreeMap<String, LayerConfig>,
    /// Keys of clients by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(!skip_serializing_if, extend("propertyNames" = { "pattern": "^[A-Za-z0-9_-]{1,64}$" }))]
    pub keys: BTreeMap<String, KeyConfig>,
    /// Images that are rendered on a schedule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(!skip_serializing_if)]
    pub jobs: Vec<JobConfig>,
    #[serde(skip)]
    origins: Origins,
}

impl Config {
    /// A notice for each deprecated key, with the layer or job.
    pub fn deprecations(&self) -> Vec<String> {
        let layers = self.layers.iter().flat_map(|(name, layer)| {
            layer.style.deprecations().map(move |notice| format!("the style of the layer `{name}`: {notice}"))
        });
        let jobs = self.jobs.iter().flat_map(|job| {
            job.style.deprecations().map(|notice| format!("the style of the job `{}`: {notice}", job.name))
        });
        layers.chain(jobs).collect()
    }

    /// The URL of the database.
    pub fn database(&self) -> Option<&str> {
        self.postgis.url.as_ref().map(Token::reveal)
    }

    /// Whether a file, a variable or a flag sets the folder of the store.
    pub(crate) fn names_store(&self) -> bool {
        self.origins.is_set("store.folder")
    }

    /// The layer of the legacy page's requests: that of `bridge.layer`, or the first layer by name.
    pub fn bridge_layer(&self) -> Option<&str> {
        let first = || self.layers.iter().find(|(_, layer)| !layer.store).map(|(name, _)| name.as_str());
        self.bridge.layer.as_deref().or_else(first)
    }

    /// Checks every key, and that no keys contradict each other. [`ConfigBuilder`] has checked each source by itself.
    ///
    /// # Errors
    /// [`Error::Config`] for the first invalid key, with its origin and what would be accepted.
    pub fn check(&self) -> Result<()> {
        let table = Value::Table(self.table()?);
        Schema::root().check("", &table).map_err(|fault| self.origins.error(&fault))?;
        self.check_rules()?;
        // The tables of a database are not known yet.
        let is_stored = self.layers.values().all(|layer| layer.store);
        let is_known = |layer| self.database().is_some() || is_stored || self.layers.contains_key(layer);
        if let Some(layer) = self.bridge.layer.as_ref().filter(|layer| !is_known(*layer)) {
            let near = nearest(layer, self.layers.keys().map(String::as_str), normalized);
            let hint = did_you_mean(&near);
            let message = format!("there is no layer `{layer}`; {hint}use the name of a configured layer or an input");
            return Err(self.error("bridge.layer", message));
        }
        let missing = |key: &str, other: &str| self.error(key, format!("needs {other}, which is missing"));
        match (&self.server.tls_cert, &self.server.tls_key) {
            (Some(_), None) => return Err(missing("server.tls_cert", "server.tls_key")),
            (None, Some(_)) => return Err(missing("server.tls_key", "server.tls_cert")),
            _ => {}
        }
        if self.store.publish.is_some() && self.store.is_read_only() {
            let message =
                "needs a store that the server changes: a folder in store.folder, and store.read_only = false";
            return Err(self.error("store.publish", message));
        }
        if self.server.local_writes && !self.server.listen.ip().is_loopback() {
            let message = "needs a loopback address in server.listen, such as 127.0.0.1:3000; set server.token instead";
            return Err(self.error("server.local_writes", message));
        }
        if self.layers.values().flat_map(|layer| layer.inputs.iter()).filter(|input| *input == "-").count() > 1 {
            return Err(self.error("layers", "standard input, `-`, can be read only once"));
        }
        Ok(())
    }

    /// An error for the invalid value of the key `path`, such as `layers.a.input`, with its origin: a position in a
    /// file, a variable or a flag.
    pub fn error(&self, path: impl Into<String>, message: impl Into<String>) -> Error {
        self.origins.error(&Fault::value(path, message))
    }

    /// Checks the rules of layers and jobs that a schema cannot express.
    fn check_rules(&self) -> Result<()> {
        let check_layer = |(name, layer): (&String, &LayerConfig)| {
            let path = format!("layers.{name}");
            check_layer_name(name).map_err(|message| Fault::key(&path, message))?;
            layer.check().map_err(|fault| fault.within(&path))
        };
        let check_key = |(name, key): (&String, &KeyConfig)| {
            let path = format!("keys.{name}");
            check_layer_name(name).map_err(|message| Fault::key(&path, message))?;
            key.check(name).and_then(|()| key.check_layers(&self.layers)).map_err(|fault| fault.within(&path))
        };
        let checked = self.layers.iter().try_for_each(check_layer).and_then(|()| job::check_jobs(&self.jobs));
        let checked = checked.and_then(|()| self.keys.iter().try_for_each(check_key));
        checked.map_err(|fault| self.origins.error(&fault))
    }

    /// The configuration as a TOML table.
    fn table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|error| Error::config("config", error.to_string()))
    }
}
