//! What all requests share: the state, the router, and what stands between a connection and a route.

mod app;
mod auth;
pub(crate) mod body;
mod bundled;
pub(crate) mod cache;
pub(crate) mod digest;
pub(crate) mod metrics;
mod middleware;
pub(crate) mod pool;
pub(crate) mod problem;
mod router;
mod serve;
pub(crate) mod write_limiter;
mod write_timeout;

pub(crate) use app::App;
pub use app::Server;
