//! The sections of a configuration, except layers and jobs.
//!
//! The doc comment of a key is its documentation in [`Config::to_toml`](super::Config::to_toml) and in the schema.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::quantity::scalar;
use super::{ByteSize, ProxyRange, TimeSpan, Token};
use crate::geo::{Canvas, Projection};
use crate::images::RetentionLimits;
use crate::source::CategorySet;

/// Declares structs with default field values, in the syntax of RFC 3681, which is not stable yet. Without a value, a
/// field has the default of its type.
macro_rules! with_defaults {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$key:meta])* pub $field:ident: $type:ty $(= $default:expr)?,)*
    })*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$key])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: with_defaults!(@ $($default)?),)* }
            }
        }
    )*};
    (@) => { Default::default() };
    (@ $default:expr) => { $default };
}

pub(super) use with_defaults;

with_defaults! {
    /// `[server]`: the HTTP server.
    pub struct ServerConfig {
        /// Address and port to listen on. A port alone listens on 127.0.0.1.
        #[serde(deserialize_with = "listen")]
        #[schemars(with = "String", extend("type" = ["string", "integer"], "format" = "address"))]
        pub listen: SocketAddr = SocketAddr::new(LOOPBACK, 3000),
        /// Base of the URLs in responses, for a server behind a proxy. If it is missing, the headers of a trusted proxy
        /// set it.
        #[serde(deserialize_with = "base_url")]
        #[schemars(extend("format" = "url"), example = &"https://maps.example.org/heat")]
        pub base_url: Option<String>,
        /// Trusted proxies. Their headers X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Prefix, or Forwarded, set
        /// the base of the URLs in responses. The proxy must set or remove all of them. Headers of other peers are
        /// ignored.
        #[schemars(extend("format" = "proxies"))]
        pub trusted_proxies: Vec<ProxyRange>,
        /// Number of render threads. If it is missing, one per processor.
        #[schemars(range(min = 1, max = 1024), example = 4)]
        pub render_threads: Option<usize>,
        /// Maximum number of requests that wait for a render thread.
        #[schemars(range(min = 0, max = 100_000))]
        pub queue: usize = 64,
        /// Timeout of a request.
        pub timeout: TimeSpan = TimeSpan::from_secs(30),
        /// Maximum number of concurrent connections.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub max_connections: usize = 1024,
        /// Origins whose pages may read responses (CORS). If it is missing, all origins, `["*"]`, while the server listens
        /// on an address other than loopback; otherwise those on this machine, such as `http://localhost:5173`, and that
        /// of `base_url`.
        #[schemars(extend("format" = "origins"), example = ["https://example.org"])]
        pub cors_origins: Option<Vec<String>>,
        /// Host names of the server, such as `maps.example.org` or `*.example.org`; `*` accepts any. Requests with another
        /// `Host` are rejected, except IP addresses and `localhost`. If it is missing, names are checked only while the
        /// server listens on a loopback address, and the one of `base_url` is accepted.
        #[schemars(extend("format" = "hosts"), example = ["maps.example.org"])]
        pub hosts: Option<Vec<String>>,
        /// Maximum number of concurrent connections of a client, by its address, except loopback addresses and trusted
        /// proxies. If it is missing, half of `max_connections`.
        #[schemars(range(min = 1, max = 1_000_000), example = 100)]
        pub max_client_connections: Option<usize>,
        /// Whether inputs of layers and jobs may be files of web servers in private networks and on this machine, such as
        /// `https://intranet.example/trips.parquet`. Endpoints of buckets, which the environment sets, may always be.
        pub private_inputs: bool,
        /// Cache-Control header of rendered images that are not stored.
        #[schemars(extend("format" = "cache-control"))]
        pub cache_control: String = "public, max-age=60".into(),
        /// HTTP status of tiles without data. 200 sends a transparent image.
        #[serde(deserialize_with = "empty_tile")]
        #[schemars(with = "serde_json::Value", extend("enum" = ["200", 200, "204", 204, "404", 404]))]
        pub empty_tile: EmptyTile,
        /// Bearer token required for write requests. It is never printed. If it is missing, a server on a loopback
        /// address makes a token when it starts, and prints a link of the map page with it; on other addresses, writes
        /// are rejected.
        #[schemars(extend("format" = "token"), example = &"a-long-random-text")]
        pub token: Option<Token>,
        /// Whether programs and pages on this machine may write without a token. Requires a loopback address. Do not set
        /// it behind a proxy on the same machine: requests through one that adds no header would count as local.
        pub local_writes: bool,
        /// PEM file of the certificate, followed by those of its issuers: the server then speaks HTTPS, with HTTP/2. It is
        /// read again when it changes, and on SIGHUP. Requires `tls_key`.
        #[schemars(extend("format" = "pem-file"), example = &"/etc/kiln/cert.pem")]
        pub tls_cert: Option<PathBuf>,
        /// PEM file of the private key of `tls_cert`.
        #[schemars(extend("format" = "pem-file"), example = &"/etc/kiln/key.pem")]
        pub tls_key: Option<PathBuf>,
        /// Secret of signed URLs, at least 16 random characters. It is never printed. If it is missing, no URL can be signed.
        #[schemars(extend("format" = "signing-secret"), example = &"another-long-random-text")]
        pub signing_secret: Option<Token>,
    }

    /// `[store]`: stored layers.
    pub struct StoreConfig {
        /// Folder of the stored layers, which is created with the first layer. Or the URL of a bucket to which layers are published,
        /// such as `s3://bucket/maps`: the server is then a replica, which copies and serves them.
        #[schemars(extend("format" = "store"))]
        pub folder: PathBuf = "store".into(),
        /// Whether the store is read-only: no layer changes, and another server may use the store at the same time.
        pub read_only: bool,
        /// Folder of the copies of a replica, which no other process may use.
        #[schemars(extend("format" = "folder"))]
        pub cache: PathBuf = "store-cache".into(),
        /// URL of a bucket in which the server publishes each layer of the store that has changed, as `kiln publish` does. If it is
        /// missing, nothing is published by itself.
        #[schemars(extend("format" = "bucket-url"), example = &"s3://bucket/maps")]
        pub publish: Option<String>,
        /// Interval at which a replica checks the bucket for new versions, by a request for each layer, and at which changed layers
        /// are published.
        #[schemars(range(min = 1, max = 3600))]
        pub refresh: TimeSpan = TimeSpan::from_secs(5),
        /// Time for which the files of replaced and removed points stay on disk, for servers on other machines that read
        /// the same folder. If it is missing, 1h on a network file system, and 0 on a local disk. Set it if this machine
        /// shares its local disk with others.
        #[schemars(range(min = 0, max = 7 * 86_400), example = &"1h")]
        pub grace: Option<TimeSpan>,
    }

    /// `[postgis]`: a database whose tables are layers.
    pub struct PostgisConfig {
        /// URL of the database. It is never printed. If it is missing, that of the variable `DATABASE_URL`.
        #[schemars(extend("format" = "database-url"), example = &"postgres://user@host/name")]
        pub url: Option<Token>,
        /// Whether all tables and views with points are layers, rather than only those under `[layers.NAME]`.
        pub discover: bool = true,
        /// Maximum number of concurrent connections, apart from one or two that watch tables for changes.
        #[schemars(range(min = 1, max = 1000))]
        pub connections: usize = 8,
        /// Timeout of a statement.
        pub timeout: TimeSpan = TimeSpan::from_secs(30),
        /// Interval at which tables are read again. If it is missing, a table is read again when the database reports a
        /// change.
        #[schemars(example = &"30s")]
        pub refresh: Option<TimeSpan>,
    }

    /// `[images]`: rendered images in a folder.
    pub struct ImagesConfig {
        /// Folder of the images.
        #[schemars(extend("format" = "folder"))]
        pub folder: PathBuf = "imgs".into(),
        /// Lifetime of an image.
        #[schemars(range(max = 3650 * 86_400))]
        pub ttl: TimeSpan = TimeSpan::from_secs(RetentionLimits::default().ttl_s),
        /// Maximum number of images. The oldest are removed first.
        #[schemars(range(min = 1, max = 100_000_000))]
        pub max_count: u64 = RetentionLimits::default().max_count,
        /// Maximum size of all images. The oldest are removed first.
        #[schemars(range(min = 1_000_000, max = 1_u64 << 50))]
        pub max_size: ByteSize = ByteSize::from_bytes(RetentionLimits::default().max_bytes),
        /// Interval at which old images are removed.
        pub sweep_every: TimeSpan = TimeSpan::from_secs(60),
    }

    /// `[cache]`: rendered images and other results in memory.
    pub struct CacheConfig {
        /// Maximum size of what requests keep in memory: rendered images, and the styles and value ranges that they are rendered
        /// with. 0 disables the cache of images; the others then have 3 MB.
        #[schemars(range(min = 0, max = 1_u64 << 40))]
        pub size: ByteSize = ByteSize::from_bytes(64 << 20),
    }

    /// `[limits]`: the limits of a request.
    pub struct LimitsConfig {
        /// Maximum size of a request body, uncompressed.
        #[schemars(range(min = 1 << 10, max = 1_u64 << 34))]
        pub body: ByteSize = ByteSize::from_bytes(16 << 20),
        /// Maximum size of the bodies of all requests in memory, uncompressed, and at least `body`. Requests beyond it get
        /// 503, as do those of a client that has half of it.
        #[schemars(range(min = 1 << 20, max = 1_u64 << 40))]
        pub bodies: ByteSize = ByteSize::from_bytes(256 << 20),
        /// Minimum rate per second of a request body, as sent, over ten seconds, and of reading a response over
        /// `server.timeout`. A slower request gets 408, and a slower reader is disconnected. 0 allows any rate.
        #[schemars(range(min = 0, max = 1 << 30))]
        pub body_rate: ByteSize = ByteSize::from_bytes(1 << 10),
        /// Maximum price of a request: an estimate of its processor time in milliseconds, from its pixels, radius, points
        /// and corners of a polygon.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
        pub price: u64 = 2_000_000,
        /// Maximum price of the requests of a client per minute, by its address. Requests beyond it get 429. If it is missing,
        /// there is no limit.
        #[schemars(range(min = 1, max = 1_000_000_000_000_u64), example = 60_000)]
        pub client_price: Option<u64>,
        /// Maximum number of points in a request.
        #[schemars(range(min = 1, max = 1_000_000_000))]
        pub points: u64 = 1_000_000,
        /// Maximum size of the points that a request adds to a layer, uncompressed.
        #[schemars(range(min = 1 << 10, max = 1_u64 << 40))]
        pub ingest_body: ByteSize = ByteSize::from_bytes(256 << 20),
        /// Maximum number of points that a request adds to a layer.
        #[schemars(range(min = 1, max = 1_000_000_000))]
        pub ingest_points: u64 = 10_000_000,
        /// Maximum number of points in a response.
        #[schemars(range(min = 1, max = 100_000_000))]
        pub answer_points: u64 = 50_000,
        /// Maximum number of distinct categories in a filter.
        #[schemars(range(min = 1, max = CategorySet::MAX_CATEGORIES))]
        pub categories: usize = 10_000,
        /// Maximum size of the texts in a filter: of its distinct categories and of its conditions.
        #[schemars(range(min = 1 << 10, max = CategorySet::MAX_BYTES))]
        pub filter_text: ByteSize = ByteSize::from_bytes(256 << 10),
        /// Maximum number of pixels of an image.
        #[schemars(range(min = 1, max = Canvas::MAX_PIXELS))]
        pub pixels: u64 = 1 << 24,
        /// Maximum number of cells of an occupancy grid or a matrix.
        #[schemars(range(min = 1, max = 100_000_000))]
        pub cells: u64 = 1_000_000,
        /// Number of tiles above which `kiln export` asks for confirmation.
        #[schemars(range(min = 1, max = 1_u64 << 50))]
        pub export_tiles: u64 = 1_000_000,
        /// Maximum radius of a dot in pixels; of a radius on the ground, in pixels at the equator.
        #[schemars(range(min = 1, max = 1024))]
        pub radius_px: f64 = 512.0,
        /// Maximum number of cells of a mask: rows × columns × channels.
        #[schemars(range(min = 1, max = 1_u64 << 32))]
        pub mask_cells: u64 = 1 << 26,
        /// Maximum number of labels, and of images, of a mask of annotations.
        #[schemars(range(min = 1, max = 1_u64 << 24))]
        pub mask_labels: u64 = 1 << 20,
        /// Maximum number of vertices of the labels of a mask.
        #[schemars(range(min = 1, max = 1_u64 << 27))]
        pub mask_vertices: u64 = 1 << 24,
        /// Maximum number of steps of drawing the labels of a mask: an edge in a row, a run, or 16 bytes of a bitmap is one.
        #[schemars(range(min = 1, max = 1_u64 << 29))]
        pub mask_steps: u64 = 1 << 26,
        /// Maximum size of a request with a mask or a background, uncompressed, and of a background that is read or downloaded.
        #[schemars(range(min = 1 << 10, max = 1_u64 << 34))]
        pub mask_body: ByteSize = ByteSize::from_bytes(256 << 20),
        /// Maximum size of the image of a floor plan. Its pixels are limited by `pixels`.
        #[schemars(range(min = 1 << 10, max = 1_u64 << 30))]
        pub floorplan_body: ByteSize = ByteSize::from_bytes(16 << 20),
    }

    /// `[queries]`: selections of layers that clients create by POST /queries.
    pub struct QueriesConfig {
        /// Lifetime of a query.
        pub ttl: TimeSpan = TimeSpan::from_secs(3600),
        /// Maximum number of queries. Beyond it, the oldest ones of the client with the most are removed.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub max_count: usize = 1000,
        /// Maximum size of all queries in memory: of their categories, conditions and polygons. Beyond it, the oldest ones of the
        /// client with the largest are removed.
        #[schemars(range(min = 1_000_000, max = 1_u64 << 40))]
        pub max_size: ByteSize = ByteSize::from_bytes(16 << 20),
    }

    /// `[masks]`: arrays that clients create by POST /masks.
    pub struct MasksConfig {
        /// Folder of the masks. It is created with the first mask.
        #[schemars(extend("format" = "folder"))]
        pub folder: PathBuf = "masks".into(),
        /// Lifetime of a mask, from its creation.
        #[schemars(range(max = 3650 * 86_400))]
        pub ttl: TimeSpan = TimeSpan::from_secs(3600),
        /// Maximum number of masks. The oldest are removed first.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub max_count: u64 = 1000,
        /// Maximum size of all masks and their backgrounds. The oldest are removed first.
        #[schemars(range(min = 1_000_000, max = 1_u64 << 50))]
        pub max_size: ByteSize = ByteSize::from_bytes(4 << 30),
        /// Maximum size of masks, backgrounds and levels in memory. An item that exceeds it is read for each request.
        #[schemars(range(min = 0, max = 1_u64 << 40))]
        pub cache_size: ByteSize = ByteSize::from_bytes(256 << 20),
        /// Maximum number of connections that receive the clicks on masks.
        #[schemars(range(min = 0, max = 1_000_000))]
        pub max_subscribers: usize = 256,
        /// Folders whose images requests may use as backgrounds, by path. If it is empty, no path is accepted.
        #[schemars(extend("format" = "folders"))]
        pub background_folders: Vec<PathBuf>,
        /// URLs, each with everything below its path, from which requests may use images as backgrounds. If it is empty, no
        /// URL is accepted. Private addresses are rejected, unless the URL names the address itself.
        #[schemars(extend("format" = "url-prefixes"))]
        pub background_urls: Vec<String>,
        /// URLs, each with everything below its path, to which requests may have the clicks on a mask sent. If it is empty, no
        /// URL is accepted. Private addresses are rejected, unless the URL names the address itself.
        #[schemars(extend("format" = "url-prefixes"))]
        pub webhook_urls: Vec<String>,
    }

    /// `[schemes]`: color schemes from files.
    pub struct SchemesConfig {
        /// Folders of scheme files in addition to ./schemes.
        #[schemars(extend("format" = "folders"))]
        pub folders: Vec<PathBuf>,
    }

    /// `[bridge]`: requests of the legacy PHP page.
    pub struct BridgeConfig {
        /// Layer of the requests. If it is missing, the first by name.
        #[schemars(extend("format" = "layer"), example = &"cities")]
        pub layer: Option<String>,
        /// Projection of the images.
        #[serde(with = "ProjectionName")]
        pub projection: Projection = Projection::PlateCarree,
    }

    /// `[page]`: the map page.
    pub struct PageConfig {
        /// Tiles of the base map, which browsers request from their server. If it is missing, the page draws outlines
        /// of the land.
        #[schemars(extend("format" = "tile-url"), example = &"https://tiles.example.org/{z}/{x}/{y}.png")]
        pub basemap: Option<String>,
        /// Attribution of the base map, as HTML. If it is missing, none is shown.
        #[schemars(example = &"© Example Maps")]
        pub attribution: Option<String>,
        /// Zoom beyond which the browser draws the points itself, if the view has at most 20,000. If it is missing, the
        /// server renders tiles at every zoom. Visitors can change it.
        #[schemars(range(min = 0, max = 18), example = 7)]
        pub draw_points_beyond: Option<u8>,
        /// Origins of sites that may show the pages in a frame, such as a dashboard; `["*"]` for all. If it is missing, none
        /// but the server itself. The page of a mask may be shown by any site.
        #[schemars(extend("format" = "origins"), example = ["https://superset.example.org"])]
        pub frame_ancestors: Option<Vec<String>>,
    }

    /// `[log]`: the log on standard error.
    pub struct LogConfig {
        /// Minimum level of the messages.
        pub level: LogLevel,
        /// Format of the messages.
        pub format: LogFormat,
    }
}

