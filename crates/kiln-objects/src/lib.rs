//! Objects in buckets of S3, Google Cloud Storage and Azure, and files of web servers.
//!
//! ```text
//! ObjectUrl ── Settings: the environment of the process, timeouts ──> Objects ── get_range, reader, get, put_if, upload, list, …
//!                                                                       │
//!                                     object_store (buckets), web (https://)
//!                                                                       │
//!                                     transport: HTTP/1.1 by hyper, TLS by rustls, timeouts, redirects
//! ```
//!
//! All functions block; the threads of one runtime drive the connections. Each wait ends by a response, a timeout, or
//! [`cancel_all`]. Errors are one sentence with the URL of the object, and have no credentials, queries of URLs or texts of a
//! server.

mod address;
mod classify;
mod cloud_host;
mod connect;
mod environment;
mod error;
mod list_response;
mod listing;
mod object_info;
mod objects;
mod profile;
mod reader;
mod runtime;
mod settings;
mod store;
mod timed_body;
mod transport;
mod upload;
mod url;
mod web;

pub use address::is_public;
pub use error::{ObjectError, ObjectErrorKind, Result};
pub use listing::{ListedObject, Listing};
pub use object_info::{ObjectInfo, Revision};
pub use objects::Objects;
pub use reader::{ObjectReader, streamed_bytes};
pub use runtime::cancel_all;
pub use settings::{Environment, Settings, allow_private_addresses};
pub use url::{ObjectUrl, Scheme, input_name};
