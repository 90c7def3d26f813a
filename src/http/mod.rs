//! The server: overlays, pictures of layers, and the old page's requests, over HTTP.
//!
//! Everything asynchronous is in here. `routes` has a file for each route, `parameters` reads what a request says, `server`
//! has what all requests share, and `maintenance` what is done beside them.

mod maintenance;
pub(crate) mod parameters;
pub(crate) mod routes;
mod server;

pub use server::Server;