/// The response for a tile without data; written as the HTTP status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyTile {
    /// `200`: a transparent image of the tile's size, which every client supports.
    #[default]
    #[serde(rename = "200")]
    Transparent,
    /// `204`: no content, which saves the bytes for clients that accept it.
    #[serde(rename = "204")]
    NoContent,
    /// `404`: not found. Some clients then show a tile of a lower zoom.
    #[serde(rename = "404")]
    NotFound,
}

/// The level of a log message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// Problems that need attention.
    Warn,
    /// Completed work.
    #[default]
    Info,
    /// Details.
    Debug,
    /// Every step.
    Trace,
}

/// The format of log messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Plain lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The names of the projections.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Projection", rename_all = "lowercase")]
pub(super) enum ProjectionName {
    Mercator,
    PlateCarree,
    Plane,
}

impl StoreConfig {
    /// The URL of the bucket whose layers are copied and served; `None` if the store is a folder.
    pub fn bucket(&self) -> Option<&str> {
        self.folder.to_str().filter(|folder| folder.contains("://"))
    }

    /// Whether the server changes no layer.
    pub fn is_read_only(&self) -> bool {
        self.read_only || self.bucket().is_some()
    }

    /// The folder on this machine: of the stored layers, or of the copies of those in a bucket.
    pub fn local_folder(&self) -> &Path {
        if self.bucket().is_some() { &self.cache } else { &self.folder }
    }
}

