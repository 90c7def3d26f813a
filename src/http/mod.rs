//! The HTTP server.
//!
//! ```text
//! connection ── server ── routes ── parameters        maintenance
//!               accept    a file    Fields,           image GC, merges,
//!               limits    each      RenderRequest     scheduled jobs
//! ```
//!
//! Everything asynchronous is here. `server` accepts connections and holds the state that requests share (`App`):
//! layers, pool, caches, metrics. `routes` has a file for each route, which `server/router.rs` lists. A route reads `Fields`,
//! checks them into a `RenderRequest`, and renders it on the pool with the blocking code that the command line uses. Every
//! error becomes a `Problem`. `maintenance` works in the background.

mod maintenance;
pub(crate) mod parameters;
pub(crate) mod routes;
mod server;

pub use server::Server;
