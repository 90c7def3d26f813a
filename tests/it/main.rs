//! What a user does with Kiln, from outside the crate.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod geotiff;
