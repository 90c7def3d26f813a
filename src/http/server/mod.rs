//! The server: connections, router, middleware, and the state that all requests share.

mod app;
pub(crate) mod auth;
pub(crate) mod base_url;
pub(crate) mod body;
mod bundled;
mod cache;
mod cached_json;
pub(crate) mod clock;
pub(crate) mod corners;
pub(crate) mod digest;
pub(crate) mod etag;
pub(crate) mod floor_plans;
pub(crate) mod form;
pub(crate) mod masks;
pub(crate) mod metrics;
mod middleware;
mod outbound;
pub(crate) mod overlay_cache;
pub(crate) mod pool;
pub(crate) mod problem;
mod render;
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
pub(crate) mod write_limiter;

pub(crate) use app::App;
pub use serve::Server;
