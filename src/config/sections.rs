//! The sections of a configuration, but for the layers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ByteSize, TimeSpan, Token, quantity};
use crate::geo::Projection;
use crate::images::Keep;

/// `[server]`: how it is reached, and how much it does at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on. Default: 127.0.0.1:3000. A port alone is one of 127.0.0.1.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// What the URLs in answers begin with, such as `https://maps.example.org/heat`, without a slash at the end. Default:
    /// `None`, URLs are paths.
    #[serde(deserialize_with = "base_url")]
    pub base_url: Option<String>,
    /// Threads that draw, 1 to 1024. Default: `None`, one per processor.
    pub render_threads: Option<usize>,
    /// Pictures that may wait to be drawn, 0 to 100,000. Default: 64.
    pub queue: usize,
    /// How long a request may take, 1 second to a day. Default: 30 seconds.
    pub timeout: TimeSpan,
    /// Connections at the same time, 1 to 1,000,000. Default: 1024.
    pub max_connections: usize,
    /// Origins of the pages that may read answers; `*` are all. Default: `*`.
    pub cors_origins: Vec<String>,
    /// The `Cache-Control` header of drawn pictures that are not stored. Default: `public, max-age=60`.
    pub cache_control: String,
    /// What a tile is answered with where there is nothing to see. Default: a transparent picture.
    #[serde(deserialize_with = "read_empty_tile")]
    pub empty_tile: EmptyTile,
    /// What clients have to show to write points and layers. It may be set by `KILN_TOKEN`, and is never printed nor saved.
    /// Default: `None`, writes are let in only while the server listens to this machine alone.
    pub token: Option<Token>,
}

/// What a tile is answered with where there is nothing to see; written as the HTTP status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyTile {
    /// `200`: a transparent picture of the tile's size, which every client can show.
    #[default]
    #[serde(rename = "200")]
    Transparent,
    /// `204`: no content, which saves the bytes for clients that take it for nothing to show.
    #[serde(rename = "204")]
    NoContent,
    /// `404`: there is no such tile, upon which some clients show a larger tile of a lower zoom.
    #[serde(rename = "404")]
    NotFound,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(HOST, 3000),
            base_url: None,
            render_threads: None,
            queue: 64,
            timeout: TimeSpan::from_secs(30),
            max_connections: 1024,
            cors_origins: vec!["*".into()],
            cache_control: "public, max-age=60".into(),
            empty_tile: EmptyTile::default(),
            token: None,
        }
    }
}

/// The host of a port that is named alone: nobody else's machine gets in unasked.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Reads an address and port, or a port alone as `3000` or `:3000`.
pub(super) fn read_listen(text: &str) -> Option<SocketAddr> {
    let port = || Some(SocketAddr::new(HOST, text.strip_prefix(':').unwrap_or(text).parse().ok()?));
    text.parse().ok().or_else(port)
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = quantity::scalar(deserializer)?;
    read_listen(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an address and a port")))
}

fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = Option::<String>::deserialize(deserializer)?;
    Ok(url.map(|url| url.trim_end_matches('/').to_owned()))
}

/// Reads the status as a text or as a number.
fn read_empty_tile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EmptyTile, D::Error> {
    EmptyTile::deserialize(quantity::scalar(deserializer)?.as_str().into_deserializer())
}

/// `[store]`: layers that are kept on the disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The folder, which need not be there. `KILN_STORE` sets it too. Default: `store`.
    pub folder: PathBuf,
    /// Whether the layers are only read: nothing is added, merged or removed, and another server may have the store at the
    /// same time. Default: false.
    pub read_only: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { folder: "store".into(), read_only: false }
    }
}

/// `[postgis]`: a database whose tables are layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgisConfig {
    /// Its address, `postgres://user:password@host:5432/name`. It is never printed nor saved. Default: `None`, the one that
    /// the command line or `DATABASE_URL` names.
    pub url: Option<Token>,
    /// Whether all tables and views of points are layers, or only those that `[layers.NAME]` names. Default: true.
    pub discover: bool,
    /// The most connections at the same time, 1 to 1000, beside one or two that look whether tables have changed. Default: 8.
    pub connections: usize,
    /// How long a statement may take, 1 second to a day. Default: 30 seconds.
    pub timeout: TimeSpan,
    /// How often tables are looked at anew, 1 second to a day. Default: `None`, when the database says that they have changed.
    pub refresh: Option<TimeSpan>,
}

impl Default for PostgisConfig {
    fn default() -> Self {
        Self { url: None, discover: true, connections: 8, timeout: TimeSpan::from_secs(30), refresh: None }
    }
}

