//! What the server can be told, and how it is said.
//!
//! Defaults, then a TOML file, then the environment, each over the one before: [`Config::load`]. The command line's flags
//! come on top ([`Config::set`]), and the inputs it names become layers ([`Config::add_inputs`]). One table,
//! `keys`, knows of every key what it is and what it accepts: files, variables and flags are held against it, and
//! [`Config::to_toml`] prints from it.
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
//! Each key that holds one value or a list is also a variable, `KILN_SERVER_LISTEN=3000` or
//! `KILN_SERVER_CORS_ORIGINS=https://a.example,https://b.example`; those that are said often have a short variable beside it,
//! `KILN_STORE` and `KILN_TOKEN`. Paths are relative to where Kiln was started; those of
//! jobs, which run unattended, to the file that names them.

mod byte_size;
mod check;
mod document;
mod inputs;
mod job;
mod keys;
mod kind;
mod layer;
mod load;
mod print;
mod quantity;
mod sections;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod time_span;
mod token;

#[cfg(test)]
pub(crate) use layer::read_options;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use byte_size::ByteSize;
pub use job::{JobConfig, PlaceConfig};
pub use layer::{GroundConfig, LayerConfig, RESERVED, check_name as check_layer_name};
pub use sections::{
    BridgeConfig, CacheConfig, EmptyTile, ImagesConfig, LimitsConfig, LogConfig, LogFormat, LogLevel, PageConfig,
    PostgisConfig, QueriesConfig, SchemesConfig, ServerConfig, StoreConfig,
};
pub use time_span::TimeSpan;
pub use token::Token;

/// Everything that the server can be told.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How it is reached, and how much it does at once.
    pub server: ServerConfig,
    /// Layers that are kept on the disk.
    pub store: StoreConfig,
    /// A database whose tables are layers.
    pub postgis: PostgisConfig,
    /// Pictures that are written to a folder.
    pub images: ImagesConfig,
    /// Pictures that are kept in memory.
    pub cache: CacheConfig,
    /// What one request may ask for.
    pub limits: LimitsConfig,
    /// Selections of layers that clients make.
    pub queries: QueriesConfig,
    /// Color schemes from files.
    pub schemes: SchemesConfig,
    /// The old page's requests.
    pub bridge: BridgeConfig,
    /// The map page.
    pub page: PageConfig,
    /// What is told of the work.
    pub log: LogConfig,
    /// The layers by name.
    pub layers: BTreeMap<String, LayerConfig>,
    /// Pictures that are drawn again and again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobConfig>,
    /// The database that the command line or else `DATABASE_URL` names, an input. It may hold a password, so it is never
    /// printed nor saved.
    #[serde(skip)]
    pub database_url: Option<String>,
    /// Whether the command line names the database.
    #[serde(skip)]
    database_is_input: bool,
}

impl Config {
    /// The address of the database: the one that the command line names, else that of the config, else that of
    /// `DATABASE_URL`.
    pub fn database(&self) -> Option<&str> {
        let own = self.postgis.url.as_ref().map(Token::reveal);
        let named = self.database_url.as_deref();
        if self.database_is_input { named.or(own) } else { own.or(named) }
    }

    /// The layer of the old page's requests: the one that `bridge.layer` names, else the first by name.
    pub fn bridge_layer(&self) -> Option<&str> {
        self.bridge.layer.as_deref().or_else(|| self.layers.keys().next().map(String::as_str))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            store,
            postgis,
            images,
            cache,
            limits,
            queries,
            schemes,
            bridge,
            page,
            log,
            layers,
            jobs,
            database_url,
            database_is_input: _,
        } = self;
        f.debug_struct("Config")
            .field("server", server)
            .field("store", store)
            .field("postgis", postgis)
            .field("images", images)
            .field("cache", cache)
            .field("limits", limits)
            .field("queries", queries)
            .field("schemes", schemes)
            .field("bridge", bridge)
            .field("page", page)
            .field("log", log)
            .field("layers", layers)
            .field("jobs", jobs)
            .field("database_url", &database_url.as_ref().map(|_| "…"))
            .finish()
    }
}
