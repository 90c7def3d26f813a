//! The server: connections, router, middleware, and the state that all requests share.

mod app;
pub(crate) mod auth;
pub(crate) mod base_url;
pub(crate) mod body;
pub(crate) mod body_budget;
mod bundled;
mod cache;
mod cache_shares;
mod cached_json;
mod certificate_expiry;
pub(crate) mod client;
pub(crate) mod clock;
mod connection_stream;
mod connections;
pub(crate) mod corners;
mod damaged_files;
pub(crate) mod digest;
pub(crate) mod etag;
pub(crate) mod floor_plans;
pub(crate) mod form;
mod hangup;
mod host;
pub(crate) mod keys;
mod live_pool;
#[cfg(feature = "cli")]
mod local;
mod logged_uri;
mod masked_uri;
pub(crate) mod masks;
pub(crate) mod metrics;
mod middleware;
mod outbound;
pub(crate) mod overlay_cache;
pub(crate) mod pool;
pub(crate) mod price;
mod price_charts;
mod price_grids;
pub(crate) mod problem;
mod rate_window;
mod reload;
mod render;
mod replica;
mod request_head;
mod request_uri;
mod rooms;
mod router;
pub(crate) mod scale;
pub(crate) mod schemes;
mod serve;
pub(crate) mod session;
pub(crate) mod spaces;
mod stored;
pub(crate) mod text_metrics;
mod tls;
mod trace;
mod tracked_body;
mod unread_body;
pub(crate) mod write_limiter;

pub(crate) use app::{App, open_input_layer};
pub use keys::{Secret, Signed, SigningError, check_keys};
#[cfg(feature = "cli")]
pub(crate) use local::LocalServer;
pub use serve::Server;
#[cfg(feature = "cli")]
pub(crate) use tls::certificate_expiry_s;