/// `[images]`: pictures that are written to a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImagesConfig {
    /// The folder. Default: `imgs`.
    pub folder: PathBuf,
    /// How long a picture stays, 1 second to 3650 days. Default: an hour.
    pub ttl: TimeSpan,
    /// The most pictures, 1 to 100,000,000; the oldest go first. Default: 10,000.
    pub max_count: u64,
    /// The most bytes of all pictures, 1 MB to 1024 TiB; the oldest go first. Default: 1 GiB.
    pub max_size: ByteSize,
    /// How often old pictures are removed, 1 second to a day. Default: a minute.
    pub sweep_every: TimeSpan,
}

impl ImagesConfig {
    /// What may stay in the folder.
    pub fn keep(&self) -> Keep {
        Keep {
            ttl_s: self.ttl.as_secs(),
            max_count: self.max_count,
            max_bytes: self.max_size.bytes(),
            ..Keep::default()
        }
    }
}

impl Default for ImagesConfig {
    fn default() -> Self {
        let keep = Keep::default();
        Self {
            folder: "imgs".into(),
            ttl: TimeSpan::from_secs(keep.ttl_s),
            max_count: keep.max_count,
            max_size: ByteSize::from_bytes(keep.max_bytes),
            sweep_every: TimeSpan::from_secs(60),
        }
    }
}

/// `[cache]`: pictures that are kept in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// The most bytes of all pictures, 0 (none are kept) to 1 TiB. Default: 64 MiB.
    pub size: ByteSize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { size: ByteSize::from_bytes(64 << 20) }
    }
}

/// `[limits]`: what one request may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The most bytes of a request's body, unpacked, 1 KiB to 16 GiB. Default: 16 MiB.
    pub body: ByteSize,
    /// The most points in a request, 1 to 1,000,000,000. Default: 1,000,000.
    pub points: u64,
    /// The most bytes of points that a request adds to a layer, unpacked, 1 KiB to 1 TiB. Default: 256 MiB.
    pub ingest_body: ByteSize,
    /// The most points that a request adds to a layer, 1 to 1,000,000,000. Default: 10,000,000.
    pub ingest_points: u64,
    /// The most points that are answered in place of a picture, 1 to 100,000,000. Default: 50,000.
    pub answer_points: u64,
    /// The most pixels of a picture, 1 to [`Canvas::MAX_PIXELS`](crate::geo::Canvas::MAX_PIXELS). Default: 16,777,216.
    pub pixels: u64,
    /// The largest radius of a dot in pixels, 1 to 1024. Default: 512.
    pub radius_px: f64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body: ByteSize::from_bytes(16 << 20),
            points: 1_000_000,
            ingest_body: ByteSize::from_bytes(256 << 20),
            ingest_points: 10_000_000,
            answer_points: 50_000,
            pixels: 1 << 24,
            radius_px: 512.0,
        }
    }
}

/// `[queries]`: selections of layers that clients make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueriesConfig {
    /// How long one can be asked for, 1 second to a day. Default: an hour.
    pub ttl: TimeSpan,
    /// The most of them, 1 to 1,000,000; the oldest go first. Default: 1000.
    pub max_count: usize,
}

impl Default for QueriesConfig {
    fn default() -> Self {
        Self { ttl: TimeSpan::from_secs(3600), max_count: 1000 }
    }
}

/// `[schemes]`: color schemes from files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemesConfig {
    /// Folders of scheme files beside `./schemes`; `KILN_SCHEMES` lists them too. Default: none.
    pub folders: Vec<PathBuf>,
}

/// `[bridge]`: the old page's requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeConfig {
    /// The layer that they are about. Default: `None`, [the first by name](super::Config::bridge_layer).
    pub layer: Option<String>,
    /// The projection of the pictures. Default: plate carrée.
    #[serde(serialize_with = "write_projection", deserialize_with = "read_projection")]
    pub projection: Projection,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self { layer: None, projection: Projection::PlateCarree }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn write_projection<S: Serializer>(projection: &Projection, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(projection)
}

fn read_projection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Projection, D::Error> {
    quantity::scalar(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// `[page]`: the map page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageConfig {
    /// The address of the tiles that lie below the heat, with `{z}`, `{x}`, `{y}` and perhaps `{s}` in it. Browsers ask them of
    /// their server. Default: `None`, outlines of the land that come from here.
    pub basemap: Option<String>,
    /// Whom that map is owed to, as HTML. Default: `None`.
    pub attribution: Option<String>,
}

impl PageConfig {
    /// Where browsers find the tiles, as a content security policy names it; `None` where that is this server.
    pub fn basemap_origin(&self) -> Option<String> {
        let (scheme, rest) = self.basemap.as_deref()?.split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        // One of several servers, by Leaflet's custom.
        Some(format!("{scheme}://{}", host.replace("{s}", "*")))
    }
}

/// `[log]`: what is told of the work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The least that is told. Default: `info`.
    pub level: LogLevel,
    /// How it is told. Default: `text`.
    pub format: LogFormat,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what should not have been.
    Warn,
    /// And what was done.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And each step of it.
    Trace,
}

impl LogLevel {
    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}
