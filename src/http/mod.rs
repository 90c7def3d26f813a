//! The HTTP server.
//!
//! ```text
//! connection ── server ── routes ── parameters        maintenance
//!               accept    a file    Fields,           image GC, merges,
//!               limits    each      RenderRequest     scheduled jobs
//! ```
//!
//! All asynchronous code is in this module. `server` accepts connections and owns the state that requests share
//! (`App`): layers, thread pool, caches, metrics. `routes` has one file per route; `server/router.rs` lists them. A
//! handler parses `Fields`, validates them into a `RenderRequest`, and renders it on the thread pool with the blocking
//! code that the command line uses. Every error becomes a `Problem`. `maintenance` runs background tasks.

mod maintenance;
pub(crate) mod parameters;
pub(crate) mod routes;
mod server;

#[cfg(feature = "cli")]
pub(crate) use maintenance::{limit_heaps, return_large_blocks};
#[cfg(feature = "cli")]
pub(crate) use routes::pages::has_full_page;
pub use routes::signable::check_signable;
#[cfg(feature = "cli")]
pub(crate) use server::{LocalServer, certificate_expiry_s};
pub use server::{Secret, Server, Signed, SigningError, check_keys};