impl ImagesConfig {
    /// The retention limits of the folder.
    pub fn retention_limits(&self) -> RetentionLimits {
        let (ttl_s, max_bytes) = (self.ttl.as_secs(), self.max_size.bytes());
        RetentionLimits { ttl_s, max_count: self.max_count, max_bytes, ..RetentionLimits::default() }
    }
}

impl MasksConfig {
    /// The limits of the folder.
    pub fn keep(&self) -> RetentionLimits {
        let (ttl_s, max_bytes) = (self.ttl.as_secs(), self.max_size.bytes());
        RetentionLimits { ttl_s, max_count: self.max_count, max_bytes, ..RetentionLimits::default() }
    }
}

impl PageConfig {
    /// The origin of the base map's tiles for a content security policy; `None` if it is this server.
    pub fn basemap_origin(&self) -> Option<String> {
        let (scheme, rest) = self.basemap.as_deref()?.split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        // The subdomain placeholder of Leaflet.
        Some(format!("{scheme}://{}", host.replace("{s}", "*")))
    }

    /// The sites that may show the pages in a frame, as a source list of the content security policy.
    pub fn frame_sources(&self) -> String {
        let origins = self.frame_ancestors.as_deref().unwrap_or_default();
        std::iter::once("'self'").chain(origins.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// The default host of a port without a host, which must not expose the server to the network.
impl ServerConfig {
    /// The scheme of the URLs at which the server is reached without a proxy.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Reads an address and port, or a port alone as `3000` or `:3000`.
pub(super) fn read_listen(text: &str) -> Option<SocketAddr> {
    let port = || Some(SocketAddr::new(LOOPBACK, text.strip_prefix(':').unwrap_or(text).parse().ok()?));
    text.parse().ok().or_else(port)
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    read_listen(&scalar(deserializer)?).ok_or_else(|| serde::de::Error::custom("not an address and a port"))
}

fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url = Option::<String>::deserialize(deserializer)?;
    Ok(url.map(|url| url.trim_end_matches('/').to_owned()))
}

/// Reads the status as a string or a number.
fn empty_tile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EmptyTile, D::Error> {
    EmptyTile::deserialize(scalar(deserializer)?.as_str().into_deserializer())
}
